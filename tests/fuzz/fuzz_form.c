/* A form that is taken has each name once, all of it UTF-8; a credential that is taken names a client. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../common/utf8.h"
#include "../../relay/oauth/client_proof.h"
#include "../../relay/oauth/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(const char *text, size_t size)
{
    struct form form;
    const char *problem = NULL;
    if (!form_parse(text, size, &form, &problem)) {
        assert(problem && form.count == 0);
        return;
    }
    assert(form.count <= FORM_FIELDS_MAX && !form_problem(&form));
    for (size_t i = 0; i < form.count; i++) {
        const char *value = form.fields[i].value, *got = form_get(&form, form.fields[i].name);
        assert(utf8_valid(value, strlen(value)));
        assert(*value ? got == value : got == NULL);
    }
    form_free(&form);
}

static void check_basic(const char *text)
{
    char *client_id, *secret;
    if (!client_proof_basic(text, &client_id, &secret)) {
        assert(!client_id && !secret);
        return;
    }
    assert(*client_id && secret);
    free(client_id);
    secret_free(secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    secret_init();
    char *text = xmemdup_text((const char *)data, size), *header = xasprintf("Basic %s", text);
    check_form(text, size);
    check_basic(text);
    check_basic(header);
    free(text);
    free(header);
    return 0;
}
