/* What a client says about itself, as a registration and as a document: what is taken is written again the
 * same, and its name can be shown on a page without being a part of it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/utf8.h"
#include "../../relay/oauth/client_document.h"
#include "../../relay/oauth/client_metadata.h"
#include "../../relay/oauth/html.h"
#include "../../relay/oauth/redirect_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
    struct buf out = {0};
    html_name(&out, name);
    assert(!strpbrk(buf_text(&out), "<>\"'\n\r") && utf8_valid(buf_text(&out), out.len));
    buf_free(&out);
}

static void check_taken(const struct client_metadata *metadata)
{
    struct client_metadata again;
    struct buf why = {0};
    assert(metadata->redirect_uris_count > 0 && metadata->redirect_uris_count <= CLIENT_REDIRECTS_MAX);
    assert(strlen(metadata->name) <= CLIENT_NAME_MAX);
    check_name(metadata->name);
    struct json_object *written = client_metadata_write(metadata);
    assert(client_metadata_read(written, CLIENT_AUTH_NONE, &again, &why) == CLIENT_METADATA_FINE);
    assert(strcmp(again.name, metadata->name) == 0 && again.auth == metadata->auth);
    for (size_t i = 0; i < metadata->redirect_uris_count; i++)
        assert(client_metadata_redirect(&again, metadata->redirect_uris[i]));
    json_object_put(written);
    client_metadata_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum json_fault fault;
    struct client_metadata metadata;
    struct buf why = {0};
    char *text = xmemdup_text((const char *)data, size);
    struct json_object *object = json_parse(text, size, &fault);
    if (client_metadata_read(object, CLIENT_AUTH_BASIC, &metadata, &why) == CLIENT_METADATA_FINE) {
        check_taken(&metadata);
        client_metadata_free(&metadata);
    } else {
        assert(why.len > 0);
    }
    json_object_put(object);
    buf_reset(&why);
    if (client_document_read("https://c.example/c", text, size, &metadata, &why)) {
        assert(metadata.auth == CLIENT_AUTH_NONE);
        check_taken(&metadata);
        client_metadata_free(&metadata);
    } else {
        assert(why.len > 0);
    }
    buf_free(&why);
    free(text);
    return 0;
}
