#include "store_dump.h"

#include <string.h>

#include "../../common/log.h"
#include "store_ops.h"

const char *const dump_kind_names[DUMP_KINDS] = {
    [DUMP_TOKEN] = "token",
    [DUMP_AGENT] = "agent",
    [DUMP_BAN] = "ban",
    [DUMP_CLIENT] = "client",
    [DUMP_GRANT] = "grant",
    [DUMP_ACCESS] = "access",
    [DUMP_REFRESH] = "refresh",
    [DUMP_MESSAGE] = "message",
};

enum { OPTIONAL, REQUIRED, KEY };
#define FIELD(name_, type_, how)                                                                             \
    {                                                                                                        \
        .name = (name_), .type = (type_), .is_required = (how) != OPTIONAL, .is_key = (how) == KEY           \
    }
enum { FIELDS_MAX = 27 };

/* The stores' statements have their columns in the same order. */
static const struct dump_field fields[DUMP_KINDS][FIELDS_MAX] =
    {
        [DUMP_TOKEN] =
            {
                FIELD("hash", DUMP_HASH, KEY),
                FIELD("namespace_id", DUMP_TEXT, REQUIRED),
                FIELD("agent", DUMP_TEXT, REQUIRED),
                FIELD("label", DUMP_TEXT, OPTIONAL),
                FIELD("active", DUMP_FLAG, OPTIONAL),
                FIELD("created_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("expires_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("last_used_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_AGENT] =
            {
                FIELD("namespace_id", DUMP_TEXT, KEY),
                FIELD("agent", DUMP_TEXT, KEY),
                FIELD("display_name", DUMP_TEXT, OPTIONAL),
                FIELD("machine_name", DUMP_TEXT, OPTIONAL),
                FIELD("client_type", DUMP_TEXT, OPTIONAL),
                FIELD("platform", DUMP_TEXT, OPTIONAL),
                FIELD("user_agent", DUMP_TEXT, OPTIONAL),
                FIELD("request_host", DUMP_TEXT, OPTIONAL),
                FIELD("online", DUMP_FLAG, OPTIONAL),
                FIELD("last_seen_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_BAN] =
            {
                FIELD("token_hash", DUMP_HASH, KEY),
                FIELD("until_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("created_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_CLIENT] =
            {
                FIELD("client_id", DUMP_TEXT, KEY),
                FIELD("metadata", DUMP_JSON, REQUIRED),
                FIELD("secret_hash", DUMP_HASH, OPTIONAL),
                FIELD("created_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("used_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_GRANT] =
            {
                FIELD("id", DUMP_ID, KEY),
                FIELD("client_id", DUMP_TEXT, REQUIRED),
                FIELD("client_name", DUMP_TEXT, REQUIRED),
                FIELD("namespace_id", DUMP_TEXT, REQUIRED),
                FIELD("agent", DUMP_TEXT, REQUIRED),
                FIELD("also", DUMP_TEXTS, OPTIONAL),
                FIELD("audience", DUMP_TEXT, OPTIONAL),
                FIELD("scope", DUMP_TEXT, REQUIRED),
                FIELD("created_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("used_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("expires_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("ended_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_ACCESS] =
            {
                FIELD("hash", DUMP_HASH, KEY),
                FIELD("grant_id", DUMP_ID, REQUIRED),
                FIELD("created_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("expires_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_REFRESH] =
            {
                FIELD("hash", DUMP_HASH, KEY),
                FIELD("grant_id", DUMP_ID, REQUIRED),
                FIELD("created_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("expires_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("used_ms", DUMP_NUMBER, OPTIONAL),
            },
        [DUMP_MESSAGE] =
            {
                FIELD("seq", DUMP_NUMBER, KEY),
                FIELD("id", DUMP_ID, REQUIRED),
                FIELD("namespace_id", DUMP_TEXT, REQUIRED),
                FIELD("from", DUMP_TEXT, REQUIRED),
                FIELD("to", DUMP_TEXT, REQUIRED),
                FIELD("status", DUMP_STATUS, REQUIRED),
                FIELD("is_notice", DUMP_FLAG, OPTIONAL),
                FIELD("sent_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("offered_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("read_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("replied_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("deferred_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("unsent_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("expired_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("attempt", DUMP_COUNT, OPTIONAL),
                FIELD("reply_to", DUMP_ID, OPTIONAL),
                FIELD("group_id", DUMP_ID, OPTIONAL),
                FIELD("sent_hash", DUMP_HASH, OPTIONAL),
                FIELD("encrypted", DUMP_FLAG, OPTIONAL),
                FIELD("thread_id", DUMP_ID, OPTIONAL), /* these: all of them, or none */
                FIELD("thread", DUMP_TEXT, OPTIONAL),
                FIELD("thread_a", DUMP_TEXT, OPTIONAL),
                FIELD("thread_b", DUMP_TEXT, OPTIONAL),
                FIELD("thread_created_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("thread_resolved_ms", DUMP_NUMBER, OPTIONAL),
                FIELD("content", DUMP_TEXT, REQUIRED),
            },
};

const struct dump_field *dump_fields(enum dump_kind kind)
{
    return fields[kind];
}

/* ---- a field's value ---- */

static bool is_hash(const char *text, size_t len)
{
    return len == SHA256_HEX_SIZE - 1 && strspn(text, "0123456789abcdef") == len;
}

static bool is_id(const char *text, size_t len)
{
    char id[UUID_SIZE];
    return uuid_parse(text, len, id) && memcmp(id, text, UUID_LEN) == 0;
}

static bool is_status(const char *text)
{
    for (enum message_status status = MESSAGE_PENDING; status <= MESSAGE_DEFERRED; status++) {
        if (strcmp(text, message_status_names[status]) == 0)
            return true;
    }
    return false;
}

static bool fits_text(enum dump_type type, const char *text, size_t len)
{
    switch (type) {
    case DUMP_ID:
        return is_id(text, len);
    case DUMP_HASH:
        return is_hash(text, len);
    case DUMP_STATUS:
        return is_status(text);
    case DUMP_JSON:
        return json_scan(text, len, NULL) == JSON_FAULT_NONE;
    default:
        return true;
    }
}

static enum json_field read_text(struct json_object *row, const struct dump_field *field, bool *is_left_out)
{
    const char *text;
    size_t len;
    const enum json_field found = json_get_text(row, field->name, &text, &len);
    *is_left_out = false;
    return found == JSON_FIELD_FOUND && !fits_text(field->type, text, len) ? JSON_FIELD_WRONG : found;
}

static enum json_field read_texts(struct json_object *row, const struct dump_field *field, bool *is_left_out)
{
    struct json_object *list = NULL;
    const enum json_field found = json_get_array(row, field->name, &list);
    const size_t count = found == JSON_FIELD_FOUND ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
            return JSON_FIELD_WRONG;
    }
    *is_left_out = count == 0;
    return found;
}

static enum json_field read_number(struct json_object *row, const struct dump_field *field, bool *is_left_out)
{
    int64_t number = 0;
    const enum json_field found = json_get_int(row, field->name, &number);
    const int64_t max = field->type == DUMP_COUNT ? DUMP_COUNT_MAX : DUMP_NUMBER_MAX;
    *is_left_out = number == 0;
    return number < 0 || number > max ? JSON_FIELD_WRONG : found;
}

static enum json_field read_flag(struct json_object *row, const struct dump_field *field, bool *is_left_out)
{
    bool flag = false;
    const enum json_field found = json_get_bool(row, field->name, &flag);
    *is_left_out = !flag;
    return found;
}

static enum json_field (*const readers[])(
    struct json_object *row, const struct dump_field *field, bool *is_left_out) = {
    [DUMP_TEXT] = read_text,
    [DUMP_TEXTS] = read_texts,
    [DUMP_JSON] = read_text,
    [DUMP_ID] = read_text,
    [DUMP_HASH] = read_text,
    [DUMP_STATUS] = read_text,
    [DUMP_COUNT] = read_number,
    [DUMP_NUMBER] = read_number,
    [DUMP_FLAG] = read_flag,
};

/* ---- rows ---- */

/* Puts the field into out, where it says something. */
static bool copy_field(
    struct json_object *row, const struct dump_field *field, struct json_object *out, struct buf *why)
{
    bool is_left_out = false;
    const enum json_field found = readers[field->type](row, field, &is_left_out);
    if (found == JSON_FIELD_WRONG)
        buf_printf(why, "its \"%s\" is not what it has to be", field->name);
    else if (field->is_required && (found == JSON_FIELD_ABSENT || is_left_out))
        buf_printf(why, "its \"%s\" is missing", field->name);
    else if (found == JSON_FIELD_FOUND && !is_left_out)
        json_add(out, field->name, json_object_get(json_object_object_get(row, field->name)));
    return why->len == 0;
}

static bool knows(enum dump_kind kind, const char *name)
{
    for (const struct dump_field *field = fields[kind]; field->name; field++) {
        if (strcmp(field->name, name) == 0)
            return true;
    }
    return false;
}

static bool has_only_known(enum dump_kind kind, struct json_object *row)
{
    json_object_object_foreach(row, name, value)
    {
        (void)value;
        if (!knows(kind, name))
            return false;
    }
    return true;
}

/* A thread is there whole, or not at all. */
static bool has_whole_thread(struct json_object *row)
{
    static const char *const parts[] = {"thread_id", "thread", "thread_a", "thread_b", "thread_created_ms"};
    size_t count = 0;
    for (size_t i = 0; i < LENGTH_OF(parts); i++)
        count += json_object_object_get_ex(row, parts[i], NULL) ? 1 : 0;
    return count == LENGTH_OF(parts) ||
           (count == 0 && !json_object_object_get_ex(row, "thread_resolved_ms", NULL));
}

struct json_object *dump_row(enum dump_kind kind, struct json_object *row, struct buf *why)
{
    struct json_object *out = json_new_object();
    if (!json_object_is_type(row, json_type_object))
        buf_puts(why, "it is no object");
    else if (!has_only_known(kind, row))
        buf_puts(why, "it has a field that is unknown");
    for (const struct dump_field *field = fields[kind]; why->len == 0 && field->name; field++)
        (void)copy_field(row, field, out, why);
    if (why->len == 0 && kind == DUMP_MESSAGE && !has_whole_thread(out))
        buf_puts(why, "its thread is there in part");
    if (why->len == 0)
        return out;
    json_object_put(out);
    return NULL;
}

/* ---- operations ---- */

/* What the kind of store made, in the form that is promised. */
static enum store_status tidy(enum dump_kind kind, struct json_object *made, struct json_object **rows)
{
    struct buf why = {0};
    *rows = json_new_array();
    for (size_t i = 0; why.len == 0 && i < json_object_array_length(made); i++) {
        struct json_object *row = dump_row(kind, json_object_array_get_idx(made, i), &why);
        if (row)
            json_append(*rows, row);
    }
    const bool is_fine = why.len == 0;
    if (!is_fine) {
        log_error("store_dump", LOG_STR("kind", dump_kind_names[kind]), LOG_STR("why", buf_text(&why)));
        json_object_put(*rows);
        *rows = NULL;
    }
    buf_free(&why);
    return is_fine ? STORE_DONE : STORE_FAULT;
}

enum store_status store_dump(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object **rows)
{
    const int64_t began = store_began();
    struct json_object *made = json_new_array();
    *rows = NULL;
    enum store_status status = s->ops->dump ? s->ops->dump(s, kind, after, made) : store_lacks("dump");
    if (status == STORE_DONE)
        status = tidy(kind, made, rows);
    json_object_put(made);
    return store_ended(s, "dump", began, status);
}

enum store_status store_load(struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken)
{
    const int64_t began = store_began();
    *taken = 0;
    const enum store_status status = s->ops->load ? s->ops->load(s, kind, rows, taken) : store_lacks("load");
    if (status == STORE_FAULT)
        *taken = 0;
    return store_ended(s, "load", began, status);
}
