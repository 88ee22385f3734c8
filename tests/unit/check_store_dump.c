/* What a store keeps, read as rows and stored again: on this kind of store, into an empty one of it. */
#include "../../relay/store/store_dump.h"
#include "store_oauth_fixture.h"
#include "unit.h"

#define MACHINE "workstation"

/* ---- all rows, as lines ---- */

static void read_kind(enum dump_kind kind, struct buf *lines)
{
    struct json_object *after = NULL, *rows = NULL;
    do {
        ck_assert_int_eq(store_dump(s, kind, after, &rows), STORE_DONE);
        const size_t count = json_object_array_length(rows);
        ck_assert_uint_le(count, DUMP_PAGE_ROWS);
        for (size_t i = 0; i < count; i++) {
            json_write(json_object_array_get_idx(rows, i), lines);
            buf_putc(lines, '\n');
        }
        json_object_put(after);
        after = count > 0 ? json_object_get(json_object_array_get_idx(rows, count - 1)) : NULL;
        json_object_put(rows);
    } while (after);
}

static struct buf *read_all(void)
{
    struct buf *kinds = xcalloc(DUMP_KINDS, sizeof *kinds);
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++)
        read_kind(kind, &kinds[kind]);
    return kinds;
}

static void free_all(struct buf *kinds)
{
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++)
        buf_free(&kinds[kind]);
    free(kinds);
}

static struct json_object *parse(const char *text, size_t len)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, len, &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    return value;
}

static int64_t load(enum dump_kind kind, struct json_object *rows)
{
    int64_t taken = -1;
    ck_assert_int_eq(store_load(s, kind, rows, &taken), STORE_DONE);
    json_object_put(rows);
    return taken;
}

/* Stores lines by whole pages; how many were taken. */
static int64_t load_lines(enum dump_kind kind, const struct buf *lines)
{
    int64_t taken = 0;
    struct json_object *rows = json_new_array();
    for (const char *line = buf_text(lines); *line; line = strchr(line, '\n') + 1) {
        json_append(rows, parse(line, strcspn(line, "\n")));
        if (json_object_array_length(rows) < DUMP_PAGE_ROWS)
            continue;
        taken += load(kind, rows);
        rows = json_new_array();
    }
    return taken + load(kind, rows);
}

static int64_t load_all(const struct buf *kinds)
{
    int64_t taken = 0;
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++)
        taken += load_lines(kind, &kinds[kind]);
    return taken;
}

static int64_t lines_of(const struct buf *kinds)
{
    int64_t count = 0;
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++) {
        for (size_t i = 0; i < kinds[kind].len; i++)
            count += kinds[kind].data[i] == '\n';
    }
    return count;
}

/* Another store, without anything in it. */
static void begin_anew(void)
{
    store_close(s);
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}

static void assert_same(const struct buf *one, const struct buf *other)
{
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++)
        ck_assert_str_eq(buf_text(&one[kind]), buf_text(&other[kind]));
}

/* ---- a store in which everything happened ---- */

static char in_thread[UUID_SIZE], deferred[UUID_SIZE], leased[UUID_SIZE];

static void touch(const char *agent)
{
    const struct store_presence presence = {.display_name = "A name with \"quotes\"",
        .machine_name = MACHINE,
        .client_type = "claude",
        .platform = "linux",
        .user_agent = "agent/1",
        .request_host = "relay.example"};
    const struct store_caller caller = {.namespace_id = NS, .agent = agent, .presence = &presence};
    ck_assert_int_eq(store_touch(s, &caller), STORE_DONE);
}

static void send_to_two(void)
{
    const struct store_caller caller = as("a");
    const struct store_recipient to[] = {{.agent = "b"}, {.agent = "c"}};
    const struct store_send send = {.message_id = OTHER,
        .recipients = to,
        .recipients_count = 2,
        .content = "to both",
        .content_len = strlen("to both"),
        .ungated = true};
    struct store_send_result result;
    ck_assert_int_eq(store_send(s, &caller, &send, &result), STORE_DONE);
    store_send_result_free(&result);
}

