#include "client_type.h"

#include <bsd/string.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "../common/compiler.h"

/* The first beginning that matches decides. */
static const struct known_client {
    const char *begins, *type;
} known_clients[] = {
    {"claude_code", "claude_code"},
    {"codex", "codex"},
    {"gemini_cli", "gemini"},
    {"cursor", "cursor"},
    {"visual_studio_code", "vscode"},
    {"windsurf", "windsurf"},
    {"zed", "zed"},
    {"opencode", "opencode"},
    {"antigravity", "antigravity"},
};

static void plain(const char *name, char out[static CLIENT_TYPE_SIZE])
{
    size_t len = 0;
    for (; *name && len + 1 < CLIENT_TYPE_SIZE; name++) {
        bool word = isalnum((unsigned char)*name);
        if (word)
            out[len++] = (char)tolower((unsigned char)*name);
        else if (len > 0 && out[len - 1] != '_')
            out[len++] = '_';
    }
    while (len > 0 && out[len - 1] == '_')
        len--;
    out[len] = '\0';
}

void client_type_of(const char *name, char out[static CLIENT_TYPE_SIZE])
{
    plain(name ? name : "", out);
    for (size_t i = 0; i < LENGTH_OF(known_clients); i++) {
        const struct known_client *known = &known_clients[i];
        if (strncmp(out, known->begins, strlen(known->begins)) == 0) {
            strlcpy(out, known->type, CLIENT_TYPE_SIZE);
            return;
        }
    }
}
