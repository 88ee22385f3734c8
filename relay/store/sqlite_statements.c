#include "sqlite_statements.h"

/* What sqlite_message.c reads, in this order. */
#define MESSAGE_COLUMNS                                                                                      \
    "m.id, m.seq, m.namespace_id, m.from_agent, m.to_agent, m.reply_to, m.thread_id, t.slug, t.resolved_at," \
    " m.status, m.lease_until, m.attempts, m.created_at, m.offered_at, m.delivered_at, m.replied_at,"        \
    " m.deferred_at, m.unsent_at, m.expired_at, m.encrypted"
#define WITH_CONTENT    ", m.content"
#define WITHOUT_CONTENT ", null"
#define WITH_THREADS    " left join agent_threads t on t.id = m.thread_id"
#define FROM_MESSAGES   " from agent_messages m" WITH_THREADS
/* Named, because the planner without statistics takes a longer index for a better one. */
#define FROM_PENDING  " from agent_messages m indexed by agent_messages_pending"
#define FROM_DEFERRED " from agent_messages m indexed by agent_messages_deferred"

/* Each in the words of the partial index that serves it. */
#define IS_LIVE     "unsent_at is null and expired_at is null"
#define IS_PENDING  "status = 'pending' and " IS_LIVE
#define IS_DEFERRED "status = 'deferred' and " IS_LIVE

/* Who may call: a bearer token's agent in its namespace, a grant's agent in each of its own. */
#define GRANT_STANDS(now) "g.ended_at is null and g.expires_at > " now
#define THOSE_WHO_EXIST(now)                                                                                 \
    "(select namespace_id, agent_id from bearer_tokens where active = 1"                                     \
    " and (expires_at is null or expires_at > " now ")"                                                      \
    " union all select n.namespace_id, n.agent_id from oauth_grant_namespaces n"                             \
    " join oauth_grants g on g.id = n.grant_id where " GRANT_STANDS(now) ")"

/* Which messages an event changes: what message_life.h has, in the same words. check_message_life tries each
 * event on each state. */
#define CHANGED_BY_ACK     IS_PENDING
#define CHANGED_BY_OFFER   IS_PENDING /* of those that the scan found on offer */
#define CHANGED_BY_RENEW   IS_PENDING /* and these three: of those that name the lease */
#define CHANGED_BY_RELEASE IS_PENDING
#define CHANGED_BY_LOSE    IS_PENDING
#define CHANGED_BY_REPLY   IS_LIVE
#define CHANGED_BY_UNSEND  IS_PENDING " and attempts = 0"
#define CHANGED_BY_EXPIRE  IS_LIVE

/* What sqlite_life_read reads, in this order. */
#define LIFE_COLUMNS "m.status, m.lease_until, m.attempts, m.unsent_at, m.expired_at"

#define TOKEN_COLUMNS                                                                                        \
    "token_hash, namespace_id, agent_id, label, active, created_at, expires_at, last_used_at"

/* A message, or all of a group: by ?3. */
#define IS_OF_SEND                                                                                           \
    "seq in (select seq from agent_messages where id = ?3"                                                   \
    " union all select seq from agent_messages where group_id = ?3)"

/* By the tokens of message_words: cross join keeps that outermost. */
#define FROM_WORDS " from message_words w cross join agent_messages m on m.seq = w.rowid"

/* ?1 the full-text query, ?2 namespace, ?3 caller, ?4 from, ?5 thread, ?6 later than, ?7 limit. */
#define RECALL                                                                                               \
    "select " MESSAGE_COLUMNS WITH_CONTENT FROM_WORDS WITH_THREADS                                           \
    " where w.message_words match ?1 and w.rowid > ?6 and m.namespace_id = ?2 and (m.from_agent = ?3 or "    \
    "(m.to_agent = ?3 and m.unsent_at is null)) and m.expired_at is null and (?4 is null or m.from_agent = " \
    "?4) and (?5 is null or t.slug = ?5 or m.thread_id = ?5)"

/* ?1 the full-text query of the caller's token, ?2 namespace, ?3 caller, ?4 status, ?5 limit: two statuses
 * have an index. */
#define INBOX_BY_STATUS                                                                                      \
    "w.message_words match ?1 and m.namespace_id = ?2 and m.to_agent = ?3 and status = ?4 and " IS_LIVE
#define INBOX_LIST(from, where)                                                                              \
    "select " MESSAGE_COLUMNS WITH_CONTENT from WITH_THREADS                                                 \
    " where m.namespace_id = ?2 and m.to_agent = ?3 and " where " order by m.seq desc limit ?5"
#define INBOX_COUNT(from, where)                                                                             \
    "select count(*) from (select 1" from " where m.namespace_id = ?2 and m.to_agent = ?3 and " where        \
    " limit ?5)"

