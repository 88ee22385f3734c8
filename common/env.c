#include "env.h"

#include <assert.h>
#include <bsd/stdlib.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"
#include "ident.h"
#include "secret.h"
#include "url.h"
#include "utf8.h"

extern char **environ;

/* ---- env files ---- */

struct line {
    const char *text;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void drop(struct line *line, size_t count)
{
    line->text += count;
    line->len -= count;
}

static void trim(struct line *line)
{
    while (line->len > 0 && is_blank(line->text[0])) {
        drop(line, 1);
    }
    while (line->len > 0 && is_blank(line->text[line->len - 1])) {
        line->len--;
    }
}

static bool is_key_char(char c, bool first)
{
    bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    return is_letter || (!first && c >= '0' && c <= '9');
}

static size_t key_len(const struct line *line)
{
    size_t len = 0;
    while (len < line->len && is_key_char(line->text[len], len == 0)) {
        len++;
    }
    return len;
}

/* True for nothing, or for a comment. */
static bool is_rest_empty(struct line rest)
{
    trim(&rest);
    return rest.len == 0 || rest.text[0] == '#';
}

static char unescape(char c)
{
    static const char escapes[] = "nt\"\\";
    static const char meanings[] = "\n\t\"\\";
    const char *escape = c ? strchr(escapes, c) : NULL;
    return escape ? meanings[escape - escapes] : '\0';
}

/* At the opening quote. False where the value does not end, or an escape is unknown. */
static bool read_quoted(struct line line, struct buf *value)
{
    char quote = line.text[0];
    drop(&line, 1);
    while (line.len > 0 && line.text[0] != quote) {
        char c = line.text[0];
        if (c == '\\' && quote == '"') {
            drop(&line, 1);
            c = line.len > 0 ? unescape(line.text[0]) : '\0';
            if (c == '\0') {
                return false;
            }
        }
        buf_putc(value, c);
        drop(&line, 1);
    }
    if (line.len == 0) {
        return false;
    }
    drop(&line, 1);
    return is_rest_empty(line);
}

/* Up to a '#' that follows a blank. */
static void read_bare(struct line line, struct buf *value)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.text[i] == '#' && (i == 0 || is_blank(line.text[i - 1]))) {
            line.len = i;
        }
    }
    trim(&line);
    buf_append(value, line.text, line.len);
}

static bool parse_line(
    struct line line, struct buf *value, void (*set)(void *, const char *, const char *), void *arg)
{
    static const char export_word[] = "export ";
    trim(&line);
    if (is_rest_empty(line)) {
        return true;
    }
    if (memchr(line.text, '\0', line.len)) {
        return false;
    }
    if (line.len >= sizeof(export_word) - 1 && memcmp(line.text, export_word, sizeof(export_word) - 1) == 0) {
        drop(&line, sizeof(export_word) - 1);
        trim(&line);
    }
    size_t len = key_len(&line);
    if (len == 0 || len == line.len || line.text[len] != '=') {
        return false;
    }
    char *key = xmemdup_text(line.text, len);
    drop(&line, len + 1);
    trim(&line);
    bool is_good = true;
    if (line.len > 0 && (line.text[0] == '"' || line.text[0] == '\'')) {
        is_good = read_quoted(line, value);
    } else {
        read_bare(line, value);
    }
    if (is_good) {
        set(arg, key, buf_text(value));
    }
    free(key);
    return is_good;
}

int env_parse(
    const char *text, size_t len, void (*set)(void *arg, const char *key, const char *value), void *arg)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    struct line rest = {text, len};
    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        drop(&rest, 3);
    }
    for (int number = 1; rest.len > 0; number++) {
        const char *end = memchr(rest.text, '\n', rest.len);
        size_t line_len = end ? (size_t)(end - rest.text) : rest.len;
        struct line line = {rest.text, line_len};
        if (line.len > 0 && line.text[line.len - 1] == '\r') {
            line.len--;
        }
        struct buf value = {0};
        bool is_good = parse_line(line, &value, set, arg);
        buf_wipe(&value);
        if (!is_good) {
            return number;
        }
        drop(&rest, end ? line_len + 1 : line_len);
    }
    return 0;
}

static void check_pair(void *arg, const char *key, const char *value)
{
    (void)arg;
    (void)key;
    (void)value;
}

