/* connection.c: between libmicrohttpd and requests.
 *
 * The order that works with libmicrohttpd 0.9.75: in its callbacks connections are only suspended; outside of
 * them an answer is queued while its connection is suspended, the connection resumed, and MHD_run called. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <sys/socket.h>

#include <gnutls/gnutls.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "framing.h"
#include "loop.h"
#include "routing.h"

enum {
    BODY_BYTES_A_SECOND = 16 * 1024, /* each gives body and answer a second more */
    SEND_TIMEOUT_MS = 60 * 1000,     /* for an answer, longer by its size */
    SINK_BLOCK = 64 * 1024,          /* of a streamed body, that a worker takes at a time */
    STREAM_BLOCK = 4 * 1024,         /* of a stream, at a time */
    KERNEL_CLOCK_MS = 20,            /* how exactly the kernel knows when data came */
};

/* ---- the connection ---- */

static void connection_timer(void *owner);

static void arm_timer(struct connection *c, int64_t until_ms)
{
    int64_t now = clock_mono_ms();
    if (c->hung_up && until_ms > now + HANG_UP_MS)
        until_ms = now + HANG_UP_MS;
    timer_arm(&c->server->timers, &c->timer, until_ms);
}

static void connection_watch(void *owner, uint32_t events)
{
    struct connection *c = owner;
    bool expects_header = !c->request || !c->request->begun;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        c->hung_up = true;
        if (expects_header || c->request->phase == PHASE_RECEIVING)
            arm_timer(c, INT64_MAX);
        else
            request_client_gone(c->request);
    } else if (expects_header && !c->timer.armed) {
        timer_arm(&c->server->timers, &c->timer, clock_mono_ms() + c->server->limits.header_timeout_ms);
    }
}

static void read_peer(struct connection *c, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (!IN6_IS_ADDR_V4MAPPED(six)) {
            inet_ntop(AF_INET6, six, c->peer, sizeof c->peer);
            c->peer_is_loopback = IN6_IS_ADDR_LOOPBACK(six);
            return;
        }
        inet_ntop(AF_INET, &six->s6_addr[12], c->peer, sizeof c->peer);
        c->peer_is_loopback = six->s6_addr[12] == IN_LOOPBACKNET;
        return;
    }
    const struct in_addr *four = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    inet_ntop(AF_INET, four, c->peer, sizeof c->peer);
    c->peer_is_loopback = ntohl(four->s_addr) >> 24 == IN_LOOPBACKNET;
}

static struct connection *connection_begin(struct http_daemon *daemon, struct MHD_Connection *mhd)
{
    struct http_server *s = daemon->server;
    struct connection *c = xcalloc(1, sizeof *c);
    c->server = s;
    c->daemon = daemon;
    c->mhd = mhd;
    c->linger = true;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    c->watch = (struct watch){.ready = connection_watch, .owner = c};
    timer_init(&c->timer, connection_timer, c);
    read_peer(c, MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    TAILQ_INSERT_TAIL(&s->connections, c, link);
    s->connections_count++;
    if (!poller_add(s->poller, c->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &c->watch))
        shutdown(c->fd, SHUT_RDWR);
    return c;
}

static void connection_end(struct connection *c)
{
    struct http_server *s = c->server;
    poller_remove(s->poller, c->fd);
    timer_cancel(&s->timers, &c->timer);
    if (c->linger && !c->hung_up)
        delivery_linger(s->deliveries, c->fd);
    struct request *r;
    LIST_FOREACH(r, &c->settling, settling_link)
    r->held_up = NULL;
    TAILQ_REMOVE(&s->connections, c, link);
    s->connections_count--;
    free(c);
    if (!listener_look(&s->listener))
        log_error("listening_failed", LOG_STR("error", strerror(errno)));
}

void connection_notify(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *context = connection_begin(cls, mhd);
    else if (*context)
        connection_end(*context);
}

/* An event may have been about bytes of a request that was answered by the time it was looked at. A header is
 * on its way where bytes came since. */
static bool header_is_late(const struct connection *c)
{
    if (c->request || c->idle_since_ms == 0)
        return true;
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return true;
    return clock_mono_ms() - (int64_t)info.tcpi_last_data_recv > c->idle_since_ms + KERNEL_CLOCK_MS;
}

/* When the body has to be complete. */
static int64_t body_until(const struct request *r)
{
    return r->ex.began_ms + r->server->limits.body_timeout_ms +
           (int64_t)(r->received / BODY_BYTES_A_SECOND) * MS_PER_SECOND;
}

/* The time of the present phase is over. */
static void connection_timer(void *owner)
{
    struct connection *c = owner;
    struct request *r = c->request;
    if (r && r->streams && !r->stream_ended) {
        request_keepalive(r);
        return;
    }
    if (r && r->begun && r->phase == PHASE_RECEIVING && !c->hung_up) {
        int64_t until = body_until(r);
        if (clock_mono_ms() < until) {
            timer_arm(&c->server->timers, &c->timer, until);
            return;
        }
    }
    if ((!r || !r->begun) && !c->hung_up && !header_is_late(c))
        return;
    /* libmicrohttpd notices by itself and completes the request. */
    shutdown(c->fd, SHUT_RDWR);
}

/* ---- the request comes in ---- */

void *connection_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    (void)cls;
    struct connection *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    c->request = request_new(c, uri);
    return c->request;
}

