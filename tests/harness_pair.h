/* harness_pair.h: the setting that most tests of messages have: a relay, and in one namespace of it the
 * agents frontend and backend. */
#ifndef TESTS_HARNESS_PAIR_H
#define TESTS_HARNESS_PAIR_H

#include "harness.h"

/* Of the running test, from pair_setup to pair_teardown. */
extern struct relay_process *relay;
extern char *frontend, *backend; /* their tokens */

/* A checked fixture: a relay with its default settings; pair_teardown ends with harness_cleanup. */
void pair_setup(void);
void pair_teardown(void);

#endif
