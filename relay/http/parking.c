/* parking.c: a fixed table of places. A key's place holds the version that its tickets name and the lists of
 * those who wait; the memory for versions does not grow with the number of keys. Keys that share a place
 * share its version, which costs a look in vain now and then, but are told apart by their hash when waits are
 * woken or counted.
 *
 * The hash is keyed and random, so that nobody chooses names that collide. */
#include "parking.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "parking_loop.h"

enum { PLACES = 8192 };

TAILQ_HEAD(spot_list, parked_spot);
TAILQ_HEAD(woken_list, parked);

struct place {
    atomic_uint_least64_t version;
    struct spot_list exclusive, shared; /* oldest first */
    uint64_t left_hash;                 /* the exclusive wait that left last ... */
    int64_t left_ms;                    /* ... and when (monotonic); 0: none did */
};

struct parking {
    void (*kick)(void *arg);
    void *kick_arg;
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
    atomic_uint_least64_t common_version; /* added to each place's */
    atomic_size_t count;

    pthread_mutex_t lock; /* for what follows */
    bool all_notified;
    uint64_t *notified; /* hashes of keys, in order */
    size_t notified_count, notified_cap;
    struct place places[PLACES];
};

struct parking *parking_new(void (*kick)(void *arg), void *arg)
{
    struct parking *p = xcalloc(1, sizeof *p);
    p->kick = kick;
    p->kick_arg = arg;
    crypto_shorthash_keygen(p->hash_key);
    pthread_mutex_init(&p->lock, NULL);
    for (size_t i = 0; i < PLACES; i++) {
        TAILQ_INIT(&p->places[i].exclusive);
        TAILQ_INIT(&p->places[i].shared);
    }
    return p;
}

void parking_free(struct parking *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p->notified);
    free(p);
}

static uint64_t key_hash(const struct parking *p, const char *key, size_t len)
{
    uint64_t hash;
    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "the hash fills 64 bits");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key, len, p->hash_key);
    return hash;
}

/* The hash of the next of several keys; false after the last. */
static bool next_key(const struct parking *p, const char **keys, uint64_t *hash)
{
    if (!*keys)
        return false;
    const size_t len = strcspn(*keys, "\n");
    *hash = key_hash(p, *keys, len);
    *keys = (*keys)[len] ? *keys + len + 1 : NULL;
    return true;
}

static struct place *place_of(struct parking *p, uint64_t hash)
{
    return &p->places[hash % PLACES];
}

static uint64_t place_ticket(const struct parking *p, const struct place *place)
{
    return atomic_load(&p->common_version) + atomic_load(&place->version);
}

/* Versions only grow, so their sum changes with each. */
uint64_t parking_ticket(struct parking *p, const char *keys)
{
    uint64_t ticket = 0, hash;
    while (next_key(p, &keys, &hash))
        ticket += place_ticket(p, place_of(p, hash));
    return ticket;
}

static void remember_notified(struct parking *p, uint64_t hash)
{
    if (p->notified_count == p->notified_cap) {
        p->notified_cap = p->notified_cap ? 2 * p->notified_cap : 64;
        p->notified = xreallocarray(p->notified, p->notified_cap, sizeof *p->notified);
    }
    p->notified[p->notified_count++] = hash;
}

/* With the lock held. True where the loop is to be told. */
static bool notify_one(struct parking *p, uint64_t hash)
{
    struct place *place = place_of(p, hash);
    atomic_fetch_add(&place->version, 1);
    /* Whoever parks from now on sees the new version, so that only those already there need the loop. */
    if (TAILQ_EMPTY(&place->exclusive) && TAILQ_EMPTY(&place->shared))
        return false;
    bool kick = p->notified_count == 0 && !p->all_notified;
    remember_notified(p, hash);
    return kick;
}

void parking_notify(struct parking *p, const char *keys)
{
    uint64_t hash;
    bool kick = false;

    pthread_mutex_lock(&p->lock);
    while (next_key(p, &keys, &hash))
        kick |= notify_one(p, hash);
    pthread_mutex_unlock(&p->lock);
    if (kick)
        p->kick(p->kick_arg);
}

void parking_notify_all(struct parking *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->common_version, 1);
    bool kick = !p->all_notified;
    p->all_notified = true;
    pthread_mutex_unlock(&p->lock);
    if (kick)
        p->kick(p->kick_arg);
}

/* The oldest one of that key, or NULL. */
static struct parked_spot *list_find(const struct spot_list *list, uint64_t hash)
{
    struct parked_spot *spot;
    TAILQ_FOREACH(spot, list, link)
    {
        if (spot->hash == hash)
            break;
    }
    return spot;
}

