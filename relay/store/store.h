/* store.h: what the relay remembers, as atomic domain operations. No other part of the relay knows a
 * database.
 *
 * An operation either happened whole or not at all, and when it returns STORE_DONE for something that must
 * last (send, reply, unsend, tokens, bans) it is on disk. Ids are UUID text; times are wall-clock
 * milliseconds of the store.
 *
 * Names of agents are taken as they are stored: callers normalise new ones (ident.h). Everything in a result
 * is owned by that result and freed by its _free; a result that was never filled is zeroed and safe to free.
 * Every function may be called from any thread and blocks until it is done. */
#ifndef RELAY_STORE_STORE_H
#define RELAY_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/secret.h"
#include "../../common/uuid.h"

struct store;

enum store_status {
    STORE_DONE,
    STORE_ABSENT,  /* what was named does not exist for this caller */
    STORE_REFUSED, /* understood and not done: the result's refusal says why */
    STORE_FAULT,   /* the store failed (logged); nothing was changed; the caller may try again */
};

enum store_refusal {
    REFUSAL_NONE,
    REFUSAL_UNKNOWN_RECIPIENT, /* names: the agents that exist in the namespace */
    REFUSAL_INBOX_GATE,        /* the caller has unread messages: unread, unread_total */
    REFUSAL_QUEUE_FULL,        /* QUEUE_MAX_MESSAGES or QUEUE_MAX_BYTES pending for that recipient */
    REFUSAL_ID_TAKEN,          /* the message id belongs to another send */
    REFUSAL_ALREADY_OFFERED,   /* unsend: the recipient has seen it */
    REFUSAL_EXPIRED,           /* reply that defers: what it answers has passed the retention */
    REFUSAL_EXISTS,            /* token add: that token is there already */
    REFUSAL_AMBIGUOUS,         /* send: a bare name that several of the caller's namespaces have: names */
    REFUSAL_TOO_MANY,          /* as many as are allowed are there already */
    REFUSAL_USED,              /* what is used once was used before */
    REFUSAL_PENDING,           /* nobody has decided yet */
    REFUSAL_SLOW_DOWN,         /* asked again too soon */
    REFUSAL_DENIED,            /* a person said no */
};

enum { QUEUE_MAX_MESSAGES = 1000, QUEUE_MAX_BYTES = 10 * 1000 * 1000 };
enum { GATE_PREVIEW_MAX = 5, GATE_GRACE_MS = 10 * 1000 };
enum { LEASE_FIRST_MS = 60 * 1000, LEASE_MAX_MS = 3600 * 1000 };

/* ---- messages ---- */

enum message_status { MESSAGE_PENDING, MESSAGE_READ, MESSAGE_REPLIED, MESSAGE_DEFERRED };
extern const char *const message_status_names[]; /* "pending", "read", "replied", "deferred" */

struct store_message {
    char id[UUID_SIZE];
    int64_t seq; /* the store's order */
    char *namespace_id, *from, *to;
    char *content;
    size_t content_len;        /* bytes */
    bool is_sealed;            /* only between a kind of store and store.c, which opens it */
    char reply_to[UUID_SIZE];  /* "" for none */
    char thread_id[UUID_SIZE]; /* "" for none */
    char *thread;              /* slug; NULL for none */
    bool thread_resolved;
    enum message_status status;
    bool is_leased;   /* handed out, not yet acknowledged */
    unsigned attempt; /* how often it was offered, this time included; 0: never */
    /* 0 where it did not happen */
    int64_t sent_ms, offered_ms, read_ms, replied_ms, deferred_ms, unsent_ms, expired_ms;
};

struct store_messages {
    struct store_message *items;
    size_t count;
};
void store_messages_free(struct store_messages *messages);

struct store_agent {
    char *namespace_id, *agent;
    char *display_name, *machine_name, *client_type, *platform; /* NULL where unknown */
    int64_t last_seen_ms;                                       /* 0: never */
    int64_t pending, deferred;                                  /* counts; only filled by store_stats */
    int64_t oldest_pending_ms; /* sent at; 0: none; only filled by store_stats */
};

struct store_agents {
    struct store_agent *items;
    size_t count;
};
void store_agents_free(struct store_agents *agents);

/* What the caller's connection tells about it; NULL fields leave what is stored. */
struct store_presence {
    const char *display_name, *machine_name, *client_type, *platform, *user_agent, *request_host;
};

