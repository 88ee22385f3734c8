/* Files through the bridge: from one project's folder to another's past the models, and not from or to
 * anywhere else. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/secret.h"
#include "../harness.h"
#include "../harness_store.h"
#include "../harness_peer.h"

enum { ANSWER_MS = 20 * 1000, COMMAND_MS = 20 * 1000, BIG_BYTES = 9 * 1000 * 1000, NOTHING_MS = 150 };

static struct relay_process *relay;
static char *front_token, *back_token;
static const char *front_folder, *back_folder; /* the projects */
static struct bridge_process *front, *back;

/* ---- projects ---- */

/* The build folder's name has to hold wherever we are. */
static void fix_build(void)
{
    const char *build = getenv("PATCHCORD_BUILD");
    char *absolute = realpath(build ? build : "build", NULL);
    ck_assert_ptr_nonnull(absolute);
    setenv("PATCHCORD_BUILD", absolute, 1);
    free(absolute);
}

static struct bridge_process *bridge_in(const char *folder, const struct relay_process *at, const char *token,
    const char *const env[], const char *const args[])
{
    char *before = realpath(".", NULL);
    ck_assert_int_eq(chdir(folder), 0);
    struct bridge_process *bridge = bridge_start_with(at, token, env, args);
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    return bridge;
}

static const char *const nothing[] = {NULL};

static void two_projects(void)
{
    fix_build();
    relay = relay_start(NULL, NULL);
    front_token = relay_token(relay, "frontend@shop");
    back_token = relay_token(relay, "backend@shop");
    front_folder = temp_folder();
    back_folder = temp_folder();
    front = bridge_in(front_folder, relay, front_token, NULL, nothing);
    back = bridge_in(back_folder, relay, back_token, NULL, nothing);
}

static void forget_tokens(void)
{
    free(front_token);
    free(back_token);
    front_token = back_token = NULL;
}

static char *in(const char *folder, const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t len)
{
    char *path = in(folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    write_file(folder, name, text, strlen(text));
}

static struct buf read_file(const char *folder, const char *name)
{
    enum { CHUNK = 1 << 20 };
    char *path = in(folder, name);
    struct buf bytes = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ssize_t got;
    while ((got = read(fd, buf_reserve(&bytes, CHUNK), CHUNK)) > 0)
        buf_commit(&bytes, (size_t)got);
    close(fd);
    free(path);
    return bytes;
}

static void expect_text_in(const char *folder, const char *name, const char *text)
{
    struct buf bytes = read_file(folder, name);
    ck_assert_str_eq(buf_text(&bytes), text);
    buf_free(&bytes);
}

static int count_entries(const char *folder)
{
    char *command = xasprintf("ls -A '%s' | wc -l", folder);
    FILE *out = popen(command, "r");
    int count = -1;
    ck_assert_int_eq(fscanf(out, "%d", &count), 1);
    pclose(out);
    free(command);
    return count;
}

/* ---- calls ---- */

static size_t passed; /* bytes that the agents wrote and read */

/* The text of a call that has to go well (or as a tool fail); the caller frees. */
static char *call(struct bridge_process *bridge, const char *tool, const char *args, bool fails)
{
    bool failed;
    char *text = bridge_tool(bridge, tool, args, &failed);
    passed += strlen(args) + strlen(text);
    ck_assert_msg(failed == fails, "%s %s: %s", tool, args, text);
    return text;
}

static void fails(struct bridge_process *bridge, const char *tool, const char *args, const char *why)
{
    char *text = call(bridge, tool, args, true);
    ck_assert_msg(strstr(text, why) != NULL, "%s %s: %s", tool, args, text);
    free(text);
}

/* The path in "Stored 9 bytes as shop/frontend/1_a"; the caller frees. */
static char *path_in(const char *text)
{
    const char *path = strstr(text, " as ");
    ck_assert_msg(path != NULL, "no path in %s", text);
    return xmemdup_text(path + 4, strcspn(path + 4, "\n"));
}

static char *upload(struct bridge_process *bridge, const char *local_path)
{
    char *args = xasprintf("{\"local_path\":\"%s\"}", local_path);
    char *text = call(bridge, "upload_attachment", args, false);
    char *path = path_in(text);
    free(args);
    free(text);
    return path;
}

static void download(struct bridge_process *bridge, const char *path, const char *save_to)
{
    char *args = xasprintf("{\"path\":\"%s\",\"save_to\":\"%s\"}", path, save_to);
    char *text = call(bridge, "get_attachment", args, false);
    ck_assert_msg(strncmp(text, "Saved as ", 9) == 0, "%s", text);
    free(args);
    free(text);
}

/* ---- from one project to the other ---- */

static int64_t relay_memory(const char *what)
{
    char *path = xasprintf("/proc/%d/status", (int)relay->pid), line[256];
    FILE *file = fopen(path, "r");
    int64_t kib = -1;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, what, strlen(what)) == 0)
            kib = strtoll(line + strlen(what) + 1, NULL, 10);
    }
    fclose(file);
    free(path);
    ck_assert_int_gt(kib, 0);
    return kib * 1024;
}

