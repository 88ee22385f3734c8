/* device.c: bridges that log in (RFC 8628): POST /device_authorization, asked by `patchcord login`, and GET
 * and POST /device, the page on which a person allows it.
 *
 * The person types the code that the terminal shows, also where a link has filled it in; sees which machine
 * asked, and from where; and allows it with a connect code. So who is sent a link by somebody else is told
 * what it would let in, and has no connect code for it. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../auth/authenticator.h"
#include "../auth/typed_code.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "authority.h"
#include "client_proof.h"
#include "consent.h"
#include "consent_page.h"
#include "endpoint.h"
#include "page.h"
#include "token_endpoint.h"

enum {
    DEVICE_LIFE_MS = 600 * 1000,
    DEVICES_MAX = 1000, /* that wait at a time */
    USER_CODES_TRIED = 4,
};

static const char PURPOSE_ASK[] = "device-ask", PURPOSE_DECIDE[] = "device";

/* ---- POST /device_authorization ---- */

static void answer_device(
    struct exchange *ex, const struct oauth *oauth, const char *device_code, const char *user_code)
{
    struct json_object *answer = json_new_object();
    char *uri = xasprintf("%s/device", oauth->public_url);
    char *complete = xasprintf("%s?" FIELD_USER "=%s", uri, user_code);
    json_add_text(answer, "device_code", device_code);
    json_add_text(answer, "user_code", user_code);
    json_add_text(answer, "verification_uri", uri);
    json_add_text(answer, "verification_uri_complete", complete);
    json_add_int(answer, "expires_in", DEVICE_LIFE_MS / MS_PER_SECOND);
    json_add_int(answer, "interval", DEVICE_INTERVAL_S);
    endpoint_answer(ex, 200, answer);
    free(uri);
    free(complete);
}

/* Of 40 bits each, two user codes hardly ever meet. */
static enum store_status add_device(const struct relay *relay, struct store_device *device,
    char user_code[static TYPED_CODE_SIZE], enum store_refusal *refusal)
{
    enum store_status status = STORE_REFUSED;
    *refusal = REFUSAL_EXISTS;
    for (int i = 0; i < USER_CODES_TRIED && status == STORE_REFUSED && *refusal == REFUSAL_EXISTS; i++) {
        typed_code_mint(TYPED_CODE_SHORT, user_code);
        status = typed_code_hash(relay->code_key, user_code, device->user_hash)
                     ? store_device_add(relay->store, device, DEVICES_MAX, refusal)
                     : STORE_FAULT;
    }
    return status;
}

static void begin_device(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct client client;
    char device_code[TOKEN_TEXT_SIZE], user_code[TYPED_CODE_SIZE], address[INET6_ADDRSTRLEN];
    bool was_forwarded;
    enum store_refusal refusal;
    const int64_t now_ms = clock_wall_ms();
    struct client_labels labels;
    client_read(ex, &client, &labels);
    client_address(relay->auth, ex, address, &was_forwarded);
    secret_token_mint(device_code);
    struct store_device device = {.machine = labels.machine,
        .address = address,
        .created_ms = now_ms,
        .expires_ms = now_ms + DEVICE_LIFE_MS};
    secret_sha256_hex(device_code, strlen(device_code), device.device_hash);
    const enum store_status status = add_device(relay, &device, user_code, &refusal);
    if (status == STORE_DONE) {
        answer_device(ex, relay->oauth, device_code, user_code);
        log_info("device_asks", LOG_STR("machine", labels.machine), LOG_STR("address", address));
    } else if (status == STORE_REFUSED) {
        endpoint_error(ex, 503, "temporarily_unavailable", "Too many devices are waiting; try again later.");
        exchange_add_header(ex, "Retry-After", "60");
    } else {
        endpoint_store_failed(ex);
    }
    secret_wipe(device_code, sizeof device_code);
    secret_wipe(user_code, sizeof user_code);
}

enum verdict oauth_device_authorization(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct form form;
    if (!authority_admit(relay->oauth, ex) || !endpoint_read_form(ex, &form))
        return VERDICT_DONE;
    const char *client_id = form_get(&form, "client_id");
    if (client_id && strcmp(client_id, CLIENT_OF_BRIDGE) == 0)
        begin_device(ex);
    else
        endpoint_error(ex, 400, "unauthorized_client", "This is for the client " CLIENT_OF_BRIDGE " alone.");
    form_free(&form);
    return VERDICT_DONE;
}

/* ---- GET /device ---- */

static void show_ask(struct exchange *ex, int status, const char *user_code, const char *problem)
{
    struct buf state = {0}, page = {0};
    consent_seal(ex, PURPOSE_ASK, NULL, 0, &state);
    const struct device_ask_page ask = {
        .user_code = user_code, .state = buf_text(&state), .problem = problem};
    device_ask_page_write(&page, &ask);
    page_answer(ex, status, &page, NULL);
    buf_free(&state);
}

enum verdict oauth_device(struct exchange *ex)
{
    const char *given = exchange_query(ex, FIELD_USER);
    char user_code[TYPED_CODE_SIZE];
    const bool is_code = given && typed_code_read(given, user_code);
    show_ask(ex, 200, is_code ? user_code : NULL, NULL);
    return VERDICT_DONE;
}

/* ---- POST /device, first: which one ---- */

/* What the page shows, also the second time. */
struct shown {
    const char *user_code, *machine, *address;
};

static void show_device(
    struct exchange *ex, int status, const struct shown *shown, const char *state, const char *problem)
{
    const struct relay *relay = ex->app;
    const struct device_page device = {
        .relay_name = relay->oauth->name,
        .relay_url = relay->oauth->public_url,
        .user_code = shown->user_code,
        .machine = shown->machine,
        .address = shown->address,
        .state = state,
        .problem = problem,
    };
    struct buf page = {0};
    device_page_write(&page, &device);
    page_answer(ex, status, &page, NULL);
}

