/* Random operations on a store and on a model of it that is too simple to be wrong: an array that is searched
 * from end to end, of messages that live by the table of message_life.h. Whatever the two answer differently
 * is a fault of one of them.
 *
 * STORE_MODEL_OPERATIONS (20,000) operations from the seed STORE_MODEL_SEED (by default of the clock;
 * printed). The time is the model's own: it moves in steps of STEP_MS, so chosen that none of the store's
 * limits in time falls near a multiple. */
#include "store_fixture.h"

#include <inttypes.h>

#include "../../common/ident.h"
#include "../../relay/store/message_life.h"
#include "../../relay/store/notice.h"
#include "unit.h"

enum {
    AGENTS = 4,
    SPACES = 2,
    LEASES = 6,
    SLUGS = 3,
    WORDS = 12,
    STEP_MS = 77 * 1000,
    MESSAGES_MAX = 100 * 1000
};
enum { RETENTION_MS = 100 * 1000 * 1000 };

static const char *const agents[AGENTS] = {"anna", "ben", "chloe", "dan"};
static const char *const spaces[SPACES] = {"one", "two"};
static const char *const slugs[SLUGS] = {"auth", "build", "docs"};

/* ---- the model ---- */

struct message {
    char id[UUID_SIZE], group[UUID_SIZE], sent_key[200], reply_to[UUID_SIZE];
    int space, from, to; /* from -1: the relay */
    unsigned words;      /* which are in its text: a notice repeats those of what it tells of */
    size_t len;
    int thread;               /* index; -1: none */
    struct message_life life; /* as of the last look: life_now */
    int lease;                /* that it names; -1: none */
    int64_t lease_end, sent;
    int64_t ended; /* when it became a tombstone */
    bool deleted;
};

struct thread {
    int space, low, high, slug;
    char id[UUID_SIZE];
    bool resolved, deleted;
};

struct look {
    int64_t at;
    int seen; /* messages there were */
};

static struct message *messages;
static int messages_count;
static struct thread threads[10000];
static int threads_count;
static struct look looks[SPACES][AGENTS];
static int64_t now;
static char lease_ids[LEASES][UUID_SIZE];
static struct store *s;
static uint64_t state;

static int any(int count)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (int)(state % (uint64_t)count);
}

static enum life_verdict happen(struct message *m, enum life_event event)
{
    const enum life_verdict verdict = message_life_apply(&m->life, event);
    if (m->life.state != LIFE_LEASED && m->life.state != LIFE_OFFERED)
        m->lease = -1;
    return verdict;
}

static enum life_state life_now(struct message *m)
{
    if (m->life.state == LIFE_LEASED && m->lease_end <= now)
        ck_assert_int_eq(happen(m, LIFE_LAPSE), LIFE_MOVES);
    return m->life.state;
}

static bool is_tombstone(const struct message *m)
{
    return m->life.state == LIFE_UNSENT || m->life.state == LIFE_EXPIRED;
}

static bool live(const struct message *m)
{
    return !m->deleted && !is_tombstone(m);
}

static bool held(struct message *m)
{
    return life_now(m) == LIFE_LEASED;
}

/* Who calls: an agent in a namespace, or that and every other. */
struct who {
    int space, agent;
    bool is_wide;
};

static struct who anybody(void)
{
    return (struct who){.space = any(SPACES), .agent = any(AGENTS), .is_wide = any(3) == 0};
}

static bool is_in(struct who w, int space)
{
    return w.is_wide || w.space == space;
}

static bool waits_in(struct message *m, int space, int to)
{
    return live(m) && m->space == space && m->to == to && message_life_status(m->life) == MESSAGE_PENDING;
}

static bool waits(struct message *m, struct who w)
{
    return is_in(w, m->space) && waits_in(m, m->space, w.agent);
}

static struct message *by_id(const char *id)
{
    for (int i = 0; i < messages_count; i++) {
        if (!messages[i].deleted && strcmp(messages[i].id, id) == 0)
            return &messages[i];
    }
    return NULL;
}

