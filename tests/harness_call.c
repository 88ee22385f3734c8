/* A request on a connection of its own, under way while the test does other things. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "harness.h"
#include "harness_process.h"

struct open_call {
    int fd;
    struct buf heard;
};

static struct open_call *open_with(const struct relay_process *relay, struct buf *request)
{
    struct open_call *call = xcalloc(1, sizeof *call);
    call->fd = relay_connect(relay);
    if (send(call->fd, request->data, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
        harness_fail("the request did not go out: %s", strerror(errno));
    buf_free(request);
    return call;
}

struct open_call *call_begin_at(const struct relay_process *relay, const char *path, const char *token,
    const char *method, const char *params, const char *const headers[])
{
    char *name = NULL, *body = mcp_request_text(method, params, &name);
    struct buf request = {0};

    buf_printf(&request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nContent-Type: "
        "application/json\r\n"
        "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: "
        "%s\r\n",
        path, relay->port, token, method);
    if (name)
        buf_printf(&request, "Mcp-Name: %s\r\n", name);
    for (size_t i = 0; headers && headers[i]; i++)
        buf_printf(&request, "%s\r\n", headers[i]);
    buf_printf(&request, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);

    free(body);
    free(name);
    return open_with(relay, &request);
}

struct open_call *call_begin(const struct relay_process *relay, const char *token, const char *method,
    const char *params, const char *const headers[])
{
    return call_begin_at(relay, "/mcp/bearer", token, method, params, headers);
}

struct open_call *call_get(
    const struct relay_process *relay, const char *token, const char *path, const char *const headers[])
{
    struct buf request = {0};

    buf_printf(&request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n", path,
        relay->port, token);
    for (size_t i = 0; headers && headers[i]; i++)
        buf_printf(&request, "%s\r\n", headers[i]);
    buf_puts(&request, "\r\n");
    return open_with(relay, &request);
}

bool call_hears(struct open_call *call, const char *text, int timeout_ms)
{
    enum { CHUNK = 16384 };
    int64_t deadline = now_us() + (int64_t)harness_patience(timeout_ms) * 1000;

    while (!strstr(buf_text(&call->heard), text)) {
        struct pollfd peer = {.fd = call->fd, .events = POLLIN};
        int64_t left = deadline - now_us();
        if (left <= 0)
            return false;
        if (poll(&peer, 1, (int)(left / 1000) + 1) <= 0)
            continue;
        ssize_t got = recv(call->fd, buf_reserve(&call->heard, CHUNK), CHUNK, 0);
        if (got <= 0)
            return false;
        buf_commit(&call->heard, (size_t)got);
    }
    return true;
}

const char *call_heard(const struct open_call *call)
{
    return buf_text(&call->heard);
}

void call_end(struct open_call *call)
{
    close(call->fd);
    buf_free(&call->heard);
    free(call);
}
