#include "acks.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/mcp.h"
#include "backoff.h"

enum { POST_TIMEOUT_MS = 10 * 1000, RETRY_FIRST_MS = 250, RETRY_MAX_MS = 30 * 1000 };
/* No lease lasts longer than an hour, and a first one a minute: later there is nothing left to tell. */
enum { GIVE_UP_ACK_MS = MS_PER_HOUR, GIVE_UP_RELEASE_MS = 2 * MS_PER_MINUTE };

struct ack {
    TAILQ_ENTRY(ack) link;
    struct acks *all;
    struct relay_offer offer;
    bool release;
    struct transfer *transfer; /* on its way, or NULL */
    const void *carrier;       /* the call that carries it, or NULL */
    unsigned tries;
    int64_t due_ms, began_ms; /* monotonic */
};

struct acks {
    struct transfers *transfers;
    TAILQ_HEAD(, ack) owed;
};

struct acks *acks_new(struct transfers *transfers)
{
    struct acks *acks = xcalloc(1, sizeof *acks);
    acks->transfers = transfers;
    TAILQ_INIT(&acks->owed);
    return acks;
}

static void ack_drop(struct ack *ack)
{
    TAILQ_REMOVE(&ack->all->owed, ack, link);
    if (ack->transfer)
        transfer_abort(ack->transfer);
    free(ack->offer.ids);
    free(ack);
}

void acks_free(struct acks *acks)
{
    while (!TAILQ_EMPTY(&acks->owed))
        ack_drop(TAILQ_FIRST(&acks->owed));
    free(acks);
}

/* ---- posting ---- */

static struct buf ack_body(const struct ack *ack)
{
    struct json_object *body = json_new_object();
    struct json_object *ids = json_new_array();
    for (size_t i = 0; i < ack->offer.count; i++)
        json_append_text(ids, ack->offer.ids[i]);
    json_add_text(body, "lease", ack->offer.lease);
    json_add(body, "ids", ids);
    json_add_bool(body, "release", ack->release);
    struct buf text = {0};
    json_write(body, &text);
    json_object_put(body);
    return text;
}

/* An answer of the relay's own settles it, whatever it says: repeating would bring the same one. */
static bool settled_by(const struct transfer_result *result)
{
    return result->fault == TRANSFER_ANSWERED && result->status < 500 && result->status != 429;
}

static bool too_late(const struct ack *ack)
{
    return clock_mono_ms() - ack->began_ms > (ack->release ? GIVE_UP_RELEASE_MS : GIVE_UP_ACK_MS);
}

static void on_posted(void *arg, const struct transfer_result *result)
{
    struct ack *ack = arg;
    ack->transfer = NULL;
    if (settled_by(result) || too_late(ack)) {
        ack_drop(ack);
        return;
    }
    ack->tries++;
    int64_t wait_ms = backoff_ms(ack->tries, RETRY_FIRST_MS, RETRY_MAX_MS);
    if (result->retry_after_s > 0 && (int64_t)result->retry_after_s * MS_PER_SECOND > wait_ms)
        wait_ms = (int64_t)result->retry_after_s * MS_PER_SECOND;
    ack->due_ms = clock_mono_ms() + wait_ms;
}

static void ack_post(struct ack *ack, const struct config *config)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct buf body = ack_body(ack);
    char *url = xasprintf("%s/api/ack", config->url);
    ack->transfer = transfer_start(ack->all->transfers, &(struct transfer_request){.url = url,
                                                            .token = config->token,
                                                            .ca_file = config->ca_file,
                                                            .headers = headers,
                                                            .body = &body,
                                                            .timeout_ms = POST_TIMEOUT_MS,
                                                            .done = on_posted,
                                                            .arg = ack});
    free(url);
}

static struct ack *ack_new(struct acks *acks)
{
    struct ack *ack = xcalloc(1, sizeof *ack);
    ack->all = acks;
    ack->began_ms = clock_mono_ms();
    TAILQ_INSERT_TAIL(&acks->owed, ack, link);
    return ack;
}

void acks_arrived(struct acks *acks, const struct config *config, struct relay_offer *offer)
{
    struct ack *ack = ack_new(acks);
    ack->offer = *offer;
    *offer = (struct relay_offer){0};
    ack_post(ack, config);
}

void acks_release(struct acks *acks, const struct config *config, const char *lease)
{
    struct ack *ack = ack_new(acks);
    strlcpy(ack->offer.lease, lease, sizeof ack->offer.lease);
    ack->release = true;
    ack_post(ack, config);
}

/* ---- riding along ---- */

struct json_object *acks_ride(struct acks *acks, const void *call)
{
    struct json_object *ids = NULL;
    size_t carried = 0;
    struct ack *ack;
    TAILQ_FOREACH(ack, &acks->owed, link)
    {
        if (ack->release || ack->transfer || ack->carrier)
            continue;
        if (ack->offer.count > PATCHCORD_ACKS_MAX - carried)
            continue;
        carried += ack->offer.count;
        ack->carrier = call;
        if (!ids)
            ids = json_new_array();
        for (size_t i = 0; i < ack->offer.count; i++)
            json_append_text(ids, ack->offer.ids[i]);
    }
    return ids;
}

void acks_ride_ended(struct acks *acks, const void *call, bool arrived)
{
    struct ack *ack, *next;
    TAILQ_FOREACH_SAFE(ack, &acks->owed, link, next)
    {
        if (ack->carrier != call)
            continue;
        ack->carrier = NULL;
        if (arrived)
            ack_drop(ack);
    }
}

/* ---- time ---- */

bool acks_settled(const struct acks *acks)
{
    return TAILQ_EMPTY(&acks->owed);
}

static bool waits_for_its_time(const struct ack *ack)
{
    return !ack->transfer && !ack->carrier;
}

int acks_timeout_ms(const struct acks *acks)
{
    int64_t now = clock_mono_ms(), soonest = -1;
    const struct ack *ack;
    TAILQ_FOREACH(ack, &acks->owed, link)
    {
        if (!waits_for_its_time(ack))
            continue;
        int64_t left = ack->due_ms > now ? ack->due_ms - now : 0;
        if (soonest < 0 || left < soonest)
            soonest = left;
    }
    return (int)soonest;
}

void acks_step(struct acks *acks, const struct config *config)
{
    int64_t now = clock_mono_ms();
    struct ack *ack;
    TAILQ_FOREACH(ack, &acks->owed, link)
    {
        if (waits_for_its_time(ack) && ack->due_ms <= now)
            ack_post(ack, config);
    }
}
