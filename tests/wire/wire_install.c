/* `patchcord install` and `uninstall` in homes of their own: what is merged, what is left alone, where tokens
 * go, and that nothing else is changed in the end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { RUN_MS = 60 * 1000, TEXT_MAX = 64 * 1024 };

#define SETTINGS ".claude/settings.json"
#define HOOKS    ".codex/hooks.json"

static const char *home;
static struct program_result result;

static void setup(void)
{
    home = temp_folder();
}

static void teardown(void)
{
    program_result_free(&result);
    harness_cleanup();
}

/* words: the command and its arguments, split at blanks. */
static int run(const char *words)
{
    char *at_home = xasprintf("HOME=%s", home), *split = xstrdup(words), *rest = NULL;
    const char *argv[16] = {"patchcord"};
    /* None of the programs themselves is there: only what they left in the home. */
    const char *const env[] = {at_home, "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR", "PATH=/usr/bin:/bin", NULL};
    size_t n = 1;
    for (char *word = strtok_r(split, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[n++] = word;
    program_result_free(&result);
    run_program(argv, env, NULL, RUN_MS, &result);
    free(split);
    free(at_home);
    return result.exit_code;
}

static void must_run(const char *words)
{
    ck_assert_msg(run(words) == 0, "%s: %s", words, buf_text(&result.err));
}

static void says(const struct buf *where, const char *text)
{
    ck_assert_msg(strstr(buf_text(where), text) != NULL, "\"%s\" is not in:\n%s", text, buf_text(where));
}

/* ---- files below the home ---- */

static char *below(const char *path)
{
    return xasprintf("%s/%s", home, path);
}

/* NULL: there is none. */
static char *text_of(const char *path)
{
    char *whole = below(path);
    int fd = open(whole, O_RDONLY | O_CLOEXEC);
    free(whole);
    if (fd < 0)
        return NULL;
    struct buf text = {0};
    ssize_t got = read(fd, buf_reserve(&text, TEXT_MAX), TEXT_MAX);
    ck_assert_int_ge(got, 0);
    buf_commit(&text, (size_t)got);
    close(fd);
    return buf_take(&text);
}

static void put(const char *path, const char *text)
{
    char *whole = below(path);
    for (char *slash = strchr(whole + strlen(home) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(whole, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    int fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    ck_assert_msg(fd >= 0, "%s: %s", whole, strerror(errno));
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, 0640), 0);
    close(fd);
    free(whole);
}

static void expect_text(const char *path, const char *wanted)
{
    char *text = text_of(path);
    ck_assert_msg(text && strcmp(text, wanted) == 0, "%s holds\n%s\ninstead of\n%s", path,
        text ? text : "(nothing)", wanted);
    free(text);
}

static void expect_in(const char *path, const char *part)
{
    char *text = text_of(path);
    ck_assert_msg(
        text && strstr(text, part), "\"%s\" is not in %s:\n%s", part, path, text ? text : "(nothing)");
    free(text);
}

static void expect_not_in(const char *path, const char *part)
{
    char *text = text_of(path);
    ck_assert_msg(!text || !strstr(text, part), "\"%s\" is in %s:\n%s", part, path, text);
    free(text);
}

/* All files and what they hold, but for our own notes: in the order of their paths. */
static struct buf *listing;

static int list_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)at;
    const char *rest = path + strlen(home);
    if (kind == FTW_F && strncmp(rest, "/.local/state/", 14) != 0) {
        char *text = text_of(rest + 1);
        buf_printf(listing, "%s %o\n%s\n", rest, st->st_mode & 07777, text);
        free(text);
    }
    return 0;
}

static char *all_files(void)
{
    struct buf out = {0};
    listing = &out;
    ck_assert_int_eq(nftw(home, list_one, 8, FTW_PHYS), 0);
    return buf_take(&out);
}

/* ---- putting in and taking away ---- */

static const struct {
    const char *what, *settings, *hooks; /* NULL: the file is missing */
} states[] = {
    {"missing", NULL, NULL},
    {"empty", "", ""},
    {"empty objects", "{}", "{}\n"},
    {"comments", "// mine\n{\n  // two\n  \"model\": \"x\" // end\n}\n", "{\n  /* none */ \"a\": 1\n}\n"},
    {"trailing commas", "{\n  \"permissions\": {\n    \"allow\": [\"a\",],\n  },\n}\n",
        "{\"hooks\": {\"Stop\": [{\"hooks\": []},]},}"},
    {"others' entries",
        "{\n\t\"permissions\": {\n\t\t\"deny\": [\n\t\t\t\"b\"\n\t\t]\n\t},\n\t\"statusLine\": {\"type\": "
        "\"command\", "
        "\"command\": \"mine\"}\n}\n",
        "{\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"x\"}]}]}}"},
    {"CRLF", "{\r\n  \"a\": 1\r\n}\r\n", "{\r\n}\r\n"},
    {"a byte order mark", "\xEF\xBB\xBF{\"a\": 1}\n", "\xEF\xBB\xBF{ \"a\": [] }"},
    {"unusual indentation", "{ \"a\":\n\n1,\n        \"b\": {\n }}",
        "{\n      \"hooks\"   :\n{ \"x\": []\n} }\n\n"},
    {"our permission, as a person's", "{\"permissions\": {\"allow\": [\"mcp__patchcord__*\"]}}",
        "{\"a\": \"}\"}"},
};

START_TEST(what_is_put_in_comes_out_without_a_trace)
{
    put(".codex/config.toml", "model = \"x\"\n");
    put(".cursor/argv.json", "{}");
    put(".claude/CLAUDE.md", "# mine\n");
    if (states[_i].settings)
        put(SETTINGS, states[_i].settings);
    if (states[_i].hooks)
        put(HOOKS, states[_i].hooks);
    char *before = all_files();
    must_run("install");
    expect_in(SETTINGS, "\"mcp__patchcord__*\"");
    expect_in(SETTINGS, "\"mcp__claude_ai_Patchcord__*\"");
    expect_in(SETTINGS, "\"mcp__claude_ai_patchcord__*\"");
    expect_in(SETTINGS, "patchcord@patchcord");
    expect_in(HOOKS, "hook stop --client codex");
    expect_in(".agents/skills/patchcord/SKILL.md", "name: patchcord");
    expect_in(".local/share/patchcord-plugin/claude/hooks/hooks.json",
        "/patchcord\", \"args\": [\"hook\", \"stop\"");
    char *once = all_files();
    must_run("install");
    char *twice = all_files();
    ck_assert_str_eq(once, twice);
    must_run("uninstall");
    char *after = all_files();
    ck_assert_msg(strcmp(before, after) == 0, "%s:\n%s\ninstead of\n%s", states[_i].what, after, before);
    free(after);
    free(twice);
    free(once);
    free(before);
}
END_TEST

static const struct {
    const char *file, *text, *says;
    mode_t mode;
} refused[] = {
    {SETTINGS, "{\"permissions\": ", "is not valid JSON", 0640},
    {SETTINGS, "{\"permissions\": {\"allow\": \"all\"}}", "something else than an array", 0640},
    {SETTINGS, "{\"a\": 1}", "is read-only", 0440},
    {HOOKS, "{\"hooks\": []", "is not valid JSON", 0640},
    {HOOKS, "{\"hooks\": []}", "something else than an object", 0640},
    {HOOKS, "{}", "is read-only", 0440},
};

START_TEST(what_is_not_understood_is_left_alone_and_named)
{
    put(".claude/CLAUDE.md", "");
    put(".codex/config.toml", "");
    put(refused[_i].file, refused[_i].text);
    char *path = below(refused[_i].file);
    ck_assert_int_eq(chmod(path, refused[_i].mode), 0);
    ck_assert_int_eq(run("install"), 1);
    says(&result.err, path);
    says(&result.err, refused[_i].says);
    if (refused[_i].mode == 0640 && strstr(refused[_i].text, "allow"))
        expect_in(refused[_i].file, "\"allow\": \"all\"");
    else
        expect_text(refused[_i].file, refused[_i].text);
    /* The others are set up all the same. */
    expect_in(strcmp(refused[_i].file, HOOKS) == 0 ? SETTINGS : HOOKS, "patchcord");
    free(path);
}
END_TEST

START_TEST(a_rehearsal_changes_nothing)
{
    put(SETTINGS, "{}");
    put(".codex/config.toml",
        "[mcp_servers.patchcord]\nurl = \"http://127.0.0.1:1/mcp\"\nhttp_headers = { Authorization = "
        "\"Bearer pc_x\" }\n");
    char *before = all_files();
    must_run("install --dry-run --full");
    says(&result.out, "permissions.allow");
    says(&result.out, "would be moved");
    must_run("uninstall --dry-run --purge");
    char *after = all_files();
    ck_assert_str_eq(before, after);
    free(after);
    free(before);
}
END_TEST

START_TEST(nothing_found_is_no_error)
{
    must_run("install");
    says(&result.out, "No agents' program that it sets up was found here");
    ck_assert_ptr_null(text_of(".agents/skills/patchcord/SKILL.md"));
    must_run("uninstall");
}
END_TEST

static const struct {
    const char *before, *wanted;
} lines[] = {
    {"{}", "/patchcord statusline --client claude_code\""},
    {"{\"statusLine\": {\"type\": \"command\", \"command\": \"node ~/.claude/patchcord-statusline.mjs\"}}",
        "/patchcord statusline --client claude_code\""},
    {"{\"statusLine\": {\"type\": \"command\", \"command\": \"my line\"}}", "\"my line\""},
};

START_TEST(a_status_line_of_another_tool_stays)
{
    put(SETTINGS, lines[_i].before);
    must_run("install");
    expect_in(SETTINGS, lines[_i].wanted);
    if (strstr(lines[_i].wanted, "my line"))
        says(&result.out, "your status line stays");
}
END_TEST

START_TEST(the_full_line_is_set_later_too)
{
    put(SETTINGS, "{}");
    must_run("install");
    must_run("install --full");
    expect_in(SETTINGS, "/patchcord statusline --client claude_code --full\"");
    must_run("uninstall");
    expect_text(SETTINGS, "{}");
}
END_TEST

START_TEST(what_somebody_changed_since_stays)
{
    put(SETTINGS, "{}");
    put(".codex/config.toml", "");
    must_run("install");
    char *text = text_of(SETTINGS);
    char *at = strstr(text, " statusline ");
    ck_assert_ptr_nonnull(at);
    at[strlen(" statusline") - 1] = 'E';
    put(SETTINGS, text);
    put(".agents/skills/patchcord/SKILL.md", "my own\n");
    must_run("uninstall");
    says(&result.out, "statusLine was changed since, and stays");
    says(&result.out, "SKILL.md was changed since, and stays");
    expect_in(SETTINGS, " statuslinE");
    expect_not_in(SETTINGS, "mcp__patchcord__");
    expect_text(".agents/skills/patchcord/SKILL.md", "my own\n");
    free(text);
}
END_TEST

START_TEST(purge_removes_tokens_and_queues)
{
    put(".codex/config.toml", "");
    put(".config/patchcord/credentials.json", "{\"version\": 1, \"entries\": []}");
    must_run("install");
    must_run("uninstall");
    expect_in(".config/patchcord/credentials.json", "version");
    must_run("install");
    must_run("uninstall --purge");
    ck_assert_ptr_null(text_of(".config/patchcord/credentials.json"));
    char *state = below(".local/state/patchcord");
    ck_assert_int_eq(access(state, F_OK), -1);
    free(state);
}
END_TEST

/* ---- tokens in other programs' files ---- */

static char *entry_with(const char *format, const char *url, const char *token)
{
    struct buf out = {0};
    for (; *format; format++) {
        if (*format == '@')
            buf_puts(&out, url);
        else if (*format == '$')
            buf_puts(&out, token);
        else
            buf_putc(&out, *format);
    }
    return buf_take(&out);
}

static const struct {
    const char *what, *file, *text, *kept, *entry;
} older[] = {
    {"Claude Code, for all", ".claude.json",
        "{\"numStartups\": 3, \"mcpServers\": {\"patchcord\": {\"type\": \"http\", \"url\": \"@/mcp\", "
        "\"headers\": "
        "{\"Authorization\": \"Bearer $\"}}}}",
        "\"numStartups\": 3", "\"--as\", \"front@shop\""},
    {"Claude Code, for a project", ".claude.json",
        "{\"projects\": {\"/work/shop\": {\"history\": [1], \"mcpServers\": {\"patchcord\": {\"type\": "
        "\"http\", \"url\": "
        "\"@/mcp\", \"headers\": {\"authorization\": \"bearer $\"}}}}}}",
        "\"history\": [1]", "\"--client\", \"claude_code\"]"},
    {"Codex", ".codex/config.toml",
        "model = \"x\"\n\n[mcp_servers.patchcord]\nurl = \"@/mcp/bearer\"\nhttp_headers = { "
        "\"Authorization\" = \"Bearer $\" }\n",
        "model = \"x\"", "\"--as\", \"front@shop\""},
    {"Codex, under the older name", ".codex/config.toml",
        "[mcp_servers.patchcord-codex]\nurl = \"@/mcp/bearer\"\nhttp_headers = { \"Authorization\" = "
        "\"Bearer $\", "
        "\"X-Patchcord-Machine\" = \"m\" }\ntool_timeout_sec = 300\n\n[tui]\nx = 1\n",
        "[tui]\nx = 1", "[mcp_servers.patchcord]"},
    {"Cursor, with a bridge", ".cursor/mcp.json",
        "{\"mcpServers\": {\"other\": {}, \"patchcord\": {\"command\": \"patchcord\", \"env\": "
        "{\"PATCHCORD_URL\": \"@\", "
        "\"PATCHCORD_TOKEN\": \"$\"}}}}",
        "\"other\": {}", "\"--as\", \"front@shop\""},
};

START_TEST(an_older_entrys_token_is_moved)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *token = relay_token(relay, "front@shop"), *text = entry_with(older[_i].text, relay->url, token);
    put(older[_i].file, text);
    must_run("install");
    says(&result.out, "is moved to the credentials file");
    expect_not_in(older[_i].file, token);
    expect_not_in(older[_i].file, "patchcord-codex");
    expect_in(older[_i].file, older[_i].kept);
    expect_in(older[_i].file, older[_i].entry);
    expect_in(".config/patchcord/credentials.json", token);
    expect_not_in(".local/state/patchcord/install/changes.json", token);
    must_run("uninstall");
    expect_not_in(older[_i].file, "patchcord");
    expect_in(older[_i].file, older[_i].kept);
    expect_in(".config/patchcord/credentials.json", token);
    free(text);
    free(token);
}
END_TEST