static void show_found(struct exchange *ex, const char *user_code, const struct store_device *device)
{
    const struct shown shown = {user_code, device->machine, device->address};
    const struct signed_state_field fields[] = {
        {"user_code", user_code}, {"machine", device->machine}, {"address", device->address}};
    struct buf state = {0};
    consent_seal(ex, PURPOSE_DECIDE, fields, LENGTH_OF(fields), &state);
    show_device(ex, 200, &shown, buf_text(&state), NULL);
    buf_free(&state);
}

static enum store_status find_device(const struct relay *relay, const char *typed,
    char user_code[static TYPED_CODE_SIZE], struct store_device *device)
{
    char hash[SHA256_HEX_SIZE];
    if (!typed || !typed_code_read(typed, user_code) || !typed_code_hash(relay->code_key, user_code, hash))
        return STORE_ABSENT;
    return store_device_find(relay->store, hash, device);
}

static void look(struct exchange *ex, const struct form *form)
{
    const struct relay *relay = ex->app;
    const char *typed = form_get(form, FIELD_USER);
    char user_code[TYPED_CODE_SIZE];
    struct store_device device = {0};
    struct form sealed = {0};
    if (!consent_open(ex, PURPOSE_ASK, form, &sealed))
        return;
    if (consent_try(ex, form_get(&sealed, "id"))) {
        const enum store_status status = find_device(relay, typed, user_code, &device);
        if (status == STORE_DONE)
            show_found(ex, user_code, &device);
        else if (status == STORE_ABSENT)
            show_ask(ex, 400, typed, "No terminal waits under that code. Codes run out after 10 minutes.");
        else
            consent_store_failed(ex);
    }
    store_device_free(&device);
    form_free(&sealed);
}

/* ---- POST /device, then: whether ---- */

static void tell(struct exchange *ex, int status, const char *title, const char *text)
{
    page_message(ex, status, title, text, NULL, NULL);
}

static void tell_gone(struct exchange *ex)
{
    tell(ex, 400, "Nobody waits any more", "The terminal's code has run out, or it was decided elsewhere.");
}

static void deny(struct exchange *ex, const char *user_hash)
{
    const struct relay *relay = ex->app;
    struct store_subject nobody = {0};
    enum store_refusal refusal;
    const enum store_status status = store_device_decide(relay->store, user_hash, NULL, &nobody, &refusal);
    if (status == STORE_DONE)
        tell(ex, 200, "Refused", "The terminal is told so. You can close this page.");
    else if (status == STORE_ABSENT)
        tell_gone(ex);
    else
        consent_store_failed(ex);
    store_subject_free(&nobody);
}

static void tell_allowed(struct exchange *ex, const struct shown *shown, const struct store_subject *subject)
{
    char *text = xasprintf("The terminal becomes %s@%s within some seconds. You can close this page.",
        subject->agent, subject->namespace_id);
    tell(ex, 200, "Allowed", text);
    free(text);
    log_info("device_allowed", LOG_STR("machine", shown->machine), LOG_STR("address", shown->address),
        LOG_STR("agent", subject->agent), LOG_STR("namespace", subject->namespace_id));
}

static void allow(
    struct exchange *ex, const struct form *form, const struct shown *shown, const char *user_hash)
{
    const struct relay *relay = ex->app;
    const char *typed = form_get(form, FIELD_CODE);
    char hash[SHA256_HEX_SIZE];
    struct store_subject subject = {0};
    enum store_refusal refusal = REFUSAL_USED;
    enum store_status status = STORE_ABSENT;
    if (typed && typed_code_hash(relay->code_key, typed, hash))
        status = store_device_decide(relay->store, user_hash, hash, &subject, &refusal);
    if (status == STORE_DONE) {
        tell_allowed(ex, shown, &subject);
    } else if (status == STORE_ABSENT && refusal == REFUSAL_USED) {
        log_warn("connect_code_refused", LOG_STR("machine", shown->machine));
        show_device(ex, 400, shown, form_get(form, FIELD_STATE),
            "That connect code is not known, was used, or has run out.");
    } else if (status == STORE_ABSENT) {
        tell_gone(ex);
    } else {
        consent_store_failed(ex);
    }
    store_subject_free(&subject);
}

static const char *text_of(const struct form *form, const char *name)
{
    const char *text = form_get(form, name);
    return text ? text : "";
}

static void decide(struct exchange *ex, const struct form *form)
{
    const struct relay *relay = ex->app;
    const char *decision = text_of(form, FIELD_DECISION);
    struct form sealed = {0};
    char user_hash[SHA256_HEX_SIZE];
    if (!consent_open(ex, PURPOSE_DECIDE, form, &sealed))
        return;
    const struct shown shown = {
        text_of(&sealed, "user_code"), text_of(&sealed, "machine"), text_of(&sealed, "address")};
    if (!typed_code_hash(relay->code_key, shown.user_code, user_hash))
        tell_gone(ex);
    else if (strcmp(decision, DECISION_DENY) == 0)
        deny(ex, user_hash);
    else if (consent_try(ex, text_of(&sealed, "id")))
        allow(ex, form, &shown, user_hash);
    form_free(&sealed);
}

enum verdict oauth_device_decide(struct exchange *ex)
{
    struct form form;
    if (!endpoint_read_form(ex, &form))
        return VERDICT_DONE;
    if (form_get(&form, FIELD_DECISION))
        decide(ex, &form);
    else
        look(ex, &form);
    form_free(&form);
    return VERDICT_DONE;
}