/* A grant's further namespaces, as the other tables have them. */
#define GRANT_ALSO                                                                                           \
    "(select group_concat(namespace_id, ' ') from (select namespace_id from oauth_grant_namespaces n"        \
    " where n.grant_id = g.id and n.namespace_id <> g.namespace_id order by namespace_id))"
#define GRANT_SELECT                                                                                         \
    "select g.id, g.client_id, g.client_name, g.namespace_id, g.agent_id, " GRANT_ALSO                       \
    ", g.audience, g.scope, g.created_at, g.used_at, g.expires_at from oauth_grants g"
/* ?1 now, then what a choice of grants has. A grant's id is of hex digits and '-', so 'g' ends the range of a
 * prefix. */
#define GRANT_CHOSEN GRANT_STANDS("?1") AND_CHOSEN
#define AND_CHOSEN                                                                                           \
    " and (?2 is null or (g.id >= ?2 and g.id < ?2 || 'g')) and (?3 is null or g.client_id = ?3)"            \
    " and (?4 is null or g.namespace_id = ?4) and (?5 is null or g.agent_id = ?5)"                           \
    " and (?6 is null or g.id in (select grant_id from oauth_access_tokens where token_hash = ?6"            \
    " union all select grant_id from oauth_refresh_tokens where token_hash = ?6))"
/* Up to ?2 rows of a table go. */
#define COUNT_OLD(table, where) "select count(*) from " table " where " where
#define DELETE_OLD(table, key, where)                                                                        \
    "delete from " table " where " key " in (select " key " from " table " where " where " limit ?2)"
#define RAN_OUT         "expires_at <= ?1"
#define RAN_OUT_OR_USED "(expires_at <= ?1 or used_at is not null)"
#define ENDED           "(expires_at <= ?1 or ended_at is not null)"
#define NEVER_USED      "used_at is null and created_at <= ?1"

/* A page of an export: behind the keys ?2 … */
#define IN_ORDER_OF(keys) " order by " keys " limit ?1"
#define GRANT_IS_THERE    "exists (select 1 from oauth_grants where id = ?2)"

/* Messages past the retention (?1) whose sender is told: the sender still exists at ?2. */
#define EXPIRES "created_at <= ?1 and " IS_LIVE
#define SENDER_IS_TOLD                                                                                       \
    "status in ('pending', 'deferred') and is_notice = 0 and exists (select 1 from " THOSE_WHO_EXIST(        \
        "?2") " b where b.namespace_id = m.namespace_id and b.agent_id = m.from_agent)"
/* ?1: the age of what is removed was reached before; ?2: it was a tombstone for a whole retention. */
#define IS_OLD_TOMBSTONE                                                                                     \
    "(unsent_at is not null or expired_at is not null) and created_at <= ?1"                                 \
    " and (unsent_at is null or unsent_at <= ?2) and (expired_at is null or expired_at <= ?2)"

