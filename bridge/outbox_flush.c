#include "outbox_flush.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/ident.h"
#include "../common/mcp.h"
#include "backoff.h"

enum {
    RETRY_FIRST_MS = 250,
    RETRY_MAX_MS = 5 * 1000,
    REFUSED_RETRY_MS = 60 * 1000,
    ASK_TIMEOUT_MS = 10 * 1000
};
/* How long to leave another process alone that is at it. */
enum { ELSEWHERE_MS = 1000 };
/* Of the calls that the relay allows in a minute: what the outbox takes, and how much of that at once. */
enum { RATE_DEFAULT = 100, RATE_SHARE = 2, RATE_BURST = 4 };

enum stage { STAGE_IDLE, STAGE_DUE, STAGE_ASKING, STAGE_SENDING };

struct outbox_flush {
    struct relay_link *link;
    struct outbox *outbox;
    outbox_fate_fn *fate;
    void *arg;
    enum stage stage;
    enum outbox_flush_state state;
    bool verified;   /* the relay said whose token it is */
    bool learns;     /* asked for that alone */
    int64_t due_ms;  /* monotonic; DUE */
    int64_t hold_ms; /* monotonic: the relay asked for patience until then */
    unsigned tries;  /* that failed since the last success */
    char *problem;
    struct transfer *asking;
    struct relay_call *call;
    struct outbox_entry entry; /* SENDING */
    int64_t interval_ms;       /* between entries, once the burst is used up; 0: none */
    int64_t credit_ms, credit_at_ms;
};

struct outbox_flush *outbox_flush_new(
    struct relay_link *link, struct outbox *outbox, outbox_fate_fn *fate, void *arg)
{
    struct outbox_flush *flush = xcalloc(1, sizeof *flush);
    flush->link = link;
    flush->outbox = outbox;
    flush->fate = fate;
    flush->arg = arg;
    return flush;
}

void outbox_flush_free(struct outbox_flush *flush)
{
    if (!flush)
        return;
    if (flush->asking)
        transfer_abort(flush->asking);
    if (flush->call)
        relay_call_cancel(flush->call);
    outbox_unlock(flush->outbox);
    outbox_entry_free(&flush->entry);
    free(flush->problem);
    free(flush);
}

/* ---- where it stands ---- */

static void set_due(struct outbox_flush *flush, int64_t delay_ms)
{
    flush->stage = STAGE_DUE;
    flush->due_ms = clock_mono_ms() + delay_ms;
}

static void set_problem(struct outbox_flush *flush, const char *problem)
{
    char *old = flush->problem;
    flush->problem = xstrdup_or_null(problem);
    free(old);
}

static void go_idle(struct outbox_flush *flush)
{
    outbox_unlock(flush->outbox);
    flush->stage = STAGE_IDLE;
    flush->state = OUTBOX_FLUSH_IDLE;
    flush->learns = false;
    set_problem(flush, NULL);
}

/* It went well. */
static void go_on(struct outbox_flush *flush)
{
    flush->tries = 0;
    flush->hold_ms = 0;
    flush->state = OUTBOX_FLUSH_WORKING;
    set_problem(flush, NULL);
    set_due(flush, 0);
}

/* Another process may fare better meanwhile. */
static void go_wait(
    struct outbox_flush *flush, enum outbox_flush_state state, int64_t delay_ms, const char *problem)
{
    outbox_unlock(flush->outbox);
    flush->state = state;
    set_problem(flush, problem);
    set_due(flush, delay_ms);
}

static void back_off(struct outbox_flush *flush, int retry_after_s, const char *problem)
{
    int64_t delay = backoff_ms(++flush->tries, RETRY_FIRST_MS, RETRY_MAX_MS);
    int64_t asked = retry_after_s > 0 ? (int64_t)retry_after_s * MS_PER_SECOND : 0;
    if (asked > delay)
        delay = asked + randombytes_uniform(MS_PER_SECOND);
    flush->hold_ms = asked > 0 ? clock_mono_ms() + delay : 0;
    go_wait(flush, OUTBOX_FLUSH_WAITING, delay, problem);
}

void outbox_flush_kick(struct outbox_flush *flush)
{
    if (flush->stage != STAGE_IDLE && flush->stage != STAGE_DUE)
        return;
    int64_t now = clock_mono_ms();
    if (flush->state == OUTBOX_FLUSH_IDLE)
        flush->state = OUTBOX_FLUSH_WORKING;
    set_due(flush, flush->hold_ms > now ? flush->hold_ms - now : 0);
}

void outbox_flush_after(struct outbox_flush *flush, const struct relay_reply *reply)
{
    if (flush->stage == STAGE_IDLE || flush->stage == STAGE_DUE)
        back_off(flush, reply->retry_after_s, reply->reason ? reply->reason : reply->problem);
}