static void fill_messages(void)
{
    struct store_messages found;
    struct store_cleanup_result cleaned;
    char unsent[UUID_SIZE];
    enum store_refusal refusal;
    must_send(s, "b", "a", "too old", NULL); /* expires, and becomes a notice for b */
    clock_pass(8 * MS_PER_DAY);
    ck_assert_int_eq(store_cleanup(s, 7 * MS_PER_DAY, MS_PER_HOUR, false, &cleaned), STORE_DONE);
    ck_assert_int_eq(cleaned.notices, 1);
    store_cleanup_result_free(&cleaned);
    send_in("a", "b", "plans", &found);
    memcpy(in_thread, found.items[0].id, UUID_SIZE);
    store_messages_free(&found);
    must_reply(s, "b", in_thread, "an answer \xf0\x9f\x90\x99 to \xe8\xaa\xb0", false, true);
    must_send(s, "a", "b", "put off", deferred);
    must_reply(s, "b", deferred, NULL, true, false);
    must_send(s, "a", "c", "taken back", unsent);
    ck_assert_int_eq(unsend_as("a", unsent, &refusal), STORE_DONE);
    must_send(s, "b", "c", "in delivery, with \\ and \t", leased);
    ck_assert_uint_eq(offered(s, "c", LEASE), 1);
    send_to_two();
}

static void fill_logins(void)
{
    char ended[UUID_SIZE];
    const struct store_grant_choice choice = {.id_prefix = ended};
    struct store_client client = {.client_id = xstrdup(CLIENT),
        .metadata = xstrdup("{ \"client_name\" : \"kept to the byte\" }"),
        .created_ms = clock_wall_ms()};
    enum store_refusal refusal;
    memcpy(client.secret_hash, hashed("client's secret").hex, SHA256_HEX_SIZE);
    ck_assert_int_eq(store_client_add(s, &client, 100, &refusal), STORE_DONE);
    free(client.client_id);
    free(client.metadata);
    must_grant("stands", "office warehouse", NULL);
    ck_assert_int_eq(refresh("stands", "renewed"), STORE_DONE);
    ck_assert(lets_in("renewed"));
    must_grant("ended", "", ended);
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_DONE);
}

static void fill(void)
{
    char hash[SHA256_HEX_SIZE];
    struct store_tokens found;
    int64_t ended = 0;
    struct store_ban ban = {.until_ms = clock_wall_ms() + 20 * MS_PER_DAY};
    hash_of("a", hash);
    fill_messages();
    touch("a");
    fill_logins();
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_DONE);
    store_tokens_free(&found);
    ck_assert_int_eq(store_token_end(s, NULL, NS, "a", clock_wall_ms() + MS_PER_DAY, &ended), STORE_DONE);
    fixture_agent(s, "gone");
    ck_assert_int_eq(store_token_end(s, NULL, NS, "gone", 0, &ended), STORE_DONE);
    memcpy(ban.token_hash, hash, sizeof hash);
    ck_assert_int_eq(store_ban_put(s, &ban), STORE_DONE);
}

/* ---- tests ---- */

START_TEST(everything_comes_back_as_it_was)
{
    fill();
    struct buf *before = read_all();
    const int64_t lines = lines_of(before);
    begin_anew();
    ck_assert_int_eq(load_all(before), lines);
    struct buf *after = read_all();
    assert_same(before, after);
    free_all(after);
    /* Twice is the same. */
    ck_assert_int_eq(load_all(before), 0);
    after = read_all();
    assert_same(before, after);
    free_all(after);
    free_all(before);
}
END_TEST

START_TEST(every_field_is_there)
{
    fill();
    struct buf *kinds = read_all();
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++) {
        for (const struct dump_field *field = dump_fields(kind); field->name; field++) {
            char *key = xasprintf("\"%s\":", field->name);
            ck_assert_msg(strcmp(field->name, "encrypted") == 0 || strstr(buf_text(&kinds[kind]), key),
                "no %s has %s", dump_kind_names[kind], key);
            free(key);
        }
    }
    free_all(kinds);
}
END_TEST

