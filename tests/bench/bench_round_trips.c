/* bench_round_trips: how often each message tool asks the database before its answer, counted in the log of the
 * nginx that stands in front of PostgREST. Runs under tests/supabase.sh; prints that it was left out elsewhere.
 *
 * TRIPS_ROUNDS (10) of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/uuid.h"
#include "../harness_store.h"
#include "load.h"

enum { LINE_MAX_BYTES = 1024, LOGGED_MS = 5000 };

static const char *const acks[] = {"X-Patchcord-Ack: 1", NULL};
static const struct relay_process *relay;

/* Requests to the database that are in the log, once one of ours is, which is asked now. */
static size_t asked_so_far(void)
{
    static int number;
    char marker[32], line[LINE_MAX_BYTES];
    snprintf(marker, sizeof marker, "marker%d", ++number);
    char *url = xasprintf(
             "%s/%s/rest/v1/%s", getenv("PATCHCORD_TEST_SUPABASE"), getenv("PATCHCORD_TEST_DIRECT"), marker),
         *path = xasprintf("%s/access.log", getenv("PATCHCORD_TEST_SUPABASE_DIR"));
    struct http_reply reply;
    http_call("GET", url, (const char *const[]){"apikey: sb_secret_test", NULL}, NULL, &reply);
    http_reply_free(&reply);
    size_t count = 0;
    bool is_logged = false;
    for (const int64_t until_ms = clock_mono_ms() + LOGGED_MS; !is_logged;) {
        FILE *file = fopen(path, "re");
        bench_must(file && clock_mono_ms() < until_ms, path);
        for (count = 0; fgets(line, sizeof line, file);) {
            count += strstr(line, "/rpc/") &&
                     !strstr(line, "/rpc/patchcord_stats"); /* the harness asks for metrics */
            is_logged = is_logged || strstr(line, marker);
        }
        fclose(file);
    }
    free(path);
    free(url);
    return count;
}

/* A call, and what it asked; its text, which the caller frees. */
static char *ask(const char *token, const char *tool, const char *args, struct samples *trips)
{
    char *params = xasprintf("{\"name\":\"%s\",\"arguments\":%s}", tool, args);
    const size_t before = trips ? asked_so_far() : 0;
    struct json_object *answer = mcp_request_with(relay, token, "tools/call", params, acks, NULL);
    bool is_error;
    char *text = xstrdup(mcp_result_text(answer, &is_error));
    bench_must(!is_error, text);
    if (trips)
        samples_add(trips, (double)(asked_so_far() - before));
    json_object_put(answer);
    free(params);
    return text;
}

/* {"message_id": the first id in the text, and more}; frees the text. */
static char *naming(char *text, const char *more)
{
    char id[UUID_SIZE] = "";
    for (const char *at = text; !*id && (at = strchr(at, '[')) != NULL; at++) {
        if (strlen(at + 1) < UUID_SIZE - 1 || !uuid_parse(at + 1, UUID_SIZE - 1, id))
            *id = '\0';
    }
    bench_must(*id != '\0', text);
    free(text);
    return xasprintf("{\"message_id\":\"%s\"%s}", id, more);
}

enum tool { SEND, INBOX, REPLY, WAIT, RECALL, UNSEND, TOOLS };
static const char *const names[] = {
    "send_message", "inbox", "reply", "wait_for_message", "recall", "unsend_message"};

static void converse(struct samples trips[static TOOLS])
{
    static const char send[] = "{\"to\":\"a1\",\"content\":\"a question\"}";
    free(ask("a0", names[SEND], send, &trips[SEND]));
    char *args = naming(ask("a1", names[INBOX], "{}", &trips[INBOX]), ",\"content\":\"an answer\"");
    free(ask("a1", names[REPLY], args, &trips[REPLY]));
    free(args);
    free(ask("a0", names[WAIT], "{\"timeout_seconds\":5}", &trips[WAIT]));
    free(ask("a0", names[RECALL], "{\"query\":\"answer\"}", &trips[RECALL]));
    args = naming(ask("a0", names[SEND], send, NULL), "");
    free(ask("a0", names[UNSEND], args, &trips[UNSEND]));
    free(args);
}

int main(void)
{
    struct samples trips[TOOLS] = {{0}};
    bench_init("bench_round_trips");
    if (!harness_store_is("supabase")) {
        puts("Round trips to the database: left out (tests/supabase.sh build/tests/bench/bench_round_trips)");
        return EXIT_SUCCESS;
    }
    figures_begin("round_trips", "Round trips to the database before the answer of a tool", "call");
    relay = load_relay(2);
    free(ask("a0", names[RECALL], "{}", NULL)); /* who they are is asked once in a while */
    free(ask("a1", names[RECALL], "{}", NULL));
    for (size_t i = bench_setting("TRIPS_ROUNDS", 10); i > 0; i--)
        converse(trips);
    double most = 0;
    for (size_t i = 0; i < TOOLS; i++) {
        const double here = samples_at(&trips[i], 1);
        most = here > most ? here : most;
        figures_add(names[i], 1, "", &trips[i]);
    }
    figures_target("database round trips before the answer of a tool call, most of any", "", most, NULL, 0,
        "1", most <= 1);
    figures_end();
    harness_cleanup();
    return EXIT_SUCCESS;
}
