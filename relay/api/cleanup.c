/* cleanup.c: POST /api/cleanup[?dry_run=1&max_age_days=N] and POST /api/cleanup/oauth, with
 * PATCHCORD_CLEANUP_TOKEN. */
#include <bsd/stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../auth/authenticator.h"
#include "../blob/blob.h"
#include "../config.h"
#include "../notify.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "api.h"
#include "json_body.h"

enum { MAX_AGE_DAYS_MAX = 3650 };

static void answer_problem(struct exchange *ex, int status, const char *message)
{
    struct json_object *body = json_new_object();
    json_add_text(body, "status", "error");
    json_add_text(body, "message", message);
    json_body_answer(ex, status, body);
}

/* False: answered already. */
static bool admit(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const enum operator_access access = authenticate_operator(relay->auth, ex, relay->config->cleanup_token);
    if (access == OPERATOR_DENIED) {
        answer_problem(ex, 401, "Unauthorized");
        exchange_add_header(ex, "WWW-Authenticate", "Bearer");
    }
    return access == OPERATOR_ALLOWED;
}

static bool is_dry_run(const struct exchange *ex)
{
    const char *dry_run = exchange_query(ex, "dry_run");
    return dry_run && (strcmp(dry_run, "1") == 0 || strcmp(dry_run, "true") == 0);
}

/* 0: not a number of days. */
static int64_t read_max_age_days(const struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const char *text = exchange_query(ex, "max_age_days"), *problem;
    if (!text)
        return relay->config->cleanup_max_age_days;
    return strtonum(text, 1, MAX_AGE_DAYS_MAX, &problem);
}

enum verdict api_cleanup(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    if (!admit(ex))
        return VERDICT_DONE;
    const bool dry_run = is_dry_run(ex);
    const int64_t days = read_max_age_days(ex);
    if (days == 0) {
        answer_problem(ex, 400, "max_age_days must be a number of days from 1 to 3650");
        return VERDICT_DONE;
    }
    struct store_cleanup_result result = {0};
    struct blob_cleanup_result files = {0};
    if (store_cleanup(relay->store, days * MS_PER_DAY, relay->config->active_window_seconds * MS_PER_SECOND,
            dry_run, &result) != STORE_DONE) {
        answer_problem(ex, 500, "The store failed. Nothing was done; try again.");
        return VERDICT_DONE;
    }
    notify_agents(relay, &result.notified);
    if (blob_cleanup(relay->blobs, days * MS_PER_DAY, dry_run, &files) != BLOB_DONE) {
        store_cleanup_result_free(&result);
        answer_problem(ex, 500, "The file store failed: attachments were not removed; try again.");
        return VERDICT_DONE;
    }
    struct json_object *body = json_new_object();
    json_add_text(body, "status", "ok");
    json_add_bool(body, "dry_run", dry_run);
    json_add_int(body, "max_age_days", days);
    json_add_int(body, "messages", result.expired);
    json_add_int(body, "registry_marked_offline", result.offline);
    json_add_int(body, "attachments", files.removed);
    store_cleanup_result_free(&result);
    json_body_answer(ex, 200, body);
    return VERDICT_DONE;
}

enum verdict api_cleanup_oauth(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    if (!admit(ex))
        return VERDICT_DONE;
    const bool dry_run = is_dry_run(ex);
    struct store_oauth_cleanup result;
    if (store_oauth_cleanup(relay->store, CLIENT_UNUSED_MS, dry_run, &result) != STORE_DONE) {
        answer_problem(ex, 500, "The store failed; try again.");
        return VERDICT_DONE;
    }
    struct json_object *body = json_new_object();
    json_add_text(body, "status", "ok");
    json_add_bool(body, "dry_run", dry_run);
    json_add_int(body, "clients", result.clients);
    json_add_int(body, "codes", result.codes);
    json_add_int(body, "tokens", result.tokens);
    json_add_int(body, "grants", result.grants);
    json_body_answer(ex, 200, body);
    return VERDICT_DONE;
}