bool parking_is_waiting(struct parking *p, const char *key)
{
    uint64_t hash = key_hash(p, key, strlen(key));
    struct place *place = place_of(p, hash);

    pthread_mutex_lock(&p->lock);
    bool waiting = list_find(&place->exclusive, hash) != NULL;
    if (!waiting && place->left_ms != 0 && place->left_hash == hash)
        waiting = clock_mono_ms() - place->left_ms <= PARKING_JUST_NOW_MS;
    pthread_mutex_unlock(&p->lock);
    return waiting;
}

size_t parking_count(struct parking *p)
{
    return atomic_load(&p->count);
}

static struct spot_list *list_of(struct place *place, const struct parked *who)
{
    return who->exclusive ? &place->exclusive : &place->shared;
}

static struct parked_spot *spot_of(struct parked *who, size_t index)
{
    return index == 0 ? &who->first : &who->more[index - 1];
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

static void set_keys(const struct parking *p, struct parked *who, const char *keys)
{
    who->more_count = count_lines(keys) - 1;
    who->more = who->more_count > 0 ? xcalloc(who->more_count, sizeof *who->more) : NULL;
    for (size_t i = 0; i <= who->more_count; i++) {
        struct parked_spot *spot = spot_of(who, i);
        spot->who = who;
        (void)next_key(p, &keys, &spot->hash);
    }
}

static void forget_keys(struct parked *who)
{
    free(who->more);
    who->more = NULL;
    who->more_count = 0;
}

/* With the lock held. */
static void put_in(struct parking *p, struct parked *who)
{
    for (size_t i = 0; i <= who->more_count; i++) {
        struct parked_spot *spot = spot_of(who, i);
        TAILQ_INSERT_TAIL(list_of(place_of(p, spot->hash), who), spot, link);
    }
    who->linked = true;
    atomic_fetch_add(&p->count, 1);
}

bool parking_enter(struct parking *p, struct parked *who, const char *keys, uint64_t ticket)
{
    set_keys(p, who, keys);
    pthread_mutex_lock(&p->lock);
    bool current = parking_ticket(p, keys) == ticket;
    if (current)
        put_in(p, who);
    pthread_mutex_unlock(&p->lock);
    if (!current)
        forget_keys(who);
    return current;
}

/* With the lock held. */
static void take_out(struct parking *p, struct parked *who)
{
    for (size_t i = 0; i <= who->more_count; i++) {
        struct parked_spot *spot = spot_of(who, i);
        struct place *place = place_of(p, spot->hash);
        TAILQ_REMOVE(list_of(place, who), spot, link);
        if (who->exclusive) {
            place->left_hash = spot->hash;
            place->left_ms = clock_mono_ms();
        }
    }
    forget_keys(who);
    who->linked = false;
    atomic_fetch_sub(&p->count, 1);
}

void parking_leave(struct parking *p, struct parked *who)
{
    if (!who->linked)
        return;
    pthread_mutex_lock(&p->lock);
    take_out(p, who);
    pthread_mutex_unlock(&p->lock);
}

static void move(struct parking *p, struct parked *who, struct woken_list *woken)
{
    take_out(p, who);
    TAILQ_INSERT_TAIL(woken, who, woken);
}

/* Each is looked for anew: the neighbour may be the same wait's, under another key. */
static void move_notified(struct parking *p, uint64_t hash, struct woken_list *woken)
{
    struct place *place = place_of(p, hash);
    struct parked_spot *spot = list_find(&place->exclusive, hash);

    if (spot)
        move(p, spot->who, woken);
    while ((spot = list_find(&place->shared, hash)) != NULL)
        move(p, spot->who, woken);
}

static void move_list(struct parking *p, struct spot_list *list, struct woken_list *woken)
{
    struct parked_spot *spot;
    while ((spot = TAILQ_FIRST(list)) != NULL)
        move(p, spot->who, woken);
}

static void move_all(struct parking *p, struct woken_list *woken)
{
    for (size_t i = 0; i < PLACES; i++) {
        move_list(p, &p->places[i].exclusive, woken);
        move_list(p, &p->places[i].shared, woken);
    }
}

static void wake_each(struct woken_list *woken, void (*wake)(void *owner))
{
    struct parked *who;
    while ((who = TAILQ_FIRST(woken)) != NULL) {
        TAILQ_REMOVE(woken, who, woken);
        wake(who->owner);
    }
}

void parking_drain(struct parking *p, void (*wake)(void *owner))
{
    struct woken_list woken = TAILQ_HEAD_INITIALIZER(woken);

    pthread_mutex_lock(&p->lock);
    if (p->all_notified)
        move_all(p, &woken);
    else
        for (size_t i = 0; i < p->notified_count; i++)
            move_notified(p, p->notified[i], &woken);
    p->all_notified = false;
    p->notified_count = 0;
    pthread_mutex_unlock(&p->lock);
    wake_each(&woken, wake);
}