/* VmHWM begins anew: a key that is derived at the start takes 64 MiB for a moment. */
static void forget_peak(void)
{
    char *path = xasprintf("/proc/%d/clear_refs", (int)relay->pid);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs("5", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

static unsigned char *random_bytes(size_t len)
{
    unsigned char *bytes = xmalloc(len);
    uint64_t state = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < len; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        bytes[i] = (unsigned char)(state >> 56);
    }
    return bytes;
}

START_TEST(nine_megabytes_go_by_with_two_calls_and_a_message)
{
    enum { TEXT_MAX = 1000, GROWTH_MAX = 2 * 1000 * 1000 };
    unsigned char *bytes = random_bytes(BIG_BYTES);
    char sent[SHA256_HEX_SIZE], arrived[SHA256_HEX_SIZE];
    write_file(front_folder, "build.bin", bytes, BIG_BYTES);
    secret_sha256_hex(bytes, BIG_BYTES, sent);
    free(bytes);
    /* What any first calls make a relay keep. */
    free(call(front, "inbox", "{}", false));
    free(call(back, "inbox", "{}", false));
    forget_peak();
    int64_t before = relay_memory("VmRSS");
    passed = 0;

    char *path = upload(front, "build.bin");
    char *send = xasprintf("{\"to\":\"backend\",\"content\":\"the build: %s\"}", path);
    free(call(front, "send_message", send, false));
    char *inbox = call(back, "inbox", "{}", false);
    ck_assert_ptr_nonnull(strstr(inbox, path));
    download(back, path, "build-1.bin");

    int64_t growth = relay_memory("VmHWM") - before;
    printf("text through the agents: %zu bytes; the relay grew by %" PRId64 " KiB\n", passed, growth / 1024);
    ck_assert_uint_lt(passed, TEXT_MAX);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ck_assert_int_lt(growth, GROWTH_MAX);
#endif
    struct buf got = read_file(back_folder, "build-1.bin");
    ck_assert_uint_eq(got.len, BIG_BYTES);
    secret_sha256_hex(got.data, got.len, arrived);
    ck_assert_str_eq(sent, arrived);
    buf_free(&got);
    free(inbox);
    free(send);
    free(path);
}
END_TEST

START_TEST(what_is_saved_is_a_plain_new_file)
{
    struct stat st;
    umask(022);
    write_text(front_folder, "notes.txt", "the notes\n");
    char *path = upload(front, "./notes.txt"), *saved = in(back_folder, "a.txt");
    download(back, path, "a.txt");
    expect_text_in(back_folder, "a.txt", "the notes\n");
    ck_assert_int_eq(stat(saved, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0644);
    char *args = xasprintf("{\"path\":\"%s\",\"save_to\":\"a.txt\"}", path);
    fails(back, "get_attachment", args, "is there already");
    ck_assert_int_eq(count_entries(back_folder), 1);
    free(args);
    free(saved);
    free(path);
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    write_text(front_folder, "empty.txt", "");
    char *path = upload(front, "empty.txt");
    download(back, path, "empty.txt");
    expect_text_in(back_folder, "empty.txt", "");
    free(path);
}
END_TEST

START_TEST(names_and_types_are_the_callers_or_the_files)
{
    write_text(front_folder, "data", "a,b\n");
    char *text = call(front, "upload_attachment",
        "{\"local_path\":\"data\",\"filename\":\"table.csv\",\"mime_type\":\"text/csv\",\"file_data\":\"\"}",
        false);
    char *path = path_in(text);
    ck_assert_msg(strstr(path, "_table.csv") != NULL, "%s", path);
    char *args = xasprintf("{\"path\":\"%s\",\"save_to\":\"\"}", path);
    char *shown = call(back, "get_attachment", args, false);
    ck_assert_msg(strstr(shown, "text/csv") && strstr(shown, "> a,b"), "%s", shown);
    fails(front, "upload_attachment", "{\"local_path\":\"data\",\"file_data\":\"YQ==\"}",
        "leave one of them out");
    free(shown);
    free(args);
    free(path);
    free(text);
}
END_TEST

START_TEST(other_calls_go_on_beside_many_files)
{
    enum { FILES = 20 };
    int64_t ids[FILES];
    char *paths[FILES], name[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file%d.txt", i);
        write_text(front_folder, name, name);
        char *args = xasprintf("{\"local_path\":\"%s\"}", name);
        ids[i] = bridge_call_begin(front, "upload_attachment", args);
        free(args);
    }
    free(call(front, "inbox", "{}", false));
    for (int i = 0; i < FILES; i++) {
        bool failed;
        char *text = bridge_call_end(front, ids[i], ANSWER_MS, &failed);
        ck_assert_msg(!failed, "%s", text);
        paths[i] = path_in(text);
        free(text);
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file%d.txt", i);
        download(back, paths[i], name);
        expect_text_in(back_folder, name, name);
        free(paths[i]);
    }
}
END_TEST

START_TEST(the_relays_limits_are_told)
{
    char *token = relay_token(relay, "third@shop");
    relay_stop(relay);
    relay_restart(relay, (const char *const[]){"PATCHCORD_ATTACHMENT_MAX_BYTES=5",
                             "PATCHCORD_ATTACHMENT_ALLOWED_MIME_TYPES=text/*", NULL});
    write_text(front_folder, "five.txt", "12345");
    write_text(front_folder, "six.txt", "123456");
    write_text(front_folder, "a.pdf", "%PDF");
    free(upload(front, "five.txt"));
    fails(front, "upload_attachment", "{\"local_path\":\"six.txt\"}", "at most 5");
    fails(front, "upload_attachment", "{\"local_path\":\"a.pdf\"}", "application/pdf");
    fails(back, "get_attachment", "{\"path\":\"shop/frontend/1_none.txt\",\"save_to\":\"new\"}",
        "shop/frontend/1_none.txt");
    ck_assert_int_eq(count_entries(back_folder), 0);
    free(token);
}
END_TEST

START_TEST(a_full_quota_is_told_before_the_bytes_go)
{
    enum { LARGE = 3 * 1024 * 1024 };
    unsigned char *bytes = random_bytes(LARGE);
    relay_stop(relay);
    relay_restart(relay, (const char *const[]){"PATCHCORD_ATTACHMENT_QUOTA_BYTES=1000000", NULL});
    write_file(front_folder, "large.bin", bytes, LARGE);
    fails(front, "upload_attachment", "{\"local_path\":\"large.bin\"}", "(status 507)");
    free(call(front, "inbox", "{}", false));
    free(bytes);
}
END_TEST

/* In a mount namespace of the test's own. */
static bool mount_small(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=64k") == 0;
}

START_TEST(a_full_disk_is_told_and_keeps_no_half)
{
    enum { LARGE = 300 * 1000 };
    const char *folder = temp_folder();
    if (!mount_small(folder)) {
        printf("skipped: a full disk, which needs root to be made\n");
        return;
    }
    unsigned char *bytes = random_bytes(LARGE);
    write_file(front_folder, "large.bin", bytes, LARGE);
    struct bridge_process *small = bridge_in(folder, relay, back_token, NULL, nothing);
    char *path = upload(front, "large.bin");
    char *args = xasprintf("{\"path\":\"%s\",\"save_to\":\"large.bin\"}", path);
    fails(small, "get_attachment", args, "No space left");
    ck_assert_int_eq(count_entries(folder), 0);
    ck_assert_int_eq(bridge_end(small), 0);
    ck_assert_int_eq(umount(folder), 0);
    free(bytes);
    free(args);
    free(path);
}
END_TEST

/* ---- ways in and out ---- */

static void make_hostile_project(const char *folder)
{
    char *path = in(folder, ".git"), *hooks = in(folder, ".git/hooks"), *fifo = in(folder, "fifo");
    ck_assert_int_eq(mkdir(path, 0755) | mkdir(hooks, 0755) | mkfifo(fifo, 0644), 0);
    write_text(folder, ".env", "SECRET=1");
    static const char *const links[][2] = {{"out", "/etc/passwd"}, {"outfolder", "/tmp"}, {"up", "../.."},
        {"env", ".env"}, {"git", ".git"}, {"device", "/dev/zero"}};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char *link = in(folder, links[i][0]);
        ck_assert_int_eq(symlink(links[i][1], link), 0);
        free(link);
    }
    free(path);
    free(hooks);
    free(fifo);
}

static const struct {
    const char *path, *why;
} hostile[] = {
    {".env", "hidden"},
    {"./.env", "hidden"},
    {".git/config", "hidden"},
    {".git/hooks/pre-commit", "hidden"},
    {".claude/settings.json", "hidden"},
    {"git/hooks", "hidden"},
    {"/etc/passwd", "only files of the project"},
    {"/etc/cron.d/x", "only files of the project"},
    {"/dev/zero", "only files of the project"},
    {"/proc/self/environ", "only files of the project"},
    {"../x", "\\\"..\\\""},
    {"a/../../x", "\\\"..\\\""},
    {"outfolder/x", "leads out"},
    {"up/x", "leads out"},
    {"\\u202ex", "cannot be seen"},
    {"\\u200d.env", "cannot be seen"},
    {"a\\nb", "cannot be seen"},
    {".", "names no file"},
};

/* These only as what is read, and as what is written. */
static const struct {
    const char *path, *up, *down;
} also_hostile[] = {
    {"env", "hidden", "is there already"},
    {"git/hooks/pre-commit", "No such file", "hidden"},
    {"out", "leads out", "is there already"},
    {"device", "leads out", "is there already"},
    {"fifo", "no regular file", "is there already"},
    {"nothing/x", "No such file", "No such file"},
    {"new/", "No such file", "ends in a slash"},
};

static void refuse(const char *path, const char *up, const char *down)
{
    char *upward = xasprintf("{\"local_path\":\"%s\"}", path);
    char *downward = xasprintf("{\"path\":\"shop/backend/1_x\",\"save_to\":\"%s\"}", path);
    fails(front, "upload_attachment", upward, up);
    fails(front, "get_attachment", downward, down);
    free(upward);
    free(downward);
}

START_TEST(hostile_paths_are_refused_before_the_relay_is_asked)
{
    make_hostile_project(front_folder);
    int entries = count_entries(front_folder);
    relay_stop(relay);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        const char *why = strcmp(hostile[i].why, "\\\"..\\\"") == 0 ? "\"..\"" : hostile[i].why;
        refuse(hostile[i].path, why, why);
    }
    for (size_t i = 0; i < sizeof also_hostile / sizeof also_hostile[0]; i++)
        refuse(also_hostile[i].path, also_hostile[i].up, also_hostile[i].down);
    ck_assert_int_eq(count_entries(front_folder), entries);
    expect_text_in(front_folder, ".env", "SECRET=1");
    relay_restart(relay, NULL);
}
END_TEST

