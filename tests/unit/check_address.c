/* Addresses, blocks of them, and the client behind proxies. */
#include <string.h>

#include "../../common/compiler.h"
#include "../../relay/auth/address.h"
#include "unit.h"

static struct address parse(const char *text)
{
    struct address a;
    ck_assert_msg(address_parse(text, strlen(text), &a), "%s was not read", text);
    return a;
}

static void assert_shown(struct address a, const char *expected)
{
    char text[INET6_ADDRSTRLEN];
    address_format(&a, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(forms)
{
    assert_shown(parse("192.0.2.1"), "192.0.2.1");
    assert_shown(parse("192.0.2.1:443"), "192.0.2.1");
    assert_shown(parse("::ffff:192.0.2.1"), "192.0.2.1");
    assert_shown(parse("2001:DB8::1"), "2001:db8::1");
    assert_shown(parse("[2001:db8::1]"), "2001:db8::1");
    assert_shown(parse("[2001:db8::1]:65535"), "2001:db8::1");
    assert_shown(
        parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}
END_TEST

START_TEST(not_addresses)
{
    static const char *const bad[] = {"", "unknown", "192.0.2", "192.0.2.256",
        "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:x", "[::1", "[::1]x", "[]", "::1]", "_hidden",
        "1.2.3.4.5", ":::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
    struct address a;
    for (size_t i = 0; i < LENGTH_OF(bad); i++)
        ck_assert_msg(!address_parse(bad[i], strlen(bad[i]), &a), "%s was read", bad[i]);
    ck_assert(!address_parse("1.2.3.4\0", 8, &a));
}
END_TEST

START_TEST(keys_of_limits)
{
    struct address a = parse("192.0.2.1");
    assert_shown(address_for_limit(&a), "192.0.2.1");
    a = parse("2001:db8:1:2:3:4:5:6");
    assert_shown(address_for_limit(&a), "2001:db8:1:2::");
}
END_TEST

static bool contains(const char *list, const char *address)
{
    struct address_blocks blocks;
    struct buf why = {0};
    const struct address a = parse(address);
    if (!address_blocks_parse(list, &blocks, &why))
        ck_abort_msg("%s", buf_text(&why));
    const bool found = address_blocks_contain(&blocks, &a);
    address_blocks_free(&blocks);
    return found;
}

START_TEST(blocks_contain)
{
    ck_assert(contains("10.0.0.0/8", "10.255.255.255"));
    ck_assert(!contains("10.0.0.0/8", "11.0.0.0"));
    ck_assert(contains("192.0.2.128/25", "192.0.2.255"));
    ck_assert(!contains("192.0.2.128/25", "192.0.2.127"));
    ck_assert(contains("172.16.0.0/12 , fd00::/8", "fdff::1"));
    ck_assert(contains("172.16.0.0/12,fd00::/8", "172.31.255.255"));
    ck_assert(!contains("172.16.0.0/12,fd00::/8", "172.32.0.0"));
    ck_assert(contains("192.0.2.1", "192.0.2.1"));
    ck_assert(!contains("192.0.2.1", "192.0.2.2"));
    ck_assert(contains("0.0.0.0/0", "8.8.8.8"));
    ck_assert(!contains("0.0.0.0/0", "2001:db8::1"));
    ck_assert(contains("::/0", "8.8.8.8"));
    ck_assert(contains(NULL, "127.9.9.9"));
    ck_assert(contains(NULL, "::1"));
    ck_assert(!contains(NULL, "10.0.0.1"));
    ck_assert(!contains("none", "127.0.0.1"));
}
END_TEST

START_TEST(bad_blocks)
{
    static const char *const bad[] = {
        "10.0.0.0/33", "fd00::/129", "10.0.0.0/", "10.0.0.0/-1", "proxy", "10.0.0.0/8,x"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct address_blocks blocks;
        struct buf why = {0};
        ck_assert_msg(!address_blocks_parse(bad[i], &blocks, &why), "%s was taken", bad[i]);
        ck_assert(why.len > 0);
        ck_assert_ptr_null(blocks.items);
        buf_free(&why);
    }
}
END_TEST

static void assert_behind(const char *trusted, const char *peer, const char *list, const char *expected)
{
    struct address_blocks blocks;
    struct buf why = {0};
    ck_assert(address_blocks_parse(trusted, &blocks, &why));
    assert_shown(address_behind(&blocks, parse(peer), list), expected);
    address_blocks_free(&blocks);
}

START_TEST(behind_proxies)
{
    assert_behind("10.0.0.0/8", "10.0.0.1", "203.0.113.7", "203.0.113.7");
    /* What the client itself claims is left of what the proxy saw. */
    assert_behind("10.0.0.0/8", "10.0.0.1", "1.1.1.1, 203.0.113.7", "203.0.113.7");
    assert_behind("10.0.0.0/8", "10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7");
    assert_behind("10.0.0.0/8", "198.51.100.1", "203.0.113.7", "198.51.100.1");
    assert_behind("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1");
    assert_behind("10.0.0.0/8", "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3");
    assert_behind("10.0.0.0/8", "10.0.0.1", "203.0.113.7, nonsense", "10.0.0.1");
    assert_behind("10.0.0.0/8", "10.0.0.1", "203.0.113.7,", "10.0.0.1");
    assert_behind("10.0.0.0/8", "10.0.0.1", "[2001:db8::5]:1234", "2001:db8::5");
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("address", &tests);
    tcase_add_test(tests, forms);
    tcase_add_test(tests, not_addresses);
    tcase_add_test(tests, keys_of_limits);
    tcase_add_test(tests, blocks_contain);
    tcase_add_test(tests, bad_blocks);
    tcase_add_test(tests, behind_proxies);
    return run_unit(suite);
}
