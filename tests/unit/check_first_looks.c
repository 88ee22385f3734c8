/* What was uploaded past the relay is looked into when it is first asked for, at a server that takes its time:
 * each path for itself, and few at once. */
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/blob/blob_s3.h"
#include "../../relay/blob/blob_supabase.h"
#include "../../relay/blob/claims.h"
#include "../rigs/server_rig.h"
#include "unit.h"
#include "url_visit.h"

enum { MAX_BYTES = 10000, QUOTA = 1000 * 1000, CONNECTIONS = 16, OK = 200 };

/* ---- a gate before the server ---- */

/* Passes on everything, but holds reads of what is called slow until it opens. */
static struct {
    int server; /* its port */
    char url[64];
    int listener;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_open;
    int held; /* reads that came */
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};

static bool is_slow(const char *bytes, size_t len)
{
    const char *line_end = memchr(bytes, '\n', len);
    return len > 4 && memcmp(bytes, "GET ", 4) == 0 && line_end &&
           memmem(bytes, (size_t)(line_end - bytes), "slow", 4);
}

static void hold(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.held++;
    while (!gate.is_open)
        pthread_cond_wait(&gate.opened, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static bool pass(int from, int to, bool may_hold)
{
    char bytes[16 * 1024];
    const ssize_t len = recv(from, bytes, sizeof bytes, 0);
    if (len > 0 && may_hold && is_slow(bytes, (size_t)len))
        hold();
    return len > 0 && send(to, bytes, (size_t)len, MSG_NOSIGNAL) == len;
}

static int dial(int port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        abort();
    return fd;
}

static void *carry(void *arg)
{
    const int client = (int)(intptr_t)arg, server = dial(gate.server);
    struct pollfd both[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    for (bool goes_on = true; goes_on && poll(both, 2, -1) > 0;)
        goes_on = (!both[0].revents || pass(client, server, true)) &&
                  (!both[1].revents || pass(server, client, false));
    close(client);
    close(server);
    return NULL;
}

static void *accept_all(void *arg)
{
    (void)arg;
    for (int client; (client = accept4(gate.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, carry, (void *)(intptr_t)client) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

static void gate_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    gate.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(gate.listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(gate.listener, CONNECTIONS), 0);
    ck_assert_int_eq(getsockname(gate.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(gate.url, sizeof gate.url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&thread, NULL, accept_all, NULL), 0);
    pthread_detach(thread);
}

static int gate_held(void)
{
    pthread_mutex_lock(&gate.lock);
    const int held = gate.held;
    pthread_mutex_unlock(&gate.lock);
    return held;
}

static void gate_open(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.is_open = true;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

/* ---- the kinds of stores ---- */

static struct blob_store *open_s3(const struct blob_options *options, const char *bucket, struct buf *why)
{
    const struct s3_options s3 = {.endpoint = gate.url,
        .region = "us-east-1",
        .bucket = bucket,
        .access_key = S3_RIG_ACCESS_KEY,
        .secret_key = S3_RIG_SECRET_KEY,
        .path_style = true,
        .connections = CONNECTIONS};
    return blob_open_s3(options, &s3, why);
}

static struct blob_store *open_supabase(
    const struct blob_options *options, const char *bucket, struct buf *why)
{
    const struct storage_options storage = {.url = gate.url,
        .key = STORAGE_RIG_KEY,
        .bucket = bucket,
        .max_bytes = MAX_BYTES,
        .connections = CONNECTIONS};
    return blob_open_supabase(options, &storage, why);
}

static struct server_rig s3, storage;
static char folder[PATH_MAX];
static struct blob_store *store;

static void setup(const struct server_rig *rig,
    struct blob_store *(*open)(const struct blob_options *options, const char *bucket, struct buf *why))
{
    struct buf why = {0};
    char *bucket = xasprintf("bucket-%d", getpid());
    secret_init();
    unit_folder(folder);
    gate.server = rig->port;
    gate_start();
    const struct blob_options options = {.data_dir = folder,
        .max_bytes = MAX_BYTES,
        .quota_bytes = QUOTA,
        .download_url_ms = MS_PER_DAY,
        .is_serving = true};
    store = open(&options, bucket, &why);
    ck_assert_msg(store != NULL, "%s", buf_text(&why));
    buf_free(&why);
    free(bucket);
}

static void setup_s3(void)
{
    setup(&s3, open_s3);
}

static void setup_supabase(void)
{
    setup(&storage, open_supabase);
}

static void teardown(void)
{
    blob_close(store);
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct blob_path uploaded(const char *namespace_id, const char *name)
{
    struct buf url = {0};
    struct blob_grant grant = {.is_upload = true, .type = "text/plain"};
    blob_path_make(namespace_id, "frontend", name, &grant.path);
    ck_assert_int_eq(blob_sign(store, &grant, &url), BLOB_DONE);
    ck_assert_int_eq(url_visit(buf_text(&url), "text/plain", "hello", 5, NULL, NULL), OK);
    buf_free(&url);
    return grant.path;
}

/* ---- tests ---- */

struct look {
    pthread_t thread;
    struct blob_path path;
    enum blob_status status;
};

static void *look(void *arg)
{
    struct look *l = arg;
    struct blob_info info;
    l->status = blob_stat(store, &l->path, &info);
    return NULL;
}

static void look_begin(struct look *l, const struct blob_path *path)
{
    l->path = *path;
    ck_assert_int_eq(pthread_create(&l->thread, NULL, look, l), 0);
}

static enum blob_status look_end(struct look *l)
{
    ck_assert_int_eq(pthread_join(l->thread, NULL), 0);
    return l->status;
}

static void until_held(int count)
{
    while (gate_held() < count)
        sched_yield();
}

START_TEST(a_first_look_holds_up_no_other_path)
{
    const struct blob_path slow = uploaded("ns", "slow.txt"), beside = uploaded("ns", "fast.txt"),
                           elsewhere = uploaded("other", "fast.txt");
    struct look first;
    struct blob_info info;
    look_begin(&first, &slow);
    until_held(1);
    ck_assert_int_eq(blob_stat(store, &beside, &info), BLOB_DONE);
    ck_assert_int_eq(blob_stat(store, &elsewhere, &info), BLOB_DONE);
    gate_open();
    ck_assert_int_eq(look_end(&first), BLOB_DONE);
}
END_TEST

START_TEST(few_are_looked_into_at_once_and_each_once)
{
    struct blob_path paths[FIRST_LOOKS_MAX];
    struct look looks[FIRST_LOOKS_MAX], again;
    const struct blob_path one_more = uploaded("ns", "fast.txt");
    struct blob_info info;
    for (int i = 0; i < FIRST_LOOKS_MAX; i++) {
        const char namespace_id[] = {'n', (char)('a' + i), '\0'};
        paths[i] = uploaded(namespace_id, "slow.txt");
    }
    for (int i = 0; i < FIRST_LOOKS_MAX; i++)
        look_begin(&looks[i], &paths[i]);
    until_held(FIRST_LOOKS_MAX);
    const int64_t began_ms = clock_mono_ms();
    look_begin(&again, &paths[0]);
    ck_assert_int_eq(blob_stat(store, &one_more, &info), BLOB_BUSY);
    ck_assert_int_eq(look_end(&again), BLOB_BUSY);
    ck_assert_int_lt(clock_mono_ms() - began_ms, 2 * FIRST_LOOK_WAIT_MS);

    look_begin(&again, &paths[0]); /* it waits for what is under way */
    gate_open();
    for (int i = 0; i < FIRST_LOOKS_MAX; i++)
        ck_assert_int_eq(look_end(&looks[i]), BLOB_DONE);
    ck_assert_int_eq(look_end(&again), BLOB_DONE);
    ck_assert_int_eq(blob_stat(store, &one_more, &info), BLOB_DONE);
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*set_up)(void))
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, teardown);
    tcase_add_test(tests, a_first_look_holds_up_no_other_path);
    tcase_add_test(tests, few_are_looked_into_at_once_and_each_once);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("first_looks");
    add_case(suite, "s3", setup_s3);
    add_case(suite, "supabase", setup_supabase);
    const bool up = server_rig_start(&s3, S3_RIG) && server_rig_start(&storage, STORAGE_RIG);
    const int code = up ? run_unit(suite) : EXIT_FAILURE;
    server_rig_stop(&s3);
    server_rig_stop(&storage);
    return code;
}
