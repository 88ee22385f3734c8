#include "toml_edit.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "edit_path.h"
#include "json_edit.h"
#include "toml_text.h"

struct json_object *toml_edit_parse(const struct buf *text, struct buf *why)
{
    struct toml toml;
    if (!toml_read(text, &toml, why))
        return NULL;
    struct json_object *root = json_object_get(toml.root);
    toml_free(&toml);
    return root;
}

/* ---- paths ---- */

static const char *name_at(const struct toml_statement *statement, size_t i)
{
    return json_object_get_string(json_object_array_get_idx(statement->path, i));
}

/* Whether the statement is of the path itself or of something below it. */
static bool is_below(const struct toml_statement *statement, const char *const *path)
{
    size_t len = json_object_array_length(statement->path);
    for (size_t i = 0; path[i]; i++) {
        if (i >= len || strcmp(name_at(statement, i), path[i]) != 0)
            return false;
    }
    return true;
}

static bool is_at(const struct toml_statement *statement, const char *const *path)
{
    return is_below(statement, path) && json_object_array_length(statement->path) == edit_path_len(path);
}

/* ---- printing ---- */

static const char *newline_of(const struct buf *text)
{
    const char *first = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    return first && first > text->data && first[-1] == '\r' ? "\r\n" : "\n";
}

