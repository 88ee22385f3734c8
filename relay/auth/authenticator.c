#include "authenticator.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "address.h"
#include "identity.h"
#include "identity_cache.h"
#include "origin.h"
#include "rate_limit.h"

enum {
    PRESENCE_AGENTS_MAX = 16384,
    ACQUAINTED_MAX = 16384,
    LOOKED_UP_MAX = 16384,
    LOOK_UP_INTERVAL_MS = 1000, /* for an address that is shut out */
    STORE_RETRY_S = 2
};

struct seen {
    struct lru_entry entry;
    bool was_written;
    int64_t written_ms;
};

/* When the store may be asked again for an address that is shut out. */
struct looked_up {
    struct lru_entry entry;
    int64_t next_ms;
};

struct authenticator {
    struct store *store;
    char *public_url, *resource, *scope;
    struct address_blocks trusted_proxies;
    int64_t ban_ms, presence_interval_ms;

    pthread_mutex_t lock; /* of what follows; never held while the store is asked */
    struct identity_cache cache;
    struct lru acquainted; /* hashes of credentials that were good when the store was last asked */
    struct lru looked_up;  /* by address */
    struct rate_limit *tokens, *strangers; /* by credential hash, by address */
    struct lru presence;                   /* struct seen by agent's address, or credential hash */
};

static bool load_bans(struct authenticator *a, struct buf *why)
{
    struct store_ban *bans = NULL;
    size_t count = 0;
    if (store_ban_list(a->store, &bans, &count) != STORE_DONE) {
        buf_puts(why, "cannot read the bans from the store");
        return false;
    }
    const int64_t mono_of_wall = clock_mono_ms() - clock_wall_ms();
    for (size_t i = 0; i < count; i++)
        rate_limit_ban(a->tokens, bans[i].token_hash, bans[i].until_ms + mono_of_wall);
    free(bans);
    return true;
}

struct authenticator *authenticator_new(
    const struct authenticator_options *options, struct store *store, struct buf *why)
{
    struct authenticator *a = xcalloc(1, sizeof *a);
    a->store = store;
    a->public_url = xstrdup(options->public_url);
    a->resource = xasprintf("%s%s", options->public_url, options->mcp_path);
    a->scope = xstrdup(options->scope);
    a->ban_ms = options->ban_seconds * MS_PER_SECOND;
    a->presence_interval_ms = options->presence_interval_ms;
    pthread_mutex_init(&a->lock, NULL);
    identity_cache_init(&a->cache);
    lru_init(&a->acquainted, ACQUAINTED_MAX, sizeof(struct lru_entry), NULL);
    lru_init(&a->looked_up, LOOKED_UP_MAX, sizeof(struct looked_up), NULL);
    lru_init(&a->presence, PRESENCE_AGENTS_MAX, sizeof(struct seen), NULL);
    a->tokens = rate_limit_new(options->rate_limit_per_minute, a->ban_ms);
    a->strangers = rate_limit_new(options->anon_rate_limit_per_minute, a->ban_ms);
    if (address_blocks_parse(options->trusted_proxies, &a->trusted_proxies, why) && load_bans(a, why))
        return a;
    authenticator_free(a);
    return NULL;
}

void authenticator_free(struct authenticator *a)
{
    if (!a)
        return;
    address_blocks_free(&a->trusted_proxies);
    rate_limit_free(a->tokens);
    rate_limit_free(a->strangers);
    lru_clear(&a->presence);
    lru_clear(&a->acquainted);
    lru_clear(&a->looked_up);
    identity_cache_free(&a->cache);
    pthread_mutex_destroy(&a->lock);
    free(a->public_url);
    free(a->resource);
    free(a->scope);
    free(a);
}

/* ---- addresses ---- */

static bool was_forwarded(const struct exchange *ex)
{
    static const char *const headers[] = {
        "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"};
    for (size_t i = 0; i < LENGTH_OF(headers); i++)
        if (exchange_header(ex, headers[i]))
            return true;
    return false;
}

/* Several X-Forwarded-For lines are one list (RFC 9110 section 5.3). */
static void join_forwarded_for(const struct exchange *ex, struct buf *out)
{
    for (size_t i = 0; i < ex->headers_count; i++)
        if (strcasecmp(ex->headers[i].name, "X-Forwarded-For") == 0)
            buf_printf(out, "%s%s", out->len > 0 ? "," : "", ex->headers[i].value);
}

