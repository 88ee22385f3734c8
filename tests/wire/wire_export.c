/* export and import: everything of one relay in another, on the kind of store under test by way of the
 * embedded one. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { COMMAND_MS = 60 * 1000, SOON_MS = 10 * 1000, ARGS_MAX = 8 };

/* Empty: the embedded store, whatever is under test. */
#define EMBEDDED "PATCHCORD_DATABASE_URL="

static struct program_result result;
static char *file; /* of the export */

static void setup(void)
{
    file = xasprintf("%s/all.jsonl", temp_folder());
}

static void teardown(void)
{
    program_result_free(&result);
    free(file);
}

/* Runs patchcord-relay with the words of line on that folder; store NULL: the one under test. */
static int run(const char *data_dir, const char *store, const char *line, const char *input)
{
    const char *argv[ARGS_MAX + 2] = {"patchcord-relay"};
    char *words = xstrdup(line), *rest = words, *data = xasprintf("PATCHCORD_DATA_DIR=%s", data_dir);
    size_t n = 1;
    for (const char *word; n < ARGS_MAX && (word = strsep(&rest, " "));)
        argv[n++] = word;
    program_result_free(&result);
    run_program(argv, (const char *const[]){data, store, NULL}, input, COMMAND_MS, &result);
    free(words);
    free(data);
    return result.exit_code;
}

/* The command with a file's name behind it. */
static int run_file(const char *data_dir, const char *store, const char *command, const char *path)
{
    char *line = xasprintf("%s %s", command, path);
    const int code = run(data_dir, store, line, NULL);
    free(line);
    return code;
}

static void must_run(const char *data_dir, const char *store, const char *command, const char *path)
{
    ck_assert_msg(run_file(data_dir, store, command, path) == 0, "%s: %s", command, buf_text(&result.err));
}

static bool printed(const char *text)
{
    return strstr(buf_text(&result.out), text) != NULL;
}

static void complained(const char *text)
{
    ck_assert_msg(strstr(buf_text(&result.err), text) != NULL, "no '%s' in: %s", text, buf_text(&result.err));
}

static struct buf contents(const char *path)
{
    struct buf text = {0};
    FILE *stream = fopen(path, "re");
    ck_assert_ptr_nonnull(stream);
    for (size_t got = 1; got > 0;) {
        got = fread(buf_reserve(&text, 65536), 1, 65536, stream);
        buf_commit(&text, got);
    }
    ck_assert_int_eq(fclose(stream), 0);
    return text;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *stream = fopen(path, "we");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, len, stream), len);
    ck_assert_int_eq(fclose(stream), 0);
}

/* An export of that folder is the same as the one in file. */
static void exports_the_same(const char *data_dir, const char *store, const char *command)
{
    char *other = xasprintf("%s.again", file);
    must_run(data_dir, store, command, other);
    struct buf one = contents(file), two = contents(other);
    ck_assert_str_eq(buf_text(&one), buf_text(&two));
    buf_free(&one);
    buf_free(&two);
    free(other);
}

/* ---- a relay with something in it ---- */

struct talk {
    struct relay_process *relay;
    char *alice, *bob; /* tokens */
    char *waiting;     /* the id of what waits for bob */
};

/* A new token on the relay's own kind of store. The caller frees. */
static char *token_add(const struct relay_process *relay, const char *store, const char *address)
{
    char *line = xasprintf("token add %s", address);
    ck_assert_int_eq(run(relay->data_dir, store, line, NULL), 0);
    char *token = xstrdup(buf_text(&result.out));
    token[strcspn(token, "\n")] = '\0';
    free(line);
    return token;
}

static struct talk talk_begin(const char *store)
{
    struct talk t = {
        .relay = relay_start(NULL, (const char *const[]){"PATCHCORD_OUTPUT_FORMAT=json", store, NULL})};
    t.alice = token_add(t.relay, store, "alice@team");
    t.bob = token_add(t.relay, store, "bob@team");
    free(tool_ok(t.relay, t.alice, "send_message",
        "{\"to\":\"bob\",\"content\":\"the first octopus\",\"thread\":\"plans\"}"));
    tool_says(t.relay, t.bob, "inbox", "{}", "the first octopus");
    tool_soon_says(t.relay, t.bob, "inbox", "{}", "| 0 pending");
    free(tool_ok(t.relay, t.bob, "send_message",
        "{\"to\":\"alice\",\"content\":\"understood\",\"thread\":\"plans\"}"));
    tool_says(t.relay, t.alice, "inbox", "{}", "understood");
    tool_soon_says(t.relay, t.alice, "inbox", "{}", "| 0 pending");
    t.waiting = tool_send(t.relay, t.alice, "bob", "and this waits");
    return t;
}

