/* The status line, as Claude Code draws it: from what is known, while the relay is asked behind its back. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../harness.h"
#include "../harness_peer.h"

enum { SOON_MS = 20 * 1000 };

#define INBOX "/api/inbox?status=pending&limit=100"

static struct relay_process *relay;
static char *frontend, *backend; /* tokens */
static const char *state;        /* XDG_STATE_HOME */
static struct program_result result;

static void setup_without_relay(void)
{
    state = temp_folder();
}

static void setup(void)
{
    setup_without_relay();
    relay = relay_start(NULL, NULL);
    frontend = relay_token(relay, "frontend@demo");
    backend = relay_token(relay, "backend@demo");
}

static void teardown(void)
{
    program_result_free(&result);
    free(frontend);
    free(backend);
    frontend = backend = NULL;
}

static const char *draw_at(const char *url, const char *token, const char *more, const char *host)
{
    const char *const argv[] = {"patchcord", "statusline", more, NULL};
    char *env_url = xasprintf(url ? "PATCHCORD_URL=%s" : "PATCHCORD_URL", url ? url : "");
    char *env_token = xasprintf(token ? "PATCHCORD_TOKEN=%s" : "PATCHCORD_TOKEN", token ? token : "");
    char *env_state = xasprintf("XDG_STATE_HOME=%s", state);
    program_result_free(&result);
    run_program(argv, (const char *const[]){env_url, env_token, env_state, NULL}, host, SOON_MS, &result);
    ck_assert_msg(result.exit_code == 0, "exit code %d: %s", result.exit_code, buf_text(&result.err));
    free(env_url);
    free(env_token);
    free(env_state);
    return buf_text(&result.out);
}

static const char *draw(void)
{
    return draw_at(relay->url, backend, NULL, "{}");
}

static void expect_has(const char *line, const char *wanted)
{
    ck_assert_msg(strstr(line, wanted), "\"%s\" is not in: %s", wanted, line);
}

/* Makes the answer that is kept so old, in place of waiting. */
static void grow_old(const char *field)
{
    const char *const argv[] = {"/bin/sh", "-c",
        "for f in \"$1\"/patchcord/status/*; do sed 's/\"'\"$2\"'\":[0-9]*/\"'\"$2\"'\":1/' \"$f\" "
        ">\"$f.new\" && mv \"$f.new\" "
        "\"$f\"; done",
        "sh", state, field, NULL};
    struct program_result done;
    run_program(argv, NULL, NULL, SOON_MS, &done);
    ck_assert_msg(done.exit_code == 0, "%s", buf_text(&done.err));
    program_result_free(&done);
}

static bool shows_two(void *arg)
{
    (void)arg;
    return strstr(draw(), " 2 msg") != NULL;
}

START_TEST(it_tells_who_and_how_many_and_asks_again_in_the_background)
{
    free(tool_send(relay, frontend, "backend", "one"));
    expect_has(draw(), "backend@demo (");
    expect_has(draw(), ") 1 msg\n");
    free(tool_send(relay, frontend, "backend", "two"));
    expect_has(draw(), ") 1 msg\n");
    grow_old("asked");
    ck_assert(poll_until(shows_two, NULL, SOON_MS));
    tool_says(relay, backend, "inbox", "{}", "2 pending");
}
END_TEST

START_TEST(it_goes_on_without_the_relay_and_forgets_the_number)
{
    free(tool_send(relay, frontend, "backend", "one"));
    expect_has(draw(), ") 1 msg\n");
    relay_kill(relay);
    grow_old("asked");
    expect_has(draw(), ") 1 msg\n");
    grow_old("answered");
    expect_has(draw(), "backend@demo (");
    ck_assert_ptr_null(strstr(draw(), "msg"));
}
END_TEST

