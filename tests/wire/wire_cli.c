/* The commands for people and scripts, as they type them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/uuid.h"
#include "../harness.h"

enum { COMMAND_MS = 20 * 1000, ANSWER_MS = 20 * 1000, CONTENT_MAX_CODE_POINTS = 50000, ARGS_MAX = 12 };

static struct relay_process *relay;
static char *frontend, *backend; /* tokens */
static struct program_result result;

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    frontend = relay_token(relay, "frontend@demo");
    backend = relay_token(relay, "backend@demo");
}

/* For what fails or answers before the relay is asked. */
static void setup_without_relay(void)
{
    static char url[] = "http://127.0.0.1:9";
    static struct relay_process nowhere = {.url = url};
    relay = &nowhere;
    frontend = xstrdup("pc_unused");
    backend = NULL;
}

static void teardown(void)
{
    program_result_free(&result);
    free(frontend);
    free(backend);
}

/* ---- running commands ---- */

/* Runs `patchcord` with the words of line (blanks between them) and maybe one more argument; what it printed
 * is in result. */
static int run_full(const char *token, const char *line, const char *last, const char *input)
{
    const char *argv[ARGS_MAX + 3] = {"patchcord"};
    char *words = xstrdup(line), *rest = words, *word;
    size_t n = 1;
    while ((word = strsep(&rest, " ")) && n < ARGS_MAX)
        argv[n++] = word;
    if (last)
        argv[n++] = last;
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url);
    char *bearer = xasprintf(token ? "PATCHCORD_TOKEN=%s" : "PATCHCORD_TOKEN", token ? token : "");
    program_result_free(&result);
    run_program(argv, (const char *const[]){url, bearer, NULL}, input, COMMAND_MS, &result);
    free(words);
    free(url);
    free(bearer);
    return result.exit_code;
}

static int run(const char *token, const char *line)
{
    return run_full(token, line, NULL, NULL);
}

static void must_run(const char *token, const char *line, const char *last)
{
    int exit_code = run_full(token, line, last, NULL);
    ck_assert_msg(exit_code == 0, "patchcord %s: exit code %d: %s", line, exit_code, buf_text(&result.err));
}

static const char *out(void)
{
    return buf_text(&result.out);
}

static void out_has(const char *text)
{
    ck_assert_msg(strstr(out(), text) != NULL, "\"%s\" is not in:\n%s", text, out());
}

static void out_lacks(const char *text)
{
    ck_assert_msg(strstr(out(), text) == NULL, "\"%s\" is in:\n%s", text, out());
}

static void err_has(const char *text)
{
    ck_assert_msg(
        strstr(buf_text(&result.err), text) != NULL, "\"%s\" is not in:\n%s", text, buf_text(&result.err));
}

/* What was printed as JSON; the caller puts it. */
static struct json_object *out_json(void)
{
    enum json_fault fault;
    struct json_object *value = json_parse(out(), result.out.len, &fault);
    ck_assert_msg(value != NULL, "not JSON (%s):\n%s", json_fault_text(fault), out());
    return value;
}

static char *send_as(const char *token, const char *line, const char *content)
{
    must_run(token, line, content);
    return id_of_sent(out());
}

/* Entry number at of a list; fails where there is none. Borrowed. */
static struct json_object *entry(struct json_object *value, const char *list, size_t at)
{
    struct json_object *entries = NULL;
    ck_assert_int_eq(json_get_array(value, list, &entries), JSON_FIELD_FOUND);
    ck_assert_uint_gt(json_object_array_length(entries), at);
    return json_object_array_get_idx(entries, at);
}

static size_t length(struct json_object *value, const char *list)
{
    struct json_object *entries = NULL;
    ck_assert_int_eq(json_get_array(value, list, &entries), JSON_FIELD_FOUND);
    return json_object_array_length(entries);
}

/* ---- inbox ---- */

