/* Messages that are sealed on their way into a store and opened on their way out. */
#include <fcntl.h>

#include "store_fixture.h"

#define KEY_A  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B  "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="
#define SECRET "the launch is on friday"

static char *folder;
static struct store *s;

/* The store again, with these keys (NULL: none). */
static void reopen(const char *keys)
{
    struct buf why = {0};
    const struct store_options options = {
        .data_dir = folder, .database_url = rig_url(), .encryption_key = keys, .role = STORE_ROLE_RELAY};
    if (s)
        store_close(s);
    s = store_open(&options, &why);
    ck_assert_msg(s != NULL, "%s", buf_text(&why));
    buf_free(&why);
}

static void begin(void)
{
    folder = fixture_folder();
    reopen(KEY_A);
    fixture_agent(s, "frontend");
    fixture_agent(s, "backend");
}

static void end(void)
{
    store_close(s);
    s = NULL;
    fixture_remove(folder);
}

static void expect_text(const char *agent, const char *id, const char *text)
{
    struct store_messages found;
    ck_assert(look_up(s, agent, id, &found));
    ck_assert_msg(strstr(found.items[0].content, text) != NULL, "%s", found.items[0].content);
    ck_assert_uint_eq(found.items[0].content_len, strlen(found.items[0].content));
    ck_assert(!found.items[0].is_sealed);
    store_messages_free(&found);
}

/* Whether a file of the store's folder has those bytes. */
static bool file_has(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    struct buf bytes = {0};
    const int fd = open(path, O_RDONLY);
    ssize_t got = 0;
    while (fd >= 0 && (got = read(fd, buf_reserve(&bytes, 65536), 65536)) > 0)
        buf_commit(&bytes, (size_t)got);
    if (fd >= 0)
        close(fd);
    const bool has = bytes.len > 0 && memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
    buf_free(&bytes);
    free(path);
    return has;
}

static size_t files_with(const char *text)
{
    size_t count = 0;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(entries));)
        count += file_has(entry->d_name, text);
    closedir(entries);
    return count;
}

START_TEST(nothing_lies_in_clear)
{
    char id[UUID_SIZE];
    if (rig_url())
        return; /* its files are elsewhere */
    must_send(s, "frontend", "backend", SECRET, id);
    must_reply(s, "backend", id, "understood: friday", false, false);
    ck_assert_uint_eq(files_with(SECRET), 0);
    ck_assert_uint_eq(files_with("friday"), 0);
    expect_text("frontend", id, SECRET);

    /* The same without a key: this test can fail. */
    reopen(NULL);
    must_send(s, "frontend", "backend", "in clear", NULL);
    ck_assert_uint_gt(files_with("in clear"), 0);
}
END_TEST

START_TEST(every_reader_sees_the_text)
{
    struct store_offer_result offer;
    struct store_messages messages;
    struct store_send_result gated;
    int64_t count;
    const struct store_caller backend = as("backend");
    must_send(s, "frontend", "backend", SECRET, NULL);
    must_send(s, "backend", "backend", "to myself", NULL);

    ck_assert_int_eq(store_inbox(s, &backend, MESSAGE_PENDING, 5, false, &messages, &count), STORE_DONE);
    ck_assert_str_eq(messages.items[0].content, SECRET);
    store_messages_free(&messages);

    ck_assert_int_eq(
        send_as(s, "backend", "frontend", "not before you read", NULL, NULL, false, &gated), STORE_REFUSED);
    ck_assert_int_eq(gated.refusal, REFUSAL_INBOX_GATE);
    ck_assert_str_eq(gated.unread.items[0].content, SECRET);
    store_send_result_free(&gated);

    const struct store_offer wanted = {
        .lease = LEASE, .max_messages = 5, .max_bytes = 10000, .with_context = true};
    ck_assert_int_eq(store_offer(s, &backend, &wanted, &offer), STORE_DONE);
    ck_assert_str_eq(offer.messages.items[0].content, SECRET);
    ck_assert_str_eq(offer.deferred.items[0].content, "to myself");
    store_offer_result_free(&offer);
}
END_TEST