START_TEST(home_is_no_project_unless_the_person_says_so)
{
    const char *elsewhere = temp_folder();
    char *home = xasprintf("HOME=%s", back_folder), *args;
    write_text(back_folder, "file.txt", "text");
    write_text(elsewhere, "file.txt", "text");
    struct bridge_process *bridge =
        bridge_in(back_folder, relay, back_token, (const char *const[]){home, NULL}, nothing);
    fails(bridge, "upload_attachment", "{\"local_path\":\"file.txt\"}", "is no project's folder");
    bridge = bridge_in("/", relay, back_token, NULL, nothing);
    fails(bridge, "upload_attachment", "{\"local_path\":\"etc/passwd\"}", "is no project's folder");
    fails(bridge, "get_attachment", "{\"path\":\"shop/backend/1_x\",\"save_to\":\"tmp/x\"}",
        "is no project's folder");

    bridge = bridge_in("/", relay, back_token, NULL, (const char *const[]){"--allow-path", elsewhere, NULL});
    fails(bridge, "upload_attachment", "{\"local_path\":\"etc/passwd\"}", "is no project's folder");
    args = xasprintf("%s/file.txt", elsewhere);
    char *path = upload(bridge, args);
    free(args);
    args = xasprintf("%s/copy.txt", elsewhere);
    download(bridge, path, args);
    expect_text_in(elsewhere, "copy.txt", "text");
    free(args);
    args = xasprintf("{\"local_path\":\"%s/file.txt\"}", back_folder);
    fails(bridge, "upload_attachment", args, "is no project's folder");
    free(args);
    free(path);
    free(home);
}
END_TEST