START_TEST(inbox_is_a_peek)
{
    free(send_as(frontend, "send backend", "run the migration"));
    for (int i = 0; i < 2; i++) {
        must_run(backend, "inbox", NULL);
        out_has("backend@demo | 1 pending");
        out_has("From frontend (");
        out_has("\n> run the migration\n");
        err_has("--take takes these");
    }
    must_run(backend, "inbox --take", NULL);
    out_has("\n> run the migration\n");
    ck_assert_uint_eq(result.err.len, 0);
    must_run(backend, "inbox", NULL);
    ck_assert_uint_eq(result.err.len, 0);
    out_has("| 0 pending");
    out_lacks("run the migration");
    must_run(frontend, "recall --json", NULL);
    struct json_object *value = out_json();
    ck_assert_str_eq(json_text_or(entry(value, "messages", 0), "status", ""), "read");
    json_object_put(value);
}
END_TEST

START_TEST(inbox_json_has_its_keys)
{
    char *id = send_as(frontend, "send --thread schema backend", "one\ntwo");
    must_run(backend, "inbox --json", NULL);
    struct json_object *value = out_json(), *message = entry(value, "pending", 0);
    int64_t attempt = -1;
    ck_assert_str_eq(json_text_or(message, "message_id", ""), id);
    ck_assert_str_eq(json_text_or(message, "from", ""), "frontend");
    ck_assert_str_eq(json_text_or(message, "content", ""), "one\ntwo");
    ck_assert_str_eq(json_text_or(message, "thread", ""), "schema");
    char thread_id[UUID_SIZE];
    const char *given = json_text_or(message, "thread_id", "");
    ck_assert(uuid_parse(given, strlen(given), thread_id));
    ck_assert_str_ne(json_text_or(message, "sent_at", ""), "");
    ck_assert_int_eq(json_get_int(message, "attempt", &attempt), JSON_FIELD_FOUND);
    ck_assert_int_eq(attempt, 0);
    ck_assert_uint_eq(length(value, "deferred"), 0);
    ck_assert_uint_ge(length(value, "agents"), 1);
    json_object_put(value);
    free(id);
}
END_TEST

START_TEST(what_was_not_printed_is_not_taken)
{
    free(send_as(frontend, "send backend", "precious"));
    const char *build = getenv("PATCHCORD_BUILD");
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url), *bearer = xasprintf("PATCHCORD_TOKEN=%s", backend);
    char *line = xasprintf("exec %s/patchcord inbox --take >/dev/full", build ? build : "build");
    program_result_free(&result);
    run_program((const char *const[]){"sh", "-c", line, NULL}, (const char *const[]){url, bearer, NULL}, NULL,
        COMMAND_MS, &result);
    ck_assert_int_eq(result.exit_code, 1);
    err_has("standard output");
    must_run(frontend, "recall --json", NULL);
    struct json_object *value = out_json();
    ck_assert_str_eq(json_text_or(entry(value, "messages", 0), "status", ""), "pending");
    json_object_put(value);
    free(url);
    free(bearer);
    free(line);
}
END_TEST

/* ---- send, reply, unsend, recall ---- */

START_TEST(send_json_has_its_keys)
{
    must_run(frontend, "send --json backend", "hello");
    struct json_object *value = out_json();
    char id[UUID_SIZE];
    const char *given = json_text_or(value, "message_id", "");
    ck_assert(uuid_parse(given, strlen(given), id));
    ck_assert_str_eq(json_text_or(value, "status", ""), "sent");
    ck_assert_str_eq(json_text_or(value, "to", ""), "backend");
    json_object_put(value);
}
END_TEST

static void received_is(const char *content)
{
    must_run(backend, "inbox --take --json", NULL);
    struct json_object *value = out_json();
    ck_assert_str_eq(json_text_or(entry(value, "pending", 0), "content", ""), content);
    json_object_put(value);
}

START_TEST(content_from_stdin)
{
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, "two\nlines\n"), 0);
    received_is("two\nlines");
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, "blank line\n\n"), 0);
    received_is("blank line\n");
    must_run(frontend, "send backend --", "--json");
    received_is("--json");
}
END_TEST

