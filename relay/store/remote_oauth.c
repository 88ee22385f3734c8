/* Those who log in, on a remote store. */
#include <bsd/string.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "store_remote.h"

/* ---- subjects ---- */

static void add_subject(struct json_object *holder, const struct store_subject *subject)
{
    struct json_object *also = json_new_array();
    for (size_t i = 0; i < subject->also_count; i++)
        json_append_text(also, subject->also[i]);
    json_add_text(holder, "ns", subject->namespace_id);
    json_add_text(holder, "agent", subject->agent);
    json_add(holder, "also", also);
}

static bool read_subject(struct json_object *holder, struct store_subject *subject)
{
    return remote_read_text(holder, "ns", &subject->namespace_id) &&
           remote_read_text(holder, "agent", &subject->agent) &&
           remote_read_texts(holder, "also", &subject->also, &subject->also_count);
}

static bool read_subject_of(struct json_object *answer, struct store_subject *subject)
{
    struct json_object *found = NULL;
    store_subject_free(subject);
    return json_get_object(answer, "subject", &found) == JSON_FIELD_FOUND && read_subject(found, subject);
}

/* ---- asking ---- */

/* What has no result but a refusal. */
static enum store_status ask_refusal(
    struct store *s, const char *function, struct json_object *body, enum store_refusal *refusal)
{
    struct json_object *answer;
    const enum store_status status = remote_ask(s, function, body, CALL_ONCE, &answer);
    const bool is_read = remote_read_refusal(answer, refusal);
    json_object_put(answer);
    return is_read ? status : remote_malformed(function);
}

/* What lets a subject in, or says why not; refusal may be NULL. */
static enum store_status ask_subject(struct store *s, const char *function, struct json_object *body,
    bool has_subject, struct store_subject *subject, enum store_refusal *refusal)
{
    struct json_object *answer;
    enum store_refusal ignored;
    const enum store_status status = remote_ask(s, function, body, CALL_ONCE, &answer);
    const bool is_read = remote_read_refusal(answer, refusal ? refusal : &ignored) &&
                         (status != STORE_DONE || !has_subject || read_subject_of(answer, subject));
    json_object_put(answer);
    return is_read ? status : remote_malformed(function);
}

/* ---- clients ---- */

enum store_status remote_client_add(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal)
{
    struct json_object *body = remote_body();
    json_add_text(body, "client_id", client->client_id);
    json_add_text(body, "metadata", client->metadata);
    json_add_text(body, "secret", *client->secret_hash ? client->secret_hash : NULL);
    json_add_int(body, "created", client->created_ms);
    json_add_int(body, "max", max_unused);
    return ask_refusal(s, "patchcord_client_add", body, refusal);
}

static bool read_client(struct json_object *row, struct store_client *client)
{
    const char *secret = json_text_or(row, "secret", "");
    return remote_read_text(row, "client_id", &client->client_id) &&
           remote_read_text(row, "metadata", &client->metadata) &&
           strlcpy(client->secret_hash, secret, sizeof client->secret_hash) < sizeof client->secret_hash &&
           remote_read_int(row, "created", &client->created_ms) &&
           remote_read_int(row, "used", &client->used_ms);
}

enum store_status remote_client_find(struct store *s, const char *client_id, struct store_clients *result)
{
    struct json_object *body = remote_body(), *answer, *list = NULL;
    json_add_text(body, "client_id", client_id);
    const enum store_status status = remote_ask(s, "patchcord_client_find", body, CALL_REPEATABLE, &answer);
    bool is_read = status != STORE_DONE || json_get_array(answer, "clients", &list) == JSON_FIELD_FOUND;
    for (size_t i = 0; is_read && list && i < json_object_array_length(list); i++)
        is_read = read_client(json_object_array_get_idx(list, i), store_clients_add(result));
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_client_find");
}

/* ---- codes that the operator hands out ---- */

enum store_status remote_code_add(struct store *s, enum store_code_kind kind, const char *hash,
    const struct store_subject *subject, int64_t expires_ms, enum store_refusal *refusal)
{
    static const char *const kinds[] = {[CODE_CONNECT] = "connect", [CODE_INVITE] = "invite"};
    struct json_object *body = remote_body();
    json_add_text(body, "kind", kinds[kind]);
    json_add_text(body, "hash", hash);
    add_subject(body, subject);
    json_add_int(body, "expires", expires_ms);
    return ask_refusal(s, "patchcord_code_add", body, refusal);
}

