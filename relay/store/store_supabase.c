/* Supabase as a store: the functions of migrations/postgres/, called over PostgREST. */
#include <stdlib.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "data_folder.h"
#include "remote_call.h"
#include "supabase_link.h"
#include "supabase_poll.h"

struct supabase {
    struct remote base; /* first: a struct remote * is one of these */
    struct supabase_link *link;
    struct supabase_poll *poll; /* NULL: this is the only relay, or none */
    int lock_fd;                /* of the data folder; -1: of a command */
};

static enum remote_outcome supabase_call(
    struct remote *remote, const struct remote_call *call, struct buf *answer, struct buf *why)
{
    static const enum remote_outcome outcomes[] = {
        [SUPABASE_DONE] = REMOTE_DONE,
        [SUPABASE_MISSING] = REMOTE_MISSING,
        [SUPABASE_FAULT] = REMOTE_FAULT,
    };
    char *path = xasprintf("rpc/%s", call->function);
    const struct supabase_request request = {.method = "POST",
        .path = path,
        .body = call->body,
        .body_len = call->body_len,
        .is_repeatable = call->is_repeatable};
    const enum supabase_answer result =
        supabase_ask(((struct supabase *)remote)->link, &request, answer, why);
    free(path);
    return outcomes[result];
}

static void supabase_close(struct remote *remote)
{
    struct supabase *supabase = (struct supabase *)remote;
    supabase_poll_stop(supabase->poll);
    supabase_link_free(supabase->link);
    if (supabase->lock_fd >= 0)
        close(supabase->lock_fd);
    free(supabase);
}

/* DDL does not go over PostgREST, and nobody listens there. */
static const struct remote_ops supabase_ops = {
    .call = supabase_call,
    .close = supabase_close,
};

static bool start_poll(struct supabase *supabase, const struct store_options *options, struct buf *why)
{
    if (options->role != STORE_ROLE_RELAY || options->supabase.poll_ms == 0)
        return true;
    supabase->poll = supabase_poll_start(options, supabase->link);
    if (!supabase->poll)
        buf_puts(why, "no thread could be started that looks for other relays' messages");
    return supabase->poll != NULL;
}

struct store *store_open_supabase(const struct store_options *options, struct buf *why)
{
    int lock_fd = -1;
    if (options->role == STORE_ROLE_RELAY && !data_folder_take(options->data_dir, &lock_fd, why))
        return NULL;
    struct supabase *supabase = xcalloc(1, sizeof *supabase);
    supabase->base.ops = &supabase_ops;
    supabase->lock_fd = lock_fd;
    supabase->link = supabase_link_new(&options->supabase, why);
    if (!supabase->link) {
        supabase_close(&supabase->base);
        return NULL;
    }
    struct store *s = store_remote_open(&supabase->base, options->role, why);
    if (!s || start_poll(supabase, options, why))
        return s;
    store_close(s);
    return NULL;
}
