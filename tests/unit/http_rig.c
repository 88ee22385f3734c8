/* http_rig.c: the test routes and their client. */
#include "http_rig.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/clock.h"

enum { READ_TIMEOUT_S = 10, WORKERS = 8, GRACE_MS = 4000 };

struct rig rig;

static void count_settled(struct exchange *ex, enum settlement how)
{
    (void)ex;
    atomic_fetch_add(how == SETTLED_DELIVERED ? &rig.delivered : &rig.lost, 1);
}

static int64_t query_number(const struct exchange *ex, const char *name, int64_t fallback)
{
    const char *text = exchange_query(ex, name);
    return text ? strtoll(text, NULL, 10) : fallback;
}

static enum verdict handle_hello(struct exchange *ex)
{
    exchange_answer(ex, 200, "text/plain", "hello", 5);
    return VERDICT_DONE;
}

static enum verdict handle_echo(struct exchange *ex)
{
    const char *name = exchange_query(ex, "name");
    if (name)
        exchange_add_header(ex, "X-Name", name);
    exchange_answer(ex, 200, "application/octet-stream", ex->body.data, ex->body.len);
    return VERDICT_DONE;
}

static enum verdict handle_nothing(struct exchange *ex)
{
    (void)ex;
    return VERDICT_DONE;
}

/* An answer of as many bytes as asked for, delivery confirmed. */
static enum verdict handle_big(struct exchange *ex)
{
    size_t len = (size_t)query_number(ex, "bytes", 0);
    char *bytes = calloc(1, len + 1);
    memset(bytes, 'b', len);
    exchange_answer(ex, 200, "text/plain", bytes, len);
    free(bytes);
    ex->settle = count_settled;
    ex->confirm_delivery = true;
    return VERDICT_DONE;
}

/* Takes a while, delivery confirmed. */
static enum verdict handle_slow(struct exchange *ex)
{
    struct pollfd none = {.fd = -1};
    poll(&none, 1, (int)query_number(ex, "ms", 100));
    exchange_answer(ex, 200, "text/plain", "slow", 4);
    ex->settle = count_settled;
    ex->confirm_delivery = true;
    return VERDICT_DONE;
}

static enum verdict wake_text(struct exchange *ex)
{
    static const char *const texts[] = {"start", "news", "deadline", "shutdown"};
    exchange_answer(ex, 200, "text/plain", texts[ex->wake], strlen(texts[ex->wake]));
    return VERDICT_DONE;
}

static enum verdict handle_wait(struct exchange *ex)
{
    atomic_fetch_add(&rig.runs, 1);
    buf_free(&ex->body);
    ex->settle = count_settled;
    ex->confirm_delivery = true;
    if (ex->wake != WAKE_START)
        return wake_text(ex);
    const char *key = exchange_query(ex, "key");
    uint64_t ticket = parking_ticket(http_server_parking(rig.server), key);
    return exchange_wait(
        ex, key, ticket, clock_mono_ms() + query_number(ex, "ms", 60000), !exchange_query(ex, "shared"));
}

/* Settles slowly. */
static void settle_slowly(struct exchange *ex, enum settlement how)
{
    struct pollfd none = {.fd = -1};
    poll(&none, 1, (int)query_number(ex, "ms", 100));
    count_settled(ex, how);
}

static enum verdict handle_settle(struct exchange *ex)
{
    exchange_answer(ex, 200, "text/plain", "ok", 2);
    ex->settle = settle_slowly;
    return VERDICT_DONE;
}

/* How many were delivered until now. */
static enum verdict handle_count(struct exchange *ex)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%d", atomic_load(&rig.delivered));
    exchange_answer(ex, 200, "text/plain", text, (size_t)len);
    return VERDICT_DONE;
}

/* Keeps waiting, shutdown or not. */
static enum verdict handle_stubborn(struct exchange *ex)
{
    ex->settle = count_settled;
    uint64_t ticket = parking_ticket(http_server_parking(rig.server), "stubborn");
    return exchange_wait(ex, "stubborn", ticket, clock_mono_ms() + 60000, true);
}