static struct message *by_id_or_group(const char *id)
{
    for (int i = 0; i < messages_count; i++) {
        if (!messages[i].deleted && (strcmp(messages[i].id, id) == 0 || strcmp(messages[i].group, id) == 0))
            return &messages[i];
    }
    return NULL;
}

static struct message *model_add(int space, int from, int to, const char *id)
{
    ck_assert_int_lt(messages_count, MESSAGES_MAX);
    struct message *m = &messages[messages_count++];
    *m = (struct message){.space = space, .from = from, .to = to, .thread = -1, .lease = -1, .sent = now};
    snprintf(m->id, sizeof m->id, "%s", id);
    m->life = message_life_begin(from == to, from < 0);
    return m;
}

static int model_thread(int space, int one, int other, int slug, const char *root)
{
    const int low = one < other ? one : other, high = one < other ? other : one;
    for (int i = 0; i < threads_count; i++) {
        struct thread *t = &threads[i];
        if (!t->deleted && t->space == space && t->low == low && t->high == high && t->slug == slug) {
            t->resolved = false;
            return i;
        }
    }
    ck_assert_uint_lt((size_t)threads_count, LENGTH_OF(threads));
    threads[threads_count] = (struct thread){.space = space, .low = low, .high = high, .slug = slug};
    snprintf(threads[threads_count].id, UUID_SIZE, "%s", root);
    return threads_count++;
}

static bool queue_full(int space, int to, size_t len)
{
    int count = 0;
    size_t bytes = len;
    for (int i = 0; i < messages_count; i++) {
        if (waits_in(&messages[i], space, to)) {
            count++;
            bytes += messages[i].len;
        }
    }
    return count >= QUEUE_MAX_MESSAGES || bytes > QUEUE_MAX_BYTES;
}

static int gate_count(struct who w)
{
    int count = 0;
    for (int i = 0; i < messages_count; i++) {
        struct message *m = &messages[i];
        const struct look *look = &looks[m->space][w.agent];
        const bool excused = look->at != 0 && i >= look->seen && m->sent < look->at + GATE_GRACE_MS;
        count += waits(m, w) && !held(m) && !excused;
    }
    return count;
}

/* ---- both together ---- */

static void pin_time(void)
{
    clock_pass(now - clock_wall_ms());
}

static struct store_caller caller_of(struct who w)
{
    static const char *const beside[SPACES][SPACES - 1] = {{"two"}, {"one"}};
    pin_time();
    return (struct store_caller){.namespace_id = spaces[w.space],
        .agent = agents[w.agent],
        .also = w.is_wide ? beside[w.space] : NULL,
        .also_count = w.is_wide ? SPACES - 1 : 0};
}

static void write_text(int word, char out[static 64])
{
    snprintf(out, 64, "text with word%d in it", word);
}

static void any_id(char out[static UUID_SIZE])
{
    if (messages_count > 0 && any(20) == 0) /* one that is taken, or a repeat */
        snprintf(out, UUID_SIZE, "%s", messages[any(messages_count)].id);
    else
        uuid_v4(out);
}

struct plan {
    struct who from;
    int slug, word;
    int to[AGENTS], to_space[AGENTS]; /* -1: the bare name */
    size_t count;
    bool ungated, given;
    char id[UUID_SIZE], key[200], text[64];
};

/* As in the fingerprint: a namespace of its own only where it is not the sender's. */
static void recipient_text(const struct plan *p, size_t i, char out[static 64])
{
    if (p->to_space[i] < 0 || p->to_space[i] == p->from.space)
        snprintf(out, 64, "%s", agents[p->to[i]]);
    else
        snprintf(out, 64, "%s@%s", agents[p->to[i]], spaces[p->to_space[i]]);
}

