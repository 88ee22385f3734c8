/* supabase_link.h: requests to the PostgREST of a Supabase project (or of any like it), below
 * SUPABASE_URL/rest/v1. Errors are told apart by their code, never by their text; while the server is away a
 * circuit breaker keeps callers from waiting for it. Any thread. */
#ifndef RELAY_STORE_SUPABASE_LINK_H
#define RELAY_STORE_SUPABASE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "store.h"

enum {
    SUPABASE_CALL_MS = 8 * 1000,    /* for one call, however often it is tried */
    SUPABASE_ANSWER_MAX = 32 << 20, /* bytes */
    SUPABASE_CONNECTIONS = 16,      /* calls under way at the same time */
    SUPABASE_TRIES_MAX = 3,         /* of what the database rolled back by itself */
};

struct supabase_link;

/* NULL: why has one line. */
struct supabase_link *supabase_link_new(const struct store_supabase *options, struct buf *why);
void supabase_link_free(struct supabase_link *link);

enum supabase_answer {
    SUPABASE_DONE,
    SUPABASE_MISSING, /* no such function */
    SUPABASE_FAULT,
};

struct supabase_request {
    const char *method, *path; /* "POST", "rpc/patchcord_send" */
    const char *body;          /* JSON; NULL: none */
    size_t body_len;
    bool is_repeatable; /* as in remote_call.h */
};
/* DONE: the JSON text was appended to answer. MISSING, FAULT: why has one line, without secret or content. */
MUST_CHECK enum supabase_answer supabase_ask(
    struct supabase_link *link, const struct supabase_request *request, struct buf *answer, struct buf *why);

/* What an answer's body says of its error: "PGRST202", "42501"; "" for none of that form. Pure. */
enum { SUPABASE_CODE_SIZE = 16 };
void supabase_code(const char *body, size_t len, char code[static SUPABASE_CODE_SIZE]);

#endif
