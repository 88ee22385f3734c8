#include "identity.h"

#include <bsd/string.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/ident.h"

struct counted {
    struct identity identity; /* first: what callers hold points to it */
    atomic_uint references;
};

const struct identity *identity_new(
    const char *namespace_id, const char *agent, const char *audience, const char *credential_hash)
{
    struct counted *counted = xcalloc(1, sizeof *counted);
    counted->identity.namespace_id = xstrdup(namespace_id);
    counted->identity.agent = xstrdup(agent);
    counted->identity.audience = xstrdup_or_null(audience);
    char address[ADDRESS_SIZE];
    ident_format(namespace_id, agent, address);
    counted->identity.address = xstrdup(address);
    (void)strlcpy(counted->identity.credential_hash, credential_hash, SHA256_HEX_SIZE);
    atomic_init(&counted->references, 1);
    return &counted->identity;
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
    free(counted->identity.audience);
    free(counted);
}