struct header_sizes {
    size_t count, text;
};

static enum MHD_Result measure_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    (void)kind, (void)name, (void)value;
    struct header_sizes *sizes = cls;
    sizes->count++;
    sizes->text += name_len + value_len + 2;
    return MHD_YES;
}

struct header_copy {
    struct http_field *next;
    char *text;
};

static char *copy_text(struct header_copy *copy, const char *text, size_t len)
{
    char *place = copy->text;
    if (len > 0)
        memcpy(place, text, len);
    place[len] = '\0';
    copy->text += len + 1;
    return place;
}

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    (void)kind;
    struct header_copy *copy = cls;
    copy->next->name = copy_text(copy, name, name_len);
    copy->next->value = copy_text(copy, value, value_len);
    copy->next++;
    return MHD_YES;
}

/* All in one block. */
static void copy_headers(struct MHD_Connection *mhd, struct exchange *ex)
{
    struct header_sizes sizes = {0};
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, measure_header, &sizes);
    ex->headers = xmalloc(sizes.count * sizeof *ex->headers + sizes.text);
    ex->headers_count = sizes.count;
    struct header_copy copy = {.next = ex->headers, .text = (char *)(ex->headers + sizes.count)};
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, copy_header, &copy);
}

/* Blanks behind a value are no part of it (RFC 9110, 5.5). Only once the framing is checked: libmicrohttpd
 * does not drop them where it looks for "chunked". */
static void trim_values(struct exchange *ex)
{
    for (size_t i = 0; i < ex->headers_count; i++) {
        char *value = ex->headers[i].value;
        size_t len = strlen(value);
        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
            value[--len] = '\0';
    }
}

/* libmicrohttpd 0.9 reads the header in place with C strings: it drops what follows a zero byte in a value,
 * joins folded lines, and takes a line without a name for the end. Each leaves bytes of the block that belong
 * to no field, so fields must follow one another with nothing but a line end between. Later versions refuse
 * these themselves. */
struct header_walk {
    const char *end; /* of the field before */
    bool has_gap;
};

enum { LINE_END = 2 };

static enum MHD_Result walk_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    (void)kind, (void)name_len;
    struct header_walk *walk = cls;
    walk->has_gap = walk->has_gap || (uintptr_t)name != (uintptr_t)walk->end + LINE_END;
    walk->end = value + value_len;
    return MHD_YES;
}

static bool header_has_gap(struct MHD_Connection *mhd, const char *method, const char *version)
{
    struct header_walk walk = {.end = version + strlen(version)};
    if (strncmp(MHD_get_version(), "0.9.", 4) != 0)
        return false;
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, walk_header, &walk);
    size_t size = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    return walk.has_gap || (uintptr_t)walk.end + 2 * LINE_END != (uintptr_t)method + size;
}

static struct MHD_Response *response_new(struct request *r);

