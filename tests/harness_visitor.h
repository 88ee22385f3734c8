/* harness_visitor.h: a browser and a client in one, for tests of logging in: goes through the relay's pages
 * and endpoints step by step, so that a test can go wrong at any of them, and remembers every secret that it
 * saw on the way. */
#ifndef TESTS_HARNESS_VISITOR_H
#define TESTS_HARNESS_VISITOR_H

#include "harness.h"

/* RFC 7636, appendix B. */
#define PKCE_VERIFIER  "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define PKCE_CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

struct visitor {
    struct relay_process *relay;
    struct http_reply reply; /* the last answer */
    char *cookie;            /* that the relay set; NULL: none */
    char *state;             /* of the form of the last page that had one; NULL: none */
};
void visitor_free(struct visitor *v);

/* Each returns the status. Without a token; with the cookie. path has its query. */
int visitor_get(struct visitor *v, const char *path);
/* A form, encoded. */
int visitor_post(struct visitor *v, const char *path, const char *form);
/* The same with more headers (NULL-ended). */
int visitor_post_with(struct visitor *v, const char *path, const char *form, const char *const headers[]);
/* JSON, for registrations. */
int visitor_register(struct visitor *v, const char *json);

/* Of the last answer: a text member of its JSON ("" where it has none), a header's value ("" the same), and
 * whether its body has a text. Borrowed until the next call. */
const char *visitor_json(const struct visitor *v, const char *key);
const char *visitor_header(const struct visitor *v, const char *name);
bool visitor_sees(const struct visitor *v, const char *text);

/* A connect code from the operator; words: "--agent alice@team". The caller frees. */
char *visitor_connect_code(struct visitor *v, const char *words);
/* Types it into the page that was shown last. */
int visitor_allow(struct visitor *v, const char *path, const char *code);
/* The value of a parameter of the Location of the last answer, decoded; NULL: none. The caller frees. */
char *visitor_located(const struct visitor *v, const char *name);

/* What must not be in a log: kept until the process ends. */
void visitor_secret(const char *text);
/* Fails the test where the log of the relay's present run has one of them. */
void visitor_check_log(struct visitor *v);

#endif
