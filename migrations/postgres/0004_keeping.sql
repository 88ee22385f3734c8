-- Tokens, bans, housekeeping, counts. As 0003_messages.sql: one function an operation.
begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;

create or replace function patchcord_changed() returns void language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
begin
    update patchcord_changes set count = count + 1;
end $$;

-- ---- tokens ----

create or replace function patchcord_token(b bearer_tokens) returns jsonb language sql stable
    set search_path = pg_catalog, public, pg_temp as $$
    select jsonb_strip_nulls(jsonb_build_object('hash', b.token_hash, 'ns', b.namespace_id, 'agent', b.agent_id,
        'label', b.label, 'active', b.active, 'created', patchcord_ms(b.created_at),
        'expires', patchcord_ms(b.expires_at), 'used', patchcord_ms(b.last_used_at)))
$$;

-- Further namespaces of a grant.
create or replace function patchcord_also(v_grant uuid, v_own text) returns jsonb language sql stable
    set search_path = pg_catalog, public, pg_temp as $$
    select coalesce(jsonb_agg(namespace_id order by namespace_id collate "C"), '[]') from oauth_grant_namespaces
        where grant_id = v_grant and namespace_id <> v_own
$$;

-- "hash": of a bearer token, or an access token of a grant. That it was used is written down no more often than every five
-- minutes.
create or replace function patchcord_token_find(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    v_now timestamptz := patchcord_now($1);
    v_grain interval := interval '5 minutes';
    b bearer_tokens;
    a oauth_access_tokens;
    g oauth_grants;
begin
    select * into b from bearer_tokens
        where token_hash = $1->>'hash' and active and (expires_at is null or expires_at > v_now);
    if found then
        if b.last_used_at is null or v_now - b.last_used_at >= v_grain or v_now < b.last_used_at then
            perform patchcord_lasts_not();
            update bearer_tokens set last_used_at = v_now where token_hash = b.token_hash;
        end if;
        return jsonb_build_object('status', 'done', 'tokens', jsonb_build_array(patchcord_token(b)));
    end if;
    select * into a from oauth_access_tokens where token_hash = $1->>'hash' and expires_at > v_now;
    select * into g from oauth_grants where id = a.grant_id and ended_at is null and expires_at > v_now;
    if not found then
        return jsonb_build_object('status', 'absent');
    end if;
    if g.used_at is null or v_now - g.used_at >= v_grain or v_now < g.used_at then
        perform patchcord_lasts_not();
        update oauth_grants set used_at = v_now where id = g.id;
    end if;
    return jsonb_build_object('status', 'done', 'tokens', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'hash', a.token_hash, 'ns', g.namespace_id, 'agent', g.agent_id, 'active', true,
        'created', patchcord_ms(a.created_at), 'expires', patchcord_ms(least(a.expires_at, g.expires_at)),
        'used', patchcord_ms(g.used_at), 'also', patchcord_also(g.id, g.namespace_id), 'grant', g.id,
        'audience', g.audience))));
end $$;

