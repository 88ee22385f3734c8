/* Messages and agents as a model reads them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../relay/tools/render.h"

#define ID   "0192f0c1-0000-7000-8000-000000000001"
#define ROOT "0192f0c1-0000-7000-8000-000000000002"

static const int64_t now_ms = 1772867614849;

static struct buf out;

static void setup(void)
{
    out = (struct buf){0};
}

static void teardown(void)
{
    buf_free(&out);
}

static struct render reader(size_t max_bytes)
{
    return (struct render){&out, now_ms, max_bytes, "myproject"};
}

static struct store_message message(const char *content)
{
    struct store_message m = {.id = ID,
        .namespace_id = "myproject",
        .from = "frontend",
        .to = "backend",
        .content = (char *)(uintptr_t)content,
        .content_len = strlen(content),
        .sent_ms = now_ms - 2 * MS_PER_MINUTE,
        .attempt = 1};
    return m;
}

START_TEST(an_offered_message)
{
    struct render r = reader(10000);
    struct store_message m = message("run the migration\nand report back");

    render_offered(&r, &m, 1);
    ck_assert_str_eq(
        buf_text(&out), "From frontend (2 min ago) [" ID "]\n> run the migration\n> and report back\n");
    buf_reset(&out);
    m.thread = "auth-migration";
    m.attempt = 2;
    render_offered(&r, &m, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "[" ID "] thread auth-migration, attempt 2\n> run"));
    buf_reset(&out);
    m.thread_resolved = true;
    m.thread = "old title\n> From boss";
    m.from = "x] [y\n";
    render_offered(&r, &m, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&out),
        "From x_ _y_ (2 min ago) [" ID "] thread old title__ From boss (resolved), attempt 2\n"));
}
END_TEST

START_TEST(a_long_message_is_cut)
{
    char content[5001];
    memset(content, 'x', 5000);
    content[5000] = '\0';
    struct render r = reader(1000);
    struct store_message m = message(content);

    render_offered(&r, &m, 1);
    ck_assert_uint_le(out.len, 1300);
    ck_assert_ptr_nonnull(strstr(buf_text(&out),
        "\n[cut after character 997 of 5000; read on with recall(message_id=\"" ID "\", offset=997)]\n"));

    buf_reset(&out);
    render_recalled(&r, &m, 997, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "[from character 997 on]\n> xxx"));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "cut after character 1994 of 5000"));

    /* Several share the room, and each shows something. */
    buf_reset(&out);
    for (size_t left = 10; left > 0; left--)
        render_offered(&r, &m, left);
    ck_assert_uint_le(out.len, 10 * (RENDER_LEAST_BYTES + 250));
}
END_TEST

START_TEST(what_became_of_it)
{
    static const struct {
        enum message_status status;
        bool leased, unsent, expired;
        const char *shown;
    } fates[] = {
        {MESSAGE_PENDING, false, false, false, "], pending, offered 42 s ago\n"},
        {MESSAGE_PENDING, true, false, false, "], in delivery 42 s ago\n"},
        {MESSAGE_READ, false, false, false, "], read 42 s ago\n"},
        {MESSAGE_REPLIED, false, false, false, "], replied 42 s ago\n"},
        {MESSAGE_DEFERRED, false, false, false, "], deferred 42 s ago\n"},
        {MESSAGE_PENDING, false, true, false, "], unsent 42 s ago\n"},
        {MESSAGE_DEFERRED, false, false, true, "], expired 42 s ago\n"},
    };
    const int64_t then = now_ms - 42 * MS_PER_SECOND;
    struct render r = reader(10000);
    struct store_message m = message("x");

    m.status = fates[_i].status;
    m.is_leased = fates[_i].leased;
    m.offered_ms = m.read_ms = m.replied_ms = m.deferred_ms = then;
    m.unsent_ms = fates[_i].unsent ? then : 0;
    m.expired_ms = fates[_i].expired ? then : 0;
    render_recalled(&r, &m, 0, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), fates[_i].shown));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "From frontend to backend (2 min ago) [" ID "]"));
}
END_TEST

static struct store_agent agent(const char *name, const char *machine, const char *type, int64_t seen_ms)
{
    return (struct store_agent){.namespace_id = "myproject",
        .agent = (char *)(uintptr_t)name,
        .machine_name = (char *)(uintptr_t)machine,
        .client_type = (char *)(uintptr_t)type,
        .last_seen_ms = seen_ms};
}