void outbox_flush_learn(struct outbox_flush *flush)
{
    if (flush->stage != STAGE_IDLE || flush->verified || outbox_agent(flush->outbox))
        return;
    flush->learns = true;
    outbox_flush_kick(flush);
}

enum outbox_flush_state outbox_flush_state(const struct outbox_flush *flush)
{
    return flush->state;
}

const char *outbox_flush_problem(const struct outbox_flush *flush)
{
    return flush->problem ? flush->problem : "";
}

/* ---- whose token it is ---- */

static void set_rate(struct outbox_flush *flush, struct json_object *answer)
{
    int64_t limit;
    if (json_get_int(answer, "rate_limit_per_minute", &limit) != JSON_FIELD_FOUND || limit < 0)
        limit = RATE_DEFAULT;
    flush->interval_ms = limit > 0 ? RATE_SHARE * (int64_t)MS_PER_MINUTE / limit : 0;
    flush->credit_ms = flush->interval_ms * (limit / RATE_BURST + 1);
    flush->credit_at_ms = clock_mono_ms();
}

/* False: the token is another agent's than the outbox. */
static bool take_identity(struct outbox_flush *flush, struct json_object *answer)
{
    char agent[ADDRESS_SIZE];
    const char *name = json_text_or(answer, "agent_id", ""),
               *space = json_text_or(answer, "namespace_id", "");
    flush->verified = true;
    /* Without a name it is no relay that tells, and the token alone has to do. */
    if (!name[0] || !space[0] || strlen(name) > NAME_MAX_LEN || strlen(space) > NAME_MAX_LEN)
        return true;
    ident_format(space, name, agent);
    if (outbox_identify(flush->outbox, agent))
        return true;
    char *problem = xasprintf("The token is that of %s, but these messages are from %s: the credentials file "
                              "names the wrong agent.",
        agent, outbox_agent(flush->outbox));
    flush->verified = false;
    go_wait(flush, OUTBOX_FLUSH_REFUSED, REFUSED_RETRY_MS, problem);
    free(problem);
    return false;
}

static void take_refusal(struct outbox_flush *flush, const struct transfer_result *result)
{
    struct relay_reply reply = {.outcome = RELAY_UNREACHABLE};
    const char *url = relay_link_config(flush->link)->url;
    if (result->fault == TRANSFER_ANSWERED)
        relay_reply_read(result->status, result->retry_after_s, "", 0, url, &reply);
    else
        reply.problem = xasprintf("The relay at %s cannot be reached (%s).", url, result->reason);
    if (reply.outcome == RELAY_TOKEN_REFUSED)
        go_wait(flush, OUTBOX_FLUSH_REFUSED, REFUSED_RETRY_MS, reply.problem);
    else
        back_off(flush, result->retry_after_s, reply.problem);
    relay_reply_free(&reply);
}

static void on_asked(void *arg, const struct transfer_result *result)
{
    struct outbox_flush *flush = arg;
    enum { HTTP_OK = 200 };
    flush->asking = NULL;
    if (result->fault != TRANSFER_ANSWERED || result->status != HTTP_OK) {
        /* Where nothing waits, there is no hurry to know. */
        if (flush->learns)
            go_idle(flush);
        else
            take_refusal(flush, result);
        return;
    }
    enum json_fault fault;
    struct json_object *answer = json_parse(result->body, result->body_len, &fault);
    set_rate(flush, answer);
    flush->learns = false;
    if (take_identity(flush, answer))
        go_on(flush);
    json_object_put(answer);
}

static void ask(struct outbox_flush *flush)
{
    static const char *const headers[] = {"Accept: application/json", NULL};
    const struct config *config = relay_link_config(flush->link);
    char *url = xasprintf("%s/api/inbox?count_only=1", config->url);
    flush->stage = STAGE_ASKING;
    flush->asking = transfer_start(relay_link_transfers(flush->link), &(struct transfer_request){.url = url,
                                                                          .token = config->token,
                                                                          .ca_file = config->ca_file,
                                                                          .headers = headers,
                                                                          .timeout_ms = ASK_TIMEOUT_MS,
                                                                          .done = on_asked,
                                                                          .arg = flush});
    free(url);
}

/* ---- an entry ---- */

/* Why the relay will never take it; NULL where it may yet. */
static const char *refusal(const struct relay_reply *reply)
{
    enum { HTTP_TOO_LARGE = 413 };
    if (reply->outcome == RELAY_DONE && relay_reply_is_error(reply))
        return relay_reply_text(reply);
    if (reply->outcome == RELAY_RPC_ERROR || reply->http_status == HTTP_TOO_LARGE)
        return reply->problem;
    return NULL;
}

static bool tell(struct outbox_flush *flush, struct relay_reply *reply, const char *problem)
{
    return flush->fate(flush->arg, &flush->entry, reply, problem);
}

