#include "rings.h"

#include <bsd/string.h>
#include <string.h>

static bool is_known(const struct rings *rings, const char *id)
{
    for (size_t i = 0; i < rings->count; i++)
        if (strcmp(rings->ids[i], id) == 0)
            return true;
    return false;
}

bool rings_first(struct rings *rings, const char *id, int64_t now_ms)
{
    if (is_known(rings, id))
        return false;
    strlcpy(rings->ids[rings->next], id, UUID_SIZE);
    rings->next = (rings->next + 1) % RINGS_MAX;
    if (rings->count < RINGS_MAX)
        rings->count++;
    rings->due_ms = rings->again_ms > 0 ? now_ms + rings->again_ms : 0;
    return true;
}

size_t rings_first_of(struct rings *rings, const struct inbox_look *pending, int64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < pending->count; i++)
        count += rings_first(rings, pending->rows[i].id, now_ms);
    return count;
}

bool rings_due(const struct rings *rings, int64_t now_ms)
{
    return rings->due_ms > 0 && now_ms >= rings->due_ms;
}

void rings_postpone(struct rings *rings, int64_t due_ms)
{
    rings->due_ms = due_ms;
}

size_t rings_second(struct rings *rings, const struct inbox_look *pending)
{
    (void)rings_first_of(rings, pending, 0);
    rings->due_ms = 0;
    return pending->count;
}
