#include "supabase_link.h"

#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../upstream/breaker.h"
#include "../upstream/upstream.h"

enum {
    HEADERS_MAX = 6,
    OK = 200,
    OK_LAST = 299,
    UNAUTHORIZED = 401,
    NOT_FOUND = 404,
    TOO_MANY = 429,
    SERVER_FAULT = 500
};

struct supabase_link {
    struct upstream *upstream;
    struct breaker *breaker;
    char *url;                  /* with /rest/v1/ */
    char *headers[HEADERS_MAX]; /* secret; NULL-ended */
};

/* ---- life ---- */

/* A JWT of the older kind is asked for twice; a secret key would be refused as a token. */
static void set_headers(struct supabase_link *link, const char *key)
{
    static const char secret_key[] = "sb_";
    size_t count = 0;
    link->headers[count++] = xasprintf("apikey: %s", key);
    if (strncmp(key, secret_key, sizeof secret_key - 1) != 0)
        link->headers[count++] = xasprintf("Authorization: Bearer %s", key);
    link->headers[count++] = xstrdup("Content-Type: application/json");
    link->headers[count++] = xstrdup("Accept: application/json");
}

static bool check_key(const char *key, struct buf *why)
{
    if (strpbrk(key, " \t\r\n"))
        buf_puts(why, "SUPABASE_KEY must be one word");
    else if (strncmp(key, "sb_publishable_", strlen("sb_publishable_")) == 0)
        buf_puts(why, "SUPABASE_KEY is a publishable key, which may read nothing: take a secret one "
                      "(sb_secret_…, or the "
                      "older service_role key)");
    return why->len == 0;
}

struct supabase_link *supabase_link_new(const struct store_supabase *options, struct buf *why)
{
    const struct upstream_options upstream = {
        .ca_file = options->ca_file, .connections = SUPABASE_CONNECTIONS};
    if (!check_key(options->key, why))
        return NULL;
    struct supabase_link *link = xcalloc(1, sizeof *link);
    link->upstream = upstream_new(&upstream, why);
    if (!link->upstream) {
        free(link);
        return NULL;
    }
    link->breaker = breaker_new(options->breaker_ms);
    link->url = xasprintf("%s/rest/v1/", options->url);
    set_headers(link, options->key);
    return link;
}

void supabase_link_free(struct supabase_link *link)
{
    if (!link)
        return;
    upstream_free(link->upstream);
    breaker_free(link->breaker);
    for (size_t i = 0; link->headers[i]; i++)
        secret_free(link->headers[i]);
    free(link->url);
    free(link);
}

/* ---- what an answer means ---- */

void supabase_code(const char *body, size_t len, char code[static SUPABASE_CODE_SIZE])
{
    enum json_fault fault;
    struct json_object *error = json_parse(body, len, &fault);
    const char *text = json_text_or(error, "code", "");
    if (strlcpy(code, text, SUPABASE_CODE_SIZE) >= SUPABASE_CODE_SIZE ||
        strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != strlen(code))
        code[0] = '\0';
    json_object_put(error);
}

enum meaning { MEANS_FAULT, MEANS_MISSING, MEANS_ROLLED_BACK };

/* By the beginning of the code; hint: what to do, for the log. */
static const struct {
    const char *code;
    enum meaning meaning;
    const char *hint;
} codes[] = {
    {"PGRST202", MEANS_MISSING, NULL}, /* no such function, */
    {"42883", MEANS_MISSING, NULL},    /* or none that it calls */
    {"3F000", MEANS_MISSING, NULL},
    {"40", MEANS_ROLLED_BACK, NULL}, /* deadlock, serialization */
    {"55P03", MEANS_ROLLED_BACK, NULL},
    {"42501", MEANS_FAULT, "the key's role may not: SUPABASE_KEY has to be a secret (service_role) key"},
    {"PGRST30", MEANS_FAULT, "the key is refused: SUPABASE_KEY is not this project's, or has expired"},
    {"PGRST00", MEANS_FAULT, "its database is away"},
    {"57014", MEANS_FAULT, "the database gave up a statement that took too long"},
    {"", MEANS_FAULT, NULL},
};