/* ---- a relay that does not play by the rules ---- */

static struct peer *peer;
static struct bridge_process *bridge;

#define MCP      "/mcp/bearer"
#define FILE_AT  "/files/shop/a/1_x?signature=secret"
#define HELLO_IS "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static const char *peer_file_url; /* what the peer gives instead of its own FILE_AT; NULL */
static struct peer_answer file_answer;

static char *result_of(struct json_object *structured)
{
    struct json_object *message = json_new_object(), *result = json_new_object();
    struct json_object *content = json_new_array(), *words = json_new_object();
    struct buf text = {0};
    json_add_text(words, "type", "text");
    json_add_text(words, "text", "fine");
    json_append(content, words);
    json_add(result, "content", content);
    json_add(result, "structuredContent", structured);
    json_add_text(result, "resultType", "complete");
    json_add_text(message, "jsonrpc", "2.0");
    json_add_int(message, "id", 1);
    json_add(message, "result", result);
    json_write(message, &text);
    json_object_put(message);
    return buf_take(&text);
}

static void script_files(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, MCP) != 0) {
        *answer = file_answer;
        answer->body = file_answer.body ? xstrdup(file_answer.body) : NULL;
        return;
    }
    char *own = xasprintf("%s" FILE_AT, peer_relay(peer)->url);
    struct json_object *grant = json_new_object();
    json_add_text(grant, "path", "shop/a/1_x");
    json_add_text(grant, "mime_type", "text/plain");
    json_add_text(grant, "upload_url", peer_file_url ? peer_file_url : own);
    json_add_text(grant, "url", peer_file_url ? peer_file_url : own);
    json_add_int(grant, "size", 5);
    json_add_text(grant, "sha256", HELLO_IS);
    answer->body = result_of(grant);
    free(own);
}

