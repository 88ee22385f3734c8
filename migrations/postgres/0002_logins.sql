-- The tables of those who log in: clients, what was granted to them, and what proves it (OAuth 2.1). No secret is in
-- here: hashes are SHA-256, those of codes that people type are keyed; all lower-case hex. Running this file again
-- changes nothing.
begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;

-- Tokens of the original were kept in clear, and belonged to a client. They are brought over below.
do $$
begin
    if exists (select from pg_attribute where attrelid = to_regclass('oauth_access_tokens')
        and attname = 'access_token' and not attisdropped)
    then
        alter table oauth_access_tokens rename to patchcord_old_access_tokens;
    end if;
    if exists (select from pg_attribute where attrelid = to_regclass('oauth_refresh_tokens')
        and attname = 'refresh_token' and not attisdropped)
    then
        alter table oauth_refresh_tokens rename to patchcord_old_refresh_tokens;
    end if;
    -- Authorization codes live for minutes.
    if exists (select from pg_attribute where attrelid = to_regclass('oauth_auth_codes')
        and attname = 'code' and not attisdropped)
    then
        drop table oauth_auth_codes;
    end if;
end $$;

create table if not exists oauth_clients (
    client_id text primary key,
    client_info json not null, -- the registration (RFC 7591) as it was answered
    created_at timestamptz not null default now()
);
alter table oauth_clients
    add column if not exists secret_hash text, -- null: a public client
    add column if not exists used_at timestamptz; -- when it last got a token
do $$
begin
    -- Ours belong to no agent before somebody lets them in, and answer their registration as it was.
    if exists (select from pg_attribute where attrelid = 'oauth_clients'::regclass
        and attname = 'agent_id' and attnotnull and not attisdropped)
    then
        alter table oauth_clients alter column agent_id drop not null;
        alter table oauth_clients alter column namespace_id drop not null, alter column namespace_id drop default;
        update oauth_clients set used_at = coalesce(used_at, updated_at);
    end if;
    if (select atttypid <> 'json'::regtype from pg_attribute
        where attrelid = 'oauth_clients'::regclass and attname = 'client_info')
    then
        update oauth_clients
            set secret_hash = encode(sha256(convert_to(client_info::jsonb->>'client_secret', 'UTF8')), 'hex')
            where secret_hash is null and client_info::jsonb->>'client_secret' is not null;
        alter table oauth_clients alter column client_info
            type json using (client_info::jsonb - 'client_secret')::json;
    end if;
end $$;
create index if not exists oauth_clients_unused on oauth_clients (created_at) where used_at is null;

-- Codes that the operator hands out.
create table if not exists oauth_codes (
    code_hash text primary key,
    kind text not null check (kind in ('connect', 'invite')),
    namespace_id text not null,
    agent_id text not null,
    also text[] not null, -- further namespaces of the agent
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz
);

create table if not exists oauth_auth_codes (
    code_hash text primary key,
    client_id text not null,
    client_name text not null,
    namespace_id text not null,
    agent_id text not null,
    also text[] not null,
    redirect_uri text not null,
    code_challenge text not null,
    audience text not null,
    scope text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    grant_id uuid -- what it was redeemed for, also when that is gone
);

