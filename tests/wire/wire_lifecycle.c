/* A relay's life: starts that fail with one line, one relay a folder, shutdown with work in flight, restarts.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { COMMAND_MS = 20 * 1000, SOON_MS = 10 * 1000, STOP_MS = 10 * 1000 };

static struct program_result result;
static struct http_reply reply;

static void teardown(void)
{
    program_result_free(&result);
    http_reply_free(&reply);
}

static void serve(const char *const env[])
{
    program_result_free(&result);
    run_program((const char *const[]){"patchcord-relay", "serve", NULL}, env, NULL, COMMAND_MS, &result);
}

/* It did not start, and says why in one line. */
static void assert_start_failed(const char *text)
{
    const char *err = buf_text(&result.err), *end = strchr(err, '\n');
    ck_assert_msg(result.exit_code == 1, "exit code %d: %s", result.exit_code, err);
    ck_assert_msg(strstr(err, text) != NULL, "no '%s' in: %s", text, err);
    ck_assert_msg(end && end[1] == '\0', "not one line: %s", err);
}

/* ---- starts ---- */

START_TEST(bad_settings)
{
    static const struct {
        const char *setting, *said;
    } cases[] = {
        {"PATCHCORD_PORT=eighty", "PATCHCORD_PORT"},
        {"PATCHCORD_HOST=somewhere", "PATCHCORD_HOST"},
        {"PATCHCORD_TLS_CERT=/x", "PATCHCORD_TLS_KEY"},
        {"PATCHCORD_TRUSTED_PROXIES=10.0.0.0/99", "10.0.0.0/99"},
        {"PATCHCORD_LOG=xml", "PATCHCORD_LOG"},
        {"PATCHCORD_PUBLIC_URL=ftp://x", "PATCHCORD_PUBLIC_URL"},
        {"SUPABASE_URL=https://x.supabase.co", "SUPABASE_URL"},
        {"PATCHCORD_DATABASE_URL=mysql://db/x", "PATCHCORD_DATABASE_URL"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
        serve((const char *const[]){data, "PATCHCORD_PORT=0", cases[i].setting, NULL});
        ck_assert_msg(result.exit_code == 1, "%s: %d", cases[i].setting, result.exit_code);
        ck_assert_msg(strstr(buf_text(&result.err), cases[i].said) != NULL, "%s: %s", cases[i].setting,
            buf_text(&result.err));
        ck_assert_ptr_null(strstr(buf_text(&result.err), "listening"));
        free(data);
    }
}
END_TEST

START_TEST(second_relay_on_a_folder)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir), *pid = xasprintf("%d", (int)relay->pid);
    serve((const char *const[]){data, "PATCHCORD_PORT=0", NULL});
    assert_start_failed(relay->data_dir);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), pid));
    http_reply_free(&reply);
    relay_call(relay, "GET", "/ready", NULL, NULL, NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    relay_kill(relay); /* the lock dies with its owner */
    relay_restart(relay, NULL);
    free(data);
    free(pid);
}
END_TEST

START_TEST(port_in_use)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder()),
         *port = xasprintf("PATCHCORD_PORT=%d", relay->port), *number = xasprintf("%d", relay->port);
    serve((const char *const[]){data, port, "PATCHCORD_LOG_LEVEL=error", NULL});
    assert_start_failed(number);
    free(data);
    free(port);
    free(number);
}
END_TEST