static void talk_free(struct talk *t)
{
    free(t->alice);
    free(t->bob);
    free(t->waiting);
}

struct asked {
    const struct relay_process *relay;
    const char *token;
};

static bool lets_in(void *arg)
{
    const struct asked *asked = arg;
    struct http_reply reply;
    relay_call(asked->relay, "GET", "/api/inbox?count_only=1", asked->token, NULL, NULL, &reply);
    const bool is_in = reply.status == 200;
    http_reply_free(&reply);
    return is_in;
}

/* ---- tests ---- */

/* Embedded, then the one under test, then embedded again: the same each time, and tokens, threads and what
 * waits go on working beside relays that serve. */
START_TEST(there_and_back)
{
    struct talk t = talk_begin(EMBEDDED);
    struct stat st;
    must_run(t.relay->data_dir, EMBEDDED, "export", file);
    ck_assert(printed("exported to "));
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);

    struct relay_process *other = relay_start(NULL, NULL);
    struct asked asked = {other, t.bob};
    ck_assert(!lets_in(&asked));
    must_run(other->data_dir, NULL, "import", file);
    ck_assert(printed("message   3 taken, 0 passed over\n"));
    ck_assert(printed("token     2 taken, 0 passed over\n"));
    exports_the_same(other->data_dir, NULL, "export");
    must_run(other->data_dir, NULL, "import", file);
    ck_assert(printed("message   0 taken, 3 passed over\n"));
    exports_the_same(other->data_dir, NULL, "export");

    const char *back = temp_folder();
    must_run(back, EMBEDDED, "import", file);
    exports_the_same(back, EMBEDDED, "export");

    struct relay_process *last = relay_start(back, (const char *const[]){EMBEDDED, NULL});
    struct relay_process *const relays[] = {other, last};
    for (size_t i = 0; i < LENGTH_OF(relays); i++) {
        asked.relay = relays[i];
        ck_assert(poll_until(lets_in, &asked, SOON_MS));
        tool_says(relays[i], t.bob, "inbox", "{}", "and this waits");
        tool_says(relays[i], t.bob, "recall", "{\"query\":\"octopus\"}", "the first octopus");
        tool_says(relays[i], t.bob, "recall", "{\"thread\":\"plans\"}", "understood");
        char *reply = xasprintf("{\"message_id\":\"%s\",\"content\":\"no longer\"}", t.waiting);
        free(tool_ok(relays[i], t.bob, "reply", reply));
        tool_says(relays[i], t.alice, "inbox", "{}", "no longer");
        free(reply);
    }
    talk_free(&t);
}
END_TEST

START_TEST(through_a_pipe)
{
    struct talk t = talk_begin(NULL);
    ck_assert_int_eq(run(t.relay->data_dir, NULL, "export -", NULL), 0);
    char *text = xstrdup(buf_text(&result.out));
    ck_assert_int_eq(strncmp(text, "{\"patchcord_export\":1}\n", 22), 0);
    write_file(file, text, strlen(text));
    const char *folder = temp_folder();
    ck_assert_msg(run(folder, NULL, "import -", text) == 0, "%s", buf_text(&result.err));
    exports_the_same(folder, NULL, "export");
    free(text);
    talk_free(&t);
}
END_TEST

/* ---- attachments ---- */

enum { LARGE = 300 * 1000 };

/* Stores it for bob, and returns its path. The caller frees. */
static char *stored(const struct talk *t, const char *name, const char *body)
{
    char *args = xasprintf("{\"filename\":\"%s\"}", name);
    char *params = xasprintf("{\"name\":\"upload_attachment\",\"arguments\":%s}", args);
    struct json_object *answer = mcp_request(t->relay, t->alice, "tools/call", params, NULL), *found = NULL,
                       *granted = NULL;
    ck_assert_int_eq(json_get_object(answer, "result", &found), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(found, "structuredContent", &granted), JSON_FIELD_FOUND);
    struct http_reply reply;
    http_call("PUT", json_text_or(granted, "upload_url", ""),
        (const char *const[]){"Content-Type: text/plain", NULL}, body, &reply);
    ck_assert(
        reply.status == 200 || reply.status == 201); /* the relay itself, or where the attachments are */
    char *path = xstrdup(json_text_or(granted, "path", ""));
    http_reply_free(&reply);
    json_object_put(answer);
    free(params);
    free(args);
    return path;
}