static struct address find_client(const struct authenticator *a, const struct exchange *ex)
{
    struct address peer = {{0}};
    if (!address_parse(ex->peer, strlen(ex->peer), &peer))
        return peer;
    struct buf list = {0};
    join_forwarded_for(ex, &list);
    const struct address client = address_behind(&a->trusted_proxies, peer, buf_text(&list));
    buf_free(&list);
    return client;
}

void client_address(const struct authenticator *a, const struct exchange *ex,
    char out[static INET6_ADDRSTRLEN], bool *forwarded)
{
    const struct address client = find_client(a, ex);
    address_format(&client, out);
    *forwarded = was_forwarded(ex);
}

void authenticator_limit_key(
    const struct authenticator *a, const struct exchange *ex, char out[static INET6_ADDRSTRLEN])
{
    const struct address client = find_client(a, ex), counted = address_for_limit(&client);
    address_format(&counted, out);
}

/* ---- refusals ---- */

void authenticator_answer_limited(struct exchange *ex, int64_t retry_ms)
{
    const int64_t seconds = retry_ms <= MS_PER_SECOND ? 1 : (retry_ms + MS_PER_SECOND - 1) / MS_PER_SECOND;
    char *retry_after = xasprintf("%lld", (long long)seconds);
    char *body = xasprintf("{\"error\":\"rate_limited\",\"retry_after\":%lld}", (long long)seconds);
    exchange_answer(ex, 429, "application/json", body, strlen(body));
    exchange_add_header(ex, "Retry-After", retry_after);
    free(retry_after);
    free(body);
}

static void answer_store_failed(struct exchange *ex)
{
    char retry_after[12];
    snprintf(retry_after, sizeof retry_after, "%d", STORE_RETRY_S);
    exchange_error(ex, 503, "store_unavailable", "The store did not answer. Nothing was done; try again.");
    exchange_add_header(ex, "Retry-After", retry_after);
}

bool authenticator_count_try(struct authenticator *a, struct exchange *ex)
{
    char key[INET6_ADDRSTRLEN];
    authenticator_limit_key(a, ex, key);
    int64_t retry_ms;
    pthread_mutex_lock(&a->lock);
    const enum rate_verdict verdict = rate_limit_count(a->strangers, key, clock_mono_ms(), &retry_ms);
    pthread_mutex_unlock(&a->lock);
    if (verdict == RATE_FINE)
        return true;
    if (verdict == RATE_BAN_BEGINS)
        log_warn("address_banned", LOG_STR("address", key), LOG_INT("seconds", a->ban_ms / MS_PER_SECOND));
    authenticator_answer_limited(ex, retry_ms);
    return false;
}

/* RFC 6750 section 3: a request without any credential has no error. RFC 9728 section 5.1 has the metadata.
 */
static void challenge(
    const struct authenticator *a, struct exchange *ex, const char *metadata_path, bool is_wrong)
{
    struct buf value = {0};
    buf_puts(&value, is_wrong ? "Bearer error=\"invalid_token\"" : "Bearer");
    if (metadata_path)
        buf_printf(&value, "%s resource_metadata=\"%s%s\", scope=\"%s\"", is_wrong ? "," : "", a->public_url,
            metadata_path, a->scope);
    exchange_add_header(ex, "WWW-Authenticate", buf_text(&value));
    buf_free(&value);
}

static void refuse_stranger(struct authenticator *a, struct exchange *ex, const char *metadata_path,
    bool is_wrong, const char *message)
{
    if (!authenticator_count_try(a, ex))
        return;
    exchange_error(ex, 401, "invalid_token", message);
    challenge(a, ex, metadata_path, is_wrong);
}

bool authenticator_check_origin(const struct authenticator *a, struct exchange *ex)
{
    if (origin_is_allowed(exchange_header(ex, "Origin"), a->public_url))
        return true;
    exchange_error(ex, 403, "forbidden_origin", "Pages of this origin may not call the relay.");
    return false;
}

/* ---- credentials ---- */

/* The bearer credential (RFC 6750 section 2.1), or NULL. Borrowed. */
static const char *read_bearer(const struct exchange *ex)
{
    static const char scheme[] = "Bearer ";
    const char *value = exchange_header(ex, "Authorization");
    if (!value || strncasecmp(value, scheme, sizeof scheme - 1) != 0)
        return NULL;
    value += sizeof scheme - 1;
    value += strspn(value, " ");
    return *value ? value : NULL;
}

/* Under the lock. */
static void remember(struct authenticator *a, const char *hash, bool is_good)
{
    struct lru_entry *before = is_good ? lru_add(&a->acquainted, hash) : lru_find(&a->acquainted, hash);
    if (before && !is_good)
        lru_remove(&a->acquainted, before);
}