static void put_pair(void *arg, const char *key, const char *value)
{
    int *error = arg;
    if (setenv(key, value, 0) != 0) {
        *error = errno;
    }
}

/* Reads a whole file of at most ENV_FILE_MAX bytes. 0, or an errno. */
static int read_file(const char *path, struct buf *text)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return errno;
    }
    int error = 0;
    errno = 0;
    buf_commit(text, fread(buf_reserve(text, ENV_FILE_MAX + 1), 1, ENV_FILE_MAX + 1, file));
    if (ferror(file)) {
        error = errno ? errno : EIO;
    } else if (text->len > ENV_FILE_MAX) {
        error = EFBIG;
    }
    fclose(file);
    return error;
}

bool env_load_file(const char *path, struct buf *why)
{
    struct buf text = {0};
    bool ok = false;
    int error = read_file(path, &text);
    if (error != 0) {
        buf_printf(why, "%s: %s", path, strerror(error));
        goto out;
    }
    /* First a look at all of it: a bad line leaves the environment as it was. */
    int bad_line = env_parse(buf_text(&text), text.len, check_pair, NULL);
    if (bad_line != 0) {
        buf_printf(why, "%s:%d: not KEY=VALUE", path, bad_line);
        goto out;
    }
    env_parse(buf_text(&text), text.len, put_pair, &error);
    if (error != 0) {
        buf_printf(why, "%s: %s", path, strerror(error));
        goto out;
    }
    ok = true;
out:
    buf_wipe(&text);
    return ok;
}

/* ---- settings ---- */

static void *field_of(const struct setting *row, void *out)
{
    return (char *)out + row->offset;
}

static bool is_text(const char *value)
{
    size_t len = strlen(value);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7F) {
            return false;
        }
    }
    return utf8_valid(value, len);
}

static bool read_text(const struct setting *row, const char *value, void *field)
{
    (void)row;
    if (!is_text(value)) {
        return false;
    }
    *(char **)field = xstrdup(value);
    return true;
}

static bool read_integer(const struct setting *row, const char *value, void *field)
{
    const char *problem = NULL;
    int64_t number = strtonum(value, row->min, row->max, &problem);
    if (problem) {
        return false;
    }
    *(int64_t *)field = number;
    return true;
}

static bool read_boolean(const struct setting *row, const char *value, void *field)
{
    static const struct {
        const char *word;
        bool meaning;
    } words[] = {
        {"true", true},
        {"1", true},
        {"yes", true},
        {"on", true},
        {"false", false},
        {"0", false},
        {"no", false},
        {"off", false},
    };
    (void)row;
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        if (strcasecmp(value, words[i].word) == 0) {
            *(bool *)field = words[i].meaning;
            return true;
        }
    }
    return false;
}

static bool read_url(const struct setting *row, const char *value, void *field)
{
    (void)row;
    struct url url;
    if (!url_parse(value, &url)) {
        return false;
    }
    struct buf text = {0};
    char *origin = url_origin(&url);
    buf_puts(&text, origin);
    if (strcmp(url.path, "/") != 0) {
        buf_puts(&text, url.path);
    }
    free(origin);
    url_free(&url);
    *(char **)field = buf_take(&text);
    return true;
}

static bool read_name(const struct setting *row, const char *value, void *field)
{
    (void)row;
    char name[NAME_SIZE];
    if (!ident_name_normalize(value, name)) {
        return false;
    }
    *(char **)field = xstrdup(name);
    return true;
}

static bool read_path(const struct setting *row, const char *value, void *field)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-";
    (void)row;
    size_t len = strlen(value);
    if (len < 2 || value[0] != '/' || value[len - 1] == '/' || strspn(value, allowed) != len) {
        return false;
    }
    *(char **)field = xstrdup(value);
    return true;
}

static bool read_choice(const struct setting *row, const char *value, void *field)
{
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(value, row->choices[i]) == 0) {
            *(int *)field = i;
            return true;
        }
    }
    return false;
}

