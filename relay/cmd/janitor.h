/* janitor.h: the thread that cleans up the store every PATCHCORD_CLEANUP_INTERVAL_HOURS. */
#ifndef RELAY_CMD_JANITOR_H
#define RELAY_CMD_JANITOR_H

struct janitor;
struct relay;

/* Starts it; NULL where the settings say never (janitor_stop takes that). The first cleanup comes
 * JANITOR_FIRST_MS later, so that a relay that is often restarted cleans up too. */
struct janitor *janitor_start(const struct relay *relay);
enum { JANITOR_FIRST_MS = 60 * 1000 };
/* Waits for a cleanup that is under way, and ends the thread. */
void janitor_stop(struct janitor *j);

#endif