/* Who calls, and what rides along in the same transaction, applied first. */
struct store_caller {
    const char *namespace_id, *agent;
    /* Further namespaces in which the caller is the same agent (an OAuth grant's): what is sent to that name
     * there is the caller's too, and it may write to whoever is there. */
    const char *const *also;
    size_t also_count;
    const char *const *acks; /* ids of messages that arrived; unknown ones are passed over */
    size_t acks_count;
    const struct store_presence *presence; /* NULL: was written a moment ago */
};

/* An agent that something goes to. */
struct store_recipient {
    const char *agent;
    const char *namespace_id; /* one of the caller's; NULL: whichever of them the agent exists in */
};

struct store_send {
    const char *message_id; /* the caller's id of this send; NULL: the store makes one */
    /* Distinct, at least one; the caller itself is allowed (stored deferred). A message lies in its
     * recipient's namespace, and its sender is the caller's name there. */
    const struct store_recipient *recipients;
    size_t recipients_count;
    const char *content; /* valid UTF-8 */
    size_t content_len;
    const char *thread; /* slug; NULL: none */
    bool ungated;       /* from an outbox or a channel endpoint */
    bool is_sealed;     /* set by store.c: no words of the content are kept */
    /* What makes another send with this id a repeat, where the content is new each time; NULL: the content.
     */
    const char *basis;
    /* Nothing is stored, but for what rides along: tells whether this would be refused, or is a repeat. */
    bool only_ask;
};

struct store_sent {
    char id[UUID_SIZE];
    char *namespace_id, *to;
    int64_t last_seen_ms; /* of the recipient; 0: never */
};

struct store_send_result {
    enum store_refusal refusal;
    struct store_sent *sent; /* one for each recipient, in the order given; who was named twice, once */
    size_t sent_count;
    bool repeat;      /* the same send was stored before: this is the first result again */
    char *refused_to; /* UNKNOWN_RECIPIENT, AMBIGUOUS, QUEUE_FULL: which recipient; as agent@namespace
                         outside the caller's own */
    char **names;     /* UNKNOWN_RECIPIENT, AMBIGUOUS: agents, by name; as agent@namespace, and by namespace
                         first, where the caller has several */
    size_t names_count;
    struct store_messages unread; /* INBOX_GATE: the oldest, at most GATE_PREVIEW_MAX */
    int64_t unread_total;
};
void store_send_result_free(struct store_send_result *result);

/* Stores one message for each recipient, all or none. Refusals are looked for in this order: id, recipients,
 * gate, queues; a refused send leaves nothing behind but the caller's acks and presence. */
MUST_CHECK enum store_status store_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result);

struct store_offer {
    const char *lease;   /* the caller's UUID for this offer; NULL: show without taking */
    size_t max_messages; /* > 0 */
    size_t max_bytes;    /* of content; one message is always shown. Each counts OFFER_OVERHEAD_BYTES more */
    bool with_context;   /* inbox: deferred messages and agents too */
    bool all_agents;     /* agents: those long away as well */
    int64_t active_since_ms; /* agents: seen at or after; ignored with all_agents */
};
enum { OFFER_OVERHEAD_BYTES = 120 };

struct store_offer_result {
    struct store_messages messages; /* oldest first */
    int64_t more;                   /* pending and on offer, not in messages */
    int64_t in_delivery;            /* leased under another lease */
    int64_t next_lease_end_ms;      /* when the earliest of those ends; 0: none */
    struct store_messages deferred; /* with_context: oldest first, at most max_messages, within the bytes left
                                       (at least one) */
    int64_t deferred_total;
    struct store_agents agents; /* with_context: the others of its namespaces that exist, last seen first */
};
void store_offer_result_free(struct store_offer_result *result);

/* Leases the caller's oldest pending messages to the lease id. The same lease id again gives the same
 * messages (those not acknowledged since) and renews it. */
MUST_CHECK enum store_status store_offer(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result);

/* What becomes of those messages of a lease that did not arrive. */
enum store_release {
    RELEASE_NONE,    /* the lease goes on */
    RELEASE_UNSHOWN, /* pending again, as if that offer had not been: nobody saw them */
    RELEASE_LOST,    /* pending again, and the offer counts: they may have been seen */
};
/* Marks messages of the caller as read (ids, whatever their lease's state), and makes what else the lease
 * holds pending again (lease may be NULL with RELEASE_NONE). *released (may be NULL) is how many messages
 * went back. */
MUST_CHECK enum store_status store_ack(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released);

struct store_reply {
    const char *message_id; /* what is replied to: addressed to the caller */
    const char *reply_id;   /* the caller's id of the reply; NULL: the store makes one */
    const char *content;    /* NULL: nothing is sent */
    size_t content_len;
    bool is_sealed; /* as store_send has it */
    bool defer;     /* keep the original in the inbox as deferred */
    bool resolve;   /* close its thread */
};

