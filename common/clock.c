#include "clock.h"

#include <bsd/stdlib.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compiler.h"

static _Atomic int64_t wall_shift_ms;

static int64_t read_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME) + atomic_load(&wall_shift_ms);
}

int64_t clock_mono_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

void clock_shift_wall(int64_t ms)
{
    atomic_fetch_add(&wall_shift_ms, ms);
}

/* The years that the text has room for: 1970 to 9999. */
static const int64_t WALL_MS_MAX = INT64_C(253402300799999);

void clock_rfc3339(int64_t wall_ms, char out[static RFC3339_LEN])
{
    if (wall_ms < 0) {
        wall_ms = 0;
    }
    if (wall_ms > WALL_MS_MAX) {
        wall_ms = WALL_MS_MAX;
    }
    time_t seconds = (time_t)(wall_ms / MS_PER_SECOND);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t len = strftime(out, RFC3339_LEN, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + len, RFC3339_LEN - len, ".%03u+00:00", (unsigned)(wall_ms % MS_PER_SECOND));
}

enum { JUST_NOW_MS = 10 * MS_PER_SECOND };

void clock_age_text(int64_t age_ms, char out[static AGE_TEXT_LEN])
{
    /* Each row counts in its unit for ages below its limit. */
    static const struct {
        int64_t below_ms, unit_ms;
        const char *unit;
    } steps[] = {
        {MS_PER_MINUTE, MS_PER_SECOND, " s"},
        {MS_PER_HOUR, MS_PER_MINUTE, " min"},
        {MS_PER_DAY, MS_PER_HOUR, "h"},
        {INT64_MAX, MS_PER_DAY, "d"},
    };

    if (age_ms < JUST_NOW_MS) {
        snprintf(out, AGE_TEXT_LEN, "just now");
        return;
    }
    size_t i = 0;
    while (i + 1 < LENGTH_OF(steps) && age_ms >= steps[i].below_ms) {
        i++;
    }
    snprintf(out, AGE_TEXT_LEN, "%" PRId64 "%s ago", age_ms / steps[i].unit_ms, steps[i].unit);
}

static const int64_t DURATION_MAX_MS = INT64_C(3650) * MS_PER_DAY;

static int64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        {"", MS_PER_SECOND},
        {"s", MS_PER_SECOND},
        {"m", MS_PER_MINUTE},
        {"h", MS_PER_HOUR},
        {"d", MS_PER_DAY},
    };
    for (size_t i = 0; i < LENGTH_OF(units); i++) {
        if (strcmp(unit, units[i].name) == 0) {
            return units[i].ms;
        }
    }
    return -1;
}

int64_t clock_parse_duration(const char *text)
{
    enum { DIGITS_MAX = 12 };
    size_t digits = strspn(text, "0123456789");
    int64_t unit = unit_ms(text + digits);
    if (digits == 0 || digits > DIGITS_MAX || unit < 0) {
        return -1;
    }
    char number[DIGITS_MAX + 1] = {0};
    memcpy(number, text, digits);
    const char *problem = NULL;
    int64_t count = strtonum(number, 0, DURATION_MAX_MS / unit, &problem);
    return problem ? -1 : count * unit;
}
