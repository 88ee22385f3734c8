/* `patchcord login`: against a scripted relay that says all that RFC 8628 lets it say, and through the pages
 * of the real one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_faults.h"
#include "../harness_peer.h"
#include "../harness_visitor.h"

#define DEVICE "/device_authorization"
#define TOKEN  "/token"

#define PENDING "{\"error\":\"authorization_pending\"}"
#define APPROVED                                                                                             \
    "{\"access_token\":\"pc_given\",\"token_type\":\"Bearer\",\"agent\":\"frontend\",\"namespace\":"         \
    "\"shop\"}"

enum { LOGIN_MS = 30 * 1000, SLOWER_MS = 5000, INTERVAL_MS = 5000 };

static struct peer *peer;
static const char *home;
static struct program_result result;

/* ---- the scripted relay ---- */

/* What the token endpoint says, one a request; the last one again and again. */
static const struct token_answer {
    int status;
    const char *body, *headers;
} * token_answers;
static int expires_s = 60;
static int64_t asked_us[8];

static void answer_with(struct peer_answer *answer, int status, const char *body)
{
    answer->status = status;
    answer->body = xstrdup(body);
}

static void script(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, DEVICE) == 0) {
        char *body = xasprintf("{\"device_code\":\"dc_secret\",\"user_code\":\"BCDF-GHJK\","
                               "\"verification_uri\":\"https://relay.example.com/device\","
                               "\"verification_uri_complete\":\"https://relay.example.com/device?user_code="
                               "BCDF-GHJK&x=$(id);'\\\"\",\"expires_in\":%d,\"interval\":1}",
            expires_s);
        answer->status = 200;
        answer->body = body;
        return;
    }
    if (request->number <= (int)LENGTH_OF(asked_us))
        asked_us[request->number - 1] = now_us();
    const struct token_answer *row = token_answers;
    for (int i = 1; i < request->number && row[1].status != -1; i++)
        row++;
    answer->headers = row->headers;
    answer_with(answer, row->status, row->body);
}

static void setup(void)
{
    peer = NULL;
    home = temp_folder();
    expires_s = 60;
}

static void teardown(void)
{
    program_result_free(&result);
}

/* ---- running it ---- */

static const char *url(void)
{
    return peer_relay(peer)->url;
}

static int login(const char *const more[], const char *const env[])
{
    const char *argv[8] = {"patchcord", "login"};
    char *at_home = xasprintf("HOME=%s", home);
    const char *full[8] = {at_home, "XDG_CONFIG_HOME"};
    size_t n = 2;
    for (; more && more[n - 2]; n++)
        argv[n] = more[n - 2];
    for (size_t i = 0; env && env[i]; i++)
        full[i + 2] = env[i];
    program_result_free(&result);
    run_program(argv, full, NULL, LOGIN_MS, &result);
    free(at_home);
    return result.exit_code;
}

static int login_here(const struct token_answer *answers)
{
    token_answers = answers;
    peer = peer_start(script);
    return login((const char *const[]){url(), NULL}, NULL);
}

static void says(const struct buf *where, const char *text)
{
    ck_assert_msg(strstr(buf_text(where), text) != NULL, "\"%s\" is not in:\n%s", text, buf_text(where));
}

static char *stored(void)
{
    char *path = xasprintf("%s/.config/patchcord/credentials.json", home);
    FILE *file = fopen(path, "r");
    free(path);
    if (!file)
        return NULL;
    char *text = xcalloc(1, BUFSIZ);
    size_t len = fread(text, 1, BUFSIZ - 1, file);
    ck_assert_uint_gt(len, 0);
    fclose(file);
    return text;
}

static void assert_nothing_stored(void)
{
    char *text = stored();
    ck_assert_ptr_null(text);
}

static const struct token_answer approved_at_once[] = {{200, APPROVED, NULL}, {.status = -1}};

/* ---- what goes well ---- */