static void plan_send(struct plan *p)
{
    *p = (struct plan){.from = anybody(), .slug = any(2) ? -1 : any(SLUGS), .word = any(WORDS)};
    p->ungated = any(3) > 0;
    p->given = any(4) > 0;
    const int first = any(AGENTS), count = any(5) ? 1 : 2;
    for (int i = 0; i < count; i++) {
        p->to_space[p->count] = any(4) == 0 ? -1 : p->from.is_wide ? any(SPACES) : p->from.space;
        p->to[p->count++] = (first + i) % AGENTS;
    }
    any_id(p->id);
    write_text(p->word, p->text);
    size_t len = (size_t)snprintf(p->key, sizeof p->key, "%d", p->slug);
    for (size_t i = 0; i < p->count; i++) {
        char text[64];
        recipient_text(p, i, text);
        len += (size_t)snprintf(p->key + len, sizeof p->key - len, " to %s", text);
    }
    snprintf(p->key + len, sizeof p->key - len, " %s", p->text);
}

static void row_id(const struct plan *p, size_t i, char out[static UUID_SIZE])
{
    char text[64];
    recipient_text(p, i, text);
    if (p->count == 1)
        snprintf(out, UUID_SIZE, "%s", p->id);
    else
        uuid_v5(p->id, text, out);
}

static bool is_repeat(const struct message *owner, struct who w, const char *key)
{
    return owner && is_in(w, owner->space) && owner->from == w.agent && strcmp(owner->sent_key, key) == 0;
}

/* Every name is in every namespace, but one's own means oneself. */
static bool any_ambiguous(const struct plan *p)
{
    bool found = false;
    for (size_t i = 0; i < p->count; i++)
        found |= p->from.is_wide && p->to_space[i] < 0 && p->to[i] != p->from.agent;
    return found;
}

static int space_of(const struct plan *p, size_t i)
{
    return p->to_space[i] < 0 ? p->from.space : p->to_space[i];
}

static enum store_refusal model_send_refusal(const struct plan *p, bool *repeat)
{
    const struct message *owner = p->given ? by_id_or_group(p->id) : NULL;
    *repeat = is_repeat(owner, p->from, p->key);
    if (*repeat)
        return REFUSAL_NONE;
    if (owner)
        return REFUSAL_ID_TAKEN;
    if (any_ambiguous(p))
        return REFUSAL_AMBIGUOUS;
    for (size_t i = 0; p->count > 1 && i < p->count; i++) {
        char id[UUID_SIZE];
        row_id(p, i, id);
        if (by_id_or_group(id))
            return REFUSAL_ID_TAKEN;
    }
    if (!p->ungated && gate_count(p->from) > 0)
        return REFUSAL_INBOX_GATE;
    for (size_t i = 0; i < p->count; i++) {
        if (p->to[i] != p->from.agent && queue_full(space_of(p, i), p->to[i], strlen(p->text)))
            return REFUSAL_QUEUE_FULL;
    }
    return REFUSAL_NONE;
}

static void model_send(const struct plan *p, const struct store_send_result *result)
{
    for (size_t i = 0; i < p->count; i++) {
        struct message *m = model_add(space_of(p, i), p->from.agent, p->to[i], result->sent[i].id);
        if (p->count > 1)
            snprintf(m->group, sizeof m->group, "%s", p->id);
        snprintf(m->sent_key, sizeof m->sent_key, "%s", p->key);
        m->words = 1U << p->word;
        m->len = strlen(p->text);
        if (p->slug >= 0)
            m->thread = model_thread(m->space, p->from.agent, p->to[i], p->slug, m->id);
    }
}

