/* clock.h: the two clocks, behind a seam that tests move.
 *
 * Wall time stamps what is stored and shown; monotonic time measures and schedules. Both in milliseconds. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

enum {
    MS_PER_SECOND = 1000,
    MS_PER_MINUTE = 60 * 1000,
    MS_PER_HOUR = 3600 * 1000,
    MS_PER_DAY = 86400 * 1000
};

int64_t clock_wall_ms(void); /* since 1970-01-01 UTC */
int64_t clock_mono_ms(void); /* since some fixed point; never jumps */

/* For tests only: added to every later clock_wall_ms() (any thread). */
void clock_shift_wall(int64_t ms);
/* For tests only: time passes, on both clocks. */
void clock_pass(int64_t ms);
/* How much has passed like that, for those who have their time from elsewhere. */
int64_t clock_passed(void);

enum { RFC3339_LEN = 32 };
/* Writes "2026-03-07T07:13:34.849+00:00" for a wall time. */
void clock_rfc3339(int64_t wall_ms, char out[static RFC3339_LEN]);

/* Parses such a text, or one with "Z", without a fraction, or with another offset. Returns -1 for anything
 * else. */
int64_t clock_parse_rfc3339(const char *text);

enum { AGE_TEXT_LEN = 32 };
/* Writes how long ago for a reader: "just now" (under 10 s), "42 s", "2 min", "3h", "5d" and " ago" behind
 * each but the first. A time in the future counts as just now. */
void clock_age_text(int64_t age_ms, char out[static AGE_TEXT_LEN]);

/* Parses a duration of a whole number and a unit ("90s", "15m", "1h", "7d"; no unit: seconds) into
 * milliseconds. Returns -1 for anything else, and for over 10 years. */
int64_t clock_parse_duration(const char *text);

#endif
