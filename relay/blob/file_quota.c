#include "file_quota.h"

#include <bsd/sys/queue.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/ident.h"

struct account {
    SLIST_ENTRY(account) link;
    char namespace_part[NAME_SIZE];
    pthread_mutex_t lock; /* of what follows; held while this namespace is measured */
    int64_t stored, claimed;
    int64_t measured_ms; /* monotonic; 0: never */
};
SLIST_HEAD(account_list, account);

struct file_quota {
    pthread_mutex_t lock;         /* of the list alone */
    struct account_list accounts; /* few: the namespaces that were used since the start */
    int64_t limit, stale_ms;
    bool (*measure)(void *arg, const char *namespace_part, int64_t *bytes);
    void *arg;
};

struct file_quota *file_quota_new(int64_t limit, int64_t stale_ms,
    bool (*measure)(void *arg, const char *namespace_part, int64_t *bytes), void *arg)
{
    struct file_quota *q = xcalloc(1, sizeof *q);
    pthread_mutex_init(&q->lock, NULL);
    SLIST_INIT(&q->accounts);
    q->limit = limit;
    q->stale_ms = stale_ms;
    q->measure = measure;
    q->arg = arg;
    return q;
}

void file_quota_free(struct file_quota *q)
{
    struct account *account;
    while ((account = SLIST_FIRST(&q->accounts))) {
        SLIST_REMOVE_HEAD(&q->accounts, link);
        pthread_mutex_destroy(&account->lock);
        free(account);
    }
    pthread_mutex_destroy(&q->lock);
    free(q);
}

int64_t file_quota_charge(int64_t size)
{
    return size > FILE_QUOTA_LEAST ? size : FILE_QUOTA_LEAST;
}

/* Under the list's lock. */
static struct account *find_account(struct file_quota *q, const char *namespace_part)
{
    struct account *account;
    SLIST_FOREACH(account, &q->accounts, link)
    {
        if (strcmp(account->namespace_part, namespace_part) == 0)
            return account;
    }
    account = xcalloc(1, sizeof *account);
    pthread_mutex_init(&account->lock, NULL);
    memccpy(account->namespace_part, namespace_part, '\0', sizeof account->namespace_part);
    SLIST_INSERT_HEAD(&q->accounts, account, link);
    return account;
}

/* Locked; an account stays as long as q does. */
static struct account *account_of(struct file_quota *q, const char *namespace_part)
{
    pthread_mutex_lock(&q->lock);
    struct account *account = find_account(q, namespace_part);
    pthread_mutex_unlock(&q->lock);
    pthread_mutex_lock(&account->lock);
    return account;
}

static bool measure(struct file_quota *q, struct account *account)
{
    int64_t bytes = 0;
    if (!q->measure(q->arg, account->namespace_part, &bytes))
        return false;
    account->stored = bytes;
    account->measured_ms = clock_mono_ms();
    return true;
}

static bool is_known(const struct file_quota *q, const struct account *account)
{
    return account->measured_ms != 0 &&
           (q->stale_ms == 0 || clock_mono_ms() - account->measured_ms < q->stale_ms);
}

static bool has_room(const struct file_quota *q, const struct account *account, int64_t bytes)
{
    return bytes <= q->limit - account->stored - account->claimed;
}

static enum quota_claim claim(struct file_quota *q, struct account *account, int64_t bytes)
{
    if (!is_known(q, account) && !measure(q, account))
        return QUOTA_UNKNOWN;
    if (!has_room(q, account, bytes) && clock_mono_ms() - account->measured_ms >= FILE_QUOTA_REMEASURE_MS &&
        !measure(q, account))
        return QUOTA_UNKNOWN;
    if (!has_room(q, account, bytes))
        return QUOTA_FULL;
    account->claimed += bytes;
    return QUOTA_CLAIMED;
}

enum quota_claim file_quota_claim(struct file_quota *q, const char *namespace_part, int64_t bytes)
{
    struct account *account = account_of(q, namespace_part);
    const enum quota_claim result = claim(q, account, bytes);
    pthread_mutex_unlock(&account->lock);
    return result;
}

void file_quota_release(struct file_quota *q, const char *namespace_part, int64_t bytes)
{
    struct account *account = account_of(q, namespace_part);
    account->claimed -= bytes;
    pthread_mutex_unlock(&account->lock);
}

bool file_quota_apply(struct file_quota *q, const char *namespace_part, int64_t stored, int64_t released,
    bool (*act)(void *arg), void *arg)
{
    struct account *account = account_of(q, namespace_part);
    const bool done = act(arg);
    if (done && account->measured_ms != 0) /* else the first measurement sees it */
        account->stored += stored;
    if (done)
        account->claimed -= released;
    pthread_mutex_unlock(&account->lock);
    return done;
}

void file_quota_settle(
    struct file_quota *q, const char *namespace_part, int64_t stored, int64_t released, int64_t since_ms)
{
    struct account *account = account_of(q, namespace_part);
    account->claimed -= released;
    if (account->measured_ms > since_ms)
        account->measured_ms = 0; /* which may have seen it, or not */
    else if (account->measured_ms != 0)
        account->stored += stored;
    pthread_mutex_unlock(&account->lock);
}

void file_quota_forget(struct file_quota *q, const char *namespace_part)
{
    struct account *account = account_of(q, namespace_part);
    account->measured_ms = 0;
    pthread_mutex_unlock(&account->lock);
}

bool file_quota_used(struct file_quota *q, const char *namespace_part, int64_t *bytes)
{
    struct account *account = account_of(q, namespace_part);
    const bool known = is_known(q, account) || measure(q, account);
    *bytes = account->stored + account->claimed;
    pthread_mutex_unlock(&account->lock);
    return known;
}
