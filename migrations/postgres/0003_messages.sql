-- The operations on messages: one function each, a JSON object in, a JSON object out, atomic. What each does is said in
-- relay/store/store.h; the fields are those of relay/store/store_remote*.c.
--
-- Common to all: "ns" are the caller's namespaces, its own first; "agent" is its name in them; "acks" and "presence" are
-- applied first. Times are milliseconds since 1970-01-01 UTC. "passed" is by how many milliseconds a test has moved the
-- time on.
--
-- Locks, always in this order, so that no two operations wait for each other: the id of a send; the caller's look
-- (offers of one agent come one after the other); its presence; messages, by seq; queues, by name. A message gets its
-- seq while its recipient's queue is locked until the commit: what has a lower seq is visible by then. (Where sessions of
-- one agent acknowledge the same messages, an offer can still be chosen to break a deadlock: it is made again.)
-- What searches is planned anew for each call, since it depends on how common a word is.
begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;

-- ---- parts ----
--
-- All in PL/pgSQL: what is in SQL alone would be parsed and planned at each call.

create or replace function patchcord_now(jsonb) returns timestamptz language plpgsql volatile
    set search_path = pg_catalog, pg_temp as $$
begin
    return date_trunc('milliseconds', clock_timestamp())
        + coalesce(($1->>'passed')::bigint, 0) * interval '1 millisecond';
end $$;

create or replace function patchcord_ms(timestamptz) returns bigint language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
begin
    return round(extract(epoch from $1) * 1000)::bigint;
end $$;

create or replace function patchcord_time(bigint) returns timestamptz language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
begin
    return '1970-01-01 00:00:00+00'::timestamptz + $1 * interval '1 millisecond';
end $$;

create or replace function patchcord_texts(jsonb) returns text[] language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
begin
    return array(select value from jsonb_array_elements_text($1) with ordinality e (value, nth) order by nth);
end $$;

-- What a commit may lose with the machine's power: presence, leases, acks.
create or replace function patchcord_lasts_not() returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    perform set_config('synchronous_commit', 'off', true);
end $$;

create or replace function patchcord_message(m agent_messages, t agent_threads, v_now timestamptz, with_content boolean)
    returns jsonb language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_strip_nulls(jsonb_build_object(
        'id', m.id, 'seq', m.seq, 'ns', m.namespace_id, 'from', m.from_agent, 'to', m.to_agent,
        'content', case when with_content then m.content end,
        'encrypted', case when m.encrypted then true end, 'reply_to', m.reply_to, 'thread_id', m.thread_id,
        'thread', t.slug, 'resolved', case when t.resolved_at is not null then true end, 'status', m.status,
        'leased', case when m.lease_until > v_now then true end, 'attempt', m.attempts,
        'sent', patchcord_ms(m.created_at), 'offered', patchcord_ms(m.offered_at), 'read', patchcord_ms(m.delivered_at),
        'replied', patchcord_ms(m.replied_at), 'deferred', patchcord_ms(m.deferred_at),
        'unsent', patchcord_ms(m.unsent_at), 'expired', patchcord_ms(m.expired_at)));
end $$;

-- An agent exists where it has a token, or a grant.
create or replace function patchcord_exists(v_ns text, v_agent text, v_now timestamptz) returns boolean
    language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
begin
    return v_agent <> 'patchcord'
        and (exists (select from bearer_tokens where namespace_id = v_ns and agent_id = v_agent and active
                and (expires_at is null or expires_at > v_now))
            or exists (select from oauth_grant_namespaces n join oauth_grants g on g.id = n.grant_id
                where n.namespace_id = v_ns and n.agent_id = v_agent and g.ended_at is null and g.expires_at > v_now));
end $$;

-- All of them in these namespaces; null: everywhere.
create or replace function patchcord_agents(v_ns text[], v_now timestamptz)
    returns table (namespace_id text, agent_id text) language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return query select b.namespace_id, b.agent_id from bearer_tokens b
        where (v_ns is null or b.namespace_id = any(v_ns)) and b.active and (b.expires_at is null or b.expires_at > v_now)
    union
    select n.namespace_id, n.agent_id from oauth_grant_namespaces n join oauth_grants g on g.id = n.grant_id
        where (v_ns is null or n.namespace_id = any(v_ns)) and g.ended_at is null and g.expires_at > v_now;
end $$;

-- What rides along with every call. Locks the messages that it acknowledges together with another one and those of a
-- lease, if such are named.
create or replace function patchcord_caller(p jsonb, v_ns text[], v_agent text, v_now timestamptz,
    v_id uuid default null, v_lease uuid default null) returns void
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    v_presence jsonb := p->'presence';
    v_acks uuid[] := patchcord_texts(coalesce(p->'acks', '[]'))::uuid[];
