-- Who may call, who was seen, who is banned.
create table bearer_tokens (
    token_hash text primary key, -- SHA-256 of the token, lower-case hex
    namespace_id text not null,
    agent_id text not null,
    label text,
    active integer not null default 1,
    created_at integer not null,
    expires_at integer,
    last_used_at integer
) strict, without rowid;
create index bearer_tokens_agent on bearer_tokens (namespace_id, agent_id, expires_at) where active = 1;

create table agent_registry (
    namespace_id text not null,
    agent_id text not null,
    display_name text,
    machine_name text,
    status text not null check (status in ('online', 'offline')),
    last_seen integer not null,
    client_type text,
    platform text,
    user_agent text,
    request_host text,
    primary key (namespace_id, agent_id)
) strict, without rowid;

create table rate_limit_bans (
    token_hash text primary key,
    banned_until integer not null,
    created_at integer not null
) strict, without rowid;