static void do_send(void)
{
    struct plan p;
    plan_send(&p);
    if (p.count > 1)
        p.given = true; /* else the rows' ids could not be foretold */
    struct store_recipient to[AGENTS];
    for (size_t i = 0; i < p.count; i++)
        to[i] = (struct store_recipient){
            .agent = agents[p.to[i]], .namespace_id = p.to_space[i] < 0 ? NULL : spaces[p.to_space[i]]};
    const struct store_caller caller = caller_of(p.from);
    const struct store_send send = {.message_id = p.given ? p.id : NULL,
        .recipients = to,
        .recipients_count = p.count,
        .content = p.text,
        .content_len = strlen(p.text),
        .thread = p.slug >= 0 ? slugs[p.slug] : NULL,
        .ungated = p.ungated};
    bool repeat = false;
    const enum store_refusal refusal = model_send_refusal(&p, &repeat);
    struct store_send_result result;
    const enum store_status status = store_send(s, &caller, &send, &result);
    ck_assert_int_eq(result.refusal, refusal);
    ck_assert_int_eq(status, refusal == REFUSAL_NONE ? STORE_DONE : STORE_REFUSED);
    ck_assert_int_eq(result.repeat, repeat);
    ck_assert_uint_eq(result.sent_count, refusal == REFUSAL_NONE ? p.count : 0);
    if (refusal == REFUSAL_INBOX_GATE)
        ck_assert_int_eq(result.unread_total, gate_count(p.from));
    for (size_t i = 0; p.given && i < result.sent_count; i++) {
        char id[UUID_SIZE];
        row_id(&p, i, id);
        ck_assert_str_eq(result.sent[i].id, id);
        const struct message *stored = repeat ? by_id(id) : NULL;
        ck_assert_str_eq(result.sent[i].namespace_id, spaces[stored ? stored->space : space_of(&p, i)]);
    }
    if (refusal == REFUSAL_NONE && !repeat)
        model_send(&p, &result);
    store_send_result_free(&result);
}

static int64_t lease_duration(unsigned attempt)
{
    int64_t duration = LEASE_FIRST_MS;
    while (--attempt > 0 && duration < LEASE_MAX_MS)
        duration *= 2;
    return duration < LEASE_MAX_MS ? duration : LEASE_MAX_MS;
}

static void check_offered(struct message *m, const struct store_message *shown, bool taken)
{
    ck_assert_str_eq(shown->id, m->id);
    ck_assert_uint_eq(shown->attempt, m->life.offers);
    ck_assert_int_eq(shown->is_leased, taken);
    ck_assert_uint_eq(shown->content_len, m->len);
    ck_assert_str_eq(shown->from, agents[m->from]);
    if (m->thread >= 0)
        ck_assert_str_eq(shown->thread_id, threads[m->thread].id);
}

static void do_offer(void)
{
    const struct who w = anybody();
    const int lease = any(5) ? any(LEASES) : -1;
    const size_t max = (size_t)any(6) + 1, bytes = (size_t)any(6) * 150;
    const struct store_caller caller = caller_of(w);
    const struct store_offer offer = {
        .lease = lease >= 0 ? lease_ids[lease] : NULL, .max_messages = max, .max_bytes = bytes};
    struct store_offer_result result;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);

    bool renewal = false, full = false;
    size_t shown = 0, used = 0;
    int64_t more = 0, in_delivery = 0;
    for (int i = 0; i < messages_count; i++)
        renewal |= lease >= 0 && waits(&messages[i], w) && messages[i].lease == lease;
    for (int i = 0; i < messages_count; i++) {
        struct message *m = &messages[i];
        if (!waits(m, w))
            continue;
        const bool own = lease >= 0 && m->lease == lease;
        if (!own && held(m)) {
            in_delivery++;
            continue;
        }
        used += renewal ? 0 : m->len + OFFER_OVERHEAD_BYTES;
        full |= !renewal && shown > 0 && (shown >= max || used > bytes);
        if ((renewal && !own) || full) {
            more++;
            continue;
        }
        ck_assert_uint_lt(shown, result.messages.count);
        if (lease >= 0) {
            ck_assert_int_eq(happen(m, own ? LIFE_RENEW : LIFE_OFFER), LIFE_MOVES);
            m->lease = lease;
            m->lease_end = now + lease_duration(m->life.offers);
        }
        check_offered(m, &result.messages.items[shown++], lease >= 0);
    }
    ck_assert_uint_eq(result.messages.count, shown);
    ck_assert_int_eq(result.more, more);
    ck_assert_int_eq(result.in_delivery, in_delivery);
    ck_assert_int_eq(result.next_lease_end_ms != 0, in_delivery > 0);
    for (int space = 0; lease >= 0 && space < SPACES; space++) {
        if (is_in(w, space))
            looks[space][w.agent] = (struct look){.at = now, .seen = messages_count};
    }
    store_offer_result_free(&result);
}