START_TEST(what_came_back_goes_on_working)
{
    fill();
    struct buf *rows = read_all();
    begin_anew();
    ck_assert_int_gt(load_all(rows), 0);
    free_all(rows);
    /* Who was let in still is, and a renewal used once is known again. */
    char hash[SHA256_HEX_SIZE];
    struct store_tokens found;
    hash_of("b", hash);
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_DONE);
    store_tokens_free(&found);
    hash_of("gone", hash);
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_ABSENT);
    ck_assert(lets_in("stands") && lets_in("renewed") && !lets_in("ended"));
    ck_assert(exists("shop", "webapp") && exists("office", "webapp") && exists("warehouse", "webapp"));
    ck_assert_int_eq(refresh("renewed", "again"), STORE_DONE);
    clock_pass(REFRESH_GRACE_MS + 1);
    ck_assert_int_eq(refresh("stands", "stolen"), STORE_REFUSED);
    ck_assert(!lets_in("again"));
    /* A lease is gone, so what it held is on offer at once. */
    struct store_offer_result offer;
    must_offer(s, "c", OTHER, 100, &offer);
    ck_assert_uint_eq(offer.messages.count, 2);
    ck_assert_str_eq(offer.messages.items[0].id, leased);
    ck_assert_uint_eq(offer.messages.items[0].attempt, 2);
    store_offer_result_free(&offer);
    /* Words, threads and what makes a repeat are kept. */
    ck_assert_uint_eq(recalled("a", &(struct store_recall){.limit = 10, .query = "answer"}, NULL), 1);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10, .thread = "plans"}, NULL), 2);
    struct store_messages sent;
    ck_assert(look_up(s, "a", in_thread, &sent));
    ck_assert(sent.items[0].thread_resolved);
    char thread_id[UUID_SIZE];
    memcpy(thread_id, sent.items[0].thread_id, UUID_SIZE);
    store_messages_free(&sent);
    send_in("b", "a", "plans", &sent);
    ck_assert_str_eq(sent.items[0].thread_id, thread_id);
    ck_assert(!sent.items[0].thread_resolved);
    store_messages_free(&sent);
    send_to_two();
    must_offer(s, "c", OTHER, 100, &offer);
    ck_assert_uint_eq(offer.messages.count, 2);
    store_offer_result_free(&offer);
    must_reply(s, "b", deferred, "late", false, false);
}
END_TEST

/* How many messages that many lines are read as, and stored again. */
static void goes_through(int count)
{
    begin_anew();
    fixture_agent(s, "a");
    fixture_agent(s, "b");
    for (int i = 0; i < count; i++)
        must_send(s, "a", "b", "x", NULL);
    struct buf *before = read_all();
    begin_anew();
    ck_assert_int_eq(load_lines(DUMP_MESSAGE, &before[DUMP_MESSAGE]), count);
    struct buf *after = read_all();
    ck_assert_str_eq(buf_text(&before[DUMP_MESSAGE]), buf_text(&after[DUMP_MESSAGE]));
    free_all(before);
    free_all(after);
}

START_TEST(pages_end_where_they_may)
{
    static const int counts[] = {
        0, 1, DUMP_PAGE_ROWS - 1, DUMP_PAGE_ROWS, DUMP_PAGE_ROWS + 1, 2 * DUMP_PAGE_ROWS};
    for (size_t i = 0; i < LENGTH_OF(counts); i++)
        goes_through(counts[i]);
}
END_TEST

START_TEST(it_goes_behind_what_is_there_in_its_order)
{
    struct buf *rows;
    char own[UUID_SIZE];
    for (int i = 0; i < 3; i++)
        must_send(s, "a", "b", i == 0 ? "first" : i == 1 ? "second" : "third", NULL);
    rows = read_all();
    begin_anew();
    fixture_agent(s, "a");
    fixture_agent(s, "b");
    must_send(s, "a", "b", "own", own);
    must_send(s, "a", "b", "own too", NULL);
    ck_assert_int_eq(load_lines(DUMP_MESSAGE, &rows[DUMP_MESSAGE]), 3);
    must_send(s, "a", "b", "later", NULL);
    static const char *const wanted[] = {"own", "own too", "first", "second", "third", "later"};
    struct store_offer_result offer;
    must_offer(s, "b", LEASE, 100, &offer);
    ck_assert_uint_eq(offer.messages.count, LENGTH_OF(wanted));
    for (size_t i = 0; i < LENGTH_OF(wanted); i++)
        ck_assert_str_eq(offer.messages.items[i].content, wanted[i]);
    store_offer_result_free(&offer);
    free_all(rows);
}
END_TEST

START_TEST(a_seq_that_is_free_is_kept)
{
    static const char row[] =
        "[{\"seq\":70000,\"id\":\"" OTHER "\",\"namespace_id\":\"" NS
        "\",\"from\":\"a\",\"to\":\"b\",\"status\":\"pending\",\"sent_ms\":5,\"content\":\"x\"}]";
    struct store_messages found;
    must_send(s, "a", "b", "own", NULL);
    ck_assert_int_eq(load(DUMP_MESSAGE, parse(row, strlen(row))), 1);
    ck_assert(look_up(s, "b", OTHER, &found));
    ck_assert_int_eq(found.items[0].seq, 70000);
    ck_assert_int_eq(found.items[0].sent_ms, 5);
    store_messages_free(&found);
    char next[UUID_SIZE];
    must_send(s, "a", "b", "next", next);
    ck_assert(look_up(s, "b", next, &found));
    ck_assert_int_eq(found.items[0].seq, 70001);
    store_messages_free(&found);
}
END_TEST