START_TEST(folder_that_cannot_be)
{
    char *file = xasprintf("%s/a-file", temp_folder()),
         *data = xasprintf("PATCHCORD_DATA_DIR=%s/below", file);
    FILE *f = fopen(file, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    serve((const char *const[]){data, "PATCHCORD_PORT=0", NULL});
    assert_start_failed(file);
    free(file);
    free(data);
}
END_TEST

START_TEST(log_formats)
{
    struct relay_process *relay =
        relay_start(NULL, (const char *const[]){"PATCHCORD_LOG=json", "PATCHCORD_LOG_LEVEL=debug", NULL});
    ck_assert(relay_log_has(relay, "\"event\":\"listening\""));
    ck_assert(relay_log_has(relay, "\"event\":\"request\""));
    relay = relay_start(NULL,
        (const char *const[]){"PATCHCORD_NONSENSE=1", "PATCHCORD_KNOWN_OAUTH_CLIENTS=mine:client.example",
            "PATCHCORD_TOKEN=t", NULL});
    char *url = xasprintf("event=listening url=%s ", relay->url);
    ck_assert(relay_log_has(relay, url));
    ck_assert(relay_log_has(relay, "event=unknown_setting name=PATCHCORD_NONSENSE"));
    ck_assert(relay_log_has(relay, "event=unused_setting name=PATCHCORD_KNOWN_OAUTH_CLIENTS"));
    ck_assert(!relay_log_has(relay, "name=PATCHCORD_TOKEN"));
    ck_assert(!relay_log_has(relay, "event=request"));
    free(url);
}
END_TEST

START_TEST(name_of_the_relay)
{
    struct relay_process *relay = relay_start(NULL, (const char *const[]){"PATCHCORD_NAME=Our relay", NULL});
    char *alice = relay_token(relay, "alice@team");
    struct json_object *answer = mcp_request(relay, alice, "server/discover", NULL, NULL);
    ck_assert_ptr_nonnull(
        strstr(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN), "\"title\":\"Our relay\""));
    json_object_put(answer);
    free(alice);
}
END_TEST

START_TEST(secrets_stay_out_of_the_log)
{
    struct relay_process *relay = relay_start(NULL, (const char *const[]){"PATCHCORD_LOG_LEVEL=debug", NULL});
    char *alice = relay_token(relay, "alice@team"), *path = xasprintf("/api/inbox?token=query-secret");
    free(relay_token(relay, "bob@team"));
    http_reply_free(&reply);
    relay_call(relay, "GET", path, alice, NULL, NULL, &reply);
    http_reply_free(&reply);
    relay_call(relay, "POST", "/api/channel/send", alice, NULL,
        "{\"to_agent\":\"bob\",\"content\":\"body-secret\"}", &reply);
    ck_assert_int_eq(reply.status, 200);
    http_reply_free(&reply);
    relay_call(relay, "GET", "/api/inbox", "wrong-secret", NULL, NULL, &reply);
    ck_assert(relay_log_has(relay, "route=channel_send status=200"));
    ck_assert(!relay_log_has(relay, alice));
    ck_assert(!relay_log_has(relay, "query-secret"));
    ck_assert(!relay_log_has(relay, "body-secret"));
    ck_assert(!relay_log_has(relay, "wrong-secret"));
    free(alice);
    free(path);
}
END_TEST

/* ---- ends ---- */

START_TEST(stops_at_once_when_idle)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    const int64_t began = now_us();
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_lt((now_us() - began) / 1000, STOP_MS);
}
END_TEST

START_TEST(stops_with_waits_and_streams)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *alice = relay_token(relay, "alice@team"), *bob = relay_token(relay, "bob@team");
    static const char wait[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":300}}";
    struct open_call *plain = call_begin(relay, alice, "tools/call", wait, NULL);
    struct open_call *bridge =
        call_begin(relay, bob, "tools/call", wait, (const char *const[]){"X-Patchcord-Ack: 1", NULL});
    struct open_call *events = call_get(relay, bob, "/api/events", NULL);
    ck_assert(relay_await_parked(relay, 3));
    const int64_t began = now_us();
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_lt((now_us() - began) / 1000, STOP_MS);
    ck_assert(call_hears(plain, "restarting", SOON_MS));
    ck_assert(call_hears(bridge, "HTTP/1.1 503", SOON_MS));
    ck_assert(call_hears(bridge, "Retry-After:", SOON_MS));
    ck_assert(call_hears(events, "text/event-stream", SOON_MS));
    call_end(plain);
    call_end(bridge);
    call_end(events);
    free(alice);
    free(bob);
}
END_TEST

static bool is_listening(void *arg)
{
    const struct program *relay = arg;
    char log[4096] = "";
    FILE *file = fopen(relay->log_path, "re");
    ck_assert_ptr_nonnull(file);
    const size_t len = fread(log, 1, sizeof log - 1, file);
    ck_assert_int_eq(fclose(file), 0);
    return len > 0 && strstr(log, "event=listening") != NULL;
}

START_TEST(interrupted_from_the_terminal)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
    struct program *relay = program_start((const char *const[]){"patchcord-relay", "serve", NULL},
        (const char *const[]){data, "PATCHCORD_PORT=0", NULL});
    ck_assert(poll_until(is_listening, relay, SOON_MS));
    ck_assert_int_eq(program_end(relay, SIGINT), 0);
    free(data);
}
END_TEST

