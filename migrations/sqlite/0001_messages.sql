-- Messages and the threads that they belong to. Names are those of the published schema, extended. Times are
-- milliseconds since 1970-01-01 UTC.
create table agent_threads (
    id text primary key, -- of the message that opened it
    namespace_id text not null,
    agent_a text not null, -- the pair, in byte order
    agent_b text not null,
    slug text not null,
    created_at integer not null,
    resolved_at integer,
    unique (namespace_id, agent_a, agent_b, slug)
) strict, without rowid;

create table agent_messages (
    seq integer primary key autoincrement, -- the order of everything; never used twice
    id text not null unique,
    namespace_id text not null,
    from_agent text not null,
    to_agent text not null,
    status text not null check (status in ('pending', 'read', 'replied', 'deferred')),
    is_notice integer not null default 0, -- from the relay itself
    created_at integer not null,
    lease_until integer, -- beyond that, on offer again
    lease_id text,
    attempts integer not null default 0, -- offers so far
    offered_at integer, -- these: the first time
    delivered_at integer,
    replied_at integer,
    deferred_at integer,
    unsent_at integer, -- either of these two: a tombstone
    expired_at integer,
    reply_to text references agent_messages (id) on delete set null,
    thread_id text references agent_threads (id),
    group_id text, -- the send's id where it had several recipients
    sent_hash blob, -- SHA-256 of what was sent, to know a repeat
    content_bytes integer not null,
    content text not null
) strict;

-- What is waiting, so that its cost does not grow with what is stored. The columns behind seq are carried along, that
-- a look at the queue needs no row.
create index agent_messages_pending
    on agent_messages (namespace_id, to_agent, seq, lease_until, lease_id, content_bytes,
        status, unsent_at, expired_at)
    where status = 'pending' and unsent_at is null and expired_at is null;
create index agent_messages_deferred
    on agent_messages (namespace_id, to_agent, seq, status, unsent_at, expired_at)
    where status = 'deferred' and unsent_at is null and expired_at is null;

-- There is no index by agent alone: message_words has each message's parties too, at a fraction of the writing.
create index agent_messages_group on agent_messages (group_id) where group_id is not null;
create index agent_messages_thread on agent_messages (thread_id) where thread_id is not null;
create index agent_messages_reply on agent_messages (reply_to) where reply_to is not null;

-- For housekeeping and counts.
create index agent_messages_replied on agent_messages (status, unsent_at, expired_at)
    where status = 'replied' and unsent_at is null and expired_at is null;
create index agent_messages_age on agent_messages (created_at) where unsent_at is null and expired_at is null;
create index agent_messages_tombstones on agent_messages (created_at, unsent_at, expired_at)
    where unsent_at is not null or expired_at is not null;
