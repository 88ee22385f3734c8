/* What a request's headers tell about the program that calls. */
#include <stdio.h>
#include <string.h>

#include "../../common/compiler.h"
#include "../../relay/auth/authenticator.h"
#include "unit.h"

struct told {
    struct client client;
    struct client_labels labels;
};

static struct told read_one(const char *name, const char *value)
{
    char name_copy[64], value_copy[256];
    (void)snprintf(name_copy, sizeof name_copy, "%s", name);
    (void)snprintf(value_copy, sizeof value_copy, "%s", value);
    struct http_field field = {.name = name_copy, .value = value_copy};
    const struct exchange ex = {.headers = &field, .headers_count = 1};
    struct told told;
    client_read(&ex, &told.client, &told.labels);
    return told;
}

START_TEST(types_by_header)
{
    static const struct {
        const char *value, *shown;
        enum client_type type;
        size_t bytes;
    } cases[] = {
        {"codex", "codex", CLIENT_CODEX, 8000},
        {"claude_code", "claude_code", CLIENT_CLAUDE_CODE, 48000},
        {"Claude-Code", "Claude-Code", CLIENT_CLAUDE_CODE, 48000},
        {"gemini", "gemini", CLIENT_OTHER, 24000},
        {"", "", CLIENT_UNKNOWN, 24000},
        {"<>", "", CLIENT_UNKNOWN, 24000},
    };
    static const char *const headers[] = {
        "X-Patchcord-Client-Type", "x-patchcord-client-type", "X-Client-Type"};
    for (size_t i = 0; i < LENGTH_OF(cases) * LENGTH_OF(headers); i++) {
        const size_t c = i / LENGTH_OF(headers);
        const struct told told = read_one(headers[i % LENGTH_OF(headers)], cases[c].value);
        ck_assert_int_eq(told.client.type, cases[c].type);
        ck_assert_str_eq(told.labels.type_name, cases[c].shown);
        ck_assert_uint_eq(told.client.max_offer_bytes, cases[c].bytes);
    }
}
END_TEST

START_TEST(types_by_user_agent)
{
    static const struct {
        const char *user_agent, *shown;
    } cases[] = {
        {"claude-code/2.1.330 (cli)", "claude_code"},
        {"codex_cli_rs/0.169", "codex"},
        {"Claude-User", "claudeai"},
        {"GeminiCLI/0.61", "gemini"},
        {"Cursor/1.0", "cursor"},
        {"python-httpx/0.27", ""},
        {"curl/7.88", ""},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct told told = read_one("User-Agent", cases[i].user_agent);
        ck_assert_str_eq(told.labels.type_name, cases[i].shown);
        ck_assert_str_eq(told.labels.user_agent, cases[i].user_agent);
    }
}
END_TEST

START_TEST(labels_are_harmless)
{
    struct told told = read_one("X-Patchcord-Machine", "  my \x1b[31mlap\ntop\xe2\x80\xae<b>_1.a-b  ");
    ck_assert_str_eq(told.labels.machine, "my 31mlaptopb_1.a-b");
    told = read_one("X-Machine-Name", "0123456789012345678901234567890123456789x");
    ck_assert_str_eq(told.labels.machine, "0123456789012345678901234567890123456789");
    told = read_one("X-Patchcord-Display-Name", "\"; DROP");
    ck_assert_str_eq(told.labels.display_name, "DROP");
    told = read_one("X-Platform", "linux x86_64");
    ck_assert_str_eq(told.labels.platform, "linux x86_64");
    told = read_one("User-Agent", "a\tb\x7f\xc3\xa4");
    ck_assert_str_eq(told.labels.user_agent, "ab");
    told = read_one("Host", "relay.example.org:8000");
    ck_assert_str_eq(told.labels.request_host, "relay.example.org:8000");
}
END_TEST

START_TEST(acknowledging_clients)
{
    ck_assert(read_one("X-Patchcord-Ack", "1").client.acks);
    ck_assert(!read_one("X-Patchcord-Ack", "0").client.acks);
    ck_assert(!read_one("X-Patchcord-Ack", "1x").client.acks);
    ck_assert(!read_one("Other", "1").client.acks);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("client", &tests);
    tcase_add_test(tests, types_by_header);
    tcase_add_test(tests, types_by_user_agent);
    tcase_add_test(tests, labels_are_harmless);
    tcase_add_test(tests, acknowledging_clients);
    return run_unit(suite);
}
