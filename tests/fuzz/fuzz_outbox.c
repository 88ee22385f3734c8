/* The outbox's files: what is accepted as an entry holds a call that its tool takes and is read back as the
 * same; whatever stands in a note becomes one line. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/outbox_entry.h"
#include "../../bridge/outbox_news.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct outbox_entry *entry)
{
    struct outbox_entry again;
    struct buf text = {0}, why = {0}, second = {0};
    outbox_entry_write(entry, &text);
    assert(outbox_entry_parse(buf_text(&text), text.len, &again, &why));
    assert(strcmp(again.id, entry->id) == 0 && again.kind == entry->kind &&
           again.created_ms == entry->created_ms);
    assert(again.attempts == entry->attempts && again.uncertain == entry->uncertain);
    outbox_entry_write(&again, &second);
    assert(text.len == second.len && memcmp(text.data, second.data, text.len) == 0);
    outbox_entry_free(&again);
    buf_free(&second);
    buf_free(&text);
    buf_free(&why);
}

static void check_entry(const uint8_t *data, size_t size)
{
    struct outbox_entry entry;
    struct buf why = {0}, to = {0}, unsound = {0};
    bool accepted = outbox_entry_parse((const char *)data, size, &entry, &why);
    assert(accepted || (why.len > 0 && !entry.args && !entry.problem));
    if (accepted) {
        assert(entry.args && entry.created_ms >= 0 && entry.attempts >= 0);
        assert(outbox_takes(outbox_entry_tool(&entry)));
        assert(outbox_entry_sound(&entry, &unsound) == (unsound.len == 0));
        outbox_entry_to(&entry, &to);
        assert(!to.len || !strpbrk(to.data, "\r\n"));
        check_again(&entry);
        outbox_entry_free(&entry);
    }
    buf_free(&unsound);
    buf_free(&to);
    buf_free(&why);
}

static void check_name(const uint8_t *data, size_t size)
{
    char name[OUTBOX_NAME_SIZE] = "", made[OUTBOX_NAME_SIZE], id[UUID_SIZE];
    int64_t ms;
    memcpy(name, data, size < sizeof name ? size : sizeof name - 1);
    if (!outbox_name_read(name, &ms, id))
        return;
    outbox_name_make(ms, id, made);
    assert(strcmp(made, name) == 0);
}

static void check_news(const uint8_t *data, size_t size)
{
    struct outbox_news news = {0};
    struct buf line = {0};
    outbox_news_add(&news, (const char *)data, size);
    bool any = outbox_news_end(&news, &line);
    assert(any == (line.len > 0));
    assert(!any || strchr(line.data, '\n') == line.data + strlen(line.data) - 1);
    buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_entry(data, size);
    check_name(data, size);
    check_news(data, size);
    return 0;
}
