#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/secret.h"
#include "../outbox.h"
#include "../relay_client.h"
#include "commands.h"
#include "request.h"
#include "terminal.h"
#include "wording.h"

/* How long another process may be at it before that is said. */
enum { ELSEWHERE_MS = 30 * 1000, PREVIEW_MAX_BYTES = 72 };

struct outbox_run {
    const struct config *config;
    struct outbox *outbox; /* list, drop */
    bool json;
    const char *id; /* drop */
};

/* ---- list ---- */

struct listing {
    struct buf text;
    struct json_object *array; /* --json */
    const char *status;
    size_t count;
};

static struct json_object *describe(const struct outbox_entry *entry, const char *status)
{
    struct json_object *row = json_new_object(), *to = NULL;
    char at[RFC3339_LEN];
    clock_rfc3339(entry->created_ms, at);
    json_add_text(row, "message_id", entry->id);
    json_add_text(row, "status", status);
    json_get_array(entry->args, "to", &to);
    json_add(row, "to", json_object_get(to));
    json_add_text(
        row, "reply_to", entry->kind == OUTBOX_REPLY ? json_text_or(entry->args, "message_id", NULL) : NULL);
    json_add_text(row, "thread", json_text_or(entry->args, "thread", NULL));
    json_add_text(row, "content", json_text_or(entry->args, "content", ""));
    json_add_text(row, "queued_at", at);
    json_add_int(row, "attempts", entry->attempts);
    json_add_text(row, "problem", entry->problem);
    return row;
}

static void preview(struct buf *out, const char *content)
{
    size_t len = strcspn(content, "\r\n");
    bool cut = content[len] != '\0';
    if (len > PREVIEW_MAX_BYTES) {
        cut = true;
        len = PREVIEW_MAX_BYTES;
        while (len > 0 && ((unsigned char)content[len] & 0xC0) == 0x80)
            len--;
    }
    terminal_text(out, content, len);
    buf_puts(out, cut ? " ...\n" : "\n");
}

/* As a tool said it, in a person's words: all of it, or its first line. */
static void append_problem(struct buf *out, const char *problem, bool whole)
{
    struct buf words = {0};
    wording_problem(&words, problem);
    terminal_text(out, buf_text(&words), whole ? words.len : strcspn(buf_text(&words), "\r\n"));
    buf_free(&words);
}

static bool list_entry(void *arg, const struct outbox_entry *entry)
{
    struct listing *listing = arg;
    listing->count++;
    if (listing->array) {
        json_append(listing->array, describe(entry, listing->status));
        return true;
    }
    struct buf *out = &listing->text;
    char age[AGE_TEXT_LEN];
    clock_age_text(clock_wall_ms() - entry->created_ms, age);
    buf_printf(out, "%s for ", listing->status);
    outbox_entry_to(entry, out);
    buf_printf(out, " (%s) [%s]\n  ", age, entry->id);
    preview(out, json_text_or(entry->args, "content", ""));
    if (entry->problem) {
        buf_puts(out, "  ");
        append_problem(out, entry->problem, true);
        if (out->data[out->len - 1] != '\n')
            buf_putc(out, '\n');
    }
    return true;
}

static int run_list(struct outbox_run *run)
{
    struct listing listing = {.array = run->json ? json_new_array() : NULL, .status = "queued"};
    outbox_each(run->outbox, OUTBOX_QUEUE, list_entry, &listing);
    listing.status = "refused";
    outbox_each(run->outbox, OUTBOX_FAILED, list_entry, &listing);
    size_t aside = outbox_aside(run->outbox);
    if (run->json) {
        struct json_object *whole = json_new_object();
        json_add(whole, "entries", listing.array);
        json_add_int(whole, "set_aside", (int64_t)aside);
        terminal_json(&listing.text, whole);
        json_object_put(whole);
    } else {
        if (listing.count == 0)
            buf_puts(&listing.text, "The outbox is empty.\n");
        if (aside > 0)
            buf_printf(&listing.text, "%zu file%s that hold%s no message of ours %s set aside.\n", aside,
                aside == 1 ? "" : "s", aside == 1 ? "s" : "", aside == 1 ? "is" : "are");
    }
    bool printed = terminal_print(&listing.text);
    buf_free(&listing.text);
    return printed ? COMMAND_DONE : COMMAND_ERROR;
}

/* ---- flush ---- */

struct flushing {
    size_t delivered, refused;
    bool json;
};

static bool say_fate(
    void *arg, const struct outbox_entry *entry, struct relay_reply *reply, const char *problem)
{
    struct flushing *flushing = arg;
    struct buf line = {0};
    (void)reply;
    problem ? flushing->refused++ : flushing->delivered++;
    buf_puts(&line, problem ? "Refused: the one for " : "Sent to ");
    outbox_entry_to(entry, &line);
    buf_printf(&line, " [%s]", entry->id);
    if (problem) {
        buf_puts(&line, ": ");
        append_problem(&line, problem, false);
    }
    buf_putc(&line, '\n');
    if (!flushing->json)
        fputs(buf_text(&line), problem ? stderr : stdout);
    buf_free(&line);
    return true;
}

static int flush_exit(enum outbox_flush_state state, const struct flushing *flushing)
{
    if (state == OUTBOX_FLUSH_REFUSED)
        return COMMAND_TOKEN_REFUSED;
    return state == OUTBOX_FLUSH_IDLE && flushing->refused == 0 ? COMMAND_DONE : COMMAND_ERROR;
}