static void on_sent(void *arg, struct relay_reply *reply)
{
    struct outbox_flush *flush = arg;
    char *refused = xstrdup_or_null(refusal(reply));
    flush->call = NULL;
    if (reply->outcome == RELAY_DONE || refused) {
        go_on(flush);
        bool news = tell(flush, reply, refused);
        if (refused)
            outbox_refused(flush->outbox, &flush->entry, refused, news);
        else
            outbox_delivered(flush->outbox, &flush->entry, news);
    } else {
        const char *problem = reply->reason ? reply->reason : reply->problem;
        outbox_retry(flush->outbox, &flush->entry, problem, reply->outcome == RELAY_UNCERTAIN);
        if (reply->outcome == RELAY_TOKEN_REFUSED)
            go_wait(flush, OUTBOX_FLUSH_REFUSED, REFUSED_RETRY_MS, problem);
        else
            back_off(flush, reply->retry_after_s, problem);
    }
    outbox_entry_free(&flush->entry);
    free(refused);
}

static void send_entry(struct outbox_flush *flush)
{
    struct json_object *meta = json_new_object();
    json_add_text(meta, PATCHCORD_META_MESSAGE_ID, flush->entry.id);
    json_add_bool(meta, PATCHCORD_META_QUEUED, true);
    json_add_bool(meta, PATCHCORD_META_STRUCTURED, true);
    outbox_begin(flush->outbox, &flush->entry);
    flush->stage = STAGE_SENDING;
    flush->call = relay_link_call(
        flush->link, outbox_entry_tool(&flush->entry), flush->entry.args, meta, on_sent, flush);
    json_object_put(meta);
}

static bool is_expired(const struct outbox_entry *entry)
{
    return clock_wall_ms() - entry->created_ms > OUTBOX_EXPIRY_MS;
}

static void expire(struct outbox_flush *flush)
{
    char *problem = xasprintf("it expired: it could not be delivered for %lld days%s%s",
        (long long)(OUTBOX_EXPIRY_MS / MS_PER_DAY), flush->entry.problem ? ". " : "",
        flush->entry.problem ? flush->entry.problem : "");
    outbox_refused(flush->outbox, &flush->entry, problem, tell(flush, NULL, problem));
    outbox_entry_free(&flush->entry);
    free(problem);
}

/* Milliseconds until the next entry may go out; 0: now, and it is counted. */
static int64_t pace(struct outbox_flush *flush)
{
    int64_t now = clock_mono_ms();
    if (flush->interval_ms == 0)
        return 0;
    flush->credit_ms += now - flush->credit_at_ms;
    flush->credit_at_ms = now;
    int64_t most =
        flush->interval_ms * (RATE_SHARE * (int64_t)MS_PER_MINUTE / flush->interval_ms / RATE_BURST + 1);
    if (flush->credit_ms > most)
        flush->credit_ms = most;
    if (flush->credit_ms < flush->interval_ms)
        return flush->interval_ms - flush->credit_ms;
    flush->credit_ms -= flush->interval_ms;
    return 0;
}

/* ---- time ---- */

static void work(struct outbox_flush *flush)
{
    if (outbox_waiting(flush->outbox) == 0) {
        if (flush->learns)
            ask(flush);
        else
            go_idle(flush);
        return;
    }
    flush->learns = false;
    if (!outbox_lock(flush->outbox)) {
        flush->state = OUTBOX_FLUSH_ELSEWHERE;
        set_problem(flush, NULL);
        set_due(flush, ELSEWHERE_MS + randombytes_uniform(ELSEWHERE_MS));
        return;
    }
    /* Why the last try failed is the last word until this one has gone better. */
    if (flush->state == OUTBOX_FLUSH_IDLE || flush->state == OUTBOX_FLUSH_ELSEWHERE)
        flush->state = OUTBOX_FLUSH_WORKING;
    bool found = outbox_first(flush->outbox, &flush->entry);
    int64_t patience = 0;
    if (!found)
        back_off(flush, 0, "The outbox cannot be read just now.");
    else if (is_expired(&flush->entry))
        expire(flush);
    else if (!flush->verified)
        ask(flush);
    else if ((patience = pace(flush)) > 0)
        set_due(flush, patience);
    else
        send_entry(flush);
    if (flush->stage != STAGE_SENDING)
        outbox_entry_free(&flush->entry);
}

int outbox_flush_timeout_ms(const struct outbox_flush *flush)
{
    if (flush->stage != STAGE_DUE)
        return -1;
    int64_t left = flush->due_ms - clock_mono_ms();
    return left > 0 ? (int)left : 0;
}

void outbox_flush_step(struct outbox_flush *flush)
{
    if (flush->stage == STAGE_DUE && flush->due_ms <= clock_mono_ms())
        work(flush);
}