START_TEST(a_token_that_nobody_can_check_stays)
{
    char *text = entry_with(older[_i].text, "http://127.0.0.1:1", "pc_old");
    put(older[_i].file, text);
    ck_assert_int_eq(run("install"), 1);
    says(&result.err, "cannot be reached");
    says(&result.err, "stays as it is");
    expect_text(older[_i].file, text);
    free(text);
}
END_TEST

START_TEST(a_token_in_git_is_to_be_rotated)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *token = relay_token(relay, "front@shop"), *text = entry_with(older[2].text, relay->url, token);
    char *folder = below(".codex");
    put(older[2].file, text);
    struct program_result made;
    run_program((const char *const[]){"git", "-C", folder, "init", "-q", NULL}, NULL, NULL, RUN_MS, &made);
    program_result_free(&made);
    run_program(
        (const char *const[]){"git", "-C", folder, "add", "config.toml", NULL}, NULL, NULL, RUN_MS, &made);
    ck_assert_int_eq(made.exit_code, 0);
    program_result_free(&made);
    must_run("install");
    says(&result.out, "git has this file");
    says(&result.out, "patchcord-relay token rotate");
    free(folder);
    free(text);
    free(token);
}
END_TEST

START_TEST(claudes_own_folder_may_be_elsewhere)
{
    char *env = xasprintf("HOME=%s", home), *there = xasprintf("CLAUDE_CONFIG_DIR=%s/elsewhere", home);
    put("elsewhere/.claude.json", "{}");
    run_program((const char *const[]){"patchcord", "install", NULL},
        (const char *const[]){env, there, "XDG_STATE_HOME", "XDG_DATA_HOME", "PATH=/usr/bin:/bin", NULL},
        NULL, RUN_MS, &result);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    expect_in("elsewhere/settings.json", "mcp__patchcord__*");
    ck_assert_ptr_null(text_of(SETTINGS));
    free(there);
    free(env);
}
END_TEST

