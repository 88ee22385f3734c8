/* The hashes by which a send is known again. They lie in databases: what is pinned here must stay. */
#include "../../relay/store/fingerprint.h"

#include <sodium.h>
#include <string.h>

#include "../../common/compiler.h"
#include "unit.h"

#define ID "01900000-0000-7000-8000-00000000000a"

static const char *const beside[] = {"other", "third"};
static const struct store_caller caller = {
    .namespace_id = "tests", .agent = "a", .also = beside, .also_count = 2};

static void expect(const uint8_t hash[static FINGERPRINT_SIZE], const char *hex)
{
    char text[2 * FINGERPRINT_SIZE + 1];
    sodium_bin2hex(text, sizeof text, hash, FINGERPRINT_SIZE);
    ck_assert_str_eq(text, hex);
}

static const struct store_recipient plain = {.agent = "b"}, own = {.agent = "b", .namespace_id = "tests"},
                                    elsewhere = {.agent = "b", .namespace_id = "other"},
                                    several[] = {{.agent = "b"}, {.agent = "c", .namespace_id = "tests"}};

START_TEST(a_send_keeps_its_fingerprint)
{
    static const struct {
        struct store_send send;
        const char *hex;
    } cases[] = {
        {{.recipients = &plain, .recipients_count = 1, .content = "x", .content_len = 1},
            "3adb164e0cbec17480227388a7a2fbb876b1e2085e861873d19c5a83050d3f7e"},
        {{.recipients = &own, .recipients_count = 1, .content = "x", .content_len = 1},
            "3adb164e0cbec17480227388a7a2fbb876b1e2085e861873d19c5a83050d3f7e"},
        {{.recipients = &elsewhere, .recipients_count = 1, .content = "x", .content_len = 1},
            "df5f3ca5ed14f6def0b28da2002fe3017dd2d6a8c04723bc9f8149d081a27a36"},
        {{.recipients = several, .recipients_count = 2, .content = "x", .content_len = 1, .thread = "plan"},
            "62f48e338f488565b40c29ac2a8e3ebc28a4dc89a63e093f11893f81ecec6d4b"},
        {{.recipients = &plain, .recipients_count = 1, .content = "y", .content_len = 1, .basis = "url"},
            "c4133124ee6cdf148425cf0b0fc0553e3a7a3d2445ed5346305bc3cb7c7ac263"},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        uint8_t hash[FINGERPRINT_SIZE];
        fingerprint_send(&caller, &cases[i].send, hash);
        expect(hash, cases[i].hex);
    }
}
END_TEST

START_TEST(a_reply_keeps_its_fingerprint)
{
    const struct store_reply reply = {.message_id = ID, .content = "x", .content_len = 1, .resolve = true};
    uint8_t hash[FINGERPRINT_SIZE];
    fingerprint_reply(&reply, hash);
    expect(hash, "8e3a561af82046ca1dc7005f0c4da7b677bf1317b406b1237a54a2426676f966");
}
END_TEST

static void expect_row(const struct store_recipient *to, size_t count, size_t index, const char *name)
{
    const struct store_send send = {.recipients = to, .recipients_count = count};
    char id[UUID_SIZE], expected[UUID_SIZE];
    fingerprint_row_id(&caller, &send, ID, index, id);
    uuid_v5(ID, name, expected);
    ck_assert_str_eq(id, expected);
}

START_TEST(each_row_of_a_group_has_an_id_of_its_own)
{
    const struct store_recipient to[] = {{.agent = "b"}, {.agent = "b", .namespace_id = "other"},
        {.agent = "b", .namespace_id = "third"}, {.agent = "c", .namespace_id = "tests"}};
    static const char *const names[] = {"b", "b@other", "b@third", "c"};
    for (size_t i = 0; i < LENGTH_OF(to); i++)
        expect_row(to, LENGTH_OF(to), i, names[i]);
    const struct store_send single = {.recipients = to + 1, .recipients_count = 1};
    char id[UUID_SIZE];
    fingerprint_row_id(&caller, &single, ID, 0, id);
    ck_assert_str_eq(id, ID);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("fingerprint", &tests);
    tcase_add_test(tests, a_send_keeps_its_fingerprint);
    tcase_add_test(tests, a_reply_keeps_its_fingerprint);
    tcase_add_test(tests, each_row_of_a_group_has_an_id_of_its_own);
    return run_unit(suite);
}