/* A relay with three of them, one of several chunks and one that is empty. */
static struct talk talk_with_files(char *paths[static 3])
{
    struct talk t = talk_begin(NULL);
    char *large = xmalloc(LARGE + 1);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)('a' + i * i % 26);
    large[LARGE] = '\0';
    paths[0] = stored(&t, "small.txt", "a few words");
    paths[1] = stored(&t, "large.txt", large);
    paths[2] = stored(&t, "empty.txt", "");
    free(large);
    return t;
}

START_TEST(attachments_come_along)
{
    char *paths[3];
    struct talk t = talk_with_files(paths);
    must_run(t.relay->data_dir, NULL, "export --files", file);
    ck_assert(printed("3 attachments"));

    /* Without the option they are passed over; with it they are taken, once. */
    const char *folder = temp_folder();
    must_run(folder, NULL, "import", file);
    ck_assert(printed("file      0 taken, 3 passed over\n"));
    must_run(folder, NULL, "import --files", file);
    ck_assert(printed("file      3 taken, 0 passed over\n"));
    ck_assert(printed("message   0 taken, 3 passed over\n"));
    must_run(folder, NULL, "import --files", file);
    ck_assert(printed("file      0 taken, 3 passed over\n"));
    exports_the_same(folder, NULL, "export --files");

    struct relay_process *other = relay_start(folder, NULL);
    char *args = xasprintf("{\"path\":\"%s\"}", paths[0]);
    tool_says(other, t.bob, "get_attachment", args, "a few words");
    free(args);
    for (size_t i = 0; i < LENGTH_OF(paths); i++)
        free(paths[i]);
    talk_free(&t);
}
END_TEST

START_TEST(attachments_obey_the_limits_there)
{
    char *paths[3];
    struct talk t = talk_with_files(paths);
    must_run(t.relay->data_dir, NULL, "export --files", file);
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
    program_result_free(&result);
    run_program((const char *const[]){"patchcord-relay", "import", "--files", file, NULL},
        (const char *const[]){data, "PATCHCORD_ATTACHMENT_MAX_BYTES=100000", NULL}, NULL, COMMAND_MS,
        &result);
    ck_assert_int_eq(result.exit_code, 1);
    complained(paths[1]);
    complained("is larger than allowed");
    free(data);
    for (size_t i = 0; i < LENGTH_OF(paths); i++)
        free(paths[i]);
    talk_free(&t);
}
END_TEST

/* Every attachment's content is held against its hash, and nothing of one that is damaged is left. */
START_TEST(a_damaged_attachment_is_refused)
{
    char *paths[3];
    struct talk t = talk_with_files(paths);
    must_run(t.relay->data_dir, NULL, "export --files", file);
    struct buf text = contents(file);
    char *small = strstr(text.data, "YSBmZXcgd29yZHM="); /* "a few words" */
    ck_assert_ptr_nonnull(small);
    small[1] = 'T';
    write_file(file, text.data, text.len);
    const char *folder = temp_folder();
    ck_assert_int_eq(run_file(folder, NULL, "import --files", file), 1);
    complained("SHA-256");
    complained("line ");
    ck_assert(printed("file      2 taken, 0 passed over\n") ||
              printed("file      1 taken, 0 passed over\n") || !printed("file "));
    small[1] = 'S';
    write_file(file, text.data, text.len);
    must_run(folder, NULL, "import --files", file);
    exports_the_same(folder, NULL, "export --files");
    buf_free(&text);
    for (size_t i = 0; i < LENGTH_OF(paths); i++)
        free(paths[i]);
    talk_free(&t);
}
END_TEST

/* ---- files that are none ---- */

