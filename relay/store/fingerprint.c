#include "fingerprint.h"

#include <bsd/string.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

_Static_assert(FINGERPRINT_SIZE == crypto_hash_sha256_BYTES, "the size is that of SHA-256");

/* Each part goes in behind its length, so that no two lists of parts give the same bytes. */
static void add(crypto_hash_sha256_state *state, const void *bytes, size_t len)
{
    const uint64_t prefix = len;
    unsigned char encoded[8];
    for (size_t i = 0; i < sizeof encoded; i++)
        encoded[i] = (unsigned char)(prefix >> (8 * i));
    crypto_hash_sha256_update(state, encoded, sizeof encoded);
    if (len > 0)
        crypto_hash_sha256_update(state, bytes, len);
}

static void add_text(crypto_hash_sha256_state *state, const char *text)
{
    add(state, text, strlen(text));
}

static char *recipient_text(const struct store_caller *caller, const struct store_recipient *recipient)
{
    if (!recipient->namespace_id || strcmp(recipient->namespace_id, caller->namespace_id) == 0)
        return xstrdup(recipient->agent);
    return xasprintf("%s@%s", recipient->agent, recipient->namespace_id);
}

void fingerprint_send(
    const struct store_caller *caller, const struct store_send *send, uint8_t out[static FINGERPRINT_SIZE])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add_text(&state, send->basis ? "basis" : "send");
    if (send->basis)
        add_text(&state, send->basis);
    else
        add(&state, send->content, send->content_len);
    add_text(&state, send->thread ? send->thread : "");
    for (size_t i = 0; i < send->recipients_count; i++) {
        char *recipient = recipient_text(caller, &send->recipients[i]);
        add_text(&state, recipient);
        free(recipient);
    }
    crypto_hash_sha256_final(&state, out);
}

void fingerprint_reply(const struct store_reply *reply, uint8_t out[static FINGERPRINT_SIZE])
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    add_text(&state, "reply");
    add(&state, reply->content, reply->content_len);
    add_text(&state, reply->message_id);
    add_text(&state, reply->defer ? "defer" : "");
    add_text(&state, reply->resolve ? "resolve" : "");
    crypto_hash_sha256_final(&state, out);
}

void fingerprint_row_id(const struct store_caller *caller, const struct store_send *send,
    const char send_id[static UUID_SIZE], size_t index, char out[static UUID_SIZE])
{
    if (send->recipients_count == 1) {
        strlcpy(out, send_id, UUID_SIZE);
        return;
    }
    char *recipient = recipient_text(caller, &send->recipients[index]);
    uuid_v5(send_id, recipient, out);
    free(recipient);
}
