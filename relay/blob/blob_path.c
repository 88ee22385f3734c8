#include "blob_path.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../../common/clock.h"
#include "../../common/secret.h"

/* ---- a part for a namespace or an agent ---- */

enum { OWNER_HEX = 40 };

void blob_path_owner(const char *name, char out[static NAME_SIZE])
{
    char hash[SHA256_HEX_SIZE];
    if (ident_name_valid(name)) {
        memccpy(out, name, '\0', NAME_SIZE);
        return;
    }
    secret_sha256_hex(name, strlen(name), hash);
    snprintf(out, NAME_SIZE, "~%.*s", OWNER_HEX, hash);
}

static bool is_owner(const char *part)
{
    if (part[0] != '~')
        return ident_name_valid(part);
    return strlen(part) == 1 + OWNER_HEX && strspn(part + 1, "0123456789abcdef") == OWNER_HEX;
}

/* ---- a safe name ---- */

static bool is_safe(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c);
}

/* What Windows takes for a device, whatever extension is behind it. */
static bool is_device(const char *name)
{
    static const char *const devices[] = {"con", "prn", "aux", "nul", "com", "lpt"};
    enum { NUMBERED = 4 }; /* from here on a digit follows */
    const size_t len = strcspn(name, ".");
    for (size_t i = 0; i < LENGTH_OF(devices); i++) {
        const size_t wanted = i < NUMBERED ? 3 : 4;
        if (len == wanted && strncasecmp(name, devices[i], 3) == 0 &&
            (i < NUMBERED || (name[3] >= '0' && name[3] <= '9')))
            return true;
    }
    return false;
}

/* Where the extension begins, dot included; the end where there is none worth keeping. */
static const char *extension(const char *name, const char *end)
{
    enum { EXTENSION_MAX = 12 };
    for (const char *dot = end; dot > name && end - dot <= EXTENSION_MAX; dot--) {
        if (*dot == '.')
            return dot;
    }
    return end;
}

/* The part behind the last slash of either kind. */
static const char *last_part(const char *name)
{
    const char *last = name;
    for (const char *c = name; *c; c++) {
        if (*c == '/' || *c == '\\')
            last = c + 1;
    }
    return last;
}

struct name_writer {
    char *out;
    size_t len, room;
};

static void write_safe(struct name_writer *w, const char *from, const char *to)
{
    for (const char *c = from; c < to && w->len < w->room; c++) {
        const char safe = *c != '\0' && is_safe(*c) ? *c : '_';
        const bool repeats = safe == '_' && w->len > 0 && w->out[w->len - 1] == '_';
        const bool hides = w->len == 0 && (safe == '.' || safe == '-');
        if (!repeats && !hides)
            w->out[w->len++] = safe;
    }
    w->out[w->len] = '\0';
}

void blob_name_safe(const char *name, char out[static BLOB_NAME_SIZE])
{
    const char *start = last_part(name), *end = start + strlen(start), *dot = extension(start, end);
    struct name_writer w = {.out = out, .room = BLOB_NAME_MAX - 1 - (size_t)(end - dot)};
    write_safe(&w, start, dot);
    w.room = BLOB_NAME_MAX - 1;
    write_safe(&w, dot, end);
    if (is_device(out)) {
        w.len -= w.len == w.room; /* so that a name made safe is safe already */
        memmove(out + 1, out, w.len);
        out[0] = '_';
        w.len++;
    }
    while (w.len > 0 && out[w.len - 1] == '.')
        w.len--;
    memset(out + w.len, 0, BLOB_NAME_SIZE - w.len); /* what was cut off, too */
    if (w.len == 0 || strcmp(out, "_") == 0)
        memcpy(out, "file", sizeof "file");
}

/* A name as blob_name_safe leaves it. */
static bool is_name(const char *name)
{
    char safe[BLOB_NAME_SIZE];
    blob_name_safe(name, safe);
    return strcmp(name, safe) == 0;
}

/* ---- a whole path ---- */

/* The present time, or one more than what the last call got. */
static int64_t next_ms(void)
{
    static _Atomic int64_t last;
    int64_t before = atomic_load(&last), now;
    do {
        now = clock_wall_ms();
        if (now <= before)
            now = before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, now));
    return now;
}

void blob_path_make(const char *namespace_id, const char *agent, const char *filename, struct blob_path *out)
{
    memset(out, 0, sizeof *out);
    blob_path_owner(namespace_id, out->namespace_part);
    blob_path_owner(agent, out->agent_part);
    blob_name_safe(filename, out->name);
    out->made_ms = next_ms();
    snprintf(out->text, sizeof out->text, "%s/%s/%" PRId64 "_%s", out->namespace_part, out->agent_part,
        out->made_ms, out->name);
}

/* Moves what stands before the separator to out. False: it does not fit, is empty, or no separator comes. */
static bool take_part(const char **text, char separator, char *out, size_t size)
{
    const char *end = strchr(*text, separator);
    if (!end || end == *text || (size_t)(end - *text) >= size)
        return false;
    memcpy(out, *text, (size_t)(end - *text));
    out[end - *text] = '\0';
    *text = end + 1;
    return true;
}

static bool take_ms(const char **text, int64_t *ms)
{
    enum { DIGITS_READ = 18 }; /* never overflow */
    char digits[DIGITS_READ + 1];
    if (!take_part(text, '_', digits, sizeof digits) || digits[0] == '0' ||
        strspn(digits, "0123456789") != strlen(digits))
        return false;
    *ms = 0;
    for (const char *digit = digits; *digit; digit++)
        *ms = *ms * 10 + (*digit - '0');
    return true;
}

/* What a refused path most likely is, for the one who has to write it anew. */
static const char *explain(const char *text)
{
    if (*text == '\0')
        return "is empty";
    if (*text == '/' || strchr(text, '\\') || strchr(text, ':'))
        return "must not be absolute";
    if (strstr(text, ".."))
        return "must not have '..'";
    if (strchr(text, '%'))
        return "must not be encoded";
    return "must be namespace/agent/number_name, as upload_attachment gave it";
}

bool blob_path_parse(const char *text, struct blob_path *out, const char **problem)
{
    static const char blanks[] = " \t\r\n";
    char trimmed[BLOB_PATH_SIZE];
    memset(out, 0, sizeof *out);
    text += strspn(text, blanks);
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    if (len > BLOB_PATH_MAX) {
        *problem = "is too long to be one";
        return false;
    }
    memcpy(trimmed, text, len);
    trimmed[len] = '\0';

    const char *rest = trimmed;
    if (take_part(&rest, '/', out->namespace_part, sizeof out->namespace_part) &&
        is_owner(out->namespace_part) && take_part(&rest, '/', out->agent_part, sizeof out->agent_part) &&
        is_owner(out->agent_part) && take_ms(&rest, &out->made_ms) && strlen(rest) <= BLOB_NAME_MAX &&
        is_name(rest)) {
        memccpy(out->name, rest, '\0', sizeof out->name);
        memcpy(out->text, trimmed, len + 1);
        return true;
    }
    memset(out, 0, sizeof *out);
    *problem = explain(trimmed);
    return false;
}

bool blob_path_in_namespace(const struct blob_path *path, const char *namespace_id)
{
    char part[NAME_SIZE];
    blob_path_owner(namespace_id, part);
    return strcmp(path->namespace_part, part) == 0;
}