static void do_ack(void)
{
    const struct who w = anybody();
    const int lease = any(LEASES);
    static const enum store_release ways[] = {RELEASE_NONE, RELEASE_NONE, RELEASE_UNSHOWN, RELEASE_LOST};
    const enum store_release release = ways[any(4)];
    const struct store_caller caller = caller_of(w);
    const char *ids[3];
    size_t count = 0;
    for (int i = any(4); i > 0 && messages_count > 0; i--) {
        const int newest = messages_count < 40 ? messages_count : 40;
        struct message *m = &messages[messages_count - 1 - any(newest)];
        ids[count++] = m->id;
        if (!m->deleted && is_in(w, m->space) && m->to == w.agent)
            (void)happen(m, LIFE_ACK);
    }
    int64_t released = 0, expected = 0;
    for (int i = 0; release != RELEASE_NONE && i < messages_count; i++) {
        struct message *m = &messages[i];
        if (!waits(m, w) || m->lease != lease)
            continue;
        ck_assert_int_ne(life_now(m), LIFE_PENDING);
        ck_assert_int_eq(happen(m, release == RELEASE_UNSHOWN ? LIFE_RELEASE : LIFE_LOSE), LIFE_MOVES);
        m->lease = -1;
        expected++;
    }
    ck_assert_int_eq(store_ack(s, &caller, lease_ids[lease], ids, count, release, &released), STORE_DONE);
    ck_assert_int_eq(released, expected);
}

static void model_reply(struct message *original, const struct store_reply *reply, int word,
    const struct store_reply_result *result)
{
    const int space = original->space, from = original->to, to = original->from, thread = original->thread;
    if (thread >= 0 && (reply->resolve || reply->content))
        threads[thread].resolved = reply->resolve;
    if (!reply->content)
        return;
    char original_id[UUID_SIZE];
    memcpy(original_id, original->id, sizeof original_id);
    struct message *m = model_add(space, from, to, result->sent.id);
    m->words = 1U << word;
    m->len = reply->content_len;
    m->thread = thread;
    snprintf(m->reply_to, sizeof m->reply_to, "%s", original_id);
    snprintf(m->sent_key, sizeof m->sent_key, "reply %s %d %d %s", original_id, reply->defer, reply->resolve,
        reply->content);
}

