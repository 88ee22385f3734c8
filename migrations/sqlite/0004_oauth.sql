-- Who logs in: clients, what was granted to them, and what proves it (OAuth 2.1). Names are those of the published schema
-- where it has them. No secret is in here: hashes are SHA-256, those of codes that people type are keyed; all lower-case hex.
-- `also` is further namespaces of the agent, separated by blanks.
create table oauth_clients (
    client_id text primary key,
    client_info text not null, -- the registration (RFC 7591) as it was answered: JSON
    secret_hash text, -- null: a public client
    created_at integer not null,
    used_at integer -- when it last got a token
) strict, without rowid;
create index oauth_clients_unused on oauth_clients (created_at) where used_at is null;

-- Codes that the operator hands out.
create table oauth_codes (
    code_hash text primary key,
    kind text not null check (kind in ('connect', 'invite')),
    namespace_id text not null,
    agent_id text not null,
    also text not null,
    created_at integer not null,
    expires_at integer not null,
    used_at integer
) strict, without rowid;

-- Authorization codes.
create table oauth_auth_codes (
    code_hash text primary key,
    client_id text not null,
    client_name text not null,
    namespace_id text not null,
    agent_id text not null,
    also text not null,
    redirect_uri text not null,
    code_challenge text not null,
    audience text not null,
    scope text not null,
    created_at integer not null,
    expires_at integer not null,
    grant_id text -- what it was redeemed for, also when that is gone
) strict, without rowid;

-- A client is named, not referred to: one with a metadata document is not in oauth_clients.
create table oauth_grants (
    id text primary key,
    client_id text not null,
    client_name text not null,
    namespace_id text not null,
    agent_id text not null,
    audience text not null,
    scope text not null,
    created_at integer not null,
    used_at integer,
    expires_at integer not null, -- with its last refresh token
    ended_at integer -- revoked
) strict, without rowid;

-- Where a grant's agent exists: its own namespace, and those beside.
create table oauth_grant_namespaces (
    grant_id text not null references oauth_grants (id) on delete cascade,
    namespace_id text not null,
    agent_id text not null,
    primary key (grant_id, namespace_id)
) strict, without rowid;
create index oauth_grant_namespaces_agent on oauth_grant_namespaces (namespace_id, agent_id);

create table oauth_access_tokens (
    token_hash text primary key,
    grant_id text not null references oauth_grants (id) on delete cascade,
    created_at integer not null,
    expires_at integer not null
) strict, without rowid;
create index oauth_access_tokens_grant on oauth_access_tokens (grant_id);
create index oauth_access_tokens_age on oauth_access_tokens (expires_at);

-- One that was used stays until it runs out, so that a later use of it is known for what it is.
create table oauth_refresh_tokens (
    token_hash text primary key,
    grant_id text not null references oauth_grants (id) on delete cascade,
    created_at integer not null,
    expires_at integer not null,
    used_at integer -- the first time
) strict, without rowid;
create index oauth_refresh_tokens_grant on oauth_refresh_tokens (grant_id);
create index oauth_refresh_tokens_age on oauth_refresh_tokens (expires_at);

-- Device authorizations (RFC 8628).
create table oauth_devices (
    device_hash text primary key,
    user_hash text not null unique,
    machine text,
    address text,
    state text not null check (state in ('waiting', 'approved', 'denied', 'redeemed')),
    namespace_id text, -- these: once it is approved
    agent_id text,
    also text,
    created_at integer not null,
    expires_at integer not null,
    asked_at integer -- the last time
) strict, without rowid;
