/* login: a token for this folder without anybody typing one (RFC 8628, device authorization): we show a code,
 * the person approves it on the relay's page with a connect code of the operator, and we are given the token.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/url.h"
#include "../credentials.h"
#include "../device_login.h"
#include "../quiet_run.h"
#include "../relay_ask.h"
#include "commands.h"
#include "request.h"
#include "terminal.h"

#define CLIENT_ID  "patchcord"
#define FORM       "application/x-www-form-urlencoded"
#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"

struct login {
    bool browser;
    const char *url;   /* as it was given */
    char *credentials; /* path of the file */
    struct config config;
    struct relay_asker *asker;
};

/* Says it; returns the exit code. */
static int fail(int exit_code, const char *text)
{
    struct buf line = {0};
    terminal_word(&line, text);
    fprintf(stderr, "patchcord login: %s\n", buf_text(&line));
    buf_free(&line);
    return exit_code;
}

/* Says it and frees it. */
static int fail_why(struct buf *why)
{
    int exit_code = fail(COMMAND_ERROR, buf_text(why));
    buf_free(why);
    return exit_code;
}

static void add_field(struct buf *form, const char *name, const char *value)
{
    buf_printf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    url_encode(form, value, strlen(value));
}

/* ---- asking for a code ---- */

static bool ask_for_code(struct login *login, struct device_request *request, struct buf *why)
{
    struct relay_answer answer;
    struct buf form = {0};
    bool ok = false;
    add_field(&form, "client_id", CLIENT_ID);
    relay_ask(login->asker, "/device_authorization", FORM, &form, &answer);
    if (!answer.stopped && answer.fault == TRANSFER_ANSWERED && answer.status == 200) {
        ok = device_request_read(answer.json, request, why);
        if (!ok)
            buf_printf(why, " (%s)", login->config.url);
    } else {
        relay_answer_problem(&answer, login->config.url, why);
    }
    relay_answer_free(&answer);
    return ok;
}

static bool show_code(const struct device_request *request)
{
    struct buf out = {0};
    buf_printf(&out,
        "Open      %s\nand enter %s\n"
        "It asks for a connect code, too: the relay's operator gets one from `patchcord-relay connect`.\n"
        "Waiting for up to %d minutes; Ctrl-C gives up.\n",
        request->verification_uri, request->user_code, (request->expires_s + 59) / 60);
    bool ok = terminal_print(&out);
    buf_free(&out);
    return ok;
}

/* The URL is one word of a program's arguments, never a shell's. */
static void open_browser(const struct device_request *request)
{
    static char on_linux[] = "xdg-open", on_macos[] = "open";
    char *url =
        request->verification_uri_complete ? request->verification_uri_complete : request->verification_uri;
    char *const linux_argv[] = {on_linux, url, NULL}, *const macos_argv[] = {on_macos, url, NULL};
    if (!quiet_start(linux_argv) && !quiet_start(macos_argv))
        fail(COMMAND_DONE, "neither xdg-open nor open could be started; open the page yourself");
}

/* ---- waiting for the approval ---- */

/* The relay is away, or has too much to do: that passes. */
static bool is_passing(const struct relay_answer *answer)
{
    return answer->fault != TRANSFER_ANSWERED || answer->status == 429 || answer->status >= 500;
}

/* Asks once. *interval_s grows as the relay, or its absence, wants it (RFC 8628, section 3.5). */
static enum device_state ask_for_token(struct login *login, const struct device_request *request,
    int *interval_s, struct device_token *token, struct buf *why)
{
    struct relay_answer answer;
    struct buf form = {0};
    add_field(&form, "grant_type", GRANT_TYPE);
    add_field(&form, "device_code", request->device_code);
    add_field(&form, "client_id", CLIENT_ID);
    relay_ask(login->asker, "/token", FORM, &form, &answer);
    enum device_state state = DEVICE_FAILED;
    if (answer.stopped) {
        relay_answer_problem(&answer, login->config.url, why);
    } else if (is_passing(&answer)) {
        state = DEVICE_PENDING;
        *interval_s = *interval_s * 2 > answer.retry_after_s ? *interval_s * 2 : answer.retry_after_s;
    } else {
        state = device_token_read(answer.status, answer.json, token, why);
        if (state == DEVICE_FAILED && why->len == 0)
            relay_answer_problem(&answer, login->config.url, why);
        *interval_s += state == DEVICE_SLOW_DOWN ? DEVICE_SLOWER_S : 0;
    }
    if (*interval_s > DEVICE_INTERVAL_MAX_S)
        *interval_s = DEVICE_INTERVAL_MAX_S;
    relay_answer_free(&answer);
    return state;
}

static enum device_state await_token(
    struct login *login, const struct device_request *request, struct device_token *token, struct buf *why)
{
    int64_t end = clock_mono_ms() + (int64_t)request->expires_s * MS_PER_SECOND;
    int interval_s = request->interval_s;
    enum device_state state = DEVICE_PENDING;
    while (state == DEVICE_PENDING || state == DEVICE_SLOW_DOWN) {
        if (clock_mono_ms() + (int64_t)interval_s * MS_PER_SECOND > end)
            return DEVICE_EXPIRED;
        if (!relay_asker_pause(login->asker, (int64_t)interval_s * MS_PER_SECOND)) {
            buf_puts(why, "given up");
            return DEVICE_FAILED;
        }
        state = ask_for_token(login, request, &interval_s, token, why);
    }
    return state;
}

