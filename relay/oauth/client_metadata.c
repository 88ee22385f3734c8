#include "client_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "redirect_uri.h"

const char *const client_auth_names[CLIENT_AUTHS] = {
    [CLIENT_AUTH_NONE] = "none",
    [CLIENT_AUTH_BASIC] = "client_secret_basic",
    [CLIENT_AUTH_POST] = "client_secret_post",
};

static enum client_metadata_fault bad(struct buf *why, const char *text)
{
    buf_puts(why, text);
    return CLIENT_METADATA_BAD;
}

static enum client_metadata_fault bad_redirect(struct buf *why, const char *clause)
{
    buf_printf(why, "Each of redirect_uris %s.", clause);
    return CLIENT_METADATA_BAD_REDIRECT;
}

static enum client_metadata_fault add_redirect(
    struct json_object *value, struct client_metadata *out, struct buf *why)
{
    const char *problem = "must be a text";
    struct redirect_uri uri;
    if (!json_object_is_type(value, json_type_string))
        return bad_redirect(why, problem);
    const char *text = json_object_get_string(value);
    if (!redirect_uri_parse(text, &uri, &problem))
        return bad_redirect(why, problem);
    redirect_uri_free(&uri);
    out->redirect_uris[out->redirect_uris_count++] = xstrdup(text);
    return CLIENT_METADATA_FINE;
}

static enum client_metadata_fault read_redirects(
    struct json_object *object, struct client_metadata *out, struct buf *why)
{
    struct json_object *list = NULL;
    enum client_metadata_fault fault = CLIENT_METADATA_FINE;
    const size_t count = json_get_array(object, "redirect_uris", &list) == JSON_FIELD_FOUND
                             ? json_object_array_length(list)
                             : 0;
    if (count == 0 || count > CLIENT_REDIRECTS_MAX) {
        buf_printf(why, "redirect_uris must have 1 to %d URIs.", CLIENT_REDIRECTS_MAX);
        return CLIENT_METADATA_BAD_REDIRECT;
    }
    out->redirect_uris = xcalloc(count, sizeof *out->redirect_uris);
    for (size_t i = 0; i < count && fault == CLIENT_METADATA_FINE; i++)
        fault = add_redirect(json_object_array_get_idx(list, i), out, why);
    return fault;
}

static enum client_metadata_fault read_auth(
    struct json_object *object, struct client_metadata *out, struct buf *why)
{
    const char *text = NULL;
    const enum json_field field = json_get_text(object, "token_endpoint_auth_method", &text, NULL);
    if (field == JSON_FIELD_ABSENT)
        return CLIENT_METADATA_FINE;
    for (int i = 0; field == JSON_FIELD_FOUND && i < CLIENT_AUTHS; i++) {
        if (strcmp(text, client_auth_names[i]) == 0) {
            out->auth = (enum client_auth)i;
            return CLIENT_METADATA_FINE;
        }
    }
    return bad(why, "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post.");
}

/* True where the list is not there, or has that word. */
static bool list_allows(struct json_object *object, const char *key, const char *word)
{
    struct json_object *list = NULL;
    const enum json_field field = json_get_array(object, key, &list);
    if (field != JSON_FIELD_FOUND)
        return field == JSON_FIELD_ABSENT;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *item = json_object_array_get_idx(list, i);
        if (json_object_is_type(item, json_type_string) && strcmp(json_object_get_string(item), word) == 0)
            return true;
    }
    return false;
}

/* Cut between two characters. */
static enum client_metadata_fault read_name(
    struct json_object *object, struct client_metadata *out, struct buf *why)
{
    const char *name = "";
    size_t len = 0;
    if (json_get_text(object, "client_name", &name, &len) == JSON_FIELD_WRONG)
        return bad(why, "client_name must be a text.");
    if (len > CLIENT_NAME_MAX) {
        for (len = CLIENT_NAME_MAX; (name[len] & 0xC0) == 0x80; len--)
            continue;
    }
    out->name = xmemdup_text(name, len);
    return CLIENT_METADATA_FINE;
}

static enum client_metadata_fault read_all(
    struct json_object *object, struct client_metadata *out, struct buf *why)
{
    enum client_metadata_fault fault = read_redirects(object, out, why);
    if (fault == CLIENT_METADATA_FINE)
        fault = read_auth(object, out, why);
    if (fault == CLIENT_METADATA_FINE)
        fault = read_name(object, out, why);
    if (fault != CLIENT_METADATA_FINE)
        return fault;
    if (!list_allows(object, "grant_types", "authorization_code"))
        return bad(why, "grant_types must have authorization_code.");
    if (!list_allows(object, "response_types", "code"))
        return bad(why, "response_types must have code.");
    return CLIENT_METADATA_FINE;
}

enum client_metadata_fault client_metadata_read(
    struct json_object *object, enum client_auth auth, struct client_metadata *out, struct buf *why)
{
    *out = (struct client_metadata){.auth = auth};
    if (!json_object_is_type(object, json_type_object))
        return bad(why, "A client's metadata must be a JSON object.");
    const enum client_metadata_fault fault = read_all(object, out, why);
    if (fault != CLIENT_METADATA_FINE)
        client_metadata_free(out);
    return fault;
}

void client_metadata_free(struct client_metadata *metadata)
{
    for (size_t i = 0; i < metadata->redirect_uris_count; i++)
        free(metadata->redirect_uris[i]);
    free(metadata->redirect_uris);
    free(metadata->name);
    *metadata = (struct client_metadata){0};
}

static void add_words(struct json_object *object, const char *key, const char *const words[], size_t count)
{
    struct json_object *list = json_new_array();
    for (size_t i = 0; i < count; i++)
        json_append_text(list, words[i]);
    json_add(object, key, list);
}

struct json_object *client_metadata_write(const struct client_metadata *metadata)
{
    static const char *const grants[] = {"authorization_code", "refresh_token"};
    static const char *const responses[] = {"code"};
    struct json_object *object = json_new_object();
    if (*metadata->name)
        json_add_text(object, "client_name", metadata->name);
    add_words(
        object, "redirect_uris", (const char *const *)metadata->redirect_uris, metadata->redirect_uris_count);
    json_add_text(object, "token_endpoint_auth_method", client_auth_names[metadata->auth]);
    add_words(object, "grant_types", grants, LENGTH_OF(grants));
    add_words(object, "response_types", responses, LENGTH_OF(responses));
    return object;
}

const char *client_metadata_redirect(const struct client_metadata *metadata, const char *given)
{
    for (size_t i = 0; i < metadata->redirect_uris_count; i++) {
        if (redirect_uri_matches(metadata->redirect_uris[i], given))
            return metadata->redirect_uris[i];
    }
    return NULL;
}
