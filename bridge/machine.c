#include "machine.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <sys/utsname.h>

static void copy_plain(char *to, size_t size, const char *from)
{
    size_t len = 0;
    for (; *from && len + 1 < size; from++) {
        if (isalnum((unsigned char)*from) || strchr("._-", *from))
            to[len++] = (char)*from;
    }
    to[len] = '\0';
}

void machine_read(struct machine *out)
{
    struct utsname host;
    *out = (struct machine){0};
    if (uname(&host) < 0)
        return;
    copy_plain(out->name, sizeof out->name, host.nodename);
    copy_plain(out->platform, sizeof out->platform, host.sysname);
    for (char *c = out->platform; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}
