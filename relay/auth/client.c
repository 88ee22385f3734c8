/* client.c: what a request's headers tell about the program that calls (authenticator.h). */
#include <bsd/string.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "authenticator.h"

/* What a program shows of a tool's result before it cuts it (docs/protocol.md). */
enum { OFFER_BYTES_CODEX = 8 * 1000, OFFER_BYTES_CLAUDE_CODE = 48 * 1000, OFFER_BYTES_OTHER = 24 * 1000 };

static const size_t offer_bytes[] = {
    [CLIENT_UNKNOWN] = OFFER_BYTES_OTHER,
    [CLIENT_CLAUDE_CODE] = OFFER_BYTES_CLAUDE_CODE,
    [CLIENT_CODEX] = OFFER_BYTES_CODEX,
    [CLIENT_OTHER] = OFFER_BYTES_OTHER,
};

/* Words of a User-Agent, first match counts. */
static const struct {
    const char *word, *type_name;
} user_agents[] = {
    {"claude-code", "claude_code"},
    {"claude-cli", "claude_code"},
    {"codex", "codex"},
    {"claude-user", "claudeai"},
    {"anthropic", "claudeai"},
    {"chatgpt", "chatgpt"},
    {"openai-mcp", "chatgpt"},
    {"gemini", "gemini"},
    {"antigravity", "antigravity"},
    {"copilot", "copilot"},
    {"visual studio code", "vscode"},
    {"vscode", "vscode"},
    {"cursor", "cursor"},
    {"windsurf", "windsurf"},
    {"opencode", "opencode"},
    {"zed/", "zed"},
};

/* Only for headers that clients set and others see: [A-Za-z0-9._ -], no blanks around, cut at size - 1. */
static void clean_label(const char *value, char *out, size_t size)
{
    size_t len = 0;
    for (; value && *value && len + 1 < size; value++)
        if ((isascii((unsigned char)*value) && isalnum((unsigned char)*value)) || strchr("._ -", *value))
            if (len > 0 || *value != ' ')
                out[len++] = *value;
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
}

/* Visible ASCII and blanks, cut at size - 1. */
static void clean_visible(const char *value, char *out, size_t size)
{
    size_t len = 0;
    for (; value && *value && len + 1 < size; value++)
        if (*value >= ' ' && *value <= '~')
            out[len++] = *value;
    out[len] = '\0';
}

static void read_label(
    const struct exchange *ex, const char *name, const char *older_name, char *out, size_t size)
{
    const char *value = exchange_header(ex, name);
    if (!value && older_name)
        value = exchange_header(ex, older_name);
    clean_label(value, out, size);
}

static const char *type_of_user_agent(const char *user_agent)
{
    for (size_t i = 0; i < LENGTH_OF(user_agents); i++)
        if (strcasestr(user_agent, user_agents[i].word))
            return user_agents[i].type_name;
    return "";
}

static enum client_type type_of_name(const char *name)
{
    if (!*name)
        return CLIENT_UNKNOWN;
    if (strcasecmp(name, "claude_code") == 0 || strcasecmp(name, "claude-code") == 0)
        return CLIENT_CLAUDE_CODE;
    return strcasecmp(name, "codex") == 0 ? CLIENT_CODEX : CLIENT_OTHER;
}

void client_read(const struct exchange *ex, struct client *out, struct client_labels *labels)
{
    read_label(ex, "X-Patchcord-Machine", "X-Machine-Name", labels->machine, sizeof labels->machine);
    read_label(ex, "X-Patchcord-Platform", "X-Platform", labels->platform, sizeof labels->platform);
    read_label(ex, "X-Patchcord-Display-Name", NULL, labels->display_name, sizeof labels->display_name);
    read_label(ex, "X-Patchcord-Client-Type", "X-Client-Type", labels->type_name, sizeof labels->type_name);
    clean_visible(exchange_header(ex, "User-Agent"), labels->user_agent, sizeof labels->user_agent);
    clean_visible(exchange_header(ex, "Host"), labels->request_host, sizeof labels->request_host);
    if (!*labels->type_name)
        (void)strlcpy(labels->type_name, type_of_user_agent(labels->user_agent), sizeof labels->type_name);
    out->type = type_of_name(labels->type_name);
    out->max_offer_bytes = offer_bytes[out->type];
    const char *acks = exchange_header(ex, "X-Patchcord-Ack");
    out->acks = acks && strcmp(acks, "1") == 0;
}
