/* request.c: dispatching, parking, waking, answering and settling. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/secret.h"
#include "loop.h"

static void request_deadline(void *owner);
static void request_settle(struct request *r, enum settlement how);

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* On a worker. */
static void request_work(void *owner)
{
    struct request *r = owner;
    if (r->phase == PHASE_SETTLING)
        r->ex.settle(&r->ex, r->how);
    else if (r->phase == PHASE_TAKING)
        r->is_wanted = r->ex.route->sink->receive(&r->ex);
    else
        r->verdict = r->ex.route->handle(&r->ex);

    struct http_server *s = r->server;
    pthread_mutex_lock(&s->done_lock);
    bool was_empty = STAILQ_EMPTY(&s->done);
    STAILQ_INSERT_TAIL(&s->done, r, done_link);
    pthread_mutex_unlock(&s->done_lock);
    if (was_empty)
        server_kick(s);
}

struct request *request_new(struct connection *c, const char *target)
{
    struct http_server *s = c->server;
    struct request *r = xcalloc(1, sizeof *r);
    r->server = s;
    r->connection = c;
    r->began_us = clock_us();
    r->job = (struct job){.run = request_work, .owner = r};
    r->parked.owner = r;
    timer_init(&r->deadline, request_deadline, r);

    struct exchange *ex = &r->ex;
    ex->app = s->options.app;
    ex->began_ms = clock_mono_ms();
    ex->peer_is_loopback = c->peer_is_loopback;
    memcpy(ex->peer, c->peer, sizeof ex->peer);
    snprintf(ex->id, sizeof ex->id, "%016" PRIx64, s->id_base + s->id_count++);

    struct target parts;
    r->is_bad = !target_parse(target, &parts);
    ex->path = parts.path ? parts.path : xstrdup("");
    ex->query = parts.query;
    ex->query_count = parts.query_count;
    TAILQ_INSERT_TAIL(&s->requests, r, link);
    return r;
}

static void fields_free(struct http_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(fields[i].name);
        free(fields[i].value);
    }
    free(fields);
}

/* One block with its texts, a credential among them. */
static void forget_headers(struct exchange *ex)
{
    for (size_t i = 0; i < ex->headers_count; i++)
        secret_wipe(ex->headers[i].value, strlen(ex->headers[i].value));
    free(ex->headers);
    ex->headers = NULL;
    ex->headers_count = 0;
}

void request_release(struct request *r)
{
    struct exchange *ex = &r->ex;
    struct http_server *s = r->server;
    timer_cancel(&s->timers, &r->deadline);
    s->body_bytes -= r->body_counted;
    TAILQ_REMOVE(&s->requests, r, link);
    free(ex->method);
    free(ex->path);
    forget_headers(ex);
    fields_free(ex->query, ex->query_count);
    fields_free(ex->answer_headers, ex->answer_headers_count);
    buf_wipe(&ex->body);
    buf_free(&ex->answer);
    if (ex->file.is_set)
        (void)close(ex->file.fd);
    buf_free(&r->stream);
    free(ex->wait.keys);
    free(r);
}

/* ---- to a worker ---- */

static void work_on(struct request *r, enum wake wake)
{
    r->ex.wake = wake;
    r->phase = PHASE_WORKING;
    workers_push(r->server->workers, &r->job);
}

void request_dispatch(struct request *r)
{
    struct connection *c = r->connection;
    struct request *before, *next;
    r->phase = PHASE_HELD;
    /* The next request proves that the client has the answer: what that answer settles is to be done when the
     * next one looks. */
    LIST_FOREACH_SAFE(before, &c->settling, settling_link, next)
    {
        if (before->delivery)
            delivery_hurry(before->delivery);
    }
    if (LIST_EMPTY(&c->settling))
        work_on(r, WAKE_START);
}

void request_take_body(struct request *r)
{
    r->phase = PHASE_TAKING;
    workers_push(r->server->workers, &r->job);
}

/* ---- parking ---- */

static void unpark(struct request *r)
{
    parking_leave(r->server->parking, &r->parked);
    timer_cancel(&r->server->timers, &r->deadline);
    if (r->streams && r->connection)
        timer_cancel(&r->server->timers, &r->connection->timer);
}

void request_wake(void *owner)
{
    struct request *r = owner;
    unpark(r);
    work_on(r, WAKE_NOTIFIED);
}

static void request_deadline(void *owner)
{
    struct request *r = owner;
    unpark(r);
    work_on(r, WAKE_DEADLINE);
}

void request_shutdown(struct request *r)
{
    if (r->phase != PHASE_PARKED)
        return;
    unpark(r);
    work_on(r, WAKE_SHUTDOWN);
}

static void park(struct request *r)
{
    struct http_server *s = r->server;
    const struct wait *wait = &r->ex.wait;
    assert(wait->keys);
    r->parked.exclusive = wait->exclusive;
    if (s->stopping) {
        work_on(r, WAKE_SHUTDOWN);
        return;
    }
    if (!parking_enter(s->parking, &r->parked, wait->keys, wait->ticket)) {
        work_on(r, WAKE_NOTIFIED);
        return;
    }
    r->phase = PHASE_PARKED;
    forget_headers(&r->ex); /* what is parked for long is small, and has no credential in it */
    timer_arm(&s->timers, &r->deadline, wait->until_ms);
    if (r->streams)
        timer_arm(&s->timers, &r->connection->timer, clock_mono_ms() + s->limits.stream_keepalive_ms);
}

void request_client_gone(struct request *r)
{
    if (r->phase != PHASE_PARKED)
        return; /* a worker's result is waited for; a transfer ends by itself */
    unpark(r);
    r->phase = PHASE_ANSWERED;
    connection_abandon(r->connection);
}

