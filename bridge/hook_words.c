#include "hook_words.h"

#include <string.h>

#include "../common/clock.h"
#include "../common/fence.h"
#include "../common/json.h"

/* ---- who ---- */

struct senders {
    const char *names[HOOK_SENDERS_MAX];
    size_t named, others; /* others: further messages, of senders that are not named */
};

static bool is_named(const struct senders *senders, const char *from)
{
    for (size_t i = 0; i < senders->named; i++)
        if (strcmp(senders->names[i], from) == 0)
            return true;
    return false;
}

static void add_sender(struct senders *senders, const char *from)
{
    if (is_named(senders, from))
        return;
    if (senders->named < HOOK_SENDERS_MAX)
        senders->names[senders->named++] = from;
    else
        senders->others++;
}

static void write_senders(struct buf *out, const struct senders *senders)
{
    for (size_t i = 0; i < senders->named; i++) {
        bool last = i + 1 == senders->named && senders->others == 0;
        buf_puts(out, i == 0 ? " from " : last ? " and " : ", ");
        fence_word(out, senders->names[i], FENCE_WORD_MAX);
    }
    if (senders->others > 0)
        buf_puts(out, " and others");
}

/* ---- what ---- */

static void write_count(struct buf *out, size_t count, const char *kind)
{
    bool all_seen = count < INBOX_LOOK_ROWS;
    buf_printf(out, "%zu%s%s message%s", count, all_seen ? " " : " or more ", kind, count == 1 ? "" : "s");
}

void hook_words_new(
    struct buf *out, const struct told *told, enum told_whom whom, const struct inbox_look *pending)
{
    struct senders senders = {0};
    for (size_t i = 0; i < pending->count; i++)
        if (!told_has(told, whom, pending->rows[i].id))
            add_sender(&senders, pending->rows[i].from);
    write_count(out, told_count_new(told, whom, pending), "new");
    write_senders(out, &senders);
}

static void write_deferred(struct buf *out, const struct inbox_look *deferred, int64_t now_ms)
{
    buf_puts(out, "\nDeferred, and not answered yet (inbox shows the texts):");
    for (size_t i = 0; i < deferred->count && i < HOOK_DEFERRED_MAX; i++) {
        const struct inbox_row *row = &deferred->rows[i];
        char age[AGE_TEXT_LEN];
        clock_age_text(now_ms - row->sent_ms, age);
        buf_puts(out, "\n- from ");
        fence_word(out, row->from, FENCE_WORD_MAX);
        buf_printf(out, " (%s) [%s]", age, row->id);
    }
    if (deferred->count > HOOK_DEFERRED_MAX)
        buf_printf(out, "\n- and %zu more", deferred->count - HOOK_DEFERRED_MAX);
}

void hook_words_start(
    struct buf *out, const struct inbox_look *pending, const struct inbox_look *deferred, int64_t now_ms)
{
    struct senders senders = {0};
    buf_printf(out, "Patchcord: you are %s.", pending->agent);
    for (size_t i = 0; i < pending->count; i++)
        add_sender(&senders, pending->rows[i].from);
    if (pending->count == 0) {
        buf_puts(out, " No new messages wait.");
    } else {
        buf_putc(out, ' ');
        write_count(out, pending->count, "unread");
        write_senders(out, &senders);
        buf_puts(out, pending->count == 1 ? " waits: call inbox." : " wait: call inbox.");
    }
    if (deferred->count > 0)
        write_deferred(out, deferred, now_ms);
}

void hook_words_queued(struct buf *out, size_t waiting)
{
    if (waiting == 0)
        return;
    buf_printf(out,
        "%s%zu of your own messages %s in the outbox until the relay takes %s; nothing is to be done.",
        out->len > 0 ? "\n" : "", waiting, waiting == 1 ? "waits" : "wait", waiting == 1 ? "it" : "them");
}

/* ---- how ---- */

void hook_words_answer(struct buf *out, enum hook_voice voice, const char *event, const char *text)
{
    struct json_object *answer = json_new_object(), *specific;
    switch (voice) {
    case HOOK_CONTEXT:
        specific = json_new_object();
        json_add_text(specific, "hookEventName", event);
        json_add_text(specific, "additionalContext", text);
        json_add(answer, "hookSpecificOutput", specific);
        break;
    case HOOK_GO_ON:
        json_add_text(answer, "decision", "block");
        json_add_text(answer, "reason", text);
        break;
    case HOOK_USER:
        json_add_text(answer, "systemMessage", text);
        break;
    }
    json_write(answer, out);
    buf_putc(out, '\n');
    json_object_put(answer);
}