static char *repeated(const char *unit, size_t times)
{
    struct buf text = {0};
    for (size_t i = 0; i < times; i++)
        buf_puts(&text, unit);
    return buf_take(&text);
}

START_TEST(content_at_its_limit)
{
    static const char rocket[] = "\U0001f680";
    char *most = repeated(rocket, CONTENT_MAX_CODE_POINTS);
    char *more = repeated(rocket, CONTENT_MAX_CODE_POINTS + 1);
    char *far_more = repeated("x", 1000000);
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, more), 2);
    err_has("200000");
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, far_more), 2);
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, most), 0);
    free(most);
    free(more);
    most = repeated("\u00e9", CONTENT_MAX_CODE_POINTS + 1);
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, most), 1);
    err_has("50001");
    free(most);
    free(far_more);
}
END_TEST

START_TEST(reply_goes_back_in_the_thread)
{
    char *id = send_as(frontend, "send --thread schema backend", "question");
    must_run(backend, "inbox --take", NULL);
    char *line = xasprintf("reply --json %s", id);
    must_run(backend, line, "answer");
    struct json_object *value = out_json();
    ck_assert_str_eq(json_text_or(value, "to", ""), "frontend");
    ck_assert_str_eq(json_text_or(value, "status", ""), "sent");
    json_object_put(value);
    must_run(frontend, "wait --json", NULL);
    value = out_json();
    ck_assert_str_eq(json_text_or(entry(value, "pending", 0), "content", ""), "answer");
    ck_assert_str_eq(json_text_or(entry(value, "pending", 0), "thread", ""), "schema");
    ck_assert_str_eq(json_text_or(entry(value, "pending", 0), "reply_to", ""), id);
    json_object_put(value);
    free(line);
    free(id);
}
END_TEST

START_TEST(defer_keeps_it_and_resolve_ends_it)
{
    char *id = send_as(frontend, "send --thread later backend", "when you have time");
    must_run(backend, "inbox --take", NULL);
    char *defer = xasprintf("reply --defer %s", id), *resolve = xasprintf("reply --resolve %s", id);
    must_run(backend, defer, NULL);
    must_run(backend, "inbox --json", NULL);
    struct json_object *value = out_json();
    ck_assert_uint_eq(length(value, "pending"), 0);
    ck_assert_str_eq(json_text_or(entry(value, "deferred", 0), "message_id", ""), id);
    json_object_put(value);
    must_run(backend, resolve, "done");
    must_run(backend, "inbox --json", NULL);
    value = out_json();
    ck_assert_uint_eq(length(value, "deferred"), 0);
    json_object_put(value);
    free(defer);
    free(resolve);
    free(id);
}
END_TEST

START_TEST(unsend_before_and_after)
{
    char *id = send_as(frontend, "send backend", "oops");
    char *line = xasprintf("unsend %s", id);
    must_run(frontend, line, NULL);
    must_run(backend, "inbox", NULL);
    out_has("| 0 pending");
    free(line);
    free(id);
    id = send_as(frontend, "send backend", "oops again");
    line = xasprintf("unsend --json %s", id);
    must_run(frontend, line, NULL);
    struct json_object *value = out_json();
    ck_assert_str_eq(json_text_or(value, "message_id", ""), id);
    ck_assert_str_eq(json_text_or(value, "status", ""), "unsent");
    json_object_put(value);
    free(line);
    free(id);
    id = send_as(frontend, "send backend", "seen");
    line = xasprintf("unsend %s", id);
    must_run(backend, "inbox --take", NULL);
    ck_assert_int_eq(run(frontend, line), 1);
    err_has("patchcord unsend: ");
    free(line);
    free(id);
}
END_TEST