START_TEST(a_thread_of_that_name_is_joined)
{
    struct store_messages found;
    send_in("a", "b", "plans", &found);
    store_messages_free(&found);
    struct buf *rows = read_all();
    begin_anew();
    fixture_agent(s, "a");
    fixture_agent(s, "b");
    send_in("b", "a", "plans", &found);
    char own[UUID_SIZE];
    memcpy(own, found.items[0].thread_id, UUID_SIZE);
    store_messages_free(&found);
    ck_assert_int_eq(load_lines(DUMP_MESSAGE, &rows[DUMP_MESSAGE]), 1);
    ck_assert_uint_eq(recalled("a", &(struct store_recall){.limit = 10, .thread = own}, NULL), 2);
    free_all(rows);
}
END_TEST

START_TEST(tokens_of_no_grant_are_passed_over)
{
    must_grant("stands", "", NULL);
    struct buf *rows = read_all();
    begin_anew();
    ck_assert_int_eq(load_lines(DUMP_ACCESS, &rows[DUMP_ACCESS]), 0);
    ck_assert_int_eq(load_lines(DUMP_REFRESH, &rows[DUMP_REFRESH]), 0);
    ck_assert_int_eq(load_lines(DUMP_GRANT, &rows[DUMP_GRANT]), 1);
    ck_assert_int_eq(load_lines(DUMP_ACCESS, &rows[DUMP_ACCESS]), 1);
    ck_assert_int_eq(load_lines(DUMP_REFRESH, &rows[DUMP_REFRESH]), 1);
    free_all(rows);
}
END_TEST

/* The original's grants are for whatever the relay is called. */
START_TEST(a_grant_without_an_audience_is_for_any)
{
    must_grant("stands", "", NULL);
    struct buf *rows = read_all();
    struct json_object *grant = parse(rows[DUMP_GRANT].data, rows[DUMP_GRANT].len), *list = json_new_array();
    json_object_object_del(grant, "audience");
    json_append(list, grant);
    begin_anew();
    ck_assert_int_eq(load(DUMP_GRANT, list), 1);
    ck_assert_int_eq(load_lines(DUMP_ACCESS, &rows[DUMP_ACCESS]), 1);
    ck_assert_int_eq(load_lines(DUMP_REFRESH, &rows[DUMP_REFRESH]), 1);
    struct store_tokens found;
    ck_assert_int_eq(find_token("stands access", &found), STORE_DONE);
    ck_assert_ptr_null(found.items[0].audience);
    store_tokens_free(&found);
    ck_assert_int_eq(refresh("stands", "renewed"), STORE_DONE);
    struct buf *after = read_all();
    ck_assert_ptr_null(strstr(buf_text(&after[DUMP_GRANT]), "audience"));
    free_all(after);
    free_all(rows);
}
END_TEST

START_TEST(what_has_expired_has_no_words)
{
    static const char row[] = "[{\"seq\":1,\"id\":\"" OTHER "\",\"namespace_id\":\"" NS
                              "\",\"from\":\"a\",\"to\":\"b\",\"status\":\"read\",\"sent_ms\":5,"
                              "\"expired_ms\":6,\"content\":\"\"}]";
    ck_assert_int_eq(load(DUMP_MESSAGE, parse(row, strlen(row))), 1);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10}, NULL), 0);
}
END_TEST

/* Its words are nobody's business, and what it is sealed with is kept to the byte. */
START_TEST(what_is_sealed_stays_sealed)
{
    static const char row[] = "[{\"seq\":1,\"id\":\"" OTHER "\",\"namespace_id\":\"" NS
                              "\",\"from\":\"a\",\"to\":\"b\",\"status\":\"read\",\"sent_ms\":5,"
                              "\"encrypted\":true,\"content\":\"v1:01234567:octopus\"}]";
    ck_assert_int_eq(load(DUMP_MESSAGE, parse(row, strlen(row))), 1);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10}, NULL), 1);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10, .query = "octopus"}, NULL), 0);
    struct buf lines = {0};
    read_kind(DUMP_MESSAGE, &lines);
    ck_assert_ptr_nonnull(strstr(buf_text(&lines), "\"encrypted\":true,\"content\":\"v1:01234567:octopus\""));
    buf_free(&lines);
}
END_TEST