-- "hash", "ns", "agent", "label", "created" (0: now), "expires" (0: never).
create or replace function patchcord_token_add(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into bearer_tokens (token_hash, namespace_id, agent_id, label, active, created_at, expires_at)
        values ($1->>'hash', $1->>'ns', $1->>'agent', $1->>'label', true,
            coalesce(patchcord_time(nullif(($1->'created')::bigint, 0)), patchcord_now($1)),
            patchcord_time(nullif(($1->'expires')::bigint, 0)))
        on conflict do nothing;
    if not found then
        return jsonb_build_object('status', 'refused', 'refusal', 'exists');
    end if;
    perform patchcord_changed();
    return jsonb_build_object('status', 'done');
end $$;

create or replace function patchcord_token_list(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_build_object('status', 'done', 'tokens', (select coalesce(jsonb_agg(patchcord_token(b)
        order by namespace_id collate "C", agent_id collate "C", created_at, token_hash collate "C"), '[]')
        from bearer_tokens b));
end $$;

-- "prefix", "ns", "agent" (each may be null), "expires" (0: at once).
create or replace function patchcord_token_end(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now($1);
    v_end timestamptz := patchcord_time(nullif(($1->'expires')::bigint, 0));
    v_found text[];
begin
    v_found := array(select token_hash from bearer_tokens
        where active and (expires_at is null or expires_at > v_now)
            and (p->>'prefix' is null or starts_with(token_hash, p->>'prefix'))
            and (p->>'ns' is null or namespace_id = p->>'ns') and (p->>'agent' is null or agent_id = p->>'agent')
        order by token_hash for update);
    if v_found = '{}' then
        return jsonb_build_object('status', 'absent');
    elsif p->>'prefix' is not null and cardinality(v_found) > 1 then
        return jsonb_build_object('status', 'refused');
    end if;
    update bearer_tokens set active = v_end is not null, expires_at = least(expires_at, coalesce(v_end, v_now))
        where token_hash = any(v_found);
    perform patchcord_changed();
    return jsonb_build_object('status', 'done', 'count', cardinality(v_found));
end $$;

-- ---- bans ----

-- "hash", "until".
create or replace function patchcord_ban_put(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into rate_limit_bans (token_hash, banned_until, created_at)
        values ($1->>'hash', patchcord_time(($1->'until')::bigint), patchcord_now($1))
        on conflict (token_hash) do update set banned_until = excluded.banned_until;
    return jsonb_build_object('status', 'done');
end $$;

create or replace function patchcord_ban_list(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_build_object('status', 'done', 'bans', (select coalesce(jsonb_agg(jsonb_build_object(
            'hash', token_hash, 'until', patchcord_ms(banned_until)) order by token_hash collate "C"), '[]')
        from rate_limit_bans where banned_until > patchcord_now($1)));
end $$;

-- ---- housekeeping ----

-- Whether the sender of what expires is told: nobody had read it, or it was put off; and there is somebody to tell.
create or replace function patchcord_is_told(m agent_messages, v_now timestamptz) returns boolean language plpgsql stable
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return m.status in ('pending', 'deferred') and not m.is_notice
        and patchcord_exists(m.namespace_id, m.from_agent, v_now);
end $$;

-- Takes content and words from messages; they stay as tombstones.
create or replace function patchcord_expire(v_seqs bigint[], v_now timestamptz) returns void language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from message_words where seq = any(v_seqs);
    update agent_messages set expired_at = v_now, content = '', lease_id = null, lease_until = null
        where seq = any(v_seqs);
end $$;

-- In steps, each one call: "step", "max_age", and with some more:
--   plan      "window"  what there is to do: counts, and groups of messages whose sender is told
--   group     "ns", "from", "to", "limit"  the oldest of a group, each with the beginning of its content
--   notice    "ns", "to", "seqs", "id", "content", "words"  expires these and stores the notice; or tells that they
--             are no longer what they were
--   expire    "limit"  those whose sender is not told
--   delete    "limit"  tombstones of a whole retention
--   rest      "window"  what else ran out
--   wordless  "limit"  messages whose words were never computed (those of an older Patchcord)
--   words     "of": [{"seq", "words"}]
create or replace function patchcord_cleanup(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_step text := p->>'step';
    v_now timestamptz := patchcord_now(p);
    v_age interval := (p->'max_age')::bigint * interval '1 millisecond';
    v_window interval := (p->'window')::bigint * interval '1 millisecond';
    v_limit bigint := p->>'limit';
    v_seqs bigint[];
    v_wanted bigint[];
    v_count bigint;
begin
    case v_step
    when 'plan' then
        return jsonb_build_object('status', 'done',
            'expired', (select count(*) from agent_messages
                where created_at <= v_now - v_age and unsent_at is null and expired_at is null),
            'deleted', (select count(*) from agent_messages
                where (unsent_at is not null or expired_at is not null) and created_at <= v_now - 2 * v_age
                    and (unsent_at is null or unsent_at <= v_now - v_age)
                    and (expired_at is null or expired_at <= v_now - v_age)),
            'offline', (select count(*) from agent_registry where status = 'online' and last_seen < v_now - v_window),
            'groups', (select coalesce(jsonb_agg(jsonb_build_object(
                    'ns', namespace_id, 'from', from_agent, 'to', to_agent, 'count', count)), '[]')
                from (select namespace_id, from_agent, to_agent, count(*) from agent_messages m
                    where created_at <= v_now - v_age and unsent_at is null and expired_at is null
                        and patchcord_is_told(m, v_now)
                    group by namespace_id, from_agent, to_agent order by namespace_id, from_agent, to_agent) g));
    when 'group' then
        return jsonb_build_object('status', 'done', 'messages', (select coalesce(jsonb_agg(jsonb_build_object(
                'id', id, 'seq', seq, 'status', m.status, 'content', m.content) order by seq), '[]')
            from (select id, seq, m.status, case when not encrypted then left(content, 200) end as content
                from agent_messages m
                where created_at <= v_now - v_age and unsent_at is null and expired_at is null
                    and m.namespace_id = p->>'ns' and from_agent = p->>'from' and to_agent = p->>'to'
                    and patchcord_is_told(m, v_now)
                order by seq limit v_limit) m));
    when 'notice' then
        v_wanted := patchcord_texts(p->'seqs')::bigint[];
        v_seqs := array(select seq from agent_messages m
            where seq = any(v_wanted) and unsent_at is null and expired_at is null and patchcord_is_told(m, v_now)
            order by seq for update);
        if v_seqs <> v_wanted then
            return jsonb_build_object('status', 'done', 'count', 0);
        end if;
        perform patchcord_expire(v_seqs, v_now);
        perform patchcord_no_room(p->>'ns', p->>'to');
        perform patchcord_deliver(p, (p->>'id')::uuid, p->>'ns', 'patchcord', p->>'to', null, null, null, true);
        return jsonb_build_object('status', 'done', 'count', cardinality(v_seqs));
    when 'expire' then
        v_wanted := array(select seq from agent_messages m
            where created_at <= v_now - v_age and unsent_at is null and expired_at is null
                and not patchcord_is_told(m, v_now)
            order by created_at limit v_limit);
        v_seqs := array(select seq from agent_messages m
            where seq = any(v_wanted) and unsent_at is null and expired_at is null order by seq for update);
        perform patchcord_expire(v_seqs, v_now);
        return jsonb_build_object('status', 'done', 'count', cardinality(v_seqs));
    when 'delete' then
        v_seqs := array(select seq from agent_messages
            where (unsent_at is not null or expired_at is not null) and created_at <= v_now - 2 * v_age
                and (unsent_at is null or unsent_at <= v_now - v_age)
                and (expired_at is null or expired_at <= v_now - v_age)
            order by created_at limit v_limit for update);
        delete from message_words where seq = any(v_seqs);
        delete from agent_messages where seq = any(v_seqs);
        return jsonb_build_object('status', 'done', 'count', cardinality(v_seqs));
    when 'rest' then
        update agent_registry set status = 'offline' where status = 'online' and last_seen < v_now - v_window;
        get diagnostics v_count = row_count;
        delete from agent_threads t where not exists (select from agent_messages m where m.thread_id = t.id);
        -- Tokens that ran out stay in the operator's list for one retention.
        delete from bearer_tokens where expires_at <= v_now - v_age;
        delete from rate_limit_bans where banned_until <= v_now;
        delete from agent_looks where look_at < v_now - v_age;
        return jsonb_build_object('status', 'done', 'count', v_count);
    when 'wordless' then
        return jsonb_build_object('status', 'done', 'messages', (select coalesce(jsonb_agg(jsonb_build_object(
                'seq', m.seq, 'content', m.content)), '[]')
            from (select seq, content from message_words w join agent_messages m using (seq)
                where words is null and not m.encrypted order by seq limit v_limit) m));
    when 'words' then
        update message_words w
            set words = array_to_tsvector(string_to_array(rtrim(o.value->>'words'), ' '))
            from jsonb_array_elements(p->'of') o where w.seq = (o.value->'seq')::bigint and w.words is null;
        get diagnostics v_count = row_count;
        return jsonb_build_object('status', 'done', 'count', v_count);
    end case;
end $$;

-- ---- counts ----

create or replace function patchcord_stats(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    v_now timestamptz := patchcord_now($1);
    v_all bigint;
    v_pending bigint;
    v_leased bigint;
    v_deferred bigint;
    v_replied bigint;
    v_unsent bigint;
    v_expired bigint;
begin
    select count(seq) into v_all from agent_messages;
    select count(*), count(*) filter (where lease_until > v_now) into v_pending, v_leased from agent_messages
        where status = 'pending' and unsent_at is null and expired_at is null;
    select count(*) into v_deferred from agent_messages
        where status = 'deferred' and unsent_at is null and expired_at is null;
    select count(*) into v_replied from agent_messages
        where status = 'replied' and unsent_at is null and expired_at is null;
    select count(unsent_at), count(expired_at) into v_unsent, v_expired from agent_messages
        where unsent_at is not null or expired_at is not null;
    return jsonb_build_object('status', 'done', 'pending', v_pending, 'leased', v_leased, 'deferred', v_deferred,
        'replied', v_replied, 'unsent', v_unsent, 'expired', v_expired,
        'clients', (select count(*) from oauth_clients),
        'grants', (select count(*) from oauth_grants where ended_at is null and expires_at > v_now),
        'read', v_all - v_pending - v_deferred - v_replied - v_unsent - v_expired,
        'bans', (select count(*) from rate_limit_bans where banned_until > v_now),
        'agents', (select coalesce(jsonb_agg(patchcord_agent(a.namespace_id, a.agent_id, r) || jsonb_strip_nulls(
                jsonb_build_object('pending', q.pending, 'deferred', d.deferred, 'oldest', patchcord_ms(q.oldest)))
                order by a.namespace_id collate "C", a.agent_id collate "C"), '[]')
            from patchcord_agents(null, v_now) a
            left join agent_registry r on r.namespace_id = a.namespace_id and r.agent_id = a.agent_id
            cross join lateral (select count(*) as pending, min(created_at) as oldest from agent_messages m
                where m.namespace_id = a.namespace_id and m.to_agent = a.agent_id
                    and status = 'pending' and unsent_at is null and expired_at is null) q
            cross join lateral (select count(*) as deferred from agent_messages m
                where m.namespace_id = a.namespace_id and m.to_agent = a.agent_id
                    and status = 'deferred' and unsent_at is null and expired_at is null) d));
end $$;

-- For relays that share a database: who was sent something with a seq over "after", the newest seq, and how often tokens
-- and grants changed.
create or replace function patchcord_arrived(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_build_object('status', 'done',
        'newest', (select coalesce(max(seq), 0) from agent_messages),
        'changes', (select count from patchcord_changes),
        'agents', (select coalesce(jsonb_agg(jsonb_build_object('ns', namespace_id, 'agent', to_agent)), '[]')
            from (select distinct namespace_id, to_agent from agent_messages
                where seq > ($1->'after')::bigint and unsent_at is null) arrived));
end $$;

-- The schema that is there: what a relay asks first, and again to see whether the database answers.
create or replace function patchcord_ready(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_build_object('status', 'done', 'schema', (select max(number) from patchcord_migrations));
end $$;

do $$ begin perform patchcord_guard(); end $$;
insert into patchcord_migrations (number, name) values (4, '0004_keeping') on conflict do nothing;
notify pgrst, 'reload schema';
commit;
