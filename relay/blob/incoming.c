#include "incoming.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"

static int64_t written_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * MS_PER_SECOND + st->st_mtim.tv_nsec / 1000000;
}

static void sweep_one(const char *path, int64_t before_ms, bool dry_run, int64_t *count, int64_t *bytes)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || written_ms(&st) >= before_ms)
        return;
    if (dry_run || unlink(path) == 0) {
        (*count)++;
        *bytes += st.st_size;
    }
}

bool incoming_sweep(const char *folder, int64_t before_ms, bool dry_run, int64_t *count, int64_t *bytes)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOENT;
    const struct dirent *entry;
    for (errno = 0; (entry = readdir(dir)); errno = 0) {
        char *path = xasprintf("%s/%s", folder, entry->d_name);
        sweep_one(path, before_ms, dry_run, count, bytes);
        free(path);
    }
    const bool fine = errno == 0;
    (void)closedir(dir);
    return fine;
}