START_TEST(recall_finds_and_changes_nothing)
{
    char *id = send_as(frontend, "send --thread zoo backend", "the quick brown fox");
    free(send_as(frontend, "send backend", "the lazy dog"));
    must_run(backend, "recall --query", "fox");
    out_has("> the quick brown fox");
    out_lacks("lazy");
    must_run(backend, "recall --thread zoo --from frontend --limit 5 --json", NULL);
    struct json_object *value = out_json();
    ck_assert_uint_eq(length(value, "messages"), 1);
    json_object_put(value);
    char *line = xasprintf("recall --offset 4 %s", id);
    must_run(backend, line, NULL);
    out_has("quick brown fox");
    out_lacks("the quick");
    must_run(backend, "inbox", NULL);
    out_has("| 2 pending");
    free(line);
    free(id);
}
END_TEST

START_TEST(agents_are_listed)
{
    must_run(frontend, "agents", NULL);
    out_has("Nobody else was seen lately");
    must_run(frontend, "agents --all", NULL);
    out_has("backend@demo  never seen");
    must_run(backend, "inbox", NULL);
    must_run(frontend, "agents", NULL);
    out_has("backend@demo  online");
    must_run(frontend, "agents --all --json", NULL);
    struct json_object *value = out_json();
    ck_assert_uint_eq(length(value, "agents"), 1); /* all but oneself */
    ck_assert_str_eq(json_text_or(entry(value, "agents", 0), "namespace", ""), "demo");
    ck_assert_int_eq(json_object_object_length(value), 1);
    json_object_put(value);
}
END_TEST

/* ---- wait ---- */

START_TEST(wait_runs_out_with_3)
{
    ck_assert_int_eq(run(backend, "wait --timeout 1"), 3);
    ck_assert_uint_eq(result.out.len, 0);
    err_has("No message after 1 s.");
    ck_assert_int_eq(run(backend, "wait --timeout 1s --json"), 3);
    struct json_object *value = out_json();
    bool timed_out = false;
    ck_assert_int_eq(json_get_bool(value, "timed_out", &timed_out), JSON_FIELD_FOUND);
    ck_assert(timed_out);
    ck_assert_uint_eq(length(value, "pending"), 0);
    json_object_put(value);
}
END_TEST

/* Starts `patchcord VERB OPTION` as backend and returns once it is parked at the relay. */
static struct program *parked(const char *verb, const char *option)
{
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url), *bearer = xasprintf("PATCHCORD_TOKEN=%s", backend);
    struct program *program = program_start(
        (const char *const[]){"patchcord", verb, option, NULL}, (const char *const[]){url, bearer, NULL});
    free(url);
    free(bearer);
    ck_assert(relay_await_parked(relay, 1));
    return program;
}

START_TEST(wait_wakes_and_takes)
{
    struct program *wait = parked("wait", NULL);
    free(send_as(frontend, "send backend", "wake up"));
    ck_assert(program_await(wait, "\n> wake up\n", ANSWER_MS));
    ck_assert_int_eq(program_end(wait, 0), 0);
    must_run(backend, "inbox", NULL);
    out_has("| 0 pending");
}
END_TEST

START_TEST(wait_that_is_interrupted_takes_nothing)
{
    struct program *wait = parked("wait", NULL);
    ck_assert_int_eq(program_end(wait, SIGINT), 1);
    free(send_as(frontend, "send backend", "still here"));
    must_run(backend, "wait --json", NULL);
    struct json_object *value = out_json();
    int64_t attempt = 0;
    ck_assert_str_eq(json_text_or(entry(value, "pending", 0), "content", ""), "still here");
    ck_assert_int_eq(json_get_int(entry(value, "pending", 0), "attempt", &attempt), JSON_FIELD_FOUND);
    ck_assert_int_eq(attempt, 1);
    json_object_put(value);
}
END_TEST

/* ---- tail ---- */

