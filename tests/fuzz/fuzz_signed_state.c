/* Nothing that we did not sign is read, whatever it looks like; what we sign is. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../common/utf8.h"
#include "../../relay/oauth/signed_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[SIGNED_STATE_KEY_BYTES] = "a key for tests, for them only.";
    const struct signed_state_scope scope = {key, "fuzz", "browser"};
    char *text = xmemdup_text((const char *)data, size);
    const struct signed_state_field field = {"text", text};
    struct buf sealed = {0};
    struct form form;
    secret_init();
    assert(!signed_state_open(&scope, text, 0, &form));
    signed_state_seal(&scope, &field, 1, 1, &sealed);
    const bool is_read = signed_state_open(&scope, buf_text(&sealed), 0, &form);
    const bool can_be = utf8_valid(text, strlen(text)) && sealed.len <= SIGNED_STATE_MAX;
    assert(is_read == can_be);
    if (is_read && *text)
        assert(strcmp(form_get(&form, "text"), text) == 0);
    if (is_read)
        form_free(&form);
    buf_free(&sealed);
    free(text);
    return 0;
}
