/* The credentials file: its rules, and which identity is chosen. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../bridge/credentials.h"
#include "../../common/alloc.h"
#include "unit.h"

#define ENTRY(agent, url, more)                                                                              \
    "{\"agent\":\"" agent "\",\"url\":\"" url "\",\"token\":\"pc_" agent "\"" more "}"
#define AT(folder)       ",\"folder\":\"" folder "\""
#define BY(client)       ",\"client\":\"" client "\""
#define FILE_OF(entries) "{\"version\":1,\"entries\":[" entries "]}"

#define HERE "https://relay.example.com"

static bool parse(const char *text, struct credentials *out, struct buf *why)
{
    buf_reset(why);
    return credentials_parse(text, strlen(text), out, why);
}

START_TEST(an_entry_is_read)
{
    struct credentials c;
    struct buf why = {0};
    ck_assert(
        parse(FILE_OF(ENTRY("ns:frontend", "https://Relay.Example.com/x/", AT("/p") BY("codex"))), &c, &why));
    ck_assert_uint_eq(c.count, 1);
    ck_assert_str_eq(c.entries[0].agent, "frontend@ns");
    ck_assert_str_eq(c.entries[0].url, "https://relay.example.com/x");
    ck_assert_str_eq(c.entries[0].origin, "https://relay.example.com");
    ck_assert_str_eq(c.entries[0].token, "pc_ns:frontend");
    ck_assert_str_eq(c.entries[0].folder, "/p");
    ck_assert_str_eq(c.entries[0].client, "codex");
    credentials_free(&c);
    ck_assert(parse(FILE_OF(""), &c, &why));
    ck_assert_uint_eq(c.count, 0);
    credentials_free(&c);
    buf_free(&why);
}
END_TEST

static const struct {
    const char *text, *why;
} bad_files[] = {
    {"", ""},
    {"{", ""},
    {"[]", "\"version\" has to be 1"},
    {"{\"entries\":[]}", "\"version\" has to be 1"},
    {"{\"version\":2,\"entries\":[]}", "\"version\" has to be 1"},
    {"{\"version\":\"1\",\"entries\":[]}", "\"version\" has to be 1"},
    {"{\"version\":1}", "\"entries\" has to be an array"},
    {"{\"version\":1,\"entries\":{}}", "\"entries\" has to be an array"},
    {FILE_OF("3"), "entry 1: \"agent\""},
    {FILE_OF(ENTRY("noname", HERE, "")), "entry 1: \"agent\""},
    {FILE_OF(ENTRY("a@n", HERE, "") "," ENTRY("b@n", "ftp://x", "")), "entry 2: \"url\""},
    {FILE_OF("{\"agent\":\"a@n\",\"url\":\"" HERE "\"}"), "entry 1: \"token\""},
    {FILE_OF("{\"agent\":\"a@n\",\"url\":\"" HERE "\",\"token\":\"\"}"), "entry 1: \"token\""},
    {FILE_OF("{\"agent\":\"a@n\",\"url\":\"" HERE "\",\"token\":\"a b\"}"), "entry 1: \"token\""},
    {FILE_OF("{\"agent\":\"a@n\",\"url\":\"" HERE "\",\"token\":\"a\\r\\nX: y\"}"), "entry 1: \"token\""},
    {FILE_OF(ENTRY("a@n", HERE, AT("relative"))), "entry 1: \"folder\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"folder\":1")), "entry 1: \"folder\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"client\":1")), "entry 1: \"client\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"ca\":\"relative\"")), "entry 1: \"ca\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"ca\":\"sha256//short=\"")), "entry 1: \"ca\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"allow_paths\":\"/a\"")), "entry 1: \"allow_paths\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"allow_paths\":[1]")), "entry 1: \"allow_paths\""},
    {FILE_OF(ENTRY("a@n", HERE, ",\"allow_paths\":[\"/a\",\"b\"]")), "entry 1: \"allow_paths\""},
};

START_TEST(a_bad_file_says_which_rule)
{
    struct buf why = {0};
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        struct credentials c;
        ck_assert_msg(!parse(bad_files[i].text, &c, &why), "accepted: %s", bad_files[i].text);
        ck_assert_msg(why.len > 0 && strncmp(buf_text(&why), bad_files[i].why, strlen(bad_files[i].why)) == 0,
            "%s: %s", bad_files[i].text, buf_text(&why));
        ck_assert_uint_eq(c.count, 0);
        ck_assert_ptr_null(c.entries);
    }
    buf_free(&why);
}
END_TEST

static bool parse_many(size_t count)
{
    struct credentials c;
    struct buf text = {0}, why = {0};
    buf_puts(&text, "{\"version\":1,\"entries\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s" ENTRY("a%zu@n", HERE, ""), i ? "," : "", i, i);
    buf_puts(&text, "]}");
    bool ok = credentials_parse(text.data, text.len, &c, &why);
    credentials_free(&c);
    buf_free(&text);
    buf_free(&why);
    return ok;
}

static bool parse_paths(size_t count)
{
    struct credentials c;
    struct buf text = {0}, why = {0};
    buf_puts(&text, "{\"version\":1,\"entries\":["
                    "{\"agent\":\"a@n\",\"url\":\"" HERE "\",\"token\":\"pc_a\",\"allow_paths\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s\"/a%zu\"", i ? "," : "", i);
    buf_puts(&text, "]}]}");
    bool ok = credentials_parse(text.data, text.len, &c, &why);
    if (ok) {
        ck_assert_str_eq(c.entries[0].allow_paths[count - 1], "/a31");
        ck_assert_ptr_null(c.entries[0].allow_paths[count]);
    }
    credentials_free(&c);
    buf_free(&text);
    buf_free(&why);
    return ok;
}

START_TEST(the_number_of_allowed_paths_is_bounded)
{
    ck_assert(parse_paths(CREDENTIALS_MAX_PATHS));
    ck_assert(!parse_paths(CREDENTIALS_MAX_PATHS + 1));
}
END_TEST

START_TEST(the_number_of_entries_is_bounded)
{
    ck_assert(parse_many(CREDENTIALS_MAX_ENTRIES));
    ck_assert(!parse_many(CREDENTIALS_MAX_ENTRIES + 1));
}
END_TEST

/* ---- choosing ---- */

