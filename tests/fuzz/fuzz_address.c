/* Addresses, blocks and X-Forwarded-For lists: what is read is written and read again as the same; nobody who
 * is not trusted is believed. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/auth/address.h"
#include "../../relay/auth/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const char *text, size_t len)
{
    struct address a, again;
    char shown[INET6_ADDRSTRLEN];
    if (!address_parse(text, len, &a))
        return;
    address_format(&a, shown);
    assert(address_parse(shown, strlen(shown), &again));
    assert(memcmp(&a, &again, sizeof a) == 0);
    const struct address key = address_for_limit(&a), same = address_for_limit(&key);
    assert(memcmp(&key, &same, sizeof key) == 0);
}

static void check_blocks(const char *text)
{
    struct address_blocks blocks;
    struct buf why = {0};
    if (address_blocks_parse(text, &blocks, &why)) {
        for (size_t i = 0; i < blocks.count; i++)
            assert(address_blocks_contain(&blocks, &blocks.items[i].base));
        address_blocks_free(&blocks);
    } else {
        assert(why.len > 0);
    }
    buf_free(&why);
}

static void check_list(const char *text)
{
    struct address_blocks loopback, nobody;
    struct buf why = {0};
    struct address peer;
    assert(address_blocks_parse(NULL, &loopback, &why) && address_blocks_parse("none", &nobody, &why));
    assert(address_parse("127.0.0.1", 9, &peer));
    (void)address_behind(&loopback, peer, text);
    const struct address unmoved = address_behind(&nobody, peer, text);
    assert(memcmp(&unmoved, &peer, sizeof peer) == 0);
    address_blocks_free(&loopback);
    address_blocks_free(&nobody);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    check_address(text, size);
    check_blocks(text);
    check_list(text);
    (void)origin_is_allowed(text, "https://relay.example.org");
    free(text);
    return 0;
}
