#include "checkup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "clients.h"
#include "credentials.h"
#include "older_entry.h"
#include "outbox.h"
#include "relay_ask.h"

#define SET_UP  "patchcord agent --server URL --token -"
#define PRIVATE (S_IRUSR | S_IWUSR)

struct checkup {
    const char *check; /* that is being made */
    const struct config_options *options;
    bool fix, has_config;
    char *path, *folder; /* of the credentials file; the project's */
    struct config config;
    struct credentials stored; /* where they can be read */
    struct relay_answer answer;
    int64_t took_ms;
    struct findings *findings;
};

/* ---- findings ---- */

static struct finding *report(struct checkup *c, enum checkup_severity severity, const char *remedy,
    const char *format, ...) PRINTF_LIKE(4, 5);

/* remedy NULL: none. The row is valid until the next report. */
static struct finding *report(
    struct checkup *c, enum checkup_severity severity, const char *remedy, const char *format, ...)
{
    struct findings *all = c->findings;
    char *what;
    va_list args;
    va_start(args, format);
    if (vasprintf(&what, format, args) < 0)
        alloc_failed();
    va_end(args);
    all->rows = xreallocarray(all->rows, all->count + 1, sizeof *all->rows);
    struct finding *row = &all->rows[all->count++];
    *row = (struct finding){
        .check = c->check, .severity = severity, .what = what, .remedy = xstrdup_or_null(remedy)};
    return row;
}

const char *checkup_severity_name(enum checkup_severity severity)
{
    static const char *const names[] = {
        [CHECKUP_FINE] = "ok", [CHECKUP_WARNING] = "warning", [CHECKUP_ERROR] = "error"};
    return names[severity];
}

bool findings_are_bad(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (findings->rows[i].severity != CHECKUP_FINE && !findings->rows[i].fixed)
            return true;
    }
    return false;
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->rows[i].what);
        free(findings->rows[i].remedy);
    }
    free(findings->rows);
    *findings = (struct findings){0};
}

/* ---- the credentials file ---- */

/* Without a link followed, so that it is this very file. */
static bool make_private(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct stat seen;
    bool ok = fstat(fd, &seen) == 0 && S_ISREG(seen.st_mode) && seen.st_uid == geteuid() &&
              fchmod(fd, PRIVATE) == 0;
    close(fd);
    return ok;
}