static void add_new_token(struct json_object *body, const struct store_token *token)
{
    struct json_object *object = json_new_object();
    remote_add_token(object, token);
    json_add(body, "token", object);
}

enum store_status remote_invite_redeem(
    struct store *s, const char *hash, const struct store_token *token, struct store_subject *subject)
{
    struct json_object *body = remote_body();
    json_add_text(body, "hash", hash);
    add_new_token(body, token);
    const enum store_status status = ask_subject(s, "patchcord_invite_redeem", body, true, subject, NULL);
    if (status == STORE_DONE)
        remote_tell(s, NULL, NULL);
    return status;
}

/* ---- authorizations and grants ---- */

enum store_status remote_authorize(struct store *s, const char *connect_hash, const char *code_hash,
    const struct store_authorization *authorization, struct store_subject *subject)
{
    struct json_object *body = remote_body();
    json_add_text(body, "connect", connect_hash);
    if (!connect_hash) {
        struct json_object *given = json_new_object();
        add_subject(given, subject);
        json_add(body, "subject", given);
    }
    json_add_text(body, "hash", code_hash);
    json_add_text(body, "client_id", authorization->client_id);
    json_add_text(body, "client_name", authorization->client_name);
    json_add_text(body, "redirect_uri", authorization->redirect_uri);
    json_add_text(body, "challenge", authorization->challenge);
    json_add_text(body, "audience", authorization->audience);
    json_add_text(body, "scope", authorization->scope);
    json_add_int(body, "expires", authorization->expires_ms);
    return ask_subject(s, "patchcord_authorize", body, connect_hash != NULL, subject, NULL);
}

static void add_pair(struct json_object *body, const struct store_token_pair *pair)
{
    struct json_object *object = json_new_object();
    json_add_text(object, "access", pair->access_hash);
    json_add_int(object, "access_expires", pair->access_expires_ms);
    json_add_text(object, "refresh", pair->refresh_hash);
    json_add_int(object, "refresh_expires", pair->refresh_expires_ms);
    json_add(body, "pair", object);
}

static bool read_grant(struct json_object *row, struct store_grant *grant)
{
    return remote_read_id(row, "id", grant->id) && remote_read_text(row, "client_id", &grant->client_id) &&
           remote_read_text(row, "client_name", &grant->client_name) && read_subject(row, &grant->subject) &&
           remote_read_text(row, "audience", &grant->audience) &&
           remote_read_text(row, "scope", &grant->scope) &&
           remote_read_int(row, "created", &grant->created_ms) &&
           remote_read_int(row, "used", &grant->used_ms) &&
           remote_read_int(row, "expires", &grant->expires_ms);
}

static enum store_status ask_grants(struct store *s, const char *function, struct json_object *body,
    bool is_repeatable, struct store_grants *result, enum store_refusal *refusal)
{
    struct json_object *answer, *list = NULL;
    const enum store_status status = remote_ask(s, function, body, is_repeatable, &answer);
    bool is_read = remote_read_refusal(answer, refusal) &&
                   (status != STORE_DONE || json_get_array(answer, "grants", &list) == JSON_FIELD_FOUND);
    for (size_t i = 0; is_read && list && i < json_object_array_length(list); i++)
        is_read = read_grant(json_object_array_get_idx(list, i), store_grants_add(result));
    json_object_put(answer);
    if (status == STORE_REFUSED)
        remote_tell(s, NULL, NULL); /* it was revoked for that */
    return is_read ? status : remote_malformed(function);
}

enum store_status remote_code_redeem(struct store *s, const char *code_hash,
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal)
{
    struct json_object *body = remote_body();
    json_add_text(body, "hash", code_hash);
    json_add_text(body, "client_id", redemption->client_id);
    json_add_text(body, "redirect_uri", redemption->redirect_uri);
    json_add_text(body, "challenge", redemption->challenge);
    json_add_text(body, "audience", redemption->audience);
    add_pair(body, &redemption->pair);
    return ask_grants(s, "patchcord_code_redeem", body, CALL_ONCE, result, refusal);
}

