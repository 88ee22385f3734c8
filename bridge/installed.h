/* installed.h: what `patchcord install` has put into other programs' files, each change noted before it is
 * made (${XDG_STATE_HOME}/patchcord/install/changes.json), so that exactly this is taken away again. */
#ifndef BRIDGE_INSTALLED_H
#define BRIDGE_INSTALLED_H

#include <stdbool.h>
#include <sys/stat.h>

#include "../common/json.h"

struct installed;

/* Reads the notes; there may be none. rehearse: every change is reported, and none is made. NULL: why has one
 * line. */
struct installed *installed_load(bool rehearse, struct buf *why);
void installed_free(struct installed *installed);
/* Appends what was done (or, rehearsed, would be) since the last call, one line each. */
void installed_report(struct installed *installed, struct buf *out);
/* Whether nothing is noted. */
bool installed_is_empty(const struct installed *installed);
/* Whether that member was put there by us, whatever its value is now. */
bool installed_has_member(const struct installed *installed, const char *file, const char *const *path);

/* Changes. What is as it should be already is neither changed nor noted. False: why has one line, and the
 * file is what it was. */

/* A member of a JSON file (json_edit.h), in place of any other value of it. */
MUST_CHECK bool installed_member(struct installed *installed, const char *file, const char *const *path,
    struct json_object *value, struct buf *why);
/* An item of an array of a JSON file. */
MUST_CHECK bool installed_item(struct installed *installed, const char *file, const char *const *path,
    struct json_object *item, struct buf *why);
/* A table of a TOML file (toml_edit.h). */
MUST_CHECK bool installed_table(struct installed *installed, const char *file, const char *const *path,
    struct json_object *entry, struct buf *why);
/* A whole file of ours, with its folders. */
MUST_CHECK bool installed_file(
    struct installed *installed, const char *path, const void *bytes, size_t len, struct buf *why);
/* A JSON file's text before programs of others change it, to come back when it means the same again. */
MUST_CHECK bool installed_text(struct installed *installed, const char *file, struct buf *why);
/* A program was run; undo (a list of texts) is the command line that takes back what it did. */
MUST_CHECK bool installed_command(
    struct installed *installed, const char *what, struct json_object *undo, struct buf *why);

/* Takes everything away, the newest first. What somebody changed since stays, and is reported. run: runs a
 * command line (a list of texts) and is false where that failed, which is reported. False: why has one line
 * for each that could not be taken away, and stays noted. */
typedef bool installed_run_fn(struct json_object *command_line);
MUST_CHECK bool installed_undo(struct installed *installed, installed_run_fn *run, struct buf *why);

#endif
