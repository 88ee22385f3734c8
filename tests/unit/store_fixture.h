/* store_fixture.h: a store in a temporary folder, agents in it, and calls in a line each, for tests that are
 * written against store.h alone. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/store/store.h"
#include "postgres_rig.h"

#define NS    "tests"
#define LEASE "01900000-0000-7000-8000-00000000000a"
#define OTHER "01900000-0000-7000-8000-00000000000b"

/* ---- folders ---- */

static inline char *fixture_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = xasprintf("%s/patchcord-store-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(path));
    if (rig_server())
        rig_begin();
    return path;
}

/* The store's folders are flat. */
static inline void fixture_remove(char *path)
{
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        char *file = xasprintf("%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(file);
        free(file);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
    free(path);
}

static inline struct store *fixture_open(const char *folder)
{
    struct buf why = {0};
    char *project = rig_is("supabase") ? rig_project() : NULL;
    const struct store_options options = {.data_dir = folder,
        .database_url = project ? NULL : rig_url(),
        .supabase = {.url = project,
            .key = getenv("PATCHCORD_TEST_SUPABASE_KEY"),
            .ca_file = getenv("PATCHCORD_TEST_SUPABASE_CA"),
            .breaker_ms = 2000},
        .role = STORE_ROLE_RELAY};
    struct store *s = store_open(&options, &why);
    ck_assert_msg(s != NULL, "%s", buf_text(&why));
    buf_free(&why);
    free(project);
    return s;
}

/* ---- agents ---- */

static inline void fixture_token(
    struct store *s, const char *namespace_id, const char *agent, int64_t expires_ms)
{
    char *name = xasprintf("%s:%s", namespace_id, agent), label[] = "test";
    struct store_token token = {.namespace_id = (char *)(uintptr_t)namespace_id,
        .agent = (char *)(uintptr_t)agent,
        .label = label,
        .expires_ms = expires_ms};
    enum store_refusal refusal;
    secret_sha256_hex(name, strlen(name), token.hash);
    free(name);
    ck_assert_int_eq(store_token_add(s, &token, &refusal), STORE_DONE);
}

static inline void fixture_agent(struct store *s, const char *agent)
{
    fixture_token(s, NS, agent, 0);
}

static inline struct store_caller as(const char *agent)
{
    return (struct store_caller){.namespace_id = NS, .agent = agent};
}

/* ---- calls ---- */

/* A send of one line to one recipient; the result's to be freed. */
static inline enum store_status send_as(struct store *s, const char *from, const char *to,
    const char *content, const char *id, const char *thread, bool ungated, struct store_send_result *result)
{
    const struct store_caller caller = as(from);
    const struct store_recipient recipient = {.agent = to};
    const struct store_send send = {.message_id = id,
        .recipients = &recipient,
        .recipients_count = 1,
        .content = content,
        .content_len = strlen(content),
        .thread = thread,
        .ungated = ungated};
    return store_send(s, &caller, &send, result);
}

/* A send that must work, whatever waits in the sender's inbox; its id into id (may be NULL). */
static inline void must_send(struct store *s, const char *from, const char *to, const char *content, char *id)
{
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, from, to, content, NULL, NULL, true, &result), STORE_DONE);
    ck_assert_uint_eq(result.sent_count, 1);
    ck_assert_str_eq(result.sent[0].to, to);
    if (id)
        memcpy(id, result.sent[0].id, UUID_SIZE);
    store_send_result_free(&result);
}

static inline void must_offer(
    struct store *s, const char *agent, const char *lease, size_t max, struct store_offer_result *result)
{
    const struct store_caller caller = as(agent);
    const struct store_offer offer = {.lease = lease, .max_messages = max, .max_bytes = 1000 * 1000};
    ck_assert_int_eq(store_offer(s, &caller, &offer, result), STORE_DONE);
}

/* How many messages an offer under that lease gives. */
static inline size_t offered(struct store *s, const char *agent, const char *lease)
{
    struct store_offer_result result;
    must_offer(s, agent, lease, 100, &result);
    const size_t count = result.messages.count;
    store_offer_result_free(&result);
    return count;
}

static inline void must_ack(struct store *s, const char *agent, const char *id)
{
    const struct store_caller caller = as(agent);
    ck_assert_int_eq(store_ack(s, &caller, NULL, &id, 1, RELEASE_NONE, NULL), STORE_DONE);
}

static inline int64_t release(struct store *s, const char *agent, const char *lease)
{
    const struct store_caller caller = as(agent);
    int64_t released = -1;
    ck_assert_int_eq(store_ack(s, &caller, lease, NULL, 0, RELEASE_UNSHOWN, &released), STORE_DONE);
    return released;
}

static inline enum store_status reply_as(struct store *s, const char *agent, const char *message_id,
    const char *content, bool defer, bool resolve, struct store_reply_result *result)
{
    const struct store_caller caller = as(agent);
    const struct store_reply reply = {.message_id = message_id,
        .content = content,
        .content_len = content ? strlen(content) : 0,
        .defer = defer,
        .resolve = resolve};
    return store_reply(s, &caller, &reply, result);
}

static inline void must_reply(
    struct store *s, const char *agent, const char *message_id, const char *content, bool defer, bool resolve)
{
    struct store_reply_result result;
    ck_assert_int_eq(reply_as(s, agent, message_id, content, defer, resolve, &result), STORE_DONE);
    store_reply_result_free(&result);
}

/* One message as that agent sees it by its id; false where it is not found. The result's to be freed. */
static inline bool look_up(struct store *s, const char *agent, const char *id, struct store_messages *found)
{
    const struct store_caller caller = as(agent);
    const struct store_recall recall = {.limit = 1, .message_id = id};
    ck_assert_int_eq(store_recall(s, &caller, &recall, found), STORE_DONE);
    return found->count == 1;
}

static inline enum message_status status_of(struct store *s, const char *agent, const char *id)
{
    struct store_messages found;
    ck_assert(look_up(s, agent, id, &found));
    const enum message_status status = found.items[0].status;
    store_messages_free(&found);
    return status;
}

static inline int64_t count_of(struct store *s, const char *agent, enum message_status status)
{
    const struct store_caller caller = as(agent);
    struct store_messages messages;
    int64_t count = -1;
    ck_assert_int_eq(store_inbox(s, &caller, status, 1000, true, &messages, &count), STORE_DONE);
    ck_assert_uint_eq(messages.count, 0);
    return count;
}

#endif
