#include "harness.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/ident.h"
#include "../common/json.h"
#include "../common/mcp.h"
#include "harness_process.h"

enum { PARK_MS = 20 * 1000, HTTP_TIMEOUT_S = 120, LOG_MAX = 8 << 20 };

/* ---- relays ---- */

struct relay_entry {
    struct relay_process relay; /* first: what tests hold is a pointer to it */
    char **env;
    LIST_ENTRY(relay_entry) entries;
};
static LIST_HEAD(, relay_entry) relays = LIST_HEAD_INITIALIZER(relays);

static struct relay_entry *entry_of(struct relay_process *relay)
{
    return (struct relay_entry *)relay;
}

static void log_read(const struct relay_process *relay, struct buf *out)
{
    FILE *file = fopen(relay->log_path, "re");
    if (!file)
        harness_fail("%s: %s", relay->log_path, strerror(errno));
    buf_commit(out, fread(buf_reserve(out, LOG_MAX), 1, LOG_MAX, file));
    fclose(file);
}

bool relay_log_has(struct relay_process *relay, const char *text)
{
    struct buf log = {0};
    log_read(relay, &log);
    bool found = memmem(log.data, log.len, text, strlen(text)) != NULL;
    buf_free(&log);
    return found;
}

/* Takes the address out of the log's last `listening` line, in either of its formats. */
static bool read_address(struct relay_process *relay)
{
    struct buf log = {0};
    log_read(relay, &log);
    char scheme[6] = "";
    int port = 0;
    for (const char *at = log.data; (at = strstr(at, "listening")); at++) {
        const char *url = strstr(at, "url"), *end = strchr(at, '\n');
        const char *host = url ? strstr(url, "http") : NULL;
        if (!end || !host || host > end || sscanf(host, "%5[a-z]://%*[^:]:%d", scheme, &port) != 2)
            port = 0;
    }
    buf_free(&log);
    if (port == 0)
        return false;
    free(relay->url);
    relay->url = xasprintf("%s://127.0.0.1:%d", scheme, port);
    relay->port = port;
    return true;
}

struct start_state {
    struct relay_process *relay;
    int exit_code;
    bool ended, has_address;
};

static bool is_up(void *arg)
{
    struct start_state *state = arg;
    state->ended = process_wait(state->relay->pid, 0, &state->exit_code);
    if (state->ended)
        return true;
    state->has_address = state->has_address || read_address(state->relay);
    if (!state->has_address)
        return false;
    char *url = xasprintf("%s/health", state->relay->url);
    struct http_reply reply;
    http_call("GET", url, NULL, NULL, &reply);
    bool up = reply.status == 200;
    http_reply_free(&reply);
    free(url);
    return up;
}

static void await_start(struct relay_process *relay)
{
    struct start_state state = {.relay = relay};
    bool done = poll_until(is_up, &state, harness_patience(PROCESS_START_MS));
    if (done && !state.ended)
        return;
    if (state.ended)
        relay->pid = 0;
    struct buf log = {0};
    log_read(relay, &log);
    harness_fail("the relay %s (exit code %d); its log:\n%s",
        state.ended ? "ended while it started" : "did not come up", state.exit_code, buf_text(&log));
}

static void relay_launch(struct relay_process *relay)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    char *port = xasprintf("PATCHCORD_PORT=%d", relay->port);
    const char *defaults[] = {
        data, port, "PATCHCORD_RATE_LIMIT_PER_MINUTE=0", "PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=0", NULL};
    char *old_log = relay->log_path;
    int log = process_log_open(&relay->log_path);
    struct process_options options = {.argv = (const char *const[]){"patchcord-relay", "serve", NULL},
        .env = {defaults, (const char *const *)entry_of(relay)->env},
        .in = -1,
        .out = -1,
        .err = log};
    relay->pid = process_start(&options);
    close(log);
    free(old_log);
    free(data);
    free(port);
    await_start(relay);
}