/* An event at its start and at each notification, as many as asked for. */
static enum verdict handle_stream(struct exchange *ex)
{
    ex->settle = count_settled;
    ex->confirm_delivery = exchange_query(ex, "confirm") != NULL;
    exchange_stream(ex);
    intptr_t sent = (intptr_t)ex->state;
    int64_t bytes = query_number(ex, "bytes", 1);
    if (ex->wake == WAKE_SHUTDOWN)
        return VERDICT_DONE;
    uint64_t ticket = parking_ticket(http_server_parking(rig.server), "stream");
    buf_printf(&ex->answer, "data: event %d\n\n", (int)sent);
    for (int64_t i = 1; i < bytes; i++)
        buf_putc(&ex->answer, 's');
    ex->state = (void *)(sent + 1);
    if (sent + 1 >= query_number(ex, "events", 1000))
        return VERDICT_DONE;
    return exchange_wait(ex, "stream", ticket, clock_mono_ms() + 60000, false);
}

/* ---- a body that is not gathered, and a file as the answer ---- */

struct taken {
    uint64_t bytes, fingerprint;
};

static void count_taken(struct exchange *ex, enum settlement how)
{
    count_settled(ex, how);
    free(ex->state);
}

static bool admit_sink(struct exchange *ex)
{
    if (exchange_query(ex, "refused")) {
        exchange_error(ex, 403, "refused", "Not wanted.");
        return false;
    }
    ex->state = calloc(1, sizeof(struct taken));
    ex->settle = count_taken;
    return true;
}

static bool receive_sink(struct exchange *ex)
{
    struct taken *taken = ex->state;
    struct pollfd none = {.fd = -1};
    poll(&none, 1, (int)query_number(ex, "ms", 0));
    taken->bytes += ex->body.len;
    taken->fingerprint = rig_fingerprint(taken->fingerprint, ex->body.data, ex->body.len);
    atomic_fetch_add(&rig.runs, 1);
    if (taken->bytes < (uint64_t)query_number(ex, "enough", INT64_MAX))
        return true;
    exchange_error(ex, 507, "full", "That is enough.");
    return false;
}

static enum verdict handle_sink(struct exchange *ex)
{
    const struct taken *taken = ex->state;
    receive_sink(ex);
    ex->status = 0;
    buf_reset(&ex->answer);
    buf_printf(
        &ex->answer, "%llu %llu", (unsigned long long)taken->bytes, (unsigned long long)taken->fingerprint);
    ex->status = 200;
    ex->content_type = "text/plain";
    return VERDICT_DONE;
}

static const struct body_sink sink = {.admit = admit_sink, .receive = receive_sink};

/* So many bytes of this very program, from an offset on. */
static enum verdict handle_file(struct exchange *ex)
{
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    exchange_answer_file(ex, 200, fd, query_number(ex, "at", 0), query_number(ex, "len", 0));
    ex->settle = count_settled;
    return VERDICT_DONE;
}

uint64_t rig_fingerprint(uint64_t before, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        before = (before ^ (unsigned char)bytes[i]) * 1099511628211U;
    return before;
}

static const struct route routes[] = {
    {"PUT", "/sink", "sink", 0, handle_sink, &sink},
    {"GET", "/file", "file", 0, handle_file, NULL},
    {"GET", "/hello", "hello", 0, handle_hello, NULL},
    {"POST", "/echo", "echo", 1000, handle_echo, NULL},
    {"PUT", "/echo", "echo", 4 * 1024 * 1024, handle_echo, NULL},
    {"GET", "/nothing", "nothing", 0, handle_nothing, NULL},
    {"GET", "/big", "big", 0, handle_big, NULL},
    {"GET", "/slow", "slow", 0, handle_slow, NULL},
    {"GET", "/settle", "settle", 0, handle_settle, NULL},
    {"GET", "/count", "count", 0, handle_count, NULL},
    {"GET", "/wait", "wait", 0, handle_wait, NULL},
    {"POST", "/wait", "wait", RIG_BODIES_BYTES, handle_wait, NULL},
    {"GET", "/stubborn", "stubborn", 0, handle_stubborn, NULL},
    {"GET", "/stream", "stream", 0, handle_stream, NULL},
    {"GET", "/files/*", "files", 0, handle_hello, NULL},
    {0},
};

static void count_answered(void *app, const struct exchange *ex, int64_t micros)
{
    ck_assert_ptr_eq(app, &rig);
    ck_assert_int_ge(micros, 0);
    atomic_store(&rig.last_status, ex->status);
    atomic_fetch_add(&rig.answered, 1);
}

static void count_reload(void *app)
{
    (void)app;
    atomic_fetch_add(&rig.reloaded, 1);
}

