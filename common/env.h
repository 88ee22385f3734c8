/* env.h: settings from the environment and from env files, by table. */
#ifndef COMMON_ENV_H
#define COMMON_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "compiler.h"

/* Parses the text of an env file: KEY=VALUE lines, '#' comments (behind a value after a blank), an optional
 * "export ", single or double quotes (double with \n \t \" \\ escapes). Calls set for each pair, in order.
 * Returns 0, or the number of the first bad line. Pure. */
int env_parse(
    const char *text, size_t len, void (*set)(void *arg, const char *key, const char *value), void *arg);

enum { ENV_FILE_MAX = 1024 * 1024 };
/* Reads the file and puts each pair into the environment where the name is not there yet (the environment
 * wins, and of two pairs of one name the first). False: why has one line for the person, and nothing was put.
 */
MUST_CHECK bool env_load_file(const char *path, struct buf *why);

enum setting_kind {
    SETTING_TEXT,    /* char *: any text without control characters; owned by the struct that holds it */
    SETTING_SECRET,  /* char *: as TEXT, and its value is never shown in an error */
    SETTING_INTEGER, /* int64_t from min to max */
    SETTING_BOOLEAN, /* bool: true/false, 1/0, yes/no, on/off */
    SETTING_URL,  /* char *: http:// or https://, no userinfo, query or fragment; trailing slashes dropped */
    SETTING_NAME, /* char *: an agent's or namespace's name (ident.h), lower-cased */
    SETTING_PATH, /* char *: a URL path: begins with '/', characters [A-Za-z0-9/._-], no trailing '/' */
    SETTING_CHOICE,  /* int: index into choices */
    SETTING_IGNORED, /* accepted for the original's sake */
};

/* One row of a settings table: its name, rule, default, place and help. The docs check reads the same rows.
 */
struct setting {
    const char *name; /* the environment variable; NULL ends the table */
    enum setting_kind kind;
    size_t offset;              /* of the field in the settings struct */
    const char *fallback;       /* the default as text; NULL: none (char * stays NULL) */
    int64_t min, max;           /* INTEGER */
    const char *const *choices; /* CHOICE: NULL-ended */
    const char *help;           /* one line */
};

/* Fills *out by table from getenv; a variable that is empty counts as not set, a field without value or
 * default keeps what it holds (char *: becomes NULL). False: nothing is kept, and why names the variable, its
 * rule and what was given (but for secrets). */
MUST_CHECK bool env_read_settings(const struct setting *table, void *out, struct buf *why);
/* Frees the strings that env_read_settings put there (secrets are wiped). */
void env_free_settings(const struct setting *table, void *out);
/* Calls warn for each variable of the environment that begins with prefix and is in none of the tables
 * (NULL-ended). */
void env_unknown(const char *prefix, const struct setting *const *tables, void (*warn)(const char *name));

#endif