static enum meaning read_error(const struct upstream_answer *answer, struct buf *why)
{
    char code[SUPABASE_CODE_SIZE];
    supabase_code(buf_text(&answer->body), answer->body.len, code);
    size_t i = 0;
    while (strncmp(code, codes[i].code, strlen(codes[i].code)) != 0)
        i++;
    const char *hint = codes[i].hint;
    if (!hint && answer->status == UNAUTHORIZED)
        hint = "the key is refused: SUPABASE_KEY is not this project's, or has expired";
    if (!hint && answer->status == NOT_FOUND && !code[0])
        hint = "nothing of Supabase's is there: look at SUPABASE_URL";
    buf_printf(why, "Supabase answered with status %d%s%s%s%s", answer->status, code[0] ? ", code " : "",
        code, hint ? ": " : "", hint ? hint : "");
    return codes[i].meaning;
}

static bool is_json(const struct upstream_answer *answer)
{
    static const char json[] = "application/json";
    const char *type = upstream_header(answer, "content-type");
    return type && strncasecmp(type, json, sizeof json - 1) == 0;
}

/* Whether that is the server's or the way's fault, rather than an answer. */
static bool is_away(const struct upstream_answer *answer)
{
    return answer->outcome != UPSTREAM_ANSWERED || answer->status >= SERVER_FAULT ||
           answer->status == TOO_MANY;
}

static void explain_outcome(const struct upstream_answer *answer, struct buf *why)
{
    if (answer->outcome == UPSTREAM_SLOW)
        buf_printf(why, "Supabase did not answer within %d s", SUPABASE_CALL_MS / MS_PER_SECOND);
    else
        buf_printf(why, "Supabase cannot be reached, or broke off: %s", answer->reason);
}

/* ---- asking ---- */

static void report(struct supabase_link *link, bool failed)
{
    switch (breaker_report(link->breaker, failed)) {
    case BREAKER_OPENED:
        log_error("supabase_away", LOG_STR("next", "calls are refused until a probe works"));
        break;
    case BREAKER_CLOSED:
        log_info("supabase_back");
        break;
    case BREAKER_SAME:
        break;
    }
}

/* Whether the database itself failed is another question than whether it is there. */
static bool is_of_database(const char *code)
{
    return strlen(code) == 5 && strncmp(code, "57P", 3) != 0 && strncmp(code, "08", 2) != 0 &&
           strncmp(code, "53", 2) != 0;
}

static void report_answer(struct supabase_link *link, const struct upstream_answer *answer)
{
    char code[SUPABASE_CODE_SIZE] = "";
    bool failed = is_away(answer);
    if (failed && answer->outcome == UPSTREAM_ANSWERED) {
        supabase_code(buf_text(&answer->body), answer->body.len, code);
        failed = !is_of_database(code);
    }
    report(link, failed);
}

static enum supabase_answer read_answer(
    const struct upstream_answer *given, struct buf *answer, struct buf *why, bool *again)
{
    *again = false;
    if (given->outcome != UPSTREAM_ANSWERED) {
        explain_outcome(given, why);
        return SUPABASE_FAULT;
    }
    if (given->status < OK || given->status > OK_LAST) {
        const enum meaning meaning = read_error(given, why);
        *again = meaning == MEANS_ROLLED_BACK;
        return meaning == MEANS_MISSING ? SUPABASE_MISSING : SUPABASE_FAULT;
    }
    if (!is_json(given)) {
        buf_puts(why, "what answered is not Supabase: look at SUPABASE_URL");
        return SUPABASE_FAULT;
    }
    buf_append(answer, buf_text(&given->body), given->body.len);
    return SUPABASE_DONE;
}

enum supabase_answer supabase_ask(
    struct supabase_link *link, const struct supabase_request *request, struct buf *answer, struct buf *why)
{
    const int64_t deadline_ms = clock_mono_ms() + SUPABASE_CALL_MS;
    char *url = xasprintf("%s%s", link->url, request->path);
    enum supabase_answer result = SUPABASE_FAULT;
    bool again = true;
    for (int tries = 0; again && tries < SUPABASE_TRIES_MAX; tries++) {
        struct upstream_answer given;
        int64_t wait_ms;
        const struct upstream_call call = {.method = request->method,
            .url = url,
            .headers = (const char *const *)link->headers,
            .body = request->body,
            .body_len = request->body_len,
            .is_repeatable = request->is_repeatable,
            .timeout_ms = deadline_ms - clock_mono_ms(),
            .answer_max = SUPABASE_ANSWER_MAX};
        buf_reset(why);
        if (!breaker_enter(link->breaker, &wait_ms)) {
            buf_printf(why, "Supabase does not answer; it is tried again in %d s",
                (int)(wait_ms / MS_PER_SECOND) + 1);
            break;
        }
        (void)upstream_call(link->upstream, &call, &given);
        report_answer(link, &given);
        result = read_answer(&given, answer, why, &again);
        upstream_answer_free(&given);
    }
    free(url);
    return result;
}