START_TEST(an_approved_code_becomes_a_stored_token)
{
    static const struct token_answer answers[] = {
        {400, PENDING, NULL}, {400, PENDING, NULL}, {200, APPROVED, NULL}, {.status = -1}};
    ck_assert_msg(login_here(answers) == 0, "%s", buf_text(&result.err));
    says(&result.out, "https://relay.example.com/device\n");
    says(&result.out, "BCDF-GHJK\n");
    says(&result.out, "This folder is now frontend@shop");
    ck_assert_ptr_null(strstr(buf_text(&result.out), "pc_given"));
    ck_assert_ptr_null(strstr(buf_text(&result.out), "dc_secret"));
    ck_assert_int_eq(peer_count(peer, TOKEN), 3);
    ck_assert_int_ge(asked_us[1] - asked_us[0], 990 * 1000); /* the interval */

    const char *first = peer_request(peer, DEVICE, 1)->headers;
    ck_assert_ptr_nonnull(strstr(first, "application/x-www-form-urlencoded"));
    ck_assert_ptr_nonnull(strstr(first, "X-Patchcord-Machine: "));
    ck_assert_ptr_null(strstr(first, "Authorization"));

    struct stat st;
    char *path = xasprintf("%s/.config/patchcord/credentials.json", home);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    free(path);
    char *text = stored(), *here = realpath(".", NULL);
    ck_assert_ptr_nonnull(strstr(text, "pc_given"));
    ck_assert_ptr_nonnull(strstr(text, "frontend@shop"));
    ck_assert_ptr_nonnull(strstr(text, url()));
    ck_assert_ptr_nonnull(strstr(text, here));
    ck_assert_ptr_null(strstr(text, "\"client\""));
    free(here);
    free(text);
}
END_TEST

START_TEST(a_client_of_the_folder_gets_its_own)
{
    token_answers = approved_at_once;
    peer = peer_start(script);
    int exit_code = login((const char *const[]){"--client", "codex", url(), NULL}, NULL);
    ck_assert_msg(exit_code == 0, "%s", buf_text(&result.err));
    says(&result.out, ", for codex.");
    char *text = stored();
    ck_assert_ptr_nonnull(strstr(text, "codex"));
    free(text);
}
END_TEST

/* The path as it is said from the current folder. The caller frees. */
static char *relative(const char *path)
{
    struct buf text = {0};
    char *here = realpath(".", NULL);
    for (const char *at = here; (at = strchr(at, '/')); at++)
        buf_puts(&text, "../");
    buf_puts(&text, path + 1);
    free(here);
    return buf_take(&text);
}

/* Otherwise both would be the folder's, and neither. */
START_TEST(a_second_login_takes_the_place_of_the_first)
{
    static const struct token_answer answers[] = {{200, APPROVED, NULL},
        {200, "{\"access_token\":\"pc_second\",\"agent\":\"backend\",\"namespace\":\"shop\"}", NULL},
        {.status = -1}};
    char *path = xasprintf("%s/ca.pem", home), *ca = relative(path),
         *setting = xasprintf("PATCHCORD_CA_FILE=%s", ca);
    FILE *file = fopen(ca, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    token_answers = answers;
    peer = peer_start(script);
    const char *const args[] = {url(), NULL}, *const env[] = {setting, NULL};
    ck_assert_msg(login(args, env) == 0, "%s", buf_text(&result.err));
    ck_assert_msg(login(args, env) == 0, "%s", buf_text(&result.err));
    says(&result.out, "This folder is now backend@shop");
    char *text = stored(), *here = realpath(path, NULL);
    ck_assert_ptr_null(strstr(text, "pc_given"));
    ck_assert_ptr_nonnull(strstr(text, "pc_second"));
    ck_assert_ptr_nonnull(strstr(text, here));
    free(here);
    free(text);
    free(setting);
    free(ca);
    free(path);
}
END_TEST

/* Writes the credentials file with this folder's entry, and with more behind it. */
static void store_entries(const char *folder, const char *more)
{
    char *path = xasprintf("%s/.config", home);
    ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
    free(path);
    path = xasprintf("%s/.config/patchcord", home);
    ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
    free(path);
    path = xasprintf("%s/.config/patchcord/credentials.json", home);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd,
                         "{\"version\":1,\"entries\":[{\"agent\":\"frontend@shop\",\"url\":\"%s\",\"token\":"
                         "\"pc_before\",\"folder\":\"%s\",\"client\":\"claude_code\"}%s]}",
                         url(), folder, more),
        0);
    close(fd);
    free(path);
}