static void describe_integer(const struct setting *row, struct buf *why)
{
    buf_printf(why, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
}

static void describe_choice(const struct setting *row, struct buf *why)
{
    buf_puts(why, "one of");
    for (int i = 0; row->choices[i]; i++) {
        buf_printf(why, "%s %s", i > 0 ? "," : "", row->choices[i]);
    }
}

/* What each kind of setting is: how it is read, its rule in words, and whether its field is a string of ours.
 */
static const struct kind {
    bool (*read)(const struct setting *row, const char *value, void *field); /* NULL: not read */
    const char *rule;
    void (*describe)(const struct setting *row, struct buf *why); /* where the rule depends on the row */
    bool is_string;
} kinds[] = {
    [SETTING_TEXT] = {read_text, "text without control characters", NULL, true},
    [SETTING_SECRET] = {read_text, "text without control characters", NULL, true},
    [SETTING_INTEGER] = {read_integer, NULL, describe_integer, false},
    [SETTING_BOOLEAN] = {read_boolean, "true or false", NULL, false},
    [SETTING_URL] = {read_url, "an http:// or https:// URL without user, query or fragment", NULL, true},
    [SETTING_NAME] = {read_name,
        "a name: letters, digits, '.', '_', '-', at most 64, beginning with a letter or digit", NULL, true},
    [SETTING_PATH] = {read_path,
        "a path that begins with '/', of letters, digits, '/', '.', '_', '-', not ending in '/'", NULL, true},
    [SETTING_CHOICE] = {read_choice, NULL, describe_choice, false},
    [SETTING_IGNORED] = {NULL, NULL, NULL, false},
};

/* The value as given, for a person's eyes: bounded, on one line. */
static void append_given(struct buf *why, const char *value)
{
    enum { SHOWN_MAX = 80 };
    size_t len = strlen(value);
    for (size_t i = 0; i < len && i < SHOWN_MAX; i++) {
        bool is_shown = value[i] >= ' ' && value[i] <= '~';
        buf_putc(why, is_shown ? value[i] : '?');
    }
    buf_puts(why, len > SHOWN_MAX ? "…" : "");
}

static void explain(const struct setting *row, const char *value, struct buf *why)
{
    const struct kind *kind = &kinds[row->kind];
    buf_printf(why, "%s must be ", row->name);
    if (kind->describe) {
        kind->describe(row, why);
    } else {
        buf_puts(why, kind->rule);
    }
    if (row->kind == SETTING_SECRET) {
        return;
    }
    buf_puts(why, ", not \"");
    append_given(why, value);
    buf_puts(why, "\"");
}

static bool read_setting(const struct setting *row, void *out, struct buf *why)
{
    const struct kind *kind = &kinds[row->kind];
    if (!kind->read) {
        return true;
    }
    const char *given = getenv(row->name);
    const char *value = given && given[0] ? given : row->fallback;
    if (!value) {
        return true;
    }
    if (kind->read(row, value, field_of(row, out))) {
        return true;
    }
    assert(value != row->fallback);
    explain(row, value, why);
    return false;
}

bool env_read_settings(const struct setting *table, void *out, struct buf *why)
{
    for (const struct setting *row = table; row->name; row++) {
        if (kinds[row->kind].is_string) {
            *(char **)field_of(row, out) = NULL;
        }
    }
    for (const struct setting *row = table; row->name; row++) {
        if (!read_setting(row, out, why)) {
            env_free_settings(table, out);
            return false;
        }
    }
    return true;
}

void env_free_settings(const struct setting *table, void *out)
{
    for (const struct setting *row = table; row->name; row++) {
        if (!kinds[row->kind].is_string) {
            continue;
        }
        char **field = field_of(row, out);
        if (row->kind == SETTING_SECRET) {
            secret_free(*field);
        } else {
            free(*field);
        }
        *field = NULL;
    }
}

static bool is_in_table(const char *name, size_t len, const struct setting *table)
{
    for (const struct setting *row = table; row->name; row++) {
        if (strlen(row->name) == len && memcmp(row->name, name, len) == 0) {
            return true;
        }
    }
    return false;
}

void env_unknown(const char *prefix, const struct setting *const *tables, void (*warn)(const char *name))
{
    size_t prefix_len = strlen(prefix);
    for (char **entry = environ; *entry; entry++) {
        size_t len = strcspn(*entry, "=");
        if (strncmp(*entry, prefix, prefix_len) != 0) {
            continue;
        }
        bool is_known = false;
        for (const struct setting *const *table = tables; *table && !is_known; table++) {
            is_known = is_in_table(*entry, len, *table);
        }
        if (!is_known) {
            char *name = xmemdup_text(*entry, len);
            warn(name);
            free(name);
        }
    }
}
