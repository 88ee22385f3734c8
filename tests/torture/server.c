#include "server.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "../harness.h"
#include "../harness_process.h"
#include "../harness_store.h"

struct server {
    char *project;         /* NULL: not on Supabase */
    int64_t away_until_us; /* 0: it is there */
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

void server_fall(struct server *server, int away_ms)
{
    if (!server->project) {
        restart_database();
        return;
    }
    harness_project_fault(server->project, "stopped");
    server->away_until_us = now_us() + (int64_t)away_ms * 1000;
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