START_TEST(misuse_is_explained)
{
    ck_assert_int_eq(run("install --nonsense"), 2);
    says(&result.err, "unknown option --nonsense");
    ck_assert_int_eq(run("uninstall everything"), 2);
    says(&result.err, "it takes no argument but options");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("install");
    TCase *tests = tcase_create("install");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, what_is_put_in_comes_out_without_a_trace, 0, (int)LENGTH_OF(states));
    tcase_add_loop_test(tests, what_is_not_understood_is_left_alone_and_named, 0, (int)LENGTH_OF(refused));
    tcase_add_test(tests, a_rehearsal_changes_nothing);
    tcase_add_test(tests, nothing_found_is_no_error);
    tcase_add_loop_test(tests, a_status_line_of_another_tool_stays, 0, (int)LENGTH_OF(lines));
    tcase_add_test(tests, the_full_line_is_set_later_too);
    tcase_add_test(tests, what_somebody_changed_since_stays);
    tcase_add_test(tests, purge_removes_tokens_and_queues);
    tcase_add_loop_test(tests, an_older_entrys_token_is_moved, 0, (int)LENGTH_OF(older));
    tcase_add_loop_test(tests, a_token_that_nobody_can_check_stays, 0, (int)LENGTH_OF(older));
    tcase_add_test(tests, a_token_in_git_is_to_be_rotated);
    tcase_add_test(tests, claudes_own_folder_may_be_elsewhere);
    tcase_add_test(tests, misuse_is_explained);
    return run_suite(suite);
}
