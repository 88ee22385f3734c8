/* A request's line and header as HTTP hands them on: the first line is the target, the others are fields.
 * What framing takes has one length and clean fields; what the target gives is rooted, decoded and bounded.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/url.h"
#include "../../relay/http/framing.h"
#include "../../relay/http/routing.h"
#include "../../relay/http/target.h"

enum { FIELDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum verdict handle(struct exchange *ex)
{
    (void)ex;
    return VERDICT_DONE;
}

static const struct route routes[] = {{.method = "GET", .path = "/a", .name = "a", .handle = handle},
    {.method = "POST", .path = "/files/*", .name = "files", .handle = handle}, {.handle = NULL}};

static void check_target(const char *text)
{
    struct target t;
    struct buf allow = {0}, again = {0};
    if (!target_parse(text, &t)) {
        assert(!t.path && !t.query && t.query_count == 0);
        return;
    }
    assert(t.query_count <= TARGET_QUERY_MAX);
    const struct route *r = route_find(routes, "GET", t.path, &allow);
    assert(!r || strcmp(t.path, "/a") == 0);

    /* Encoded again, it reads as the same. */
    struct target same;
    assert(t.path[0] == '/');
    buf_putc(&again, '/');
    url_encode(&again, t.path + 1, strlen(t.path + 1));
    assert(target_parse(buf_text(&again), &same) && strcmp(same.path, t.path) == 0);
    target_free(&same);
    buf_free(&again);
    buf_free(&allow);
    target_free(&t);
}

static void check_fields(char *text)
{
    struct http_field fields[FIELDS_MAX];
    size_t count = 0;
    int64_t len = 0;
    char *line;
    while (count < FIELDS_MAX && (line = strsep(&text, "\n")) != NULL) {
        char *value = strchr(line, ':');
        if (value)
            *value++ = '\0';
        fields[count++] = (struct http_field){.name = line, .value = value ? value : line + strlen(line)};
    }
    if (framing_check(fields, count, &len))
        return;
    assert(len >= 0 || len == FRAMING_CHUNKED);
    for (size_t i = 0; i < count; i++) {
        assert(fields[i].name[0] != '\0' && !strpbrk(fields[i].name, " \t\r()<>@,;\\\"/[]?={}"));
        assert(!strpbrk(fields[i].value, "\r\n\x01\x7f"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    char *fields = text;
    check_target(strsep(&fields, "\n"));
    if (fields)
        check_fields(fields);
    free(text);
    return 0;
}