static char hello[] = "hello";

/* What the peer gives from now on. */
static void give(const char *file_url, struct peer_answer answer)
{
    peer_script_hold(peer);
    peer_file_url = file_url;
    file_answer = answer;
    peer_script_resume(peer);
}

static void at_a_peer(void)
{
    fix_build();
    front_folder = temp_folder();
    write_text(front_folder, "file", "hello");
    peer = peer_start(script_files);
    give(NULL, (struct peer_answer){.status = 200, .body = hello});
    bridge = bridge_in(front_folder, peer_relay(peer), "pc_secret", NULL, nothing);
}

#define UP   "{\"local_path\":\"file\"}"
#define DOWN "{\"path\":\"shop/a/1_x\",\"save_to\":\"new\"}"

START_TEST(neither_token_nor_local_names_go_where_they_do_not_belong)
{
    struct json_object *params, *arguments;
    free(call(bridge, "upload_attachment", UP, false));
    free(call(bridge, "get_attachment", DOWN, false));
    expect_text_in(front_folder, "new", "hello");
    ck_assert_int_eq(peer_count(peer, FILE_AT), 2);
    const struct peer_request *put = peer_request(peer, FILE_AT, 1), *get = peer_request(peer, FILE_AT, 2);
    ck_assert_int_eq(strncmp(put->headers, "PUT ", 4) | strncmp(get->headers, "GET ", 4), 0);
    ck_assert_ptr_nonnull(strcasestr(put->headers, "\r\nContent-Type: text/plain\r\n"));
    ck_assert_ptr_nonnull(strcasestr(put->headers, "\r\nContent-Length: 5\r\n"));
    ck_assert_ptr_null(strcasestr(put->headers, "Authorization"));
    ck_assert_ptr_null(strcasestr(get->headers, "Authorization"));
    ck_assert_ptr_null(strcasestr(get->headers, "pc_secret"));
    static const char *const forwarded[] = {
        "{\"filename\":\"file\",\"mime_type\":\"\"}", "{\"path\":\"shop\\/a\\/1_x\"}"};
    for (int i = 0; i < 2; i++) {
        struct json_object *body = peer_request(peer, MCP, i + 1)->body;
        ck_assert_int_eq(json_get_object(body, "params", &params), JSON_FIELD_FOUND);
        ck_assert_int_eq(json_get_object(params, "arguments", &arguments), JSON_FIELD_FOUND);
        ck_assert_str_eq(json_object_to_json_string_ext(arguments, JSON_C_TO_STRING_PLAIN), forwarded[i]);
    }
}
END_TEST

