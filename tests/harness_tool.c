/* Tool calls over HTTP that are expected to go well, or not to. */
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "harness.h"
#include "harness_process.h"

enum { SOON_MS = 5000 };

char *tool_ok(const struct relay_process *relay, const char *token, const char *tool, const char *args)
{
    bool is_error = false;
    char *text = mcp_tool(relay, token, tool, args, &is_error);

    if (is_error)
        harness_fail("%s %s failed: %s", tool, args ? args : "", text);
    return text;
}

char *tool_send(const struct relay_process *relay, const char *token, const char *to, const char *content)
{
    char *args = xasprintf("{\"to\":\"%s\",\"content\":\"%s\"}", to, content);
    char *text = tool_ok(relay, token, "send_message", args), *id = id_of_sent(text);

    free(text);
    free(args);
    return id;
}

static void has(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        harness_fail("expected \"%s\" in:\n%s", wanted, text);
}

void tool_says(const struct relay_process *relay, const char *token, const char *tool, const char *args,
    const char *wanted)
{
    char *text = tool_ok(relay, token, tool, args);

    has(text, wanted);
    free(text);
}

struct expectation {
    const struct relay_process *relay;
    const char *token, *tool, *args, *wanted;
    char *text; /* the last one */
};

static bool is_met(void *arg)
{
    struct expectation *e = arg;

    free(e->text);
    e->text = tool_ok(e->relay, e->token, e->tool, e->args);
    return strstr(e->text, e->wanted);
}

void tool_soon_says(const struct relay_process *relay, const char *token, const char *tool, const char *args,
    const char *wanted)
{
    struct expectation e = {relay, token, tool, args, wanted, NULL};

    if (!poll_until(is_met, &e, harness_patience(SOON_MS)))
        has(e.text, wanted);
    free(e.text);
}

void tool_fails(const struct relay_process *relay, const char *token, const char *tool, const char *args,
    const char *wanted)
{
    bool is_error = false;
    char *text = mcp_tool(relay, token, tool, args, &is_error);

    if (!is_error)
        harness_fail("%s %s did not fail: %s", tool, args ? args : "", text);
    has(text, wanted);
    free(text);
}
