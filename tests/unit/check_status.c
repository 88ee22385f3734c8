/* What a status line keeps and says. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../bridge/git_branch.h"
#include "../../bridge/status_cache.h"
#include "../../bridge/status_line.h"
#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/secret.h"
#include "unit.h"

#define NOW 1795371793000

static struct status status;
static struct buf text;
static char base[PATH_MAX];
static char url[] = "https://relay.example.com", token[] = "pc_one";

static void setup(void)
{
    secret_init();
    unit_folder(base);
    ck_assert_int_eq(setenv("XDG_STATE_HOME", base, 1), 0);
    status = (struct status){.agent = "backend@demo", .waiting = 2, .answered_ms = NOW, .asked_ms = NOW};
}

static void teardown(void)
{
    buf_free(&text);
}

static const char *words(void)
{
    return buf_text(&text);
}

/* ---- what is kept ---- */

START_TEST(an_answer_is_kept_for_an_identity)
{
    struct config config = {.url = url, .token = token};
    char another[] = "pc_two";
    struct status again;
    status_save(&config, &status);
    status_load(&config, &again);
    ck_assert_str_eq(again.agent, "backend@demo");
    ck_assert_int_eq(again.waiting, 2);
    ck_assert_int_eq(again.answered_ms, NOW);
    ck_assert_int_eq(again.asked_ms, NOW);
    config.token = another;
    status_load(&config, &again);
    ck_assert_str_eq(again.agent, "");
    ck_assert_int_eq(again.answered_ms, 0);
}
END_TEST

START_TEST(a_file_that_is_none_of_ours_says_nothing)
{
    static const char *const texts[] = {"", "[]", "{",
        "{\"agent\": 7, \"waiting\": -1, \"answered\": \"x\", \"refused\": 1}",
        "{\"agent\": \"a\\u001b[31m\"}", "{\"agent\": \"a\\nb\"}"};
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        status_parse(texts[i], strlen(texts[i]), &status);
        ck_assert_str_eq(status.agent, "");
        ck_assert(!status.refused && status.waiting == 0 && status.answered_ms == 0 && status.asked_ms == 0);
    }
}
END_TEST

START_TEST(answers_replace_each_other_and_silence_replaces_none)
{
    struct inbox_look look = {.sight = INBOX_SEEN, .agent = "other@demo", .count = 3};
    status_take(&status, &look, NOW + 1);
    ck_assert_str_eq(status.agent, "other@demo");
    ck_assert_int_eq(status.waiting, 3);
    look = (struct inbox_look){.sight = INBOX_AWAY};
    status_take(&status, &look, NOW + 2);
    ck_assert_int_eq(status.waiting, 3);
    ck_assert_int_eq(status.answered_ms, NOW + 1);
    ck_assert_int_eq(status.asked_ms, NOW + 2);
    look = (struct inbox_look){.sight = INBOX_REFUSED};
    status_take(&status, &look, NOW + 3);
    ck_assert(status.refused);
    ck_assert_str_eq(status.agent, "other@demo");
    look = (struct inbox_look){.sight = INBOX_SEEN, .agent = "other@demo"};
    status_take(&status, &look, NOW + 4);
    ck_assert(!status.refused);
}
END_TEST

START_TEST(answers_grow_old)
{
    ck_assert(status_is_fresh(&status, NOW));
    ck_assert(status_is_fresh(&status, NOW + STATUS_KEEP_MS - 1));
    ck_assert(!status_is_fresh(&status, NOW + STATUS_KEEP_MS));
    ck_assert(!status_is_fresh(&status, NOW - 1));
    ck_assert(!status_is_due(&status, NOW + STATUS_REFRESH_MS - 1));
    ck_assert(status_is_due(&status, NOW + STATUS_REFRESH_MS));
    ck_assert(status_is_due(&status, NOW - 1));
    status = (struct status){0};
    ck_assert(!status_is_fresh(&status, NOW) && status_is_due(&status, NOW));
}
END_TEST

/* ---- what is said ---- */

static void view(const char *agent, bool listens, int64_t now_ms)
{
    buf_reset(&text);
    status_line_agent(&text,
        &(struct status_view){
            .status = &status, .agent = agent, .machine = "laptop", .listens = listens, .now_ms = now_ms});
}

START_TEST(the_line_says_who_and_how_many)
{
    view(NULL, false, NOW);
    ck_assert_str_eq(words(), "backend@demo (laptop) 2 msg");
    view(NULL, true, NOW);
    ck_assert_str_eq(words(), "backend@demo (laptop) 2 msg \xe2\x97\x89");
    view(NULL, false, NOW + STATUS_KEEP_MS);
    ck_assert_str_eq(words(), "backend@demo (laptop)");
    status.waiting = 0;
    view(NULL, false, NOW);
    ck_assert_str_eq(words(), "backend@demo (laptop)");
    status.waiting = INBOX_LOOK_ROWS - 1;
    view(NULL, false, NOW);
    ck_assert_str_eq(words(), "backend@demo (laptop) 99 msg");
    status.waiting = INBOX_LOOK_ROWS;
    view(NULL, false, NOW);
    ck_assert_str_eq(words(), "backend@demo (laptop) 100+ msg");
    status.refused = true;
    view(NULL, true, NOW + STATUS_KEEP_MS);
    ck_assert_str_eq(words(), "backend@demo BAD TOKEN");
    status = (struct status){0};
    view("stored@demo", false, NOW);
    ck_assert_str_eq(words(), "stored@demo (laptop)");
    view(NULL, false, NOW);
    ck_assert_str_eq(words(), "patchcord (laptop)");
}
END_TEST