static void check_mode(struct checkup *c, const struct stat *seen)
{
    if ((seen->st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return;
    struct buf remedy = {0};
    buf_printf(&remedy, "chmod 600 %s, or patchcord doctor --fix; others may have read the tokens", c->path);
    struct finding *row = report(c, CHECKUP_ERROR, buf_text(&remedy), "%s is open to others (mode %03o)",
        c->path, (unsigned)(seen->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO)));
    row->fixed = c->fix && make_private(c->path);
    buf_free(&remedy);
}

static void check_credentials(struct checkup *c)
{
    struct stat seen;
    struct buf why = {0};
    if (!c->path) {
        report(c, CHECKUP_ERROR, "set HOME", "neither HOME nor XDG_CONFIG_HOME is set");
        return;
    }
    if (lstat(c->path, &seen) < 0) {
        if (errno == ENOENT)
            report(c, CHECKUP_FINE, NULL, "no identity is stored (%s is not there)", c->path);
        else
            report(c, CHECKUP_ERROR, "make it readable for you", "%s: %s", c->path, strerror(errno));
        return;
    }
    size_t before = c->findings->count;
    if (S_ISREG(seen.st_mode) && seen.st_uid == geteuid())
        check_mode(c, &seen);
    if (c->findings->count > before && !c->findings->rows[before].fixed)
        return;
    if (credentials_load(c->path, &c->stored, &why))
        report(c, CHECKUP_FINE, NULL, "%s is yours alone; identities: %zu", c->path, c->stored.count);
    else
        report(c, CHECKUP_ERROR, "mend the file, or set up again: " SET_UP, "%s", buf_text(&why));
    buf_free(&why);
}

/* ---- who we are ---- */

static const struct credential *stored_entry(const struct checkup *c)
{
    for (size_t i = 0; i < c->stored.count; i++) {
        const struct credential *entry = &c->stored.entries[i];
        if (c->config.agent && strcmp(entry->agent, c->config.agent) == 0 &&
            strcmp(entry->token, c->config.token) == 0)
            return entry;
    }
    return NULL;
}

/* What stands in the environment hides what is stored for the folder. */
static void check_hidden(struct checkup *c)
{
    for (size_t i = 0; i < c->stored.count; i++) {
        const struct credential *entry = &c->stored.entries[i];
        if (entry->folder && strcmp(entry->folder, c->config.folder) == 0)
            report(c, CHECKUP_WARNING, "unset PATCHCORD_TOKEN",
                "PATCHCORD_TOKEN hides %s, which is stored for this folder", entry->agent);
    }
}

static const char *source_of(const char *variable, const char *otherwise)
{
    return getenv(variable) ? variable : otherwise;
}

static void check_identity(struct checkup *c)
{
    struct buf why = {0};
    c->has_config = config_load(c->options, &c->config, &why);
    if (!c->has_config)
        report(c, CHECKUP_ERROR, SET_UP, "%s", buf_text(&why));
    buf_free(&why);
    if (!c->has_config)
        return;
    const struct credential *entry = stored_entry(c);
    if (!entry) {
        report(c, CHECKUP_FINE, NULL, "the token is that of PATCHCORD_TOKEN, for %s (PATCHCORD_URL)",
            c->config.url);
        check_hidden(c);
    } else {
        report(c, CHECKUP_FINE, NULL, "%s, chosen by %s: stored for folder %s, client %s", entry->agent,
            c->options->as ? "--as" : "the folder", entry->folder ? entry->folder : "(none)",
            entry->client ? entry->client : "(any)");
        report(c, CHECKUP_FINE, NULL, "relay %s, from %s", c->config.url,
            source_of("PATCHCORD_URL", "the stored entry"));
    }
    if (c->config.ca_file)
        report(c, CHECKUP_FINE, NULL, "trusted beside the system's authorities: %s, from %s",
            c->config.ca_file, source_of("PATCHCORD_CA_FILE", "the stored entry"));
}

/* ---- the relay ---- */

static void ask_relay(struct checkup *c)
{
    struct relay_asker *asker = relay_asker_new(&c->config, NULL);
    int64_t begun = clock_mono_ms();
    relay_ask_get(asker, "/api/inbox?count_only=1", &c->answer);
    c->took_ms = clock_mono_ms() - begun;
    relay_asker_free(asker);
}

static bool relay_answered(const struct checkup *c)
{
    return c->has_config && c->answer.fault == TRANSFER_ANSWERED;
}

static void check_clock(struct checkup *c)
{
    if (c->answer.date_s < 0)
        return;
    int64_t ahead = c->answer.date_s - clock_wall_ms() / MS_PER_SECOND;
    int64_t apart = ahead < 0 ? -ahead : ahead;
    if (apart > CHECKUP_CLOCK_MAX_S)
        report(c, CHECKUP_WARNING, "set the clock of the machine that is wrong (NTP)",
            "the relay's clock is %lld s %s of this machine's", (long long)apart,
            ahead > 0 ? "ahead" : "behind");
    else
        report(c, CHECKUP_FINE, NULL, "the clocks agree to %lld s", (long long)apart);
}

static void check_relay(struct checkup *c)
{
    struct buf why = {0};
    if (!c->has_config)
        return;
    ask_relay(c);
    bool secure = strncmp(c->config.url, "https:", strlen("https:")) == 0;
    if (relay_answered(c)) {
        report(c, CHECKUP_FINE, NULL, "%s answered in %lld ms, %s", c->config.url, (long long)c->took_ms,
            secure ? "over TLS" : "without TLS");
        check_clock(c);
        return;
    }
    relay_answer_problem(&c->answer, c->config.url, &why);
    report(c, CHECKUP_ERROR,
        "see that the relay runs and that URL, network and certificate are right; messages wait in the "
        "outbox",
        "%s", buf_text(&why));
    buf_free(&why);
}

enum { HTTP_OK = 200, HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403 };

static void check_token(struct checkup *c)
{
    if (!relay_answered(c))
        return;
    struct buf text = {0};
    if (c->answer.status == HTTP_OK && c->answer.json) {
        buf_printf(&text, "%s@%s", json_text_or(c->answer.json, "agent_id", ""),
            json_text_or(c->answer.json, "namespace_id", ""));
        bool same = !c->config.agent || strcmp(c->config.agent, buf_text(&text)) == 0;
        if (same)
            report(c, CHECKUP_FINE, NULL, "the relay knows it as %s", buf_text(&text));
        else
            report(c, CHECKUP_ERROR, SET_UP, "stored as %s, but the relay knows the token as %s",
                c->config.agent, buf_text(&text));
    } else if (c->answer.status == HTTP_UNAUTHORIZED || c->answer.status == HTTP_FORBIDDEN) {
        report(c, CHECKUP_ERROR, "get a new one from the relay's operator: " SET_UP,
            "the relay does not accept the token");
    } else {
        relay_answer_problem(&c->answer, c->config.url, &text);
        report(c, CHECKUP_ERROR, "see what answers at that URL", "%s", buf_text(&text));
    }
    buf_free(&text);
}

static void check_versions(struct checkup *c)
{
    if (!relay_answered(c))
        return;
    const char *theirs = c->answer.version;
    if (!theirs)
        report(c, CHECKUP_WARNING, "see what answers at that URL",
            "this program is %s; what answers names no version", PATCHCORD_VERSION);
    else if (strcmp(theirs, PATCHCORD_VERSION) != 0)
        report(c, CHECKUP_WARNING, "update the older one", "this program is %s, the relay %s",
            PATCHCORD_VERSION, theirs);
    else
        report(c, CHECKUP_FINE, NULL, "this program and the relay are %s", theirs);
}

/* ---- the outbox ---- */

static bool count_one(void *arg, const struct outbox_entry *entry)
{
    (void)entry;
    ++*(size_t *)arg;
    return true;
}

static void check_outbox(struct checkup *c)
{
    if (!c->has_config)
        return;
    struct outbox *outbox = outbox_of(&c->config);
    size_t waiting = outbox_waiting(outbox), aside = outbox_aside(outbox), failed = 0;
    outbox_each(outbox, OUTBOX_FAILED, count_one, &failed);
    bool busy = waiting > 0 && !outbox_lock(outbox);
    outbox_free(outbox);
    if (waiting > 0)
        report(c, CHECKUP_WARNING, "patchcord outbox flush", "messages that wait for the relay: %zu%s",
            waiting, busy ? "; another process is delivering them" : "");
    if (failed > 0)
        report(c, CHECKUP_WARNING, "patchcord outbox list, and drop ID for each",
            "messages that the relay refused: %zu", failed);
    if (aside > 0)
        report(
            c, CHECKUP_WARNING, "patchcord outbox list", "files that are no message, set aside: %zu", aside);
    if (waiting + failed + aside == 0)
        report(c, CHECKUP_FINE, NULL, "nothing waits, nothing was refused");
}

/* ---- the clients' configurations ---- */

/* A stored token, or this identity's, word for word. */
static bool has_token(const struct checkup *c, const struct buf *text)
{
    if (c->has_config && strstr(buf_text(text), c->config.token))
        return true;
    for (size_t i = 0; i < c->stored.count; i++) {
        if (strstr(buf_text(text), c->stored.entries[i].token))
            return true;
    }
    return false;
}

static void check_entry(
    struct checkup *c, const struct client *client, const struct edited_file *file, struct json_object *entry)
{
    struct older_entry older;
    struct buf remedy = {0};
    bool token = older_entry_read(entry, &older);
    if (token)
        older_entry_free(&older);
    buf_printf(&remedy, "patchcord agent --client %s", client->name);
    if (token || has_token(c, &file->text)) {
        buf_printf(&remedy, "; and have the token rotated%s", git_keeps(file->path) ? ": git has it" : "");
        report(c, CHECKUP_ERROR, buf_text(&remedy), "a token is written into %s", file->path);
    } else if (entry && older_entry_is_other(entry)) {
        report(c, CHECKUP_WARNING, buf_text(&remedy), "%s reaches Patchcord in another way than this program",
            file->path);
    } else if (entry) {
        report(c, CHECKUP_FINE, NULL, "%s: %s", client->title, file->path);
    }
    buf_free(&remedy);
}

/* Whether the file has an entry of ours. */
static bool check_file(struct checkup *c, const struct client *client, const char *path)
{
    struct edited_file file;
    struct buf why = {0};
    if (!path || access(path, F_OK) < 0)
        return false;
    if (!edited_file_open(path, NULL, &file, &why)) {
        report(c, CHECKUP_WARNING, "make it a file of yours", "%s", buf_text(&why));
        buf_free(&why);
        return false;
    }
    struct json_object *entry = client_entry_read(client, &file.text, &why);
    bool found = entry != NULL;
    if (why.len > 0)
        report(c, CHECKUP_ERROR, "mend the file", "%s %s", path, buf_text(&why));
    check_entry(c, client, &file, entry);
    json_object_put(entry);
    edited_file_free(&file);
    buf_free(&why);
    return found;
}

static void check_client(struct checkup *c, const struct client *client)
{
    char *project = client_project_path(client, c->folder), *global = client_global_path(client);
    bool one = project && global && strcmp(project, global) == 0;
    bool in_project = !one && check_file(c, client, project), in_global = check_file(c, client, global);
    if (in_project && in_global) {
        struct buf remedy = {0};
        buf_printf(&remedy, "take the one out of %s that you do not mean, best the second", client->title);
        report(c, CHECKUP_WARNING, buf_text(&remedy), "%s and %s both have Patchcord: one hides the other",
            project, global);
        buf_free(&remedy);
    }
    free(project);
    free(global);
}

static void check_clients(struct checkup *c)
{
    if (!c->folder)
        return;
    size_t before = c->findings->count;
    for (const struct client *client = clients; client->name; client++)
        check_client(c, client);
    if (c->findings->count == before)
        report(c, CHECKUP_FINE, NULL, "no agent's program has an entry in this folder or for all");
}

/* ---- the program itself ---- */

/* The first one of that name in PATH; NULL: there is none. Caller frees. */
static char *first_in_path(const char *program)
{
    const char *dirs = getenv("PATH");
    while (dirs && *dirs) {
        size_t len = strcspn(dirs, ":");
        char *path = xasprintf("%.*s/%s", (int)len, dirs, program);
        if (len > 0 && access(path, X_OK) == 0)
            return path;
        free(path);
        dirs += len + (dirs[len] == ':');
    }
    return NULL;
}

static void check_path(struct checkup *c)
{
    char *found = first_in_path("patchcord"), *own = realpath("/proc/self/exe", NULL);
    char *real = found ? realpath(found, NULL) : NULL;
    if (!found)
        report(c, CHECKUP_WARNING, "add its folder to PATH, or patchcord install",
            "patchcord is not in PATH, where a project's configuration looks for it");
    else if (own && real && strcmp(own, real) != 0)
        report(c, CHECKUP_WARNING, "remove one, or change the order of PATH",
            "PATH has %s first, and this is %s", found, own);
    else
        report(c, CHECKUP_FINE, NULL, "PATH has %s", found);
    free(real);
    free(own);
    free(found);
}

/* ---- all of them ---- */

/* In this order: later ones use what earlier ones found. */
static const struct {
    const char *name;
    void (*run)(struct checkup *c);
} checks[] = {
    {"credentials", check_credentials},
    {"identity", check_identity},
    {"relay", check_relay},
    {"token", check_token},
    {"versions", check_versions},
    {"outbox", check_outbox},
    {"clients", check_clients},
    {"path", check_path},
};

void checkup_run(const struct config_options *options, bool fix, struct findings *out)
{
    struct checkup c = {.options = options,
        .fix = fix,
        .path = credentials_path(),
        .folder = realpath(".", NULL),
        .findings = out};
    *out = (struct findings){0};
    for (size_t i = 0; i < LENGTH_OF(checks); i++) {
        c.check = checks[i].name;
        checks[i].run(&c);
    }
    relay_answer_free(&c.answer);
    credentials_free(&c.stored);
    config_free(&c.config);
    free(c.folder);
    free(c.path);
}
