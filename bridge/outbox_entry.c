#include "outbox_entry.h"

#include <bsd/string.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/fence.h"
#include "../common/ident.h"
#include "../common/tool_spec.h"
#include "../common/utf8.h"

enum { FORMAT_VERSION = 1, TIME_DIGITS = 13, CONTENT_MAX_CHARACTERS = 50000 };
#define NAME_END ".json"

static const struct kind_row {
    const char *word, *tool;
} kinds[] = {
    [OUTBOX_SEND] = {"send", "send_message"},
    [OUTBOX_REPLY] = {"reply", "reply"},
};

bool outbox_takes(const char *tool)
{
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        if (strcmp(kinds[i].tool, tool) == 0)
            return true;
    }
    return false;
}

bool outbox_concerns(const char *tool)
{
    return outbox_takes(tool) || strcmp(tool, "unsend_message") == 0;
}

void outbox_entry_make(const char *tool, const char *id, struct json_object *args, struct outbox_entry *out)
{
    *out = (struct outbox_entry){.created_ms = clock_wall_ms(), .args = json_object_get(args)};
    strlcpy(out->id, id, sizeof out->id);
    out->kind = strcmp(tool, kinds[OUTBOX_REPLY].tool) == 0 ? OUTBOX_REPLY : OUTBOX_SEND;
}

void outbox_entry_free(struct outbox_entry *entry)
{
    json_object_put(entry->args);
    free(entry->problem);
    *entry = (struct outbox_entry){0};
}

const char *outbox_entry_tool(const struct outbox_entry *entry)
{
    return kinds[entry->kind].tool;
}

/* ---- the file's text ---- */

static bool read_kind(struct json_object *root, struct outbox_entry *out)
{
    const char *word = json_text_or(root, "kind", "");
    for (size_t i = 0; i < LENGTH_OF(kinds); i++) {
        if (strcmp(kinds[i].word, word) != 0)
            continue;
        out->kind = (enum outbox_kind)i;
        return true;
    }
    return false;
}

static bool read_number(struct json_object *root, const char *key, int64_t *out)
{
    return json_get_int(root, key, out) == JSON_FIELD_FOUND && *out >= 0;
}

static bool read_id(struct json_object *root, char out[static UUID_SIZE])
{
    const char *text = json_text_or(root, "id", "");
    /* The file's name has it in the same letters. */
    return uuid_parse(text, strlen(text), out) && strcmp(text, out) == 0;
}

static bool read_args(struct json_object *root, struct outbox_entry *out, struct buf *why)
{
    struct json_object *args;
    if (json_get_object(root, "args", &args) != JSON_FIELD_FOUND) {
        buf_puts(why, "\"args\" has to be an object");
        return false;
    }
    out->args = tool_spec_check(tool_spec_find(outbox_entry_tool(out)), args, why);
    return out->args != NULL;
}

static bool read_flag(struct json_object *root, const char *key, bool *out)
{
    *out = false;
    return json_get_bool(root, key, out) != JSON_FIELD_WRONG;
}

static bool read_problem(struct json_object *root, struct outbox_entry *out)
{
    const char *text;
    size_t len;
    enum json_field found = json_get_text(root, "problem", &text, &len);
    if (found == JSON_FIELD_FOUND)
        out->problem = xmemdup_text(text, len);
    return found != JSON_FIELD_WRONG;
}

static bool read_entry(struct json_object *root, struct outbox_entry *out, struct buf *why)
{
    int64_t version;
    const char *rule = NULL;
    if (json_get_int(root, "version", &version) != JSON_FIELD_FOUND || version != FORMAT_VERSION)
        rule = "\"version\" has to be 1";
    else if (!read_id(root, out->id))
        rule = "\"id\" has to be a UUID";
    else if (!read_kind(root, out))
        rule = "\"kind\" has to be send or reply";
    else if (!read_number(root, "created", &out->created_ms) ||
             !read_number(root, "attempts", &out->attempts))
        rule = "\"created\" and \"attempts\" have to be numbers";
    else if (!read_flag(root, "uncertain", &out->uncertain))
        rule = "\"uncertain\" has to be true or false";
    else if (!read_problem(root, out))
        rule = "\"problem\" has to be a text";
    if (rule)
        buf_puts(why, rule);
    return !rule && read_args(root, out, why);
}

bool outbox_entry_parse(const char *text, size_t len, struct outbox_entry *out, struct buf *why)
{
    *out = (struct outbox_entry){0};
    enum json_fault fault;
    struct json_object *root = json_parse(text, len, &fault);
    bool ok = false;
    if (fault != JSON_FAULT_NONE)
        buf_printf(why, "it %s", json_fault_text(fault));
    else
        ok = read_entry(root, out, why);
    if (!ok)
        outbox_entry_free(out);
    json_object_put(root);
    return ok;
}

