/* file_tools.h: what the bridge itself does of the file tools: local_path and save_to, within
 * project_files.h's rules. */
#ifndef BRIDGE_FILE_TOOLS_H
#define BRIDGE_FILE_TOOLS_H

#include <stdbool.h>

#include "config.h"
#include "file_call.h"

/* True for a call that names a local file. Takes local arguments that are empty off the others: they are not
 * for the relay. */
bool file_tools_wanted(const char *tool, struct json_object *args);
/* Starts such a call with checked arguments (borrowed). NULL: why has one line, and the relay was not asked.
 */
struct file_call *file_tools_start(struct relay_link *link, const struct config *config, const char *tool,
    struct json_object *args, const struct file_call_end *end, struct buf *why);

#endif
