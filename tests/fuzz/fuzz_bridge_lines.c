/* A client's bytes through the bridge's lines and session, cut anywhere, without a relay: whatever comes in,
 * what goes out is JSON-RPC, one message a line. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bridge/lines.h"
#include "../../bridge/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_fate(void *arg, struct relay_offer *offer, bool arrived)
{
    (void)arg;
    (void)offer;
    (void)arrived;
    abort(); /* nothing can have been offered */
}

static void take(struct session *session, enum line_kind kind, const struct line *line)
{
    if (kind == LINE_WHOLE)
        session_line(session, line->text, line->len);
    else if (kind == LINE_TOO_LONG)
        session_line_too_long(session, line->id);
}

static void check_output(FILE *out)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    rewind(out);
    while ((len = getline(&line, &room, out)) > 0) {
        enum json_fault fault;
        assert(line[len - 1] == '\n');
        struct json_object *message = json_parse(line, (size_t)len, &fault);
        assert(message && strcmp(json_text_or(message, "jsonrpc", ""), "2.0") == 0);
        json_object_put(message);
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* No home, no credentials: a call's answer says so. */
    unsetenv("HOME");
    unsetenv("XDG_CONFIG_HOME");
    if (size < 1)
        return 0;
    size_t step = (size_t)data[0] + 1;
    const struct config_options options = {0};
    FILE *out = tmpfile();
    assert(out);
    struct relay_link *link = relay_link_new();
    struct line_writer *writer = line_writer_new(fileno(out), no_fate, NULL);
    struct session *session = session_new(&options, link, writer);
    struct lines lines = {0};
    struct line line;
    enum line_kind kind;
    for (size_t at = 1; at < size; at += step) {
        lines_feed(&lines, (const char *)data + at, size - at < step ? size - at : step);
        while ((kind = lines_next(&lines, &line)) != LINE_NONE)
            take(session, kind, &line);
    }
    take(session, lines_last(&lines, &line), &line);
    assert(lines_last(&lines, &line) == LINE_NONE);
    assert(!session_busy(session));
    session_close(session);
    assert(line_writer_flush(writer));
    check_output(out);
    session_free(session);
    line_writer_free(writer);
    relay_link_free(link);
    lines_free(&lines);
    fclose(out);
    return 0;
}