enum store_status remote_refresh(struct store *s, const char *refresh_hash, const char *client_id,
    const char *audience, const struct store_token_pair *pair, struct store_grants *result,
    enum store_refusal *refusal)
{
    struct json_object *body = remote_body();
    json_add_text(body, "hash", refresh_hash);
    json_add_text(body, "client_id", client_id);
    json_add_text(body, "audience", audience);
    json_add_int(body, "grace", REFRESH_GRACE_MS);
    add_pair(body, pair);
    return ask_grants(s, "patchcord_refresh", body, CALL_ONCE, result, refusal);
}

enum store_status remote_grant_list(struct store *s, struct store_grants *result)
{
    enum store_refusal none;
    return ask_grants(s, "patchcord_grant_list", remote_body(), CALL_REPEATABLE, result, &none);
}

enum store_status remote_grant_end(struct store *s, const struct store_grant_choice *choice, int64_t *count)
{
    struct json_object *body = remote_body(), *answer;
    json_add_text(body, "prefix", choice->id_prefix);
    json_add_text(body, "client_id", choice->client_id);
    json_add_text(body, "ns", choice->namespace_id);
    json_add_text(body, "agent", choice->agent);
    json_add_text(body, "token", choice->token_hash);
    const enum store_status status = remote_ask(s, "patchcord_grant_end", body, CALL_ONCE, &answer);
    const bool is_read = remote_read_int(answer, "count", count);
    json_object_put(answer);
    if (status == STORE_DONE)
        remote_tell(s, NULL, NULL);
    return is_read ? status : remote_malformed("patchcord_grant_end");
}

/* ---- devices ---- */

enum store_status remote_device_add(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal)
{
    struct json_object *body = remote_body();
    json_add_text(body, "device", device->device_hash);
    json_add_text(body, "user", device->user_hash);
    json_add_text(body, "machine", device->machine);
    json_add_text(body, "address", device->address);
    json_add_int(body, "created", device->created_ms);
    json_add_int(body, "expires", device->expires_ms);
    json_add_int(body, "max", max);
    return ask_refusal(s, "patchcord_device_add", body, refusal);
}

static bool read_device(struct json_object *answer, struct store_device *device)
{
    return remote_read_hash(answer, "device", device->device_hash) &&
           remote_read_hash(answer, "user", device->user_hash) &&
           remote_read_text_or_null(answer, "machine", &device->machine) &&
           remote_read_text_or_null(answer, "address", &device->address) &&
           remote_read_int(answer, "created", &device->created_ms) &&
           remote_read_int(answer, "expires", &device->expires_ms);
}

enum store_status remote_device_find(struct store *s, const char *user_hash, struct store_device *result)
{
    struct json_object *body = remote_body(), *answer;
    json_add_text(body, "user", user_hash);
    const enum store_status status = remote_ask(s, "patchcord_device_find", body, CALL_REPEATABLE, &answer);
    const bool is_read = status != STORE_DONE || read_device(answer, result);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_device_find");
}

enum store_status remote_device_decide(struct store *s, const char *user_hash, const char *connect_hash,
    struct store_subject *subject, enum store_refusal *refusal)
{
    struct json_object *body = remote_body();
    json_add_text(body, "user", user_hash);
    json_add_text(body, "connect", connect_hash);
    return ask_subject(s, "patchcord_device_decide", body, connect_hash != NULL, subject, refusal);
}

enum store_status remote_device_redeem(struct store *s, const char *device_hash,
    const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
    enum store_refusal *refusal)
{
    struct json_object *body = remote_body();
    json_add_text(body, "device", device_hash);
    json_add_int(body, "interval", interval_ms);
    add_new_token(body, token);
    const enum store_status status = ask_subject(s, "patchcord_device_redeem", body, true, subject, refusal);
    if (status == STORE_DONE)
        remote_tell(s, NULL, NULL);
    return status;
}

/* ---- housekeeping ---- */

enum store_status remote_oauth_cleanup(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result)
{
    struct json_object *body = remote_body(), *answer;
    json_add_int(body, "max_age", max_age_ms);
    json_add_bool(body, "dry", dry_run);
    const enum store_status status = remote_ask(s, "patchcord_oauth_cleanup", body, CALL_ONCE, &answer);
    const bool is_read = remote_read_int(answer, "clients", &result->clients) &&
                         remote_read_int(answer, "grants", &result->grants) &&
                         remote_read_int(answer, "codes", &result->codes) &&
                         remote_read_int(answer, "tokens", &result->tokens);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_oauth_cleanup");
}
