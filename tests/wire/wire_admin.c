/* The operator's commands, beside a relay that serves where that matters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_store.h"

enum { COMMAND_MS = 20 * 1000, SOON_MS = 5 * 1000, ARGS_MAX = 12, TOKEN_LEN = 46, ID_LEN = 12 };

static const char *data_dir;
static struct program_result result;
static struct http_reply reply;

static void setup(void)
{
    data_dir = temp_folder();
}

static void teardown(void)
{
    program_result_free(&result);
    http_reply_free(&reply);
}

/* Runs patchcord-relay with the words of line. */
static int run_in(const char *const *env, const char *line, const char *input)
{
    const char *argv[ARGS_MAX + 2] = {"patchcord-relay"};
    char *words = xstrdup(line), *rest = words, *word;
    size_t n = 1;
    while ((word = strsep(&rest, " ")) && n < ARGS_MAX)
        argv[n++] = word;
    program_result_free(&result);
    run_program(argv, env, input, COMMAND_MS, &result);
    free(words);
    return result.exit_code;
}

static int run_with(const char *folder, const char *line, const char *input)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", folder);
    const int exit_code = run_in((const char *const[]){data, NULL}, line, input);
    free(data);
    return exit_code;
}

static int run(const char *line)
{
    return run_with(data_dir, line, NULL);
}

static void must_run(const char *line)
{
    ck_assert_msg(run(line) == 0, "%s: %d: %s", line, result.exit_code, buf_text(&result.err));
}

static bool printed(const char *text)
{
    return strstr(buf_text(&result.out), text) != NULL;
}

static bool complained(const char *text)
{
    return strstr(buf_text(&result.err), text) != NULL;
}

/* What a command that failed says: one line, with that in it. */
static void assert_one_line(const char *text)
{
    const char *end = strchr(buf_text(&result.err), '\n');
    ck_assert_msg(complained(text), "no '%s' in: %s", text, buf_text(&result.err));
    ck_assert_msg(end && end[1] == '\0', "not one line: %s", buf_text(&result.err));
}

/* The one line of stdout. The caller frees. */
static char *line_out(void)
{
    char *line = xstrdup(buf_text(&result.out));
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static struct json_object *json_out(void)
{
    enum json_fault fault;
    struct json_object *value = json_parse(buf_text(&result.out), result.out.len, &fault);
    ck_assert_msg(value != NULL, "no JSON: %s", buf_text(&result.out));
    return value;
}

/* ---- usage ---- */

static const char *const commands[] = {"serve", "token add", "token list", "token revoke", "token rotate",
    "connect", "invite", "grants list", "grants revoke", "migrate", "cleanup", "backup", "restore", "status",
    "health", "tls-init", "export", "import"};

START_TEST(help)
{
    ck_assert_int_eq(run("--help"), 0);
    for (size_t i = 0; i < LENGTH_OF(commands); i++)
        ck_assert_msg(printed(commands[i]), "no %s", commands[i]);
    for (size_t i = 0; i < LENGTH_OF(commands); i++) {
        char *line = xasprintf("%s --help", commands[i]),
             *synopsis = xasprintf("Usage: patchcord-relay %s ", commands[i]);
        must_run(line);
        ck_assert(printed(synopsis));
        ck_assert(printed("EXIT STATUS"));
        ck_assert_str_eq(buf_text(&result.err), "");
        free(line);
        free(synopsis);
    }
    must_run("--version");
    ck_assert(printed("patchcord-relay "));
    must_run("man");
    ck_assert(printed(".TH patchcord-relay 8 "));
    must_run("completion bash");
    ck_assert(printed("complete -o default -F _patchcord-relay patchcord-relay\n"));
    must_run("token --help");
    ck_assert(printed("Usage: patchcord-relay token COMMAND"));
    ck_assert(printed("token rotate"));
    ck_assert(!printed("serve"));
}
END_TEST

START_TEST(wrong_usage)
{
    static const char *const lines[] = {"nonsense", "token", "token nonsense", "token add", "token add a b",
        "token add --unknown a", "token add --label", "token add --token secret a", "token revoke",
        "token revoke abcd --agent a:b", "token rotate a:b --grace soon", "backup", "restore", "export",
        "export a b", "import", "import --all a", "serve now", "connect", "connect --agent a b", "invite",
        "invite a b", "grants", "grants revoke", "grants revoke --all --client x", "grants revoke abcd --all",
        "man page", "completion", "completion tcsh"};
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        ck_assert_msg(run(lines[i]) == 2, "%s: %d", lines[i], result.exit_code);
        ck_assert_str_eq(buf_text(&result.out), "");
        ck_assert(complained("Usage: patchcord-relay"));
    }
    ck_assert_int_eq(run("token nonsense"), 2);
    ck_assert(complained("there is no command 'token nonsense'"));
}
END_TEST

