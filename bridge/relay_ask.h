/* relay_ask.h: one request to a relay by somebody whom it does not know yet: to be let in, or to see whether
 * a token is good. Blocking. */
#ifndef BRIDGE_RELAY_ASK_H
#define BRIDGE_RELAY_ASK_H

#include <signal.h>
#include <stdbool.h>

#include "../common/buf.h"
#include "../common/json.h"
#include "config.h"
#include "transfer.h"

struct relay_asker;

/* config (of config_for_relay) is borrowed until relay_asker_free. stop: where not NULL, requests and pauses
 * end within a second once it is not zero; set it in a signal handler. */
struct relay_asker *relay_asker_new(const struct config *config, const volatile sig_atomic_t *stop);
void relay_asker_free(struct relay_asker *asker);

struct relay_answer {
    enum transfer_fault fault;
    bool stopped;             /* given up; nothing else is set */
    int status;               /* ANSWERED */
    int retry_after_s;        /* -1: not given */
    int64_t date_s;           /* the relay's clock, Unix time; -1: not given */
    char *version;            /* the relay's; NULL: not given; owned */
    struct json_object *json; /* an object, or NULL; owned. Its secrets are not wiped */
    char *reason;             /* of a fault: a clause for people; owned */
};
void relay_answer_free(struct relay_answer *answer);

/* POST of body (taken over and wiped; *body is empty afterwards) to a path of the relay, with what the relay
 * is told about this machine. The caller frees *answer. */
void relay_ask(struct relay_asker *asker, const char *path, const char *content_type, struct buf *body,
    struct relay_answer *answer);
/* GET of a path with config's token. */
void relay_ask_get(struct relay_asker *asker, const char *path, struct relay_answer *answer);
/* Waits that long. False: stopped. */
MUST_CHECK bool relay_asker_pause(const struct relay_asker *asker, int64_t ms);

/* Appends, for people, why an answer is not what was asked for: "https://… cannot be reached: …", "there is
 * no Patchcord relay at …", or what the relay says itself ("error_description", "error" or "message"). One
 * line. */
void relay_answer_problem(const struct relay_answer *answer, const char *url, struct buf *why);

#endif
