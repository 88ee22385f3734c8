/* store_oauth_fixture.h: clients, codes and grants of a store in a call each, for tests that are written
 * against store_oauth.h alone. What is hashed elsewhere is here the SHA-256 of a short text. */
#ifndef TESTS_STORE_OAUTH_FIXTURE_H
#define TESTS_STORE_OAUTH_FIXTURE_H

#include "../../relay/store/store_oauth.h"
#include "store_case.h"

#define CLIENT    "client-1"
#define REDIRECT  "https://client.example/callback"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define AUDIENCE  "https://relay.example/mcp"

enum { CODE_MS = 60 * 1000, ACCESS_MS = 24 * MS_PER_HOUR, LOGIN_MS = 20 * MS_PER_DAY };

struct hash {
    char hex[SHA256_HEX_SIZE];
};

static inline struct hash hashed(const char *text)
{
    struct hash hash;
    secret_sha256_hex(text, strlen(text), hash.hex);
    return hash;
}

/* ---- who ---- */

/* "webapp" in "shop", and in the namespaces of also (separated by blanks, in the order of their names). */
static inline struct store_subject subject_beside(const char *also)
{
    struct store_subject subject = {.namespace_id = xstrdup("shop"), .agent = xstrdup("webapp")};
    char *copy = xstrdup(also), *rest = copy;
    for (const char *name; (name = strsep(&rest, " "));) {
        if (!*name)
            continue;
        subject.also = xreallocarray(subject.also, subject.also_count + 1, sizeof *subject.also);
        subject.also[subject.also_count++] = xstrdup(name);
    }
    free(copy);
    return subject;
}

static inline void assert_subject(const struct store_subject *subject, const char *also)
{
    struct store_subject wanted = subject_beside(also);
    ck_assert_str_eq(subject->namespace_id, wanted.namespace_id);
    ck_assert_str_eq(subject->agent, wanted.agent);
    ck_assert_uint_eq(subject->also_count, wanted.also_count);
    for (size_t i = 0; i < wanted.also_count; i++)
        ck_assert_str_eq(subject->also[i], wanted.also[i]);
    store_subject_free(&wanted);
}

/* ---- codes ---- */

static inline enum store_status add_code(
    enum store_code_kind kind, const char *text, const char *also, int64_t lasts_ms)
{
    struct store_subject subject = subject_beside(also);
    enum store_refusal refusal;
    const enum store_status status =
        store_code_add(s, kind, hashed(text).hex, &subject, clock_wall_ms() + lasts_ms, &refusal);
    ck_assert_int_eq(refusal, status == STORE_REFUSED ? REFUSAL_EXISTS : REFUSAL_NONE);
    store_subject_free(&subject);
    return status;
}

/* What an authorization code of CLIENT stands for. */
static inline struct store_authorization authorization_for(int64_t lasts_ms)
{
    return (struct store_authorization){.client_id = CLIENT,
        .client_name = "A client",
        .redirect_uri = REDIRECT,
        .challenge = CHALLENGE,
        .audience = AUDIENCE,
        .scope = "messages",
        .expires_ms = clock_wall_ms() + lasts_ms};
}

/* Uses up a connect code of that text. */
static inline enum store_status authorize(const char *connect, const char *code)
{
    const struct store_authorization authorization = authorization_for(CODE_MS);
    struct store_subject subject;
    const enum store_status status =
        store_authorize(s, hashed(connect).hex, hashed(code).hex, &authorization, &subject);
    if (status != STORE_DONE)
        ck_assert_ptr_null(subject.agent);
    store_subject_free(&subject);
    return status;
}

/* An authorization code that nothing was used up for. */
static inline void must_authorize(const char *code, const char *also, int64_t lasts_ms)
{
    const struct store_authorization authorization = authorization_for(lasts_ms);
    struct store_subject subject = subject_beside(also);
    ck_assert_int_eq(store_authorize(s, NULL, hashed(code).hex, &authorization, &subject), STORE_DONE);
    assert_subject(&subject, also);
    store_subject_free(&subject);
}

/* ---- grants ---- */