static const char *project;

/* While one waits for its person, another command stores a token, for another relay. */
static void script_beside_another(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, TOKEN) == 0)
        store_entries(project, ",{\"agent\":\"other@else\",\"url\":\"https://else.example\",\"token\":"
                               "\"pc_elsewhere\",\"folder\":\"/else\"}");
    script(request, answer);
}

START_TEST(a_token_that_another_command_stored_meanwhile_is_not_sent_here)
{
    token_answers = (const struct token_answer[]){{200, APPROVED, NULL}, {.status = -1}};
    project = temp_folder();
    peer = peer_start(script_beside_another);
    store_entries(project, "");
    char *at_home = xasprintf("HOME=%s", home);
    const char *build = getenv("PATCHCORD_BUILD");
    char *there = xasprintf("%s/patchcord", build ? build : "build"), *program = realpath(there, NULL);
    const char *const argv[] = {"sh", "-c", "cd \"$0\" && exec \"$@\"", project, program, "agent", "--login",
        "--server", url(), NULL};
    run_program(argv, (const char *const[]){at_home, "XDG_CONFIG_HOME", NULL}, NULL, LOGIN_MS, &result);
    says(&result.out, "This folder is now frontend@shop");
    const char *asked = peer_request(peer, "/api/inbox?count_only=1&limit=0", 1)->headers;
    ck_assert_msg(strstr(asked, "Bearer pc_given") != NULL, "%s", asked);
    free(program);
    free(there);
    free(at_home);
}
END_TEST

START_TEST(slow_down_makes_it_slower)
{
    static const struct token_answer answers[] = {
        {400, "{\"error\":\"slow_down\"}", NULL}, {200, APPROVED, NULL}, {.status = -1}};
    struct faults *faults = faults_new();
    char *at_home = xasprintf("HOME=%s", home);
    token_answers = answers;
    peer = peer_start(script);
    const char *env[6] = {at_home, "XDG_CONFIG_HOME"};
    for (size_t i = 0; faults_env(faults)[i]; i++)
        env[i + 2] = faults_env(faults)[i];
    struct program *program = program_start((const char *const[]){"patchcord", "login", url(), NULL}, env);
    peer_await(peer, TOKEN, 1);
    /* All but the last second of its longer interval. */
    faults_pass_time(faults, SLOWER_MS);
    peer_await(peer, TOKEN, 2);
    ck_assert_int_ge(asked_us[1] - asked_us[0], 900 * 1000);
    ck_assert_int_eq(program_end(program, 0), 0);
    faults_free(faults);
    free(at_home);
}
END_TEST

static const struct passing {
    struct token_answer answer;
    int64_t pause_us; /* at least, until it is asked again */
} passings[] = {
    {{503, "", NULL}, 1900 * 1000}, /* twice the interval */
    {{429, "{\"error\":\"rate_limited\",\"retry_after\":3}", "Retry-After: 3\r\n"}, 2900 * 1000},
};

START_TEST(a_relay_that_is_away_or_busy_is_waited_for)
{
    const struct token_answer answers[] = {passings[_i].answer, {200, APPROVED, NULL}, {.status = -1}};
    ck_assert_msg(login_here(answers) == 0, "%s", buf_text(&result.err));
    ck_assert_int_eq(peer_count(peer, TOKEN), 2);
    ck_assert_int_ge(asked_us[1] - asked_us[0], passings[_i].pause_us);
}
END_TEST

/* ---- what does not ---- */

static const struct refusal {
    struct token_answer answer;
    int exit_code;
    const char *said;
} refusals[] = {
    {{400, "{\"error\":\"access_denied\"}", NULL}, 1, "denied"},
    {{400, "{\"error\":\"expired_token\"}", NULL}, 3, "nobody approved"},
    {{400, "{\"error\":\"invalid_grant\",\"error_description\":\"no such code\\u001b[2J\"}", NULL}, 1,
        "no such code<U+001B>"},
    {{302, "", "Location: https://elsewhere.example/token\r\n"}, 1, "status 302"},
    {{200, "{\"access_token\":\"pc_given\"}", NULL}, 1, "\"agent\""},
};

