#include "address.h"

#include <arpa/inet.h>
#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

enum { V4_PREFIX_BITS = 96, V4_OFFSET = 12, ADDRESS_BITS = 128, LIMIT_BYTES_V6 = 8 };

static const unsigned char v4_mapped[V4_OFFSET] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct address *a)
{
    return memcmp(a->bytes, v4_mapped, sizeof v4_mapped) == 0;
}

static bool parse_bare(const char *text, struct address *out)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        memcpy(out->bytes, v4_mapped, sizeof v4_mapped);
        memcpy(out->bytes + V4_OFFSET, &v4, sizeof v4);
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool is_port(const char *text)
{
    const char *error;
    (void)strtonum(text, 0, 65535, &error);
    return !error;
}

bool address_parse(const char *text, size_t len, struct address *out)
{
    char copy[INET6_ADDRSTRLEN + 8]; /* brackets and a port */
    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';

    char *host = copy, *port = NULL;
    if (copy[0] == '[') {
        char *end = strchr(copy, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
        host = copy + 1;
    } else if (strchr(copy, '.') && strchr(copy, ':') == strrchr(copy, ':') && strchr(copy, ':')) {
        port = strchr(copy, ':') + 1;
        port[-1] = '\0';
    }
    return (!port || is_port(port)) && parse_bare(host, out);
}

void address_format(const struct address *a, char out[static INET6_ADDRSTRLEN])
{
    const bool v4 = is_v4(a);
    const void *bytes = v4 ? a->bytes + V4_OFFSET : a->bytes;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, bytes, out, INET6_ADDRSTRLEN))
        out[0] = '\0';
}

struct address address_for_limit(const struct address *a)
{
    struct address key = *a;
    if (!is_v4(a))
        memset(key.bytes + LIMIT_BYTES_V6, 0, sizeof key.bytes - LIMIT_BYTES_V6);
    return key;
}

static bool parse_block(char *text, struct address_block *out)
{
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    if (!parse_bare(text, &out->base))
        return false;
    const bool v4 = strchr(text, ':') == NULL;
    out->bits = ADDRESS_BITS;
    if (!slash)
        return true;
    const char *error;
    const long long bits = strtonum(slash + 1, 0, v4 ? ADDRESS_BITS - V4_PREFIX_BITS : ADDRESS_BITS, &error);
    out->bits = (unsigned)bits + (v4 ? V4_PREFIX_BITS : 0);
    return !error;
}

static void blocks_append(struct address_blocks *blocks, const struct address_block *block)
{
    blocks->items = xreallocarray(blocks->items, blocks->count + 1, sizeof *blocks->items);
    blocks->items[blocks->count++] = *block;
}

bool address_blocks_parse(const char *list, struct address_blocks *out, struct buf *why)
{
    *out = (struct address_blocks){0};
    if (list && strcmp(list, "none") == 0)
        return true;
    char *copy = xstrdup(list ? list : "127.0.0.0/8,::1"), *rest = copy, *word;
    bool fine = true;
    while (fine && (word = strsep(&rest, ", \t"))) {
        struct address_block block;
        if (*word == '\0')
            continue;
        char *shown = xstrdup(word);
        fine = parse_block(word, &block);
        if (fine)
            blocks_append(out, &block);
        else
            buf_printf(why, "'%s' is neither an IP address nor a block like 10.0.0.0/8", shown);
        free(shown);
    }
    free(copy);
    if (!fine)
        address_blocks_free(out);
    return fine;
}

void address_blocks_free(struct address_blocks *blocks)
{
    free(blocks->items);
    *blocks = (struct address_blocks){0};
}

static bool block_contains(const struct address_block *block, const struct address *a)
{
    const unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->base.bytes, a->bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    const unsigned mask = (0xff00U >> rest) & 0xff;
    return ((block->base.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

bool address_blocks_contain(const struct address_blocks *blocks, const struct address *a)
{
    for (size_t i = 0; i < blocks->count; i++)
        if (block_contains(&blocks->items[i], a))
            return true;
    return false;
}

/* The list's last entry without blanks around it; *len is shortened to what stands before its comma. */
static const char *take_last(const char *list, size_t *len, size_t *entry_len)
{
    size_t end = *len;
    while (end > 0 && (list[end - 1] == ' ' || list[end - 1] == '\t'))
        end--;
    size_t start = end;
    while (start > 0 && list[start - 1] != ',')
        start--;
    *len = start > 0 ? start - 1 : 0;
    while (start < end && (list[start] == ' ' || list[start] == '\t'))
        start++;
    *entry_len = end - start;
    return list + start;
}

struct address address_behind(
    const struct address_blocks *trusted, struct address peer, const char *forwarded_for)
{
    size_t len = strlen(forwarded_for);
    while (len > 0 && address_blocks_contain(trusted, &peer)) {
        size_t entry_len;
        const char *entry = take_last(forwarded_for, &len, &entry_len);
        struct address next;
        if (!address_parse(entry, entry_len, &next))
            break;
        peer = next;
    }
    return peer;
}