/* Asks the store whose credential it is, and keeps the answer. */
static enum store_status ask_store(
    struct authenticator *a, const char *hash, uint64_t generation, const struct identity **who)
{
    struct store_tokens found = {0};
    const enum store_status status = store_token_find(a->store, hash, &found);
    int64_t keep_ms = IDENTITY_UNKNOWN_MS;
    if (status == STORE_DONE) {
        const struct store_token *token = &found.items[0];
        *who = identity_new(token);
        keep_ms = IDENTITY_CACHE_MS;
        const int64_t left_ms = token->expires_ms - clock_wall_ms();
        if (token->expires_ms > 0 && left_ms < keep_ms)
            keep_ms = left_ms;
    }
    store_tokens_free(&found);
    if (status == STORE_FAULT)
        return status;
    pthread_mutex_lock(&a->lock);
    identity_cache_put(&a->cache, hash, *who, clock_mono_ms() + keep_ms, generation);
    remember(a, hash, *who != NULL);
    pthread_mutex_unlock(&a->lock);
    return status;
}

static enum store_status identify(struct authenticator *a, const char *hash, const struct identity **who)
{
    pthread_mutex_lock(&a->lock);
    const enum identity_answer answer = identity_cache_get(&a->cache, hash, clock_mono_ms(), who);
    const uint64_t generation = a->cache.generation;
    pthread_mutex_unlock(&a->lock);
    if (answer == IDENTITY_ASK)
        return ask_store(a, hash, generation, who);
    return answer == IDENTITY_KNOWN ? STORE_DONE : STORE_ABSENT;
}

/* Whether it needs no look, or was good before. */
static bool is_acquainted(struct authenticator *a, const char *hash)
{
    const struct identity *who;
    pthread_mutex_lock(&a->lock);
    const bool is = identity_cache_get(&a->cache, hash, clock_mono_ms(), &who) != IDENTITY_ASK ||
                    lru_find(&a->acquainted, hash) != NULL;
    pthread_mutex_unlock(&a->lock);
    identity_release(who);
    return is;
}

/* Under the lock. Where many share an address, what one of them does must not shut out the good credentials of the
 * others; what it costs to look them up is bounded. */
static bool may_look_up(struct authenticator *a, const char *address, int64_t now_ms)
{
    struct looked_up *last = lru_add(&a->looked_up, address);
    if (now_ms < last->next_ms)
        return false;
    last->next_ms = now_ms + LOOK_UP_INTERVAL_MS;
    return true;
}

/* False: the store would have to be asked once more for an address that is shut out: the exchange is answered. */
static bool may_ask(struct authenticator *a, struct exchange *ex, const char *hash)
{
    char key[INET6_ADDRSTRLEN];
    if (is_acquainted(a, hash))
        return true;
    authenticator_limit_key(a, ex, key);
    pthread_mutex_lock(&a->lock);
    const int64_t now_ms = clock_mono_ms(), left_ms = rate_limit_left(a->strangers, key, now_ms);
    const bool may = left_ms == 0 || may_look_up(a, key, now_ms);
    pthread_mutex_unlock(&a->lock);
    if (!may)
        authenticator_answer_limited(ex, left_ms);
    return may;
}

/* A ban that has just begun is to survive a restart. */
static void store_ban(struct authenticator *a, const struct identity *who)
{
    struct store_ban ban = {.until_ms = clock_wall_ms() + a->ban_ms};
    memcpy(ban.token_hash, who->credential_hash, sizeof ban.token_hash);
    char id[CREDENTIAL_ID_SIZE];
    snprintf(id, sizeof id, "%.*s", CREDENTIAL_ID_SIZE - 1, who->credential_hash);
    log_warn("token_banned", LOG_STR("agent", who->address), LOG_STR("id", id),
        LOG_INT("seconds", a->ban_ms / MS_PER_SECOND));
    if (store_ban_put(a->store, &ban) != STORE_DONE)
        log_error("ban_not_stored", LOG_STR("agent", who->address));
}

static bool admit_token(struct authenticator *a, struct exchange *ex, const struct identity *who)
{
    int64_t retry_ms;
    pthread_mutex_lock(&a->lock);
    const enum rate_verdict verdict =
        rate_limit_count(a->tokens, who->credential_hash, clock_mono_ms(), &retry_ms);
    pthread_mutex_unlock(&a->lock);
    if (verdict == RATE_FINE)
        return true;
    if (verdict == RATE_BAN_BEGINS)
        store_ban(a, who);
    authenticator_answer_limited(ex, retry_ms);
    return false;
}

