#include "toml_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/utf8.h"

#define BOM         "\xEF\xBB\xBF"
#define BARE_CHARS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define SCALAR_MORE "+.:"

struct reader {
    const char *text;
    size_t len, at;
    struct buf *why;
};

/* ---- places ---- */

static char peek(const struct reader *r)
{
    return r->at < r->len ? r->text[r->at] : '\0';
}

static bool looking_at(const struct reader *r, const char *what)
{
    size_t len = strlen(what);
    return r->len - r->at >= len && memcmp(r->text + r->at, what, len) == 0;
}

/* Always false. */
static bool fault(const struct reader *r, const char *what)
{
    size_t line = 1;
    for (size_t i = 0; i < r->at && i < r->len; i++)
        line += r->text[i] == '\n';
    if (r->why->len == 0)
        buf_printf(r->why, "line %zu: %s", line, what);
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static bool at_newline(const struct reader *r)
{
    return peek(r) == '\n' || looking_at(r, "\r\n");
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == '\x7F';
}

static bool skip_comment(struct reader *r)
{
    if (peek(r) != '#')
        return true;
    while (r->at < r->len && !at_newline(r)) {
        if (is_control(peek(r)))
            return fault(r, "a control character in a comment");
        r->at++;
    }
    return true;
}

/* What may follow a statement, up to the next line's beginning. */
static bool end_line(struct reader *r)
{
    skip_blanks(r);
    if (!skip_comment(r))
        return false;
    if (r->at < r->len && !at_newline(r))
        return fault(r, "more than one thing on a line");
    if (r->at < r->len)
        r->at += peek(r) == '\r' ? 2 : 1;
    return true;
}

/* Within brackets, where lines do not matter. */
static bool skip_lines(struct reader *r)
{
    for (;;) {
        skip_blanks(r);
        if (!skip_comment(r))
            return false;
        if (!at_newline(r))
            return true;
        r->at += peek(r) == '\r' ? 2 : 1;
    }
}

/* ---- strings ---- */

static const char escapes[][2] = {
    {'b', '\b'}, {'t', '\t'}, {'n', '\n'}, {'f', '\f'}, {'r', '\r'}, {'"', '"'}, {'\\', '\\'}};

static void put_code_point(struct buf *out, unsigned long code)
{
    if (code < 0x80) {
        buf_putc(out, (char)code);
        return;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
    buf_putc(out, (char)(first[more] | (code >> (6 * more))));
    while (more-- > 0)
        buf_putc(out, (char)(0x80 | ((code >> (6 * more)) & 0x3F)));
}

static bool read_code_point(struct reader *r, size_t digits, struct buf *out)
{
    char hex[9] = {0};
    if (r->len - r->at < digits)
        return fault(r, "an escape is cut short");
    memcpy(hex, r->text + r->at, digits);
    if (strspn(hex, "0123456789abcdefABCDEF") != digits)
        return fault(r, "an escape that is no number");
    unsigned long code = strtoul(hex, NULL, 16);
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return fault(r, "an escape that is no character");
    r->at += digits;
    put_code_point(out, code);
    return true;
}

/* Behind the backslash. */
static bool read_escape(struct reader *r, struct buf *out)
{
    char c = peek(r);
    r->at++;
    if (c == 'u' || c == 'U')
        return read_code_point(r, c == 'u' ? 4 : 8, out);
    for (size_t i = 0; i < LENGTH_OF(escapes); i++) {
        if (escapes[i][0] == c) {
            buf_putc(out, escapes[i][1]);
            return true;
        }
    }
    return fault(r, "an unknown escape");
}

/* A backslash at a line's end in a string of several lines. */
static bool skip_folded(struct reader *r)
{
    size_t before = r->at;
    skip_blanks(r);
    if (!at_newline(r)) {
        r->at = before;
        return false;
    }
    while (peek(r) == ' ' || peek(r) == '\t' || at_newline(r))
        r->at++;
    return true;
}

/* The closing quotes of a string of several lines, to which up to two of its own may be joined. */
static bool take_closing(struct reader *r, const char *quotes, struct buf *out)
{
    if (!looking_at(r, quotes))
        return false;
    for (int own = 0; own < 2 && r->at + 3 < r->len && r->text[r->at + 3] == quotes[0]; own++) {
        buf_putc(out, quotes[0]);
        r->at++;
    }
    r->at += 3;
    return true;
}

static bool read_long_string(struct reader *r, const char *quotes, struct buf *out)
{
    r->at += 3;
    if (at_newline(r))
        r->at += peek(r) == '\r' ? 2 : 1;
    while (r->at < r->len) {
        if (take_closing(r, quotes, out))
            return true;
        char c = peek(r);
        if (is_control(c) && !at_newline(r) && c != '\n')
            return fault(r, "a control character in a string");
        r->at++;
        if (c != '\\' || quotes[0] == '\'')
            buf_putc(out, c);
        else if (!skip_folded(r) && !read_escape(r, out))
            return false;
    }
    return fault(r, "a string that does not end");
}

static bool read_short_string(struct reader *r, char quote, struct buf *out)
{
    for (r->at++; r->at < r->len;) {
        char c = peek(r);
        if (is_control(c))
            return fault(r, "a string that does not end on its line");
        r->at++;
        if (c == quote)
            return true;
        if (c != '\\' || quote == '\'')
            buf_putc(out, c);
        else if (!read_escape(r, out))
            return false;
    }
    return fault(r, "a string that does not end");
}

static bool read_string(struct reader *r, struct buf *out)
{
    if (looking_at(r, "\"\"\""))
        return read_long_string(r, "\"\"\"", out);
    if (looking_at(r, "'''"))
        return read_long_string(r, "'''", out);
    return read_short_string(r, peek(r), out);
}

/* ---- names ---- */

static bool read_name(struct reader *r, struct json_object *path)
{
    struct buf name = {0};
    bool ok = true;
    if (peek(r) == '"' || peek(r) == '\'') {
        ok = read_short_string(r, peek(r), &name);
    } else {
        size_t start = r->at;
        while (r->at < r->len && strchr(BARE_CHARS, peek(r)) && peek(r))
            r->at++;
        buf_append(&name, r->text + start, r->at - start);
        if (name.len == 0)
            ok = fault(r, "a name is missing");
    }
    if (ok)
        json_append_text_len(path, buf_text(&name), name.len);
    buf_free(&name);
    return ok;
}

/* One name, or several with dots between them. */
static bool read_names(struct reader *r, struct json_object *path)
{
    for (;;) {
        skip_blanks(r);
        if (!read_name(r, path))
            return false;
        skip_blanks(r);
        if (peek(r) != '.')
            return true;
        if (json_object_array_length(path) >= TOML_MAX_DEPTH)
            return fault(r, "names within names go too deep");
        r->at++;
    }
}

/* ---- what statements mean ---- */

static const char *name_at(struct json_object *path, size_t i)
{
    return json_object_get_string(json_object_array_get_idx(path, i));
}

/* The table of that name in holder, made where it is missing; of an array of tables the last one. NULL:
 * something else has the name. */
static struct json_object *table_in(struct json_object *holder, const char *name)
{
    struct json_object *found;
    if (!json_object_object_get_ex(holder, name, &found)) {
        found = json_new_object();
        json_add(holder, name, found);
    }
    if (json_object_is_type(found, json_type_array) && json_object_array_length(found) > 0)
        found = json_object_array_get_idx(found, json_object_array_length(found) - 1);
    return json_object_is_type(found, json_type_object) ? found : NULL;
}

/* Sets the value that the path leads to, below from. */
static bool define(
    const struct reader *r, struct json_object *from, struct json_object *path, struct json_object *value)
{
    size_t last = json_object_array_length(path) - 1;
    for (size_t i = 0; i < last && from; i++)
        from = table_in(from, name_at(path, i));
    if (!from)
        return fault(r, "a name that has a value cannot have names below it");
    if (json_object_object_get_ex(from, name_at(path, last), NULL))
        return fault(r, "a name that has a value already");
    json_add(from, name_at(path, last), json_object_get(value));
    return true;
}

/* ---- values ---- */

static bool read_value(struct reader *r, size_t depth, struct json_object **out);

static bool read_array(struct reader *r, size_t depth, struct json_object **out)
{
    *out = json_new_array();
    r->at++;
    for (;;) {
        if (!skip_lines(r))
            return false;
        if (peek(r) == ']')
            break;
        struct json_object *item;
        if (!read_value(r, depth + 1, &item))
            return false;
        json_append(*out, item);
        if (!skip_lines(r))
            return false;
        if (peek(r) == ',')
            r->at++;
        else if (peek(r) != ']')
            return fault(r, "an array that does not end");
    }
    r->at++;
    return true;
}

static bool read_member(struct reader *r, size_t depth, struct json_object *table)
{
    struct json_object *path = json_new_array(), *value = NULL;
    bool ok = read_names(r, path);
    if (ok && peek(r) != '=')
        ok = fault(r, "a value is missing");
    if (ok) {
        r->at++;
        skip_blanks(r);
        ok = read_value(r, depth + 1, &value) && define(r, table, path, value);
    }
    json_object_put(value);
    json_object_put(path);
    return ok;
}

static bool read_inline_table(struct reader *r, size_t depth, struct json_object **out)
{
    *out = json_new_object();
    r->at++;
    skip_blanks(r);
    if (peek(r) == '}') {
        r->at++;
        return true;
    }
    for (;;) {
        if (!read_member(r, depth, *out))
            return false;
        skip_blanks(r);
        char c = peek(r);
        if (c != ',' && c != '}')
            return fault(r, "an inline table that does not end on its line");
        r->at++;
        if (c == '}')
            return true;
    }
}

static bool is_scalar_char(char c)
{
    return c && (strchr(BARE_CHARS, c) || strchr(SCALAR_MORE, c));
}

/* A date may have a blank before its time. */
static bool goes_on(const struct reader *r, size_t start)
{
    return r->at - start == 10 && r->text[start + 4] == '-' && peek(r) == ' ' && r->at + 1 < r->len &&
           r->text[r->at + 1] >= '0' && r->text[r->at + 1] <= '9';
}

static struct json_object *scalar_of(const char *word)
{
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        return json_object_new_boolean(word[0] == 't');
    char *end;
    errno = 0;
    long long number = strtoll(word, &end, 10);
    if (*end == '\0' && errno == 0)
        return json_object_new_int64(number);
    return json_object_new_string(word);
}

static bool scalar_valid(const char *word)
{
    const char *digits = word + (*word == '+' || *word == '-');
    return strcmp(word, "true") == 0 || strcmp(word, "false") == 0 || strcmp(digits, "inf") == 0 ||
           strcmp(digits, "nan") == 0 || (*digits >= '0' && *digits <= '9');
}

static bool read_scalar(struct reader *r, struct json_object **out)
{
    size_t start = r->at;
    while (is_scalar_char(peek(r)) || goes_on(r, start))
        r->at++;
    if (r->at == start)
        return fault(r, "a value is missing");
    char *word = xmemdup_text(r->text + start, r->at - start);
    bool ok = scalar_valid(word) || fault(r, "a value that is none");
    if (ok) {
        *out = scalar_of(word);
        if (!*out)
            alloc_failed();
    }
    free(word);
    return ok;
}

static bool read_text_value(struct reader *r, struct json_object **out)
{
    struct buf text = {0};
    bool ok = read_string(r, &text);
    if (ok) {
        *out = json_object_new_string_len(buf_text(&text), (int)text.len);
        if (!*out)
            alloc_failed();
    }
    buf_wipe(&text);
    return ok;
}

/* *out is set or NULL also where it fails; to be put in any case. */
static bool read_some_value(struct reader *r, size_t depth, struct json_object **out)
{
    switch (peek(r)) {
    case '"':
    case '\'':
        return read_text_value(r, out);
    case '[':
        return read_array(r, depth, out);
    case '{':
        return read_inline_table(r, depth, out);
    default:
        return read_scalar(r, out);
    }
}

static bool read_value(struct reader *r, size_t depth, struct json_object **out)
{
    *out = NULL;
    if (depth > TOML_MAX_DEPTH)
        return fault(r, "values within values go too deep");
    if (read_some_value(r, depth, out))
        return true;
    json_object_put(*out);
    *out = NULL;
    return false;
}

/* ---- statements ---- */

struct document {
    struct toml *toml;
    size_t room;
    struct json_object *table_path; /* of the header above; borrowed */
    struct json_object *table;      /* that it leads to; borrowed from the root */
    struct json_object *headers;    /* the tables that had a header, by address */
};

/* Headers open a table once, but in each element of an array anew: objects are told apart by identity. */
static bool first_header(struct document *doc, const void *table)
{
    char address[32];
    snprintf(address, sizeof address, "%p", table);
    if (json_object_object_get_ex(doc->headers, address, NULL))
        return false;
    json_add_bool(doc->headers, address, true);
    return true;
}

static bool open_table(struct reader *r, struct document *doc, struct json_object *path)
{
    struct json_object *at = doc->toml->root;
    for (size_t i = 0; i < json_object_array_length(path) && at; i++)
        at = table_in(at, name_at(path, i));
    if (!at)
        return fault(r, "a table of a name that has a value");
    if (!first_header(doc, at))
        return fault(r, "a table that is there already");
    doc->table = at;
    return true;
}

static bool open_table_array(struct reader *r, struct document *doc, struct json_object *path)
{
    struct json_object *at = doc->toml->root, *array;
    size_t last = json_object_array_length(path) - 1;
    for (size_t i = 0; i < last && at; i++)
        at = table_in(at, name_at(path, i));
    if (!at)
        return fault(r, "a table of a name that has a value");
    if (!json_object_object_get_ex(at, name_at(path, last), &array)) {
        array = json_new_array();
        json_add(at, name_at(path, last), array);
    }
    if (!json_object_is_type(array, json_type_array))
        return fault(r, "an array of tables of a name that has a value");
    doc->table = json_new_object();
    json_append(array, doc->table);
    return true;
}

static bool read_header(struct reader *r, struct document *doc, struct toml_statement *out)
{
    out->kind = looking_at(r, "[[") ? TOML_TABLE_ARRAY : TOML_TABLE;
    const char *closing = out->kind == TOML_TABLE ? "]" : "]]";
    r->at += strlen(closing);
    if (!read_names(r, out->path))
        return false;
    if (!looking_at(r, closing))
        return fault(r, "a table's name that does not end");
    r->at += strlen(closing);
    doc->table_path = out->path;
    return out->kind == TOML_TABLE ? open_table(r, doc, out->path) : open_table_array(r, doc, out->path);
}

static bool read_key(struct reader *r, struct document *doc, struct toml_statement *out)
{
    struct json_object *own = json_new_array();
    out->kind = TOML_KEY;
    bool ok = read_names(r, own);
    if (ok && peek(r) != '=')
        ok = fault(r, "a value is missing");
    if (ok) {
        r->at++;
        skip_blanks(r);
        out->value_start = r->at;
        ok = read_value(r, 0, &out->value) && define(r, doc->table, own, out->value);
        out->value_end = r->at;
    }
    for (size_t i = 0; doc->table_path && i < json_object_array_length(doc->table_path); i++)
        json_append(out->path, json_object_get(json_object_array_get_idx(doc->table_path, i)));
    for (size_t i = 0; i < json_object_array_length(own); i++)
        json_append(out->path, json_object_get(json_object_array_get_idx(own, i)));
    json_object_put(own);
    return ok;
}

static bool read_statement(struct reader *r, struct document *doc, size_t start)
{
    struct toml *toml = doc->toml;
    if (toml->count == doc->room) {
        doc->room = doc->room ? 2 * doc->room : 16;
        toml->list = xreallocarray(toml->list, doc->room, sizeof *toml->list);
    }
    struct toml_statement *made = &toml->list[toml->count++];
    *made = (struct toml_statement){.start = start, .path = json_new_array()};
    bool ok = peek(r) == '[' ? read_header(r, doc, made) : read_key(r, doc, made);
    ok = ok && end_line(r);
    made->end = r->at;
    return ok;
}

bool toml_read(const struct buf *text, struct toml *out, struct buf *why)
{
    struct reader r = {.text = buf_text(text), .len = text->len, .why = why};
    struct document doc = {.toml = out, .headers = json_new_object()};
    *out = (struct toml){.root = json_new_object()};
    doc.table = out->root;
    bool ok = text->len <= TOML_MAX_BYTES || fault(&r, "more than 4 MB");
    ok = ok && (utf8_valid(r.text, r.len) || fault(&r, "is not valid UTF-8"));
    if (ok && looking_at(&r, BOM))
        r.at += sizeof BOM - 1;
    while (ok && r.at < r.len) {
        size_t start = r.at;
        skip_blanks(&r);
        if (r.at == r.len || at_newline(&r) || peek(&r) == '#')
            ok = end_line(&r);
        else
            ok = read_statement(&r, &doc, start);
    }
    json_object_put(doc.headers);
    if (!ok)
        toml_free(out);
    return ok;
}

void toml_free(struct toml *toml)
{
    for (size_t i = 0; i < toml->count; i++) {
        json_object_put(toml->list[i].path);
        json_object_put(toml->list[i].value);
    }
    free(toml->list);
    json_object_put(toml->root);
    *toml = (struct toml){0};
}
