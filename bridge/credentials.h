/* credentials.h: the stored identities: ${XDG_CONFIG_HOME:-~/.config}/patchcord/credentials.json.
 *
 *     {"version": 1, "entries": [
 *       {"agent": "frontend@myproject", "url": "https://relay.example.com", "token": "pc_…",
 *        "folder": "/home/ada/shop", "client": "claude_code"}]}
 *
 * folder (a real path) and client may be missing: such an entry is chosen by --as alone, or by any client of
 * its folder. "ca" may name what is trusted beside the system's certificate authorities, as PATCHCORD_CA_FILE
 * does: a file's absolute path, or a pin. "allow_paths" may list absolute paths of further folders whose
 * files the agent may send and save. A token is bound to the origin of its url. The file must be ours and
 * 0600. */
#ifndef BRIDGE_CREDENTIALS_H
#define BRIDGE_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "../common/compiler.h"
#include "../common/ident.h"

enum { CREDENTIALS_MAX_BYTES = 1024 * 1024, CREDENTIALS_MAX_ENTRIES = 1000, CREDENTIALS_MAX_PATHS = 32 };

struct credential {
    char agent[ADDRESS_SIZE]; /* "agent@namespace" */
    char *url;                /* without a trailing slash */
    char *origin;             /* of url */
    char *token;              /* secret */
    char *folder;             /* NULL: none */
    char *client;             /* NULL: none */
    char *ca;                 /* NULL: none */
    char **allow_paths;       /* NULL-ended; NULL: none */
};

struct credentials {
    struct credential *entries;
    size_t count;
};
/* Whether it can be a token: it becomes a header's value, so it is visible ASCII, and at most TOKEN_MAX_LEN. */
bool credentials_is_token(const char *token, size_t len);

/* The file's path. NULL where neither XDG_CONFIG_HOME nor HOME is set. Caller frees. */
char *credentials_path(void);
/* Reads the file; one that does not exist has no entries. False: why names the file and what is wrong with it
 * (not ours, open to others, not readable, malformed). */
MUST_CHECK bool credentials_load(const char *path, struct credentials *out, struct buf *why);
/* Reads the file's text (to be wiped) where it is fit to hold secrets; of a missing file it is empty. False:
 * why as credentials_load's. */
MUST_CHECK bool credentials_read(const char *path, struct buf *text, struct buf *why);
/* Parses the file's text. Pure. False: why has the rule that was broken, without the file's name. */
MUST_CHECK bool credentials_parse(const char *text, size_t len, struct credentials *out, struct buf *why);
/* "sha256//" and the base64 of a SHA-256: a server's key, as curl and `patchcord-relay tls-init` write it. */
bool credentials_is_pin(const char *text);
/* Frees, wiping the tokens; *c is empty afterwards. */
void credentials_free(struct credentials *c);

/* Which identity is meant. */
struct credential_query {
    const char *as;     /* address in either way of writing; NULL: by folder */
    const char *client; /* NULL: any */
    const char *origin; /* only entries that are bound to it; NULL: any */
    const char *folder; /* real path of the current folder */
    const char *root;   /* real path of the git root at or above folder, or folder itself */
};

/* Chooses by the query: as; else for folder and each parent up to root the entry of that folder and client,
 * or the folder's only one. Borrowed from c. NULL: why says in one line why there is none, with the choices.
 */
const struct credential *credentials_choose(
    const struct credentials *c, const struct credential_query *query, struct buf *why);

/* Adds the entry to the file, in place of the one for the same agent, origin, folder and client; under a
 * lock, whole or not at all, flushed, 0600 in a folder 0700. The file is made where it is missing; one that
 * credentials_load refuses, and a link, is left alone. What entries have beside our own fields is kept.
 * origin is taken from url, and may be NULL. False: why has one line, nothing was changed. */
MUST_CHECK bool credentials_put(const char *path, const struct credential *entry, struct buf *why);
/* Takes out the entries of that folder and client (NULL: of every client). *count: how many. False: why has
 * one line, nothing was changed. */
MUST_CHECK bool credentials_remove(
    const char *path, const char *folder, const char *client, size_t *count, struct buf *why);
/* Takes out what else is stored for the entry's folder and client, so that both mean this entry. False: why
 * has one line, nothing was changed. */
MUST_CHECK bool credentials_remove_others(const char *path, const struct credential *entry, struct buf *why);

#endif
