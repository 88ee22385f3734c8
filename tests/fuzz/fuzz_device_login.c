/* The answers to a device that logs in: what is taken is whole, fits its limits, and can do no harm on a
 * terminal, in a header or as a program's argument. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/device_login.h"
#include "../../common/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(const char *text, size_t max)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return len > 0 && len <= max;
}

static void check_request(struct json_object *answer)
{
    struct device_request request;
    struct buf why = {0};
    bool taken = device_request_read(answer, &request, &why);
    assert(taken == (why.len == 0));
    if (taken) {
        assert(is_plain(request.device_code, DEVICE_CODE_MAX_LEN));
        assert(is_plain(request.user_code, DEVICE_CODE_MAX_LEN));
        assert(is_plain(request.verification_uri, DEVICE_URL_MAX_LEN));
        assert(device_url_opens(request.verification_uri));
        assert(!request.verification_uri_complete || device_url_opens(request.verification_uri_complete));
        assert(request.expires_s >= 1 && request.expires_s <= DEVICE_EXPIRES_MAX_S);
        assert(request.interval_s >= 1 && request.interval_s <= DEVICE_INTERVAL_MAX_S);
    }
    device_request_free(&request);
    buf_free(&why);
}

static void check_token(int status, struct json_object *answer)
{
    struct device_token token = {0};
    struct buf why = {0};
    enum device_state state = device_token_read(status, answer, &token, &why);
    assert((state == DEVICE_GRANTED) == (token.token != NULL));
    assert(state != DEVICE_GRANTED || status == 200);
    assert(!token.token || (is_plain(token.token, TOKEN_MAX_LEN) && ident_name_valid(token.who.agent) &&
                               ident_name_valid(token.who.namespace_id)));
    device_token_free(&token);
    buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum json_fault fault;
    struct json_object *answer = json_parse((const char *)data, size, &fault);
    check_request(answer);
    check_token(200, answer);
    check_token(400, answer);
    json_object_put(answer);
    return 0;
}