START_TEST(a_malformed_line_ends_the_import)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "ends in the middle, after line 0"},
        {"{\"patchcord_export\":1}\n", "ends in the middle, after line 1"},
        {"{\"patchcord_export\":2}\n", "line 1: the export has version 2"},
        {"{\"kind\":\"end\",\"lines\":0}\n", "line 1: it is no export"},
        {"a text\n", "line 1: it is not valid JSON"},
        {"{\"patchcord_export\":1}\n{\"patchcord_export\":1}\n", "line 2: an export begins"},
        {"{\"patchcord_export\":1}\n\n", "line 2: it is empty"},
        {"{\"patchcord_export\":1}\n{\"kind\":\"end\",\"lines\":1}\n", "line 2: it says that 1 lines"},
        {"{\"patchcord_export\":1}\n{\"kind\":\"end\",\"lines\":0}\n{}\n", "line 3: "},
        {"{\"patchcord_export\":1}\n{\"kind\":\"end\",\"lines\":0}\n{\"kind\":\"end\",\"lines\":0}\n",
            "line 3: something stands behind the end"},
        {"{\"patchcord_export\":1}\n{\"kind\":\"chunk\",\"base64\":\"YWJj\"}\n", "line 2: it belongs to no"},
        {"{\"patchcord_export\":1}\n{\"kind\":\"message\"}\n", "line 2: its \"seq\" is missing"},
    };
    const char *folder = temp_folder();
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        write_file(file, rows[i].text, strlen(rows[i].text));
        ck_assert_msg(run_file(folder, NULL, "import", file) == 1, "%s", rows[i].text);
        complained(rows[i].says);
        ck_assert_str_eq(buf_text(&result.out), "");
    }
    static const char empty[] = "{\"patchcord_export\":1}\n{\"kind\":\"end\",\"lines\":0}";
    write_file(file, empty, strlen(empty));
    must_run(folder, NULL, "import", file);
}
END_TEST

/* Cut off at any line, what was taken is told, and the whole file goes on from there. */
START_TEST(one_that_was_cut_off_goes_on)
{
    struct talk t = talk_begin(NULL);
    const char *folder = temp_folder();
    must_run(t.relay->data_dir, NULL, "export", file);
    struct buf text = contents(file);
    char *part = xasprintf("%s.part", file);
    size_t lines = 0;
    for (const char *end = text.data; (end = strchr(end, '\n')); end++) {
        const size_t len = (size_t)(end - text.data);
        lines++;
        if (len + 1 == text.len)
            break;
        write_file(part, text.data, len + 1);
        ck_assert_int_eq(run_file(folder, NULL, "import", part), 1);
        complained("ends in the middle");
        write_file(part, text.data, len - 1);
        ck_assert_int_eq(run_file(folder, NULL, "import", part), 1);
        complained("line ");
    }
    ck_assert_uint_gt(lines, 7);
    must_run(folder, NULL, "import", file);
    exports_the_same(folder, NULL, "export");
    buf_free(&text);
    free(part);
    talk_free(&t);
}
END_TEST

static size_t entries(const char *path)
{
    DIR *dir = opendir(path);
    size_t count = 0;
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] == '.' ? 0 : 1;
    (void)closedir(dir);
    return count;
}

START_TEST(what_cannot_be_read_or_written_is_said)
{
    const char *folder = temp_folder(), *target = temp_folder();
    char *line = xasprintf("export %s/not-there/file", target);
    ck_assert_int_eq(run(folder, EMBEDDED, line, NULL), 1);
    complained("there is no relay's data in ");
    free(line);
    ck_assert_int_eq(run(folder, EMBEDDED, "token add a@b", NULL), 0);
    line = xasprintf("export %s/not-there/file", target);
    ck_assert_int_eq(run(folder, EMBEDDED, line, NULL), 1);
    complained("nothing was exported: cannot write");
    free(line);
    /* A folder of that name: the file cannot be published, and nothing of it stays. */
    line = xasprintf("%s/taken", target);
    ck_assert_int_eq(mkdir(line, 0700), 0);
    ck_assert_int_eq(run_file(folder, EMBEDDED, "export", line), 1);
    complained("nothing was exported");
    ck_assert_uint_eq(entries(target), 1);
    free(line);
    ck_assert_int_eq(run(folder, EMBEDDED, "import /nonexistent", NULL), 1);
    complained("cannot read /nonexistent");
    ck_assert_int_eq(run(folder, EMBEDDED, "import /", NULL), 1);
    complained("it cannot be read");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export");
    TCase *tests = harness_case(suite, "export");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, there_and_back);
    tcase_add_test(tests, through_a_pipe);
    tcase_add_test(tests, attachments_come_along);
    tcase_add_test(tests, attachments_obey_the_limits_there);
    tcase_add_test(tests, a_damaged_attachment_is_refused);
    tcase_add_test(tests, a_malformed_line_ends_the_import);
    tcase_add_test(tests, one_that_was_cut_off_goes_on);
    tcase_add_test(tests, what_cannot_be_read_or_written_is_said);
    return run_suite(suite);
}