static const char stored[] =
    FILE_OF(ENTRY("front@shop", HERE, AT("/home/ada/shop") BY("claude_code")) "," ENTRY("codex@shop", HERE,
        AT("/home/ada/shop")
            BY("codex")) "," ENTRY("any@tools", HERE, AT("/home/ada/shop/tools")) "," ENTRY("mine@tools",
        HERE, AT("/home/ada/shop/tools") BY("codex")) "," ENTRY("sole@lib", HERE,
        AT("/home/ada/shop/lib") BY("codex")) "," ENTRY("far@other", "https://other.example.com",
        AT("/home/ada/far")) "," ENTRY("front@blog", HERE, "") "," ENTRY("loose@desk", HERE, ""));

static const struct {
    const char *what, *as, *client, *origin, *folder, *root, *agent, *why;
} choices[] = {
    {"folder and client", NULL, "codex", NULL, "/home/ada/shop", "/home/ada/shop", "codex@shop", NULL},
    {"several in the folder", NULL, NULL, NULL, "/home/ada/shop", "/home/ada/shop", NULL,
        "several identities are stored for /home/ada/shop; choose one with --as: front@shop (claude_code), "
        "codex@shop "
        "(codex)"},
    {"an unknown client, several in the folder", NULL, "zed", NULL, "/home/ada/shop", "/home/ada/shop", NULL,
        "several"},
    {"the entry for any client", NULL, "zed", NULL, "/home/ada/shop/tools", "/home/ada/shop", "any@tools",
        NULL},
    {"the client's own before any client's", NULL, "codex", NULL, "/home/ada/shop/tools", "/home/ada/shop",
        "mine@tools", NULL},
    {"the folder's only one, of another client", NULL, "claude_code", NULL, "/home/ada/shop/lib",
        "/home/ada/shop", "sole@lib", NULL},
    {"a parent's", NULL, "codex", NULL, "/home/ada/shop/src/deep", "/home/ada/shop", "codex@shop", NULL},
    {"not above the root", NULL, "codex", NULL, "/home/ada/shop/src", "/home/ada/shop/src", NULL,
        "no identity is stored for /home/ada/shop/src: run `patchcord agent --server URL --token -` there, "
        "or "
        "choose one with --as: front@shop"},
    {"not a folder of a similar name", NULL, "codex", NULL, "/home/ada/shopping", "/home/ada/shopping", NULL,
        "no identity"},
    {"up to the file system's root", NULL, NULL, NULL, "/elsewhere", "/", NULL, "no identity"},
    {"as, whatever the folder", "loose@desk", NULL, NULL, "/", "/", "loose@desk", NULL},
    {"as, in the other way of writing", "desk:Loose", NULL, NULL, "/", "/", "loose@desk", NULL},
    {"as, an agent alone", "loose", NULL, NULL, "/", "/", "loose@desk", NULL},
    {"as, an agent of two namespaces", "front", NULL, NULL, "/", "/", NULL, "--as front is ambiguous"},
    {"as, unknown", "nobody@desk", NULL, NULL, "/", "/", NULL,
        "no token is stored for nobody@desk; there are: front@"},
    {"as, malformed", "a@b@c", NULL, NULL, "/", "/", NULL, "--as takes AGENT@NAMESPACE"},
    {"as, bound to another relay", "far@other", NULL, HERE, "/", "/", NULL,
        "the token of far@other belongs to another relay than " HERE " and is not sent there"},
    {"as, at its relay", "far@other", NULL, "https://other.example.com", "/", "/", "far@other", NULL},
    {"a folder bound to another relay", NULL, NULL, HERE, "/home/ada/far", "/home/ada/far", NULL,
        "no identity is stored for /home/ada/far at " HERE},
    {"a folder at its relay", NULL, NULL, "https://other.example.com", "/home/ada/far", "/home/ada/far",
        "far@other", NULL},
};