/* ---- rows that are none ---- */

#define ROW(more)                                                                                            \
    "{\"seq\":1,\"id\":\"" OTHER "\",\"namespace_id\":\"n\",\"from\":\"a\",\"to\":\"b\","                    \
    "\"status\":\"read\",\"content\":\"\"" more "}"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    enum dump_kind kind;
    const char *row, *why; /* NULL: it is one */
} rows_tried[] = {
    {DUMP_MESSAGE, ROW(""), NULL},
    {DUMP_MESSAGE, ROW(",\"label\":\"x\""), "unknown"},
    {DUMP_MESSAGE, ROW(",\"sent_ms\":-1"), "sent_ms"},
    {DUMP_MESSAGE, ROW(",\"sent_ms\":9007199254740992"), NULL},
    {DUMP_MESSAGE, ROW(",\"sent_ms\":9007199254740993"), "sent_ms"},
    {DUMP_MESSAGE, ROW(",\"attempt\":1000000000"), NULL},
    {DUMP_MESSAGE, ROW(",\"attempt\":1000000001"), "attempt"},
    {DUMP_MESSAGE, ROW(",\"sent_ms\":\"5\""), "sent_ms"},
    {DUMP_MESSAGE, ROW(",\"is_notice\":1"), "is_notice"},
    {DUMP_MESSAGE, ROW(",\"reply_to\":\"x\""), "reply_to"},
    {DUMP_MESSAGE, ROW(",\"reply_to\":\"01900000-0000-7000-8000-00000000000A\""), "reply_to"},
    {DUMP_MESSAGE, ROW(",\"sent_hash\":\"" HASH "\""), NULL},
    {DUMP_MESSAGE, ROW(",\"sent_hash\":\"" HASH "0\""), "sent_hash"},
    {DUMP_MESSAGE, ROW(",\"thread\":\"x\""), "thread"},
    {DUMP_MESSAGE, ROW(",\"thread_resolved_ms\":1"), "thread"},
    {DUMP_MESSAGE, "{}", "seq"},
    {DUMP_MESSAGE, "[]", "object"},
    {DUMP_BAN, "{\"token_hash\":\"" HASH "\"}", NULL},
    {DUMP_BAN, "{\"token_hash\":\"x\"}", "token_hash"},
    {DUMP_CLIENT, "{\"client_id\":\"x\",\"metadata\":\"{}\"}", NULL},
    {DUMP_CLIENT, "{\"client_id\":\"x\",\"metadata\":\"{\"}", "metadata"},
    {DUMP_GRANT,
        "{\"id\":\"" OTHER "\",\"client_id\":\"x\",\"client_name\":\"\",\"namespace_id\":\"n\",\"agent\":"
        "\"a\",\"scope\":\"\",\"also\":[1]}",
        "also"},
};

START_TEST(rows_are_held_against_their_form)
{
    for (size_t i = 0; i < LENGTH_OF(rows_tried); i++) {
        struct buf why = {0};
        struct json_object *given = parse(rows_tried[i].row, strlen(rows_tried[i].row));
        struct json_object *row = dump_row(rows_tried[i].kind, given, &why);
        ck_assert_msg(
            (row != NULL) == (rows_tried[i].why == NULL), "%s: %s", rows_tried[i].row, buf_text(&why));
        if (rows_tried[i].why)
            ck_assert_msg(strstr(buf_text(&why), rows_tried[i].why) != NULL, "%s", buf_text(&why));
        else
            ck_assert_uint_eq(why.len, 0);
        json_object_put(row);
        json_object_put(given);
        buf_free(&why);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_dump", &tests);
    tcase_add_test(tests, everything_comes_back_as_it_was);
    tcase_add_test(tests, every_field_is_there);
    tcase_add_test(tests, what_came_back_goes_on_working);
    tcase_add_test(tests, pages_end_where_they_may);
    tcase_add_test(tests, it_goes_behind_what_is_there_in_its_order);
    tcase_add_test(tests, a_seq_that_is_free_is_kept);
    tcase_add_test(tests, a_thread_of_that_name_is_joined);
    tcase_add_test(tests, tokens_of_no_grant_are_passed_over);
    tcase_add_test(tests, a_grant_without_an_audience_is_for_any);
    tcase_add_test(tests, what_has_expired_has_no_words);
    tcase_add_test(tests, what_is_sealed_stays_sealed);
    tcase_add_test(tests, rows_are_held_against_their_form);
    return run_unit(suite);
}
