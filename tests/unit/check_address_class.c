/* Address classes: every row of the IANA registries of special-purpose addresses at its two ends, what lies
 * beside them, and IPv4 addresses in every disguise. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include "../../common/compiler.h"
#include "../../relay/fetch/address_class.h"
#include "unit.h"

struct row {
    const char *first, *last;
    enum address_class class;
};

/* The registries' rows, in their order. */
static const struct row v4_rows[] = {
    {"0.0.0.0", "0.255.255.255", ADDRESS_UNSPECIFIED},
    {"10.0.0.0", "10.255.255.255", ADDRESS_PRIVATE},
    {"100.64.0.0", "100.127.255.255", ADDRESS_SHARED},
    {"127.0.0.0", "127.255.255.255", ADDRESS_LOOPBACK},
    {"169.254.0.0", "169.254.255.255", ADDRESS_LINK_LOCAL},
    {"169.254.169.254", "169.254.170.2", ADDRESS_LINK_LOCAL}, /* where clouds keep secrets */
    {"172.16.0.0", "172.31.255.255", ADDRESS_PRIVATE},
    {"192.0.0.0", "192.0.0.8", ADDRESS_RESERVED},
    {"192.0.0.9", "192.0.0.10", ADDRESS_ANYCAST},
    {"192.0.0.11", "192.0.0.255", ADDRESS_RESERVED},
    {"192.0.0.170", "192.0.0.171", ADDRESS_RESERVED},
    {"192.0.2.0", "192.0.2.255", ADDRESS_DOCUMENTATION},
    {"192.31.196.0", "192.31.196.255", ADDRESS_ANYCAST},
    {"192.52.193.0", "192.52.193.255", ADDRESS_ANYCAST},
    {"192.88.99.0", "192.88.99.255", ADDRESS_TUNNEL},
    {"192.168.0.0", "192.168.255.255", ADDRESS_PRIVATE},
    {"192.175.48.0", "192.175.48.255", ADDRESS_ANYCAST},
    {"198.18.0.0", "198.19.255.255", ADDRESS_BENCHMARK},
    {"198.51.100.0", "198.51.100.255", ADDRESS_DOCUMENTATION},
    {"203.0.113.0", "203.0.113.255", ADDRESS_DOCUMENTATION},
    {"224.0.0.0", "239.255.255.255", ADDRESS_MULTICAST},
    {"240.0.0.0", "255.255.255.255", ADDRESS_RESERVED},
};

static const struct row v4_public[] = {
    {"1.0.0.0", "9.255.255.255", ADDRESS_PUBLIC},
    {"11.0.0.0", "100.63.255.255", ADDRESS_PUBLIC},
    {"100.128.0.0", "126.255.255.255", ADDRESS_PUBLIC},
    {"128.0.0.0", "169.253.255.255", ADDRESS_PUBLIC},
    {"169.255.0.0", "172.15.255.255", ADDRESS_PUBLIC},
    {"172.32.0.0", "191.255.255.255", ADDRESS_PUBLIC},
    {"192.0.1.0", "192.0.1.255", ADDRESS_PUBLIC},
    {"192.0.3.0", "192.31.195.255", ADDRESS_PUBLIC},
    {"192.31.197.0", "192.52.192.255", ADDRESS_PUBLIC},
    {"192.52.194.0", "192.88.98.255", ADDRESS_PUBLIC},
    {"192.88.100.0", "192.167.255.255", ADDRESS_PUBLIC},
    {"192.169.0.0", "192.175.47.255", ADDRESS_PUBLIC},
    {"192.175.49.0", "198.17.255.255", ADDRESS_PUBLIC},
    {"198.20.0.0", "198.51.99.255", ADDRESS_PUBLIC},
    {"198.51.101.0", "203.0.112.255", ADDRESS_PUBLIC},
    {"203.0.114.0", "223.255.255.255", ADDRESS_PUBLIC},
};

