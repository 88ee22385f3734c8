#include "store_oauth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "store_ops.h"

/* ---- results ---- */

char **store_words(const char *text, size_t *count)
{
    char **words = NULL;
    *count = 0;
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        const size_t len = strcspn(at, " ");
        words = store_list_grow(words, *count, sizeof *words);
        words[(*count)++] = xmemdup_text(at, len);
        at += len;
    }
    return words;
}

void store_subject_free(struct store_subject *subject)
{
    free(subject->namespace_id);
    free(subject->agent);
    for (size_t i = 0; i < subject->also_count; i++)
        free(subject->also[i]);
    free(subject->also);
    *subject = (struct store_subject){0};
}

void store_subject_set(
    struct store_subject *subject, const char *namespace_id, const char *agent, const char *also)
{
    store_subject_free(subject);
    subject->namespace_id = xstrdup(namespace_id);
    subject->agent = xstrdup(agent);
    subject->also = store_words(also, &subject->also_count);
}

struct store_client *store_clients_add(struct store_clients *clients)
{
    clients->items = store_list_grow(clients->items, clients->count, sizeof *clients->items);
    struct store_client *added = &clients->items[clients->count++];
    *added = (struct store_client){0};
    return added;
}

void store_clients_free(struct store_clients *clients)
{
    for (size_t i = 0; i < clients->count; i++) {
        free(clients->items[i].client_id);
        free(clients->items[i].metadata);
    }
    free(clients->items);
    *clients = (struct store_clients){0};
}

struct store_grant *store_grants_add(struct store_grants *grants)
{
    grants->items = store_list_grow(grants->items, grants->count, sizeof *grants->items);
    struct store_grant *added = &grants->items[grants->count++];
    *added = (struct store_grant){0};
    return added;
}

void store_grants_free(struct store_grants *grants)
{
    for (size_t i = 0; i < grants->count; i++) {
        struct store_grant *grant = &grants->items[i];
        free(grant->client_id);
        free(grant->client_name);
        store_subject_free(&grant->subject);
        free(grant->audience);
        free(grant->scope);
    }
    free(grants->items);
    *grants = (struct store_grants){0};
}

void store_device_free(struct store_device *device)
{
    free(device->machine);
    free(device->address);
    *device = (struct store_device){0};
}

/* ---- operations ---- */

enum store_status store_client_add(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *refusal = REFUSAL_NONE;
    const enum store_status status =
        s->ops->client_add ? s->ops->client_add(s, client, max_unused, refusal) : store_lacks("client_add");
    return store_ended(s, "client_add", began, status);
}

enum store_status store_client_find(struct store *s, const char *client_id, struct store_clients *result)
{
    const int64_t began = store_began();
    *result = (struct store_clients){0};
    const enum store_status status =
        s->ops->client_find ? s->ops->client_find(s, client_id, result) : store_lacks("client_find");
    if (status == STORE_FAULT)
        store_clients_free(result);
    return store_ended(s, "client_find", began, status);
}

enum store_status store_code_add(struct store *s, enum store_code_kind kind,
    const char hash[static SHA256_HEX_SIZE], const struct store_subject *subject, int64_t expires_ms,
    enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *refusal = REFUSAL_NONE;
    const enum store_status status = s->ops->code_add
                                         ? s->ops->code_add(s, kind, hash, subject, expires_ms, refusal)
                                         : store_lacks("code_add");
    return store_ended(s, "code_add", began, status);
}

enum store_status store_invite_redeem(struct store *s, const char hash[static SHA256_HEX_SIZE],
    const struct store_token *token, struct store_subject *subject)
{
    const int64_t began = store_began();
    *subject = (struct store_subject){0};
    const enum store_status status =
        s->ops->invite_redeem ? s->ops->invite_redeem(s, hash, token, subject) : store_lacks("invite_redeem");
    if (status != STORE_DONE)
        store_subject_free(subject);
    return store_ended(s, "invite_redeem", began, status);
}

enum store_status store_authorize(struct store *s, const char *connect_hash,
    const char code_hash[static SHA256_HEX_SIZE], const struct store_authorization *authorization,
    struct store_subject *subject)
{
    const int64_t began = store_began();
    if (connect_hash)
        *subject = (struct store_subject){0};
    const enum store_status status =
        s->ops->authorize ? s->ops->authorize(s, connect_hash, code_hash, authorization, subject)
                          : store_lacks("authorize");
    if (connect_hash && status != STORE_DONE)
        store_subject_free(subject);
    return store_ended(s, "authorize", began, status);
}

