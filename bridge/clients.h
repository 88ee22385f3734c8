/* clients.h: the agents' programs that the bridge is set up in: where each keeps its configuration, and what
 * an entry looks like there. One row a program. */
#ifndef BRIDGE_CLIENTS_H
#define BRIDGE_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "edited_file.h"
#include "../common/json.h"

enum client_format { CLIENT_JSON, CLIENT_TOML };

enum client_base {
    CLIENT_IN_HOME,
    CLIENT_IN_CONFIG /* XDG_CONFIG_HOME */,
    CLIENT_IN_CLAUDE,
    CLIENT_IN_CODEX
};

/* An entry's members. */
enum client_shape {
    CLIENT_PLAIN, /* command, args */
    CLIENT_TYPED, /* "type": "stdio" before them */
    CLIENT_LOCAL, /* "type": "local", command is a list */
    CLIENT_CODEX, /* which settings of its environment reach the bridge, too */
};

enum { CLIENT_ENTRY_NAMES = 3 };

struct client {
    const char *name;    /* as the relay and --client call it */
    const char *title;   /* for people */
    const char *program; /* that it is started by */
    const char *project; /* its file below a project; NULL: it has none */
    const char *variant; /* another name for that, used where it is there; NULL: none */
    enum client_base base;
    const char *global; /* its file for all projects, below base */
    const char *folder; /* below base: there where the program was ever used */
    enum client_format format;
    const char *const entry[CLIENT_ENTRY_NAMES]; /* path of our entry, NULL-ended */
    const char *const older[CLIENT_ENTRY_NAMES]; /* another one that Patchcord had; empty: none */
    enum client_shape shape;
};

/* Ended by a row without a name. */
extern const struct client clients[];
/* NULL: none of that name. */
const struct client *client_find(const char *name);
/* Appends the names, with commas. */
void clients_list(struct buf *out);

/* Paths; the caller frees. NULL: HOME is not set (global), or the client has no such file (project). */
char *client_project_path(const struct client *client, const char *project);
char *client_global_path(const struct client *client);
/* What is below the client's base; NULL: HOME is not set. */
char *client_path(const struct client *client, const char *below);
/* Whether the program is in PATH. */
bool client_has_program(const struct client *client);
/* Whether it is, or was used here. */
bool client_is_here(const struct client *client);

/* The entry that starts the bridge by argv (NULL-ended). A new reference. In a TOML entry a null takes out
 * what an older one may have. */
struct json_object *client_entry(const struct client *client, const char *const *argv);
/* Our entry in the file's text, or the older one, a new reference; NULL: there is none, or why has the reason
 * that the text cannot be read. */
struct json_object *client_entry_read(const struct client *client, const struct buf *text, struct buf *why);
/* Puts the entry into the file's text: what an HTTP entry, or a token in env, left is taken out, the older
 * entry too, and what else somebody added stays. False: why has one line, with the file's name. */
MUST_CHECK bool client_entry_put(
    const struct client *client, struct edited_file *file, const char *const *argv, struct buf *why);
/* Takes both out again, and what is empty then but the first keep objects above it. */
MUST_CHECK bool client_entry_remove(
    const struct client *client, struct edited_file *file, size_t keep, struct buf *why);

#endif
