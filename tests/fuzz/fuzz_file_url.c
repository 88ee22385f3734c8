/* Of the URLs that were not signed none is valid, and of those that were the very one. The input: the path
 * and the parameters, a line each. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../relay/blob/file_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 5 };
static const char *const names[FIELDS] = {NULL, "expires", "max", "type", "signature"};

struct request {
    char *text;
    const char *fields[FIELDS]; /* the path first; NULL: not there */
};

static const char *parameter(const void *request, const char *name)
{
    const struct request *r = request;
    for (size_t i = 1; i < FIELDS; i++) {
        if (strcmp(names[i], name) == 0)
            return r->fields[i];
    }
    return NULL;
}

static void split(struct request *r)
{
    char *line = r->text;
    for (size_t i = 0; i < FIELDS && line; i++) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        r->fields[i] = *line || i == 0 ? line : NULL;
        line = end ? end + 1 : NULL;
    }
}

/* What was read, were it signed, must be found valid. */
static void check_signed(const uint8_t *key, const struct request *r, const struct blob_grant *grant)
{
    struct buf url = {0};
    struct blob_grant read;
    struct request own = *r;
    file_url_write(key, "https://relay.test", grant, &url);
    own.fields[4] = strstr(buf_text(&url), "signature=") + strlen("signature=");
    assert(file_url_check(key, grant->is_upload, r->fields[0], parameter, &own, grant->expires_ms - 1,
               &read) == BLOB_URL_VALID);
    assert(memcmp(&read, grant, sizeof read) == 0);
    assert(file_url_check(key, !grant->is_upload, r->fields[0], parameter, &own, 0, &read) ==
           BLOB_URL_OTHER_METHOD);
    assert(file_url_check(key, grant->is_upload, r->fields[0], parameter, &own, grant->expires_ms, &read) ==
           BLOB_URL_EXPIRED);
    buf_free(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[FILE_URL_KEY_BYTES] = "a key for tests, for them only.";
    struct request r = {.text = xmemdup_text((const char *)data, size)};
    struct blob_grant grant;
    secret_init();
    split(&r);
    for (int is_upload = 0; is_upload < 2; is_upload++) {
        const enum blob_url found = file_url_check(key, is_upload, r.fields[0], parameter, &r, 0, &grant);
        assert(found == BLOB_URL_MALFORMED || found == BLOB_URL_FORGED);
        assert(grant.path.text[0] == '\0');
        if (found == BLOB_URL_MALFORMED || !r.fields[1])
            continue;
        const char *problem;
        grant.is_upload = r.fields[3] != NULL;
        grant.expires_ms = strtoll(r.fields[1], NULL, 10) * 1000;
        assert(blob_path_parse(r.fields[0], &grant.path, &problem));
        if (grant.is_upload) {
            grant.max_bytes = strtoll(r.fields[2], NULL, 10);
            assert(media_type_parse(r.fields[3], grant.type));
        }
        check_signed(key, &r, &grant);
    }
    free(r.text);
    return 0;
}