static const struct {
    int status;
    const char *headers, *body, *up, *down;
} bad_answers[] = {
    {200, NULL, "hellO", NULL, "its SHA-256 differs"},
    {200, NULL, "hell", NULL, "its SHA-256 differs"},
    {200, NULL, "", NULL, "its SHA-256 differs"},
    {200, NULL, "hello!", NULL, "more came than was announced"},
    {200, "Content-Encoding: gzip\r\n", "\x1f\x8b", NULL, "its SHA-256 differs"},
    {206, "Content-Range: bytes 0-4/5\r\n", "hello", "status 206", "status 206"},
    {201, NULL, "{\"sha256\":\"00\"}", "is not to be used", "status 201"},
    {302, "Location: http://127.0.0.1:9/\r\n", "", "status 302", "status 302"},
    {403, NULL, "{\"error\":\"expired\",\"message\":\"This URL has expired.\"}", "This URL has expired.",
        "This URL has expired."},
    {403, NULL, "{\"message\":\"one\\ntwo\"}", "(status 403)", "(status 403)"},
    {500, NULL, "<html>", "status 500", "status 500"},
    {0, NULL, NULL, "broke during the upload", "broke during the download"},
};

START_TEST(a_file_that_does_not_come_whole_does_not_come)
{
    char *body = xstrdup_or_null(bad_answers[_i].body);
    give(NULL, (struct peer_answer){
                   .status = bad_answers[_i].status, .headers = bad_answers[_i].headers, .body = body});
    if (bad_answers[_i].up)
        fails(bridge, "upload_attachment", UP, bad_answers[_i].up);
    fails(bridge, "get_attachment", DOWN, bad_answers[_i].down);
    ck_assert_int_eq(count_entries(front_folder), 1);
    give(NULL, (struct peer_answer){.status = 0});
    free(body);
}
END_TEST

static const char *const foreign_urls[] = {"http://192.0.2.1/files/x", "http://example.com/",
    "file:///etc/passwd", "ftp://127.0.0.1/x", "https://user:pass@127.0.0.1/x", "", "nonsense"};

START_TEST(a_foreign_address_is_not_followed)
{
    give(foreign_urls[_i], (struct peer_answer){.status = 200, .body = hello});
    free(call(bridge, "upload_attachment", UP, true));
    free(call(bridge, "get_attachment", DOWN, true));
    ck_assert_int_eq(peer_count(peer, FILE_AT), 0);
    ck_assert_int_eq(count_entries(front_folder), 1);
}
END_TEST

START_TEST(a_name_of_this_machine_is_the_relay_as_we_reach_it)
{
    give("http://localhost:1" FILE_AT, (struct peer_answer){.status = 200, .body = hello});
    free(call(bridge, "get_attachment", DOWN, false));
    expect_text_in(front_folder, "new", "hello");
}
END_TEST

static void cancel(int64_t id)
{
    char *line = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%" PRId64 "}}",
        id);
    bridge_send_line(bridge, line);
    free(line);
}

static bool folder_is_clean(void *arg)
{
    (void)arg;
    return count_entries(front_folder) == 1;
}

START_TEST(a_cancelled_download_leaves_nothing)
{
    give(NULL, (struct peer_answer){.status = 200, .body = hello, .silent = true});
    int64_t id = bridge_call_begin(bridge, "get_attachment", DOWN);
    peer_await(peer, FILE_AT, 1);
    ck_assert_int_eq(count_entries(front_folder), 2);
    /* Other calls go on beside it. */
    free(call(bridge, "inbox", "{}", false));
    cancel(id);
    peer_await_broken_off(peer, FILE_AT, 1);
    ck_assert(poll_until(folder_is_clean, NULL, ANSWER_MS));
    ck_assert_ptr_null(bridge_read(bridge, NOTHING_MS));
}
END_TEST