struct relay_process *relay_start(const char *data_dir, const char *const env[])
{
    struct relay_entry *entry = xcalloc(1, sizeof *entry);
    LIST_INSERT_HEAD(&relays, entry, entries);
    entry->relay.data_dir = xstrdup(data_dir ? data_dir : temp_folder());
    entry->env = process_env_copy(env);
    relay_launch(&entry->relay);
    return &entry->relay;
}

void relay_restart(struct relay_process *relay, const char *const env[])
{
    if (env) {
        process_env_free(entry_of(relay)->env);
        entry_of(relay)->env = process_env_copy(env);
    }
    relay_launch(relay);
}

int relay_stop(struct relay_process *relay)
{
    int exit_code = -1;
    kill(relay->pid, SIGTERM);
    if (!process_wait(relay->pid, harness_patience(PROCESS_END_MS), &exit_code)) {
        relay_kill(relay);
        harness_fail("the relay did not end within %d ms of SIGTERM", harness_patience(PROCESS_END_MS));
    }
    relay->pid = 0;
    process_log_check(relay->log_path);
    return exit_code;
}

void relay_kill(struct relay_process *relay)
{
    kill(relay->pid, SIGKILL);
    waitpid(relay->pid, NULL, 0);
    relay->pid = 0;
}

void relays_cleanup(void)
{
    while (!LIST_EMPTY(&relays)) {
        struct relay_entry *entry = LIST_FIRST(&relays);
        int exit_code = entry->relay.pid > 0 ? relay_stop(&entry->relay) : 0;
        if (exit_code != 0)
            harness_fail("the relay ended with %d after SIGTERM", exit_code);
        LIST_REMOVE(entry, entries);
        process_env_free(entry->env);
        free(entry->relay.url);
        free(entry->relay.data_dir);
        free(entry->relay.log_path);
        free(entry);
    }
}

char *relay_token(struct relay_process *relay, const char *address)
{
    struct ident who;
    if (!ident_parse(address, &who))
        harness_fail("%s is no address", address);
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    const char *with[] = {
        "patchcord-relay", "token", "add", "--namespace", who.namespace_id, who.agent, NULL};
    const char *without[] = {"patchcord-relay", "token", "add", who.agent, NULL};
    struct program_result result;
    run_program(who.namespace_id[0] ? with : without, (const char *const[]){data, NULL}, NULL,
        PROCESS_START_MS, &result);
    if (result.exit_code != 0)
        harness_fail("token add %s: exit code %d: %s", address, result.exit_code, buf_text(&result.err));
    char *token = buf_take(&result.out);
    token[strcspn(token, "\n")] = '\0';
    program_result_free(&result);
    free(data);
    return token;
}

int relay_command(const struct relay_process *relay, const char *line, const char *const env[],
    struct program_result *result)
{
    enum { WORDS_MAX = 16, ENV_MAX = 8 };
    const char *argv[WORDS_MAX + 1] = {"patchcord-relay"}, *settings[ENV_MAX + 2] = {NULL};
    char *words = xstrdup(line), *rest = words, *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    size_t n = 1, m = 0;
    for (const char *word; n < WORDS_MAX && (word = strsep(&rest, " "));)
        argv[n++] = word;
    for (; env && env[m] && m < ENV_MAX; m++)
        settings[m] = env[m];
    settings[m] = data;
    program_result_free(result);
    run_program(argv, settings, NULL, PROCESS_START_MS, result);
    free(words);
    free(data);
    return result->exit_code;
}

int64_t relay_metric(const struct relay_process *relay, const char *name)
{
    struct http_reply reply;
    char *url = xasprintf("%s/metrics", relay->url), *line = xasprintf("\n%s ", name);
    http_call("GET", url, NULL, NULL, &reply);
    const char *at = strstr(buf_text(&reply.body), line);
    int64_t value = at ? strtoll(at + strlen(line), NULL, 10) : -1;
    http_reply_free(&reply);
    free(url);
    free(line);
    return value;
}

struct parked_state {
    const struct relay_process *relay;
    int64_t count;
};

static bool are_parked(void *arg)
{
    const struct parked_state *state = arg;
    return relay_metric(state->relay, "patchcord_parked_waits") == state->count;
}