static void do_reply(void)
{
    if (messages_count == 0)
        return;
    const int newest = messages_count < 60 ? messages_count : 60;
    struct message *original = &messages[messages_count - 1 - any(newest)];
    const struct who w = {.space = any(4) ? original->space : any(SPACES),
        .agent = any(5) ? original->to : any(AGENTS),
        .is_wide = any(3) == 0};
    const int word = any(WORDS);
    char text[64], id[UUID_SIZE], key[200];
    write_text(word, text);
    any_id(id);
    struct store_reply reply = {.message_id = original->id,
        .reply_id = any(2) ? id : NULL,
        .defer = any(4) == 0,
        .resolve = any(4) == 0};
    if (any(3)) {
        reply.content = text;
        reply.content_len = strlen(text);
    }
    snprintf(key, sizeof key, "reply %s %d %d %s", original->id, reply.defer, reply.resolve, text);

    enum store_status expected = STORE_DONE;
    enum store_refusal refusal = REFUSAL_NONE;
    bool repeat = false;
    struct message_life after = original->life;
    const enum life_verdict verdict = message_life_apply(&after, reply.defer ? LIFE_DEFER : LIFE_REPLY);
    if (original->deleted || verdict == LIFE_ABSENT || original->to != w.agent || !is_in(w, original->space))
        expected = STORE_ABSENT;
    if (expected == STORE_DONE) {
        const struct message *owner = reply.content && reply.reply_id ? by_id_or_group(id) : NULL;
        repeat = is_repeat(owner, w, key);
        if (owner && !repeat)
            refusal = REFUSAL_ID_TAKEN;
        else if (!repeat && verdict == LIFE_REFUSED)
            refusal = REFUSAL_EXPIRED;
        else if (!repeat && reply.content && original->from < 0)
            refusal = REFUSAL_UNKNOWN_RECIPIENT;
        else if (!repeat && reply.content && original->from != w.agent &&
                 queue_full(original->space, original->from, reply.content_len))
            refusal = REFUSAL_QUEUE_FULL;
    }
    const struct store_caller caller = caller_of(w);
    struct store_reply_result result;
    const enum store_status status = store_reply(s, &caller, &reply, &result);
    ck_assert_int_eq(result.refusal, refusal);
    ck_assert_int_eq(status, refusal != REFUSAL_NONE ? STORE_REFUSED : expected);
    ck_assert_int_eq(result.repeat, repeat);
    if (status == STORE_DONE && !repeat) {
        (void)happen(original, reply.defer ? LIFE_DEFER : LIFE_REPLY);
        model_reply(original, &reply, word, &result);
    }
    if (status == STORE_DONE && !repeat && original->thread >= 0)
        ck_assert_int_eq(result.resolved, threads[original->thread].resolved);
    store_reply_result_free(&result);
}

static void do_unsend(void)
{
    if (messages_count == 0)
        return;
    const int newest = messages_count < 20 ? messages_count : 20;
    const struct message *target = &messages[messages_count - 1 - any(newest)];
    const struct who w = {.space = target->space,
        .agent = any(4) && target->from >= 0 ? target->from : any(AGENTS),
        .is_wide = any(3) == 0};
    char id[UUID_SIZE];
    snprintf(id, sizeof id, "%s", target->group[0] && any(2) ? target->group : target->id);
    int found = 0, seen = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < messages_count; i++) {
            struct message *m = &messages[i];
            if (m->deleted || !is_in(w, m->space) || m->from != w.agent ||
                (strcmp(m->id, id) != 0 && strcmp(m->group, id) != 0))
                continue;
            struct message_life after = m->life;
            const enum life_verdict verdict = message_life_apply(&after, LIFE_UNSEND);
            found += pass == 0 && verdict != LIFE_ABSENT;
            seen += pass == 0 && verdict == LIFE_REFUSED;
            if (pass == 1 && seen == 0 && happen(m, LIFE_UNSEND) == LIFE_MOVES)
                m->ended = now;
        }
    }
    const struct store_caller caller = caller_of(w);
    enum store_refusal refusal;
    const enum store_status status = store_unsend(s, &caller, id, &refusal);
    ck_assert_int_eq(status, found == 0 ? STORE_ABSENT : seen > 0 ? STORE_REFUSED : STORE_DONE);
    ck_assert_int_eq(refusal, found > 0 && seen > 0 ? REFUSAL_ALREADY_OFFERED : REFUSAL_NONE);
}