static void *run(void *arg)
{
    (void)arg;
    http_server_run(rig.server, rig.grace_ms);
    return NULL;
}

static const struct http_limits limits = {
    .header_timeout_ms = RIG_HEADER_MS,
    .body_timeout_ms = RIG_BODY_MS,
    .drain_ms = RIG_DRAIN_MS,
    .stream_keepalive_ms = RIG_KEEPALIVE_MS,
    .idle_timeout_s = RIG_IDLE_S,
    .connections_max = RIG_CONNECTIONS,
    .bodies_max = RIG_BODIES_BYTES,
};

static bool knows(void *app, const struct exchange *ex)
{
    (void)app;
    return exchange_header(ex, "X-Known") != NULL;
}

void rig_start(const char *cert_file, const char *key_file)
{
    struct buf why = {0};
    struct http_server_options options = {
        .host = "127.0.0.1",
        .tls_cert_file = cert_file,
        .tls_key_file = key_file,
        .workers = WORKERS,
        .routes = routes,
        .app = &rig,
        .limits = &limits,
        .version = "test",
        .answered = count_answered,
        .knows = knows,
        .reload = count_reload,
    };
    if (rig.grace_ms == 0)
        rig.grace_ms = GRACE_MS;
    rig.server = http_server_new(&options, &why);
    ck_assert_msg(rig.server != NULL, "%s", buf_text(&why));
    ck_assert_int_eq(pthread_create(&rig.thread, NULL, run, NULL), 0);
}

int64_t rig_stop(void)
{
    int64_t began = clock_mono_ms();
    http_server_stop(rig.server);
    pthread_join(rig.thread, NULL);
    int64_t took = clock_mono_ms() - began;
    http_server_free(rig.server);
    return took;
}

int rig_connect(void)
{
    return rig_connect_from(1);
}

int rig_connect_from(unsigned host)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffU) + host);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(rig.server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    struct timeval limit = {.tv_sec = READ_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void rig_send(int fd, const char *text)
{
    size_t len = strlen(text);
    ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

bool rig_read_until(int fd, const char *text, struct buf *got)
{
    while (!text || !strstr(buf_text(got), text)) {
        char bytes[4096];
        ssize_t len = recv(fd, bytes, sizeof bytes, 0);
        if (len <= 0)
            return false;
        buf_append(got, bytes, (size_t)len);
    }
    return true;
}

static int status_of(const struct buf *answer)
{
    int status = 0;
    if (sscanf(buf_text(answer), "HTTP/1.%*d %d", &status) != 1)
        return 0;
    return status;
}

int rig_answer(int fd, struct buf *head, struct buf *body)
{
    struct buf got = {0};
    int status = 0;
    char byte;
    while (!strstr(buf_text(&got), "\r\n\r\n") && recv(fd, &byte, 1, 0) == 1)
        buf_putc(&got, byte);
    const char *length = strcasestr(buf_text(&got), "\r\nContent-Length: ");
    size_t left = length ? strtoul(length + 18, NULL, 10) : 0;
    status = strstr(buf_text(&got), "\r\n\r\n") ? status_of(&got) : 0;
    char bytes[16 * 1024];
    ssize_t len = 1;
    while (left > 0 && len > 0) {
        len = recv(fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        if (len > 0 && body)
            buf_append(body, bytes, (size_t)len);
        left -= len > 0 ? (size_t)len : 0;
    }
    if (head)
        buf_append(head, got.data, got.len);
    buf_free(&got);
    return left == 0 ? status : 0;
}

int rig_once(const char *bytes, size_t len, struct buf *answer)
{
    struct buf own = {0};
    struct buf *got = answer ? answer : &own;
    int fd = rig_connect();
    size_t sent = 0;
    while (sent < len) {
        ssize_t now = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (now <= 0)
            break;
        sent += (size_t)now;
    }
    rig_read_until(fd, NULL, got);
    close(fd);
    int status = status_of(got);
    buf_free(&own);
    return status;
}

bool rig_reaches(atomic_int *counter, int wanted, int timeout_ms)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    while (atomic_load(counter) < wanted) {
        if (clock_mono_ms() > until)
            return false;
        poll(NULL, 0, 1);
    }
    return true;
}

bool rig_parked(size_t wanted, int timeout_ms)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    while (parking_count(http_server_parking(rig.server)) != wanted) {
        if (clock_mono_ms() > until)
            return false;
        poll(NULL, 0, 1);
    }
    return true;
}
