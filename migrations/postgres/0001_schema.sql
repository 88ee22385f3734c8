-- The tables: made where they are missing, extended where an older Patchcord made them. Running this file again changes
-- nothing. Runs as it is in psql, in Supabase's SQL editor and by `patchcord-relay migrate`.
--
-- Names are those of the published schema, extended. Names of agents are compared byte by byte (collate "C").
begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;

-- Which of these files were applied.
create table if not exists patchcord_migrations (
    number integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
);

-- ---- messages ----

create table if not exists agent_messages (
    id uuid primary key default gen_random_uuid(),
    namespace_id text not null default 'default',
    from_agent text not null,
    to_agent text not null,
    content text not null,
    reply_to uuid,
    status text not null default 'pending',
    created_at timestamptz not null default now()
);
alter table agent_messages
    add column if not exists namespace_id text not null default 'default',
    add column if not exists encrypted boolean not null default false,
    add column if not exists delivered_at timestamptz,
    add column if not exists group_id uuid, -- the send's id where it had several recipients
    add column if not exists recipients text[], -- these two: the original's
    add column if not exists topic text,
    add column if not exists thread_id uuid,
    add column if not exists seq bigint, -- the order of everything; never used twice
    add column if not exists is_notice boolean not null default false, -- from the relay itself
    add column if not exists lease_until timestamptz, -- beyond that, on offer again
    add column if not exists lease_id uuid,
    add column if not exists attempts integer not null default 0, -- offers so far
    add column if not exists offered_at timestamptz, -- these: the first time
    add column if not exists replied_at timestamptz,
    add column if not exists deferred_at timestamptz,
    add column if not exists unsent_at timestamptz, -- either of these two: a tombstone
    add column if not exists expired_at timestamptz,
    add column if not exists sent_hash bytea, -- SHA-256 of what was sent, to know a repeat
    add column if not exists content_bytes integer generated always as (octet_length(content)) stored;

update agent_messages set status = coalesce(status, 'pending'), created_at = coalesce(created_at, now())
    where status is null or created_at is null;
update agent_messages set encrypted = false where encrypted is null;
alter table agent_messages
    alter column status set default 'pending', alter column status set not null,
    alter column created_at set default now(), alter column created_at set not null,
    alter column encrypted set default false, alter column encrypted set not null;

-- The order of what is there already: by age.
create sequence if not exists agent_messages_seq;
do $$
begin
    if exists (select from agent_messages where seq is null) then
        update agent_messages m set seq = o.seq
            from (select id, row_number() over (order by created_at, id)
                    + (select coalesce(max(seq), 0) from agent_messages) as seq
                from agent_messages where seq is null) o
            where m.id = o.id;
        perform setval('agent_messages_seq', (select max(seq) from agent_messages));
    end if;
end $$;
alter sequence agent_messages_seq owned by agent_messages.seq;
alter table agent_messages
    alter column seq set default nextval('agent_messages_seq'), alter column seq set not null;

do $$
declare
    v_name text;