/* ---- back from a worker ---- */

void request_announce(struct request *r)
{
    struct http_server *s = r->server;
    if (s->options.answered)
        s->options.answered(s->options.app, &r->ex, clock_us() - r->began_us);
}

void request_keepalive(struct request *r)
{
    static const char comment[] = ": keep-alive\n\n";
    if (r->stream.len == 0)
        buf_append(&r->stream, comment, sizeof comment - 1);
    timer_arm(
        &r->server->timers, &r->connection->timer, clock_mono_ms() + r->server->limits.stream_keepalive_ms);
    connection_hand_over(r->connection);
}

static void stream_step(struct request *r)
{
    struct exchange *ex = &r->ex;
    bool is_first = !r->stream_started;
    buf_append(&r->stream, ex->answer.data ? ex->answer.data : "", ex->answer.len);
    buf_reset(&ex->answer);
    r->stream_ended = r->verdict == VERDICT_DONE;
    if (is_first)
        request_announce(r);
    r->phase = PHASE_SENDING;
    if (r->connection->hung_up || r->stream.len > STREAM_QUEUE_MAX) {
        connection_abandon(r->connection);
        return;
    }
    connection_hand_over(r->connection);
    if (r->stream_ended)
        connection_limit_sending(r->connection, r->stream.len);
    else
        park(r);
}

static void answer_step(struct request *r)
{
    if (r->ex.status == 0)
        exchange_error(&r->ex, 500, "internal_error", "The handler gave no answer.");
    request_announce(r);
    r->phase = PHASE_ANSWERED;
    connection_hand_over(r->connection);
}

/* What waits for long does not keep room that its handler gave back. */
static void uncount_body(struct request *r)
{
    if (r->ex.body.len > 0)
        return;
    r->server->body_bytes -= r->body_counted;
    r->body_counted = 0;
}

static void handler_returned(struct request *r)
{
    struct exchange *ex = &r->ex;
    uncount_body(r);
    if (!r->connection) {
        request_settle(r, SETTLED_LOST);
        return;
    }
    if (r->verdict == VERDICT_WAIT && ex->wake == WAKE_SHUTDOWN) {
        r->verdict = VERDICT_DONE;
        if (!ex->is_stream) {
            exchange_add_header(ex, "Retry-After", "1");
            exchange_error(ex, 503, "shutting_down", "The relay is restarting; call again.");
        }
    }
    bool head_of_stream = ex->is_stream && strcmp(ex->method, "HEAD") == 0;
    r->streams = ex->is_stream && !head_of_stream;
    if (head_of_stream)
        buf_reset(&ex->answer);
    if (r->streams) {
        stream_step(r);
    } else if (r->verdict == VERDICT_DONE || head_of_stream) {
        answer_step(r);
    } else if (r->connection->hung_up) {
        r->phase = PHASE_ANSWERED;
        connection_abandon(r->connection);
    } else {
        park(r);
    }
}

static void body_taken(struct request *r)
{
    buf_reset(&r->ex.body);
    uncount_body(r);
    r->phase = PHASE_RECEIVING;
    if (!r->connection)
        request_settle(r, SETTLED_LOST);
    else if (r->is_wanted)
        connection_receive_on(r->connection);
    else
        connection_cut_off(r->connection);
}

static void settled(struct request *r)
{
    struct connection *c = r->held_up;
    if (c)
        LIST_REMOVE(r, settling_link);
    request_release(r);
    if (!c)
        return;
    if (LIST_EMPTY(&c->settling) && c->request && c->request->phase == PHASE_HELD)
        work_on(c->request, WAKE_START);
}

void request_returned(struct request *r)
{
    if (r->phase == PHASE_SETTLING)
        settled(r);
    else if (r->phase == PHASE_TAKING)
        body_taken(r);
    else
        handler_returned(r);
}

/* ---- the end ---- */

static void request_settle(struct request *r, enum settlement how)
{
    r->phase = PHASE_SETTLING;
    r->how = how;
    r->delivery = NULL;
    if (r->ex.settle)
        workers_push(r->server->workers, &r->job);
    else
        settled(r);
}

static void delivery_known(void *owner, bool delivered)
{
    request_settle(owner, delivered ? SETTLED_DELIVERED : SETTLED_LOST);
}

void request_sent(struct request *r, bool complete)
{
    struct connection *c = r->connection;
    c->request = NULL;
    r->connection = NULL;
    c->linger = true;
    c->idle_since_ms = clock_mono_ms();
    timer_cancel(&r->server->timers, &c->timer);
    if (c->hung_up)
        timer_arm(&r->server->timers, &c->timer, c->idle_since_ms + HANG_UP_MS);
    if (r->phase == PHASE_WORKING || r->phase == PHASE_TAKING)
        return; /* settles when the worker is done */
    unpark(r);
    if (!r->ex.settle) {
        request_release(r);
        return;
    }
    LIST_INSERT_HEAD(&c->settling, r, settling_link);
    r->held_up = c;
    enum delivery_state state = (complete && !r->was_left) || r->arrived ? DELIVERY_DONE : DELIVERY_LOST;
    if (state == DELIVERY_DONE && r->ex.confirm_delivery && !r->arrived)
        state = delivery_look(c->fd);
    if (state != DELIVERY_PENDING) {
        request_settle(r, state == DELIVERY_DONE ? SETTLED_DELIVERED : SETTLED_LOST);
        return;
    }
    r->phase = PHASE_SETTLING;
    r->delivery = delivery_watch(r->server->deliveries, c->fd, r->server->limits.drain_ms, delivery_known, r);
}
