/* server.h: the server under the relays' store, where there is one, and how it falls over: PostgreSQL is
 * restarted as after a crash; on Supabase PostgREST is killed, and every other time PostgreSQL, too. */
#ifndef TESTS_TORTURE_SERVER_H
#define TESTS_TORTURE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct server;

/* Of the store that belongs to that folder; one of the embedded store never falls. */
struct server *server_new(const char *data_dir);
bool server_can_fall(const struct server *server);
/* It falls; where it does not come back by itself, it is away for so long. True: so did PostgreSQL itself,
 * which may lose the leases of its last moments, as they wait for no disk. */
bool server_fall(struct server *server, int away_ms);
/* Brings back what was away for long enough; heal: at once. True: it is there. */
bool server_turn(struct server *server, bool heal);
void server_free(struct server *server);

#endif