struct store_reply_result {
    enum store_refusal refusal; /* ID_TAKEN, EXPIRED, UNKNOWN_RECIPIENT (gone since), QUEUE_FULL */
    bool repeat;
    bool was_sent;
    struct store_sent sent; /* where was_sent; sent.to also where nothing was sent */
    char *thread;           /* slug; NULL for none */
    bool resolved;          /* the thread is closed now */
};
void store_reply_result_free(struct store_reply_result *result);

/* ABSENT: no such message for the caller. A reply is an ack of what it replies to, and inherits its thread:
 * it opens that again, or with resolve closes it. The original becomes deferred with defer, else replied,
 * with content or without; an expired one stays that (message_life.h). A refused reply, and a repeat, leave
 * the original as it is. Refusals are looked for in the order of the list. */
MUST_CHECK enum store_status store_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result);

/* Takes back a message (or, by its group id, each of several: all or none) that the caller sent and that was
 * never offered. What was taken back before is DONE again; what expired is ABSENT. */
MUST_CHECK enum store_status store_unsend(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal);

struct store_recall {
    size_t limit;
    const char *from_agent;   /* NULL: any */
    const char *namespace_id; /* one of the caller's; NULL: all of them */
    const char *thread;       /* slug or thread id; NULL: any */
    const char *query;        /* words, all of which must occur; NULL: any */
    const char *message_id;   /* just that one, whatever else is asked for; NULL: any */
    int64_t after_seq;        /* only later ones, oldest first; 0: newest first */
};
/* Messages that the caller sent or was sent (unsent ones only to their sender). An expired one has lost its
 * content, and is found by its message_id alone. A query without a word in it finds nothing. Changes nothing.
 */
MUST_CHECK enum store_status store_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result);

/* GET /api/inbox: the caller's messages of one status, newest first; count_only leaves messages empty.
 * *count: how many rows, at most limit. Changes nothing. */
MUST_CHECK enum store_status store_inbox(struct store *s, const struct store_caller *caller,
    enum message_status status, size_t limit, bool count_only, struct store_messages *result, int64_t *count);

/* Messages to the caller of any status with a seq over after_seq, oldest first, content left out (NULL), at
 * most limit. *newest: the store's last seq for this caller, also when nothing was found. */
MUST_CHECK enum store_status store_events(struct store *s, const struct store_caller *caller,
    int64_t after_seq, size_t limit, struct store_messages *result, int64_t *newest);

/* Applies the caller's acks and presence alone. */
MUST_CHECK enum store_status store_touch(struct store *s, const struct store_caller *caller);

/* ---- tokens ---- */

struct store_token {
    char hash[SHA256_HEX_SIZE];
    char *namespace_id, *agent, *label; /* label may be NULL */
    bool active;
    int64_t created_ms, expires_ms, last_used_ms; /* 0: never */
    /* Access tokens of OAuth grants only, which store_token_find alone knows (store_oauth.h): */
    char **also; /* further namespaces of the agent */
    size_t also_count;
    char grant_id[UUID_SIZE]; /* "": a bearer token */
    char *audience;           /* the resource that it is for; NULL: a bearer token */
};
struct store_tokens {
    struct store_token *items;
    size_t count;
};
void store_tokens_free(struct store_tokens *tokens);

/* The active, unexpired bearer or access token of that hash; ABSENT otherwise. Frees with store_tokens_free
 * (one item). */
MUST_CHECK enum store_status store_token_find(
    struct store *s, const char hash[static SHA256_HEX_SIZE], struct store_tokens *result);
MUST_CHECK enum store_status store_token_add(
    struct store *s, const struct store_token *token, enum store_refusal *refusal);
MUST_CHECK enum store_status store_token_list(struct store *s, struct store_tokens *result);
/* Ends active tokens at expires_ms (0: at once, and inactive; never later than they end already): by a hash
 * or an unambiguous prefix of one, or of an agent. Pass NULL for what is not meant. *count: how many. ABSENT
 * where none matched, REFUSED where a prefix fits several. */
MUST_CHECK enum store_status store_token_end(struct store *s, const char *hash_prefix,
    const char *namespace_id, const char *agent, int64_t expires_ms, int64_t *count);

/* ---- bans: token_hash → until when ---- */

struct store_ban {
    char token_hash[SHA256_HEX_SIZE];
    int64_t until_ms;
};
MUST_CHECK enum store_status store_ban_put(struct store *s, const struct store_ban *ban);
/* Those still in force; *bans is freed with free(). */
MUST_CHECK enum store_status store_ban_list(struct store *s, struct store_ban **bans, size_t *count);