begin
    -- Any check of the status that knows no 'deferred' goes.
    for v_name in select conname from pg_constraint
        where conrelid = 'agent_messages'::regclass and contype = 'c'
            and pg_get_constraintdef(oid) like '%status%' and pg_get_constraintdef(oid) not like '%deferred%'
    loop
        execute format('alter table agent_messages drop constraint %I', v_name);
    end loop;
    if not exists (select from pg_constraint
        where conrelid = 'agent_messages'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%deferred%')
    then
        alter table agent_messages add constraint agent_messages_status_check
            check (status in ('pending', 'read', 'replied', 'deferred'));
    end if;
    -- Without ON DELETE, what was replied to could never be removed.
    for v_name in select conname from pg_constraint c join pg_attribute a
            on a.attrelid = c.conrelid and a.attname = 'reply_to' and c.conkey = array[a.attnum]
        where c.conrelid = 'agent_messages'::regclass and c.contype = 'f' and c.confdeltype <> 'n'
    loop
        execute format('alter table agent_messages drop constraint %I', v_name);
    end loop;
    if not exists (select from pg_constraint c join pg_attribute a
            on a.attrelid = c.conrelid and a.attname = 'reply_to' and c.conkey = array[a.attnum]
        where c.conrelid = 'agent_messages'::regclass and c.contype = 'f')
    then
        update agent_messages m set reply_to = null
            where reply_to is not null and not exists (select from agent_messages o where o.id = m.reply_to);
        alter table agent_messages add constraint agent_messages_reply_to_fkey
            foreign key (reply_to) references agent_messages (id) on delete set null;
    end if;
end $$;

-- ---- threads ----

create table if not exists agent_threads (
    id uuid primary key, -- of the message that opened it
    namespace_id text not null,
    agent_a text not null, -- the pair, in byte order
    agent_b text not null,
    slug text not null,
    created_at timestamptz not null default now(),
    resolved_at timestamptz,
    unique (namespace_id, agent_a, agent_b, slug)
);

-- The original kept a thread's title and end with the message that opened it, and named it by that.
do $$
declare
    v_name text;
begin
    if not exists (select from pg_attribute
        where attrelid = 'agent_messages'::regclass and attname = 'thread_title' and not attisdropped)
    then
        return;
    end if;
    for v_name in select conname from pg_constraint c join pg_attribute a
            on a.attrelid = c.conrelid and a.attname = 'thread_id' and c.conkey = array[a.attnum]
        where c.conrelid = 'agent_messages'::regclass and c.contype = 'f'
            and c.confrelid = 'agent_messages'::regclass
    loop
        execute format('alter table agent_messages drop constraint %I', v_name);
    end loop;
    insert into agent_threads (id, namespace_id, agent_a, agent_b, slug, created_at, resolved_at)
        select id, namespace_id, agent_a, agent_b,
            case when nth = 1 then title else title || '-' || nth end, created_at, thread_resolved_at
        from (select r.*, row_number() over (partition by namespace_id, agent_a, agent_b, title
                    order by created_at, id) as nth
            from (select m.id, m.namespace_id, m.created_at, m.thread_resolved_at,
                    least(m.from_agent collate "C", m.to_agent collate "C") as agent_a,
                    greatest(m.from_agent collate "C", m.to_agent collate "C") as agent_b,
                    coalesce(nullif(m.thread_title, ''), m.id::text) as title
                from agent_messages m
                where not exists (select from agent_threads t where t.id = m.id)
                    and (exists (select from agent_messages o where o.thread_id = m.id)
                        or (m.thread_title is not null and m.thread_id is null))) r) numbered
        on conflict do nothing;
    update agent_messages m set thread_id = id
        where thread_id is null and thread_title is not null
            and exists (select from agent_threads t where t.id = m.id);
end $$;
do $$
begin
    if not exists (select from pg_constraint
        where conrelid = 'agent_messages'::regclass and conname = 'agent_messages_thread_fkey')
    then
        update agent_messages m set thread_id = null
            where thread_id is not null and not exists (select from agent_threads t where t.id = m.thread_id);
        alter table agent_messages add constraint agent_messages_thread_fkey
            foreign key (thread_id) references agent_threads (id);
    end if;
end $$;

-- ---- what finds messages ----

create unique index if not exists agent_messages_seq_key on agent_messages (seq);
-- What is waiting, so that its cost does not grow with what is stored. Without the columns of a lease: those change at
-- every offer.
create index if not exists agent_messages_pending on agent_messages (namespace_id, to_agent, seq)
    where status = 'pending' and unsent_at is null and expired_at is null;
create index if not exists agent_messages_deferred on agent_messages (namespace_id, to_agent, seq)
    where status = 'deferred' and unsent_at is null and expired_at is null;
create index if not exists agent_messages_replied on agent_messages (seq)
    where status = 'replied' and unsent_at is null and expired_at is null;
create index if not exists agent_messages_group on agent_messages (group_id) where group_id is not null;
create index if not exists agent_messages_thread on agent_messages (thread_id, seq) where thread_id is not null;
create index if not exists agent_messages_reply on agent_messages (reply_to) where reply_to is not null;
create index if not exists agent_messages_age on agent_messages (created_at);
create index if not exists agent_messages_tombstones on agent_messages (created_at)
    where unsent_at is not null or expired_at is not null;

-- The words of each message (relay/store/words.h) and its two parties, apart from the message: they never change, so
-- that an acknowledgement writes none of these indexes again. Expired messages are not in it.
create table if not exists message_words (
    seq bigint primary key,
    namespace_id text not null,
    from_agent text not null,
    to_agent text not null,
    words tsvector -- null: to be computed by the next cleanup
);
insert into message_words (seq, namespace_id, from_agent, to_agent)
    select seq, namespace_id, from_agent, to_agent from agent_messages m
    where expired_at is null and not exists (select from message_words w where w.seq = m.seq);
create index if not exists message_words_to on message_words (namespace_id, to_agent, seq);
create index if not exists message_words_from on message_words (namespace_id, from_agent, seq);
-- A short list of what is still to be sorted in keeps both finding and adding quick.
create index if not exists message_words_words on message_words using gin (words) with (gin_pending_list_limit = 256);
create index if not exists message_words_missing on message_words (seq) where words is null;

-- What was brought over is counted at once.
analyze agent_messages, agent_threads, message_words;

-- ---- queues and looks ----

-- One row for each recipient. Who sends locks it before the message gets its seq, so that each recipient's messages
-- become visible in their order; and it has what its queue holds at most, so that a send need not count.
create table if not exists agent_queues (
    namespace_id text not null,
    agent_id text not null,
    messages integer, -- null: not counted yet
    bytes bigint,
    primary key (namespace_id, agent_id)
) with (fillfactor = 40);

-- When each agent last looked into its inbox, and up to which message: the inbox gate lets pass what came shortly after.
create table if not exists agent_looks (
    namespace_id text not null,
    agent_id text not null,
    look_at timestamptz not null,
    look_seq bigint not null,
    primary key (namespace_id, agent_id)
) with (fillfactor = 40);

-- ---- who may call, who was seen, who is banned ----

create table if not exists bearer_tokens (
    token_hash text primary key, -- SHA-256 of the token, lower-case hex
    namespace_id text not null,
    agent_id text not null,
    label text,
    active boolean not null default true,
    created_at timestamptz not null default now()
);
alter table bearer_tokens
    add column if not exists label text,
    add column if not exists expires_at timestamptz,
    add column if not exists last_used_at timestamptz;
update bearer_tokens set active = coalesce(active, true), created_at = coalesce(created_at, now())
    where active is null or created_at is null;
alter table bearer_tokens
    alter column active set default true, alter column active set not null,
    alter column created_at set default now(), alter column created_at set not null;
create index if not exists bearer_tokens_agent on bearer_tokens (namespace_id, agent_id) where active;

create table if not exists agent_registry (
    namespace_id text not null default 'default',
    agent_id text not null,
    display_name text,
    machine_name text not null default 'unknown',
    status text not null default 'online',
    last_seen timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    meta jsonb not null default '{}', -- client_type, platform, user_agent, request_host
    constraint agent_registry_pkey primary key (namespace_id, agent_id)
);
alter table agent_registry
    add column if not exists namespace_id text not null default 'default',
    add column if not exists display_name text,
    add column if not exists machine_name text default 'unknown',
    add column if not exists status text default 'online',
    add column if not exists last_seen timestamptz default now(),
    add column if not exists updated_at timestamptz default now(),
    add column if not exists meta jsonb default '{}';
update agent_registry set machine_name = coalesce(machine_name, 'unknown'), status = coalesce(status, 'online'),
    last_seen = coalesce(last_seen, now()), updated_at = coalesce(updated_at, now()), meta = coalesce(meta, '{}')
    where machine_name is null or status is null or last_seen is null or updated_at is null or meta is null;
alter table agent_registry
    alter column machine_name set default 'unknown', alter column machine_name set not null,
    alter column status set default 'online', alter column status set not null,
    alter column last_seen set default now(), alter column last_seen set not null,
    alter column updated_at set default now(), alter column updated_at set not null,
    alter column meta set default '{}', alter column meta set not null;
do $$
declare
    v_name text;
begin
    if not exists (select from pg_constraint c join pg_attribute a
            on a.attrelid = c.conrelid and a.attname = 'namespace_id' and a.attnum = any(c.conkey)
        where c.conrelid = 'agent_registry'::regclass and c.contype = 'p')
    then
        select conname into v_name from pg_constraint
            where conrelid = 'agent_registry'::regclass and contype = 'p';
        if v_name is not null then
            execute format('alter table agent_registry drop constraint %I', v_name);
        end if;
        alter table agent_registry add primary key (namespace_id, agent_id);
    end if;
end $$;
create index if not exists agent_registry_online on agent_registry (last_seen) where status = 'online';

create table if not exists rate_limit_bans (
    token_hash text primary key,
    banned_until timestamptz not null,
    created_at timestamptz not null default now()
);
create index if not exists rate_limit_bans_until on rate_limit_bans (banned_until);

-- How often tokens and grants changed: relays that look here forget what they have cached.
create table if not exists patchcord_changes (
    is_only boolean primary key default true check (is_only),
    count bigint not null default 0
);
insert into patchcord_changes default values on conflict do nothing;

-- The namespaces that belong to one person; older databases call it user_namespaces.
create table if not exists namespace_owners (
    user_id text not null,
    namespace_id text not null,
    created_at timestamptz not null default now(),
    primary key (user_id, namespace_id)
);
do $$
begin
    if to_regclass('user_namespaces') is not null then
        insert into namespace_owners (user_id, namespace_id)
            select user_id::text, namespace_id from user_namespaces on conflict do nothing;
    end if;
end $$;

-- ---- rights ----

-- Nobody but the owner and, at Supabase, the service role: default privileges there let anybody in. And every function's
-- statements go by an index, row by row: the planner is kept from reading a whole table because nobody has counted its
-- rows yet, or because that seems cheaper where all of it is wanted.
create or replace function patchcord_guard() returns void language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
declare
    v_name text;
    v_role text;
begin
    for v_name in select format('table %I.%I', n.nspname, c.relname) from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind = 'r' and c.relname in ('patchcord_migrations',
            'patchcord_changes', 'agent_messages', 'agent_threads', 'message_words', 'agent_queues', 'agent_looks',
            'bearer_tokens', 'agent_registry', 'rate_limit_bans', 'namespace_owners', 'user_namespaces', 'oauth_clients', 'oauth_codes',
            'oauth_auth_codes', 'oauth_grants', 'oauth_grant_namespaces', 'oauth_access_tokens', 'oauth_refresh_tokens',
            'oauth_devices')
    loop
        execute format('alter %s enable row level security', v_name);
        execute format('revoke all on %s from public', v_name);
        for v_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke all on %s from %I', v_name, v_role);
        end loop;
        if exists (select from pg_roles where rolname = 'service_role') then
            execute format('grant select, insert, update, delete on %s to service_role', v_name);
        end if;
    end loop;
    for v_name in select format('function %s', p.oid::regprocedure) from pg_proc p
            join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and p.proname like 'patchcord\_%'
    loop
        execute format('revoke execute on %s from public', v_name);
        for v_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
            execute format('revoke execute on %s from %I', v_name, v_role);
        end loop;
        if exists (select from pg_roles where rolname = 'service_role') then
            execute format('grant execute on %s to service_role', v_name);
        end if;
        execute format('alter %s set jit = off', v_name);
        execute format('alter %s set enable_seqscan = off', v_name);
        execute format('alter %s set enable_hashjoin = off', v_name);
        execute format('alter %s set enable_mergejoin = off', v_name);
        -- Full-text search has no other way than by a bitmap.
        if v_name not like '%patchcord_recall(%' then
            execute format('alter %s set enable_bitmapscan = off', v_name);
        end if;
    end loop;
    if exists (select from pg_roles where rolname = 'service_role') then
        grant usage on sequence agent_messages_seq to service_role;
    end if;
    for v_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        execute format('revoke all on sequence agent_messages_seq from %I', v_role);
    end loop;
end $$;

do $$ begin perform patchcord_guard(); end $$;
insert into patchcord_migrations (number, name) values (1, '0001_schema') on conflict do nothing;
notify pgrst, 'reload schema';
commit;