begin
    if v_presence is not null then
        insert into agent_registry as r
            (namespace_id, agent_id, status, last_seen, updated_at, display_name, machine_name, meta)
            select n, v_agent, 'online', v_now, v_now, v_presence->>'display_name',
                    coalesce(v_presence->>'machine_name', 'unknown'), v_presence->'meta'
                from unnest(v_ns) n order by n collate "C"
            on conflict (namespace_id, agent_id) do update set status = 'online',
                last_seen = greatest(r.last_seen, excluded.last_seen), updated_at = excluded.updated_at,
                display_name = coalesce(excluded.display_name, r.display_name),
                machine_name = coalesce(v_presence->>'machine_name', r.machine_name),
                meta = r.meta || excluded.meta;
    end if;
    if v_acks <> '{}' or v_id is not null or v_lease is not null then
        perform from agent_messages where seq = any(array(
                select seq from agent_messages
                    where id = any(v_acks || v_id) and namespace_id = any(v_ns) and to_agent = v_agent
                union all select seq from agent_messages
                    where v_lease is not null and namespace_id = any(v_ns) and to_agent = v_agent
                        and status = 'pending' and unsent_at is null and expired_at is null and lease_id = v_lease))
            order by seq for update;
    end if;
    if v_acks <> '{}' then
        update agent_messages
            set status = 'read', delivered_at = coalesce(delivered_at, v_now), lease_id = null, lease_until = null
            where id = any(v_acks) and namespace_id = any(v_ns) and to_agent = v_agent
                and status = 'pending' and unsent_at is null and expired_at is null;
    end if;
end $$;

-- The seq of the last message to an agent; 0: none. In the order of the index that has it.
create or replace function patchcord_newest(v_ns text, v_agent text) returns bigint language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return coalesce((select seq from message_words where namespace_id = v_ns and to_agent = v_agent
        order by namespace_id desc, to_agent desc, seq desc limit 1), 0);
end $$;

-- Locks a recipient's queue, and says whether there is room for so many bytes more; a queue's limits are those of
-- store.h. What it counts is never too little, and counted anew where that seems too much.
create or replace function patchcord_room(v_ns text, v_agent text, v_len bigint) returns boolean
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    v_messages bigint;
    v_bytes bigint;
begin
    insert into agent_queues as q (namespace_id, agent_id) values (v_ns, v_agent)
        on conflict (namespace_id, agent_id) do update set messages = q.messages + 1, bytes = q.bytes + v_len
        returning messages, bytes into v_messages, v_bytes;
    if v_messages <= 1000 and v_bytes <= 10000000 then
        return true;
    end if;
    select count(*), coalesce(sum(content_bytes), 0) into v_messages, v_bytes from agent_messages
        where namespace_id = v_ns and to_agent = v_agent
            and status = 'pending' and unsent_at is null and expired_at is null;
    update agent_queues set messages = v_messages + 1, bytes = v_bytes + v_len
        where namespace_id = v_ns and agent_id = v_agent;
    return v_messages < 1000 and v_bytes + v_len <= 10000000;
end $$;

-- Locks the queue of what goes into none: its seq comes in order all the same.
create or replace function patchcord_no_room(v_ns text, v_agent text) returns void
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into agent_queues as q (namespace_id, agent_id) values (v_ns, v_agent)
        on conflict (namespace_id, agent_id) do update set messages = q.messages;
end $$;

-- Stores one message; its recipient's queue is locked. What one sends to oneself has been seen, and what the relay says
-- of itself must never hold up a queue.
create or replace function patchcord_deliver(p jsonb, v_id uuid, v_ns text, v_from text, v_to text, v_reply_to uuid,
    v_thread uuid, v_group uuid, v_is_notice boolean) returns void
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    v_now timestamptz := patchcord_now(p);
    v_is_deferred boolean := v_is_notice or v_from = v_to;
    v_seq bigint;
begin
    insert into agent_messages (id, namespace_id, from_agent, to_agent, status, is_notice, created_at, deferred_at,
            reply_to, thread_id, group_id, sent_hash, content, encrypted)
        values (v_id, v_ns, v_from, v_to, case when v_is_deferred then 'deferred' else 'pending' end, v_is_notice,
            v_now, case when v_is_deferred then v_now end, v_reply_to, v_thread, v_group,
            decode(p->>'hash', 'hex'), p->>'content', coalesce((p->'encrypted')::boolean, false))
        returning seq into v_seq;
    insert into message_words (seq, namespace_id, from_agent, to_agent, words)
        values (v_seq, v_ns, v_from, v_to, array_to_tsvector(string_to_array(rtrim(p->>'words'), ' ')));
