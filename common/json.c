#include "json.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "clock.h"

static_assert(JSON_MAX_BYTES < INT_MAX, "json-c counts bytes in an int");

/* ---- parsing ---- */

/* A text over this is parsed by a tokener of its own: a thread's keeps its largest string's room for good. */
enum { TOKENER_KEPT_BYTES = 64 * 1024 };

static pthread_key_t tokener_slot;

static void free_tokener(void *tokener)
{
    json_tokener_free(tokener);
}

static void make_tokener_slot(void)
{
    if (pthread_key_create(&tokener_slot, free_tokener) != 0) {
        alloc_failed();
    }
}

static struct json_tokener *new_tokener(void)
{
    /* Its depth counts the innermost scalar too, and it refuses on reaching the limit. */
    struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
    if (!tokener) {
        alloc_failed();
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    return tokener;
}

/* This thread's own; freed when it ends. */
static struct json_tokener *thread_tokener(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_tokener_slot);
    struct json_tokener *tokener = pthread_getspecific(tokener_slot);
    if (tokener) {
        json_tokener_reset(tokener);
        return tokener;
    }
    tokener = new_tokener();
    if (pthread_setspecific(tokener_slot, tokener) != 0) {
        alloc_failed();
    }
    return tokener;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct json_object *run_tokener(
    struct json_tokener *tokener, const char *text, size_t len, enum json_fault *fault)
{
    struct json_object *value = json_tokener_parse_ex(tokener, text, (int)len);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    if (error == json_tokener_continue) {
        /* A bare number or word ends only with the text. */
        value = json_tokener_parse_ex(tokener, "", 1);
        error = json_tokener_get_error(tokener);
    }
    if (error != json_tokener_success) {
        *fault = JSON_FAULT_SYNTAX;
        return NULL;
    }
    return value;
}

/* What the scanner passed, for json-c: to it, white space at the end would be a surplus. */
static struct json_object *parse_scanned(const char *text, size_t len, enum json_fault *fault)
{
    while (len > 0 && is_space(text[len - 1])) {
        len--;
    }
    if (len <= TOKENER_KEPT_BYTES) {
        return run_tokener(thread_tokener(), text, len, fault);
    }
    struct json_tokener *tokener = new_tokener();
    struct json_object *value = run_tokener(tokener, text, len, fault);
    json_tokener_free(tokener);
    return value;
}

struct json_object *json_parse(const char *text, size_t len, enum json_fault *fault)
{
    *fault = json_scan(text, len, NULL);
    return *fault == JSON_FAULT_NONE ? parse_scanned(text, len, fault) : NULL;
}

void json_write(struct json_object *value, struct buf *out)
{
    size_t len;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (!text) {
        alloc_failed();
    }
    buf_append(out, text, len);
}

/* ---- fields ---- */

static enum json_field get(
    struct json_object *holder, const char *key, enum json_type type, struct json_object **value)
{
    *value = NULL;
    if (!json_object_is_type(holder, json_type_object) || !json_object_object_get_ex(holder, key, value) ||
        !*value) {
        return JSON_FIELD_ABSENT;
    }
    return json_object_is_type(*value, type) ? JSON_FIELD_FOUND : JSON_FIELD_WRONG;
}

enum json_field json_get_text(struct json_object *holder, const char *key, const char **text, size_t *len)
{
    struct json_object *value;
    enum json_field field = get(holder, key, json_type_string, &value);
    if (field != JSON_FIELD_FOUND) {
        return field;
    }
    *text = json_object_get_string(value);
    if (len) {
        *len = (size_t)json_object_get_string_len(value);
    }
    return JSON_FIELD_FOUND;
}

enum json_field json_get_int(struct json_object *holder, const char *key, int64_t *number)
{
    struct json_object *value;
    enum json_field field = get(holder, key, json_type_int, &value);
    if (field != JSON_FIELD_FOUND) {
        return field;
    }
    int64_t got = json_object_get_int64(value);
    /* json-c cuts what only an unsigned number holds down to INT64_MAX. */
    if (got == INT64_MAX && json_object_get_uint64(value) > INT64_MAX) {
        return JSON_FIELD_WRONG;
    }
    *number = got;
    return JSON_FIELD_FOUND;
}

enum json_field json_get_bool(struct json_object *holder, const char *key, bool *flag)
{
    struct json_object *value;
    enum json_field field = get(holder, key, json_type_boolean, &value);
    if (field == JSON_FIELD_FOUND) {
        *flag = json_object_get_boolean(value);
    }
    return field;
}

static enum json_field get_container(
    struct json_object *holder, const char *key, enum json_type type, struct json_object **out)
{
    struct json_object *value;
    enum json_field field = get(holder, key, type, &value);
    if (field == JSON_FIELD_FOUND) {
        *out = value;
    }
    return field;
}

enum json_field json_get_object(struct json_object *holder, const char *key, struct json_object **object)
{
    return get_container(holder, key, json_type_object, object);
}

enum json_field json_get_array(struct json_object *holder, const char *key, struct json_object **array)
{
    return get_container(holder, key, json_type_array, array);
}

const char *json_text_or(struct json_object *holder, const char *key, const char *fallback)
{
    const char *text;
    return json_get_text(holder, key, &text, NULL) == JSON_FIELD_FOUND ? text : fallback;
}

/* ---- building ---- */

/* json-c says NULL where memory ran out. */
static struct json_object *made(struct json_object *value)
{
    if (!value) {
        alloc_failed();
    }
    return value;
}

struct json_object *json_new_object(void)
{
    return made(json_object_new_object());
}

struct json_object *json_new_array(void)
{
    return made(json_object_new_array());
}

void json_add(struct json_object *holder, const char *key, struct json_object *value)
{
    if (json_object_object_add(holder, key, value) != 0) {
        alloc_failed();
    }
}

void json_add_text(struct json_object *holder, const char *key, const char *text)
{
    json_add(holder, key, text ? made(json_object_new_string(text)) : NULL);
}

static struct json_object *new_text(const char *text, size_t len)
{
    assert(len <= INT_MAX);
    return made(json_object_new_string_len(text, (int)len));
}

void json_add_text_len(struct json_object *holder, const char *key, const char *text, size_t len)
{
    json_add(holder, key, new_text(text, len));
}

void json_add_int(struct json_object *holder, const char *key, int64_t number)
{
    json_add(holder, key, made(json_object_new_int64(number)));
}

void json_add_bool(struct json_object *holder, const char *key, bool flag)
{
    json_add(holder, key, made(json_object_new_boolean(flag)));
}

void json_add_time(struct json_object *holder, const char *key, int64_t wall_ms)
{
    char text[RFC3339_LEN];
    clock_rfc3339(wall_ms, text);
    json_add_text(holder, key, wall_ms > 0 ? text : NULL);
}

void json_append(struct json_object *array, struct json_object *value)
{
    if (json_object_array_add(array, value) != 0) {
        alloc_failed();
    }
}

void json_append_text(struct json_object *array, const char *text)
{
    json_append(array, text ? made(json_object_new_string(text)) : NULL);
}

void json_append_text_len(struct json_object *array, const char *text, size_t len)
{
    json_append(array, new_text(text, len));
}
