#include "clock.h"

#include <bsd/stdlib.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler.h"

static _Atomic int64_t wall_shift_ms, mono_shift_ms;

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
    return read_ms(CLOCK_MONOTONIC) + atomic_load(&mono_shift_ms);
}

void clock_shift_wall(int64_t ms)
{
    atomic_fetch_add(&wall_shift_ms, ms);
}

void clock_pass(int64_t ms)
{
    atomic_fetch_add(&wall_shift_ms, ms);
    atomic_fetch_add(&mono_shift_ms, ms);
}

int64_t clock_passed(void)
{
    return atomic_load(&mono_shift_ms);
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

/* "Z" or "+01:00" to the end of text, as the milliseconds that it is ahead of UTC. False for anything else.
 */
static bool parse_offset(const char *text, int64_t *ahead_ms)
{
    static const char pattern[] = "+00:00";
    *ahead_ms = 0;
    if (strcmp(text, "Z") == 0) {
        return true;
    }
    if (strlen(text) != sizeof pattern - 1 || (*text != '+' && *text != '-') || text[3] != ':') {
        return false;
    }
    for (size_t i = 1; i < sizeof pattern - 1; i++) {
        if (pattern[i] == '0' && !isdigit((unsigned char)text[i])) {
            return false;
        }
    }
    int64_t minutes = strtol(text + 1, NULL, 10) * 60 + strtol(text + 4, NULL, 10);
    *ahead_ms = minutes * MS_PER_MINUTE * (*text == '-' ? -1 : 1);
    return true;
}

int64_t clock_parse_rfc3339(const char *text)
{
    struct tm utc = {0};
    int64_t millis = 0, unit = 100, ahead_ms = 0;
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    if (at && *at == '.') {
        for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10) {
            millis += (*at - '0') * unit;
        }
    }
    if (!at || !parse_offset(at, &ahead_ms)) {
        return -1;
    }
    int64_t wall_ms = (int64_t)timegm(&utc) * MS_PER_SECOND + millis - ahead_ms;
    return wall_ms < 0 ? -1 : wall_ms;
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
