#include "server.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "../harness.h"
#include "../harness_process.h"
#include "../harness_store.h"

struct server {
    char *project;         /* NULL: not on Supabase */
    int64_t away_until_us; /* 0: it is there */
    unsigned falls;
};

struct server *server_new(const char *data_dir)
{
    struct server *server = xcalloc(1, sizeof *server);
    server->project = harness_store_is("supabase") ? harness_project_url(data_dir) : NULL;
    return server;
}

bool server_can_fall(const struct server *server)
{
    return !harness_store_is("sqlite") && server->away_until_us == 0;
}

static void restart_database(void)
{
    if (system(getenv("PATCHCORD_TEST_RESTART")) != 0)
        harness_fail("the database does not restart");
}

/* A request makes it end. */
static void stop_project(struct server *server, int away_ms)
{
    char *url = xasprintf("%s/rest/v1/", server->project);
    struct http_reply reply;
    harness_project_fault(server->project, "stopped");
    http_call("GET", url, (const char *const[]){"apikey: sb_secret_test", NULL}, NULL, &reply);
    http_reply_free(&reply);
    free(url);
    server->away_until_us = now_us() + (int64_t)away_ms * 1000;
}

bool server_fall(struct server *server, int away_ms)
{
    const bool is_alone = server->project == NULL;
    if (!is_alone)
        stop_project(server, away_ms);
    const bool all = is_alone || server->falls++ % 2 == 1;
    if (all)
        restart_database();
    return all;
}

bool server_turn(struct server *server, bool heal)
{
    if (server->away_until_us == 0)
        return true;
    if (!heal && now_us() < server->away_until_us)
        return false;
    harness_project_fault(server->project, NULL);
    server->away_until_us = 0;
    return true;
}

void server_free(struct server *server)
{
    free(server->project);
    free(server);
}
