/* status_line.h: the words of a status line. Pure. */
#ifndef BRIDGE_STATUS_LINE_H
#define BRIDGE_STATUS_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/json.h"
#include "status_cache.h"

#define STATUS_LISTENS   "\xe2\x97\x89" /* ◉ */
#define STATUS_SEPARATOR " | "

enum { STATUS_MODEL_MAX = 40 }; /* characters */

struct status_view {
    const struct status *status;
    const char *agent;   /* where status has none; NULL: not known either */
    const char *machine; /* fit to be shown */
    bool listens;        /* a listener runs */
    int64_t now_ms;
};

/* Appends "backend@myproject (laptop) 2 msg ◉". */
void status_line_agent(struct buf *out, const struct status_view *view);
/* Appends what the host says of its session: "Opus 4.5 | 42%"; nothing where it says nothing. */
void status_line_session(struct buf *out, struct json_object *host);
/* Appends a part behind what is there. */
void status_line_join(struct buf *out, const struct buf *part);

#endif
