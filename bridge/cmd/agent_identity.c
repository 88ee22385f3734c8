#include "agent_identity.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../common/url.h"
#include "../relay_ask.h"
#include "commands.h"
#include "request.h"

#define WHICH_RELAY                                                                                          \
    "which relay? Say --server URL. `patchcord-relay serve` starts one on this machine "                     \
    "(http://localhost:8000); for another one ask who runs it"
#define WHICH_TOKEN                                                                                          \
    "no token is stored for this folder: paste the line that the relay's operator gets from "                \
    "`patchcord-relay invite AGENT@NAMESPACE`, or say --token -, --code CODE or --login"
#define CHECK_PATH "/api/inbox?count_only=1&limit=0"

enum { HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403 };

/* ---- what is stored ---- */

/* The entry of this folder and client, borrowed; NULL: none. at: only at this relay (NULL: any). */
static const struct credential *stored_entry(
    const struct credentials *stored, const struct agent_identity *who, const char *folder, const char *at)
{
    const struct credential *found = NULL;
    for (size_t i = 0; i < stored->count; i++) {
        const struct credential *entry = &stored->entries[i];
        bool ours = entry->folder && strcmp(entry->folder, folder) == 0 &&
                    (!entry->client || strcmp(entry->client, who->options.client) == 0);
        if (ours && (!at || strcmp(entry->origin, at) == 0))
            found = !found || entry->client ? entry : found;
    }
    return found;
}

static char *origin_of(const char *text)
{
    struct url url;
    if (!url_parse(text, &url))
        return NULL;
    char *origin = url_origin(&url);
    url_free(&url);
    return origin;
}

static void take_token(struct agent_identity *who, const char *token)
{
    secret_free(who->config.token);
    who->config.token = xstrdup(token);
}

/* Sets the relay, without a token yet. */
static bool use_relay(struct agent_identity *who, const char *url, const char *ca, struct buf *why)
{
    if (ca && !getenv("PATCHCORD_CA_FILE") && setenv("PATCHCORD_CA_FILE", ca, 1) < 0)
        alloc_failed();
    return config_for_relay(&who->options, url, &who->config, why);
}

/* The stored token, bound to its relay: with --server to that one alone. */
static int use_stored(
    struct agent_identity *who, const char *older_url, const char *older_token, struct buf *why)
{
    struct credentials stored = {0};
    char *folder = realpath(".", NULL), *origin = who->server ? origin_of(who->server) : NULL;
    int exit_code = COMMAND_ERROR;
    if (!folder || !credentials_load(who->credentials, &stored, why))
        goto out;
    const struct credential *entry = stored_entry(&stored, who, folder, origin);
    char *older_origin = older_url ? origin_of(older_url) : NULL;
    /* What is stored is the person's; a project's file may be anybody's. */
    bool older = !entry && older_token && older_origin && (!origin || strcmp(origin, older_origin) == 0);
    free(older_origin);
    if (!entry && !older) {
        buf_puts(why, who->server ? WHICH_TOKEN : WHICH_RELAY);
        exit_code = COMMAND_USAGE;
        goto out;
    }
    const char *url = older ? older_url : entry->url;
    if (!use_relay(who, who->server ? who->server : url, older ? NULL : entry->ca, why))
        goto out;
    take_token(who, older ? older_token : entry->token);
    who->older = older;
    exit_code = COMMAND_DONE;
out:
    credentials_free(&stored);
    free(origin);
    free(folder);
    return exit_code;
}

/* ---- new tokens ---- */

static int use_stdin(struct agent_identity *who, struct buf *why)
{
    char *token = secret_read(STDIN_FILENO, "Token: ");
    if (!token) {
        buf_puts(why, "there is no token on standard input");
        return COMMAND_USAGE;
    }
    take_token(who, token);
    secret_free(token);
    return COMMAND_DONE;
}

/* POST /api/join: an invitation becomes a token, once. */
static int use_code(struct agent_identity *who, struct buf *why)
{
    struct relay_answer answer;
    struct buf body = {0};
    struct json_object *json = json_new_object();
    json_add_text(json, "code", who->code);
    json_write(json, &body);
    json_object_put(json);
    struct relay_asker *asker = relay_asker_new(&who->config, request_stop_on_signals());
    relay_ask(asker, "/api/join", "application/json", &body, &answer);
    const char *token = json_text_or(answer.json, "token", "");
    int exit_code = COMMAND_ERROR;
    if (answer.status == HTTP_UNAUTHORIZED) {
        buf_puts(why, "the relay does not know this code: it was mistyped, used already, or is too old");
        exit_code = COMMAND_TOKEN_REFUSED;
    } else if (answer.status != 200 || !*token) {
        relay_answer_problem(&answer, who->config.url, why);
    } else {
        take_token(who, token);
        exit_code = COMMAND_DONE;
    }
    relay_answer_free(&answer);
    relay_asker_free(asker);
    return exit_code;
}