/* RFC 8707: an access token counts for what it was given for, which is this relay's MCP endpoint or nothing
 * here. */
static bool is_for(const struct authenticator *a, const struct identity *who, const char *metadata_path)
{
    return !who->audience || (metadata_path && strcmp(who->audience, a->resource) == 0);
}

const struct identity *authenticate(
    struct authenticator *a, struct exchange *ex, enum access access, const char *metadata_path)
{
    const char *token = read_bearer(ex);
    if (exchange_query(ex, "access_token")) {
        exchange_error(ex, 400, "invalid_request", "Tokens do not belong into URLs, where they are logged.");
        return NULL;
    }
    if (!token || strlen(token) > TOKEN_MAX_LEN) {
        refuse_stranger(a, ex, metadata_path, token != NULL, "Send a token: Authorization: Bearer <token>.");
        return NULL;
    }
    char hash[SHA256_HEX_SIZE];
    secret_sha256_hex(token, strlen(token), hash);
    if (!may_ask(a, ex, hash))
        return NULL;
    const struct identity *who = NULL;
    const enum store_status status = identify(a, hash, &who);
    if (status == STORE_FAULT) {
        answer_store_failed(ex);
        return NULL;
    }
    if (status != STORE_DONE) {
        refuse_stranger(a, ex, metadata_path, true, "The token is unknown, was revoked, or has run out.");
        return NULL;
    }
    if (!is_for(a, who, metadata_path)) {
        identity_release(who);
        refuse_stranger(a, ex, metadata_path, true, "The token is for another resource.");
        return NULL;
    }
    if (access == ACCESS_METERED && !admit_token(a, ex, who)) {
        identity_release(who);
        return NULL;
    }
    return who;
}

bool authenticator_knows(struct authenticator *a, const struct exchange *ex)
{
    const char *token = read_bearer(ex);
    if (!token || strlen(token) > TOKEN_MAX_LEN)
        return false;
    char hash[SHA256_HEX_SIZE];
    secret_sha256_hex(token, strlen(token), hash);
    const struct identity *who = NULL;
    pthread_mutex_lock(&a->lock);
    const enum identity_answer answer = identity_cache_get(&a->cache, hash, clock_mono_ms(), &who);
    pthread_mutex_unlock(&a->lock);
    identity_release(who);
    return answer == IDENTITY_KNOWN;
}

enum operator_access authenticate_operator(struct authenticator *a, struct exchange *ex, const char *secret)
{
    const char *token = read_bearer(ex);
    if (token && secret && secret_equal(token, secret))
        return OPERATOR_ALLOWED;
    return authenticator_count_try(a, ex) ? OPERATOR_DENIED : OPERATOR_LIMITED;
}

bool identity_is_current(struct authenticator *a, const struct identity *who)
{
    const struct identity *now = NULL;
    const enum store_status status = identify(a, who->credential_hash, &now);
    identity_release(now);
    /* A store that fails is no reason to end what waits: what it does next tells. */
    return status == STORE_DONE || status == STORE_FAULT;
}

void authenticator_forget(struct authenticator *a)
{
    pthread_mutex_lock(&a->lock);
    identity_cache_forget(&a->cache);
    pthread_mutex_unlock(&a->lock);
}

size_t authenticator_bans(struct authenticator *a)
{
    const int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&a->lock);
    const size_t bans = rate_limit_bans(a->tokens, now_ms) + rate_limit_bans(a->strangers, now_ms);
    pthread_mutex_unlock(&a->lock);
    return bans;
}

/* ---- presence ---- */

static bool presence_is_due(struct authenticator *a, const char *address)
{
    const int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&a->lock);
    struct seen *seen = lru_add(&a->presence, address);
    const bool due = !seen->was_written || now_ms - seen->written_ms >= a->presence_interval_ms;
    if (due)
        seen->written_ms = now_ms;
    seen->was_written = true;
    pthread_mutex_unlock(&a->lock);
    return due;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

bool presence_due(struct authenticator *a, const struct identity *who, const struct client_labels *labels,
    struct store_presence *presence)
{
    /* In several namespaces it is another than its namesake in one of them. */
    if (!presence_is_due(a, who->also_count > 0 ? who->credential_hash : who->address))
        return false;
    *presence = (struct store_presence){
        .display_name = text_or_null(labels->display_name),
        .machine_name = text_or_null(labels->machine),
        .client_type = text_or_null(labels->type_name),
        .platform = text_or_null(labels->platform),
        .user_agent = text_or_null(labels->user_agent),
        .request_host = text_or_null(labels->request_host),
    };
    return true;
}