bool relay_await_parked(const struct relay_process *relay, int64_t count)
{
    struct parked_state state = {.relay = relay, .count = count};
    return poll_until(are_parked, &state, harness_patience(PARK_MS));
}

/* ---- HTTP ---- */

static size_t collect(char *bytes, size_t size, size_t count, void *arg)
{
    buf_append(arg, bytes, size * count);
    return size * count;
}

/* The last data: line of an event stream, or the whole body. */
static void reply_parse(struct http_reply *reply)
{
    const char *text = buf_text(&reply->body), *from = text;
    size_t len = reply->body.len;
    if (strcasestr(buf_text(&reply->headers), "\ncontent-type: text/event-stream")) {
        len = 0;
        for (const char *at = text; (at = strstr(at, "data: ")); at += len) {
            from = at + strlen("data: ");
            len = strcspn(from, "\r\n");
        }
    }
    enum json_fault fault;
    reply->json = len > 0 ? json_parse(from, len, &fault) : NULL;
}

void http_call(const char *method, const char *url, const char *const headers[], const char *body,
    struct http_reply *reply)
{
    *reply = (struct http_reply){0};
    CURL *curl = curl_easy_init();
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; headers && headers[i]; i++)
        list = curl_slist_append(list, headers[i]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply->headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)HTTP_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    long status = 0;
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    reply_parse(reply);
}

void relay_call(const struct relay_process *relay, const char *method, const char *path, const char *token,
    const char *const headers[], const char *body, struct http_reply *reply)
{
    enum { HEADERS_MAX = 16 };
    char *url = xasprintf("%s%s", relay->url, path);
    char *bearer = xasprintf("Authorization: Bearer %s", token ? token : "");
    const char *list[HEADERS_MAX] = {"Content-Type: application/json"};
    size_t n = 1;
    if (token)
        list[n++] = bearer;
    for (size_t i = 0; headers && headers[i] && n + 1 < HEADERS_MAX; i++)
        list[n++] = headers[i];
    http_call(method, url, list, body, reply);
    free(url);
    free(bearer);
}

void http_reply_free(struct http_reply *reply)
{
    buf_free(&reply->headers);
    buf_free(&reply->body);
    json_object_put(reply->json);
    reply->json = NULL;
}

int relay_connect(const struct relay_process *relay)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)relay->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        harness_fail("connect to port %d: %s", relay->port, strerror(errno));
    return fd;
}