static bool had(const struct credentials *before, const char *token)
{
    for (size_t i = 0; i < before->count; i++) {
        if (secret_equal(before->entries[i].token, token))
            return true;
    }
    return false;
}

/* The entry that login has put there, and none that another command stored meanwhile: that one's token is for
 * another folder, and perhaps for another relay. */
static bool take_new_token(struct agent_identity *who, const struct credentials *before, struct buf *why)
{
    struct credentials after;
    if (!credentials_load(who->credentials, &after, why))
        return false;
    char *origin = origin_of(who->config.url);
    const struct credential *entry = origin ? stored_entry(&after, who, who->config.folder, origin) : NULL;
    if (entry && !had(before, entry->token))
        take_token(who, entry->token);
    free(origin);
    credentials_free(&after);
    if (!who->config.token)
        buf_puts(why, "the login left no token");
    return who->config.token != NULL;
}

static int use_login(struct agent_identity *who, struct buf *why)
{
    struct credentials before;
    if (!credentials_load(who->credentials, &before, why))
        return COMMAND_ERROR;
    char name[] = "login";
    char *argv[] = {name, who->config.url, NULL};
    optind = 0; /* begins with another command line */
    int exit_code = command_login.run(&who->options, 2, argv);
    if (exit_code == COMMAND_DONE && !take_new_token(who, &before, why))
        exit_code = COMMAND_ERROR;
    credentials_free(&before);
    return exit_code;
}

static int use_new(struct agent_identity *who, struct buf *why)
{
    if (!who->server) {
        buf_puts(why, WHICH_RELAY);
        return COMMAND_USAGE;
    }
    if (!use_relay(who, who->server, NULL, why))
        return COMMAND_ERROR;
    switch (who->source) {
    case AGENT_CODE:
        return use_code(who, why);
    case AGENT_LOGIN:
        return use_login(who, why);
    default:
        return use_stdin(who, why);
    }
}

/* ---- whose it is ---- */

static int check_answer(struct agent_identity *who, const struct relay_answer *answer, struct buf *why)
{
    if (answer->status == HTTP_UNAUTHORIZED || answer->status == HTTP_FORBIDDEN) {
        buf_printf(why,
            "the relay at %s does not accept this token: it was mistyped, revoked, or is another relay's; "
            "nothing was changed",
            who->config.url);
        return COMMAND_TOKEN_REFUSED;
    }
    struct ident ident;
    const char *agent = json_text_or(answer->json, "agent_id", ""),
               *space = json_text_or(answer->json, "namespace_id", "");
    char *address = xasprintf("%s@%s", agent, space);
    int exit_code = COMMAND_ERROR;
    if (answer->status != 200)
        relay_answer_problem(answer, who->config.url, why);
    else if (!ident_parse(address, &ident) || ident.namespace_id[0] == '\0')
        buf_printf(why, "there is no Patchcord relay at %s: the URL is the relay's alone, without /mcp",
            who->config.url);
    else {
        ident_format(ident.namespace_id, ident.agent, who->agent);
        exit_code = COMMAND_DONE;
    }
    free(address);
    return exit_code;
}

static int check(struct agent_identity *who, struct buf *why)
{
    struct relay_answer answer;
    struct relay_asker *asker = relay_asker_new(&who->config, request_stop_on_signals());
    relay_ask_get(asker, CHECK_PATH, &answer);
    int exit_code = check_answer(who, &answer, why);
    relay_answer_free(&answer);
    relay_asker_free(asker);
    return exit_code;
}

int agent_identity_find(
    struct agent_identity *who, const char *older_url, const char *older_token, struct buf *why)
{
    who->credentials = credentials_path();
    if (!who->credentials) {
        buf_puts(why, "HOME is not set");
        return COMMAND_ERROR;
    }
    int exit_code =
        who->source == AGENT_STORED ? use_stored(who, older_url, older_token, why) : use_new(who, why);
    return exit_code == COMMAND_DONE ? check(who, why) : exit_code;
}

bool agent_identity_keep(const struct agent_identity *who, struct buf *why)
{
    struct credential entry = {.url = who->config.url,
        .token = who->config.token,
        .folder = who->config.folder,
        .client = who->config.client,
        .ca = who->config.ca_file};
    memcpy(entry.agent, who->agent, sizeof entry.agent);
    return credentials_put(who->credentials, &entry, why) &&
           (!entry.folder || credentials_remove_others(who->credentials, &entry, why));
}

void agent_identity_free(struct agent_identity *who)
{
    config_free(&who->config);
    free(who->credentials);
}