-- A client is named, not referred to: one with a metadata document is not in oauth_clients.
create table if not exists oauth_grants (
    id uuid primary key,
    client_id text not null,
    client_name text not null,
    namespace_id text not null,
    agent_id text not null,
    audience text, -- null: whatever the relay is called (the original's)
    scope text not null,
    created_at timestamptz not null,
    used_at timestamptz,
    expires_at timestamptz not null, -- with its last refresh token
    ended_at timestamptz -- revoked
);

-- Where a grant's agent exists: its own namespace, and those beside.
create table if not exists oauth_grant_namespaces (
    grant_id uuid not null references oauth_grants (id) on delete cascade,
    namespace_id text not null,
    agent_id text not null,
    primary key (grant_id, namespace_id)
);
create index if not exists oauth_grant_namespaces_agent on oauth_grant_namespaces (namespace_id, agent_id);

create table if not exists oauth_access_tokens (
    token_hash text primary key,
    grant_id uuid not null references oauth_grants (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index if not exists oauth_access_tokens_of_grant on oauth_access_tokens (grant_id);
create index if not exists oauth_access_tokens_age on oauth_access_tokens (expires_at);

-- One that was used stays until it runs out, so that a later use of it is known for what it is.
create table if not exists oauth_refresh_tokens (
    token_hash text primary key,
    grant_id uuid not null references oauth_grants (id) on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz -- the first time
);
create index if not exists oauth_refresh_tokens_of_grant on oauth_refresh_tokens (grant_id);
create index if not exists oauth_refresh_tokens_age on oauth_refresh_tokens (expires_at);

-- Device authorizations (RFC 8628).
create table if not exists oauth_devices (
    device_hash text primary key,
    user_hash text not null unique,
    machine text,
    address text,
    state text not null check (state in ('waiting', 'approved', 'denied', 'redeemed')),
    namespace_id text, -- these: once it is approved
    agent_id text,
    also text[],
    created_at timestamptz not null,
    expires_at timestamptz not null,
    asked_at timestamptz -- the last time
);

-- The original's tokens: one grant for each client and agent that has some, in that person's other namespaces too.
do $$
begin
    if to_regclass('patchcord_old_access_tokens') is null and to_regclass('patchcord_old_refresh_tokens') is null then
        return;
    end if;
    create temporary table old_tokens (
        token text, is_refresh boolean, client_id text, namespace_id text, agent_id text, scope text,
        expires_at timestamptz, created_at timestamptz, grant_id uuid) on commit drop;
    if to_regclass('patchcord_old_access_tokens') is not null then
        insert into old_tokens (token, is_refresh, client_id, namespace_id, agent_id, scope, expires_at, created_at)
            select access_token, false, client_id, namespace_id, agent_id, scope, expires_at, created_at
            from patchcord_old_access_tokens where expires_at > now();
        drop table patchcord_old_access_tokens;
    end if;
    if to_regclass('patchcord_old_refresh_tokens') is not null then
        insert into old_tokens (token, is_refresh, client_id, namespace_id, agent_id, scope, expires_at, created_at)
            select refresh_token, true, client_id, namespace_id, agent_id, scope, expires_at, created_at
            from patchcord_old_refresh_tokens where expires_at > now();
        drop table patchcord_old_refresh_tokens;
    end if;
    update old_tokens o set grant_id = g.id
        from (select client_id, namespace_id, agent_id, gen_random_uuid() as id from old_tokens group by 1, 2, 3) g
        where o.client_id = g.client_id and o.namespace_id = g.namespace_id and o.agent_id = g.agent_id;
    insert into oauth_grants (id, client_id, client_name, namespace_id, agent_id, scope, created_at, expires_at)
        select grant_id, o.client_id, coalesce((select client_info->>'client_name' from oauth_clients c
                where c.client_id = o.client_id), o.client_id), namespace_id, agent_id, coalesce(max(scope), ''),
            coalesce(min(created_at), now()), max(expires_at)
        from old_tokens o group by grant_id, o.client_id, namespace_id, agent_id;
    insert into oauth_grant_namespaces (grant_id, namespace_id, agent_id)
        select distinct o.grant_id, n.namespace_id, o.agent_id from old_tokens o
            cross join lateral (select o.namespace_id
                union select beside.namespace_id from namespace_owners own
                    join namespace_owners beside on beside.user_id = own.user_id
                    where own.namespace_id = o.namespace_id) n;
    insert into oauth_access_tokens (token_hash, grant_id, created_at, expires_at)
        select encode(sha256(convert_to(token, 'UTF8')), 'hex'), grant_id, coalesce(created_at, now()), expires_at
        from old_tokens where not is_refresh on conflict do nothing;
    insert into oauth_refresh_tokens (token_hash, grant_id, created_at, expires_at)
        select encode(sha256(convert_to(token, 'UTF8')), 'hex'), grant_id, coalesce(created_at, now()), expires_at
        from old_tokens where is_refresh on conflict do nothing;
end $$;

do $$ begin perform patchcord_guard(); end $$;
insert into patchcord_migrations (number, name) values (2, '0002_logins') on conflict do nothing;
notify pgrst, 'reload schema';
commit;