START_TEST(the_end_of_input_ends_a_download)
{
    give(NULL, (struct peer_answer){.status = 200, .body = hello, .silent = true});
    bridge_call_begin(bridge, "get_attachment", DOWN);
    peer_await(peer, FILE_AT, 1);
    ck_assert_int_eq(bridge_end(bridge), 0);
    ck_assert_int_eq(count_entries(front_folder), 1);
}
END_TEST

static void expect_end(int64_t id, const char *why)
{
    bool failed;
    char *text = bridge_call_end(bridge, id, ANSWER_MS, &failed);
    ck_assert_msg(failed && strstr(text, why), "%s", text);
    free(text);
}

START_TEST(a_name_that_is_taken_meanwhile_stays_as_it_is)
{
    give(NULL, (struct peer_answer){.status = 200, .body = hello, .silent = true});
    int64_t id = bridge_call_begin(bridge, "get_attachment", DOWN);
    peer_await(peer, FILE_AT, 1);
    write_text(front_folder, "new", "somebody's");
    peer_let_go(peer);
    expect_end(id, "new cannot be saved: File exists");
    expect_text_in(front_folder, "new", "somebody's");
    ck_assert_int_eq(count_entries(front_folder), 2);
}
END_TEST

START_TEST(a_file_that_changes_meanwhile_is_not_sent)
{
    give(NULL, (struct peer_answer){.status = 200, .body = hello, .silent = true});
    int64_t id = bridge_call_begin(bridge, "upload_attachment", UP);
    peer_await(peer, FILE_AT, 1);
    write_text(front_folder, "file", "HELLO");
    peer_let_go(peer);
    expect_end(id, "changed while it was uploaded");
}
END_TEST

START_TEST(a_slow_file_reports_progress)
{
    int64_t progress = -1, total = -1;
    give(NULL, (struct peer_answer){.status = 200, .body = hello, .silent = true});
    bridge_send_line(bridge,
        "{\"jsonrpc\":\"2.0\",\"id\":\"u\",\"method\":\"tools/call\",\"params\":{\"name\":\"upload_"
        "attachment\",\"arguments\":" UP ",\"_meta\":{\"progressToken\":\"p\"}}}");
    struct json_object *line = bridge_read(bridge, ANSWER_MS), *params;
    ck_assert_str_eq(json_text_or(line, "method", ""), "notifications/progress");
    ck_assert_int_eq(json_get_object(line, "params", &params), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(params, "progressToken", ""), "p");
    ck_assert_int_eq(json_get_int(params, "progress", &progress), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_int(params, "total", &total), JSON_FIELD_FOUND);
    ck_assert_int_eq(progress, 5);
    ck_assert_int_eq(total, 5);
    json_object_put(line);
    peer_let_go(peer);
    line = bridge_read(bridge, ANSWER_MS);
    ck_assert_str_eq(json_text_or(line, "id", ""), "u");
    json_object_put(line);
}
END_TEST

/* ---- the commands ---- */

static struct program_result result;

static int run_in(const char *folder, const char *const argv[])
{
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url),
         *token = xasprintf("PATCHCORD_TOKEN=%s", front_token);
    char *before = realpath(".", NULL);
    program_result_free(&result);
    result = (struct program_result){0};
    ck_assert_int_eq(chdir(folder), 0);
    run_program(argv, (const char *const[]){url, token, NULL}, NULL, COMMAND_MS, &result);
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    free(token);
    free(url);
    return result.exit_code;
}

#define RUN_IN(folder, ...) run_in(folder, (const char *const[]){"patchcord", __VA_ARGS__, NULL})