START_TEST(bad_settings)
{
    program_result_free(&result);
    run_program((const char *const[]){"patchcord-relay", "serve", NULL},
        (const char *const[]){"PATCHCORD_PORT=70000", NULL}, NULL, COMMAND_MS, &result);
    ck_assert_int_eq(result.exit_code, 1);
    assert_one_line("PATCHCORD_PORT");
    ck_assert(complained("70000"));
    ck_assert_int_eq(run_with(data_dir, "status --env-file /nonexistent", NULL), 1);
    assert_one_line("/nonexistent");
}
END_TEST

/* A wrong folder has to be seen as such: none is made there, and it does not look like a relay without
 * agents. */
START_TEST(no_relay_in_the_folder)
{
    static const char *const lines[] = {"status", "connect --agent a", "invite a", "grants list",
        "grants revoke --all", "token list", "token revoke abcd", "token rotate a@b", "cleanup",
        "backup /nonexistent", "export /nonexistent"};
    char *folder = xasprintf("%s/not-there", data_dir);
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        ck_assert_msg(run_with(folder, lines[i], NULL) == 1, "%s: %d", lines[i], result.exit_code);
        assert_one_line("there is no relay's data in ");
        ck_assert(complained(folder));
        ck_assert_int_ne(access(folder, F_OK), 0);
    }
    free(folder);
}
END_TEST

/* Without settings the folder is a guess. */
START_TEST(no_store_is_begun_in_a_folder_that_nobody_named)
{
    static const char *const lines[] = {"token add a@b", "import -", "invite a@b", "status"};
    const char *parent = temp_folder();
    char *folder = xasprintf("%s/patchcord", parent), *home = xasprintf("XDG_DATA_HOME=%s", parent);
    const char *const env[] = {"PATCHCORD_DATA_DIR", home, NULL};
    for (size_t i = 0; i < LENGTH_OF(lines); i++) {
        ck_assert_msg(run_in(env, lines[i], "") == 1, "%s: %d", lines[i], result.exit_code);
        assert_one_line("PATCHCORD_DATA_DIR is not set");
        ck_assert(complained(folder));
        ck_assert_int_ne(access(folder, F_OK), 0);
    }
    ck_assert_msg(run_in(env, "migrate", NULL) == 0, "%s", buf_text(&result.err));
    ck_assert_msg(run_in(env, "token add a@b", NULL) == 0, "%s", buf_text(&result.err));
    free(home);
    free(folder);
}
END_TEST

START_TEST(env_file)
{
    char *path = xasprintf("%s/settings", temp_folder());
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(
        fprintf(
            file, "# settings\nexport PATCHCORD_DEFAULT_NAMESPACE=\"from-file\"\nPATCHCORD_DATA_DIR=/nope\n"),
        0);
    ck_assert_int_eq(fclose(file), 0);
    char *line = xasprintf("token add alice --env-file %s", path);
    must_run(line); /* the environment's folder wins */
    must_run("token list");
    ck_assert(printed("alice@from-file"));
    free(line);
    free(path);
}
END_TEST

/* ---- tokens ---- */

START_TEST(token_add)
{
    must_run("token add Alice");
    ck_assert_uint_eq(result.out.len, TOKEN_LEN + 1);
    ck_assert_int_eq(strncmp(buf_text(&result.out), "pc_", 3), 0);
    char *token = line_out();
    ck_assert(!complained(token));
    must_run("token add bob@team");
    must_run("token add team:carol --label its-label");
    must_run("token add --namespace Other dave");
    must_run("token list");
    ck_assert(printed("alice@default"));
    ck_assert(printed("bob@team"));
    ck_assert(printed("carol@team"));
    ck_assert(printed("dave@other"));
    ck_assert(printed("its-label"));
    ck_assert(!printed(token));
    free(token);

    static const struct {
        const char *line, *said;
    } refused[] = {
        {"token add patchcord", "the relay's own"},
        {"token add team:PATCHCORD", "the relay's own"},
        {"token add -- -x", "no agent"},
        {"token add a/b", "no agent"},
        {"token add --namespace a/b x", "no namespace"},
        {"token add --namespace one two:x", "two namespaces"},
    };
    for (size_t i = 0; i < LENGTH_OF(refused); i++) {
        ck_assert_msg(run(refused[i].line) == 1, "%s: %d", refused[i].line, result.exit_code);
        assert_one_line(refused[i].said);
    }
}
END_TEST

