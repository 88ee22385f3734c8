#include "harness_peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/json.h"

enum { REQUESTS_MAX = 512, PEER_PATIENCE_MS = 20 * 1000 };

struct peer {
    int listener;
    peer_script_fn *script;
    struct relay_process relay;
    pthread_mutex_t lock;
    struct peer_request requests[REQUESTS_MAX];
    int count;
    bool let_go;
};

struct peer_connection {
    struct peer *peer;
    int fd;
    struct buf in;
};

/* ---- a request ---- */

static bool read_more(struct peer_connection *c)
{
    enum { CHUNK = 65536 };
    ssize_t got = read(c->fd, buf_reserve(&c->in, CHUNK), CHUNK);
    c->in.len += got > 0 ? (size_t)got : 0;
    if (c->in.data)
        c->in.data[c->in.len] = '\0';
    return got > 0;
}

static size_t body_length(const char *headers)
{
    const char *line = strcasestr(headers, "\ncontent-length:");
    return line ? strtoul(line + strlen("\ncontent-length:"), NULL, 10) : 0;
}

/* Takes one whole request off the connection; NULL at its end. */
static struct peer_request *take_request(struct peer_connection *c)
{
    const char *end;
    while ((end = strstr(buf_text(&c->in), "\r\n\r\n")) == NULL)
        if (!read_more(c))
            return NULL;
    size_t head = (size_t)(end - c->in.data) + 4;
    size_t body = body_length(c->in.data);
    while (c->in.len < head + body)
        if (!read_more(c))
            return NULL;
    pthread_mutex_lock(&c->peer->lock);
    ck_assert_int_lt(c->peer->count, REQUESTS_MAX);
    struct peer_request *request = &c->peer->requests[c->peer->count];
    const char *path = strchr(c->in.data, ' ') + 1;
    enum json_fault fault;
    request->path = xmemdup_text(path, strcspn(path, " "));
    request->headers = xmemdup_text(c->in.data, head);
    request->body = body ? json_parse(c->in.data + head, body, &fault) : NULL;
    request->number = 1;
    for (int i = 0; i < c->peer->count; i++)
        request->number += strcmp(c->peer->requests[i].path, request->path) == 0;
    c->peer->count++;
    pthread_mutex_unlock(&c->peer->lock);
    buf_consume(&c->in, head + body);
    return request;
}

/* ---- an answer ---- */

static bool let_go(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    bool gone = peer->let_go;
    pthread_mutex_unlock(&peer->lock);
    return gone;
}

/* False where the client hung up first. */
static bool stay_silent(struct peer_connection *c, struct peer_request *request)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
    while (!let_go(c->peer)) {
        if (poll(&fd, 1, 5) <= 0)
            continue;
        pthread_mutex_lock(&c->peer->lock);
        request->broken_off = true;
        pthread_mutex_unlock(&c->peer->lock);
        return false;
    }
    return true;
}

/* True where the connection goes on. */
static bool send_answer(struct peer_connection *c, const struct peer_answer *answer)
{
    static const char greeting[] = "220 mail.example is ready\r\n";
    struct buf out = {0};
    if (answer->no_http) {
        (void)!send(c->fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL);
        return false;
    }
    size_t len = answer->body ? strlen(answer->body) : 0;
    buf_printf(&out,
        "HTTP/1.1 %d Scripted\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n",
        answer->status, len, answer->headers ? answer->headers : "");
    buf_append(&out, answer->body ? answer->body : "", len);
    size_t put = 0;
    while (put < out.len) {
        ssize_t n = send(c->fd, out.data + put, out.len - put, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        put += (size_t)n;
    }
    bool whole = put == out.len;
    buf_free(&out);
    return whole;
}

static bool answer_request(struct peer_connection *c, struct peer_request *request)
{
    struct peer_answer answer = {.status = 200};
    pthread_mutex_lock(&c->peer->lock);
    c->peer->script(request, &answer);
    pthread_mutex_unlock(&c->peer->lock);
    bool goes_on =
        (!answer.silent || stay_silent(c, request)) && answer.status != 0 && send_answer(c, &answer);
    free(answer.body);
    return goes_on;
}

static void *serve_connection(void *arg)
{
    struct peer_connection *c = arg;
    struct peer_request *request;
    while ((request = take_request(c)) != NULL && answer_request(c, request))
        continue;
    close(c->fd);
    buf_free(&c->in);
    free(c);
    return NULL;
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    int fd;
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        struct peer_connection *c = xcalloc(1, sizeof *c);
        *c = (struct peer_connection){.peer = peer, .fd = fd};
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, serve_connection, c), 0);
        pthread_detach(thread);
    }
    return NULL;
}