end $$;

-- The named thread of a pair: found, or begun under that id. It is open then.
create or replace function patchcord_thread(v_ns text, v_one text, v_other text, v_slug text, v_root uuid,
    v_now timestamptz) returns uuid
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    v_a text := least(v_one collate "C", v_other collate "C");
    v_b text := greatest(v_one collate "C", v_other collate "C");
    v_thread agent_threads;
begin
    loop
        select * into v_thread from agent_threads
            where namespace_id = v_ns and agent_a = v_a and agent_b = v_b and slug = v_slug for key share;
        exit when found;
        insert into agent_threads (id, namespace_id, agent_a, agent_b, slug, created_at)
            values (v_root, v_ns, v_a, v_b, v_slug, v_now) on conflict do nothing returning * into v_thread;
        exit when found;
    end loop;
    if v_thread.resolved_at is not null then
        update agent_threads set resolved_at = null where id = v_thread.id;
    end if;
    return v_thread.id;
end $$;

-- Whose an id is that a caller gave: null (nobody's), 'repeat' (this very send was stored) or 'taken'.
create or replace function patchcord_owner(v_id uuid, v_ns text[], v_agent text, v_hash text) returns text
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    v_owner agent_messages;
begin
    select * into v_owner from agent_messages where id = v_id;
    if not found then
        select * into v_owner from agent_messages where group_id = v_id limit 1;
    end if;
    if not found then
        return null;
    end if;
    return case when v_owner.namespace_id = any(v_ns) and v_owner.from_agent = v_agent
        and v_owner.sent_hash = decode(v_hash, 'hex') then 'repeat' else 'taken' end;
end $$;

-- ---- send ----

-- Further: "id", "hash" (of what is sent), "content", "encrypted", "words", "thread", "ungated", "only_ask",
-- "to": [{"agent", "ns" (null: wherever it is), "id" (of its message)}].
create or replace function patchcord_send(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_now timestamptz;
    v_id uuid := p->>'id';
    v_owner text;
    v_is_repeat boolean;
    v_to jsonb;
    v_found text[];
    v_sent jsonb[] := '{}';
    v_full jsonb := '[]';
    v_total bigint;
    v_thread uuid;
begin
    -- The same send twice at once: the second one finds the first.
    perform pg_advisory_xact_lock(hashtextextended(v_id::text, 0));
    v_now := patchcord_now(p);
    perform patchcord_caller(p, v_ns, v_agent, v_now);
    v_owner := patchcord_owner(v_id, v_ns, v_agent, p->>'hash');
    if v_owner = 'taken' then
        return jsonb_build_object('status', 'refused', 'refusal', 'id_taken');
    end if;
    v_is_repeat := v_owner is not null;

    for v_to in select value from jsonb_array_elements(p->'to') loop
        if v_is_repeat then
            -- Where it lies: who is there may have changed since. Who was named twice has one message.
            v_found := array(select namespace_id from agent_messages where id = (v_to->>'id')::uuid);
            if cardinality(v_ns) = 1 then
                v_found := v_ns;
            end if;
        else
            -- A bare name is looked for everywhere, but the caller's own means itself.
            v_found := array(select n from unnest(v_ns) n
                where (n = v_to->>'ns' or (v_to->>'ns' is null and (n = v_ns[1] or v_to->>'agent' <> v_agent)))
                    and patchcord_exists(n, v_to->>'agent', v_now));
        end if;
        if not v_is_repeat and cardinality(v_found) <> 1 then
            return jsonb_build_object('status', 'refused',
                'refusal', case when v_found = '{}' then 'unknown_recipient' else 'ambiguous' end,
                'to', patchcord_address(v_to->>'agent', v_to->>'ns', v_ns[1]),
                'names', (select jsonb_agg(case when cardinality(v_ns) > 1 then agent_id || '@' || namespace_id
                            else agent_id end order by array_position(v_ns, namespace_id), agent_id collate "C")
                    from patchcord_agents(v_ns, v_now) where v_found = '{}' or agent_id = v_to->>'agent'));
        end if;
        v_sent := v_sent || array(select jsonb_build_object('id', v_to->'id', 'ns', n, 'to', v_to->'agent', 'seen',
                (select patchcord_ms(last_seen) from agent_registry
                    where namespace_id = n and agent_id = v_to->>'agent'))
            from unnest(v_found) n
            where not exists (select from unnest(v_sent) s where s->>'ns' = n and s->>'to' = v_to->>'agent'));
    end loop;
    if v_is_repeat then
        perform patchcord_lasts_not();
        return jsonb_build_object('status', 'done', 'repeat', true, 'sent', to_jsonb(v_sent));
    end if;

    -- All checks come before the first row: a refusal leaves nothing behind. A caller could have given one of the ids
    -- that a group's rows get to something else before.
    if jsonb_array_length(p->'to') > 1 then
        foreach v_to in array v_sent loop
            if patchcord_owner((v_to->>'id')::uuid, v_ns, v_agent, p->>'hash') is not null then
                return jsonb_build_object('status', 'refused', 'refusal', 'id_taken');
            end if;
        end loop;
    end if;
    if not (p->'ungated')::boolean then
        select count(*) into v_total from patchcord_unread(v_ns, v_agent, v_now);
        if v_total > 0 then
            return jsonb_build_object('status', 'refused', 'refusal', 'inbox_gate', 'unread_total', v_total,
                'unread', (select jsonb_agg(patchcord_message(m, t, v_now, true) order by m.seq)
                    from (select seq from patchcord_unread(v_ns, v_agent, v_now) order by seq limit 5) u
                    join agent_messages m on m.seq = u.seq left join agent_threads t on t.id = m.thread_id));
        end if;
    end if;
    for v_to in select s from unnest(v_sent) s order by s->>'ns' collate "C", s->>'to' collate "C" loop
        if v_to->>'to' = v_agent then
            perform patchcord_no_room(v_to->>'ns', v_agent);
        elsif not patchcord_room(v_to->>'ns', v_to->>'to', octet_length(p->>'content')) then
            v_full := v_full || (v_to - 'seen');
        end if;
    end loop;
    if v_full <> '[]' then
        return jsonb_build_object('status', 'refused', 'refusal', 'queue_full', 'to', (
            select patchcord_address(s->>'to', s->>'ns', v_ns[1]) from unnest(v_sent) with ordinality each (s, nth)
                where v_full @> jsonb_build_array(s - 'seen') order by nth limit 1));
    end if;
    if (p->'only_ask')::boolean then
        perform patchcord_lasts_not();
        return jsonb_build_object('status', 'done', 'sent', to_jsonb(v_sent));
    end if;

    foreach v_to in array v_sent loop
        if p->>'thread' is not null then
            v_thread := patchcord_thread(v_to->>'ns', v_agent, v_to->>'to', p->>'thread', (v_to->>'id')::uuid, v_now);
        end if;
        perform patchcord_deliver(p, (v_to->>'id')::uuid, v_to->>'ns', v_agent, v_to->>'to', null, v_thread,
            case when jsonb_array_length(p->'to') > 1 then v_id end, false);
    end loop;
    return jsonb_build_object('status', 'done', 'sent', to_jsonb(v_sent));
end $$;

-- As people write it, outside the caller's own namespace.
create or replace function patchcord_address(v_agent text, v_ns text, v_own text) returns text language plpgsql immutable
    set search_path = pg_catalog, pg_temp as $$
begin
    return case when v_ns is null or v_ns = v_own then v_agent else v_agent || '@' || v_ns end;
end $$;

-- What closes the inbox gate: waiting, in nobody's delivery, and the caller had the time to see it.
create or replace function patchcord_unread(v_ns text[], v_agent text, v_now timestamptz)
    returns table (seq bigint) language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return query select m.seq from agent_messages m
        left join agent_looks l on l.namespace_id = m.namespace_id and l.agent_id = m.to_agent
        where m.namespace_id = any(v_ns) and m.to_agent = v_agent
            and m.status = 'pending' and m.unsent_at is null and m.expired_at is null
            and (m.lease_until is null or m.lease_until <= v_now)
            and not coalesce(m.seq > l.look_seq and m.created_at < l.look_at + interval '10 seconds', false);
end $$;

-- ---- offer ----

-- Further: "lease" (null: a peek), "max", "max_bytes", "context", "all", "since".
create or replace function patchcord_offer(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_lease uuid := p->>'lease';
    v_max bigint := p->'max';
    v_max_bytes bigint := p->'max_bytes';
    v_now timestamptz;
    v_own bigint[];
    v_free bigint[];
    v_take bigint[];
    v_free_count bigint;
    v_held bigint;
    v_held_until timestamptz;
    v_bytes bigint;
    v_result jsonb;
begin
    perform patchcord_lasts_not();
    if v_lease is not null then
        -- Each look locks the one before it: two sessions of an agent never take the same message.
        insert into agent_looks (namespace_id, agent_id, look_at, look_seq)
            select n, v_agent, patchcord_now(p), patchcord_newest(n, v_agent)
                from unnest(v_ns) n order by n collate "C"
            on conflict (namespace_id, agent_id) do update set look_at = excluded.look_at, look_seq = excluded.look_seq;
    end if;
    v_now := patchcord_now(p);
    perform patchcord_caller(p, v_ns, v_agent, v_now);

    with queue as (
        select seq, lease_until, content_bytes + 120 as bytes,
                coalesce(lease_id = v_lease, false) as is_own,
                coalesce(lease_until <= v_now, true) as is_free
            from agent_messages
            where namespace_id = any(v_ns) and to_agent = v_agent
                and status = 'pending' and unsent_at is null and expired_at is null),
    free as (
        select seq, bytes, row_number() over by_seq as nth, sum(bytes) over by_seq as total
            from queue where is_free and not is_own window by_seq as (order by seq))
    select (select array_agg(seq) from queue where is_own),
            -- Order comes before filling up: after the first that does not fit, none is taken.
            (select array_agg(seq) from free where nth = 1 or (nth <= v_max and total <= v_max_bytes)),
            (select count(*) from free),
            (select count(*) from queue where not is_own and not is_free),
            (select min(lease_until) from queue where not is_own and not is_free)
        into v_own, v_free, v_free_count, v_held, v_held_until;

    v_take := coalesce(v_own, v_free, '{}');
    if v_lease is not null and v_take <> '{}' then
        with locked as materialized (
            select seq from agent_messages where seq = any(v_take)
                and status = 'pending' and unsent_at is null and expired_at is null
                order by seq for update),
        leased as (
            update agent_messages m set lease_id = v_lease,
                    attempts = m.attempts + (v_own is null)::integer,
                    offered_at = coalesce(m.offered_at, v_now),
                    lease_until = v_now + least(60000 * (1 << least(m.attempts + (v_own is null)::integer - 1, 6)),
                        3600000) * interval '1 millisecond'
                from locked where m.seq = locked.seq returning m.seq)
        select coalesce(array_agg(seq), '{}') into v_take from leased;
    end if;
    select coalesce(jsonb_agg(patchcord_message(m, t, v_now, true) order by m.seq), '[]'),
            coalesce(sum(m.content_bytes + 120), 0)
        into v_result, v_bytes
        from agent_messages m left join agent_threads t on t.id = m.thread_id where m.seq = any(v_take);
    v_result := jsonb_build_object('status', 'done', 'messages', v_result,
        'more', v_free_count - case when v_own is null then cardinality(v_take) else 0 end,
        'in_delivery', v_held, 'lease_end', patchcord_ms(v_held_until));
    if (p->'context')::boolean then
        v_result := v_result
            || patchcord_context_deferred(v_ns, v_agent, v_now, v_max, greatest(v_max_bytes - v_bytes, 0))
            || jsonb_build_object('agents', patchcord_context_agents(v_ns, v_agent, v_now, (p->'all')::boolean,
                patchcord_time((p->'since')::bigint)));
    end if;
    return v_result;
end $$;

create or replace function patchcord_context_deferred(v_ns text[], v_agent text, v_now timestamptz, v_max bigint,
    v_max_bytes bigint) returns jsonb language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return (with deferred as (
        select seq, content_bytes + 120 as bytes from agent_messages
            where namespace_id = any(v_ns) and to_agent = v_agent
                and status = 'deferred' and unsent_at is null and expired_at is null),
    shown as (
        select seq from (select seq, row_number() over by_seq as nth, sum(bytes) over by_seq as total
            from deferred window by_seq as (order by seq)) d
            where nth = 1 or (nth <= v_max and total <= v_max_bytes))
    select jsonb_build_object('deferred_total', (select count(*) from deferred), 'deferred',
        (select coalesce(jsonb_agg(patchcord_message(m, t, v_now, true) order by m.seq), '[]')
            from shown join agent_messages m using (seq) left join agent_threads t on t.id = m.thread_id)));
end $$;

create or replace function patchcord_agent(v_ns text, v_agent text, r agent_registry) returns jsonb
    language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_strip_nulls(jsonb_build_object('ns', v_ns, 'agent', v_agent, 'display_name', r.display_name,
        'machine_name', nullif(r.machine_name, 'unknown'), 'client_type', r.meta->>'client_type',
        'platform', r.meta->>'platform', 'seen', patchcord_ms(r.last_seen)));
end $$;

create or replace function patchcord_context_agents(v_ns text[], v_agent text, v_now timestamptz, v_all boolean,
    v_since timestamptz) returns jsonb language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return (select coalesce(jsonb_agg(patchcord_agent(a.namespace_id, a.agent_id, r)
            order by r.last_seen desc nulls last, a.agent_id collate "C", a.namespace_id collate "C"), '[]')
        from patchcord_agents(v_ns, v_now) a
        left join agent_registry r on r.namespace_id = a.namespace_id and r.agent_id = a.agent_id
        where a.agent_id <> v_agent and (v_all or r.last_seen >= v_since));
end $$;

-- ---- ack, touch ----

-- "acks" are all that arrived. Further: "lease" (null: none), "release" (unshown, lost).
create or replace function patchcord_ack(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_lease uuid := p->>'lease';
    v_is_unseen boolean := p->>'release' = 'unshown';
    v_count bigint := 0;
begin
    perform patchcord_lasts_not();
    perform patchcord_caller(p, v_ns, v_agent, patchcord_now(p), null, v_lease);
    if v_lease is not null then
        update agent_messages set lease_id = null, lease_until = null,
                attempts = attempts - v_is_unseen::integer,
                offered_at = case when v_is_unseen and attempts = 1 then null else offered_at end
            where namespace_id = any(v_ns) and to_agent = v_agent and lease_id = v_lease
                and status = 'pending' and unsent_at is null and expired_at is null;
        get diagnostics v_count = row_count;
    end if;
    return jsonb_build_object('status', 'done', 'released', v_count);
end $$;

create or replace function patchcord_touch(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    perform patchcord_lasts_not();
    perform patchcord_caller($1, patchcord_texts($1->'ns'), $1->>'agent', patchcord_now($1));
    return jsonb_build_object('status', 'done');
end $$;

-- ---- reply, unsend ----

-- Further: "message_id", "id", "hash", "content" (null: nothing is sent), "words", "defer", "resolve".
create or replace function patchcord_reply(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_id uuid := p->>'id';
    v_is_sent boolean := p->>'content' is not null;
    v_defer boolean := (p->'defer')::boolean;
    v_owner text;
    v_is_repeat boolean := false;
    v_resolved boolean := false;
    v_has_room boolean := true;
    v_now timestamptz;
    m agent_messages;
    t agent_threads;
    v_sent jsonb;
begin
    if v_is_sent then
        perform pg_advisory_xact_lock(hashtextextended(v_id::text, 0));
    end if;
    v_now := patchcord_now(p);
    perform patchcord_caller(p, v_ns, v_agent, v_now, (p->>'message_id')::uuid);
    select * into m from agent_messages
        where id = (p->>'message_id')::uuid and namespace_id = any(v_ns) and to_agent = v_agent and unsent_at is null;
    if not found then
        return jsonb_build_object('status', 'absent');
    end if;
    select * into t from agent_threads where id = m.thread_id;
    v_sent := jsonb_build_object('ns', m.namespace_id, 'to', m.from_agent, 'seen', (select patchcord_ms(last_seen)
        from agent_registry where namespace_id = m.namespace_id and agent_id = m.from_agent));
    if v_is_sent then
        v_owner := patchcord_owner(v_id, v_ns, v_agent, p->>'hash');
        v_is_repeat := v_owner is not null;
    end if;
    if v_owner = 'taken' then
        return jsonb_build_object('status', 'refused', 'refusal', 'id_taken', 'sent', v_sent);
    end if;
    -- The retention is over: it can be answered, but not put off (relay/store/message_life.h).
    if m.expired_at is not null and v_defer and not v_is_repeat then
        return jsonb_build_object('status', 'refused', 'refusal', 'expired', 'sent', v_sent);
    end if;
    if v_is_sent and not v_is_repeat then
        if not patchcord_exists(m.namespace_id, m.from_agent, v_now) then
            return jsonb_build_object('status', 'refused', 'refusal', 'unknown_recipient', 'sent', v_sent);
        end if;
        if m.from_agent = v_agent then
            perform patchcord_no_room(m.namespace_id, v_agent);
        else
            v_has_room := patchcord_room(m.namespace_id, m.from_agent, octet_length(p->>'content'));
        end if;
        if not v_has_room then
            return jsonb_build_object('status', 'refused', 'refusal', 'queue_full', 'sent', v_sent);
        end if;
    end if;

    if t.id is not null then
        v_resolved := (p->'resolve')::boolean or (not v_is_sent and t.resolved_at is not null);
    end if;
    if v_is_sent then
        v_sent := v_sent || jsonb_build_object('id', v_id);
    end if;
    v_sent := jsonb_build_object('status', 'done', 'repeat', v_is_repeat, 'was_sent', v_is_sent, 'sent', v_sent,
        'thread', t.slug, 'resolved', v_resolved);
    if v_is_repeat then
        return v_sent;
    end if;
    if v_is_sent then
        perform patchcord_deliver(p, v_id, m.namespace_id, v_agent, m.from_agent, m.id, m.thread_id, null, false);
    end if;
    update agent_messages set status = case when v_defer then 'deferred' else 'replied' end,
            lease_id = null, lease_until = null, delivered_at = coalesce(delivered_at, v_now),
            replied_at = case when v_defer then replied_at else coalesce(replied_at, v_now) end,
            deferred_at = case when v_defer then coalesce(deferred_at, v_now) else deferred_at end
        where seq = m.seq and expired_at is null;
    if t.id is not null and v_resolved <> (t.resolved_at is not null) then
        update agent_threads set resolved_at = case when v_resolved then v_now end where id = t.id;
    end if;
    return v_sent;
end $$;

-- Further: "message_id".
create or replace function patchcord_unsend(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_id uuid := p->>'message_id';
    v_now timestamptz := patchcord_now(p);
    v_found bigint[];
    v_is_seen boolean;
begin
    perform patchcord_caller(p, v_ns, v_agent, v_now);
    select array_agg(seq), bool_or(unsent_at is null and not (status = 'pending' and attempts = 0))
        into v_found, v_is_seen
        from (select * from agent_messages
            where seq in (select seq from agent_messages where id = v_id
                    union all select seq from agent_messages where group_id = v_id)
                and namespace_id = any(v_ns) and from_agent = v_agent and expired_at is null
            order by seq for update) m;
    if v_found is null then
        return jsonb_build_object('status', 'absent');
    elsif v_is_seen then
        return jsonb_build_object('status', 'refused', 'refusal', 'already_offered');
    end if;
    update agent_messages set unsent_at = v_now where seq = any(v_found) and unsent_at is null;
    return jsonb_build_object('status', 'done');
end $$;

-- ---- reading ----

-- Further: "in" (one namespace; null: all), "limit", "from", "thread", "words" (of the query; null: any), "message_id",
-- "after".
create or replace function patchcord_recall(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp
    set plan_cache_mode = force_custom_plan as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_from text := p->>'from';
    v_thread text := p->>'thread';
    v_limit bigint := p->'limit';
    v_after bigint := p->'after';
    v_sign integer := case when v_after > 0 then 1 else -1 end;
    v_in text[] := case when p->>'in' is null then v_ns else array(select n from unnest(v_ns) n where n = p->>'in') end;
    v_words tsquery := (select string_agg('''' || word || '''', ' & ')
        from unnest(string_to_array(rtrim(p->>'words'), ' ')) word);
    v_now timestamptz := patchcord_now(p);
    v_seqs bigint[];
begin
    if p ? 'acks' or p ? 'presence' then
        perform patchcord_lasts_not();
        perform patchcord_caller(p, v_ns, v_agent, v_now);
    end if;
    if p->>'message_id' is not null then
        v_seqs := array(select seq from agent_messages where id = (p->>'message_id')::uuid);
    elsif v_thread is not null then
        v_seqs := array(select m.seq from agent_threads t join agent_messages m on m.thread_id = t.id
                join message_words w on w.seq = m.seq
            where t.namespace_id = any(v_in) and (t.slug = v_thread or t.id::text = v_thread)
                and m.seq > v_after and m.namespace_id = any(v_in)
                and (m.from_agent = v_agent or (m.to_agent = v_agent and m.unsent_at is null))
                and m.expired_at is null and (v_from is null or m.from_agent = v_from)
                and (v_words is null or w.words @@ v_words)
            order by v_sign * m.seq limit v_limit);
    elsif v_after > 0 then
        -- Of what the caller was sent, and of what it sent, the first ones each.
        v_seqs := array(select seq from unnest(v_in) n cross join lateral (
            (select m.seq from message_words w join agent_messages m on m.seq = w.seq
                where w.namespace_id = n and w.to_agent = v_agent and w.seq > v_after and m.unsent_at is null
                    and m.expired_at is null and (v_from is null or w.from_agent = v_from)
                    and (v_words is null or w.words @@ v_words)
                order by w.seq limit v_limit)
            union
            (select m.seq from message_words w join agent_messages m on m.seq = w.seq
                where w.namespace_id = n and w.from_agent = v_agent and w.seq > v_after
                    and m.expired_at is null and (v_from is null or w.from_agent = v_from)
                    and (v_words is null or w.words @@ v_words)
                order by w.seq limit v_limit)) both_sides
            order by seq limit v_limit);
    else
        v_seqs := array(select seq from unnest(v_in) n cross join lateral (
            (select m.seq from message_words w join agent_messages m on m.seq = w.seq
                where w.namespace_id = n and w.to_agent = v_agent and m.unsent_at is null
                    and m.expired_at is null and (v_from is null or w.from_agent = v_from)
                    and (v_words is null or w.words @@ v_words)
                order by w.seq desc limit v_limit)
            union
            (select m.seq from message_words w join agent_messages m on m.seq = w.seq
                where w.namespace_id = n and w.from_agent = v_agent
                    and m.expired_at is null and (v_from is null or w.from_agent = v_from)
                    and (v_words is null or w.words @@ v_words)
                order by w.seq desc limit v_limit)) both_sides
            order by seq desc limit v_limit);
    end if;
    return jsonb_build_object('status', 'done', 'messages', (
        select coalesce(jsonb_agg(patchcord_message(m, t, v_now, true) order by v_sign * m.seq), '[]')
            from agent_messages m left join agent_threads t on t.id = m.thread_id
            where m.seq = any(v_seqs) and m.namespace_id = any(v_in)
                and (m.from_agent = v_agent or (m.to_agent = v_agent and m.unsent_at is null))));
end $$;

-- Further: "status", "limit", "count_only".
create or replace function patchcord_inbox(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_status text := p->>'status';
    v_limit bigint := p->'limit';
    v_now timestamptz := patchcord_now(p);
    v_seqs bigint[];
    v_messages jsonb := '[]';
begin
    if p ? 'acks' or p ? 'presence' then
        perform patchcord_lasts_not();
        perform patchcord_caller(p, v_ns, v_agent, v_now);
    end if;
    -- Two statuses have an index.
    if v_status = 'pending' then
        v_seqs := array(select seq from agent_messages where namespace_id = any(v_ns) and to_agent = v_agent
            and status = 'pending' and unsent_at is null and expired_at is null order by seq desc limit v_limit);
    elsif v_status = 'deferred' then
        v_seqs := array(select seq from agent_messages where namespace_id = any(v_ns) and to_agent = v_agent
            and status = 'deferred' and unsent_at is null and expired_at is null order by seq desc limit v_limit);
    else
        v_seqs := array(select seq from unnest(v_ns) n cross join lateral (
            select m.seq from message_words w join agent_messages m on m.seq = w.seq
                where w.namespace_id = n and w.to_agent = v_agent and m.status = v_status
                    and m.unsent_at is null and m.expired_at is null
                order by w.seq desc limit v_limit) of_status
            order by seq desc limit v_limit);
    end if;
    if not (p->'count_only')::boolean then
        select coalesce(jsonb_agg(patchcord_message(m, t, v_now, true) order by m.seq desc), '[]') into v_messages
            from agent_messages m left join agent_threads t on t.id = m.thread_id where m.seq = any(v_seqs);
    end if;
    return jsonb_build_object('status', 'done', 'messages', v_messages, 'count', cardinality(v_seqs));
end $$;

-- Further: "after", "limit".
create or replace function patchcord_events(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_ns text[] := patchcord_texts(p->'ns');
    v_agent text := p->>'agent';
    v_after bigint := p->'after';
    v_limit bigint := p->'limit';
    v_now timestamptz := patchcord_now(p);
    v_seqs bigint[];
begin
    if p ? 'acks' or p ? 'presence' then
        perform patchcord_lasts_not();
        perform patchcord_caller(p, v_ns, v_agent, v_now);
    end if;
    -- One queue's messages become visible in order. With several, who is about to store something is waited for.
    if cardinality(v_ns) > 1 then
        insert into agent_queues (namespace_id, agent_id)
            select n, v_agent from unnest(v_ns) n order by n collate "C" on conflict do nothing;
        perform from agent_queues where namespace_id = any(v_ns) and agent_id = v_agent
            order by namespace_id collate "C" for share;
    end if;
    v_seqs := array(select seq from unnest(v_ns) n cross join lateral (
        select m.seq from message_words w join agent_messages m on m.seq = w.seq
            where w.namespace_id = n and w.to_agent = v_agent and w.seq > v_after
                and m.unsent_at is null and m.expired_at is null
            order by w.seq limit v_limit) later
        order by seq limit v_limit);
    return jsonb_build_object('status', 'done',
        'messages', (select coalesce(jsonb_agg(patchcord_message(m, t, v_now, false) order by m.seq), '[]')
            from agent_messages m left join agent_threads t on t.id = m.thread_id where m.seq = any(v_seqs)),
        'newest', (select coalesce(max(patchcord_newest(n, v_agent)), 0) from unnest(v_ns) n));
end $$;

do $$ begin perform patchcord_guard(); end $$;
insert into patchcord_migrations (number, name) values (3, '0003_messages') on conflict do nothing;
notify pgrst, 'reload schema';
commit;
