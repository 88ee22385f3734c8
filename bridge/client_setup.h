/* client_setup.h: the bridge set up in an agent's program for one project: the program's files changed in
 * memory, to be put in place together or not at all. No secret is written. */
#ifndef BRIDGE_CLIENT_SETUP_H
#define BRIDGE_CLIENT_SETUP_H

#include "clients.h"
#include "edited_file.h"

enum { CLIENT_SETUP_FILES = 2 };

struct client_setup {
    const struct client *client;
    bool global;                                  /* the program has no file for a project */
    struct edited_file files[CLIENT_SETUP_FILES]; /* the first has the entry */
    size_t count;
    struct json_object *old_entry; /* what stood there; NULL: nothing */
};

/* Opens the files. project: a real path. False: why has one line; *out is empty. */
MUST_CHECK bool client_setup_open(
    const struct client *client, const char *project, struct client_setup *out, struct buf *why);
/* Puts our entry in. False: why has one line. */
MUST_CHECK bool client_setup_put(struct client_setup *setup, const char *const *argv, struct buf *why);
/* Takes our entry out, and what is empty then. */
MUST_CHECK bool client_setup_remove(struct client_setup *setup, struct buf *why);
/* Writes what was changed; a file in which nothing is left is removed. changed: gets the paths of what was
 * changed, a line each. False: why has one line. */
MUST_CHECK bool client_setup_commit(struct client_setup *setup, struct buf *changed, struct buf *why);
void client_setup_free(struct client_setup *setup);

#endif