/* What was acknowledged is there after a kill, and tokens are too. */
START_TEST(killed_and_back)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *alice = relay_token(relay, "alice@team"), *bob = relay_token(relay, "bob@team");
    for (int i = 0; i < 20; i++) {
        http_reply_free(&reply);
        relay_call(relay, "POST", "/api/channel/send", alice, NULL,
            "{\"to_agent\":\"bob\",\"content\":\"x\"}", &reply);
        ck_assert_int_eq(reply.status, 200);
    }
    relay_kill(relay);
    relay_restart(relay, NULL);
    http_reply_free(&reply);
    relay_call(relay, "GET", "/api/inbox?limit=100", bob, NULL, NULL, &reply);
    int64_t pending = 0;
    ck_assert_int_eq(json_get_int(reply.json, "pending_count", &pending), JSON_FIELD_FOUND);
    ck_assert_int_eq(pending, 20);
    free(alice);
    free(bob);
}
END_TEST

static struct relay_process *tls_relay;
static char *old_pin, *new_pin;

static bool serves_pin(const char *pin)
{
    struct program_result curl;
    char *url = xasprintf("%s/health", tls_relay->url);
    run_program((const char *const[]){"curl", "-sS", "-k", "--pinnedpubkey", pin, url, NULL}, NULL, NULL,
        COMMAND_MS, &curl);
    const bool fine = curl.exit_code == 0;
    program_result_free(&curl);
    free(url);
    return fine;
}

static bool serves_new_pin(void *arg)
{
    (void)arg;
    return serves_pin(new_pin);
}

/* The pin. The caller frees. */
static char *make_certificate(const char *folder)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", folder);
    program_result_free(&result);
    run_program((const char *const[]){"patchcord-relay", "tls-init", NULL}, (const char *const[]){data, NULL},
        NULL, COMMAND_MS, &result);
    ck_assert_int_eq(result.exit_code, 0);
    const char *pin = strstr(buf_text(&result.out), "sha256//");
    ck_assert_ptr_nonnull(pin);
    free(data);
    return xmemdup_text(pin, strcspn(pin, "\n"));
}

static void move_file(const char *from, const char *to, const char *name)
{
    char *source = xasprintf("%s/%s", from, name), *target = xasprintf("%s/%s", to, name);
    ck_assert_int_eq(rename(source, target), 0);
    free(source);
    free(target);
}

START_TEST(reload_of_the_certificate)
{
    const char *folder = temp_folder(), *other = temp_folder();
    old_pin = make_certificate(folder);
    new_pin = make_certificate(other);
    char *cert = xasprintf("PATCHCORD_TLS_CERT=%s/tls-cert.pem", folder),
         *key = xasprintf("PATCHCORD_TLS_KEY=%s/tls-key.pem", folder);
    tls_relay = relay_start(folder, (const char *const[]){cert, key, NULL});
    ck_assert(serves_pin(old_pin));
    move_file(other, folder, "tls-cert.pem");
    move_file(other, folder, "tls-key.pem");
    ck_assert(!serves_pin(new_pin));
    ck_assert_int_eq(kill(tls_relay->pid, SIGHUP), 0);
    ck_assert(poll_until(serves_new_pin, NULL, SOON_MS));
    ck_assert(relay_log_has(tls_relay, "event=reloaded"));
    free(cert);
    free(key);
    free(old_pin);
    free(new_pin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *tests = harness_case(suite, "lifecycle");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, bad_settings);
    tcase_add_test(tests, second_relay_on_a_folder);
    tcase_add_test(tests, port_in_use);
    tcase_add_test(tests, folder_that_cannot_be);
    tcase_add_test(tests, log_formats);
    tcase_add_test(tests, name_of_the_relay);
    tcase_add_test(tests, secrets_stay_out_of_the_log);
    tcase_add_test(tests, stops_at_once_when_idle);
    tcase_add_test(tests, stops_with_waits_and_streams);
    tcase_add_test(tests, interrupted_from_the_terminal);
    tcase_add_test(tests, killed_and_back);
    tcase_add_test(tests, reload_of_the_certificate);
    return run_suite(suite);
}
