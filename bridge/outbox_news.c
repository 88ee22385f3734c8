#include "outbox_news.h"

#include <string.h>

#include "../common/fence.h"
#include "../common/json.h"
#include "../common/uuid.h"

/* The line is read by a model with each thing that happened: short, whatever the relay wrote. */
enum { PROBLEM_MAX_BYTES = 300, NAMED_MAX = 5 };

static size_t first_line(const char *text)
{
    size_t len = strcspn(text, "\r\n");
    if (len <= PROBLEM_MAX_BYTES)
        return len;
    len = PROBLEM_MAX_BYTES;
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

void outbox_news_write(const struct outbox_entry *entry, const char *problem, struct buf *out)
{
    struct json_object *note = json_new_object();
    struct buf to = {0};
    outbox_entry_to(entry, &to);
    json_add_text(note, "id", entry->id);
    json_add_text(note, "to", buf_text(&to));
    if (problem)
        json_add_text_len(note, "problem", problem, first_line(problem));
    json_write(note, out);
    json_object_put(note);
    buf_free(&to);
}

static bool is_named(const struct buf *names, const char *to)
{
    const char *found = names->len ? strstr(names->data, to) : NULL;
    size_t len = strlen(to);
    for (; found; found = strstr(found + 1, to)) {
        bool begins = found == names->data || found[-1] == ' ';
        if (begins && (found[len] == '\0' || found[len] == ','))
            return true;
    }
    return false;
}

static void add_delivered(struct outbox_news *news, const char *to)
{
    news->delivered++;
    if (news->delivered > NAMED_MAX || is_named(&news->to, to))
        return;
    buf_printf(&news->to, "%s%s", news->to.len ? ", " : "", to);
}

static void add_refused(struct outbox_news *news, const char *id, const char *to, const char *problem)
{
    news->refused++;
    if (news->refused > NAMED_MAX)
        return;
    buf_printf(
        &news->refusal, " Refused: the one to %s [%s]: %.*s", to, id, (int)first_line(problem), problem);
}

/* A note that we did not write so is passed over: what it says goes to a model. */
void outbox_news_add(struct outbox_news *news, const char *text, size_t len)
{
    enum json_fault fault;
    char id[UUID_SIZE];
    struct json_object *note = json_parse(text, len, &fault);
    const char *given = json_text_or(note, "id", ""), *to = json_text_or(note, "to", "");
    const char *problem = json_text_or(note, "problem", NULL);
    bool is_ours = uuid_parse(given, strlen(given), id) && to[0] && fence_is_plain(to, strlen(to)) &&
                   (!problem || fence_is_plain(problem, first_line(problem)));
    if (is_ours && problem)
        add_refused(news, id, to, problem);
    else if (is_ours)
        add_delivered(news, to);
    json_object_put(note);
}

bool outbox_news_end(struct outbox_news *news, struct buf *out)
{
    bool any = news->delivered + news->refused > 0;
    if (any)
        buf_puts(out, "Outbox:");
    if (news->delivered > 0)
        buf_printf(out, " %zu queued message%s delivered since, to %s%s.", news->delivered,
            news->delivered == 1 ? " was" : "s were", buf_text(&news->to),
            news->delivered > NAMED_MAX ? " and others" : "");
    buf_append(out, news->refusal.data, news->refusal.len);
    if (news->refused > NAMED_MAX)
        buf_printf(out, " And %zu more: patchcord outbox list", news->refused - NAMED_MAX);
    if (any)
        buf_putc(out, '\n');
    buf_free(&news->to);
    buf_free(&news->refusal);
    *news = (struct outbox_news){0};
    return any;
}
