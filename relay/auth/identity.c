#include "identity.h"

#include <bsd/string.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/buf.h"

struct counted {
    struct identity identity; /* first: what callers hold points to it */
    atomic_uint references;
};

static void add_namespace(struct identity *who, struct buf *keys, const char *namespace_id)
{
    char address[ADDRESS_SIZE];
    ident_format(namespace_id, who->agent, address);
    buf_printf(keys, "\n%s", address);
    who->also = xreallocarray(who->also, who->also_count + 1, sizeof *who->also);
    who->also[who->also_count++] = xstrdup(namespace_id);
}

const struct identity *identity_new(const struct store_token *token)
{
    struct counted *counted = xcalloc(1, sizeof *counted);
    struct identity *who = &counted->identity;
    struct buf keys = {0};
    char address[ADDRESS_SIZE];
    ident_format(token->namespace_id, token->agent, address);
    who->namespace_id = xstrdup(token->namespace_id);
    who->agent = xstrdup(token->agent);
    who->audience = xstrdup_or_null(token->audience);
    who->address = xstrdup(address);
    buf_puts(&keys, address);
    for (size_t i = 0; i < token->also_count; i++)
        add_namespace(who, &keys, token->also[i]);
    who->parking_keys = buf_take(&keys);
    (void)strlcpy(who->credential_hash, token->hash, SHA256_HEX_SIZE);
    atomic_init(&counted->references, 1);
    return who;
}

struct store_caller identity_caller(const struct identity *who)
{
    return (struct store_caller){.namespace_id = who->namespace_id,
        .agent = who->agent,
        .also = (const char *const *)who->also,
        .also_count = who->also_count};
}

bool identity_is_in(const struct identity *who, const char *namespace_id)
{
    bool found = strcmp(who->namespace_id, namespace_id) == 0;
    for (size_t i = 0; !found && i < who->also_count; i++)
        found = strcmp(who->also[i], namespace_id) == 0;
    return found;
}

void identity_name(
    const struct identity *who, const char *namespace_id, const char *agent, char out[static ADDRESS_SIZE])
{
    if (strcmp(who->namespace_id, namespace_id) == 0)
        (void)strlcpy(out, agent, ADDRESS_SIZE);
    else
        ident_format(namespace_id, agent, out);
}

const struct identity *identity_retain(const struct identity *who)
{
    struct counted *counted = (struct counted *)(void *)who;
    atomic_fetch_add_explicit(&counted->references, 1, memory_order_relaxed);
    return who;
}

void identity_release(const struct identity *who)
{
    if (!who)
        return;
    struct counted *counted = (struct counted *)(void *)who;
    if (atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) > 1)
        return;
    free(counted->identity.namespace_id);
    free(counted->identity.agent);
    free(counted->identity.address);
    free(counted->identity.parking_keys);
    for (size_t i = 0; i < counted->identity.also_count; i++)
        free(counted->identity.also[i]);
    free(counted->identity.also);
    free(counted->identity.audience);
    free(counted);
}