START_TEST(existing_tokens)
{
    ck_assert_int_eq(
        run_with(data_dir, "token add --token - alice", "  an-existing-token-of-good-length \n"), 0);
    ck_assert_str_eq(buf_text(&result.out), "");
    ck_assert_int_eq(run_with(data_dir, "token add --token - bob", "an-existing-token-of-good-length\n"), 1);
    ck_assert(complained("already"));
    ck_assert_int_eq(run_with(data_dir, "token add --token - bob", ""), 1);
    assert_one_line("no token came");
    ck_assert_int_eq(run_with(data_dir, "token add --token - bob", "with blanks inside of it\n"), 1);
    assert_one_line("visible ASCII");
}
END_TEST

START_TEST(list_as_json)
{
    must_run("token add team:alice --label x");
    must_run("token list --json");
    struct json_object *list = json_out(), *first = json_object_array_get_idx(list, 0);
    ck_assert_uint_eq(json_object_array_length(list), 1);
    ck_assert_uint_eq(strlen(json_text_or(first, "id", "")), ID_LEN);
    ck_assert_str_eq(json_text_or(first, "agent", ""), "alice");
    ck_assert_str_eq(json_text_or(first, "namespace", ""), "team");
    ck_assert_str_eq(json_text_or(first, "label", ""), "x");
    ck_assert_str_eq(json_text_or(first, "state", ""), "active");
    ck_assert_ptr_nonnull(json_text_or(first, "created_at", NULL));
    json_object_put(list);
}
END_TEST

START_TEST(revoke_tokens)
{
    must_run("token add team:alice");
    char *token = line_out();
    must_run("token add team:alice");
    must_run("token list --json");
    struct json_object *list = json_out();
    char *line = xasprintf("token revoke %s", json_text_or(json_object_array_get_idx(list, 0), "id", ""));
    must_run(line);
    ck_assert(printed("1 revoked"));
    ck_assert(complained(strrchr(line, ' ') + 1));
    ck_assert_int_eq(run(line), 1);
    assert_one_line("no such active token");
    ck_assert_int_eq(run("token revoke --agent team:nobody"), 1);
    assert_one_line("nobody@team has no active token");
    must_run("token add team:alice");
    must_run("token revoke --agent team:alice");
    ck_assert(printed("2 revoked"));
    ck_assert_int_eq(run_with(data_dir, "token revoke -", token), 1);
    must_run("token list");
    ck_assert(!printed(" active "));
    json_object_put(list);
    free(line);
    free(token);
}
END_TEST

/* A few digits are enough; the log has the id that token list shows. */
START_TEST(revoke_by_the_first_digits)
{
    must_run("token add team:alice");
    must_run("token list --json");
    struct json_object *list = json_out();
    const char *id = json_text_or(json_object_array_get_idx(list, 0), "id", "");
    char *line = xasprintf("token revoke %.4s", id);
    must_run(line);
    ck_assert(complained(id));
    json_object_put(list);
    free(line);
}
END_TEST

START_TEST(rotate)
{
    must_run("migrate");
    ck_assert_int_eq(run("token rotate team:alice"), 1);
    assert_one_line("token add");
    must_run("token add team:alice --label kept");
    must_run("token rotate team:alice --grace 1h");
    ck_assert_uint_eq(result.out.len, TOKEN_LEN + 1);
    must_run("token list --json");
    struct json_object *list = json_out();
    size_t ending = 0;
    ck_assert_uint_eq(json_object_array_length(list), 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_str_eq(json_text_or(json_object_array_get_idx(list, i), "state", ""), "active");
        ck_assert_str_eq(json_text_or(json_object_array_get_idx(list, i), "label", ""), "kept");
        ending += json_text_or(json_object_array_get_idx(list, i), "expires_at", NULL) != NULL;
    }
    ck_assert_uint_eq(ending, 1);
    json_object_put(list);
    must_run("token rotate team:alice");
    must_run("token list --json");
    list = json_out();
    size_t active = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        active += strcmp(json_text_or(json_object_array_get_idx(list, i), "state", ""), "active") == 0;
    ck_assert_uint_eq(active, 1);
    json_object_put(list);
}
END_TEST

/* ---- beside a relay that serves ---- */

static void send_message(struct relay_process *relay, const char *token, const char *to)
{
    char *body = xasprintf("{\"to_agent\":\"%s\",\"content\":\"hello\"}", to);
    http_reply_free(&reply);
    relay_call(relay, "POST", "/api/channel/send", token, NULL, body, &reply);
    ck_assert_int_eq(reply.status, 200);
    free(body);
}