static bool is_bare(const char *name)
{
    return name[0] &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

/* A JSON string is a basic string of TOML, but for DEL. */
static void print_text(const char *text, struct buf *out)
{
    struct json_object *value = json_object_new_string(text);
    if (!value)
        alloc_failed();
    const char *quoted =
        json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    for (; *quoted; quoted++) {
        if (*quoted == '\x7F')
            buf_puts(out, "\\u007F");
        else
            buf_putc(out, *quoted);
    }
    json_object_put(value);
}

static void print_name(const char *name, struct buf *out)
{
    if (is_bare(name))
        buf_puts(out, name);
    else
        print_text(name, out);
}

static void print_value(struct json_object *value, struct buf *out);

static void print_inline_table(struct json_object *table, struct buf *out)
{
    const char *before = "{ ";
    json_object_object_foreach(table, name, member)
    {
        buf_puts(out, before);
        print_name(name, out);
        buf_puts(out, " = ");
        print_value(member, out);
        before = ", ";
    }
    buf_puts(out, before[0] == '{' ? "{}" : " }");
}

static void print_value(struct json_object *value, struct buf *out)
{
    if (json_object_is_type(value, json_type_object)) {
        print_inline_table(value, out);
    } else if (json_object_is_type(value, json_type_array)) {
        buf_putc(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            buf_puts(out, i ? ", " : "");
            print_value(json_object_array_get_idx(value, i), out);
        }
        buf_putc(out, ']');
    } else if (json_object_is_type(value, json_type_string)) {
        print_text(json_object_get_string(value), out);
    } else {
        buf_puts(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    }
}

static void print_line(const char *name, struct json_object *value, struct buf *out)
{
    print_name(name, out);
    buf_puts(out, " = ");
    print_value(value, out);
}

/* ---- changing the text ---- */

static bool ends_line(const struct buf *text, size_t at)
{
    return at > 0 && text->data[at - 1] == '\n';
}

/* Where the line before the one that begins at at begins; at itself where there is none. */
static size_t line_before(const struct buf *text, size_t at)
{
    if (at == 0)
        return 0;
    at--;
    while (at > 0 && text->data[at - 1] != '\n')
        at--;
    return at;
}

static bool is_blank_line(const struct buf *text, size_t at)
{
    while (at < text->len && strchr(" \t\r", text->data[at]) && text->data[at])
        at++;
    return at < text->len && text->data[at] == '\n';
}

/* Takes whole lines out. What ended the text without a newline leaves the one before it so, too. */
static void cut(struct buf *text, size_t from, size_t to, bool blank_before)
{
    bool open_end = to == text->len && !ends_line(text, to);
    size_t before = line_before(text, from);
    if (blank_before && before < from && is_blank_line(text, before) &&
        (to == text->len || is_blank_line(text, to)))
        from = before;
    if (open_end && ends_line(text, from))
        from -= from > 1 && text->data[from - 2] == '\r' ? 2 : 1;
    buf_splice(text, from, to, NULL, 0);
}

/* Puts a line behind the statement's, or at the text's end (NULL). */
static void insert_lines(struct buf *text, size_t at, const struct buf *lines)
{
    const char *newline = newline_of(text);
    struct buf put = {0};
    bool open_end = at > 0 && !ends_line(text, at);
    if (open_end)
        buf_puts(&put, newline);
    buf_append(&put, lines->data, lines->len);
    if (!open_end)
        buf_puts(&put, newline);
    buf_splice(text, at, at, put.data, put.len);
    buf_wipe(&put);
}

/* ---- tables ---- */

/* The header of the table; toml->count: none. */
static size_t find_header(const struct toml *toml, const char *const *path)
{
    size_t i = 0;
    while (i < toml->count && (toml->list[i].kind != TOML_TABLE || !is_at(&toml->list[i], path)))
        i++;
    return i;
}

/* Behind the header's last key. */
static size_t block_end(const struct toml *toml, size_t header)
{
    size_t last = header;
    while (last + 1 < toml->count && toml->list[last + 1].kind == TOML_KEY)
        last++;
    return toml->list[last].end;
}

/* The table is there as one of its own or not at all. */
static bool is_plain(const struct toml *toml, const char *const *path, struct buf *why)
{
    struct json_object *table = json_edit_find(toml->root, path);
    size_t depth = json_edit_depth(toml->root, path);
    bool reachable = true;
    struct json_object *at = toml->root;
    for (size_t i = 0; i < depth; i++) {
        json_object_object_get_ex(at, path[i], &at);
        reachable = reachable && json_object_is_type(at, json_type_object);
    }
    for (size_t i = 0; i < toml->count; i++) {
        const struct toml_statement *s = &toml->list[i];
        /* A value at or above the path, or an array of tables, holds more than lines that can be told apart.
         */
        size_t len = json_object_array_length(s->path);
        bool above = len <= edit_path_len(path);
        for (size_t k = 0; k < len && above; k++)
            above = strcmp(name_at(s, k), path[k]) == 0;
        reachable = reachable && !(above && s->kind != TOML_TABLE);
    }
    if (reachable && (!table || find_header(toml, path) < toml->count))
        return true;
    buf_puts(why, "has ");
    edit_path_print(path, edit_path_len(path), why);
    buf_puts(why, " in another form than a table of its own; write it as [");
    edit_path_print(path, edit_path_len(path), why);
    buf_puts(why, "], or take it out");
    return false;
}

/* ---- the changes, and their proof ---- */

static bool commit(struct buf *text, struct buf *copy, struct json_object *after, struct buf *why)
{
    struct buf ignored = {0};
    struct json_object *found = toml_edit_parse(copy, &ignored);
    bool same = found && json_object_equal(found, after);
    json_object_put(found);
    buf_free(&ignored);
    if (!same) {
        buf_puts(why, "cannot be changed without changing more than is meant");
        return false;
    }
    buf_wipe(text);
    *text = *copy;
    *copy = (struct buf){0};
    return true;
}

/* Removes everything at or below the path from the text. */
static bool remove_below(struct buf *text, const char *const *path, struct buf *why)
{
    for (;;) {
        struct toml toml;
        if (!toml_read(text, &toml, why))
            return false;
        size_t i = toml.count;
        while (i > 0 && !is_below(&toml.list[i - 1], path))
            i--;
        if (i == 0) {
            toml_free(&toml);
            return true;
        }
        const struct toml_statement *last = &toml.list[i - 1];
        bool header = last->kind != TOML_KEY;
        size_t first = i - 1;
        while (!header && first > 0 && toml.list[first].kind == TOML_KEY &&
               is_below(&toml.list[first - 1], path)) {
            first--;
            header = toml.list[first].kind != TOML_KEY;
        }
        size_t from = header ? toml.list[first].start : last->start;
        cut(text, from, last->end, header);
        toml_free(&toml);
    }
}

static bool set_member(
    struct buf *text, const char *const *path, const char *name, struct json_object *value, struct buf *why)
{
    enum { PATH_MAX_NAMES = 8 };
    const char *member[PATH_MAX_NAMES + 1] = {0};
    size_t len = edit_path_len(path);
    if (len >= PATH_MAX_NAMES)
        return false;
    memcpy(member, path, len * sizeof *path);
    member[len] = name;
    struct toml toml;
    struct buf line = {0};
    if (!toml_read(text, &toml, why))
        return false;
    bool ok = true;
    size_t i = 0;
    while (i < toml.count && (toml.list[i].kind != TOML_KEY || !is_at(&toml.list[i], member)))
        i++;
    struct json_object *old = json_edit_find(toml.root, member);
    if (i < toml.count && value) {
        if (!json_object_equal(old, value)) {
            print_value(value, &line);
            buf_splice(text, toml.list[i].value_start, toml.list[i].value_end, line.data, line.len);
        }
    } else if (old) {
        ok = remove_below(text, member, why);
    }
    bool add = value && i == toml.count;
    toml_free(&toml);
    if (ok && add && toml_read(text, &toml, why)) {
        print_line(name, value, &line);
        insert_lines(text, block_end(&toml, find_header(&toml, path)), &line);
        toml_free(&toml);
    }
    buf_free(&line);
    return ok;
}

static void append_table(struct buf *text, const char *const *path, struct json_object *entry)
{
    const char *newline = newline_of(text);
    struct buf lines = {0};
    if (text->len > 0)
        buf_puts(&lines, newline);
    buf_putc(&lines, '[');
    for (size_t i = 0; path[i]; i++) {
        buf_puts(&lines, i ? "." : "");
        print_name(path[i], &lines);
    }
    buf_putc(&lines, ']');
    json_object_object_foreach(entry, name, value)
    {
        if (!value)
            continue;
        buf_puts(&lines, newline);
        print_line(name, value, &lines);
    }
    insert_lines(text, text->len, &lines);
    buf_wipe(&lines);
}

/* What the document means when it is done; a new reference. */
static struct json_object *expected_put(
    struct json_object *root, const char *const *path, struct json_object *entry)
{
    struct json_object *after = edit_copy(root), *at = after, *next;
    for (; *path; path++) {
        if (!json_object_object_get_ex(at, *path, &next)) {
            next = json_new_object();
            json_add(at, *path, next);
        }
        at = next;
    }
    json_object_object_foreach(entry, name, value)
    {
        if (value)
            json_add(at, name, json_object_get(value));
        else
            json_object_object_del(at, name);
    }
    return after;
}

bool toml_edit_put(struct buf *text, const char *const *path, struct json_object *entry, struct buf *why)
{
    struct toml toml;
    if (!toml_read(text, &toml, why))
        return false;
    struct buf copy = {0};
    struct json_object *after = NULL;
    bool ok = is_plain(&toml, path, why);
    if (!ok)
        goto out;
    after = expected_put(toml.root, path, entry);
    if (json_object_equal(after, toml.root))
        goto out;
    buf_append(&copy, buf_text(text), text->len);
    if (find_header(&toml, path) == toml.count) {
        append_table(&copy, path, entry);
    } else {
        json_object_object_foreach(entry, name, value) ok = ok && set_member(&copy, path, name, value, why);
    }
    ok = ok && commit(text, &copy, after, why);
out:
    json_object_put(after);
    buf_wipe(&copy);
    toml_free(&toml);
    return ok;
}

/* Without the table, and without what had no other reason than it: tables above it that have no header. */
static struct json_object *expected_remove(const struct toml *toml, const char *const *path)
{
    struct json_object *after = edit_copy(toml->root);
    const char *at[TOML_MAX_DEPTH + 1] = {0};
    size_t len = edit_path_len(path);
    if (len > TOML_MAX_DEPTH)
        return after;
    memcpy(at, path, len * sizeof *path);
    for (; len > 0; len--) {
        at[len] = NULL;
        struct json_object *table = json_edit_find(after, at);
        bool empty = table && json_object_object_length(table) == 0;
        if (len < edit_path_len(path) && (!empty || find_header(toml, at) < toml->count))
            break;
        const char *name = at[len - 1];
        at[len - 1] = NULL;
        json_object_object_del(json_edit_find(after, at), name);
    }
    return after;
}

bool toml_edit_remove(struct buf *text, const char *const *path, struct buf *why)
{
    struct toml toml;
    if (!toml_read(text, &toml, why))
        return false;
    struct buf copy = {0};
    struct json_object *after = NULL;
    bool ok = is_plain(&toml, path, why);
    if (!ok || !json_edit_find(toml.root, path))
        goto out;
    after = expected_remove(&toml, path);
    buf_append(&copy, buf_text(text), text->len);
    ok = remove_below(&copy, path, why) && commit(text, &copy, after, why);
out:
    json_object_put(after);
    buf_wipe(&copy);
    toml_free(&toml);
    return ok;
}