START_TEST(people_upload_and_download)
{
    char *file = in(front_folder, ".hidden.txt"), *path;
    write_text(front_folder, ".hidden.txt", "mine");
    ck_assert_msg(RUN_IN("/", "upload", "--name", "notes.txt", file) == 0, "%s", buf_text(&result.err));
    ck_assert_str_eq(buf_text(&result.err), "");
    path = xmemdup_text(buf_text(&result.out), result.out.len - 1);
    ck_assert_msg(strstr(path, "_notes.txt") && !strchr(path, '\n'), "%s", path);

    ck_assert_msg(RUN_IN(back_folder, "download", path) == 0, "%s", buf_text(&result.err));
    ck_assert_str_eq(buf_text(&result.out), "notes.txt\n");
    expect_text_in(back_folder, "notes.txt", "mine");
    ck_assert_int_eq(RUN_IN(back_folder, "download", path), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "nothing is overwritten"));

    char *to = in(back_folder, "other.txt");
    ck_assert_msg(RUN_IN("/", "download", "-o", to, "--json", path) == 0, "%s", buf_text(&result.err));
    enum json_fault fault;
    struct json_object *about = json_parse(result.out.data, result.out.len, &fault);
    ck_assert_str_eq(json_text_or(about, "path", ""), path);
    ck_assert_str_eq(json_text_or(about, "saved_as", ""), to);
    expect_text_in(back_folder, "other.txt", "mine");
    ck_assert_int_eq(count_entries(back_folder), 2);
    json_object_put(about);
    free(to);
    free(path);
    free(file);
    program_result_free(&result);
}
END_TEST

START_TEST(commands_say_what_is_wrong)
{
    make_hostile_project(back_folder);
    int entries = count_entries(back_folder);
    ck_assert_int_eq(RUN_IN(back_folder, "upload"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "upload", "a", "b"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "upload", "--what", "b"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "download"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "download", "a", "b"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "download", "shop/a/1_.env"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "download", "shop/a/"), 2);
    ck_assert_int_eq(RUN_IN(back_folder, "upload", "nothing"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "nothing: No such file"));
    ck_assert_int_eq(RUN_IN(back_folder, "upload", "fifo"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "no regular file"));
    ck_assert_int_eq(RUN_IN(back_folder, "upload", "."), 1);
    ck_assert_int_eq(RUN_IN(back_folder, "download", "shop/frontend/1_none"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "shop/frontend/1_none"));
    ck_assert_int_eq(RUN_IN(back_folder, "download", "-o", "nowhere/x", "shop/frontend/1_none"), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "nowhere/x: No such file"));
    ck_assert_int_eq(count_entries(back_folder), entries);
    program_result_free(&result);
}
END_TEST

int main(void)
{
    if (harness_skips_supabase("files are in its Storage"))
        return EXIT_SUCCESS;
    secret_init();
    Suite *suite = suite_create("bridge_files");
    TCase *tests = harness_case(suite, "projects");
    tcase_add_checked_fixture(tests, two_projects, forget_tokens);
    tcase_add_test(tests, nine_megabytes_go_by_with_two_calls_and_a_message);
    tcase_add_test(tests, what_is_saved_is_a_plain_new_file);
    tcase_add_test(tests, an_empty_file_is_a_file);
    tcase_add_test(tests, names_and_types_are_the_callers_or_the_files);
    tcase_add_test(tests, other_calls_go_on_beside_many_files);
    tcase_add_test(tests, the_relays_limits_are_told);
    tcase_add_test(tests, a_full_quota_is_told_before_the_bytes_go);
    tcase_add_test(tests, a_full_disk_is_told_and_keeps_no_half);
    tcase_add_test(tests, hostile_paths_are_refused_before_the_relay_is_asked);
    tcase_add_test(tests, home_is_no_project_unless_the_person_says_so);
    tcase_add_test(tests, people_upload_and_download);
    tcase_add_test(tests, commands_say_what_is_wrong);
    TCase *peers = harness_case(suite, "peer");
    tcase_add_checked_fixture(peers, at_a_peer, NULL);
    tcase_add_test(peers, neither_token_nor_local_names_go_where_they_do_not_belong);
    tcase_add_loop_test(peers, a_file_that_does_not_come_whole_does_not_come, 0,
        (int)(sizeof bad_answers / sizeof bad_answers[0]));
    tcase_add_loop_test(
        peers, a_foreign_address_is_not_followed, 0, (int)(sizeof foreign_urls / sizeof foreign_urls[0]));
    tcase_add_test(peers, a_name_of_this_machine_is_the_relay_as_we_reach_it);
    tcase_add_test(peers, a_cancelled_download_leaves_nothing);
    tcase_add_test(peers, the_end_of_input_ends_a_download);
    tcase_add_test(peers, a_name_that_is_taken_meanwhile_stays_as_it_is);
    tcase_add_test(peers, a_file_that_changes_meanwhile_is_not_sent);
    tcase_add_test(peers, a_slow_file_reports_progress);
    return run_suite(suite);
}