START_TEST(nobody_yet)
{
    must_run("migrate");
    must_run("token list");
    ck_assert(printed("patchcord-relay token add"));
    must_run("status");
    ck_assert(printed("patchcord-relay token add"));
    ck_assert(printed("\noldest pending: -\n"));
    must_run("token list --json");
    ck_assert(printed("[]"));
}
END_TEST

START_TEST(status)
{
    struct relay_process *relay = relay_start(data_dir, NULL);
    char *alice = relay_token(relay, "alice@team");
    free(relay_token(relay, "bob@team"));
    send_message(relay, alice, "bob");
    send_message(relay, alice, "bob");
    must_run("status");
    ck_assert(printed("2 pending"));
    ck_assert(printed("\noldest pending: just now\nbans: 0\n"));
    ck_assert(printed("alice@team"));
    ck_assert(!printed(" \n"));
    must_run("status --json");
    struct json_object *body = json_out(), *messages, *agents;
    int64_t count;
    ck_assert_int_eq(json_get_object(body, "messages", &messages), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_int(messages, "pending", &count), JSON_FIELD_FOUND);
    ck_assert_int_eq(count, 2);
    ck_assert_ptr_nonnull(json_text_or(body, "oldest_pending", NULL));
    ck_assert_int_eq(json_get_array(body, "agents", &agents), JSON_FIELD_FOUND);
    ck_assert_uint_eq(json_object_array_length(agents), 2);
    json_object_put(body);
    free(alice);
}
END_TEST

START_TEST(health)
{
    struct relay_process *relay = relay_start(data_dir, NULL);
    char *port = xasprintf("PATCHCORD_PORT=%d", relay->port);
    const char *const argv[] = {"patchcord-relay", "health", NULL}, *const env[] = {port, NULL};
    program_result_free(&result);
    run_program(argv, env, NULL, COMMAND_MS, &result);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    ck_assert_uint_eq(result.out.len + result.err.len, 0);
    ck_assert_int_eq(relay_stop(relay), 0);
    program_result_free(&result);
    run_program(argv, env, NULL, COMMAND_MS, &result);
    ck_assert_int_eq(result.exit_code, 1);
    assert_one_line("no relay answers");
    free(port);
}
END_TEST

START_TEST(migrate_and_cleanup)
{
    must_run("migrate");
    ck_assert(printed("up to date"));
    must_run("migrate");
    ck_assert(printed("0 migrations applied"));
    struct relay_process *relay = relay_start(data_dir, NULL);
    must_run("migrate");
    ck_assert(printed("0 migrations applied"));
    must_run("cleanup --dry-run");
    ck_assert(printed("would be: 0 messages"));
    must_run("cleanup");
    ck_assert(printed("0 messages expired"));
    ck_assert_int_eq(relay_stop(relay), 0);
}
END_TEST

static mode_t mode_of(const char *folder, const char *name)
{
    struct stat st;
    char *path = xasprintf("%s/%s", folder, name);
    ck_assert_msg(stat(path, &st) == 0, "no %s", path);
    free(path);
    return st.st_mode & 0777;
}

START_TEST(backup_and_restore)
{
    struct relay_process *relay = relay_start(data_dir, NULL);
    char *alice = relay_token(relay, "alice@team"), *bob = relay_token(relay, "bob@team");
    send_message(relay, alice, "bob");
    must_run("tls-init"); /* a key in the folder */

    char *copy = xasprintf("%s/copy", temp_folder()), *line = xasprintf("backup %s", copy);
    must_run(line);
    ck_assert_uint_eq(mode_of(copy, "."), 0700);
    ck_assert_uint_eq(mode_of(copy, "patchcord.db"), 0600);
    ck_assert_uint_eq(mode_of(copy, "tls-key.pem"), 0600);
    send_message(relay, alice, "bob"); /* not in the backup */
    ck_assert_int_eq(run(line), 1);
    assert_one_line("is not empty");
    free(line);
    line = xasprintf("backup %s/inside", data_dir);
    ck_assert_int_eq(run(line), 1);
    assert_one_line("belongs elsewhere");
    free(line);

    line = xasprintf("restore %s", copy);
    ck_assert_int_eq(run(line), 1); /* a relay serves there, and the folder is not empty */
    assert_one_line("is not empty");
    const char *elsewhere = temp_folder();
    ck_assert_msg(run_with(elsewhere, line, NULL) == 0, "%s", buf_text(&result.err));
    ck_assert_uint_eq(mode_of(elsewhere, "tls-key.pem"), 0600);
    struct relay_process *restored = relay_start(elsewhere, NULL);
    http_reply_free(&reply);
    relay_call(restored, "GET", "/api/inbox?limit=10", bob, NULL, NULL, &reply);
    int64_t pending = 0;
    ck_assert_int_eq(json_get_int(reply.json, "pending_count", &pending), JSON_FIELD_FOUND);
    ck_assert_int_eq(pending, 1);
    free(line);
    free(copy);
    free(alice);
    free(bob);
}
END_TEST

