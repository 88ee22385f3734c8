/* quiet_run.h: another program, run unheard and without our descriptors. */
#ifndef BRIDGE_QUIET_RUN_H
#define BRIDGE_QUIET_RUN_H

#include <stdbool.h>

/* Runs argv (argv[0] is looked up in PATH), killing it after timeout_ms. True where it ended with 0. */
bool quiet_run(char *const *argv, int timeout_ms);
/* Starts it and leaves it to itself. False: there is no such program, or it cannot be run. */
bool quiet_start(char *const *argv);

#endif
