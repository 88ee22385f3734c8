-- The operations on those who log in (relay/store/store_oauth.h). As 0003_messages.sql: one function an operation. What is
-- used once is locked before it is looked at.
begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;

-- ---- parts ----

create or replace function patchcord_subject(v_ns text, v_agent text, v_also text[]) returns jsonb
    language sql immutable set search_path = pg_catalog, pg_temp as $$
    select jsonb_build_object('ns', v_ns, 'agent', v_agent, 'also', to_jsonb(v_also))
$$;

-- Uses up a code that stands, and tells whose it is; null: no such code.
create or replace function patchcord_code_use(v_kind text, v_hash text, v_now timestamptz) returns jsonb
    language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    c oauth_codes;
begin
    update oauth_codes set used_at = v_now
        where code_hash = v_hash and kind = v_kind and expires_at > v_now and used_at is null returning * into c;
    return case when c.code_hash is not null then patchcord_subject(c.namespace_id, c.agent_id, c.also) end;
end $$;

-- A bearer token for the subject's agent: "token" has "hash", "label", "created", "expires".
create or replace function patchcord_let_in(p jsonb, v_subject jsonb) returns void language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
begin
    if patchcord_token_add(p->'token' || v_subject || jsonb_build_object('passed', coalesce(p->'passed', '0')))
        ->>'status' <> 'done'
    then
        raise exception 'a new token is there already';
    end if;
end $$;

create or replace function patchcord_grant(g oauth_grants) returns jsonb language sql stable
    set search_path = pg_catalog, public, pg_temp as $$
    select jsonb_strip_nulls(jsonb_build_object('id', g.id, 'client_id', g.client_id, 'client_name', g.client_name,
        'ns', g.namespace_id, 'agent', g.agent_id, 'also', patchcord_also(g.id, g.namespace_id),
        'audience', coalesce(g.audience, ''), 'scope', g.scope, 'created', patchcord_ms(g.created_at),
        'used', patchcord_ms(g.used_at), 'expires', patchcord_ms(g.expires_at)))
$$;

-- Adds the pair of tokens to the grant, and answers with the grant. "pair": "access", "access_expires", "refresh",
-- "refresh_expires".
create or replace function patchcord_hand_out(p jsonb, v_grant uuid, v_now timestamptz) returns jsonb language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into oauth_access_tokens (token_hash, grant_id, created_at, expires_at)
        values (p->'pair'->>'access', v_grant, v_now, patchcord_time((p->'pair'->'access_expires')::bigint));
    insert into oauth_refresh_tokens (token_hash, grant_id, created_at, expires_at)
        values (p->'pair'->>'refresh', v_grant, v_now, patchcord_time((p->'pair'->'refresh_expires')::bigint));
    update oauth_clients set used_at = v_now where client_id = p->>'client_id';
    return jsonb_build_object('status', 'done', 'grants',
        (select jsonb_build_array(patchcord_grant(g)) from oauth_grants g where id = v_grant));
end $$;

-- Somebody else has a secret of that grant: nobody keeps it.
create or replace function patchcord_reused(v_grant uuid, v_now timestamptz) returns jsonb language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
begin
    update oauth_grants set ended_at = v_now where id = v_grant and ended_at is null;
    perform patchcord_changed();
    return jsonb_build_object('status', 'refused', 'refusal', 'used');
end $$;

-- ---- clients ----

-- "client_id", "metadata", "secret" (its hash; null: public), "created" (0: now), "max".
create or replace function patchcord_client_add(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
begin
    if (select count(*) from oauth_clients where used_at is null) >= (p->'max')::bigint then
        return jsonb_build_object('status', 'refused', 'refusal', 'too_many');
    end if;
    insert into oauth_clients (client_id, client_info, secret_hash, created_at)
        values (p->>'client_id', (p->>'metadata')::json, p->>'secret',
            coalesce(patchcord_time(nullif((p->'created')::bigint, 0)), patchcord_now(p)))
        on conflict do nothing;
    if not found then
        return jsonb_build_object('status', 'refused', 'refusal', 'exists');
    end if;
    return jsonb_build_object('status', 'done');
end $$;

-- "client_id".
create or replace function patchcord_client_find(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    c oauth_clients;
begin
    select * into c from oauth_clients where client_id = $1->>'client_id';
    if not found then
        return jsonb_build_object('status', 'absent');
    end if;
    return jsonb_build_object('status', 'done', 'clients', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'client_id', c.client_id, 'metadata', c.client_info::text, 'secret', c.secret_hash,
        'created', patchcord_ms(c.created_at), 'used', patchcord_ms(c.used_at)))));