START_TEST(the_right_identity_is_chosen)
{
    struct credentials c;
    struct buf why = {0};
    ck_assert(parse(stored, &c, &why));
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        buf_reset(&why);
        const struct credential_query query = {.as = choices[i].as,
            .client = choices[i].client,
            .origin = choices[i].origin,
            .folder = choices[i].folder,
            .root = choices[i].root};
        const struct credential *entry = credentials_choose(&c, &query, &why);
        const char *agent = entry ? entry->agent : "none";
        ck_assert_msg(strcmp(agent, choices[i].agent ? choices[i].agent : "none") == 0, "%s: got %s (%s)",
            choices[i].what, agent, buf_text(&why));
        if (choices[i].why)
            ck_assert_msg(strncmp(buf_text(&why), choices[i].why, strlen(choices[i].why)) == 0, "%s: %s",
                choices[i].what, buf_text(&why));
    }
    credentials_free(&c);
    buf_free(&why);
}
END_TEST

/* ---- the file ---- */

static char folder[PATH_MAX];
static char *path;

static void make_folder(void)
{
    unit_folder(folder);
    path = xasprintf("%s/credentials.json", folder);
}

static void remove_folder(void)
{
    char *lock = xasprintf("%s/credentials.lock", folder);
    unlink(lock);
    free(lock);
    unlink(path);
    rmdir(path);
    ck_assert_int_eq(rmdir(folder), 0);
    free(path);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void refused(const char *part)
{
    struct credentials c;
    struct buf why = {0};
    ck_assert(!credentials_load(path, &c, &why));
    ck_assert_msg(strstr(buf_text(&why), part) && strstr(buf_text(&why), path), "%s", buf_text(&why));
    buf_free(&why);
}

START_TEST(a_file_of_ours_is_loaded)
{
    struct credentials c;
    struct buf why = {0};
    ck_assert(credentials_load(path, &c, &why));
    ck_assert_uint_eq(c.count, 0);
    write_file(stored, 0600);
    ck_assert_msg(credentials_load(path, &c, &why), "%s", buf_text(&why));
    ck_assert_uint_eq(c.count, 8);
    credentials_free(&c);
    buf_free(&why);
}
END_TEST

START_TEST(a_file_that_others_may_read_is_refused)
{
    write_file(stored, 0640);
    refused("chmod 600");
    write_file(stored, 0604);
    refused("chmod 600");
}
END_TEST

START_TEST(a_file_of_anothers_is_refused)
{
    if (geteuid() != 0)
        return; /* only root can give a file away */
    write_file(stored, 0600);
    ck_assert_int_eq(chown(path, 1, (gid_t)-1), 0);
    refused("belongs to another user");
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refused("not a regular file");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    refused("not a regular file");
}
END_TEST

START_TEST(a_malformed_or_huge_file_is_refused)
{
    write_file("{\"version\":1,", 0600);
    refused("the file");
    write_file("", 0600);
    ck_assert_int_eq(truncate(path, CREDENTIALS_MAX_BYTES + 1), 0);
    refused("too large");
}
END_TEST

/* ---- changing it ---- */

static struct credential entry_of(const char *agent, const char *where, const char *client)
{
    static char url[] = HERE, token[] = "pc_new";
    struct credential entry = {
        .url = url, .token = token, .folder = (char *)(uintptr_t)where, .client = (char *)(uintptr_t)client};
    ck_assert_int_ge(snprintf(entry.agent, sizeof entry.agent, "%s", agent), 0);
    return entry;
}

static void put(const struct credential *entry)
{
    struct buf why = {0};
    ck_assert_msg(credentials_put(path, entry, &why), "%s", buf_text(&why));
    ck_assert_uint_eq(why.len, 0);
    buf_free(&why);
}

static void put_refused(const struct credential *entry, const char *part)
{
    struct buf why = {0};
    ck_assert(!credentials_put(path, entry, &why));
    ck_assert_msg(strstr(buf_text(&why), part), "%s", buf_text(&why));
    buf_free(&why);
}

static struct credentials load(void)
{
    struct credentials c;
    struct buf why = {0};
    ck_assert_msg(credentials_load(path, &c, &why), "%s", buf_text(&why));
    buf_free(&why);
    return c;
}

static mode_t mode_of(const char *file)
{
    struct stat st;
    ck_assert_int_eq(lstat(file, &st), 0);
    return st.st_mode & 07777;
}

static char *text_of(const char *file)
{
    struct buf text = {0};
    int fd = open(file, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ssize_t got = read(fd, buf_reserve(&text, 1 << 16), 1 << 16);
    ck_assert_int_ge(got, 0);
    buf_commit(&text, (size_t)got);
    close(fd);
    return buf_take(&text);
}

START_TEST(an_entry_is_put_where_nothing_is)
{
    char *deep = xasprintf("%s/a/b/credentials.json", folder);
    char *own = xasprintf("%s/a/b", folder), *above = xasprintf("%s/a", folder);
    char *lock = xasprintf("%s/credentials.lock", own);
    char *saved = path;
    struct credential entry = entry_of("front@shop", "/p", "codex");
    char *paths[] = {(char[]){"/data"}, NULL};
    entry.allow_paths = paths;
    path = deep;
    umask(0);
    put(&entry);
    ck_assert_int_eq(mode_of(deep), 0600);
    ck_assert_int_eq(mode_of(own), 0700);
    ck_assert_int_eq(mode_of(lock), 0600);
    struct credentials c = load();
    ck_assert_uint_eq(c.count, 1);
    ck_assert_str_eq(c.entries[0].agent, "front@shop");
    ck_assert_str_eq(c.entries[0].url, HERE);
    ck_assert_str_eq(c.entries[0].token, "pc_new");
    ck_assert_str_eq(c.entries[0].folder, "/p");
    ck_assert_str_eq(c.entries[0].client, "codex");
    ck_assert_str_eq(c.entries[0].allow_paths[0], "/data");
    credentials_free(&c);
    path = saved;
    ck_assert(unlink(deep) == 0 && unlink(lock) == 0 && rmdir(own) == 0 && rmdir(above) == 0);
    free(lock);
    free(above);
    free(own);
    free(deep);
}
END_TEST

START_TEST(an_entry_replaces_its_like_alone)
{
    write_file(FILE_OF(ENTRY("shop:Front", HERE "/", AT("/p") BY("codex") ",\"note\":\"keep\"") "," ENTRY(
                   "front@shop", "https://other.example.com", AT("/p") BY("codex"))),
        0600);
    const struct credential like = entry_of("front@shop", "/p", "codex"),
                            client = entry_of("front@shop", "/p", NULL),
                            where = entry_of("front@shop", "/q", "codex"),
                            agent = entry_of("back@shop", "/p", "codex");
    put(&like);
    struct credentials c = load();
    ck_assert_uint_eq(c.count, 2);
    ck_assert_str_eq(c.entries[0].token, "pc_new");
    ck_assert_str_eq(c.entries[1].token, "pc_front@shop");
    credentials_free(&c);
    char *text = text_of(path);
    ck_assert_msg(strstr(text, "\"note\": \"keep\""), "%s", text);
    free(text);
    put(&client);
    put(&where);
    put(&agent);
    put(&agent);
    c = load();
    ck_assert_uint_eq(c.count, 5);
    credentials_free(&c);
}
END_TEST

static size_t removed(const char *where, const char *client)
{
    struct buf why = {0};
    size_t count = 77;
    ck_assert_msg(credentials_remove(path, where, client, &count, &why), "%s", buf_text(&why));
    buf_free(&why);
    return count;
}

START_TEST(a_folders_entries_are_removed)
{
    ck_assert_uint_eq(removed("/p", NULL), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
    write_file(stored, 0600);
    ck_assert_uint_eq(removed("/home/ada", NULL), 0);
    ck_assert_uint_eq(removed("/home/ada/shop", "zed"), 0);
    char *text = text_of(path);
    ck_assert_str_eq(text, stored);
    free(text);
    ck_assert_uint_eq(removed("/home/ada/shop", "codex"), 1);
    ck_assert_uint_eq(removed("/home/ada/shop/tools", NULL), 2);
    struct credentials c = load();
    ck_assert_uint_eq(c.count, 5);
    ck_assert_str_eq(c.entries[0].agent, "front@shop");
    credentials_free(&c);
}
END_TEST

START_TEST(what_else_a_folder_has_is_removed)
{
    const struct credential entry = entry_of("codex@shop", "/home/ada/shop", "codex"),
                            other = entry_of("new@shop", "/home/ada/shop", "codex");
    struct buf why = {0};
    write_file(stored, 0600);
    put(&other);
    ck_assert_msg(credentials_remove_others(path, &entry, &why), "%s", buf_text(&why));
    struct credentials c = load();
    ck_assert_uint_eq(c.count, 8);
    ck_assert_str_eq(c.entries[1].agent, "codex@shop");
    credentials_free(&c);
}
END_TEST

START_TEST(a_file_that_is_not_trusted_is_not_changed)
{
    const struct credential entry = entry_of("a@n", "/p", NULL);
    write_file("{\"version\":2,\"entries\":[]}", 0600);
    put_refused(&entry, "\"version\" has to be 1");
    char *text = text_of(path);
    ck_assert_str_eq(text, "{\"version\":2,\"entries\":[]}");
    free(text);
    write_file(stored, 0640);
    put_refused(&entry, "chmod 600");
    write_file("", 0600);
    put_refused(&entry, "the file");
    if (geteuid() == 0) {
        write_file(stored, 0600);
        ck_assert_int_eq(chown(path, 1, (gid_t)-1), 0);
        put_refused(&entry, "belongs to another user");
    }
}
END_TEST

START_TEST(a_link_is_not_written_through)
{
    const struct credential entry = entry_of("a@n", "/p", NULL);
    char *target = xasprintf("%s/target", folder);
    struct buf why = {0};
    size_t count;
    ck_assert_int_eq(symlink(target, path), 0);
    put_refused(&entry, "is a link");
    ck_assert_int_eq(access(target, F_OK), -1);
    ck_assert(!credentials_remove(path, "/p", NULL, &count, &why));
    buf_free(&why);
    free(target);
}
END_TEST

START_TEST(what_a_kill_left_long_ago_is_removed)
{
    const struct credential entry = entry_of("a@n", "/p", NULL);
    char *left = xasprintf("%s/.new-left", folder);
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    int fd = open(left, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(futimens(fd, long_ago), 0);
    close(fd);
    put(&entry);
    ck_assert_int_eq(access(left, F_OK), -1);
    free(left);
}
END_TEST

START_TEST(a_folder_is_closed_and_has_to_be_ours)
{
    const struct credential entry = entry_of("a@n", "/p", NULL);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    put(&entry);
    ck_assert_int_eq(mode_of(folder), 0700);
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chown(folder, 1, (gid_t)-1), 0);
    put_refused(&entry, "Operation not permitted");
    ck_assert_int_eq(chown(folder, 0, (gid_t)-1), 0);
}
END_TEST

START_TEST(what_would_not_be_read_again_is_not_written)
{
    struct credential entry = entry_of("a@n", "/p", NULL);
    put(&entry);
    char bad[] = "two words";
    entry.token = bad;
    put_refused(&entry, "\"token\"");
    struct credentials c = load();
    ck_assert_str_eq(c.entries[0].token, "pc_new");
    credentials_free(&c);

    struct buf text = {0};
    buf_puts(&text, "{\"version\":1,\"entries\":[");
    for (size_t i = 0; i < CREDENTIALS_MAX_ENTRIES; i++)
        buf_printf(&text, "%s" ENTRY("a%zu@n", HERE, ""), i ? "," : "", i, i);
    buf_puts(&text, "]}");
    write_file(buf_text(&text), 0600);
    buf_free(&text);
    const struct credential more = entry_of("more@n", NULL, NULL), same = entry_of("a0@n", NULL, NULL);
    put(&same);
    put_refused(&more, "more than 1000 entries");
}
END_TEST

START_TEST(whoever_hangs_with_the_lock_is_named)
{
    const struct credential entry = entry_of("a@n", "/p", NULL);
    char *lock = xasprintf("%s/credentials.lock", folder);
    int fd = open(lock, O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    put_refused(&entry, "is being changed by another process");
    close(fd);
    put(&entry);
    free(lock);
}
END_TEST

enum { WRITERS = 4, PUTS = 15 };

/* Writes a byte into progress (-1: none) behind each. */
static void put_many(int writer, int progress)
{
    for (int i = 0; i < PUTS; i++) {
        char agent[32];
        snprintf(agent, sizeof agent, "a%d-%d@n", writer, i);
        const struct credential entry = entry_of(agent, "/p", NULL);
        struct buf why = {0};
        if (!credentials_put(path, &entry, &why))
            _exit(1);
        buf_free(&why);
        if (progress >= 0 && write(progress, "", 1) != 1)
            _exit(1);
    }
    _exit(0);
}

START_TEST(writers_do_not_lose_each_others_entries)
{
    for (int i = 0; i < WRITERS; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            put_many(i, -1);
    }
    for (int i = 0, status; i < WRITERS; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    struct credentials c = load();
    ck_assert_uint_eq(c.count, WRITERS * PUTS);
    credentials_free(&c);
}
END_TEST

static void remove_left_overs(void)
{
    char *command = xasprintf("rm -f %s/.new-*", folder);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

START_TEST(a_kill_in_between_leaves_a_whole_file)
{
    write_file(stored, 0600);
    for (int round = 0; round < 40; round++) {
        int progress[2];
        char byte;
        ck_assert_int_eq(pipe(progress), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            put_many(round, progress[1]);
        for (int i = 0; i < round % PUTS; i++)
            ck_assert_int_eq(read(progress[0], &byte, 1), 1);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        close(progress[0]);
        close(progress[1]);
        struct credentials c = load();
        ck_assert_uint_ge(c.count, 8);
        ck_assert_str_eq(c.entries[0].token, "pc_front@shop");
        credentials_free(&c);
    }
    remove_left_overs();
}
END_TEST

START_TEST(the_path_follows_the_environment)
{
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", "/x", 1), 0);
    ck_assert_int_eq(setenv("HOME", "/home/ada", 1), 0);
    char *where = credentials_path();
    ck_assert_str_eq(where, "/x/patchcord/credentials.json");
    free(where);
    ck_assert_int_eq(setenv("XDG_CONFIG_HOME", "relative", 1), 0);
    where = credentials_path();
    ck_assert_str_eq(where, "/home/ada/.config/patchcord/credentials.json");
    free(where);
    ck_assert_int_eq(unsetenv("XDG_CONFIG_HOME"), 0);
    ck_assert_int_eq(unsetenv("HOME"), 0);
    ck_assert_ptr_null(credentials_path());
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("credentials", &tests);
    tcase_add_test(tests, an_entry_is_read);
    tcase_add_test(tests, a_bad_file_says_which_rule);
    tcase_add_test(tests, the_number_of_allowed_paths_is_bounded);
    tcase_add_test(tests, the_number_of_entries_is_bounded);
    tcase_add_test(tests, the_right_identity_is_chosen);
    tcase_add_test(tests, the_path_follows_the_environment);
    TCase *files = tcase_create("file");
    suite_add_tcase(suite, files);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, a_file_of_ours_is_loaded);
    tcase_add_test(files, a_file_that_others_may_read_is_refused);
    tcase_add_test(files, a_file_of_anothers_is_refused);
    tcase_add_test(files, what_is_no_file_is_refused);
    tcase_add_test(files, a_malformed_or_huge_file_is_refused);
    TCase *changes = tcase_create("change");
    suite_add_tcase(suite, changes);
    tcase_add_checked_fixture(changes, make_folder, remove_folder);
    tcase_set_timeout(changes, 60);
    tcase_add_test(changes, an_entry_is_put_where_nothing_is);
    tcase_add_test(changes, an_entry_replaces_its_like_alone);
    tcase_add_test(changes, a_folders_entries_are_removed);
    tcase_add_test(changes, what_else_a_folder_has_is_removed);
    tcase_add_test(changes, a_file_that_is_not_trusted_is_not_changed);
    tcase_add_test(changes, a_link_is_not_written_through);
    tcase_add_test(changes, what_a_kill_left_long_ago_is_removed);
    tcase_add_test(changes, a_folder_is_closed_and_has_to_be_ours);
    tcase_add_test(changes, what_would_not_be_read_again_is_not_written);
    tcase_add_test(changes, whoever_hangs_with_the_lock_is_named);
    tcase_add_test(changes, writers_do_not_lose_each_others_entries);
    tcase_add_test(changes, a_kill_in_between_leaves_a_whole_file);
    return run_unit(suite);
}
