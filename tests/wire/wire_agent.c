/* `patchcord agent` against a real relay: each program's configuration in twelve states, what is refused, and
 * where a token goes and where not. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { RUN_MS = 60 * 1000 };

static struct relay_process *relay;
static const char *home, *project;
static char *token, *program;
static struct program_result result;

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    token = relay_token(relay, "front@shop");
    home = temp_folder();
    project = temp_folder();
    const char *build = getenv("PATCHCORD_BUILD");
    char *there = xasprintf("%s/patchcord", build ? build : "build");
    program = realpath(there, NULL);
    ck_assert_ptr_nonnull(program);
    free(there);
}

static void teardown(void)
{
    program_result_free(&result);
    free(token);
    free(program);
    harness_cleanup();
}

/* ---- running it ---- */

/* Runs patchcord in the folder; words: its arguments, split at blanks. */
static int run_in(const char *folder, const char *words, const char *input, const char *more_env)
{
    char *at_home = xasprintf("HOME=%s", home), *split = xstrdup(words), *rest = NULL;
    const char *argv[32] = {"sh", "-c", "cd \"$0\" && exec \"$@\"", folder, program};
    const char *const env[] = {at_home, "XDG_CONFIG_HOME", "XDG_STATE_HOME", more_env, NULL};
    size_t n = 5;
    for (char *word = strtok_r(split, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[n++] = word;
    program_result_free(&result);
    run_program(argv, env, input, RUN_MS, &result);
    free(split);
    free(at_home);
    return result.exit_code;
}

static int agent(const char *client, const char *words)
{
    char *all = xasprintf("agent --client %s --server %s %s", client, relay->url, words);
    int exit_code = run_in(project, all, token, NULL);
    free(all);
    return exit_code;
}

static void says(const struct buf *where, const char *text)
{
    ck_assert_msg(strstr(buf_text(where), text) != NULL, "\"%s\" is not in:\n%s", text, buf_text(where));
}

/* ---- files ---- */

static char *below(const char *folder, const char *path)
{
    return xasprintf("%s/%s", folder, path);
}

/* NULL: there is none. */
static char *text_of(const char *path)
{
    enum { MAX = 64 * 1024 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct buf text = {0};
    ssize_t got = read(fd, buf_reserve(&text, MAX), MAX);
    ck_assert_int_ge(got, 0);
    buf_commit(&text, (size_t)got);
    close(fd);
    return buf_take(&text);
}

static void make_folders(const char *path)
{
    char *part = xstrdup(path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(part, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    free(part);
}

static void write_text(const char *path, const char *text)
{
    make_folders(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    ck_assert_int_eq(chmod(path, 0640), 0);
}

static void expect_text(const char *path, const char *wanted, const char *what)
{
    char *text = text_of(path);
    ck_assert_msg(text && strcmp(text, wanted) == 0, "%s: %s holds\n%s\ninstead of\n%s\n%s", what, path,
        text ? text : "(nothing)", wanted, buf_text(&result.err));
    free(text);
}

/* ---- each program's file ---- */

enum format { JSON, TOML };

static const struct row {
    const char *client, *path, *holder; /* path: in the project, else below home */
    bool global;
    enum format format;
} rows[] = {
    {"claude_code", ".mcp.json", "mcpServers", false, JSON},
    {"codex", ".codex/config.toml", "mcp_servers", false, TOML},
    {"gemini", ".gemini/settings.json", "mcpServers", false, JSON},
    {"cursor", ".cursor/mcp.json", "mcpServers", false, JSON},
    {"vscode", ".vscode/mcp.json", "servers", false, JSON},
    {"windsurf", ".codeium/windsurf/mcp_config.json", "mcpServers", true, JSON},
    {"zed", ".config/zed/settings.json", "context_servers", true, JSON},
    {"opencode", "opencode.json", "mcp", false, JSON},
    {"antigravity", ".gemini/antigravity/mcp_config.json", "mcpServers", true, JSON},
};

enum ending {
    MERGED,   /* and --remove brings back every byte */
    REPLACED, /* what was there of ours is ours now */
    GONE,     /* and --remove leaves no file */
    REFUSED,  /* not a byte changed */
};

enum state { FILE_IS_THERE, FILE_IS_MISSING, FILE_IS_READ_ONLY, FILE_IS_LINKED };

/* HOLDER stands for the name of the servers' table. */
static const struct variant {
    const char *what, *json, *toml, *kept; /* kept: has to be there after it, too */
    enum state state;
    enum ending ending;
} variants[] = {
    {"missing", "", "", "", FILE_IS_MISSING, GONE},
    {"empty", "", "", "", FILE_IS_THERE, GONE},
    {"comments", "// mine\n{\n    /* two */ \"theme\": \"dark\" // end\n}\n",
        "# mine\ntheme = \"dark\" # end\n", "dark", FILE_IS_THERE, MERGED},
    {"trailing commas", "{\n  \"list\": [1, 2,],\n}\n", "list = [ 1, 2, ]\n", "2,", FILE_IS_THERE, MERGED},
    {"other servers", "{\n  \"HOLDER\": {\n    \"other\": {\"command\": \"x\"}\n  }\n}\n",
        "[HOLDER.other]\ncommand = \"x\"\n", "other", FILE_IS_THERE, MERGED},
    {"unparsable", "{\"HOLDER\": {\"other\": }", "[HOLDER\n", "HOLDER", FILE_IS_THERE, REFUSED},
    {"another type", "{\"HOLDER\": 3}\n", "HOLDER = 3\n", "3", FILE_IS_THERE, REFUSED},
    {"read-only", "{\"a\": 1}\n", "a = 1\n", "1", FILE_IS_READ_ONLY, REFUSED},
    {"a link", "{\"a\": 1}\n", "a = 1\n", "1", FILE_IS_LINKED, MERGED},
    {"CRLF", "{\r\n  \"a\": 1\r\n}\r\n", "a = 1\r\n", "\r\n", FILE_IS_THERE, MERGED},
    {"a byte order mark", "\xEF\xBB\xBF{\"a\": 1}\n",
        "\xEF\xBB\xBF"
        "a = 1\n",
        "\xEF\xBB\xBF", FILE_IS_THERE, MERGED},
    {"unusual indentation", "{ \"a\": {\n        \"b\":\n1},\n \"HOLDER\"  :{\n     \"c\": {\n\"d\": []}}}",
        "   a.b=1\n\n\n  [ HOLDER . c ]\n\td =[]", "d", FILE_IS_THERE, MERGED},
    {"an older entry",
        "{\n  \"HOLDER\": {\n    \"patchcord\": {\n      \"url\": \"https://old.example.com/mcp\",\n      "
        "\"headers\": "
        "{\"Authorization\": \"Bearer pc_old\"},\n      \"env\": {\"PATCHCORD_TOKEN\": \"pc_env\", \"KEEP\": "
        "\"1\"}, \"timeout\": 9\n    },\n    \"z\": {}\n  }\n}\n",
        "[HOLDER.patchcord]\nurl = \"https://old.example.com/mcp/bearer\"\nhttp_headers = { Authorization = "
        "\"Bearer "
        "pc_old\" }\nenv = { PATCHCORD_TOKEN = \"pc_env\", KEEP = \"1\" }\ntimeout = 9\n\n[HOLDER.z]\n",
        "KEEP", FILE_IS_THERE, REPLACED},
};

static char *filled(const struct row *row, const struct variant *variant)
{
    const char *text = row->format == TOML ? variant->toml : variant->json;
    struct buf out = {0};
    for (const char *at; (at = strstr(text, "HOLDER")) != NULL; text = at + strlen("HOLDER")) {
        buf_append(&out, text, (size_t)(at - text));
        buf_puts(&out, row->holder);
    }
    buf_puts(&out, text);
    return buf_take(&out);
}

static void lay(const struct row *row, const struct variant *variant, const char *path, const char *text)
{
    make_folders(path);
    unlink(path);
    if (variant->state == FILE_IS_MISSING)
        return;
    if (variant->state != FILE_IS_LINKED) {
        write_text(path, text);
    } else {
        char *target = below(row->global ? home : project, "kept/elsewhere");
        write_text(target, text);
        ck_assert_int_eq(symlink(target, path), 0);
        free(target);
    }
    if (variant->state == FILE_IS_READ_ONLY)
        ck_assert_int_eq(chmod(path, 0440), 0);
}

static mode_t mode_of(const char *path, bool *is_link)
{
    struct stat st;
    ck_assert_int_eq(lstat(path, &st), 0);
    *is_link = S_ISLNK(st.st_mode);
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void check_written(const struct row *row, const struct variant *variant, const char *path)
{
    bool is_link;
    char *text = text_of(path);
    ck_assert_msg(text != NULL, "%s, %s: no file", row->client, variant->what);
    ck_assert_msg(strstr(text, "--client") && strstr(text, row->client) && strstr(text, variant->kept),
        "%s, %s:\n%s", row->client, variant->what, text);
    ck_assert_msg(!strstr(text, token) && !strstr(text, "pc_"), "%s, %s: a token in\n%s", row->client,
        variant->what, text);
    if (variant->state == FILE_IS_THERE)
        ck_assert_uint_eq(mode_of(path, &is_link), 0640);
    ck_assert_int_eq(variant->state == FILE_IS_LINKED, (mode_of(path, &is_link), is_link));
    free(text);
}

static void check_removed(
    const struct row *row, const struct variant *variant, const char *path, const char *before)
{
    ck_assert_msg(
        agent(row->client, "--remove") == 0, "%s, %s: %s", row->client, variant->what, buf_text(&result.err));
    char *text = text_of(path);
    if (variant->ending == GONE)
        ck_assert_msg(!text, "%s, %s: left\n%s", row->client, variant->what, text);
    else if (variant->ending == MERGED)
        expect_text(path, before, variant->what);
    else
        ck_assert_msg(text && strstr(text, "z") && !strstr(text, "patchcord"), "%s, %s: left\n%s",
            row->client, variant->what, text ? text : "(nothing)");
    free(text);
}

START_TEST(a_programs_file_is_merged_or_left_alone)
{
    const struct row *row = &rows[_i];
    char *path = below(row->global ? home : project, row->path);
    for (size_t i = 0; i < LENGTH_OF(variants); i++) {
        const struct variant *variant = &variants[i];
        char *before = filled(row, variant);
        lay(row, variant, path, before);
        int exit_code = agent(row->client, "--token -");
        if (variant->ending == REFUSED) {
            ck_assert_msg(exit_code == 1, "%s, %s: exit code %d", row->client, variant->what, exit_code);
            says(&result.err, path);
            expect_text(path, before, variant->what);
        } else {
            ck_assert_msg(exit_code == 0, "%s, %s: exit code %d, %s", row->client, variant->what, exit_code,
                buf_text(&result.err));
            says(&result.out, "front@shop");
            check_written(row, variant, path);
            check_removed(row, variant, path, before);
        }
        free(before);
    }
    free(path);
}
END_TEST

START_TEST(a_second_run_renews_from_what_is_stored)
{
    ck_assert_int_eq(agent("codex", "--token -"), 0);
    char *path = below(project, ".codex/config.toml"), *first = text_of(path);
    ck_assert_int_eq(run_in(project, "init --codex", NULL, NULL), 0);
    says(&result.out, "front@shop");
    expect_text(path, first, "renewed");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(run_in(project, "agent --codex", NULL, NULL), 0);
    expect_text(path, first, "renewed");
    free(first);
    free(path);
}
END_TEST

/* ---- identities ---- */

static char *stored(void)
{
    char *path = below(home, ".config/patchcord/credentials.json"), *text = text_of(path);
    free(path);
    return text;
}

START_TEST(another_token_takes_the_place_of_the_first)
{
    ck_assert_int_eq(agent("claude_code", "--token -"), 0);
    char *other = relay_token(relay, "back@shop"), *first = token;
    token = other;
    ck_assert_int_eq(agent("claude_code", "--token -"), 0);
    says(&result.out, "back@shop");
    char *text = stored();
    ck_assert(strstr(text, other) && !strstr(text, first));
    free(text);
    free(first);
}
END_TEST

START_TEST(a_refused_token_changes_nothing)
{
    char *path = below(project, ".mcp.json");
    free(token);
    token = xstrdup("pc_unknown");
    ck_assert_int_eq(agent("claude_code", "--token -"), 4);
    says(&result.err, "does not accept this token");
    ck_assert_ptr_null(text_of(path));
    ck_assert_ptr_null(stored());
    free(path);
}
END_TEST

static const struct {
    const char *words, *says;
    int exit_code;
} misuses[] = {
    {"agent", "which relay? Say --server URL. `patchcord-relay serve` starts one", 2},
    {"agent --token -", "which relay?", 2},
    {"agent --token pc_secret", "say --token -", 2},
    {"agent --client netscape", "--client takes one of: claude_code, codex, gemini", 2},
    {"agent --as a@b", "--as does not belong here", 2},
    {"agent --login --code X", "one of --token, --code and --login is enough", 2},
    {"agent --pin abc", "--pin takes sha256//", 2},
    {"agent --ca /nowhere --server http://localhost:1", "--ca /nowhere: No such file", 1},
    {"agent --server http://127.0.0.1:1 --token -", "cannot be reached", 1},
    {"agent --server http://relay.example.com --token -", "unencrypted", 1},
    {"agent extra", "it takes no argument but options", 2},
    {"agent --nonsense", "unknown option --nonsense", 2},
};

START_TEST(misuse_is_explained)
{
    ck_assert_msg(run_in(project, misuses[_i].words, token, NULL) == misuses[_i].exit_code, "%s: %d",
        misuses[_i].words, result.exit_code);
    says(&result.err, misuses[_i].says);
}
END_TEST

START_TEST(home_and_root_are_no_projects)
{
    char *words = xasprintf("agent --server %s --token -", relay->url);
    ck_assert_int_eq(run_in(home, words, token, NULL), 1);
    says(&result.err, "is no project's folder");
    ck_assert_int_eq(run_in("/", words, token, NULL), 1);
    says(&result.err, "is no project's folder");
    free(words);
}
END_TEST

START_TEST(print_only_shows)
{
    ck_assert_int_eq(agent("claude_code", "--print"), 0);
    says(&result.out, "\"mcpServers\"");
    char *path = below(project, ".mcp.json");
    ck_assert_ptr_null(text_of(path));
    ck_assert_ptr_null(stored());
    free(path);
}
END_TEST

/* The line that the operator sends somebody, as it stands. */
START_TEST(an_invitation_becomes_a_token_once)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    struct program_result invited;
    run_program((const char *const[]){"patchcord-relay", "invite", "--url", relay->url, "guest@shop", NULL},
        (const char *const[]){data, NULL}, NULL, RUN_MS, &invited);
    ck_assert_msg(invited.exit_code == 0, "%s", buf_text(&invited.err));
    const char *line = strstr(buf_text(&invited.out), "patchcord agent ");
    ck_assert_ptr_nonnull(line);
    char *words = xmemdup_text(line, strcspn(line, "\n"));
    ck_assert_msg(run_in(project, strchr(words, ' ') + 1, NULL, NULL) == 0, "%s", buf_text(&result.err));
    says(&result.out, "guest@shop");
    ck_assert_int_eq(run_in(project, "agents", NULL, NULL), 0);
    ck_assert_int_eq(run_in(project, strchr(words, ' ') + 1, NULL, NULL), 4);
    says(&result.err, "does not know this code");
    free(words);
    program_result_free(&invited);
    free(data);
}
END_TEST

/* ---- what stands in a project's file ---- */

/* A host that only listens: whatever came would wait to be accepted. */
static int listen_somewhere(char **url)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *url = xasprintf("http://127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

START_TEST(an_older_entrys_token_is_moved)
{
    char *path = below(project, ".mcp.json");
    char *older =
        xasprintf("{\"mcpServers\": {\"patchcord\": {\"type\": \"http\", \"url\": \"%s/mcp\", \"headers\": "
                  "{\"Authorization\": \"Bearer %s\", \"X-Patchcord-Client-Type\": \"claude_code\"}}}}",
            relay->url, token);
    write_text(path, older);
    ck_assert_int_eq(run_in(project, "agent", NULL, NULL), 0);
    says(&result.out, "it is replaced");
    ck_assert_ptr_null(strstr(buf_text(&result.out), "rotate"));
    char *text = text_of(path), *kept = stored();
    ck_assert(!strstr(text, token) && !strstr(text, "http") && strstr(kept, token));
    free(kept);
    free(text);

    write_text(path, older);
    const char *const init[] = {"git", "-C", project, "init", "-q", NULL};
    const char *const add[] = {"git", "-C", project, "add", ".mcp.json", NULL};
    struct program_result ignored;
    run_program(init, NULL, NULL, RUN_MS, &ignored);
    program_result_free(&ignored);
    run_program(add, NULL, NULL, RUN_MS, &ignored);
    ck_assert_int_eq(ignored.exit_code, 0);
    program_result_free(&ignored);
    ck_assert_int_eq(run_in(project, "agent", NULL, NULL), 0);
    says(&result.out, "git has");
    says(&result.out, "token rotate");
    free(older);
    free(path);
}
END_TEST

/* Such a token would be lines of a request of its own, to whatever listens on this machine. */
START_TEST(an_older_entrys_token_is_no_more_than_a_header_takes)
{
    char *url, *path = below(project, ".mcp.json");
    int host = listen_somewhere(&url);
    char *older = xasprintf("{\"mcpServers\": {\"patchcord\": {\"type\": \"http\", \"url\": \"%s/mcp\", "
                            "\"headers\": {\"Authorization\": \"Bearer x\\r\\n\\r\\nflush_all\"}}}}",
        url);
    write_text(path, older);
    ck_assert_int_eq(run_in(project, "agent", NULL, NULL), 2);
    says(&result.err, "which relay?");
    ck_assert_msg(accept(host, NULL, NULL) < 0 && errno == EAGAIN, "the host was called");
    close(host);
    free(older);
    free(path);
    free(url);
}
END_TEST

/* A repository in which git, asked for its files, fetches a folder that is missing by a program of the
 * repository's, and one that monitors them. */
static const char hostile_repository[] =
    "cd \"$0\" && git init -q && mkdir kept gone && echo 1 >kept/file && echo 2 >gone/file && git add -A && "
    "git -c user.name=a -c user.email=a@b commit -qm 1 && git sparse-checkout init --cone --sparse-index && "
    "git sparse-checkout set kept && object=$(git rev-parse HEAD:gone) && "
    "rm -f .git/objects/$(echo $object | cut -c 1-2)/$(echo $object | cut -c 3-) && "
    "git config remote.origin.url ssh://host/path && git config remote.origin.promisor true && "
    "git config extensions.partialClone origin && git config core.repositoryformatversion 1 && "
    "git config core.sshCommand \"touch '$0/ran'; false\" && "
    "git config core.fsmonitor \"touch '$0/ran'; false\"";

START_TEST(a_repositorys_own_programs_are_not_run)
{
    char *path = below(project, ".mcp.json"), *ran = below(project, "ran");
    char *older = xasprintf("{\"mcpServers\": {\"patchcord\": {\"type\": \"http\", \"url\": \"%s/mcp\", "
                            "\"headers\": {\"Authorization\": \"Bearer %s\"}}}}",
        relay->url, token);
    struct program_result made;
    write_text(path, older);
    run_program(
        (const char *const[]){"sh", "-c", hostile_repository, project, NULL}, NULL, NULL, RUN_MS, &made);
    ck_assert_msg(made.exit_code == 0, "%s", buf_text(&made.err));
    program_result_free(&made);
    (void)unlink(ran);
    ck_assert_msg(run_in(project, "agent", NULL, NULL) == 0, "%s", buf_text(&result.err));
    says(&result.out, "git has");
    ck_assert_msg(access(ran, F_OK) < 0, "a program of the repository's was run");
    free(older);
    free(ran);
    free(path);
}
END_TEST

START_TEST(what_is_stored_counts_before_a_projects_file)
{
    char *path = below(project, ".mcp.json"), *text;
    ck_assert_int_eq(agent("claude_code", "--token -"), 0);
    write_text(path,
        "{\"mcpServers\": {\"patchcord\": {\"type\": \"http\", \"url\": \"http://127.0.0.1:1/mcp\", "
        "\"headers\": {\"Authorization\": \"Bearer pc_theirs\"}}}}");
    ck_assert_int_eq(run_in(project, "agent", NULL, "PATCHCORD_TOKEN=pc_other"), 0);
    says(&result.out, relay->url);
    says(&result.out, "PATCHCORD_TOKEN is set in this shell");
    says(&result.out, "it is replaced.");
    text = stored();
    ck_assert(strstr(text, token) && !strstr(text, "pc_theirs"));
    free(text);
    free(path);
}
END_TEST

START_TEST(codexs_older_entry_goes)
{
    char *path = below(project, ".codex/config.toml");
    char *older = xasprintf(
        "[mcp_servers.patchcord-codex]\nurl = \"%s/mcp/bearer\"\nhttp_headers = { \"Authorization\" = "
        "\"Bearer %s\" }\n\n[tui]\n",
        relay->url, token);
    write_text(path, older);
    ck_assert_msg(run_in(project, "agent --codex", NULL, NULL) == 0, "%s", buf_text(&result.err));
    says(&result.out, "its relay and token are taken over");
    char *text = text_of(path);
    ck_assert_msg(!strstr(text, token) && !strstr(text, "patchcord-codex") &&
                      strstr(text, "[mcp_servers.patchcord]") && strstr(text, "[tui]"),
        "%s", text);
    free(text);
    free(older);
    free(path);
}
END_TEST

/* A bridge as the project's file starts it, and what its inbox says. */
static char *inbox_in_project(const char *env)
{
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-"
        "25\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"claude-code\",\"version\":\"1\"}}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"inbox\",\"arguments\":{}}}\n";
    ck_assert_int_eq(run_in(project, "mcp --client claude_code", call, env), 0);
    says(&result.out, "wait_for_message");
    return xstrdup(buf_text(&result.out));
}

START_TEST(a_foreign_host_in_a_projects_file_gets_nothing)
{
    char *url, *env;
    int host = listen_somewhere(&url);
    ck_assert_int_eq(agent("claude_code", "--token -"), 0);
    env = xasprintf("PATCHCORD_URL=%s", url);
    char *answer = inbox_in_project(env);
    ck_assert_msg(strstr(answer, "no identity is stored"), "%s", answer);
    ck_assert_msg(accept(host, NULL, NULL) < 0 && errno == EAGAIN, "the host was called");
    free(answer);
    answer = inbox_in_project(NULL);
    ck_assert_msg(strstr(answer, "front@shop"), "%s", answer);
    close(host);
    free(answer);
    free(env);
    free(url);
}
END_TEST

START_TEST(a_teammate_is_told_the_command)
{
    ck_assert_int_eq(agent("claude_code", "--token -"), 0);
    home = temp_folder();
    char *answer = inbox_in_project(NULL);
    ck_assert_msg(
        strstr(answer, "run `patchcord agent --server URL --token -` in this folder"), "%s", answer);
    free(answer);
}
END_TEST

START_TEST(a_link_out_of_the_project_is_not_followed)
{
    char *path = below(project, ".mcp.json"), *target = below(home, "settings.json");
    write_text(target, "{}\n");
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_int_eq(agent("claude_code", "--token -"), 1);
    says(&result.err, "is a link that leads out of");
    expect_text(target, "{}\n", "the link's target");
    ck_assert_ptr_null(stored());
    free(target);
    free(path);
}
END_TEST

/* ---- certificates of a relay's own ---- */

static char *pin_in(const char *text)
{
    const char *at = strstr(text, "sha256//");
    ck_assert_ptr_nonnull(at);
    return xmemdup_text(at, strcspn(at, " \r\n\"'"));
}

START_TEST(a_relay_is_trusted_by_pin_or_file)
{
    const char *folder = temp_folder();
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", folder), *cert = below(folder, "tls-cert.pem");
    char *with_cert = xasprintf("PATCHCORD_TLS_CERT=%s", cert),
         *with_key = xasprintf("PATCHCORD_TLS_KEY=%s/tls-key.pem", folder);
    struct program_result made;
    run_program((const char *const[]){"patchcord-relay", "tls-init", NULL}, (const char *const[]){data, NULL},
        NULL, RUN_MS, &made);
    ck_assert_int_eq(made.exit_code, 0);
    char *pin = pin_in(buf_text(&made.out));
    struct relay_process *tls = relay_start(folder, (const char *const[]){with_cert, with_key, NULL});
    char *own = relay_token(tls, "pinned@shop");
    char *plain = xasprintf("agent --server https://localhost:%d --token -", tls->port);
    ck_assert_int_eq(run_in(project, plain, own, NULL), 1);
    says(&result.err, "certificate");

    char *pinned = xasprintf("%s --pin %s", plain, pin), *by_file = xasprintf("%s --ca %s", plain, cert);
    ck_assert_msg(run_in(project, pinned, own, NULL) == 0, "%s", buf_text(&result.err));
    ck_assert_int_eq(run_in(project, "agents", NULL, NULL), 0); /* by what is stored */
    char *first = pin + strlen("sha256//");
    *first = *first == 'A' ? 'B' : 'A';
    char *mispinned = xasprintf("%s --pin %s", plain, pin);
    ck_assert_int_eq(run_in(project, mispinned, own, NULL), 1);
    says(&result.err, "cannot be reached");
    ck_assert_int_eq(run_in(project, "agent --remove", NULL, NULL), 0);
    ck_assert_msg(run_in(project, by_file, own, NULL) == 0, "%s", buf_text(&result.err));
    ck_assert_int_eq(run_in(project, "agents", NULL, NULL), 0);
    free(mispinned);
    free(by_file);
    free(pinned);
    free(plain);
    free(own);
    free(pin);
    program_result_free(&made);
    free(with_key);
    free(with_cert);
    free(cert);
    free(data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent");
    TCase *tests = tcase_create("agent");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 180);
    tcase_add_loop_test(tests, a_programs_file_is_merged_or_left_alone, 0, (int)LENGTH_OF(rows));
    tcase_add_test(tests, a_second_run_renews_from_what_is_stored);
    tcase_add_test(tests, another_token_takes_the_place_of_the_first);
    tcase_add_test(tests, a_refused_token_changes_nothing);
    tcase_add_loop_test(tests, misuse_is_explained, 0, (int)LENGTH_OF(misuses));
    tcase_add_test(tests, home_and_root_are_no_projects);
    tcase_add_test(tests, print_only_shows);
    tcase_add_test(tests, an_invitation_becomes_a_token_once);
    tcase_add_test(tests, an_older_entrys_token_is_moved);
    tcase_add_test(tests, an_older_entrys_token_is_no_more_than_a_header_takes);
    tcase_add_test(tests, a_repositorys_own_programs_are_not_run);
    tcase_add_test(tests, what_is_stored_counts_before_a_projects_file);
    tcase_add_test(tests, codexs_older_entry_goes);
    tcase_add_test(tests, a_foreign_host_in_a_projects_file_gets_nothing);
    tcase_add_test(tests, a_teammate_is_told_the_command);
    tcase_add_test(tests, a_link_out_of_the_project_is_not_followed);
    tcase_add_test(tests, a_relay_is_trusted_by_pin_or_file);
    return run_suite(suite);
}