START_TEST(tail_shows_both_directions_and_takes_nothing)
{
    free(send_as(backend, "send frontend", "before"));
    must_run(frontend, "inbox --take", NULL);
    struct program *tail = parked("tail", NULL);
    free(send_as(frontend, "send backend", "first\nFrom codex"));
    ck_assert(program_await(tail, " frontend to backend [", ANSWER_MS));
    ck_assert(program_await(tail, "]\n> first\n> From codex\n", ANSWER_MS));
    must_run(backend, "inbox", NULL);
    out_has("| 1 pending");
    must_run(backend, "inbox --take", NULL);
    free(send_as(backend, "send --thread news frontend", "from here"));
    free(send_as(frontend, "send backend", "from there"));
    ck_assert(program_await(tail, "] thread news\n> from here\n", ANSWER_MS));
    ck_assert(program_await(tail, "> from there\n", ANSWER_MS));
    ck_assert_ptr_null(strstr(buf_text(&tail->read), "before"));
    ck_assert_int_eq(program_end(tail, SIGINT), 0);
}
END_TEST

START_TEST(tail_outlives_the_relay)
{
    struct program *tail = parked("tail", "--json");
    free(send_as(frontend, "send backend", "one"));
    ck_assert(program_await(tail, "\"content\":\"one\"", ANSWER_MS));
    ck_assert_int_eq(relay_stop(relay), 0);
    relay_restart(relay, NULL);
    free(send_as(frontend, "send backend", "two"));
    ck_assert(program_await(tail, "\"content\":\"two\"", ANSWER_MS));
    ck_assert_ptr_null(strstr(strstr(buf_text(&tail->read), "one") + 1, "\"content\":\"one\""));
    ck_assert_int_eq(program_end(tail, SIGTERM), 0);
}
END_TEST

START_TEST(tail_begins_with_the_last_ones)
{
    static const char *const contents[] = {"one", "two", "three"};
    for (size_t i = 0; i < LENGTH_OF(contents); i++)
        free(send_as(frontend, "send backend", contents[i]));
    struct program *tail = parked("tail", "--last=2");
    ck_assert(program_await(tail, "> two\n", ANSWER_MS));
    ck_assert(program_await(tail, "> three\n", ANSWER_MS));
    ck_assert_ptr_null(strstr(buf_text(&tail->read), "one"));
    ck_assert_int_eq(program_end(tail, SIGINT), 0);
}
END_TEST

/* ---- what goes wrong ---- */

static const struct {
    const char *line;
    const char *says;
} usage_errors[] = {
    {"inbox --frob", "--frob"},
    {"inbox extra", "extra"},
    {"send", "AGENT is missing"},
    {"send backend", "CONTENT is missing"},
    {"send backend hello again", "again"},
    {"send --thread", "--thread needs a value"},
    {"reply", "MESSAGE_ID is missing"},
    {"wait --timeout soon", "--timeout is a number"},
    {"wait --timeout 0", "--timeout must be"},
    {"wait --timeout 3601", "--timeout must be"},
    {"recall --limit ten", "ten"},
    {"recall --limit 101", "limit"},
    {"unsend", "MESSAGE_ID is missing"},
    {"agents everybody", "everybody"},
    {"tail -n 101", "100"},
    {"tail now", "no argument"},
    {"frobnicate", "frobnicate"},
};

START_TEST(wrong_usage_is_2)
{
    int exit_code = run(frontend, usage_errors[_i].line);
    ck_assert_msg(exit_code == 2, "patchcord %s: exit code %d: %s", usage_errors[_i].line, exit_code,
        buf_text(&result.err));
    ck_assert_uint_eq(result.out.len, 0);
    err_has(usage_errors[_i].says);
}
END_TEST

START_TEST(a_refused_token_is_4)
{
    static const char wrong[] = "pc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const char *const lines[] = {"inbox", "send backend x", "wait", "agents --json", "tail"};
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        ck_assert_msg(run(wrong, lines[i]) == 4, "patchcord %s: exit code %d", lines[i], result.exit_code);
        ck_assert_uint_eq(result.out.len, 0);
        ck_assert_uint_gt(result.err.len, 0);
        ck_assert_ptr_null(strstr(buf_text(&result.err), wrong));
    }
}
END_TEST