/* ---- what tests see ---- */

struct peer *peer_start(peer_script_fn *script)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct peer *peer = xcalloc(1, sizeof *peer);
    peer->script = script;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&at, size), 0);
    ck_assert_int_eq(listen(peer->listener, 128), 0);
    ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&at, &size), 0);
    peer->relay.port = ntohs(at.sin_port);
    peer->relay.url = xasprintf("http://127.0.0.1:%d", peer->relay.port);
    ck_assert_int_eq(pthread_mutex_init(&peer->lock, NULL), 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, peer), 0);
    pthread_detach(thread);
    return peer;
}

const struct relay_process *peer_relay(const struct peer *peer)
{
    return &peer->relay;
}

static struct peer_request *find(struct peer *peer, const char *path, int number)
{
    for (int i = 0; i < peer->count; i++) {
        struct peer_request *request = &peer->requests[i];
        if (request->number == number && strcmp(request->path, path) == 0)
            return request;
    }
    return NULL;
}

int peer_count(struct peer *peer, const char *path)
{
    int count = 0;
    pthread_mutex_lock(&peer->lock);
    for (int i = 0; i < peer->count; i++)
        count += strcmp(peer->requests[i].path, path) == 0;
    pthread_mutex_unlock(&peer->lock);
    return count;
}

struct awaited {
    struct peer *peer;
    const char *path;
    int number;
};

static bool has_come(void *arg)
{
    const struct awaited *awaited = arg;
    return peer_count(awaited->peer, awaited->path) >= awaited->number;
}

void peer_await(struct peer *peer, const char *path, int count)
{
    struct awaited awaited = {peer, path, count};
    if (!poll_until(has_come, &awaited, PEER_PATIENCE_MS))
        ck_abort_msg("%d of %d requests for %s came", peer_count(peer, path), count, path);
}

const struct peer_request *peer_request(struct peer *peer, const char *path, int number)
{
    pthread_mutex_lock(&peer->lock);
    const struct peer_request *request = find(peer, path, number);
    pthread_mutex_unlock(&peer->lock);
    if (!request)
        ck_abort_msg("there was no request %d for %s", number, path);
    return request;
}

static bool has_broken_off(void *arg)
{
    const struct awaited *awaited = arg;
    pthread_mutex_lock(&awaited->peer->lock);
    const struct peer_request *request = find(awaited->peer, awaited->path, awaited->number);
    bool broken_off = request && request->broken_off;
    pthread_mutex_unlock(&awaited->peer->lock);
    return broken_off;
}

void peer_await_broken_off(struct peer *peer, const char *path, int number)
{
    struct awaited awaited = {peer, path, number};
    if (!poll_until(has_broken_off, &awaited, PEER_PATIENCE_MS))
        ck_abort_msg("request %d for %s was not broken off", number, path);
}

void peer_script_hold(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
}

void peer_script_resume(struct peer *peer)
{
    pthread_mutex_unlock(&peer->lock);
}

void peer_let_go(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->let_go = true;
    pthread_mutex_unlock(&peer->lock);
}

/* ---- bodies ---- */

static char *result(const char *text, const char *offer)
{
    return xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],"
        "\"isError\":false,\"resultType\":\"complete\"%s}}",
        text, offer);
}

char *peer_result(const char *text)
{
    return result(text, "");
}

char *peer_offer(const char *text, const char *lease, const char *message_id)
{
    char *offer =
        xasprintf(",\"_meta\":{\"patchcord/offer\":{\"lease\":\"%s\",\"ids\":[\"%s\"],\"timed_out\":false}}",
            lease, message_id);
    char *body = result(text, offer);
    free(offer);
    return body;
}

char *peer_timed_out(const char *text)
{
    return result(text, ",\"_meta\":{\"patchcord/offer\":{\"lease\":null,\"ids\":[],\"timed_out\":true}}");
}