/* ---- keeping it ---- */

static bool say_who(const struct credential *entry)
{
    struct buf out = {0}, line = {0};
    buf_printf(&line, "This folder is now %s at %s", entry->agent, entry->url);
    if (entry->client)
        buf_printf(&line, ", for %s", entry->client);
    terminal_word(&out, buf_text(&line));
    buf_puts(&out, ".\n");
    bool ok = terminal_print(&out);
    buf_free(&line);
    buf_free(&out);
    return ok;
}

static int keep(const struct login *login, const struct device_token *token)
{
    struct credential entry = {.url = login->config.url,
        .token = token->token,
        .folder = login->config.folder,
        .client = login->config.client,
        .ca = login->config.ca_file};
    struct buf why = {0};
    ident_format(token->who.namespace_id, token->who.agent, entry.agent);
    if (!credentials_put(login->credentials, &entry, &why)) {
        buf_printf(&why,
            "; the relay has given a token to %s that nobody holds now: its operator can revoke it "
            "(`patchcord-relay token list`)",
            entry.agent);
        return fail_why(&why);
    }
    if (!credentials_remove_others(login->credentials, &entry, &why))
        return fail_why(&why);
    return say_who(&entry) ? COMMAND_DONE : COMMAND_ERROR;
}

static int finish(struct login *login, const struct device_request *request)
{
    struct device_token token = {0};
    struct buf why = {0};
    int exit_code = COMMAND_ERROR;
    switch (await_token(login, request, &token, &why)) {
    case DEVICE_GRANTED:
        exit_code = keep(login, &token);
        break;
    case DEVICE_DENIED:
        exit_code = fail(COMMAND_ERROR, "the request was denied on the page");
        break;
    case DEVICE_EXPIRED:
        exit_code = fail(COMMAND_RAN_OUT, "nobody approved the code in time; log in again for a new one");
        break;
    default:
        exit_code = fail(COMMAND_ERROR, buf_text(&why));
        break;
    }
    device_token_free(&token);
    buf_free(&why);
    return exit_code;
}

/* ---- the command ---- */

/* Whether the token could be kept is better known before there is one. */
static bool prepare(struct login *login, const struct config_options *options, struct buf *why)
{
    struct credentials stored;
    if (!config_for_relay(options, login->url, &login->config, why))
        return false;
    if (login->config.folder[0] == '\0') {
        buf_puts(why, "the current folder is gone");
        return false;
    }
    login->credentials = credentials_path();
    if (!login->credentials) {
        buf_puts(why, "HOME is not set");
        return false;
    }
    if (!credentials_load(login->credentials, &stored, why))
        return false;
    credentials_free(&stored);
    return true;
}

static int log_in(struct login *login, const struct config_options *options)
{
    struct device_request request;
    struct buf why = {0};
    if (!prepare(login, options, &why))
        return fail_why(&why);
    login->asker = relay_asker_new(&login->config, request_stop_on_signals());
    if (!ask_for_code(login, &request, &why))
        return fail_why(&why);
    int exit_code = COMMAND_ERROR;
    if (show_code(&request)) {
        if (login->browser)
            open_browser(&request);
        exit_code = finish(login, &request);
    }
    device_request_free(&request);
    return exit_code;
}

static int read_arguments(struct login *login, const struct config_options *options, int argc, char **argv)
{
    static const struct option known[] = {{.name = "browser", .val = 'b'}, {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option != 'b')
            return command_usage_error(&command_login, "unknown option %s", argv[optind - 1]);
        login->browser = true;
    }
    if (options->as)
        return command_usage_error(
            &command_login, "--as does not belong here: the connect code decides who this folder becomes");
    if (argc - optind != 1)
        return command_usage_error(&command_login, "it takes one argument, the relay's URL");
    login->url = argv[optind];
    return COMMAND_DONE;
}

static int run(const struct config_options *options, int argc, char **argv)
{
    struct login login = {0};
    int exit_code = read_arguments(&login, options, argc, argv);
    if (exit_code == COMMAND_DONE)
        exit_code = log_in(&login, options);
    relay_asker_free(login.asker);
    config_free(&login.config);
    free(login.credentials);
    return exit_code;
}

const struct command command_login = {
    .name = "login",
    .usage = "patchcord login [--browser] URL",
    .summary = "get a token for this folder from a relay",
    .help = "Shows a code, and waits until it was approved on the relay's page, on whatever device has a\n"
            "browser. The page asks for a connect code, which the relay's operator gets from\n"
            "`patchcord-relay connect --namespace NS --agent AGENT`: it decides who this folder becomes.\n"
            "The token goes into the credentials file, for this folder (and with --client NAME for that\n"
            "client alone), and is never shown.\n"
            "\n"
            "URL is the relay's, as https://relay.example.com; plain http only to this machine, unless\n"
            "--insecure-http is given.\n"
            "\n"
            "OPTIONS\n"
            "  --browser  open the page in this machine's browser (xdg-open, open)\n"
            "\n"
            "EXIT STATUS\n"
            "  0  the token is stored\n"
            "  1  denied, or another error, said on standard error\n"
            "  2  wrong usage\n"
            "  3  nobody approved the code in time\n",
    .run = run,
};