START_TEST(a_search_finds_none)
{
    struct store_messages found;
    const struct store_caller backend = as("backend");
    const struct store_recall search = {.limit = 5, .query = "launch"}, all = {.limit = 5};
    must_send(s, "frontend", "backend", SECRET, NULL);
    ck_assert_int_eq(store_recall(s, &backend, &search, &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 0);
    ck_assert_int_eq(store_recall(s, &backend, &all, &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_str_eq(found.items[0].content, SECRET);
    store_messages_free(&found);
    ck_assert(store_is_sealed(s));
}
END_TEST

static void expect_repeat(const char *id, bool is_repeat)
{
    struct store_send_result result;
    const enum store_status status = send_as(s, "frontend", "backend", SECRET, id, NULL, true, &result);
    ck_assert_int_eq(status, STORE_DONE);
    ck_assert_int_eq(result.repeat, is_repeat);
    store_send_result_free(&result);
}

/* A late retry is known under the same key, under the next one, and where there was none before. */
START_TEST(repeats_are_known_across_keys)
{
    struct store_send_result other;
    expect_repeat(LEASE, false);
    expect_repeat(LEASE, true);
    reopen(KEY_B "," KEY_A);
    expect_repeat(LEASE, true);
    ck_assert_int_eq(send_as(s, "frontend", "backend", "other", LEASE, NULL, true, &other), STORE_REFUSED);
    ck_assert_int_eq(other.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&other);

    reopen(NULL);
    expect_repeat(OTHER, false);
    reopen(KEY_B "," KEY_A);
    expect_repeat(OTHER, true);
    ck_assert_int_eq(count_of(s, "backend", MESSAGE_PENDING), 2);
}
END_TEST

START_TEST(replies_repeat_too)
{
    char id[UUID_SIZE];
    must_send(s, "frontend", "backend", SECRET, id);
    const struct store_caller backend = as("backend");
    const struct store_reply reply = {
        .message_id = id, .reply_id = LEASE, .content = "done", .content_len = strlen("done")};
    for (int i = 0; i < 3; i++) {
        struct store_reply_result result;
        if (i == 2)
            reopen(KEY_B "," KEY_A);
        ck_assert_int_eq(store_reply(s, &backend, &reply, &result), STORE_DONE);
        ck_assert_int_eq(result.repeat, i > 0);
        store_reply_result_free(&result);
    }
    expect_text("frontend", LEASE, "done");
}
END_TEST

/* What cannot be opened says so, in place of its text; what was there before the key reads on. */
START_TEST(without_the_key_it_says_so)
{
    char before[UUID_SIZE], sealed[UUID_SIZE];
    reopen(NULL);
    must_send(s, "frontend", "backend", "in clear", before);
    reopen(KEY_A);
    must_send(s, "frontend", "backend", SECRET, sealed);
    expect_text("backend", before, "in clear");
    reopen(KEY_B);
    expect_text("backend", sealed, "a key that the relay does not have");
    reopen(NULL);
    expect_text("backend", sealed, "a key that the relay does not have");
    expect_text("backend", before, "in clear");
}
END_TEST

START_TEST(a_notice_does_not_quote)
{
    struct store_cleanup_result result;
    struct store_messages notices;
    int64_t count;
    const struct store_caller frontend = as("frontend");
    must_send(s, "frontend", "backend", SECRET, NULL);
    clock_pass(MS_PER_DAY);
    ck_assert_int_eq(store_cleanup(s, MS_PER_HOUR, MS_PER_HOUR, false, &result), STORE_DONE);
    ck_assert_int_eq(result.notices, 1);
    store_cleanup_result_free(&result);
    ck_assert_int_eq(store_inbox(s, &frontend, MESSAGE_DEFERRED, 5, false, &notices, &count), STORE_DONE);
    ck_assert_uint_eq(notices.count, 1);
    ck_assert_msg(
        strstr(notices.items[0].content, "never read (encrypted)") != NULL, "%s", notices.items[0].content);
    store_messages_free(&notices);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_sealing");
    TCase *tests = tcase_create("messages");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, nothing_lies_in_clear);
    tcase_add_test(tests, every_reader_sees_the_text);
    tcase_add_test(tests, a_search_finds_none);
    tcase_add_test(tests, repeats_are_known_across_keys);
    tcase_add_test(tests, replies_repeat_too);
    tcase_add_test(tests, without_the_key_it_says_so);
    tcase_add_test(tests, a_notice_does_not_quote);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
