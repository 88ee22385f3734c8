/* consent_page.h: the pages on which a person decides, as HTML. Pure. */
#ifndef RELAY_OAUTH_CONSENT_PAGE_H
#define RELAY_OAUTH_CONSENT_PAGE_H

#include "../../common/buf.h"
#include "redirect_uri.h"

/* Names of form fields: what the pages send. */
#define FIELD_STATE    "request"
#define FIELD_CODE     "code"
#define FIELD_DECISION "decision"
#define FIELD_USER     "user_code"
#define DECISION_ALLOW "allow"
#define DECISION_DENY  "deny"

/* An application that asks. All text may be anybody's; it is escaped here. */
struct consent_page {
    const char *relay_name, *relay_url;
    const char *client_name;             /* as it calls itself; "" for nothing */
    const char *client_host;             /* that publishes its document; NULL: it registered itself */
    const struct redirect_uri *redirect; /* where the answer goes */
    const char *state;                   /* for FIELD_STATE */
    const char *problem;                 /* what was wrong with the code typed before; NULL: nothing yet */
};
void consent_page_write(struct buf *out, const struct consent_page *page);

/* A bridge on some machine asks: first which one. */
struct device_ask_page {
    const char *user_code; /* as it stands in the field; NULL: empty */
    const char *state, *problem;
};
void device_ask_page_write(struct buf *out, const struct device_ask_page *page);

/* And then whether. */
struct device_page {
    const char *relay_name, *relay_url;
    const char *user_code, *machine, *address;
    const char *state, *problem;
};
void device_page_write(struct buf *out, const struct device_page *page);

#endif
