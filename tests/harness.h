/* harness.h: what wire tests stand on: real relays and bridges in temporary folders, on free ports, spoken to
 * over real sockets and pipes. Failures end the test through check's ck_abort_msg. Nothing here sleeps to
 * wait: it polls.
 *
 * Binaries come from $PATCHCORD_BUILD (default: build). Everything started is ended, and every folder
 * removed, by harness_cleanup, which each test case has as its teardown. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <check.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../common/buf.h"

/* ---- processes and folders ---- */
/* Ends every bridge and relay that still runs, and removes the folders. One that ends with a sanitizer's
 * report, or a relay that does not end with 0 after SIGTERM, fails the test. */
void harness_cleanup(void);
/* A new case of the suite with harness_cleanup as its teardown and a time limit that suits real processes. */
TCase *harness_case(Suite *suite, const char *name);
/* What a failure calls instead of check's ck_abort_msg, for programs that are no test (the demo, benches). It
 * must not return. */
extern void (*harness_on_failure)(const char *message);
/* A new temporary folder, removed at cleanup. Borrowed. */
const char *temp_folder(void);

struct program_result {
    int exit_code; /* -1: ended by a signal or timed out */
    struct buf out, err;
};
/* Every child's environment is clean: HOME and the XDG folders are new ones, PATCHCORD_* and proxy settings
 * are gone.
 *
 * Runs a program to its end with extra environment ("K=V", NULL-ended; "K" alone unsets) and stdin text
 * (NULL: empty), at most timeout_ms. argv[0] "patchcord" and "patchcord-relay" are taken from the build
 * folder. */
void run_program(const char *const argv[], const char *const env[], const char *stdin_text, int timeout_ms,
    struct program_result *result);
void program_result_free(struct program_result *result);

/* A program that runs beside the test; killed at cleanup where it still runs. */
struct program {
    pid_t pid;
    int out;         /* reads its stdout */
    struct buf read; /* all that program_await has read of it */
    char *log_path;  /* its stderr */
};
struct program *program_start(const char *const argv[], const char *const env[]);
/* Reads its stdout until it holds that text; false after timeout_ms and at its end. */
bool program_await(struct program *program, const char *text, int timeout_ms);
/* Sends the signal (0: none), waits; the exit code, -1 where a signal ended it. */
int program_end(struct program *program, int signal_number);

/* ---- a relay ---- */
struct relay_process {
    pid_t pid;
    int port;
    char *url; /* http://127.0.0.1:port */
    char *data_dir;
    char *log_path; /* its stderr; each start has its own */
};
/* Starts `patchcord-relay serve` on port 0 and returns when /health answers. env: more settings (NULL: none);
 * rate limits are off where it does not set them. data_dir NULL: a new one. */
struct relay_process *relay_start(const char *data_dir, const char *const env[]);
/* The same port and folder again, after relay_stop or relay_kill; env NULL: the settings of its start. */
void relay_restart(struct relay_process *relay, const char *const env[]);
/* SIGTERM, waits; returns the exit code. */
int relay_stop(struct relay_process *relay);
void relay_kill(struct relay_process *relay);
/* `token add`; the caller frees. address: "agent@namespace". */
char *relay_token(struct relay_process *relay, const char *address);
/* Runs patchcord-relay with the words of line, on the relay's folder and with more environment (NULL: none);
 * the exit code. result is emptied first (program_result_free). */
int relay_command(const struct relay_process *relay, const char *line, const char *const env[],
    struct program_result *result);
/* True where the relay's log has that text. */
bool relay_log_has(struct relay_process *relay, const char *text);

/* The value of a metric without labels; -1 where there is none. */
int64_t relay_metric(const struct relay_process *relay, const char *name);
/* Polls until so many requests are parked at the relay; false after 20 s. */
bool relay_await_parked(const struct relay_process *relay, int64_t count);

/* ---- HTTP ---- */
struct http_reply {
    int status; /* 0: no answer */
    struct buf headers, body;
    struct json_object *json; /* the body (or the last data: of an event stream) where it is JSON */
};
/* headers: NULL-ended "Name: value", or NULL. body NULL: none. Any thread; certificates are not checked. */
void http_call(const char *method, const char *url, const char *const headers[], const char *body,
    struct http_reply *reply);
void http_reply_free(struct http_reply *reply);
/* http_call of a path of the relay, with that bearer token (NULL: none). */
void relay_call(const struct relay_process *relay, const char *method, const char *path, const char *token,
    const char *const headers[], const char *body, struct http_reply *reply);
/* Sends raw bytes to the relay and collects what it answers until it closes or timeout_ms. Returns
 * milliseconds taken. */
int64_t http_raw(
    const struct relay_process *relay, const char *bytes, size_t len, int timeout_ms, struct buf *answer);