START_TEST(restore_of_what_is_no_backup)
{
    const char *source = temp_folder();
    char *line = xasprintf("restore %s", source), *database = xasprintf("%s/patchcord.db", source);
    ck_assert_int_eq(run(line), 1);
    assert_one_line("no backup");
    FILE *file = fopen(database, "we");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 4096; i++)
        ck_assert_int_gt(fprintf(file, "garbage "), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(run(line), 1);
    ck_assert(complained("nothing was restored"));
    ck_assert_int_eq(run("status"), 1); /* the folder is as empty as it was */
    assert_one_line("there is no relay's data in ");
    free(line);
    free(database);
}
END_TEST

/* ---- TLS ---- */

START_TEST(tls_init)
{
    must_run("tls-init --host relay.lan --host 192.0.2.7");
    ck_assert_uint_eq(mode_of(data_dir, "tls-key.pem"), 0600);
    char *cert = xasprintf("PATCHCORD_TLS_CERT=%s/tls-cert.pem", data_dir),
         *key = xasprintf("PATCHCORD_TLS_KEY=%s/tls-key.pem", data_dir);
    ck_assert(printed(cert));
    ck_assert(printed(key));
    const char *pin = strstr(buf_text(&result.out), "sha256//");
    ck_assert_ptr_nonnull(pin);
    ck_assert_uint_eq(strcspn(pin, "\n"), strlen("sha256//") + 44);
    char *kept = xmemdup_text(pin, strcspn(pin, "\n"));
    ck_assert_int_eq(run("tls-init"), 1);
    assert_one_line("not overwritten");

    struct relay_process *relay = relay_start(data_dir, (const char *const[]){cert, key, NULL});
    ck_assert_int_eq(strncmp(relay->url, "https://", 8), 0);
    struct program_result curl;
    char *url = xasprintf("%s/health", relay->url);
    run_program((const char *const[]){"curl", "-sS", "-k", "--pinnedpubkey", kept, url, NULL}, NULL, NULL,
        COMMAND_MS, &curl);
    ck_assert_msg(curl.exit_code == 0, "%s", buf_text(&curl.err));
    program_result_free(&curl);
    char *file = xasprintf("%s/tls-cert.pem", data_dir),
         *lan = xasprintf("https://relay.lan:%d/health", relay->port),
         *resolve = xasprintf("relay.lan:%d:127.0.0.1", relay->port);
    run_program((const char *const[]){"curl", "-sS", "--cacert", file, "--resolve", resolve, lan, NULL}, NULL,
        NULL, COMMAND_MS, &curl);
    ck_assert_msg(curl.exit_code == 0, "%s", buf_text(&curl.err));
    program_result_free(&curl);
    char *port = xasprintf("PATCHCORD_PORT=%d", relay->port);
    program_result_free(&result);
    run_program((const char *const[]){"patchcord-relay", "health", NULL},
        (const char *const[]){port, cert, key, NULL}, NULL, COMMAND_MS, &result);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    free(cert);
    free(key);
    free(kept);
    free(url);
    free(file);
    free(lan);
    free(resolve);
    free(port);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin");
    TCase *tests = harness_case(suite, "admin");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, help);
    tcase_add_test(tests, wrong_usage);
    tcase_add_test(tests, bad_settings);
    harness_add_embedded(tests, no_relay_in_the_folder);
    tcase_add_test(tests, no_store_is_begun_in_a_folder_that_nobody_named);
    tcase_add_test(tests, env_file);
    tcase_add_test(tests, token_add);
    tcase_add_test(tests, existing_tokens);
    tcase_add_test(tests, list_as_json);
    tcase_add_test(tests, revoke_tokens);
    tcase_add_test(tests, revoke_by_the_first_digits);
    tcase_add_test(tests, rotate);
    tcase_add_test(tests, nobody_yet);
    tcase_add_test(tests, status);
    tcase_add_test(tests, health);
    tcase_add_test(tests, migrate_and_cleanup);
    harness_add_embedded(tests, backup_and_restore);
    harness_add_embedded(tests, restore_of_what_is_no_backup);
    tcase_add_test(tests, tls_init);
    return run_suite(suite);
}