START_TEST(a_hook_tells_it_the_news)
{
    const char *const argv[] = {"patchcord", "hook", "user-prompt", NULL};
    char *env_url = xasprintf("PATCHCORD_URL=%s", relay->url),
         *env_token = xasprintf("PATCHCORD_TOKEN=%s", backend);
    char *env_state = xasprintf("XDG_STATE_HOME=%s", state);
    struct program_result hook;
    ck_assert_ptr_null(strstr(draw(), "msg"));
    free(tool_send(relay, frontend, "backend", "one"));
    run_program(argv, (const char *const[]){env_url, env_token, env_state, NULL}, "{}", SOON_MS, &hook);
    expect_has(draw(), ") 1 msg\n");
    program_result_free(&hook);
    free(env_url);
    free(env_token);
    free(env_state);
}
END_TEST

START_TEST(a_bad_token_is_shown)
{
    ck_assert_str_eq(draw_at(relay->url, "pc_wrong", NULL, "{}"), "patchcord BAD TOKEN\n");
    ck_assert_str_eq(draw_at(relay->url, "pc_wrong", NULL, "{}"), "patchcord BAD TOKEN\n");
}
END_TEST

static bool shows_listener(void *arg)
{
    (void)arg;
    return strstr(draw(), ") \xe2\x97\x89\n") != NULL;
}

START_TEST(a_listener_is_shown_while_it_runs)
{
    const char *const argv[] = {"patchcord", "subscribe", NULL};
    char *env_url = xasprintf("PATCHCORD_URL=%s", relay->url),
         *env_token = xasprintf("PATCHCORD_TOKEN=%s", backend);
    char *env_state = xasprintf("XDG_STATE_HOME=%s", state);
    ck_assert(!shows_listener(NULL));
    struct program *listener =
        program_start(argv, (const char *const[]){env_url, env_token, env_state, NULL});
    ck_assert(poll_until(shows_listener, NULL, SOON_MS));
    ck_assert_int_eq(program_end(listener, SIGKILL), -1);
    ck_assert(!shows_listener(NULL));
    free(env_url);
    free(env_token);
    free(env_state);
}
END_TEST

/* ---- without a relay ---- */

static void stay_silent(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    answer->silent = true;
}

START_TEST(a_relay_that_hangs_is_waited_for_once)
{
    struct peer *peer = peer_start(stay_silent);
    const char *url = peer_relay(peer)->url;
    expect_has(draw_at(url, "pc_any", NULL, "{}"), "patchcord (");
    peer_await(peer, INBOX, 1);
    grow_old("asked");
    /* The host reads to the end of what we write: nobody behind us keeps it open. */
    expect_has(draw_at(url, "pc_any", NULL, "{}"), "patchcord (");
    peer_await(peer, INBOX, 2);
    ck_assert(!peer_request(peer, INBOX, 2)->broken_off);
}
END_TEST

START_TEST(without_an_agent_there_is_nothing)
{
    ck_assert_str_eq(draw_at(NULL, NULL, NULL, "{}"), "");
    ck_assert_str_eq(draw_at(NULL, NULL, NULL, "no JSON"), "");
    ck_assert_str_eq(draw_at(NULL, NULL, "--full", "{\"model\": {\"display_name\": \"Opus\"}}"), "Opus\n");
}
END_TEST

START_TEST(full_has_the_session_first)
{
    const char *line = draw_at("http://127.0.0.1:1", "pc_any", "--full",
        "{\"model\": {\"display_name\": \"Opus\"}, \"context_window\": {\"used_percentage\": 8}}");
    ck_assert_msg(
        strncmp(line, "Opus | 8% | patchcord (", strlen("Opus | 8% | patchcord (")) == 0, "%s", line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statusline");
    TCase *tcase = harness_case(suite, "statusline");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_tells_who_and_how_many_and_asks_again_in_the_background);
    tcase_add_test(tcase, it_goes_on_without_the_relay_and_forgets_the_number);
    tcase_add_test(tcase, a_hook_tells_it_the_news);
    tcase_add_test(tcase, a_bad_token_is_shown);
    tcase_add_test(tcase, a_listener_is_shown_while_it_runs);
    TCase *without = harness_case(suite, "without a relay");
    tcase_add_checked_fixture(without, setup_without_relay, teardown);
    tcase_add_test(without, a_relay_that_hangs_is_waited_for_once);
    tcase_add_test(without, without_an_agent_there_is_nothing);
    tcase_add_test(without, full_has_the_session_first);
    return run_suite(suite);
}
