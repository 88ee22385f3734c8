/* device_login.h: what a relay says to a device that logs in (RFC 8628). Pure. */
#ifndef BRIDGE_DEVICE_LOGIN_H
#define BRIDGE_DEVICE_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/compiler.h"
#include "../common/ident.h"
#include "../common/json.h"

enum {
    DEVICE_INTERVAL_S = 5,      /* where the relay names none (section 3.2) */
    DEVICE_INTERVAL_MAX_S = 60, /* however long it would have us wait */
    DEVICE_SLOWER_S = 5,        /* what slow_down adds (section 3.5) */
    DEVICE_EXPIRES_MAX_S = 24 * 3600,
    DEVICE_CODE_MAX_LEN = 1024,
    DEVICE_URL_MAX_LEN = 2048,
};

/* The device authorization response (section 3.2). */
struct device_request {
    char *device_code; /* secret */
    char *user_code, *verification_uri;
    char *verification_uri_complete; /* NULL: none */
    int expires_s, interval_s;
};
/* False: why says which member is missing or wrong. */
MUST_CHECK bool device_request_read(struct json_object *answer, struct device_request *out, struct buf *why);
void device_request_free(struct device_request *request);

enum device_state {
    DEVICE_GRANTED, /* there is a token */
    DEVICE_PENDING,
    DEVICE_SLOW_DOWN, /* pending, and asked too often */
    DEVICE_DENIED,
    DEVICE_EXPIRED,
    DEVICE_FAILED, /* any other answer */
};

struct device_token {
    char *token; /* secret */
    struct ident who;
};
/* Sorts an answer of the token endpoint (sections 3.4, 3.5). GRANTED: *out is the caller's to free. FAILED
 * after a status of 200: why says which member is wrong. */
enum device_state device_token_read(
    int status, struct json_object *answer, struct device_token *out, struct buf *why);
void device_token_free(struct device_token *token);

/* True for a text that is an http(s) URL as far as it can do no harm as a program's argument. */
bool device_url_opens(const char *url);

#endif
