/* parking.h: who waits for news of whom. Handlers that found nothing park their exchange under a key, or
 * under several at once; whoever stored something notifies the key. Several keys are written into one text, a
 * line each.
 *
 * No wake-up is lost between "found nothing" and "parked": a handler takes a ticket before it looks, and an
 * exchange whose ticket is out of date when it parks runs again at once. Thread-safe. */
#ifndef RELAY_HTTP_PARKING_H
#define RELAY_HTTP_PARKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parking;

/* kick is called (any thread) when keys were notified: it makes the loop call parking_drain. */
struct parking *parking_new(void (*kick)(void *arg), void *arg);
void parking_free(struct parking *p);

/* The keys' present version; changes with each notify of one of them. */
uint64_t parking_ticket(struct parking *p, const char *keys);
/* Something happened that those parked under each of the keys may want. */
void parking_notify(struct parking *p, const char *keys);
/* Everybody is to look again (a revocation, another process' change). */
void parking_notify_all(struct parking *p);
/* True where an exclusive wait is parked under key, or was within the last PARKING_JUST_NOW_MS. (Those that
 * are not exclusive look on; whether an answer is streamed says nothing.) */
bool parking_is_waiting(struct parking *p, const char *key);
enum { PARKING_JUST_NOW_MS = 3000 };
/* How many exchanges are parked, for metrics. */
size_t parking_count(struct parking *p);

#endif
