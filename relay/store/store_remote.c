/* A store whose operations are functions of a database elsewhere. */
#include "store_remote.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "migration.h"

static int newest_migration(const char **name)
{
    int newest = 0;
    for (const struct migration *m = migrations_postgres; m->number != 0; m++) {
        newest = m->number;
        *name = m->name;
    }
    return newest;
}

/* The first file that is missing. */
static const char *next_migration(int64_t schema)
{
    const struct migration *m = migrations_postgres;
    while (m->number != 0 && m->number <= schema)
        m++;
    return m->name;
}

static bool check_schema(struct store *s, struct buf *why)
{
    static const struct remote_call what = {
        .function = "patchcord_ready", .body = "{}", .body_len = 2, .is_repeatable = true};
    struct remote *remote = ((struct remote_store *)s)->remote;
    struct buf text = {0}, reason = {0};
    struct json_object *answer = NULL;
    int64_t schema = 0;
    const char *newest = NULL;
    const int wanted = newest_migration(&newest);
    const enum remote_outcome outcome = remote->ops->call(remote, &what, &text, &reason);
    if (outcome == REMOTE_DONE) {
        enum json_fault wrong;
        answer = json_parse(buf_text(&text), text.len, &wrong);
    }
    if (outcome == REMOTE_FAULT)
        buf_printf(why, "the database cannot be used: %s", buf_text(&reason));
    else if (outcome == REMOTE_DONE && json_get_int(answer, "schema", &schema) != JSON_FIELD_FOUND)
        buf_puts(why, "the database cannot be used: it answers something else than Patchcord's functions do");
    else if (schema < wanted)
        buf_printf(why,
            "the database has %s schema of Patchcord's: run `patchcord-relay migrate`, or the files from "
            "migrations/postgres/%s.sql on",
            schema == 0 ? "no" : "an older", next_migration(schema));
    else if (schema > wanted)
        buf_printf(why,
            "the database has schema %d, newer than this program's %d; install the newer patchcord-relay",
            (int)schema, wanted);
    json_object_put(answer);
    buf_free(&text);
    buf_free(&reason);
    return schema == wanted;
}

static enum store_status remote_ready(struct store *s)
{
    return remote_do(s, "patchcord_ready", remote_body(), CALL_REPEATABLE);
}

static bool remote_backup(struct store *s, const char *folder, struct buf *why)
{
    (void)s;
    (void)folder;
    buf_puts(why, "messages and tokens are in a database of their own: back that up with pg_dump");
    return false;
}

static bool remote_migrate(struct store *s, int *applied, struct buf *why)
{
    struct remote *remote = ((struct remote_store *)s)->remote;
    if (remote->ops->migrate)
        return remote->ops->migrate(remote, applied, why);
    if (check_schema(s, why))
        return true;
    buf_puts(why, "; from here that needs PATCHCORD_DATABASE_URL");
    return false;
}

static void remote_close(struct store *s)
{
    struct remote *remote = ((struct remote_store *)s)->remote;
    remote->ops->close(remote);
    free(s);
}

static const struct store_ops remote_store_ops = {
    .send = remote_send,
    .offer = remote_offer,
    .ack = remote_ack,
    .reply = remote_reply,
    .unsend = remote_unsend,
    .recall = remote_recall,
    .inbox = remote_inbox,
    .events = remote_events,
    .touch = remote_touch,
    .token_find = remote_token_find,
    .token_add = remote_token_add,
    .token_list = remote_token_list,
    .token_end = remote_token_end,
    .ban_put = remote_ban_put,
    .ban_list = remote_ban_list,
    .client_add = remote_client_add,
    .client_find = remote_client_find,
    .code_add = remote_code_add,
    .invite_redeem = remote_invite_redeem,
    .authorize = remote_authorize,
    .code_redeem = remote_code_redeem,
    .refresh = remote_refresh,
    .grant_list = remote_grant_list,
    .grant_end = remote_grant_end,
    .device_add = remote_device_add,
    .device_find = remote_device_find,
    .device_decide = remote_device_decide,
    .device_redeem = remote_device_redeem,
    .oauth_cleanup = remote_oauth_cleanup,
    .cleanup = remote_cleanup,
    .stats = remote_stats,
    .dump = remote_dump,
    .load = remote_load,
    .ready = remote_ready,
    .backup = remote_backup,
    .migrate = remote_migrate,
    .close = remote_close,
};

struct store *store_remote_open(struct remote *remote, enum store_role role, struct buf *why)
{
    struct remote_store *store = xcalloc(1, sizeof *store);
    store->base.ops = &remote_store_ops;
    store->remote = remote;
    if (role == STORE_ROLE_MIGRATE || check_schema(&store->base, why))
        return &store->base;
    remote_close(&store->base);
    return NULL;
}