void outbox_entry_write(const struct outbox_entry *entry, struct buf *out)
{
    struct json_object *root = json_new_object();
    json_add_int(root, "version", FORMAT_VERSION);
    json_add_text(root, "id", entry->id);
    json_add_text(root, "kind", kinds[entry->kind].word);
    json_add(root, "args", json_object_get(entry->args));
    json_add_int(root, "created", entry->created_ms);
    json_add_int(root, "attempts", entry->attempts);
    if (entry->uncertain)
        json_add_bool(root, "uncertain", true);
    if (entry->problem)
        json_add_text(root, "problem", entry->problem);
    json_write(root, out);
    json_object_put(root);
}

/* ---- for readers ---- */

void outbox_entry_to(const struct outbox_entry *entry, struct buf *out)
{
    struct json_object *to;
    if (entry->kind == OUTBOX_REPLY) {
        buf_puts(out, "the author of [");
        fence_word(out, json_text_or(entry->args, "message_id", ""), UUID_LEN);
        buf_putc(out, ']');
        return;
    }
    if (json_get_array(entry->args, "to", &to) != JSON_FIELD_FOUND)
        return;
    for (size_t i = 0; i < json_object_array_length(to); i++) {
        buf_puts(out, i ? ", " : "");
        struct ident who;
        const char *name = json_object_get_string(json_object_array_get_idx(to, i));
        fence_word(out, ident_parse(name, &who) ? who.agent : name, NAME_MAX_LEN);
    }
}

/* ---- what can be told without a relay ---- */

static bool names_sound(struct json_object *args, struct buf *why)
{
    struct json_object *to;
    size_t count = json_get_array(args, "to", &to) == JSON_FIELD_FOUND ? json_object_array_length(to) : 0;
    if (count == 0)
        buf_puts(why, "to is empty: name at least one agent; inbox lists who is there. Nothing was sent.");
    for (size_t i = 0; i < count; i++) {
        struct ident who;
        const char *name = json_object_get_string(json_object_array_get_idx(to, i));
        if (ident_parse(name, &who))
            continue;
        buf_puts(why, "Not an agent's name: ");
        fence_word(why, name, 2 * NAME_MAX_LEN);
        buf_puts(why, ". Names are like backend; inbox lists who is there.");
        return false;
    }
    return count > 0;
}

static bool id_sound(struct json_object *args, struct buf *why)
{
    char id[UUID_SIZE];
    const char *text = json_text_or(args, "message_id", "");
    if (uuid_parse(text, strlen(text), id))
        return true;
    buf_puts(why, "message_id is not a message's id (a UUID, as inbox and recall show it in brackets).");
    return false;
}

static bool flag(struct json_object *args, const char *name)
{
    bool set;
    return json_get_bool(args, name, &set) == JSON_FIELD_FOUND && set;
}

bool outbox_entry_sound(const struct outbox_entry *entry, struct buf *why)
{
    const char *content = "";
    size_t len = 0;
    if (!(entry->kind == OUTBOX_REPLY ? id_sound(entry->args, why) : names_sound(entry->args, why)))
        return false;
    if (json_get_text(entry->args, "content", &content, &len) != JSON_FIELD_FOUND)
        len = 0;
    size_t characters = utf8_count(content, len);
    bool optional =
        entry->kind == OUTBOX_REPLY && (flag(entry->args, "defer") || flag(entry->args, "resolve"));
    if (characters > CONTENT_MAX_CHARACTERS)
        buf_printf(why,
            "content has %zu characters; the limit is %d. Nothing was sent: split it, or send a summary.",
            characters, CONTENT_MAX_CHARACTERS);
    else if (characters == 0 && !optional)
        buf_puts(why, "content is empty: write what the recipient is to read. Nothing was sent.");
    return why->len == 0;
}

/* ---- names ---- */

void outbox_name_make(int64_t ms, const char *id, char out[static OUTBOX_NAME_SIZE])
{
    snprintf(out, OUTBOX_NAME_SIZE, "%0*" PRId64 "-%s" NAME_END, TIME_DIGITS, ms, id);
}

bool outbox_name_read(const char *name, int64_t *ms, char id[static UUID_SIZE])
{
    if (strspn(name, "0123456789") != TIME_DIGITS || name[TIME_DIGITS] != '-')
        return false;
    const char *text = name + TIME_DIGITS + 1;
    if (strlen(text) != UUID_LEN + sizeof NAME_END - 1 || strcmp(text + UUID_LEN, NAME_END) != 0 ||
        !uuid_parse(text, UUID_LEN, id) || strncmp(text, id, UUID_LEN) != 0)
        return false;
    *ms = strtoll(name, NULL, 10);
    return true;
}
