/* tool.h: a tool call, and the table of tools. A tool is one file and one row in tool.c, beside its words in
 * common/tool_spec.c. */
#ifndef RELAY_TOOLS_TOOL_H
#define RELAY_TOOLS_TOOL_H

#include "../../common/json.h"
#include "../auth/authenticator.h"
#include "../http/exchange.h"
#include "../relay.h"
#include "../store/store.h"

/* The most messages that one offer hands out, and characters (code points) that a message may have. */
enum { TOOL_OFFER_MAX_MESSAGES = 20, TOOL_CONTENT_MAX = CONTENT_MAX_CHARACTERS };

struct tool_call {
    struct relay *relay;
    const struct identity *who;
    const struct client *client;
    /* Identity, acks and presence of this call; for the store through tool_caller. */
    struct store_caller caller;
    bool caller_used;
    struct json_object *args;   /* checked by tool_spec_check; NULL once the call was parked */
    bool peek, queued;          /* _meta: show without taking; comes from an outbox */
    char lease[UUID_SIZE];      /* the caller's, or made for the call; for offers */
    char message_id[UUID_SIZE]; /* the caller's id of what it sends; "" where it gave none */

    /* for a tool that waits */
    enum wake wake;
    int64_t began_ms;     /* monotonic, of the first run */
    int64_t wait_seconds; /* how long it may last; kept by the tool */
    struct wait wait;     /* to fill in before VERDICT_WAIT; the keys are borrowed */

    /* the result */
    struct buf text; /* what the model reads */
    bool is_error;
    struct json_object *structured; /* the same for programs; owned; NULL: none */
    struct json_object *offer;      /* for _meta[PATCHCORD_META_OFFER]; owned; NULL: none */
    char (*offered)[UUID_SIZE];     /* what was leased to lease: to be acknowledged or released; owned */
    size_t offered_count;
    /* > 0: not done because the relay is ending or its store failed: callers that ack get 503. */
    int retry_after_s;
};

typedef enum verdict tool_fn(struct tool_call *call);

struct tool {
    const char *name;
    tool_fn *run;
};
extern const struct tool tools[]; /* ended by a NULL name */
const struct tool *tool_find(const char *name);

/* Frees the result, and nothing that was borrowed. */
void tool_call_free(struct tool_call *call);

/* Fails the call: is_error, and the one line for the model in place of what was written so far. Returns
 * VERDICT_DONE. */
enum verdict tool_fail(struct tool_call *call, const char *format, ...) PRINTF_LIKE(2, 3);
/* tool_fail for a STORE_FAULT: nothing was done, try again. */
enum verdict tool_fail_store(struct tool_call *call);

/* The caller for the store. The first operation with it applies its acks and its presence; where a call ends
 * without one, they are applied by whoever ran it. */
const struct store_caller *tool_caller(struct tool_call *call);

/* Writes to the call's text, as the caller reads it. */
struct render;
struct render tool_render(struct tool_call *call);

/* Arguments, as tool_spec_check left them. */
/* The text of an optional argument; NULL where it is absent or empty. */
const char *tool_text(const struct tool_call *call, const char *name);
bool tool_flag(const struct tool_call *call, const char *name);
int64_t tool_number(const struct tool_call *call, const char *name, int64_t fallback);
/* The id in an argument. False: the call has failed already. */
MUST_CHECK bool tool_id(struct tool_call *call, const char *name, char out[static UUID_SIZE]);
/* A thread's slug, lower-cased; out is "" where none was given. False: the call has failed already. */
MUST_CHECK bool tool_thread(struct tool_call *call, char out[static NAME_SIZE]);
/* What somebody wants to say: present (where required), not empty, at most TOOL_CONTENT_MAX characters.
 * *content is NULL where there is none. False: the call has failed already. */
MUST_CHECK bool tool_content(struct tool_call *call, bool required, const char **content, size_t *len);

enum verdict tool_inbox(struct tool_call *call);
enum verdict tool_send_message(struct tool_call *call);
enum verdict tool_reply(struct tool_call *call);
enum verdict tool_wait_for_message(struct tool_call *call);
enum verdict tool_unsend_message(struct tool_call *call);
enum verdict tool_recall(struct tool_call *call);
enum verdict tool_upload_attachment(struct tool_call *call);
enum verdict tool_get_attachment(struct tool_call *call);
enum verdict tool_relay_url(struct tool_call *call);
enum verdict tool_older_attachment(struct tool_call *call);

#endif