static const struct {
    const char *host, *says;
} hosts[] = {
    {"{\"model\": {\"display_name\": \"Opus\"}, \"context_window\": {\"used_percentage\": 41.6}}",
        "Opus | 42%"},
    {"{\"model\": {\"display_name\": \"Opus\"}, \"context_window\": {\"used_percentage\": 0}}", "Opus | 0%"},
    {"{\"context_window\": {\"used_percentage\": 100}}", "100%"},
    {"{\"context_window\": {\"used_percentage\": 101}}", ""},
    {"{\"context_window\": {\"used_percentage\": null}}", ""},
    {"{\"context_window\": {\"used_percentage\": \"7\"}}", ""},
    {"{\"model\": {\"display_name\": \"a\\u001b[31mb\"}}", ""},
    {"{\"model\": {\"display_name\": "
     "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
     "12345678901234567890123456789012345\"}}",
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "123456789012345678901234567890"},
    {"{\"model\": \"Opus\"}", ""},
    {"{}", ""},
};

START_TEST(the_hosts_session_is_told)
{
    enum json_fault fault;
    struct json_object *host = json_parse(hosts[_i].host, strlen(hosts[_i].host), &fault);
    ck_assert_ptr_nonnull(host);
    status_line_session(&text, host);
    ck_assert_str_eq(words(), hosts[_i].says);
    json_object_put(host);
}
END_TEST

START_TEST(a_host_that_says_nothing_is_told_nothing_of)
{
    status_line_session(&text, NULL);
    ck_assert_str_eq(words(), "");
}
END_TEST

/* ---- the branch ---- */

static const struct {
    const char *head, *branch; /* NULL: none */
} heads[] = {
    {"ref: refs/heads/main\n", "main"},
    {"ref: refs/heads/feature/x-1", "feature/x-1"},
    {"ref: refs/heads/a\x1b[31m\xc3\xa9$(x)\n", "a__31m____x_"},
    {"ref: refs/heads/123456789012345678901234567890123456789012345678901234567890123\n",
        "123456789012345678901234567890123456789012345678901234567890"},
    {"0123456789abcdef0123456789abcdef01234567\n", "0123456"},
    {"0123456789abcdef0123456789abcdef0123456\n", NULL},
    {"ref: refs/heads/\n", NULL},
    {"ref: refs/tags/x\n", NULL},
    {"secret\n", NULL},
    {"", NULL},
};

START_TEST(a_head_names_its_branch)
{
    bool found = git_head_branch(heads[_i].head, strlen(heads[_i].head), &text);
    ck_assert_msg(found == (heads[_i].branch != NULL), "%s", heads[_i].head);
    ck_assert_str_eq(words(), heads[_i].branch ? heads[_i].branch : "");
}
END_TEST

static void put_file(const char *name, const char *content)
{
    char *path = xasprintf("%s/%s", base, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
    free(path);
}

static void put_folder(const char *name)
{
    char *path = xasprintf("%s/%s", base, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    free(path);
}

static bool branch_in(const char *name)
{
    char *path = xasprintf("%s/%s", base, name);
    buf_reset(&text);
    bool found = git_branch(path, &text);
    free(path);
    return found;
}

START_TEST(folders_worktrees_and_no_repository)
{
    put_folder("repo");
    put_folder("repo/.git");
    put_folder("repo/.git/tree");
    put_folder("repo/deep");
    put_folder("tree");
    put_folder("broken");
    put_file("repo/.git/HEAD", "ref: refs/heads/main\n");
    put_file("repo/.git/tree/HEAD", "ref: refs/heads/side\n");
    put_file("tree/.git", "gitdir: ../repo/.git/tree\n");
    put_file("broken/.git", "nonsense");
    ck_assert(branch_in("repo/deep"));
    ck_assert_str_eq(words(), "main");
    ck_assert(branch_in("tree"));
    ck_assert_str_eq(words(), "side");
    ck_assert(!branch_in("broken"));
    char *fifo = xasprintf("%s/repo/.git/HEAD", base);
    ck_assert_int_eq(unlink(fifo), 0);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert(!branch_in("repo"));
    free(fifo);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("status", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_answer_is_kept_for_an_identity);
    tcase_add_test(tests, a_file_that_is_none_of_ours_says_nothing);
    tcase_add_test(tests, answers_replace_each_other_and_silence_replaces_none);
    tcase_add_test(tests, answers_grow_old);
    tcase_add_test(tests, the_line_says_who_and_how_many);
    tcase_add_loop_test(tests, the_hosts_session_is_told, 0, LENGTH_OF(hosts));
    tcase_add_test(tests, a_host_that_says_nothing_is_told_nothing_of);
    tcase_add_loop_test(tests, a_head_names_its_branch, 0, LENGTH_OF(heads));
    tcase_add_test(tests, folders_worktrees_and_no_repository);
    return run_unit(suite);
}