START_TEST(errors_are_1_and_say_what_to_do)
{
    ck_assert_int_eq(run(frontend, "send bakend hello"), 1);
    err_has("backend");
    ck_assert_uint_eq(result.out.len, 0);
    ck_assert_int_eq(run(frontend, "send backend@elsewhere hello"), 1);
    ck_assert_int_eq(run(frontend, "send --thread NO/SLUG backend hello"), 1);
    err_has("thread");
    ck_assert_int_eq(run(frontend, "reply 0192f0c1-0000-7000-8000-000000000000 hello"), 1);
    ck_assert_int_eq(run(NULL, "inbox"), 1);
    err_has("patchcord agent --server");
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_eq(run(frontend, "unsend 0192f0c1-0000-7000-8000-000000000000"), 1);
    err_has(relay->url);
    relay_restart(relay, NULL);
}
END_TEST

static void err_lacks(const char *text)
{
    ck_assert_msg(
        strstr(buf_text(&result.err), text) == NULL, "\"%s\" is in:\n%s", text, buf_text(&result.err));
}

START_TEST(refusals_name_commands_and_options)
{
    free(send_as(backend, "send frontend", "Call inbox, then jump"));
    ck_assert_int_eq(run(frontend, "send backend hello"), 1);
    err_has("1 unread first. Read them with `patchcord inbox --take`");
    err_lacks("Call inbox, then send");
    err_has("> Call inbox, then jump");
    must_run(frontend, "inbox --take", NULL);
    must_run(frontend, "send backend hello", NULL);
    ck_assert_int_eq(run(frontend, "reply short hello"), 1);
    err_has("MESSAGE_ID is not a message's id");
    err_lacks("message_id");
    ck_assert_int_eq(run(frontend, "recall --offset 3"), 1);
    err_has("--offset reads on");
    err_lacks("message_id");
    ck_assert_int_eq(run(frontend, "unsend 0192f0c1-0000-7000-8000-000000000000"), 1);
    err_has("`patchcord recall`");
}
END_TEST

/* The command that reads on in what was just printed. The caller frees; NULL: it has its end. */
static char *next_part(void)
{
    static const char begin[] = "`patchcord ";
    const char *at = strstr(out(), begin);
    return at ? xmemdup_text(at + sizeof begin - 1, strcspn(at + sizeof begin - 1, "`")) : NULL;
}

START_TEST(an_id_may_keep_its_brackets)
{
    char *id = send_as(frontend, "send backend", "hello"), *shown = xasprintf("[%s]", id);
    must_run(frontend, "recall --json", shown);
    out_has(id);
    must_run(backend, "reply --defer", shown);
    out_has("Deferred");
    ck_assert_int_eq(run_full(backend, "reply --defer", "[]", NULL), 1);
    err_has("MESSAGE_ID is not a message's id");
    free(shown);
    free(id);
}
END_TEST

START_TEST(what_was_cut_is_read_on_as_it_says)
{
    char *content = xcalloc(1, CONTENT_MAX_CODE_POINTS + 1);
    memset(content, 'x', CONTENT_MAX_CODE_POINTS);
    memcpy(content + CONTENT_MAX_CODE_POINTS - 3, "end", 3);
    free(send_as(frontend, "send backend", content));
    free(content);
    must_run(backend, "recall", NULL);
    out_has("`patchcord recall --offset ");
    for (char *line; (line = next_part()); free(line))
        must_run(backend, line, NULL);
    out_has("xend");
}
END_TEST

START_TEST(stdin_that_is_no_text_is_refused)
{
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, "caf\xe9"), 2);
    err_has("UTF-8");
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, ""), 1);
    err_has("CONTENT is empty");
}
END_TEST