START_TEST(a_refusal_is_said)
{
    const struct refusal *row = &refusals[_i];
    const struct token_answer answers[] = {row->answer, {.status = -1}};
    ck_assert_int_eq(login_here(answers), row->exit_code);
    says(&result.err, row->said);
    ck_assert_ptr_null(strstr(buf_text(&result.err), "pc_given"));
    assert_nothing_stored();
}
END_TEST

START_TEST(an_approval_that_does_not_come_is_not_waited_for_longer)
{
    static const struct token_answer answers[] = {{400, PENDING, NULL}, {.status = -1}};
    expires_s = 2;
    ck_assert_int_eq(login_here(answers), 3);
    says(&result.err, "nobody approved");
    ck_assert_int_le(peer_count(peer, TOKEN), 2);
    assert_nothing_stored();
}
END_TEST

static void refuse_device(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    answer_with(answer, 404, "{\"error\":\"not_found\"}");
}

START_TEST(a_relay_without_logins_is_said)
{
    peer = peer_start(refuse_device);
    ck_assert_int_eq(login((const char *const[]){url(), NULL}, NULL), 1);
    says(&result.err, "there is no Patchcord relay at");
    ck_assert_int_eq(login((const char *const[]){"http://127.0.0.1:9", NULL}, NULL), 1);
    says(&result.err, "cannot be reached");
}
END_TEST

static const struct usage {
    const char *args[4];
    int exit_code;
    const char *said;
} usages[] = {
    {{NULL}, 2, "the relay's URL"},
    {{"https://a.example", "https://b.example"}, 2, "the relay's URL"},
    {{"--force", "https://a.example"}, 2, "--force"},
    {{"--as", "frontend@shop", "https://a.example"}, 2, "connect code"},
    {{"http://relay.example.com"}, 1, "unencrypted"},
    {{"http://192.0.2.1:8000"}, 1, "unencrypted"},
    {{"relay.example.com"}, 1, "http(s) URL"},
    {{"ftp://relay.example.com"}, 1, "http(s) URL"},
    {{"https://ada:secret@relay.example.com"}, 1, "http(s) URL"},
};

START_TEST(wrong_usage_is_said)
{
    ck_assert_int_eq(login(usages[_i].args, NULL), usages[_i].exit_code);
    says(&result.err, usages[_i].said);
}
END_TEST

/* Better before there is a token that nobody can keep. */
START_TEST(a_file_that_is_open_to_others_is_said_before_anything_is_asked)
{
    char *folder = xasprintf("%s/.config", home);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    char *inner = xasprintf("%s/patchcord", folder), *path = xasprintf("%s/credentials.json", inner);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    FILE *file = fopen(path, "w");
    fputs("{\"version\":1,\"entries\":[]}", file);
    fclose(file);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(login_here(approved_at_once), 1);
    says(&result.err, "credentials.json");
    ck_assert_int_eq(peer_count(peer, DEVICE), 0);
    free(path);
    free(inner);
    free(folder);
}
END_TEST

START_TEST(a_signal_gives_up)
{
    static const struct token_answer answers[] = {{400, PENDING, NULL}, {.status = -1}};
    char *at_home = xasprintf("HOME=%s", home);
    token_answers = answers;
    peer = peer_start(script);
    struct program *program = program_start(
        (const char *const[]){"patchcord", "login", url(), NULL}, (const char *const[]){at_home, NULL});
    peer_await(peer, TOKEN, 1);
    ck_assert_int_eq(program_end(program, SIGINT), 1);
    free(at_home);
}
END_TEST

/* ---- the browser ---- */

/* A program that writes down its arguments, and each socket that it was left, one a line, where a browser
 * would be opened. */