enum store_status store_code_redeem(struct store *s, const char code_hash[static SHA256_HEX_SIZE],
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *result = (struct store_grants){0};
    *refusal = REFUSAL_NONE;
    const enum store_status status = s->ops->code_redeem
                                         ? s->ops->code_redeem(s, code_hash, redemption, result, refusal)
                                         : store_lacks("code_redeem");
    if (status == STORE_FAULT)
        store_grants_free(result);
    return store_ended(s, "code_redeem", began, status);
}

enum store_status store_refresh(struct store *s, const char refresh_hash[static SHA256_HEX_SIZE],
    const char *client_id, const char *audience, const struct store_token_pair *pair,
    struct store_grants *result, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *result = (struct store_grants){0};
    *refusal = REFUSAL_NONE;
    const enum store_status status =
        s->ops->refresh ? s->ops->refresh(s, refresh_hash, client_id, audience, pair, result, refusal)
                        : store_lacks("refresh");
    if (status == STORE_FAULT)
        store_grants_free(result);
    return store_ended(s, "refresh", began, status);
}

enum store_status store_grant_list(struct store *s, struct store_grants *result)
{
    const int64_t began = store_began();
    *result = (struct store_grants){0};
    const enum store_status status =
        s->ops->grant_list ? s->ops->grant_list(s, result) : store_lacks("grant_list");
    if (status == STORE_FAULT)
        store_grants_free(result);
    return store_ended(s, "grant_list", began, status);
}

enum store_status store_grant_end(struct store *s, const struct store_grant_choice *choice, int64_t *count)
{
    assert(
        choice->all || choice->id_prefix || choice->client_id || choice->namespace_id || choice->token_hash);
    assert(!choice->agent || choice->namespace_id);
    const int64_t began = store_began();
    *count = 0;
    const enum store_status status =
        s->ops->grant_end ? s->ops->grant_end(s, choice, count) : store_lacks("grant_end");
    return store_ended(s, "grant_end", began, status);
}

enum store_status store_device_add(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *refusal = REFUSAL_NONE;
    const enum store_status status =
        s->ops->device_add ? s->ops->device_add(s, device, max, refusal) : store_lacks("device_add");
    return store_ended(s, "device_add", began, status);
}

enum store_status store_device_find(
    struct store *s, const char user_hash[static SHA256_HEX_SIZE], struct store_device *result)
{
    const int64_t began = store_began();
    *result = (struct store_device){0};
    const enum store_status status =
        s->ops->device_find ? s->ops->device_find(s, user_hash, result) : store_lacks("device_find");
    if (status != STORE_DONE)
        store_device_free(result);
    return store_ended(s, "device_find", began, status);
}

enum store_status store_device_decide(struct store *s, const char user_hash[static SHA256_HEX_SIZE],
    const char *connect_hash, struct store_subject *subject, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *subject = (struct store_subject){0};
    *refusal = REFUSAL_NONE;
    const enum store_status status = s->ops->device_decide
                                         ? s->ops->device_decide(s, user_hash, connect_hash, subject, refusal)
                                         : store_lacks("device_decide");
    if (status != STORE_DONE)
        store_subject_free(subject);
    return store_ended(s, "device_decide", began, status);
}

enum store_status store_device_redeem(struct store *s, const char device_hash[static SHA256_HEX_SIZE],
    const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
    enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *subject = (struct store_subject){0};
    *refusal = REFUSAL_NONE;
    const enum store_status status =
        s->ops->device_redeem ? s->ops->device_redeem(s, device_hash, token, interval_ms, subject, refusal)
                              : store_lacks("device_redeem");
    if (status != STORE_DONE)
        store_subject_free(subject);
    return store_ended(s, "device_redeem", began, status);
}

enum store_status store_oauth_cleanup(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result)
{
    const int64_t began = store_began();
    *result = (struct store_oauth_cleanup){0};
    const enum store_status status = s->ops->oauth_cleanup
                                         ? s->ops->oauth_cleanup(s, max_age_ms, dry_run, result)
                                         : store_lacks("oauth_cleanup");
    return store_ended(s, "oauth_cleanup", began, status);
}