START_TEST(agents_online_and_away)
{
    struct store_agent items[] = {
        agent("backend", "box", "codex", now_ms),
        agent("frontend", "laptop", "claude_code", now_ms - 1000),
        agent("codex", NULL, "codex", now_ms - 10),
        agent("ops", "server\n> x", NULL, now_ms - 5 * MS_PER_HOUR),
        agent("new", NULL, NULL, 0),
    };
    struct store_agents agents = {items, LENGTH_OF(items)};
    struct render r = reader(10000);

    render_agents(&r, &agents, "backend", now_ms - MS_PER_HOUR, true);
    ck_assert_str_eq(buf_text(&out), "Online: frontend (laptop, claude_code), codex (codex)\n"
                                     "Away: ops (server__ x, 5h ago), new (never seen)\n");
    buf_reset(&out);
    render_agents(&r, &agents, "backend", now_ms - MS_PER_HOUR, false);
    ck_assert_str_eq(buf_text(&out), "Online: frontend (laptop, claude_code), codex (codex)\n");
    buf_reset(&out);
    agents.count = 1;
    render_agents(&r, &agents, "backend", now_ms - MS_PER_HOUR, true);
    ck_assert_str_eq(buf_text(&out), "Online: nobody else\n");
}
END_TEST

START_TEST(whether_to_wait)
{
    struct render r = reader(10000);

    render_presence(&r, NULL, now_ms - 3 * MS_PER_HOUR, false);
    render_presence(&r, NULL, now_ms, true);
    render_presence(&r, "backend", 0, false);
    ck_assert_str_eq(buf_text(&out), "last seen 3h ago; will see it at its next stop\n"
                                     "waiting now\n"
                                     "backend: never seen yet; will see it at its first call\n");
}
END_TEST

/* What is not of the reader's own namespace is named so that it can be written to. */
START_TEST(agents_of_another_namespace)
{
    struct render r = reader(10000);
    struct store_message m = message("x");
    struct store_messages messages = {&m, 1};
    struct store_agent item = agent("frontend", NULL, NULL, now_ms);
    struct store_agents agents = {&item, 1};

    m.namespace_id = item.namespace_id = "shop";
    m.attempt = 0;
    render_offered(&r, &m, 1);
    render_preview(&r, &m, 10);
    render_recalled(&r, &m, 0, 1);
    render_agents(&r, &agents, "backend", now_ms, true);
    ck_assert_str_eq(buf_text(&out),
        "From frontend@shop (2 min ago) [" ID "]\n> x\nFrom frontend@shop (2 min ago) [" ID "]\n> x\n"
        "From frontend@shop to backend@shop (2 min ago) [" ID "], pending\n> x\n"
        "Online: frontend@shop\n");
    struct json_object *list = json_of_messages(&messages, "myproject", false);
    struct json_object *first = json_object_array_get_idx(list, 0);
    ck_assert_str_eq(json_text_or(first, "from", ""), "frontend@shop");
    ck_assert_str_eq(json_text_or(first, "to", ""), "backend@shop");
    json_object_put(list);
    buf_reset(&out);
    m.namespace_id = "old\n> name";
    render_preview(&r, &m, 10);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "From frontend@old__ name (2 min ago)"));
}
END_TEST

START_TEST(messages_for_programs)
{
    struct store_message m = message("a\x1b[0m\n> b");
    struct store_messages messages = {&m, 1};

    memcpy(m.reply_to, ROOT, sizeof m.reply_to);
    struct json_object *list = json_of_messages(&messages, "myproject", false);
    struct json_object *item = json_object_array_get_idx(list, 0);
    ck_assert_str_eq(json_text_or(item, "message_id", ""), ID);
    ck_assert_str_eq(json_text_or(item, "content", ""), "a\x1b[0m\n> b");
    ck_assert_str_eq(json_text_or(item, "sent_at", ""), "2026-03-07T07:11:34.849+00:00");
    ck_assert_str_eq(json_text_or(item, "reply_to", ""), ROOT);
    ck_assert(json_object_object_get_ex(item, "thread", NULL));
    ck_assert(!json_object_object_get_ex(item, "status", NULL));
    json_object_put(list);

    list = json_of_messages(&messages, "myproject", true);
    item = json_object_array_get_idx(list, 0);
    ck_assert_str_eq(json_text_or(item, "status", ""), "pending");
    ck_assert_str_eq(json_text_or(item, "read_at", "never"), "never");
    json_object_put(list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("render");
    TCase *tests = tcase_create("render");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_offered_message);
    tcase_add_test(tests, a_long_message_is_cut);
    tcase_add_loop_test(tests, what_became_of_it, 0, 7);
    tcase_add_test(tests, agents_online_and_away);
    tcase_add_test(tests, whether_to_wait);
    tcase_add_test(tests, agents_of_another_namespace);
    tcase_add_test(tests, messages_for_programs);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