static char *opener(const char *folder, const char *name)
{
    char *path = xasprintf("%s/%s", folder, name), *seen = xasprintf("%s/seen", folder);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
        "#!/bin/sh\n{ printf '%%s\\n' \"$0\" \"$@\"\n"
        "for fd in /proc/$$/fd/*; do [ ! -S \"$fd\" ] || echo socket; done; } > %s.part\nmv %s.part %s\n",
        seen, seen, seen);
    fclose(file);
    ck_assert_int_eq(chmod(path, 0755), 0);
    free(path);
    return seen;
}

static bool is_there(void *arg)
{
    return access(arg, F_OK) == 0;
}

static void assert_opened(const char *name)
{
    const char *folder = temp_folder();
    /* What the script needs, and nothing of this machine that opens browsers. */
    char *seen = opener(folder, name), *path = xasprintf("PATH=%s", folder);
    char *mv = xasprintf("%s/mv", folder);
    ck_assert_int_eq(symlink("/bin/mv", mv), 0);
    token_answers = approved_at_once;
    peer = peer_start(script);
    ck_assert_int_eq(
        login((const char *const[]){"--browser", url(), NULL}, (const char *const[]){path, NULL}), 0);
    ck_assert(poll_until(is_there, seen, LOGIN_MS));
    char text[BUFSIZ] = "";
    FILE *file = fopen(seen, "r");
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    char *wanted =
        xasprintf("%s/%s\nhttps://relay.example.com/device?user_code=BCDF-GHJK&x=$(id);'\"\n", folder, name);
    ck_assert_str_eq(text, wanted);
    free(wanted);
    free(mv);
    free(path);
    free(seen);
}

START_TEST(a_browser_is_opened_where_it_is_wanted)
{
    assert_opened("xdg-open");
}
END_TEST

START_TEST(a_mac_opens_it_too)
{
    assert_opened("open");
}
END_TEST

START_TEST(without_a_browser_it_goes_on)
{
    char *path = xasprintf("PATH=%s", temp_folder());
    token_answers = approved_at_once;
    peer = peer_start(script);
    ck_assert_int_eq(
        login((const char *const[]){"--browser", url(), NULL}, (const char *const[]){path, NULL}), 0);
    says(&result.err, "open the page yourself");
    free(path);
}
END_TEST

START_TEST(no_browser_is_opened_unasked)
{
    const char *folder = temp_folder();
    char *seen = opener(folder, "xdg-open"), *path = xasprintf("PATH=%s:/usr/bin:/bin", folder);
    token_answers = approved_at_once;
    peer = peer_start(script);
    ck_assert_int_eq(login((const char *const[]){url(), NULL}, (const char *const[]){path, NULL}), 0);
    ck_assert(!is_there(seen));
    free(path);
    free(seen);
}
END_TEST

/* ---- through the real relay's pages ---- */

static struct visitor person;
static struct program *terminal;
static struct faults *faults; /* moves the terminal's clock */
static char *terminal_home;

static void begin_at_relay(void)
{
    home = temp_folder();
    faults = faults_new();
    terminal_home = xasprintf("HOME=%s", home);
    const char *env[8] = {terminal_home, "XDG_CONFIG_HOME"};
    for (size_t i = 0; faults_env(faults)[i]; i++)
        env[i + 2] = faults_env(faults)[i];
    person.relay = relay_start(NULL, (const char *const[]){"PATCHCORD_LOG_LEVEL=debug", NULL});
    const char *const argv[] = {"patchcord", "login", person.relay->url, NULL};
    terminal = program_start(argv, env);
    ck_assert(program_await(terminal, "Ctrl-C", LOGIN_MS));
}

static void end_at_relay(void)
{
    visitor_check_log(&person);
    visitor_free(&person);
    program_result_free(&result);
    faults_free(faults);
    free(terminal_home);
}

/* Lets the terminal ask now, and end. */
static int terminal_ends(void)
{
    faults_pass_time(faults, INTERVAL_MS);
    return program_end(terminal, 0);
}

/* What the terminal shows behind those words; the caller frees. */
static char *shown(const char *words)
{
    const char *at = strstr(buf_text(&terminal->read), words);
    ck_assert_msg(at != NULL, "%s", buf_text(&terminal->read));
    at += strlen(words);
    return xmemdup_text(at, strcspn(at, "\n"));
}