const char *const statement_sql[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN_READ] = "begin",
    [STATEMENT_BEGIN_WRITE] = "begin immediate",
    [STATEMENT_COMMIT] = "commit",
    [STATEMENT_DATA_VERSION] = "pragma data_version",
    [STATEMENT_NEWEST_SEQ] = "select coalesce(max(seq), 0) from agent_messages",

    /* ---- who calls ---- */
    [STATEMENT_ACK] = "update agent_messages set status = 'read', delivered_at = coalesce(delivered_at, ?4),"
                      " lease_id = null, lease_until = null"
                      " where id = ?3 and namespace_id = ?1 and to_agent = ?2 and " CHANGED_BY_ACK,
    [STATEMENT_PRESENCE] =
        "insert into agent_registry (namespace_id, agent_id, status, last_seen, display_name, machine_name,"
        " client_type, platform, user_agent, request_host) values (?1, ?2, 'online', ?3, ?4, ?5, ?6, ?7, ?8, "
        "?9)"
        " on conflict do update set status = 'online', last_seen = max(last_seen, excluded.last_seen),"
        " display_name = coalesce(excluded.display_name, display_name),"
        " machine_name = coalesce(excluded.machine_name, machine_name),"
        " client_type = coalesce(excluded.client_type, client_type), platform = coalesce(excluded.platform, "
        "platform),"
        " user_agent = coalesce(excluded.user_agent, user_agent),"
        " request_host = coalesce(excluded.request_host, request_host)",
    [STATEMENT_AGENT_LOOK_UP] = "select exists (select 1 from " THOSE_WHO_EXIST(
        "?3") " where namespace_id = ?1 and agent_id = ?2),"
              " (select last_seen from agent_registry where namespace_id = ?1 and agent_id = ?2)",
    [STATEMENT_AGENT_NAMES] =
        "select distinct agent_id from " THOSE_WHO_EXIST("?2") " where namespace_id = ?1 order by agent_id",
    [STATEMENT_AGENTS_OF_NAMESPACE] =
        "select ?1, a.agent_id, r.display_name, r.machine_name, r.client_type, r.platform, r.last_seen"
        " from (select distinct agent_id from " THOSE_WHO_EXIST(
            "?2") " where namespace_id = ?1) a"
                  " left join agent_registry r on r.namespace_id = ?1 and r.agent_id = a.agent_id"
                  " where a.agent_id <> ?3 and (?4 or r.last_seen >= ?5) order by r.last_seen desc, "
                  "a.agent_id",

    /* ---- sending ---- */
    [STATEMENT_ID_OWNER] =
        "select namespace_id, from_agent, sent_hash from agent_messages where id = ?1 union all"
        " select namespace_id, from_agent, sent_hash from agent_messages where group_id = ?1 limit 1",
    [STATEMENT_QUEUE] = "select count(*), coalesce(sum(content_bytes), 0)" FROM_PENDING
                        " where namespace_id = ?1 and to_agent = ?2 and " IS_PENDING,
    /* ?3 now; what came after seq ?4 and before time ?5 is within the grace. */
    [STATEMENT_GATE_COUNT] = "select count(*)" FROM_PENDING " where namespace_id = ?1 and to_agent = ?2"
                             " and " IS_PENDING " and (lease_until is null or lease_until <= ?3)"
                             " and not (seq > ?4 and created_at < ?5)",
    [STATEMENT_GATE_PREVIEW] = "select " MESSAGE_COLUMNS WITH_CONTENT FROM_PENDING WITH_THREADS
                               " where m.namespace_id = ?1 and m.to_agent = ?2 and " IS_PENDING
                               " and (lease_until is null or lease_until <= ?3)"
                               " and not (m.seq > ?4 and m.created_at < ?5) order by m.seq limit ?6",
    [STATEMENT_THREAD_FIND] = "select id, resolved_at from agent_threads"
                              " where namespace_id = ?1 and agent_a = ?2 and agent_b = ?3 and slug = ?4",
    [STATEMENT_THREAD_OPEN] =
        "insert into agent_threads (id, namespace_id, agent_a, agent_b, slug, created_at)"
        " values (?1, ?2, ?3, ?4, ?5, ?6)",
    [STATEMENT_THREAD_SET_RESOLVED] = "update agent_threads set resolved_at = ?2 where id = ?1",
    [STATEMENT_MESSAGE_INSERT] =
        "insert into agent_messages (id, namespace_id, from_agent, to_agent, status, is_notice, created_at,"
        " deferred_at, reply_to, thread_id, group_id, sent_hash, content_bytes, content, encrypted)"
        " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [STATEMENT_WORDS_INSERT] = "insert into message_words (rowid, words) values (?1, ?2)",
    [STATEMENT_WORDS_DELETE] = "delete from message_words where rowid = ?1",

    /* ---- delivery ---- */
    [STATEMENT_PENDING_SCAN] = "select seq, lease_until, lease_id, content_bytes" FROM_PENDING
                               " where namespace_id = ?1 and to_agent = ?2 and " IS_PENDING " order by seq",
    [STATEMENT_MESSAGE_BY_SEQ] = "select " MESSAGE_COLUMNS WITH_CONTENT FROM_MESSAGES " where m.seq = ?1",
    [STATEMENT_LEASE_TAKE] =
        "update agent_messages set lease_id = ?2, lease_until = ?3, attempts = attempts + 1,"
        " offered_at = coalesce(offered_at, ?4) where seq = ?1 and " CHANGED_BY_OFFER,
    [STATEMENT_LEASE_RENEW] =
        "update agent_messages set lease_until = ?2 where seq = ?1 and " CHANGED_BY_RENEW,
    [STATEMENT_LEASE_RELEASE] =
        "update agent_messages indexed by agent_messages_pending set lease_id = null, lease_until = null, "
        "attempts = attempts - 1,"
        " offered_at = case when attempts = 1 then null else offered_at end"
        " where namespace_id = ?1 and to_agent = ?2 and lease_id = ?3 and " CHANGED_BY_RELEASE,
    [STATEMENT_LEASE_END] =
        "update agent_messages indexed by agent_messages_pending set lease_id = null, lease_until = null"
        " where namespace_id = ?1 and to_agent = ?2 and lease_id = ?3 and " CHANGED_BY_LOSE,
    [STATEMENT_DEFERRED_COUNT] =
        "select count(*)" FROM_DEFERRED " where namespace_id = ?1 and to_agent = ?2 and " IS_DEFERRED,
    [STATEMENT_DEFERRED_LIST] =
        "select " MESSAGE_COLUMNS WITH_CONTENT FROM_DEFERRED WITH_THREADS
        " where m.namespace_id = ?1 and m.to_agent = ?2 and " IS_DEFERRED " order by m.seq limit ?3",

    /* ---- reply, unsend ---- */
    [STATEMENT_REPLY_ORIGINAL] =
        "select " LIFE_COLUMNS ", m.seq, m.from_agent, m.thread_id, t.slug, t.resolved_at" FROM_MESSAGES
        " where m.id = ?3 and m.namespace_id = ?1 and m.to_agent = ?2",
    /* ?2 status, ?3 now, ?4 when replied, ?5 when deferred */
    [STATEMENT_REPLY_MARK] =
        "update agent_messages set status = ?2, lease_id = null, lease_until = null,"
        " delivered_at = coalesce(delivered_at, ?3), replied_at = coalesce(replied_at, ?4),"
        " deferred_at = coalesce(deferred_at, ?5) where seq = ?1 and " CHANGED_BY_REPLY,
    [STATEMENT_UNSEND_LOOK] = "select " LIFE_COLUMNS " from agent_messages m"
                              " where " IS_OF_SEND " and +namespace_id = ?1 and +from_agent = ?2",
    [STATEMENT_UNSEND] = "update agent_messages set unsent_at = ?4 where " IS_OF_SEND
                         " and +namespace_id = ?1 and +from_agent = ?2 and " CHANGED_BY_UNSEND,

    /* ---- reading ---- */
    [STATEMENT_RECALL_NEWEST] = RECALL " order by w.rowid desc limit ?7",
    [STATEMENT_RECALL_LATER] = RECALL " order by w.rowid limit ?7",
    [STATEMENT_RECALL_ONE] =
        "select " MESSAGE_COLUMNS WITH_CONTENT FROM_MESSAGES " where m.id = ?3 and m.namespace_id = ?1"
        " and (m.from_agent = ?2 or (m.to_agent = ?2 and m.unsent_at is null))",
    [STATEMENT_INBOX] = "select " MESSAGE_COLUMNS WITH_CONTENT FROM_WORDS WITH_THREADS
                        " where " INBOX_BY_STATUS " order by w.rowid desc limit ?5",
    [STATEMENT_INBOX_PENDING] = INBOX_LIST(FROM_PENDING, IS_PENDING),
    [STATEMENT_INBOX_DEFERRED] = INBOX_LIST(FROM_DEFERRED, IS_DEFERRED),
    [STATEMENT_INBOX_COUNT] =
        "select count(*) from (select 1" FROM_WORDS " where " INBOX_BY_STATUS " limit ?5)",
    [STATEMENT_INBOX_COUNT_PENDING] = INBOX_COUNT(FROM_PENDING, IS_PENDING),
    [STATEMENT_INBOX_COUNT_DEFERRED] = INBOX_COUNT(FROM_DEFERRED, IS_DEFERRED),
    [STATEMENT_EVENTS] = "select " MESSAGE_COLUMNS WITHOUT_CONTENT FROM_WORDS WITH_THREADS
                         " where w.message_words match ?1 and w.rowid > ?4 and m.namespace_id = ?2 and "
                         "m.to_agent = ?3 and " IS_LIVE " order by w.rowid limit ?5",
    [STATEMENT_EVENTS_NEWEST] = "select coalesce((select w.rowid" FROM_WORDS
                                " where w.message_words match ?1 and m.namespace_id = ?2 and m.to_agent = ?3 "
                                "order by w.rowid desc limit 1), 0)",

    /* ---- tokens and bans ---- */
    [STATEMENT_TOKEN_FIND] =
        "select " TOKEN_COLUMNS ", null, null, null from bearer_tokens where token_hash = ?1 and active = 1"
        " and (expires_at is null or expires_at > ?2) union all"
        " select t.token_hash, g.namespace_id, g.agent_id, null, 1, t.created_at, min(t.expires_at, "
        "g.expires_at), g.used_at, " GRANT_ALSO ", g.id, nullif(g.audience, '') from oauth_access_tokens t"
        " join oauth_grants g on g.id = t.grant_id where t.token_hash = ?1 and t.expires_at > ?2"
        " and " GRANT_STANDS("?2"),
    [STATEMENT_TOKEN_USED] = "update bearer_tokens set last_used_at = ?2 where token_hash = ?1",
    [STATEMENT_TOKEN_ADD] =
        "insert into bearer_tokens (token_hash, namespace_id, agent_id, label, active, created_at,"
        " expires_at) values (?1, ?2, ?3, ?4, 1, ?5, ?6) on conflict do nothing",
    [STATEMENT_TOKEN_LIST] =
        "select " TOKEN_COLUMNS
        ", null, null, null from bearer_tokens order by namespace_id, agent_id, created_at, token_hash",
    /* A hash is of hex digits, so 'g' ends the range of a prefix. */
    [STATEMENT_TOKEN_MATCH] = "select count(*) from bearer_tokens where active = 1"
                              " and (expires_at is null or expires_at > ?1)"
                              " and (?2 is null or (token_hash >= ?2 and token_hash < ?2 || 'g'))"
                              " and (?3 is null or namespace_id = ?3) and (?4 is null or agent_id = ?4)",
    [STATEMENT_TOKEN_END] =
        "update bearer_tokens set active = ?5, expires_at = min(coalesce(expires_at, ?6), ?6)"
        " where active = 1 and (expires_at is null or expires_at > ?1)"
        " and (?2 is null or (token_hash >= ?2 and token_hash < ?2 || 'g'))"
        " and (?3 is null or namespace_id = ?3) and (?4 is null or agent_id = ?4)",
    [STATEMENT_BAN_PUT] =
        "insert into rate_limit_bans (token_hash, banned_until, created_at) values (?1, ?2, ?3)"
        " on conflict do update set banned_until = excluded.banned_until",
    [STATEMENT_BAN_LIST] =
        "select token_hash, banned_until from rate_limit_bans where banned_until > ?1 order by token_hash",

    /* ---- logging in ---- */
    [STATEMENT_CLIENTS_UNUSED] = "select count(*) from oauth_clients where used_at is null",
    [STATEMENT_CLIENT_ADD] = "insert into oauth_clients (client_id, client_info, secret_hash, created_at)"
                             " values (?1, ?2, ?3, ?4) on conflict do nothing",
    [STATEMENT_CLIENT_FIND] = "select client_id, client_info, secret_hash, created_at, used_at"
                              " from oauth_clients where client_id = ?1",
    [STATEMENT_CLIENT_USED] = "update oauth_clients set used_at = ?2 where client_id = ?1",
    [STATEMENT_CODE_ADD] =
        "insert into oauth_codes (code_hash, kind, namespace_id, agent_id, also, created_at, expires_at)"
        " values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict do nothing",
    [STATEMENT_CODE_FIND] = "select namespace_id, agent_id, also from oauth_codes where code_hash = ?1"
                            " and kind = ?2 and expires_at > ?3 and used_at is null",
    [STATEMENT_CODE_USE] = "update oauth_codes set used_at = ?3 where code_hash = ?1 and kind = ?2",
    [STATEMENT_AUTH_CODE_ADD] =
        "insert into oauth_auth_codes (code_hash, client_id, client_name, namespace_id, agent_id, also,"
        " redirect_uri, code_challenge, audience, scope, created_at, expires_at)"
        " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [STATEMENT_AUTH_CODE_FIND] =
        "select grant_id, redirect_uri, code_challenge, audience, namespace_id, agent_id, also"
        " from oauth_auth_codes where code_hash = ?1 and client_id = ?2 and expires_at > ?3",
    [STATEMENT_AUTH_CODE_USE] = "update oauth_auth_codes set grant_id = ?2 where code_hash = ?1",
    /* ?2 the grant, ?3 now, ?4 until when */
    [STATEMENT_GRANT_OPEN] =
        "insert into oauth_grants (id, client_id, client_name, namespace_id, agent_id, audience, scope,"
        " created_at, expires_at) select ?2, client_id, client_name, namespace_id, agent_id, audience, scope,"
        " ?3, ?4 from oauth_auth_codes where code_hash = ?1",
    [STATEMENT_GRANT_NAMESPACE_ADD] =
        "insert into oauth_grant_namespaces (grant_id, namespace_id, agent_id) values (?1, ?2, ?3)"
        " on conflict do nothing",
    [STATEMENT_GRANT_BY_ID] = GRANT_SELECT " where g.id = ?1",
    [STATEMENT_GRANT_LIST] = GRANT_SELECT " where " GRANT_STANDS("?1") " order by g.created_at, g.id",
    [STATEMENT_GRANT_RENEW] =
        "update oauth_grants set used_at = ?2, expires_at = max(expires_at, ?3) where id = ?1",
    [STATEMENT_GRANT_USED] = "update oauth_grants set used_at = ?2 where id = ?1",
    [STATEMENT_GRANT_REVOKE] = "update oauth_grants set ended_at = ?2 where id = ?1 and ended_at is null",
    [STATEMENT_GRANT_MATCH] = "select count(*) from oauth_grants g where " GRANT_CHOSEN,
    [STATEMENT_GRANT_END] = "update oauth_grants as g set ended_at = ?1 where " GRANT_CHOSEN,
    [STATEMENT_ACCESS_ADD] = "insert into oauth_access_tokens (token_hash, grant_id, created_at, expires_at)"
                             " values (?1, ?2, ?3, ?4)",
    [STATEMENT_REFRESH_ADD] =
        "insert into oauth_refresh_tokens (token_hash, grant_id, created_at, expires_at)"
        " values (?1, ?2, ?3, ?4)",
    [STATEMENT_REFRESH_FIND] =
        "select t.grant_id, t.used_at, g.audience from oauth_refresh_tokens t"
        " join oauth_grants g on g.id = t.grant_id where t.token_hash = ?1 and g.client_id = ?2"
        " and t.expires_at > ?3 and g.ended_at is null",
    [STATEMENT_REFRESH_USE] =
        "update oauth_refresh_tokens set used_at = coalesce(used_at, ?2) where token_hash = ?1",
    [STATEMENT_DEVICES_WAITING] =
        "select count(*) from oauth_devices where state = 'waiting' and expires_at > ?1",
    [STATEMENT_DEVICE_ADD] =
        "insert into oauth_devices (device_hash, user_hash, machine, address, state, created_at, expires_at)"
        " values (?1, ?2, ?3, ?4, 'waiting', ?5, ?6) on conflict do nothing",
    [STATEMENT_DEVICE_BY_USER] =
        "select device_hash, user_hash, machine, address, created_at, expires_at from oauth_devices"
        " where user_hash = ?1 and state = 'waiting' and expires_at > ?2",
    [STATEMENT_DEVICE_APPROVE] =
        "update oauth_devices set state = 'approved', namespace_id = ?2, agent_id = ?3, also = ?4"
        " where user_hash = ?1",
    [STATEMENT_DEVICE_DENY] = "update oauth_devices set state = 'denied' where user_hash = ?1",
    [STATEMENT_DEVICE_FIND] = "select state, asked_at, namespace_id, agent_id, also from oauth_devices"
                              " where device_hash = ?1 and state <> 'redeemed' and expires_at > ?2",
    [STATEMENT_DEVICE_ASKED] = "update oauth_devices set asked_at = ?2 where device_hash = ?1",
    [STATEMENT_DEVICE_REDEEM] =
        "update oauth_devices set state = 'redeemed', asked_at = ?2 where device_hash = ?1",

    /* ---- housekeeping ---- */
    [STATEMENT_LEASES_MOVE] =
        "update agent_messages indexed by agent_messages_pending"
        " set lease_until = lease_until + ?1 where lease_until is not null and " IS_PENDING,
    [STATEMENT_EXPIRY_GROUPS] = "select namespace_id, from_agent, to_agent, count(*) from agent_messages m"
                                " where " EXPIRES " and " SENDER_IS_TOLD " group by 1, 2, 3",
    /* ?7 the full-text query of the sender's token: its oldest come first. */
    [STATEMENT_EXPIRY_OF_GROUP] =
        "select seq, id, status, content, encrypted" FROM_WORDS " where w.message_words match ?7 and " EXPIRES
        " and " SENDER_IS_TOLD
        " and namespace_id = ?3 and from_agent = ?4 and to_agent = ?5 order by w.rowid limit ?6",
    [STATEMENT_EXPIRY_OTHERS] = "select seq from agent_messages m where " EXPIRES " and not (" SENDER_IS_TOLD
                                ") order by created_at limit ?3",
    [STATEMENT_EXPIRY_COUNT] = "select count(*) from agent_messages where " EXPIRES,
    [STATEMENT_EXPIRE] =
        "update agent_messages set expired_at = ?2, content = '', content_bytes = 0, lease_id = null,"
        " lease_until = null where seq = ?1 and " CHANGED_BY_EXPIRE,
    [STATEMENT_TOMBSTONES] = "select seq from agent_messages where " IS_OLD_TOMBSTONE " limit ?3",
    [STATEMENT_TOMBSTONES_COUNT] = "select count(*) from agent_messages where " IS_OLD_TOMBSTONE,
    [STATEMENT_MESSAGE_DELETE] = "delete from agent_messages where seq = ?1",
    [STATEMENT_THREADS_DELETE] = "delete from agent_threads where not exists"
                                 " (select 1 from agent_messages m where m.thread_id = agent_threads.id)",
    [STATEMENT_AGENTS_OFFLINE] =
        "update agent_registry set status = 'offline' where status = 'online' and last_seen < ?1",
    [STATEMENT_AGENTS_OFFLINE_COUNT] =
        "select count(*) from agent_registry where status = 'online' and last_seen < ?1",
    [STATEMENT_TOKENS_DELETE] = "delete from bearer_tokens where expires_at <= ?1",
    [STATEMENT_BANS_DELETE] = "delete from rate_limit_bans where banned_until <= ?1",
    [STATEMENT_ACCESS_COUNT] = COUNT_OLD("oauth_access_tokens", RAN_OUT),
    [STATEMENT_ACCESS_DELETE] = DELETE_OLD("oauth_access_tokens", "token_hash", RAN_OUT),
    [STATEMENT_REFRESH_COUNT] = COUNT_OLD("oauth_refresh_tokens", RAN_OUT),
    [STATEMENT_REFRESH_DELETE] = DELETE_OLD("oauth_refresh_tokens", "token_hash", RAN_OUT),
    [STATEMENT_GRANTS_COUNT] = COUNT_OLD("oauth_grants", ENDED),
    [STATEMENT_GRANTS_DELETE] = DELETE_OLD("oauth_grants", "id", ENDED),
    [STATEMENT_AUTH_CODES_COUNT] = COUNT_OLD("oauth_auth_codes", RAN_OUT),
    [STATEMENT_AUTH_CODES_DELETE] = DELETE_OLD("oauth_auth_codes", "code_hash", RAN_OUT),
    [STATEMENT_CODES_COUNT] = COUNT_OLD("oauth_codes", RAN_OUT_OR_USED),
    [STATEMENT_CODES_DELETE] = DELETE_OLD("oauth_codes", "code_hash", RAN_OUT_OR_USED),
    [STATEMENT_DEVICES_COUNT] = COUNT_OLD("oauth_devices", RAN_OUT),
    [STATEMENT_DEVICES_DELETE] = DELETE_OLD("oauth_devices", "device_hash", RAN_OUT),
    [STATEMENT_CLIENTS_COUNT] = COUNT_OLD("oauth_clients", NEVER_USED),
    [STATEMENT_CLIENTS_DELETE] = DELETE_OLD("oauth_clients", "client_id", NEVER_USED),

    /* ---- statistics: each from an index, that their cost stays small ---- */
    [STATEMENT_STATS_TOTAL] = "select count(*) from agent_messages",
    [STATEMENT_STATS_REPLIED] = "select count(*) from agent_messages indexed by agent_messages_replied where "
                                "status = 'replied' and " IS_LIVE,
    [STATEMENT_STATS_DEFERRED] = "select count(*)" FROM_DEFERRED " where " IS_DEFERRED,
    [STATEMENT_STATS_PENDING] =
        "select count(*), count(case when lease_until > ?1 then 1 end)" FROM_PENDING " where " IS_PENDING,
    [STATEMENT_STATS_TOMBSTONES] = "select count(unsent_at), count(expired_at) from agent_messages"
                                   " where unsent_at is not null or expired_at is not null",
    [STATEMENT_STATS_BANS] = "select count(*) from rate_limit_bans where banned_until > ?1",
    [STATEMENT_STATS_OAUTH] = "select (select count(*) from oauth_clients),"
                              " (select count(*) from oauth_grants g where " GRANT_STANDS("?1") ")",
    [STATEMENT_STATS_AGENTS] =
        "select a.namespace_id, a.agent_id, r.display_name, r.machine_name, r.client_type, r.platform, "
        "r.last_seen,"
        " (select count(*)" FROM_PENDING " where namespace_id = a.namespace_id and to_agent = a.agent_id"
        " and " IS_PENDING "),"
        " (select count(*)" FROM_DEFERRED " where namespace_id = a.namespace_id and to_agent = a.agent_id"
        " and " IS_DEFERRED "),"
        " (select created_at" FROM_PENDING " where namespace_id = a.namespace_id and to_agent = "
        "a.agent_id"
        " and " IS_PENDING " order by seq limit 1)"
        " from (select distinct namespace_id, agent_id from " THOSE_WHO_EXIST(
            "?1") ") a"
                  " left join agent_registry r on r.namespace_id = a.namespace_id and r.agent_id = a.agent_id"
                  " order by a.namespace_id, a.agent_id",

    /* ---- exports: sqlite_dump.c ---- */
    [STATEMENT_DUMP_TOKENS] =
        "select " TOKEN_COLUMNS
        " from bearer_tokens where token_hash > coalesce(?2, '')" IN_ORDER_OF("token_hash"),
    [STATEMENT_DUMP_AGENTS] =
        "select namespace_id, agent_id, display_name, nullif(machine_name, 'unknown'), client_type, platform,"
        " user_agent, request_host, status = 'online', last_seen from agent_registry"
        " where (namespace_id, agent_id) > (coalesce(?2, ''), coalesce(?3, ''))" IN_ORDER_OF(
            "namespace_id, agent_id"),
    [STATEMENT_DUMP_BANS] = "select token_hash, banned_until, created_at from rate_limit_bans"
                            " where token_hash > coalesce(?2, '')" IN_ORDER_OF("token_hash"),
    [STATEMENT_DUMP_CLIENTS] =
        "select client_id, client_info, secret_hash, created_at, used_at from oauth_clients"
        " where client_id > coalesce(?2, '')" IN_ORDER_OF("client_id"),
    [STATEMENT_DUMP_GRANTS] =
        "select g.id, g.client_id, g.client_name, g.namespace_id, g.agent_id, " GRANT_ALSO
        ", nullif(g.audience, ''), g.scope, g.created_at, g.used_at, g.expires_at, g.ended_at"
        " from oauth_grants g where g.id > coalesce(?2, '')" IN_ORDER_OF("g.id"),
    [STATEMENT_DUMP_ACCESS] = "select token_hash, grant_id, created_at, expires_at from oauth_access_tokens"
                              " where token_hash > coalesce(?2, '')" IN_ORDER_OF("token_hash"),
    [STATEMENT_DUMP_REFRESH] =
        "select token_hash, grant_id, created_at, expires_at, used_at from oauth_refresh_tokens"
        " where token_hash > coalesce(?2, '')" IN_ORDER_OF("token_hash"),
    [STATEMENT_DUMP_MESSAGES] =
        "select m.seq, m.id, m.namespace_id, m.from_agent, m.to_agent, m.status, m.is_notice, m.created_at,"
        " m.offered_at, m.delivered_at, m.replied_at, m.deferred_at, m.unsent_at, m.expired_at, m.attempts,"
        " m.reply_to, m.group_id, case when m.sent_hash is not null then lower(hex(m.sent_hash)) end,"
        " m.encrypted, m.thread_id, t.slug, t.agent_a, t.agent_b, t.created_at, t.resolved_at, "
        "m.content" FROM_MESSAGES " where m.seq > coalesce(?2, 0)" IN_ORDER_OF("m.seq"),
    [STATEMENT_LOAD_TOKEN] = "insert into bearer_tokens (" TOKEN_COLUMNS ")"
                             " values (?1, ?2, ?3, ?4, ?5, coalesce(?6, 0), ?7, ?8) on conflict do nothing",
    [STATEMENT_LOAD_AGENT] =
        "insert into agent_registry (namespace_id, agent_id, display_name, machine_name, client_type, "
        "platform,"
        " user_agent, request_host, status, last_seen) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
        " case when ?9 then 'online' else 'offline' end, coalesce(?10, 0)) on conflict do nothing",
    [STATEMENT_LOAD_BAN] = "insert into rate_limit_bans (token_hash, banned_until, created_at)"
                           " values (?1, coalesce(?2, 0), coalesce(?3, 0)) on conflict do nothing",
    [STATEMENT_LOAD_CLIENT] =
        "insert into oauth_clients (client_id, client_info, secret_hash, created_at, used_at)"
        " values (?1, ?2, ?3, coalesce(?4, 0), ?5) on conflict do nothing",
    [STATEMENT_LOAD_GRANT] =
        "insert into oauth_grants (id, client_id, client_name, namespace_id, agent_id, audience, scope,"
        " created_at, used_at, expires_at, ended_at) values (?1, ?2, ?3, ?4, ?5, coalesce(?7, ''), ?8,"
        " coalesce(?9, 0), ?10, coalesce(?11, 0), ?12) on conflict do nothing",
    [STATEMENT_LOAD_ACCESS] =
        "insert into oauth_access_tokens (token_hash, grant_id, created_at, expires_at)"
        " select ?1, ?2, coalesce(?3, 0), coalesce(?4, 0) where " GRANT_IS_THERE " on conflict do nothing",
    [STATEMENT_LOAD_REFRESH] =
        "insert into oauth_refresh_tokens (token_hash, grant_id, created_at, expires_at, used_at)"
        " select ?1, ?2, coalesce(?3, 0), coalesce(?4, 0), ?5 where " GRANT_IS_THERE
        " on conflict do nothing",
    /* ?1 the message, then the thread */
    [STATEMENT_LOAD_THREAD] =
        "insert into agent_threads (id, namespace_id, agent_a, agent_b, slug, created_at, resolved_at)"
        " select ?2, ?3, ?4, ?5, ?6, ?7, ?8 where not exists (select 1 from agent_messages where id = ?1)"
        " on conflict do nothing",
    /* No seq is used twice, of messages that are gone neither. */
    [STATEMENT_LOAD_MESSAGE] =
        "insert into agent_messages (seq, id, namespace_id, from_agent, to_agent, status, is_notice, "
        "created_at,"
        " offered_at, delivered_at, replied_at, deferred_at, unsent_at, expired_at, attempts, reply_to,"
        " group_id, sent_hash, encrypted, thread_id, content_bytes, content) values (max(?1, 1 + coalesce("
        "(select seq from sqlite_sequence where name = 'agent_messages'), 0)), ?2, ?3, ?4, ?5, ?6, ?7,"
        " coalesce(?8, 0), ?9, ?10, ?11, ?12, ?13, ?14, coalesce(?15, 0),"
        " (select id from agent_messages where id = ?16), ?17, ?18, ?19, (select id from agent_threads"
        " where namespace_id = ?3 and agent_a = ?22 and agent_b = ?23 and slug = ?21),"
        " length(cast(?26 as blob)), ?26) on conflict (id) do nothing",
};