static void do_recall(void)
{
    const struct who w = anybody();
    const int from = any(3) ? -1 : any(AGENTS), slug = any(4) ? -1 : any(SLUGS),
              word = any(3) ? -1 : any(WORDS);
    char query[64];
    snprintf(query, sizeof query, "word%d TEXT", word);
    const struct store_recall recall = {.limit = (size_t)any(20) + 1,
        .from_agent = from >= 0 ? agents[from] : NULL,
        .thread = slug >= 0 ? slugs[slug] : NULL,
        .query = word >= 0 ? query : NULL};
    const struct store_caller caller = caller_of(w);
    struct store_messages found;
    ck_assert_int_eq(store_recall(s, &caller, &recall, &found), STORE_DONE);
    size_t count = 0;
    for (int i = messages_count - 1; i >= 0 && count < recall.limit; i--) {
        struct message *m = &messages[i];
        const bool mine =
            is_in(w, m->space) && (m->from == w.agent || (m->to == w.agent && m->life.state != LIFE_UNSENT));
        if (m->deleted || m->life.state == LIFE_EXPIRED || !mine || (from >= 0 && m->from != from) ||
            (word >= 0 && !(m->words & 1U << word)) ||
            (slug >= 0 && (m->thread < 0 || threads[m->thread].slug != slug)))
            continue;
        ck_assert_uint_lt(count, found.count);
        const struct store_message *shown = &found.items[count++];
        ck_assert_str_eq(shown->id, m->id);
        ck_assert_int_eq(message_life_of(shown).state, life_now(m));
        ck_assert_uint_eq(shown->attempt, m->life.offers);
        ck_assert_str_eq(shown->reply_to, m->reply_to);
        if (m->thread >= 0)
            ck_assert_int_eq(shown->thread_resolved, threads[m->thread].resolved);
    }
    ck_assert_msg(found.count == count, "%zu found, %zu expected: from %d, thread %d, word %d", found.count,
        count, from, slug, word);
    store_messages_free(&found);
}

/* The notices that an agent got in the last cleanup, taken over into the model. */
static int take_over_notices(int space, int agent)
{
    const struct store_caller caller = caller_of((struct who){.space = space, .agent = agent});
    const struct store_recall recall = {.limit = 1000, .from_agent = RELAY_AGENT};
    struct store_messages found;
    int added = 0;
    ck_assert_int_eq(store_recall(s, &caller, &recall, &found), STORE_DONE);
    for (size_t i = found.count; i-- > 0;) {
        if (by_id(found.items[i].id))
            continue;
        struct message *m = model_add(space, -1, agent, found.items[i].id);
        m->len = found.items[i].content_len;
        for (int word = 0; word < WORDS; word++) {
            char text[64];
            write_text(word, text);
            m->words |= strstr(found.items[i].content, text) ? 1U << word : 0;
        }
        added++;
    }
    store_messages_free(&found);
    return added;
}

static void model_delete(struct message *gone)
{
    gone->deleted = true;
    for (int i = 0; i < messages_count; i++) {
        if (strcmp(messages[i].reply_to, gone->id) == 0)
            messages[i].reply_to[0] = '\0';
    }
}

static void model_drop_threads(void)
{
    for (int t = 0; t < threads_count; t++) {
        bool used = false;
        for (int i = 0; i < messages_count; i++)
            used |= !messages[i].deleted && messages[i].thread == t;
        threads[t].deleted |= !used;
    }
}

static void do_cleanup(void)
{
    int expired = 0, deleted = 0, told[SPACES][AGENTS][AGENTS] = {0};
    for (int i = 0; i < messages_count; i++) {
        struct message *m = &messages[i];
        if (!m->deleted && is_tombstone(m) && m->sent <= now - 2 * (int64_t)RETENTION_MS &&
            m->ended <= now - RETENTION_MS) {
            model_delete(m);
            deleted++;
        }
        if (!live(m) || m->sent > now - RETENTION_MS)
            continue;
        expired++;
        if (m->from >= 0 && message_life_is_told(m->life))
            told[m->space][m->from][m->to]++;
        ck_assert_int_eq(happen(m, LIFE_EXPIRE), LIFE_MOVES);
        m->ended = now;
        m->len = 0;
    }
    model_drop_threads();
    pin_time();
    struct store_cleanup_result plan, result;
    ck_assert_int_eq(store_cleanup(s, RETENTION_MS, MS_PER_HOUR, true, &plan), STORE_DONE);
    ck_assert_int_eq(store_cleanup(s, RETENTION_MS, MS_PER_HOUR, false, &result), STORE_DONE);
    ck_assert_int_eq(result.expired, expired);
    ck_assert_int_eq(result.deleted, deleted);
    ck_assert_int_eq(plan.expired, result.expired);
    ck_assert_int_eq(plan.deleted, result.deleted);
    ck_assert_int_eq(plan.notices, result.notices);
    int notices = 0;
    for (int space = 0; space < SPACES; space++) {
        for (int agent = 0; agent < AGENTS; agent++) {
            int expected = 0;
            for (int to = 0; to < AGENTS; to++)
                expected += (told[space][agent][to] + NOTICE_MAX_MESSAGES - 1) / NOTICE_MAX_MESSAGES;
            ck_assert_int_eq(take_over_notices(space, agent), expected);
            notices += expected;
        }
    }
    ck_assert_int_eq(result.notices, notices);
    store_cleanup_result_free(&plan);
    store_cleanup_result_free(&result);
}