/* False once the peer has closed. */
static bool raw_receive(int fd, struct buf *answer)
{
    enum { CHUNK = 16384 };
    ssize_t got = recv(fd, buf_reserve(answer, CHUNK), CHUNK, MSG_DONTWAIT);
    if (got > 0)
        buf_commit(answer, (size_t)got);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

int64_t http_raw(
    const struct relay_process *relay, const char *bytes, size_t len, int timeout_ms, struct buf *answer)
{
    int64_t began = now_us(), deadline = began + (int64_t)timeout_ms * 1000;
    struct pollfd peer = {.fd = relay_connect(relay), .events = POLLIN | POLLOUT};
    bool open = true;
    while (open && now_us() < deadline) {
        peer.events = len > 0 ? POLLIN | POLLOUT : POLLIN;
        if (poll(&peer, 1, (int)((deadline - now_us()) / 1000) + 1) <= 0)
            continue;
        if (peer.revents & (POLLIN | POLLHUP | POLLERR))
            open = raw_receive(peer.fd, answer);
        if (open && len > 0 && (peer.revents & POLLOUT)) {
            ssize_t put = send(peer.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
            /* What cannot be sent any more may still have an answer. */
            len -= put > 0 ? (size_t)put : errno == EAGAIN ? 0 : len;
            bytes += put > 0 ? put : 0;
        }
    }
    close(peer.fd);
    return (now_us() - began) / 1000;
}

/* ---- MCP over HTTP ---- */

static struct json_object *object_in(struct json_object *holder, const char *key)
{
    struct json_object *found = NULL;
    if (json_get_object(holder, key, &found) == JSON_FIELD_FOUND)
        return found;
    json_add(holder, key, json_new_object());
    (void)json_get_object(holder, key, &found);
    return found;
}

char *mcp_request_text(const char *method, const char *params, char **name)
{
    enum json_fault fault;
    struct json_object *values = params ? json_parse(params, strlen(params), &fault) : json_new_object();
    if (!values)
        harness_fail("the test's params are no JSON: %s", params);
    struct json_object *meta = object_in(values, "_meta");
    if (!json_object_object_get_ex(meta, MCP_META_VERSION, NULL))
        json_add_text(meta, MCP_META_VERSION, MCP_MODERN_VERSION);
    object_in(meta, MCP_META_CAPABILITIES);
    *name = xstrdup_or_null(json_text_or(values, "name", NULL));
    struct json_object *id = json_object_new_int64(1), *request = jsonrpc_request(id, method, values);
    struct buf text = {0};
    json_write(request, &text);
    json_object_put(id);
    json_object_put(request);
    return buf_take(&text);
}

struct json_object *mcp_request_with(const struct relay_process *relay, const char *token, const char *method,
    const char *params, const char *const headers[], int *http_status)
{
    enum { HEADERS_MAX = 32 };
    char *name = NULL, *body = mcp_request_text(method, params, &name);
    char *url = xasprintf("%s/mcp/bearer", relay->url);
    char *bearer = xasprintf("Authorization: Bearer %s", token ? token : "");
    char *method_header = xasprintf("Mcp-Method: %s", method);
    char *name_header = xasprintf("Mcp-Name: %s", name ? name : "");
    const char *list[HEADERS_MAX] = {"Content-Type: application/json",
        "Accept: application/json, text/event-stream", "MCP-Protocol-Version: " MCP_MODERN_VERSION,
        method_header};
    size_t n = 4;
    if (token)
        list[n++] = bearer;
    if (name)
        list[n++] = name_header;
    for (size_t i = 0; headers && headers[i] && n + 1 < HEADERS_MAX; i++)
        list[n++] = headers[i];

    struct http_reply reply;
    http_call("POST", url, list, body, &reply);
    if (http_status)
        *http_status = reply.status;
    struct json_object *answer = json_object_get(reply.json);
    http_reply_free(&reply);
    free(name);
    free(body);
    free(url);
    free(bearer);
    free(method_header);
    free(name_header);
    return answer;
}

struct json_object *mcp_request(const struct relay_process *relay, const char *token, const char *method,
    const char *params, int *http_status)
{
    return mcp_request_with(relay, token, method, params, NULL, http_status);
}

const char *mcp_result_text(struct json_object *answer, bool *is_error)
{
    struct json_object *result = NULL, *content = NULL;
    const char *text = NULL;
    if (json_get_object(answer, "result", &result) == JSON_FIELD_FOUND &&
        json_get_array(result, "content", &content) == JSON_FIELD_FOUND &&
        json_object_array_length(content) > 0)
        text = json_text_or(json_object_array_get_idx(content, 0), "text", NULL);
    if (!text)
        harness_fail("no tool result: %s", answer ? json_object_to_json_string(answer) : "no answer");
    bool flag = false;
    (void)json_get_bool(result, "isError", &flag);
    if (is_error)
        *is_error = flag;
    return text;
}

char *mcp_tool(
    const struct relay_process *relay, const char *token, const char *tool, const char *args, bool *is_error)
{
    char *params = xasprintf("{\"name\":\"%s\",\"arguments\":%s}", tool, args ? args : "{}");
    struct json_object *answer = mcp_request(relay, token, "tools/call", params, NULL);
    char *text = xstrdup(mcp_result_text(answer, is_error));
    json_object_put(answer);
    free(params);
    return text;
}

char *id_of_sent(const char *text)
{
    const char *open = strchr(text, '['), *end = open ? strchr(open, ']') : NULL;
    if (!end)
        harness_fail("no [id] in: %s", text);
    return xmemdup_text(open + 1, (size_t)(end - open - 1));
}
