/* hook_input.h: what an agent's program tells a hook on its standard input: one JSON object, of Claude Code's
 * shape, which Codex shares. */
#ifndef BRIDGE_HOOK_INPUT_H
#define BRIDGE_HOOK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/json.h"

/* A prompt or an answer may be in it. */
enum { HOOK_INPUT_MAX_BYTES = 16 * 1024 * 1024 };

struct hook_input {
    bool understood;  /* it was such an object; else all else is empty */
    bool stop_active; /* a stop hook has kept the agent going already */
    char *session;    /* "" where it is not given */
    char *cwd;        /* NULL where it is not given */
};

/* Reads the object from fd: to its end, at most until the deadline (monotonic). A terminal is not read. NULL:
 * there was none. The caller puts it. */
struct json_object *hook_object_read(int fd, int64_t deadline_ms);
/* The same, taken apart. The caller frees *out. */
void hook_input_read(int fd, int64_t deadline_ms, struct hook_input *out);
/* Reads the object's text. Pure but for the allocation. */
void hook_input_parse(const char *text, size_t len, struct hook_input *out);
void hook_input_free(struct hook_input *input);

#endif
