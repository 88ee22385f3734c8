/* The credentials file: what is accepted holds whole entries, and a choice is always one of them or comes
 * with a reason. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_choice(const struct credentials *c, const struct credential_query *query)
{
    struct buf why = {0};
    const struct credential *entry = credentials_choose(c, query, &why);
    assert(entry ? entry >= c->entries && entry < c->entries + c->count : why.len > 0);
    assert(!entry || !query->origin || strcmp(entry->origin, query->origin) == 0);
    buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials c;
    struct buf why = {0};
    bool accepted = credentials_parse((const char *)data, size, &c, &why);
    assert(accepted || (c.count == 0 && why.len > 0));
    for (size_t i = 0; i < c.count; i++) {
        const struct credential *entry = &c.entries[i];
        assert(strchr(entry->agent, '@') && entry->url && entry->token[0]);
        assert(strncmp(entry->url, entry->origin, strlen(entry->origin)) == 0);
        assert(!strpbrk(entry->token, " \r\n"));
        check_choice(&c, &(struct credential_query){.as = entry->agent, .folder = "/", .root = "/"});
        check_choice(&c, &(struct credential_query){.folder = entry->folder ? entry->folder : "/a/b",
                             .root = "/",
                             .client = entry->client,
                             .origin = "https://relay.example.com"});
    }
    check_choice(&c, &(struct credential_query){.folder = "/a/b", .root = "/a"});
    credentials_free(&c);
    buf_free(&why);
    return 0;
}