/* The pair of tokens "<name> access" and "<name> refresh". */
static inline struct store_token_pair pair_of(const char *name)
{
    char *access = xasprintf("%s access", name), *refresh = xasprintf("%s refresh", name);
    struct store_token_pair pair = {
        .access_expires_ms = clock_wall_ms() + ACCESS_MS, .refresh_expires_ms = clock_wall_ms() + LOGIN_MS};
    memcpy(pair.access_hash, hashed(access).hex, sizeof pair.access_hash);
    memcpy(pair.refresh_hash, hashed(refresh).hex, sizeof pair.refresh_hash);
    free(access);
    free(refresh);
    return pair;
}

static inline struct store_redemption redemption_of(const char *name)
{
    return (struct store_redemption){.client_id = CLIENT,
        .redirect_uri = REDIRECT,
        .challenge = CHALLENGE,
        .audience = AUDIENCE,
        .pair = pair_of(name)};
}

/* The grant's id into id (may be NULL). */
static inline enum store_status redeem_as(
    const char *code, const struct store_redemption *redemption, char *id)
{
    struct store_grants grants;
    enum store_refusal refusal;
    const enum store_status status = store_code_redeem(s, hashed(code).hex, redemption, &grants, &refusal);
    ck_assert_int_eq(refusal, status == STORE_REFUSED ? REFUSAL_USED : REFUSAL_NONE);
    ck_assert_uint_eq(grants.count, status == STORE_DONE ? 1 : 0);
    if (id && status == STORE_DONE)
        memcpy(id, grants.items[0].id, UUID_SIZE);
    store_grants_free(&grants);
    return status;
}

static inline enum store_status redeem(const char *code, const char *name)
{
    const struct store_redemption redemption = redemption_of(name);
    return redeem_as(code, &redemption, NULL);
}

/* A grant with the pair of that name; its id into id (may be NULL). */
static inline void must_grant(const char *name, const char *also, char *id)
{
    const struct store_redemption redemption = redemption_of(name);
    must_authorize(name, also, CODE_MS);
    ck_assert_int_eq(redeem_as(name, &redemption, id), STORE_DONE);
}

static inline enum store_status refresh_as(
    const char *client_id, const char *from, const char *audience, const char *to)
{
    struct store_grants grants;
    enum store_refusal refusal;
    char *token = xasprintf("%s refresh", from);
    const struct store_token_pair pair = pair_of(to);
    const enum store_status status =
        store_refresh(s, hashed(token).hex, client_id, audience, &pair, &grants, &refusal);
    ck_assert_int_eq(refusal, status == STORE_REFUSED ? REFUSAL_USED : REFUSAL_NONE);
    ck_assert_uint_eq(grants.count, status == STORE_DONE ? 1 : 0);
    store_grants_free(&grants);
    free(token);
    return status;
}

/* From the pair of one name to the pair of another. */
static inline enum store_status refresh(const char *from, const char *to)
{
    return refresh_as(CLIENT, from, AUDIENCE, to);
}

static inline enum store_status find_token(const char *text, struct store_tokens *found)
{
    return store_token_find(s, hashed(text).hex, found);
}

/* Whether the access token of that name's pair lets in. */
static inline bool lets_in(const char *name)
{
    char *token = xasprintf("%s access", name);
    struct store_tokens found;
    const enum store_status status = find_token(token, &found);
    ck_assert(status == STORE_DONE || status == STORE_ABSENT);
    ck_assert_uint_eq(found.count, status == STORE_DONE ? 1 : 0);
    store_tokens_free(&found);
    free(token);
    return status == STORE_DONE;
}

static inline size_t grants_that_stand(void)
{
    struct store_grants grants;
    ck_assert_int_eq(store_grant_list(s, &grants), STORE_DONE);
    const size_t count = grants.count;
    store_grants_free(&grants);
    return count;
}

static inline enum store_status end_grants(const struct store_grant_choice *choice, int64_t *count)
{
    int64_t ended = -1;
    const enum store_status status = store_grant_end(s, choice, &ended);
    ck_assert_int_eq(ended > 0, status == STORE_DONE);
    if (count)
        *count = ended;
    return status;
}

/* ---- who exists ---- */

static inline bool exists(const char *namespace_id, const char *agent)
{
    struct store_stats stats;
    bool found = false;
    ck_assert_int_eq(store_stats(s, &stats), STORE_DONE);
    for (size_t i = 0; i < stats.agents.count; i++)
        found = found || (strcmp(stats.agents.items[i].namespace_id, namespace_id) == 0 &&
                             strcmp(stats.agents.items[i].agent, agent) == 0);
    store_stats_free(&stats);
    return found;
}

#endif