end $$;

-- ---- codes that the operator hands out ----

-- "kind", "hash", "ns", "agent", "also", "expires".
create or replace function patchcord_code_add(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
begin
    insert into oauth_codes (code_hash, kind, namespace_id, agent_id, also, created_at, expires_at)
        values (p->>'hash', p->>'kind', p->>'ns', p->>'agent', patchcord_texts(p->'also'), patchcord_now(p),
            patchcord_time((p->'expires')::bigint))
        on conflict do nothing;
    if not found then
        return jsonb_build_object('status', 'refused', 'refusal', 'exists');
    end if;
    return jsonb_build_object('status', 'done');
end $$;

-- "hash", "token".
create or replace function patchcord_invite_redeem(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    v_subject jsonb := patchcord_code_use('invite', $1->>'hash', patchcord_now($1));
begin
    if v_subject is null then
        return jsonb_build_object('status', 'absent');
    end if;
    perform patchcord_let_in($1, v_subject);
    return jsonb_build_object('status', 'done', 'subject', v_subject);
end $$;

-- ---- authorizations and grants ----

-- "connect" (a code's hash; null: "subject" is given), "hash", "client_id", "client_name", "redirect_uri", "challenge",
-- "audience", "scope", "expires".
create or replace function patchcord_authorize(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    v_subject jsonb := p->'subject';
begin
    if p->>'connect' is not null then
        v_subject := patchcord_code_use('connect', p->>'connect', v_now);
    end if;
    if v_subject is null then
        return jsonb_build_object('status', 'absent');
    end if;
    insert into oauth_auth_codes (code_hash, client_id, client_name, namespace_id, agent_id, also, redirect_uri,
            code_challenge, audience, scope, created_at, expires_at)
        values (p->>'hash', p->>'client_id', p->>'client_name', v_subject->>'ns', v_subject->>'agent',
            patchcord_texts(v_subject->'also'), p->>'redirect_uri', p->>'challenge', p->>'audience', p->>'scope',
            v_now, patchcord_time((p->'expires')::bigint));
    return jsonb_build_object('status', 'done', 'subject', v_subject);
end $$;

-- "hash", "client_id", "redirect_uri", "challenge", "audience" (null: not said), "pair".
create or replace function patchcord_code_redeem(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    v_grant uuid := gen_random_uuid();
    c oauth_auth_codes;
begin
    select * into c from oauth_auth_codes
        where code_hash = p->>'hash' and client_id = p->>'client_id' and expires_at > v_now for update;
    if c.grant_id is not null then
        return patchcord_reused(c.grant_id, v_now);
    end if;
    if (c.redirect_uri = p->>'redirect_uri' and c.code_challenge = p->>'challenge'
        and (p->>'audience' is null or c.audience = p->>'audience')) is not true
    then
        return jsonb_build_object('status', 'absent');
    end if;
    insert into oauth_grants (id, client_id, client_name, namespace_id, agent_id, audience, scope, created_at, expires_at)
        values (v_grant, c.client_id, c.client_name, c.namespace_id, c.agent_id, c.audience, c.scope, v_now,
            patchcord_time((p->'pair'->'refresh_expires')::bigint));
    insert into oauth_grant_namespaces (grant_id, namespace_id, agent_id)
        select v_grant, n, c.agent_id from unnest(c.namespace_id || c.also) n;
    update oauth_auth_codes set grant_id = v_grant where code_hash = c.code_hash;
    return patchcord_hand_out(p, v_grant, v_now);
end $$;

-- "hash", "client_id", "audience" (null: not said), "pair", "grace" (milliseconds).
create or replace function patchcord_refresh(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    r oauth_refresh_tokens;
    g oauth_grants;
begin
    select * into r from oauth_refresh_tokens where token_hash = p->>'hash' and expires_at > v_now for update;
    select * into g from oauth_grants
        where id = r.grant_id and client_id = p->>'client_id' and ended_at is null for update;
    if not found then
        return jsonb_build_object('status', 'absent');
    elsif v_now - r.used_at > (p->'grace')::bigint * interval '1 millisecond' then
        return patchcord_reused(g.id, v_now);
    elsif p->>'audience' <> g.audience then
        return jsonb_build_object('status', 'absent');
    end if;
    update oauth_refresh_tokens set used_at = coalesce(used_at, v_now) where token_hash = r.token_hash;
    update oauth_grants set used_at = v_now,
            expires_at = greatest(expires_at, patchcord_time((p->'pair'->'refresh_expires')::bigint))
        where id = g.id;
    return patchcord_hand_out(p, g.id, v_now);
end $$;

create or replace function patchcord_grant_list(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
begin
    return jsonb_build_object('status', 'done', 'grants', (select coalesce(jsonb_agg(patchcord_grant(g)
            order by g.created_at, g.id), '[]')
        from oauth_grants g where g.ended_at is null and g.expires_at > patchcord_now($1)));
end $$;

-- Each null where it does not matter: "prefix" (of an id), "client_id", "ns", "agent", "token" (a hash).
create or replace function patchcord_grant_end(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    v_found uuid[];
begin
    v_found := array(select id from oauth_grants g where ended_at is null and expires_at > v_now
            and (p->>'prefix' is null or starts_with(id::text, p->>'prefix'))
            and (p->>'client_id' is null or client_id = p->>'client_id')
            and (p->>'ns' is null or namespace_id = p->>'ns') and (p->>'agent' is null or agent_id = p->>'agent')
            and (p->>'token' is null or id in (
                select grant_id from oauth_access_tokens where token_hash = p->>'token'
                union all select grant_id from oauth_refresh_tokens where token_hash = p->>'token'))
        order by id for update);
    if v_found = '{}' then
        return jsonb_build_object('status', 'absent');
    elsif p->>'prefix' is not null and cardinality(v_found) > 1 then
        return jsonb_build_object('status', 'refused');
    end if;
    update oauth_grants set ended_at = v_now where id = any(v_found);
    perform patchcord_changed();
    return jsonb_build_object('status', 'done', 'count', cardinality(v_found));
end $$;

-- ---- devices ----

-- "device", "user" (hashes), "machine", "address", "created" (0: now), "expires", "max".
create or replace function patchcord_device_add(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
begin
    if (select count(*) from oauth_devices where state = 'waiting' and expires_at > v_now) >= (p->'max')::bigint then
        return jsonb_build_object('status', 'refused', 'refusal', 'too_many');
    end if;
    insert into oauth_devices (device_hash, user_hash, machine, address, state, created_at, expires_at)
        values (p->>'device', p->>'user', p->>'machine', p->>'address', 'waiting',
            coalesce(patchcord_time(nullif((p->'created')::bigint, 0)), v_now),
            patchcord_time((p->'expires')::bigint))
        on conflict do nothing;
    if not found then
        return jsonb_build_object('status', 'refused', 'refusal', 'exists');
    end if;
    return jsonb_build_object('status', 'done');
end $$;

-- "user".
create or replace function patchcord_device_find(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    d oauth_devices;
begin
    select * into d from oauth_devices
        where user_hash = $1->>'user' and state = 'waiting' and expires_at > patchcord_now($1);
    if not found then
        return jsonb_build_object('status', 'absent');
    end if;
    return jsonb_strip_nulls(jsonb_build_object('status', 'done', 'device', d.device_hash, 'user', d.user_hash,
        'machine', d.machine, 'address', d.address, 'created', patchcord_ms(d.created_at),
        'expires', patchcord_ms(d.expires_at)));
end $$;

-- "user", "connect" (a code's hash; null: denied).
create or replace function patchcord_device_decide(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    v_subject jsonb;
    d oauth_devices;
begin
    select * into d from oauth_devices
        where user_hash = p->>'user' and state = 'waiting' and expires_at > v_now for update;
    if not found then
        return jsonb_build_object('status', 'absent');
    elsif p->>'connect' is null then
        update oauth_devices set state = 'denied' where device_hash = d.device_hash;
        return jsonb_build_object('status', 'done');
    end if;
    v_subject := patchcord_code_use('connect', p->>'connect', v_now);
    if v_subject is null then
        return jsonb_build_object('status', 'absent', 'refusal', 'used');
    end if;
    update oauth_devices set state = 'approved', namespace_id = v_subject->>'ns', agent_id = v_subject->>'agent',
            also = patchcord_texts(v_subject->'also')
        where device_hash = d.device_hash;
    return jsonb_build_object('status', 'done', 'subject', v_subject);
end $$;

-- "device", "token", "interval" (milliseconds).
create or replace function patchcord_device_redeem(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    v_subject jsonb;
    d oauth_devices;
begin
    select * into d from oauth_devices
        where device_hash = p->>'device' and state <> 'redeemed' and expires_at > v_now for update;
    if not found then
        return jsonb_build_object('status', 'absent');
    elsif d.state = 'denied' then
        return jsonb_build_object('status', 'refused', 'refusal', 'denied');
    end if;
    update oauth_devices set asked_at = v_now,
            state = case when d.state = 'approved' then 'redeemed' else d.state end
        where device_hash = d.device_hash;
    if d.state = 'waiting' then
        return jsonb_build_object('status', 'refused', 'refusal',
            case when v_now - d.asked_at < (p->'interval')::bigint * interval '1 millisecond' then 'slow_down'
                else 'pending' end);
    end if;
    v_subject := patchcord_subject(d.namespace_id, d.agent_id, d.also);
    perform patchcord_let_in(p, v_subject);
    return jsonb_build_object('status', 'done', 'subject', v_subject);
end $$;

-- ---- housekeeping ----

-- "max_age", "dry". In one go: these tables stay small. In this order, that nothing is counted twice: a grant takes its
-- tokens along.
create or replace function patchcord_oauth_cleanup(jsonb) returns jsonb language plpgsql volatile security invoker
    set search_path = pg_catalog, public, pg_temp as $$
declare
    p alias for $1;
    v_now timestamptz := patchcord_now(p);
    v_unused timestamptz := v_now - (p->'max_age')::bigint * interval '1 millisecond';
    v_tokens bigint;
    v_grants bigint;
    v_codes bigint;
    v_clients bigint;
begin
    if (p->'dry')::boolean then
        return jsonb_build_object('status', 'done',
            'tokens', (select count(*) from oauth_access_tokens where expires_at <= v_now)
                + (select count(*) from oauth_refresh_tokens where expires_at <= v_now),
            'grants', (select count(*) from oauth_grants where expires_at <= v_now or ended_at is not null),
            'codes', (select count(*) from oauth_auth_codes where expires_at <= v_now)
                + (select count(*) from oauth_codes where expires_at <= v_now or used_at is not null)
                + (select count(*) from oauth_devices where expires_at <= v_now),
            'clients', (select count(*) from oauth_clients where used_at is null and created_at <= v_unused));
    end if;
    with access as (delete from oauth_access_tokens where expires_at <= v_now returning 1),
        refresh as (delete from oauth_refresh_tokens where expires_at <= v_now returning 1)
        select (select count(*) from access) + (select count(*) from refresh) into v_tokens;
    with ended as (delete from oauth_grants where expires_at <= v_now or ended_at is not null returning 1)
        select count(*) from ended into v_grants;
    with auth as (delete from oauth_auth_codes where expires_at <= v_now returning 1),
        codes as (delete from oauth_codes where expires_at <= v_now or used_at is not null returning 1),
        devices as (delete from oauth_devices where expires_at <= v_now returning 1)
        select (select count(*) from auth) + (select count(*) from codes) + (select count(*) from devices)
            into v_codes;
    with unused as (delete from oauth_clients where used_at is null and created_at <= v_unused returning 1)
        select count(*) from unused into v_clients;
    return jsonb_build_object('status', 'done', 'tokens', v_tokens, 'grants', v_grants, 'codes', v_codes,
        'clients', v_clients);
end $$;

do $$ begin perform patchcord_guard(); end $$;
insert into patchcord_migrations (number, name) values (5, '0005_oauth') on conflict do nothing;
notify pgrst, 'reload schema';
commit;
