-- Rows for an export, and from one: what relay/store/store_dump.h promises, with its kinds and its names of fields.
begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;

-- "kind", "after" (the last row of the page before; null: from the first one), "limit".
create or replace function patchcord_dump(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp set enable_seqscan = off set jit = off as $$
declare
    p alias for $1;
    v_after jsonb := p->'after';
    v_limit bigint := p->>'limit';
    v_bytes bigint := 4000000; -- of content in a page; one message is always in it
    v_rows jsonb;
begin
    case p->>'kind'
    when 'token' then
        select jsonb_agg(jsonb_build_object('hash', token_hash, 'namespace_id', namespace_id, 'agent', agent_id,
                'label', label, 'active', active, 'created_ms', patchcord_ms(created_at),
                'expires_ms', patchcord_ms(expires_at), 'last_used_ms', patchcord_ms(last_used_at)) order by token_hash)
            into v_rows
            from (select * from bearer_tokens where token_hash > coalesce(v_after->>'hash', '')
                order by token_hash limit v_limit) page;
    when 'agent' then
        select jsonb_agg(jsonb_build_object('namespace_id', namespace_id, 'agent', agent_id,
                'display_name', display_name, 'machine_name', nullif(machine_name, 'unknown'),
                'client_type', meta->>'client_type', 'platform', meta->>'platform',
                'user_agent', meta->>'user_agent', 'request_host', meta->>'request_host',
                'online', status = 'online', 'last_seen_ms', patchcord_ms(last_seen))
                order by namespace_id collate "C", agent_id collate "C")
            into v_rows
            from (select * from agent_registry
                where (namespace_id collate "C", agent_id collate "C")
                    > (coalesce(v_after->>'namespace_id', ''), coalesce(v_after->>'agent', ''))
                order by namespace_id collate "C", agent_id collate "C" limit v_limit) page;
    when 'ban' then
        select jsonb_agg(jsonb_build_object('token_hash', token_hash, 'until_ms', patchcord_ms(banned_until),
                'created_ms', patchcord_ms(created_at)) order by token_hash)
            into v_rows
            from (select * from rate_limit_bans where token_hash > coalesce(v_after->>'token_hash', '')
                order by token_hash limit v_limit) page;
    when 'client' then
        select jsonb_agg(jsonb_build_object('client_id', client_id, 'metadata', client_info::text,
                'secret_hash', secret_hash, 'created_ms', patchcord_ms(created_at), 'used_ms', patchcord_ms(used_at))
                order by client_id collate "C")
            into v_rows
            from (select * from oauth_clients where client_id collate "C" > coalesce(v_after->>'client_id', '')
                order by client_id collate "C" limit v_limit) page;
    when 'grant' then
        select jsonb_agg(jsonb_build_object('id', id, 'client_id', client_id, 'client_name', client_name,
                'namespace_id', namespace_id, 'agent', agent_id, 'also', patchcord_also(id, namespace_id),
                'audience', nullif(audience, ''), 'scope', scope, 'created_ms', patchcord_ms(created_at),
                'used_ms', patchcord_ms(used_at), 'expires_ms', patchcord_ms(expires_at),
                'ended_ms', patchcord_ms(ended_at)) order by id)
            into v_rows
            from (select * from oauth_grants where v_after->>'id' is null or id > (v_after->>'id')::uuid
                order by id limit v_limit) page;
    when 'access' then
        select jsonb_agg(jsonb_build_object('hash', token_hash, 'grant_id', grant_id,
                'created_ms', patchcord_ms(created_at), 'expires_ms', patchcord_ms(expires_at)) order by token_hash)
            into v_rows
            from (select * from oauth_access_tokens where token_hash > coalesce(v_after->>'hash', '')
                order by token_hash limit v_limit) page;
    when 'refresh' then
        select jsonb_agg(jsonb_build_object('hash', token_hash, 'grant_id', grant_id,
                'created_ms', patchcord_ms(created_at), 'expires_ms', patchcord_ms(expires_at),
                'used_ms', patchcord_ms(used_at)) order by token_hash)
            into v_rows
            from (select * from oauth_refresh_tokens where token_hash > coalesce(v_after->>'hash', '')
                order by token_hash limit v_limit) page;
    when 'message' then
        select jsonb_agg(jsonb_build_object('seq', m.seq, 'id', m.id, 'namespace_id', m.namespace_id,
                'from', m.from_agent, 'to', m.to_agent, 'status', m.status, 'is_notice', m.is_notice,
                'sent_ms', patchcord_ms(m.created_at), 'offered_ms', patchcord_ms(m.offered_at),
                'read_ms', patchcord_ms(m.delivered_at), 'replied_ms', patchcord_ms(m.replied_at),
                'deferred_ms', patchcord_ms(m.deferred_at), 'unsent_ms', patchcord_ms(m.unsent_at),
                'expired_ms', patchcord_ms(m.expired_at), 'attempt', m.attempts, 'reply_to', m.reply_to,
                'group_id', m.group_id, 'sent_hash', encode(m.sent_hash, 'hex'), 'encrypted', m.encrypted,
                'thread_id', m.thread_id, 'thread', t.slug, 'thread_a', t.agent_a, 'thread_b', t.agent_b,
                'thread_created_ms', patchcord_ms(t.created_at), 'thread_resolved_ms', patchcord_ms(t.resolved_at),
                'content', m.content) order by m.seq)
            into v_rows
            from (select *, sum(content_bytes) over (order by seq) - content_bytes as bytes_before
                from (select * from agent_messages where seq > coalesce((v_after->>'seq')::bigint, 0)
                    order by seq limit v_limit) page) m
            left join agent_threads t on t.id = m.thread_id
            where m.bytes_before < v_bytes;
    end case;
    return jsonb_build_object('status', 'done', 'rows', coalesce(jsonb_strip_nulls(v_rows), '[]'));
end $$;

-- One message; false: it is there. "words" are those of its content.
create or replace function patchcord_load_message(r jsonb, v_words text) returns boolean language plpgsql
    set search_path = pg_catalog, public, pg_temp set enable_seqscan = off set jit = off as $$
declare
    v_seq bigint;
    v_thread uuid;
begin
    if exists (select from agent_messages where id = (r->>'id')::uuid) then
        return false;
    end if;
    if r->>'thread' is not null then
        insert into agent_threads (id, namespace_id, agent_a, agent_b, slug, created_at, resolved_at)
            values ((r->>'thread_id')::uuid, r->>'namespace_id', r->>'thread_a', r->>'thread_b', r->>'thread',
                patchcord_time((r->'thread_created_ms')::bigint), patchcord_time((r->'thread_resolved_ms')::bigint))
            on conflict do nothing;
        select id into v_thread from agent_threads
            where namespace_id = r->>'namespace_id' and agent_a = r->>'thread_a' and agent_b = r->>'thread_b'
                and slug = r->>'thread';
    end if;
    -- No seq is used twice, of messages that are gone neither. The table is locked, so that nobody else takes one.
    v_seq := nextval('agent_messages_seq');
    if (r->'seq')::bigint > v_seq then
        v_seq := setval('agent_messages_seq', (r->'seq')::bigint);
    end if;
    insert into agent_messages (seq, id, namespace_id, from_agent, to_agent, status, is_notice, created_at, offered_at,
            delivered_at, replied_at, deferred_at, unsent_at, expired_at, attempts, reply_to, group_id, sent_hash,
            encrypted, thread_id, content)
        values (v_seq, (r->>'id')::uuid, r->>'namespace_id', r->>'from', r->>'to', r->>'status',
            coalesce((r->'is_notice')::boolean, false), patchcord_time(coalesce((r->'sent_ms')::bigint, 0)),
            patchcord_time((r->'offered_ms')::bigint), patchcord_time((r->'read_ms')::bigint),
            patchcord_time((r->'replied_ms')::bigint), patchcord_time((r->'deferred_ms')::bigint),
            patchcord_time((r->'unsent_ms')::bigint), patchcord_time((r->'expired_ms')::bigint),
            coalesce((r->'attempt')::integer, 0),
            (select id from agent_messages where id = (r->>'reply_to')::uuid), (r->>'group_id')::uuid,
            decode(r->>'sent_hash', 'hex'), coalesce((r->'encrypted')::boolean, false), v_thread, r->>'content');
    if r->'expired_ms' is null then
        insert into message_words (seq, namespace_id, from_agent, to_agent, words)
            values (v_seq, r->>'namespace_id', r->>'from', r->>'to',
                array_to_tsvector(string_to_array(rtrim(v_words), ' ')));
    end if;
    return true;
end $$;

-- "kind", "rows"; for messages "words": [{"words"}] beside them. Answers with how many were not there.
create or replace function patchcord_load(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp set enable_seqscan = off set jit = off as $$
declare
    p alias for $1;
    v_row jsonb;
    v_words text;
    v_count bigint := 0;
begin
    case p->>'kind'
    when 'token' then
        insert into bearer_tokens (token_hash, namespace_id, agent_id, label, active, created_at, expires_at, last_used_at)
            select r->>'hash', r->>'namespace_id', r->>'agent', r->>'label', coalesce((r->'active')::boolean, false),
                patchcord_time(coalesce((r->'created_ms')::bigint, 0)), patchcord_time((r->'expires_ms')::bigint),
                patchcord_time((r->'last_used_ms')::bigint)
            from jsonb_array_elements(p->'rows') r on conflict do nothing;
        get diagnostics v_count = row_count;
    when 'agent' then
        insert into agent_registry (namespace_id, agent_id, display_name, machine_name, status, last_seen, updated_at, meta)
            select r->>'namespace_id', r->>'agent', r->>'display_name', coalesce(r->>'machine_name', 'unknown'),
                case when (r->'online')::boolean then 'online' else 'offline' end, seen, seen,
                jsonb_strip_nulls(jsonb_build_object('client_type', r->'client_type', 'platform', r->'platform',
                    'user_agent', r->'user_agent', 'request_host', r->'request_host'))
            from jsonb_array_elements(p->'rows') r
            cross join lateral (select patchcord_time(coalesce((r->'last_seen_ms')::bigint, 0)) as seen) s
            on conflict do nothing;
        get diagnostics v_count = row_count;
    when 'ban' then
        insert into rate_limit_bans (token_hash, banned_until, created_at)
            select r->>'token_hash', patchcord_time(coalesce((r->'until_ms')::bigint, 0)),
                patchcord_time(coalesce((r->'created_ms')::bigint, 0))
            from jsonb_array_elements(p->'rows') r on conflict do nothing;
        get diagnostics v_count = row_count;
    when 'client' then
        insert into oauth_clients (client_id, client_info, secret_hash, created_at, used_at)
            select r->>'client_id', (r->>'metadata')::json, r->>'secret_hash',
                patchcord_time(coalesce((r->'created_ms')::bigint, 0)), patchcord_time((r->'used_ms')::bigint)
            from jsonb_array_elements(p->'rows') r on conflict do nothing;
        get diagnostics v_count = row_count;
    when 'grant' then
        with taken as (
            insert into oauth_grants (id, client_id, client_name, namespace_id, agent_id, audience, scope, created_at,
                    used_at, expires_at, ended_at)
                select (r->>'id')::uuid, r->>'client_id', r->>'client_name', r->>'namespace_id', r->>'agent',
                    nullif(r->>'audience', ''), r->>'scope', patchcord_time(coalesce((r->'created_ms')::bigint, 0)),
                    patchcord_time((r->'used_ms')::bigint), patchcord_time(coalesce((r->'expires_ms')::bigint, 0)),
                    patchcord_time((r->'ended_ms')::bigint)
                from jsonb_array_elements(p->'rows') r on conflict do nothing returning id, namespace_id, agent_id),
        spaces as (
            insert into oauth_grant_namespaces (grant_id, namespace_id, agent_id)
                select id, namespace_id, agent_id from taken
                union select t.id, n, t.agent_id from taken t
                    join jsonb_array_elements(p->'rows') r on (r->>'id')::uuid = t.id
                    cross join lateral jsonb_array_elements_text(coalesce(r->'also', '[]')) n)
        select count(*) into v_count from taken;
    when 'access' then
        insert into oauth_access_tokens (token_hash, grant_id, created_at, expires_at)
            select r->>'hash', g.id, patchcord_time(coalesce((r->'created_ms')::bigint, 0)),
                patchcord_time(coalesce((r->'expires_ms')::bigint, 0))
            from jsonb_array_elements(p->'rows') r join oauth_grants g on g.id = (r->>'grant_id')::uuid
            on conflict do nothing;
        get diagnostics v_count = row_count;
    when 'refresh' then
        insert into oauth_refresh_tokens (token_hash, grant_id, created_at, expires_at, used_at)
            select r->>'hash', g.id, patchcord_time(coalesce((r->'created_ms')::bigint, 0)),
                patchcord_time(coalesce((r->'expires_ms')::bigint, 0)), patchcord_time((r->'used_ms')::bigint)
            from jsonb_array_elements(p->'rows') r join oauth_grants g on g.id = (r->>'grant_id')::uuid
            on conflict do nothing;
        get diagnostics v_count = row_count;
    when 'message' then
        -- Sends wait until this is committed, and this for those under way: what has a lower seq is visible by then.
        lock table agent_messages in share row exclusive mode;
        for v_row, v_words in select value, p->'words'->(nth::integer - 1)->>'words'
            from jsonb_array_elements(p->'rows') with ordinality e (value, nth) order by nth
        loop
            v_count := v_count + patchcord_load_message(v_row, v_words)::integer;
        end loop;
        -- To be counted anew. A queue that a send has locked waits for this: its bound stays too low by what came in.
        update agent_queues q set messages = null, bytes = null
            from (select namespace_id, agent_id from agent_queues
                where (namespace_id, agent_id) in (select r->>'namespace_id', r->>'to'
                    from jsonb_array_elements(p->'rows') r)
                for update skip locked) o
            where q.namespace_id = o.namespace_id and q.agent_id = o.agent_id;
    end case;
    if v_count > 0 then
        perform patchcord_changed();
    end if;
    return jsonb_build_object('status', 'done', 'count', v_count);
end $$;

do $$
begin
    perform patchcord_guard();
    if exists (select from pg_roles where rolname = 'service_role') then
        grant usage, update on sequence agent_messages_seq to service_role;
    end if;
end $$;
insert into patchcord_migrations (number, name) values (6, '0006_dump') on conflict do nothing;
notify pgrst, 'reload schema';
commit;