/* ---- housekeeping ---- */

struct store_cleanup_result {
    int64_t expired;              /* messages that passed the retention now */
    int64_t notices;              /* notices sent for those nobody had read */
    int64_t deleted;              /* tombstones removed */
    int64_t offline;              /* agents whose presence went stale */
    struct store_agents notified; /* who got a notice: wake them */
};
void store_cleanup_result_free(struct store_cleanup_result *result);
/* Expires messages older than max_age_ms, removes tombstones of twice that age (and themselves max_age_ms
 * old), ends what else ran out. In many small steps, each atomic: after a FAULT some are done. dry_run only
 * counts. */
MUST_CHECK enum store_status store_cleanup(struct store *s, int64_t max_age_ms, int64_t active_window_ms,
    bool dry_run, struct store_cleanup_result *result);

struct store_stats {
    int64_t by_status[4]; /* indexed by message_status */
    int64_t leased, unsent, expired;
    int64_t bans;
    int64_t clients, grants;    /* registered; that stand (store_oauth.h) */
    int64_t oldest_pending_ms;  /* sent at; 0: none */
    struct store_agents agents; /* every agent that exists, with counts */
};
void store_stats_free(struct store_stats *stats);
MUST_CHECK enum store_status store_stats(struct store *s, struct store_stats *stats);

/* True where the store answers. */
bool store_ready(struct store *s);

/* A consistent copy into the existing, empty folder, while others write. False: why has one line. */
MUST_CHECK bool store_backup(struct store *s, const char *folder, struct buf *why);

/* ---- life ---- */

enum store_role {
    STORE_ROLE_RELAY,   /* serves: takes the single-relay lock, migrates */
    STORE_ROLE_ADMIN,   /* a command beside a serving relay: migrates only where no relay serves */
    STORE_ROLE_MIGRATE, /* as ADMIN, for store_migrate: opens also what has no schema yet, or an older one */
};

/* Where a Supabase project is. */
struct store_supabase {
    const char *url, *key;
    const char *ca_file; /* PEM: authorities beside the system's; NULL: none */
    int64_t breaker_ms;  /* how long it is left alone at most once it is away */
    int64_t poll_ms;     /* how often to look for what other relays stored; 0: there are none */
};

struct store_options {
    const char *data_dir;           /* of the embedded store */
    const char *database_url;       /* PostgreSQL's; NULL: not that one */
    struct store_supabase supabase; /* its url NULL: not that one */
    const char *encryption_key;     /* seals messages (store_cipher_new); NULL: they are stored as they are */
    enum store_role role;
    /* Called on a thread of the store's own (it may call the store) after somebody else than this struct
     * store changed what is stored (an administrator's command, another relay): forget what was cached, look
     * again. May be NULL. */
    void (*changed)(void *arg);
    void *changed_arg;
    /* Called on a thread of the store's own where another relay stored something for that agent: wake its
     * waits. May be NULL. */
    void (*arrived)(void *arg, const char *namespace_id, const char *agent); /* with changed_arg */
};

/* Opens the kind of store that the options name: PostgreSQL by database_url, else Supabase, else the embedded
 * one. NULL: why has one line that says what is wrong and what to do. */
struct store *store_open(const struct store_options *options, struct buf *why);
/* "sqlite", "postgres", "supabase": which one that is. */
const char *store_kind(const struct store_options *options);
/* What relays of the same store have in common, and nobody else has: the password in database_url, or the
 * project's key. The caller frees with secret_free; NULL: there is none. */
char *store_credential(const struct store_options *options);
char *store_credential_postgres(const struct store_options *options);
struct store *store_open_postgres(const struct store_options *options, struct buf *why);
struct store *store_open_supabase(const struct store_options *options, struct buf *why);
struct store *store_open_sqlite(const struct store_options *options, struct buf *why);
/* Ends its threads; every operation must have returned. */
void store_close(struct store *s);
/* Applies migrations that are missing. *applied: how many. False: why has one line. */
MUST_CHECK bool store_migrate(struct store *s, int *applied, struct buf *why);

/* True where messages are sealed: a search finds none of them. */
bool store_is_sealed(const struct store *s);

/* Has observe called after every operation, on its caller's thread, with its name (static text), how long it
 * took and how it ended. Call before other threads use the store. */
void store_observe(
    struct store *s, void (*observe)(const char *operation, int64_t micros, enum store_status status));

#endif