void connection_limit_sending(struct connection *c, size_t len)
{
    struct http_server *s = c->server;
    int64_t limit_ms = c->request->ex.confirm_delivery ? s->limits.drain_ms : SEND_TIMEOUT_MS;
    limit_ms += (int64_t)(len / BODY_BYTES_A_SECOND) * MS_PER_SECOND;
    timer_arm(&s->timers, &c->timer, clock_mono_ms() + limit_ms);
}

static enum MHD_Result send_answer(struct request *r)
{
    struct connection *c = r->connection;
    size_t len = r->ex.file.is_set ? (size_t)r->ex.file.len : r->ex.answer.len;
    struct MHD_Response *response = response_new(r); /* takes the answer */
    r->phase = PHASE_SENDING;
    if (!r->streams)
        connection_limit_sending(c, len);
    enum MHD_Result result = MHD_queue_response(c->mhd, (unsigned)r->ex.status, response);
    MHD_destroy_response(response);
    return result;
}

static const char *find_fault(struct request *r, const char *method, const char *version, int64_t *body_len)
{
    const char *fault = framing_check(r->ex.headers, r->ex.headers_count, body_len);
    if (!fault && header_has_gap(r->connection->mhd, method, version))
        fault = "The header is malformed.";
    /* Programs on the way may not have read it (RFC 9112, 6.1). */
    if (!fault && *body_len == FRAMING_CHUNKED && strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
        fault = "Transfer-Encoding needs HTTP/1.1.";
    if (!fault && r->is_bad)
        fault = "The request target is malformed.";
    return fault;
}

static void refuse_route(struct exchange *ex, const struct buf *allow)
{
    if (allow->len == 0) {
        exchange_error(ex, 404, "not_found", "There is nothing at this path.");
        return;
    }
    exchange_add_header(ex, "Allow", buf_text(allow));
    exchange_error(ex, 405, "method_not_allowed", "This path takes other methods, see the Allow header.");
}

static void refuse_length(struct exchange *ex)
{
    char message[96];
    snprintf(message, sizeof message, "The body is longer than the %zu bytes that this path takes.",
        ex->route->max_body);
    exchange_error(ex, 413, "payload_too_large", message);
}

static const char no_room[] = "Too many requests are being received; try again.";

/* Who called has not been settled yet while a body comes. So strangers cannot have all the room there is, and
 * no address of theirs what the others have. */
static bool has_room(const struct request *r, size_t more)
{
    const struct http_server *s = r->server;
    const size_t all = s->limits.bodies_max, share = all / HTTP_BODIES_SHARE;
    if (s->body_bytes + more <= share)
        return true;
    size_t of_strangers = more, of_peer = more;
    const struct request *other;
    TAILQ_FOREACH(other, &s->requests, link)
    {
        if (other->body_counted == 0 || other->is_known)
            continue;
        of_strangers += other->body_counted;
        if (strcmp(other->ex.peer, r->ex.peer) == 0)
            of_peer += other->body_counted;
    }
    if (!r->is_known && (of_peer > share || of_strangers > all / HTTP_BODIES_STRANGERS))
        return false;
    return s->body_bytes + more <= all;
}

/* False, and answered, for what no handler is to see. */
static bool admit(struct request *r, int64_t body_len)
{
    struct http_server *s = r->server;
    struct exchange *ex = &r->ex;
    struct buf allow = {0};
    bool wanted = true;
    ex->body_announced = body_len == FRAMING_CHUNKED ? -1 : body_len;
    r->is_known = body_len != 0 && s->options.knows && s->options.knows(s->options.app, ex);
    ex->route = route_find(s->options.routes, ex->method, ex->path, &allow);
    if (!ex->route) {
        refuse_route(ex, &allow);
    } else if (ex->route->sink) {
        wanted = ex->route->sink->admit(ex);
    } else if (body_len > 0 && (uint64_t)body_len > ex->route->max_body) {
        refuse_length(ex);
    } else if (body_len > 0 && !has_room(r, (size_t)body_len)) {
        exchange_add_header(ex, "Retry-After", "5");
        exchange_error(ex, 503, "busy", no_room);
    }
    buf_free(&allow);
    return wanted && ex->status == 0;
}

/* The header is complete: what is refused is refused before the body comes. */
static enum MHD_Result begin(struct request *r, const char *method, const char *version)
{
    struct http_server *s = r->server;
    struct connection *c = r->connection;
    struct exchange *ex = &r->ex;
    r->begun = true;
    ex->method = xstrdup(method);
    copy_headers(c->mhd, ex);

    int64_t body_len = 0;
    const char *fault = find_fault(r, method, version, &body_len);
    trim_values(ex);
    if (fault) {
        exchange_add_header(ex, "Connection", "close"); /* nobody knows where the next request would begin */
        exchange_error(ex, 400, "bad_request", fault);
    }
    r->is_refused = fault || !admit(r, body_len);
    if (r->is_refused)
        request_announce(r);
    /* Without a body the answer waits for the library's last call, so that the connection stays; else it goes
     * out at once, and the library closes. */
    if (r->is_refused && (fault || body_len != 0))
        return send_answer(r);
    if (body_len == 0)
        timer_cancel(&s->timers, &c->timer);
    else
        arm_timer(c, ex->began_ms + s->limits.body_timeout_ms);
    return MHD_YES;
}

/* libmicrohttpd takes no answer in the middle of a body, so the refusal goes straight into the socket. */
static void send_past_library(struct connection *c, const struct buf *text)
{
    const union MHD_ConnectionInfo *tls = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (tls && tls->tls_session) {
        ssize_t sent = gnutls_record_send(tls->tls_session, text->data, text->len);
        if (sent < 0)
            log_debug("refusal_not_sent", LOG_STR("error", gnutls_strerror((int)sent)));
        return;
    }
    if (send(c->fd, text->data, text->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("refusal_not_sent", LOG_STR("peer", c->peer));
}

/* Before the body is complete. The connection has to close behind it. */
static void answer_past_library(struct request *r)
{
    struct exchange *ex = &r->ex;
    request_announce(r);

    struct buf text = {0};
    buf_printf(&text,
        "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n"
        "X-Request-Id: %s\r\nServer: %s\r\nX-Patchcord-Version: %s\r\n\r\n%s",
        ex->status, MHD_get_reason_phrase_for((unsigned)ex->status), ex->answer.len, ex->id,
        r->server->server_header, r->server->version, buf_text(&ex->answer));
    send_past_library(r->connection, &text);
    buf_free(&text);
}

/* A chunked body turned out too long: answers, and has the connection closed. */
static enum MHD_Result cut_off(struct request *r, int status, const char *code, const char *message)
{
    exchange_error(&r->ex, status, code, message);
    answer_past_library(r);
    return MHD_NO;
}

/* What has come of a streamed body goes to a worker, block by block; nothing is read meanwhile. */
static enum MHD_Result receive_streamed(struct request *r, const char *upload, size_t *upload_len)
{
    struct connection *c = r->connection;
    buf_append(&r->ex.body, upload, *upload_len);
    r->received += *upload_len;
    r->body_counted += *upload_len;
    r->server->body_bytes += *upload_len;
    *upload_len = 0;
    if (r->ex.body.len < SINK_BLOCK)
        return MHD_YES;
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    timer_cancel(&r->server->timers, &c->timer);
    request_take_body(r);
    return MHD_YES;
}

static enum MHD_Result receive(struct request *r, const char *upload, size_t *upload_len)
{
    struct http_server *s = r->server;
    struct exchange *ex = &r->ex;
    if (ex->route->sink)
        return receive_streamed(r, upload, upload_len);
    if (*upload_len > ex->route->max_body - ex->body.len)
        return cut_off(r, 413, "payload_too_large", "The body is longer than this path takes.");
    if (!has_room(r, *upload_len))
        return cut_off(r, 503, "busy", no_room);
    buf_append(&ex->body, upload, *upload_len);
    r->received += *upload_len;
    r->body_counted += *upload_len;
    s->body_bytes += *upload_len;
    *upload_len = 0;
    return MHD_YES;
}

enum MHD_Result connection_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **context)
{
    (void)cls, (void)url;
    struct request *r = *context;
    if (!r || r->connection->abandoned)
        return MHD_NO;
    if (r->connection->suspended)
        return MHD_YES; /* the library goes on with what it has read; that stays with it until we resume */
    if (!r->begun)
        return begin(r, method, version);
    if (*upload_len > 0)
        return receive(r, upload, upload_len);
    if (r->is_refused)
        return send_answer(r);
    /* First suspended, then handed on: the answer may be there before this returns. */
    MHD_suspend_connection(mhd);
    r->connection->suspended = true;
    r->connection->linger = false;
    timer_cancel(&r->server->timers, &r->connection->timer);
    request_dispatch(r);
    return MHD_YES;
}

/* ---- the answer goes out ---- */

static ssize_t stream_read(void *cls, uint64_t position, char *out, size_t max)
{
    (void)position;
    struct request *r = cls;
    struct connection *c = r->connection;
    if (c->abandoned)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = r->stream.len < max ? r->stream.len : max;
    if (len > 0) {
        memcpy(out, r->stream.data, len);
        buf_consume(&r->stream, len);
        return (ssize_t)len;
    }
    if (r->stream_ended) {
        r->arrived = !r->was_left && delivery_look(c->fd) == DELIVERY_DONE;
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    MHD_suspend_connection(c->mhd);
    c->suspended = true;
    return 0;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        log_warn("answer_header_dropped", LOG_STR("name", name));
}

static struct MHD_Response *response_new(struct request *r)
{
    struct exchange *ex = &r->ex;
    struct MHD_Response *response;
    if (r->streams) {
        r->stream_started = true;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, r, NULL);
    } else if (ex->file.is_set) {
        ex->file.is_set = false; /* the library closes it */
        response = MHD_create_response_from_fd_at_offset64(
            (uint64_t)ex->file.len, ex->file.fd, (uint64_t)ex->file.at);
    } else {
        size_t len = ex->answer.len;
        response = MHD_create_response_from_buffer(len, buf_take(&ex->answer), MHD_RESPMEM_MUST_FREE);
    }
    if (!response) {
        log_error("out_of_memory_for_an_answer");
        abort();
    }
    if (ex->content_type)
        add_header(response, "Content-Type", ex->content_type);
    for (size_t i = 0; i < ex->answer_headers_count; i++)
        add_header(response, ex->answer_headers[i].name, ex->answer_headers[i].value);
    add_header(response, "X-Request-Id", ex->id);
    add_header(response, "Server", r->server->server_header);
    add_header(response, "X-Patchcord-Version", r->server->version);
    if (r->server->stopping)
        add_header(response, "Connection", "close");
    return response;
}

static void resume(struct connection *c)
{
    if (!c->suspended)
        return;
    c->suspended = false;
    MHD_resume_connection(c->mhd);
}

void connection_abandon(struct connection *c)
{
    c->abandoned = true;
    c->daemon->has_work = true;
    shutdown(c->fd, SHUT_RDWR);
    resume(c);
}

void connection_receive_on(struct connection *c)
{
    arm_timer(c, body_until(c->request));
    c->daemon->has_work = true;
    resume(c);
}

void connection_cut_off(struct connection *c)
{
    answer_past_library(c->request);
    /* The next bytes that come end it; where none come, the timer does. */
    c->abandoned = true;
    timer_arm(&c->server->timers, &c->timer, clock_mono_ms() + LINGER_MS);
    c->daemon->has_work = true;
    resume(c);
}

void connection_hand_over(struct connection *c)
{
    struct request *r = c->request;
    bool is_begin = !r->streams || !r->stream_started;
    c->daemon->has_work = true;
    bool is_end = !r->streams || r->stream_ended;
    if (is_end && r->ex.confirm_delivery && delivery_peer_gone(c->fd))
        c->hung_up = true;
    /* From here on the socket tells what arrived: whoever has read it all may close at once. */
    if (is_end)
        r->was_left = c->hung_up;
    if (is_begin && send_answer(r) != MHD_YES) {
        log_warn("answer_not_taken", LOG_STR("request", r->ex.id), LOG_INT("status", r->ex.status));
        connection_abandon(c);
        return;
    }
    resume(c);
}

void connection_completed(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
    (void)cls, (void)mhd;
    struct request *r = *context;
    *context = NULL;
    if (r)
        request_sent(r, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}
