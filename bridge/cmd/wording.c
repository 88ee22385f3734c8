#include "wording.h"

#include <stdbool.h>
#include <string.h>

#include "../../common/compiler.h"

#define VALUE_MARK '$'

/* Arguments as problems begin with them. */
static const struct word_row {
    const char *tool, *command;
} argument_rows[] = {
    {"all_agents", "--all"},
    {"content", "CONTENT"},
    {"defer", "--defer"},
    {"filename", "--name"},
    {"from_agent", "--from"},
    {"limit", "--limit"},
    {"message_id", "MESSAGE_ID"},
    {"mime_type", "--type"},
    {"offset", "--offset"},
    {"query", "--query"},
    {"resolve", "--resolve"},
    {"thread", "--thread"},
    {"timeout_seconds", "--timeout"},
    {"to", "AGENT"},
};

/* What stands within a text. A $ is a value (an id, a number) and stands for the same one on the right, the first
 * as $1, the second as $2. */
static const struct word_row phrase_rows[] = {
    {"Call inbox, then", "Read them with `patchcord inbox --take` or `patchcord wait`, then"},
    {"more: call inbox", "more: `patchcord inbox --take` takes what comes first"},
    {"find them with recall", "find them with `patchcord recall`"},
    {"check with recall", "check with `patchcord recall`"},
    {"or from recall.", "or from `patchcord recall`."},
    {"from inbox or recall", "from `patchcord inbox` or `patchcord recall`"},
    {"as inbox and recall show it", "as `patchcord inbox` and `patchcord recall` show it"},
    {"inbox lists who is there", "`patchcord agents` lists who is there"},
    {"recall without message_id", "`patchcord recall` without MESSAGE_ID"},
    {"recall(message_id=\"$\", offset=$)", "`patchcord recall --offset $2 $1`"},
    {"give its message_id", "give its MESSAGE_ID"},
    {"reply(message_id, resolve=true)", "`patchcord reply --resolve MESSAGE_ID`"},
    {"reply without defer", "reply without --defer"},
    {"Call again", "Try again"},
    {"call again", "try again"},
};

enum { VALUES_MAX = 2 };

struct values {
    struct {
        const char *start;
        size_t len;
    } list[VALUES_MAX];
    size_t count;
};

static size_t value_len(const char *text)
{
    return strspn(text, "0123456789abcdef-");
}

/* How much of text the pattern covers; 0: it does not begin with it. */
static size_t match(const char *pattern, const char *text, struct values *values)
{
    const char *at = text;
    values->count = 0;
    for (; *pattern; pattern++) {
        if (*pattern != VALUE_MARK) {
            if (*at++ != *pattern)
                return 0;
            continue;
        }
        size_t len = value_len(at);
        if (len == 0 || values->count == VALUES_MAX)
            return 0;
        values->list[values->count].start = at;
        values->list[values->count++].len = len;
        at += len;
    }
    return (size_t)(at - text);
}

static void append_command(struct buf *out, const char *command, const struct values *values)
{
    for (; *command; command++) {
        if (*command != VALUE_MARK) {
            buf_putc(out, *command);
            continue;
        }
        size_t number = (size_t)(*++command - '1');
        if (number < values->count)
            buf_append(out, values->list[number].start, values->list[number].len);
    }
}

/* Appends the phrase that text begins with, in a command's words. Its length in text; 0: none. */
static size_t append_phrase(struct buf *out, const char *text)
{
    struct values values;
    for (size_t i = 0; i < LENGTH_OF(phrase_rows); i++) {
        size_t len = match(phrase_rows[i].tool, text, &values);
        if (len == 0)
            continue;
        append_command(out, phrase_rows[i].command, &values);
        return len;
    }
    return 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void append_line(struct buf *out, const char *line, size_t len)
{
    char before = ' ';
    for (size_t at = 0; at < len;) {
        size_t covered = is_word(before) ? 0 : append_phrase(out, line + at);
        if (covered == 0) {
            buf_putc(out, line[at]);
            covered = 1;
        }
        at += covered;
        before = line[at - 1];
    }
}

void wording_text(struct buf *out, const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
        if (strncmp(text, "> ", 2) == 0)
            buf_append(out, text, len);
        else
            append_line(out, text, len);
        text += len;
    }
}

void wording_problem(struct buf *out, const char *text)
{
    for (size_t i = 0; i < LENGTH_OF(argument_rows); i++) {
        size_t len = strlen(argument_rows[i].tool);
        if (strncmp(text, argument_rows[i].tool, len) != 0 || text[len] != ' ')
            continue;
        buf_puts(out, argument_rows[i].command);
        text += len;
        break;
    }
    wording_text(out, text);
}
