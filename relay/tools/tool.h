/* tool.h: a tool call, and the table of tools. A tool is one file and one row in tool.c, beside its words in
 * common/tool_spec.c. */
#ifndef RELAY_TOOLS_TOOL_H
#define RELAY_TOOLS_TOOL_H

#include "../../common/json.h"
#include "../auth/authenticator.h"
#include "../http/exchange.h"
#include "../relay.h"
#include "../store/store.h"

struct tool_call {
    struct relay *relay;
    const struct identity *who;
    const struct client *client;
    struct store_caller caller; /* for the store: identity, acks and presence of this call */
    struct json_object *args;   /* checked by tool_spec_check */
    struct json_object *meta;   /* the request's _meta, or NULL */
    bool structured;            /* add result_structured */
    char lease[UUID_SIZE];      /* the caller's, or made for the call; for offers */

    /* for a tool that waits */
    enum wake wake;
    int64_t began_ms;  /* monotonic, of the first run */
    struct wait *wait; /* to fill in before VERDICT_WAIT */

    /* the result */
    struct buf text;                       /* what the model reads */
    bool is_error;
    struct json_object *result_structured; /* owned; NULL: none */
    struct json_object *result_meta;       /* owned; NULL: none */
    bool has_offer; /* messages were leased to lease: to be acknowledged or released */
    char (*offered)[UUID_SIZE]; /* their ids; owned */
    size_t offered_count;
    int retry_after_s; /* > 0: not done because the relay is ending (bridges get 503) or its store failed */
};

typedef enum verdict tool_fn(struct tool_call *call);

struct tool {
    const char *name;
    tool_fn *run;
};
extern const struct tool tools[]; /* ended by a NULL name */
const struct tool *tool_find(const char *name);

/* Fails the call: is_error, and the one line for the model. Returns VERDICT_DONE. */
enum verdict tool_fail(struct tool_call *call, const char *format, ...) PRINTF_LIKE(2, 3);
/* tool_fail for a STORE_FAULT: nothing was done, try again. */
enum verdict tool_fail_store(struct tool_call *call);

#endif
