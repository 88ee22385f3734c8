/* harness_faults.h: programs whose calls to the system fail when the test wants it, and whose wall clock
 * jumps: tests/faults/faults.so, preloaded. */
#ifndef TESTS_HARNESS_FAULTS_H
#define TESTS_HARNESS_FAULTS_H

#include "faults/faults.h"

struct faults;

/* A plan under which nothing fails. Freed with faults_free, after the programs that run by it have ended. */
struct faults *faults_new(void);
void faults_free(struct faults *faults);
/* What a program's environment has to hold to run by the plan; NULL-ended, borrowed. */
const char *const *faults_env(const struct faults *faults);

enum { FAULTS_ALL = INT32_MAX };
/* After so many calls that go well, so many fail with that errno (0: a write writes half). */
void faults_fail(struct faults *faults, enum faulty_call call, int skip, int count, int error);
/* Everything goes well again. */
void faults_end(struct faults *faults);
/* How many calls failed since faults_fail; how many were made since faults_new. */
int64_t faults_hits(const struct faults *faults, enum faulty_call call);
int64_t faults_calls(const struct faults *faults, enum faulty_call call);
/* Sets the wall clock forward or back, on top of what it was moved before. */
void faults_set_clock(struct faults *faults, int64_t ms);
/* Lets time pass, by both clocks. What sleeps does not notice before it wakes up. */
void faults_pass_time(struct faults *faults, int64_t ms);

#endif