static const struct row v6_rows[] = {
    {"::1", "::1", ADDRESS_LOOPBACK},
    {"::", "::", ADDRESS_UNSPECIFIED},
    {"::2", "::2", ADDRESS_UNSPECIFIED}, /* 0.0.0.2, compatible */
    {"::8.8.8.8", "::9.9.9.9", ADDRESS_TUNNEL},
    {"::ffff:0:0", "::ffff:0.255.255.255", ADDRESS_UNSPECIFIED},
    {"::ffff:8.8.8.8", "::ffff:9.9.9.9", ADDRESS_PUBLIC},
    {"64:ff9b::", "64:ff9b::0.255.255.255", ADDRESS_UNSPECIFIED},
    {"64:ff9b::8.8.8.8", "64:ff9b::9.9.9.9", ADDRESS_PUBLIC},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", ADDRESS_PRIVATE},
    {"100::", "100::ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"2001:0:808:808::f7f7:f7f7", "2001:0:909:909:ffff:ffff:f7f7:f7f7", ADDRESS_TUNNEL},
    {"2001:1::1", "2001:1::3", ADDRESS_ANYCAST},
    {"2001:1::4", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", ADDRESS_BENCHMARK},
    {"2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_ANYCAST},
    {"2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", ADDRESS_ANYCAST},
    {"2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"2001:5::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_DOCUMENTATION},
    {"2002:808:808::", "2002:909:909:ffff:ffff:ffff:ffff:ffff", ADDRESS_TUNNEL},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", ADDRESS_ANYCAST},
    {"3ffe::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_DOCUMENTATION},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PRIVATE},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_LINK_LOCAL},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PRIVATE},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_MULTICAST},
    /* what nobody was given */
    {"100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    {"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
    /* what was */
    {"2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
    {"2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
    {"2003::", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
    {"2620:4f:8001::", "3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
    {"3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
};

static enum address_class class_of(const char *text)
{
    uint8_t bytes[IPV6_BYTES];
    const bool is_v4 = !strchr(text, ':');
    ck_assert_msg(inet_pton(is_v4 ? AF_INET : AF_INET6, text, bytes) == 1, "%s is no address", text);
    return is_v4 ? address_class_v4(bytes) : address_class_v6(bytes);
}

static void assert_class(const char *text, enum address_class class)
{
    ck_assert_msg(class_of(text) == class, "%s is %s, not %s", text, address_class_names[class_of(text)],
        address_class_names[class]);
}

static void assert_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_class(rows[i].first, rows[i].class);
        assert_class(rows[i].last, rows[i].class);
    }
}

START_TEST(v4_registry)
{
    assert_rows(v4_rows, LENGTH_OF(v4_rows));
    assert_rows(v4_public, LENGTH_OF(v4_public));
}
END_TEST

START_TEST(v6_registry)
{
    assert_rows(v6_rows, LENGTH_OF(v6_rows));
}
END_TEST

/* Where an IPv4 address stands within an IPv6 one, and what that makes of a public one. */
static const struct disguise {
    const char *name;
    uint8_t base[IPV6_BYTES];
    size_t at;
    uint8_t mask; /* the carried bits are xored with it */
    enum address_class of_public;
} disguises[] = {
    {"mapped", {[10] = 0xff, 0xff}, 12, 0, ADDRESS_PUBLIC},
    {"translated", {[8] = 0xff, 0xff}, 12, 0, ADDRESS_PUBLIC},
    {"NAT64", {0x00, 0x64, 0xff, 0x9b}, 12, 0, ADDRESS_PUBLIC},
    {"compatible", {0}, 12, 0, ADDRESS_TUNNEL},
    {"6to4", {0x20, 0x02, [15] = 1}, 2, 0, ADDRESS_TUNNEL},
    {"Teredo server", {0x20, 0x01, [12] = 0xf7, 0xf7, 0xf7, 0xf7}, 4, 0, ADDRESS_TUNNEL},
    {"Teredo client", {0x20, 0x01, [4] = 8, 8, 8, 8}, 12, 0xff, ADDRESS_TUNNEL},
    {"ISATAP", {0x26, 0x06, 0x47, [8] = 0, 0, 0x5e, 0xfe}, 12, 0, ADDRESS_TUNNEL},
    {"ISATAP, public", {0x26, 0x06, 0x47, [8] = 2, 0, 0x5e, 0xfe}, 12, 0, ADDRESS_TUNNEL},
};

static void assert_disguised(const struct disguise *disguise, const char *text, enum address_class class)
{
    uint8_t bytes[IPV6_BYTES], v4[IPV4_BYTES];
    memcpy(bytes, disguise->base, sizeof bytes);
    ck_assert_int_eq(inet_pton(AF_INET, text, v4), 1);
    for (size_t i = 0; i < sizeof v4; i++)
        bytes[disguise->at + i] = v4[i] ^ disguise->mask;
    const enum address_class got = address_class_v6(bytes);
    const enum address_class expected = class == ADDRESS_PUBLIC ? disguise->of_public : class;
    ck_assert_msg(got == expected, "%s of %s is %s, not %s", disguise->name, text, address_class_names[got],
        address_class_names[expected]);
}

/* The compatible forms of 0.0.0.0 and 0.0.0.1 are ::, which is unspecified too, and ::1, which is loopback.
 */
START_TEST(disguised)
{
    for (size_t i = 0; i < LENGTH_OF(disguises); i++) {
        for (size_t j = 0; j < LENGTH_OF(v4_rows); j++) {
            assert_disguised(&disguises[i], v4_rows[j].first, v4_rows[j].class);
            assert_disguised(&disguises[i], v4_rows[j].last, v4_rows[j].class);
        }
        for (size_t j = 0; j < LENGTH_OF(v4_public); j++)
            assert_disguised(&disguises[i], v4_public[j].first, ADDRESS_PUBLIC);
    }
}
END_TEST

START_TEST(socket_addresses)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/docker.sock"};
    ck_assert_int_eq(address_class_of((struct sockaddr *)&v4, sizeof v4), ADDRESS_PUBLIC);
    ck_assert_int_eq(address_class_of((struct sockaddr *)&v4, sizeof v4 - 1), ADDRESS_RESERVED);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(address_class_of((struct sockaddr *)&v4, sizeof v4), ADDRESS_LOOPBACK);
    ck_assert_int_eq(inet_pton(AF_INET6, "2606:4700::1111", &v6.sin6_addr), 1);
    ck_assert_int_eq(address_class_of((struct sockaddr *)&v6, sizeof v6), ADDRESS_PUBLIC);
    ck_assert_int_eq(address_class_of((struct sockaddr *)&v6, sizeof(struct sockaddr_in)), ADDRESS_RESERVED);
    v6.sin6_addr = in6addr_loopback;
    ck_assert_int_eq(address_class_of((struct sockaddr *)&v6, sizeof v6), ADDRESS_LOOPBACK);
    ck_assert_int_eq(address_class_of((struct sockaddr *)&local, sizeof local), ADDRESS_RESERVED);
}
END_TEST

START_TEST(names)
{
    for (size_t i = 0; i < ADDRESS_CLASSES; i++)
        ck_assert_ptr_nonnull(address_class_names[i]);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("address_class", &tests);
    tcase_add_test(tests, v4_registry);
    tcase_add_test(tests, v6_registry);
    tcase_add_test(tests, disguised);
    tcase_add_test(tests, socket_addresses);
    tcase_add_test(tests, names);
    return run_unit(suite);
}
