#include "state_folder.h"

#include <bsd/string.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/buf.h"
#include "../common/secret.h"
#include "../common/url.h"
#include "private_folder.h"

char *state_path(const char *name)
{
    const char *base = getenv("XDG_STATE_HOME");
    /* The XDG specification has relative paths ignored. */
    if (base && base[0] == '/')
        return xasprintf("%s/patchcord/%s", base, name);
    const char *home = getenv("HOME");
    return home && home[0] == '/' ? xasprintf("%s/.local/state/patchcord/%s", home, name) : NULL;
}

int state_folder_open(const char *name, bool create)
{
    char *path = state_path(name);
    int folder = path ? private_folder_open(AT_FDCWD, path, create) : -1;
    free(path);
    return folder;
}

/* ---- names ---- */

void state_key(const char *url, const char *whose, const char *what, char out[static STATE_KEY_SIZE])
{
    char hex[SHA256_HEX_SIZE];
    struct buf text = {0};
    struct url parts;
    char *origin = url_parse(url, &parts) ? url_origin(&parts) : NULL;
    buf_printf(&text, "%s\n%s\n%s", origin ? origin : url, whose ? whose : "", what ? what : "");
    secret_sha256_hex(text.data, text.len, hex);
    strlcpy(out, hex, STATE_KEY_SIZE);
    buf_wipe(&text);
    if (origin)
        url_free(&parts);
    free(origin);
}

/* ---- bounds ---- */

struct aged {
    const char *name;
    struct timespec at;
};

static int oldest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct aged *)a)->at, *y = &((const struct aged *)b)->at;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static void remove_oldest(int folder, const struct file_names *names, size_t surplus)
{
    struct aged *files = xcalloc(names->count, sizeof *files);
    for (size_t i = 0; i < names->count; i++) {
        struct stat st;
        files[i].name = names->list[i];
        if (fstatat(folder, names->list[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            files[i].at = st.st_mtim;
    }
    qsort(files, names->count, sizeof *files, oldest_first);
    for (size_t i = 0; i < surplus; i++)
        unlinkat(folder, files[i].name, 0);
    free(files);
}

void state_folder_bound(int folder, size_t keep)
{
    struct file_names names;
    if (!private_folder_list(folder, &names))
        return;
    if (names.count > keep)
        remove_oldest(folder, &names, names.count - keep);
    file_names_free(&names);
}