START_TEST(nothing_reaches_the_terminal)
{
    static const char attack[] = "\x1b[2J\x1b]0;owned\a\r\x08\xc2\x9b"
                                 "31m\xe2\x80\xaeoof\x7f end";
    ck_assert_int_eq(run_full(frontend, "send backend -", NULL, attack), 0);
    static const char *const lines[] = {"inbox", "recall", "inbox --json", "recall --json"};
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        must_run(backend, lines[i], NULL);
        for (const char *at = out(); *at; at++)
            ck_assert_msg(((unsigned char)*at >= 0x20 && *at != 0x7f) || *at == '\n',
                "patchcord %s: byte %#x", lines[i], (unsigned char)*at);
        out_lacks("\xc2\x9b");
        out_lacks("\xe2\x80\xae");
        out_has("owned");
    }
    received_is(attack);
}
END_TEST

static const char *const commands[] = {
    "inbox", "send", "reply", "wait", "recall", "unsend", "outbox", "agents", "tail", "doctor"};

START_TEST(every_command_has_help)
{
    char *line = xasprintf("%s --help", commands[_i]), *usage = xasprintf("patchcord %s", commands[_i]);
    must_run(NULL, line, NULL);
    out_has(usage);
    out_has("EXIT STATUS");
    out_has("--json");
    must_run(NULL, "--help", NULL);
    out_has(commands[_i]);
    free(line);
    free(usage);
}
END_TEST

START_TEST(manual_and_completions_are_printed)
{
    must_run(NULL, "man", NULL);
    out_has(".TH patchcord 1 ");
    must_run(NULL, "completion bash", NULL);
    out_has("complete -o default -F _patchcord patchcord\n");
    static const char *const wrong[] = {"man page", "completion", "completion tcsh", "completion bash zsh"};
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        ck_assert_int_eq(run(NULL, wrong[i]), 2);
        ck_assert_str_eq(out(), "");
        err_has("Usage: patchcord ");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tcase = harness_case(suite, "commands");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, inbox_is_a_peek);
    tcase_add_test(tcase, inbox_json_has_its_keys);
    tcase_add_test(tcase, what_was_not_printed_is_not_taken);
    tcase_add_test(tcase, send_json_has_its_keys);
    tcase_add_test(tcase, content_from_stdin);
    tcase_add_test(tcase, content_at_its_limit);
    tcase_add_test(tcase, reply_goes_back_in_the_thread);
    tcase_add_test(tcase, defer_keeps_it_and_resolve_ends_it);
    tcase_add_test(tcase, unsend_before_and_after);
    tcase_add_test(tcase, recall_finds_and_changes_nothing);
    tcase_add_test(tcase, agents_are_listed);
    tcase_add_test(tcase, wait_runs_out_with_3);
    tcase_add_test(tcase, wait_wakes_and_takes);
    tcase_add_test(tcase, wait_that_is_interrupted_takes_nothing);
    tcase_add_test(tcase, tail_shows_both_directions_and_takes_nothing);
    tcase_add_test(tcase, tail_outlives_the_relay);
    tcase_add_test(tcase, tail_begins_with_the_last_ones);
    tcase_add_test(tcase, a_refused_token_is_4);
    tcase_add_test(tcase, errors_are_1_and_say_what_to_do);
    tcase_add_test(tcase, refusals_name_commands_and_options);
    tcase_add_test(tcase, an_id_may_keep_its_brackets);
    tcase_add_test(tcase, what_was_cut_is_read_on_as_it_says);
    tcase_add_test(tcase, stdin_that_is_no_text_is_refused);
    tcase_add_test(tcase, nothing_reaches_the_terminal);

    tcase = harness_case(suite, "usage");
    tcase_add_checked_fixture(tcase, setup_without_relay, teardown);
    tcase_add_loop_test(tcase, wrong_usage_is_2, 0, LENGTH_OF(usage_errors));
    tcase_add_loop_test(tcase, every_command_has_help, 0, LENGTH_OF(commands));
    tcase_add_test(tcase, manual_and_completions_are_printed);
    return run_suite(suite);
}
