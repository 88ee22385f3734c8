/* checkup.h: what may be wrong with the set-up of an agent on this machine, in the folder it is asked in: a
 * table of checks, each of which reports what it saw. */
#ifndef BRIDGE_CHECKUP_H
#define BRIDGE_CHECKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

/* A relay's clock may be so far from ours. */
enum { CHECKUP_CLOCK_MAX_S = 60 };

enum checkup_severity { CHECKUP_FINE, CHECKUP_WARNING, CHECKUP_ERROR };

struct finding {
    const char *check; /* the check's name */
    enum checkup_severity severity;
    bool fixed;
    char *what;   /* one line, perhaps with text of others in it; owned */
    char *remedy; /* NULL: there is nothing to do; owned */
};

struct findings {
    struct finding *rows;
    size_t count;
};

/* Makes all checks. fix: what can be mended without harm is. The relay is asked once, blocking. */
void checkup_run(const struct config_options *options, bool fix, struct findings *out);
void findings_free(struct findings *findings);
/* Whether something is wrong that was not mended. */
bool findings_are_bad(const struct findings *findings);
/* "ok", "warning" or "error". */
const char *checkup_severity_name(enum checkup_severity severity);

#endif