/* A tool call over HTTP, modern era, at /mcp/bearer. args: JSON text. Returns the result's text (the caller
 * frees), sets *is_error; a JSON-RPC error fails the test. */
char *mcp_tool(
    const struct relay_process *relay, const char *token, const char *tool, const char *args, bool *is_error);
/* The whole JSON-RPC answer, NULL where there was none; params: JSON text (its _meta is completed for the
 * modern era). The caller puts it. http_status may be NULL. */
struct json_object *mcp_request(const struct relay_process *relay, const char *token, const char *method,
    const char *params, int *http_status);
/* The same with more headers (NULL-ended). */
struct json_object *mcp_request_with(const struct relay_process *relay, const char *token, const char *method,
    const char *params, const char *const headers[], int *http_status);
/* The text of a tool's result in a JSON-RPC answer, borrowed; an answer without one fails the test. */
const char *mcp_result_text(struct json_object *answer, bool *is_error);

/* mcp_tool for a call that has to go well: its text (the caller frees), or a text that has to hold wanted. */
char *tool_ok(const struct relay_process *relay, const char *token, const char *tool, const char *args);
void tool_says(const struct relay_process *relay, const char *token, const char *tool, const char *args,
    const char *wanted);
/* The same, again and again until it does: for what follows a call that the relay itself acknowledges, once
 * its answer has arrived. */
void tool_soon_says(const struct relay_process *relay, const char *token, const char *tool, const char *args,
    const char *wanted);
/* Sends a message (content is the inside of a JSON string) and returns its id; the caller frees. */
char *tool_send(const struct relay_process *relay, const char *token, const char *to, const char *content);
/* For one that has to fail as a tool, saying so. */
void tool_fails(const struct relay_process *relay, const char *token, const char *tool, const char *args,
    const char *wanted);

/* ---- a request under way ---- */
struct open_call;
/* Sends a modern MCP request on a connection of its own and returns at once. headers: more, or NULL. */
struct open_call *call_begin(const struct relay_process *relay, const char *token, const char *method,
    const char *params, const char *const headers[]);
/* The same at another path. */
struct open_call *call_begin_at(const struct relay_process *relay, const char *path, const char *token,
    const char *method, const char *params, const char *const headers[]);
/* The same for a GET of any path. */
struct open_call *call_get(
    const struct relay_process *relay, const char *token, const char *path, const char *const headers[]);
/* True as soon as what came back has that text; false after timeout_ms, or where the connection ended. */
bool call_hears(struct open_call *call, const char *text, int timeout_ms);
/* What came back so far, headers and all. Borrowed until the next call on it. */
const char *call_heard(const struct open_call *call);
/* Hangs up, whatever is still to come. */
void call_end(struct open_call *call);

/* ---- a bridge over stdio ---- */
struct bridge_process {
    pid_t pid;
    int in, out; /* our ends: write to in, read from out */
    char *log_path;
    struct buf pending;       /* read, not yet a whole line */
    struct json_object *kept; /* array: read while another answer was wanted */
    int64_t next_id;
};
/* Spawns `patchcord mcp` with PATCHCORD_URL and PATCHCORD_TOKEN and a HOME of its own (relay, token NULL:
 * without). */
struct bridge_process *bridge_start(
    const struct relay_process *relay, const char *token, const char *const env[]);
/* The same with more arguments (NULL-ended) behind `patchcord mcp`. */
struct bridge_process *bridge_start_with(
    const struct relay_process *relay, const char *token, const char *const env[], const char *const args[]);
void bridge_send_line(struct bridge_process *bridge, const char *line);
/* The next line as JSON (first those that bridge_call_end kept), or NULL after timeout_ms and at its end. A
 * line that is no JSON fails the test. The caller puts it. */
struct json_object *bridge_read(struct bridge_process *bridge, int timeout_ms);
/* Sends a legacy tools/call and returns its id at once. */
int64_t bridge_call_begin(struct bridge_process *bridge, const char *tool, const char *args);
/* The answer for that id; others that come first are kept for their own call. The result's text (the caller
 * frees). */
char *bridge_call_end(struct bridge_process *bridge, int64_t id, int timeout_ms, bool *is_error);
char *bridge_tool(struct bridge_process *bridge, const char *tool, const char *args, bool *is_error);
/* Closes its stdin and waits; the exit code, -1 where it had to be killed. */
int bridge_end(struct bridge_process *bridge);
void bridge_kill(struct bridge_process *bridge);

/* ---- waiting ---- */
/* Calls condition every few milliseconds until it is true; false after timeout_ms. */
bool poll_until(bool (*condition)(void *arg), void *arg, int timeout_ms);
int64_t now_us(void); /* monotonic */

/* The id in "Sent to x [id]". The caller frees. */
char *id_of_sent(const char *text);

/* Runs a suite as a check program does, in a temporary folder of its own; the exit code for main. Frees the
 * suite. */
int run_suite(Suite *suite);

#endif