static void compare_all(void)
{
    struct store_stats stats;
    int64_t by_status[4] = {0}, unsent = 0, expired = 0, leased = 0;
    for (int i = 0; i < messages_count; i++) {
        struct message *m = &messages[i];
        leased += !m->deleted && held(m);
        unsent += !m->deleted && m->life.state == LIFE_UNSENT;
        expired += !m->deleted && m->life.state == LIFE_EXPIRED;
        if (live(m))
            by_status[message_life_status(m->life)]++;
    }
    pin_time();
    ck_assert_int_eq(store_stats(s, &stats), STORE_DONE);
    for (size_t i = 0; i < LENGTH_OF(by_status); i++)
        ck_assert_int_eq(stats.by_status[i], by_status[i]);
    ck_assert_int_eq(stats.unsent, unsent);
    ck_assert_int_eq(stats.expired, expired);
    ck_assert_int_eq(stats.leased, leased);
    store_stats_free(&stats);
}

static void step(void)
{
    static void (*const operations[])(void) = {do_send, do_send, do_send, do_send, do_offer, do_offer,
        do_offer, do_ack, do_ack, do_reply, do_reply, do_unsend, do_recall};
    const int choice = any(200);
    if (choice == 0)
        now += (int64_t)any(4) * STEP_MS * 20;
    else if (choice < 20)
        now += STEP_MS;
    else if (choice == 20)
        compare_all();
    else if (choice == 21 && any(3) == 0) {
        now += (int64_t)any(3) * (RETENTION_MS / STEP_MS / 2) * STEP_MS;
        do_cleanup();
    } else
        operations[any(LENGTH_OF(operations))]();
}

static int64_t setting(const char *name, int64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoll(text, NULL, 10) : fallback;
}

START_TEST(a_store_does_as_the_model)
{
    state = (uint64_t)setting("STORE_MODEL_SEED", clock_wall_ms()) | 1;
    const int64_t operations = setting("STORE_MODEL_OPERATIONS", 20000);
    fprintf(stderr, "STORE_MODEL_SEED=%" PRIu64 " STORE_MODEL_OPERATIONS=%" PRId64 "\n", state, operations);
    char *folder = fixture_folder();
    s = fixture_open(folder);
    messages = xcalloc(MESSAGES_MAX, sizeof *messages);
    now = clock_wall_ms();
    for (size_t i = 0; i < LEASES; i++)
        uuid_v4(lease_ids[i]);
    for (size_t i = 0; i < SPACES * AGENTS; i++)
        fixture_token(s, spaces[i / AGENTS], agents[i % AGENTS], 0);
    for (int64_t i = 0; i < operations; i++) {
        if (i % 5000 == 4999) { /* a restart forgets nothing but the looks, and where others may serve beside, not those */
            store_close(s);
            s = fixture_open(folder);
            if (!rig_server())
                memset(looks, 0, sizeof looks);
        }
        step();
    }
    compare_all();
    store_close(s);
    free(messages);
    fixture_remove(folder);
}
END_TEST

int main(void)
{
    /* Durability is for check_store: here nothing has to wait for a disk. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    TCase *tests;
    Suite *suite = unit_suite("store_model", &tests);
    tcase_set_timeout(tests, 600);
    tcase_add_test(tests, a_store_does_as_the_model);
    return run_unit(suite);
}