/* Opens the page that the terminal names, and types the code that it shows. */
static void open_page(void)
{
    char *page = shown("Open      "), *code = shown("and enter ");
    const char *path = strstr(page, "/device");
    ck_assert_msg(path != NULL, "%s", page);
    ck_assert_int_eq(visitor_get(&person, path), 200);
    char *form = xasprintf("request=%s&user_code=%s", person.state, code);
    ck_assert_int_eq(visitor_post(&person, "/device", form), 200);
    ck_assert(visitor_sees(&person, code));
    ck_assert(visitor_sees(&person, "127.0.0.1"));
    free(form);
    free(code);
    free(page);
}

static int run_at_home(const char *const argv[])
{
    program_result_free(&result);
    run_program(argv, (const char *const[]){terminal_home, "XDG_CONFIG_HOME", NULL}, NULL, LOGIN_MS, &result);
    return result.exit_code;
}

START_TEST(a_person_lets_a_terminal_in)
{
    open_page();
    ck_assert_int_eq(visitor_allow(&person, "/device", "0123-4567-89AB-C"), 400);
    char *code = visitor_connect_code(&person, "--agent frontend@shop");
    ck_assert_int_eq(visitor_allow(&person, "/device", code), 200);
    ck_assert_int_eq(terminal_ends(), 0);
    /* The token is a bridge's, and is there for every command in this folder. */
    ck_assert_int_eq(run_at_home((const char *const[]){"patchcord", "inbox", NULL}), 0);
    says(&result.out, "frontend@shop");
    free(code);
}
END_TEST

START_TEST(a_person_refuses_a_terminal)
{
    open_page();
    char *form = xasprintf("request=%s&decision=deny&code=", person.state);
    ck_assert_int_eq(visitor_post(&person, "/device", form), 200);
    ck_assert_int_eq(terminal_ends(), 1);
    assert_nothing_stored();
    free(form);
}
END_TEST

START_TEST(a_relay_that_restarts_knows_the_terminal)
{
    open_page();
    relay_kill(person.relay);
    relay_restart(person.relay, NULL);
    open_page();
    char *code = visitor_connect_code(&person, "--agent frontend@shop");
    ck_assert_int_eq(visitor_allow(&person, "/device", code), 200);
    ck_assert_int_eq(terminal_ends(), 0);
    free(code);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("login");
    TCase *tests = harness_case(suite, "login");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_approved_code_becomes_a_stored_token);
    tcase_add_test(tests, a_client_of_the_folder_gets_its_own);
    tcase_add_test(tests, a_second_login_takes_the_place_of_the_first);
    tcase_add_test(tests, a_token_that_another_command_stored_meanwhile_is_not_sent_here);
    tcase_add_test(tests, slow_down_makes_it_slower);
    tcase_add_loop_test(tests, a_relay_that_is_away_or_busy_is_waited_for, 0, (int)LENGTH_OF(passings));
    tcase_add_loop_test(tests, a_refusal_is_said, 0, (int)LENGTH_OF(refusals));
    tcase_add_test(tests, an_approval_that_does_not_come_is_not_waited_for_longer);
    tcase_add_test(tests, a_relay_without_logins_is_said);
    tcase_add_loop_test(tests, wrong_usage_is_said, 0, (int)LENGTH_OF(usages));
    tcase_add_test(tests, a_file_that_is_open_to_others_is_said_before_anything_is_asked);
    tcase_add_test(tests, a_signal_gives_up);
    tcase_add_test(tests, a_browser_is_opened_where_it_is_wanted);
    tcase_add_test(tests, a_mac_opens_it_too);
    tcase_add_test(tests, without_a_browser_it_goes_on);
    tcase_add_test(tests, no_browser_is_opened_unasked);
    TCase *real = harness_case(suite, "pages");
    tcase_add_checked_fixture(real, begin_at_relay, end_at_relay);
    tcase_add_test(real, a_person_lets_a_terminal_in);
    tcase_add_test(real, a_person_refuses_a_terminal);
    tcase_add_test(real, a_relay_that_restarts_knows_the_terminal);
    return run_suite(suite);
}
