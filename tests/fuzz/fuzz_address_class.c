/* Address classes: every address has one; nothing outside of what was given out for unicast is public; an
 * address that carries an IPv4 address in a known form is public only where that one is. */
#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../relay/fetch/address_class.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool begins(const uint8_t *bytes, const char *prefix, size_t len)
{
    return memcmp(bytes, prefix, len) == 0;
}

static void check_v4(const uint8_t v4[static IPV4_BYTES])
{
    uint8_t mapped[IPV6_BYTES] = {[10] = 0xff, 0xff};
    const enum address_class class = address_class_v4(v4);
    assert(class < ADDRESS_CLASSES && address_class_names[class]);
    memcpy(mapped + 12, v4, IPV4_BYTES);
    assert(address_class_v6(mapped) == class);
    assert(class != ADDRESS_PUBLIC || (v4[0] != 0 && v4[0] != 10 && v4[0] != 127 && v4[0] < 224));
}

static void check_v6(const uint8_t v6[static IPV6_BYTES])
{
    const enum address_class class = address_class_v6(v6);
    assert(class < ADDRESS_CLASSES && address_class_names[class]);
    if (class != ADDRESS_PUBLIC)
        return;
    const bool carries = begins(v6, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12) ||
                         begins(v6, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) ||
                         begins(v6, "\0\0\0\0\0\0\0\0\xff\xff\0\0", 12);
    assert(carries ? address_class_v4(v6 + 12) == ADDRESS_PUBLIC : v6[0] >> 5 == 1);
    assert(
        !begins(v6, "\x20\x02", 2) && !begins(v6, "\x20\x01\x0d\xb8", 4) && !begins(v6, "\x20\x01\0\0", 4));
}

static void check_socket(const uint8_t *data, size_t size)
{
    struct sockaddr_storage address = {0};
    memcpy(&address, data, size < sizeof address ? size : sizeof address);
    const enum address_class class = address_class_of(
        (const struct sockaddr *)&address, (socklen_t)(size < sizeof address ? size : sizeof address));
    assert(class != ADDRESS_PUBLIC || address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= IPV4_BYTES)
        check_v4(data);
    if (size >= IPV6_BYTES)
        check_v6(data);
    check_socket(data, size);
    return 0;
}