static int run_flush(struct outbox_run *run)
{
    struct flushing flushing = {.json = run->json};
    struct buf why = {0}, out = {0};
    struct relay_client *client = relay_client_new(run->config, request_stop_on_signals());
    enum outbox_flush_state state = relay_client_flush(client, say_fate, &flushing, ELSEWHERE_MS, &why);
    size_t waiting = outbox_waiting(relay_client_outbox(client));
    relay_client_free(client);
    if (state == OUTBOX_FLUSH_ELSEWHERE)
        buf_puts(&why, "another patchcord is delivering these messages.");
    if (why.len > 0) {
        struct buf line = {0};
        terminal_text(&line, buf_text(&why), why.len);
        fprintf(stderr, "patchcord outbox: %s\n", buf_text(&line));
        buf_free(&line);
    }
    if (run->json) {
        struct json_object *whole = json_new_object();
        json_add_int(whole, "sent", (int64_t)flushing.delivered);
        json_add_int(whole, "refused", (int64_t)flushing.refused);
        json_add_int(whole, "waiting", (int64_t)waiting);
        terminal_json(&out, whole);
        json_object_put(whole);
    } else {
        buf_printf(
            &out, "%zu sent, %zu refused, %zu waiting\n", flushing.delivered, flushing.refused, waiting);
    }
    bool printed = terminal_print(&out);
    buf_free(&out);
    buf_free(&why);
    return printed ? flush_exit(state, &flushing) : COMMAND_ERROR;
}

/* ---- drop ---- */

static int run_drop(struct outbox_run *run)
{
    char id[UUID_SIZE];
    if (!uuid_parse(run->id, strlen(run->id), id))
        return command_usage_error(&command_outbox, "ID is a message's id, and \"%s\" is none", run->id);
    enum outbox_found found = outbox_drop(run->outbox, id, false);
    bool late = found == OUTBOX_TRIED;
    if (late)
        found = outbox_drop(run->outbox, id, true);
    if (found != OUTBOX_DROPPED) {
        fprintf(stderr, "patchcord outbox: the outbox has no message [%s]\n", id);
        return COMMAND_ERROR;
    }
    printf("Dropped [%s]%s\n", id,
        late ? ": it may have reached the relay already; `patchcord unsend` takes it back there" : "");
    return COMMAND_DONE;
}

/* ---- the command ---- */

static const struct verb {
    const char *name;
    bool takes_id;
    int (*run)(struct outbox_run *run);
} verbs[] = {
    {"list", false, run_list},
    {"flush", false, run_flush},
    {"drop", true, run_drop},
};

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static int run_verb(const struct config_options *options, const struct verb *verb, struct outbox_run *run)
{
    struct config config;
    struct buf why = {0};
    int exit_code = COMMAND_ERROR;
    secret_init();
    if (config_load(options, &config, &why)) {
        run->config = &config;
        run->outbox = verb->run == run_flush ? NULL : outbox_of(&config);
        exit_code = verb->run(run);
        outbox_free(run->outbox);
        config_free(&config);
    } else {
        fprintf(stderr, "patchcord outbox: %s\n", buf_text(&why));
    }
    buf_free(&why);
    return exit_code;
}

static int run(const struct config_options *options, int argc, char **argv)
{
    static const struct option long_options[] = {{.name = "json", .val = 'j'}, {0}};
    struct outbox_run run = {0};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option != 'j')
            return command_usage_error(&command_outbox, "unknown option %s", argv[optind - 1]);
        run.json = true;
    }
    const char *name = optind < argc ? argv[optind++] : "list";
    const struct verb *verb = verb_find(name);
    if (!verb)
        return command_usage_error(&command_outbox, "it can list, flush and drop, not \"%s\"", name);
    if (verb->takes_id && optind == argc)
        return command_usage_error(&command_outbox, "drop needs the ID of a message");
    if (verb->takes_id)
        run.id = argv[optind++];
    if (optind < argc)
        return command_usage_error(&command_outbox, "\"%s\" is one argument too many", argv[optind]);
    return run_verb(options, verb, &run);
}

const struct command command_outbox = {
    .name = "outbox",
    .usage = "patchcord outbox [list|flush|drop ID] [--json]",
    .summary = "messages that wait for a relay that could not be reached",
    .help =
        "What could not be sent because the relay was not there waits on the disk, below\n"
        "${XDG_STATE_HOME:-~/.local/state}/patchcord/outbox, and is sent in order by the next patchcord of\n"
        "this identity that reaches the relay. After 6 days a message is given up, and its sender is told.\n"
        "\n"
        "  list     shows what waits, and what the relay refused (this is also done without a word)\n"
        "  flush    sends what waits, now\n"
        "  drop ID  drops a message that waits or was refused\n"
        "\n"
        "OPTIONS\n"
        "  --json  one JSON object; list: entries (message_id, status, to, reply_to, thread, content,\n"
        "          queued_at, attempts, problem) and set_aside; flush: sent, refused and waiting\n"
        "\n"
        "EXIT STATUS\n"
        "  0  done; flush: everything was sent\n"
        "  1  an error, said on standard error; flush: something still waits, or was refused\n"
        "  2  wrong usage\n"
        "  4  the relay refused the token\n",
    .run = run,
};
