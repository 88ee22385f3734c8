/* faults.h: what the test and the preloaded faults.so share: a mapped file that says which calls of a program
 * fail, and how far its wall clock is off. The test changes it while the program runs. */
#ifndef TESTS_FAULTS_FAULTS_H
#define TESTS_FAULTS_FAULTS_H

#include <stdint.h>

/* The environment variable that names the mapped file. */
#define FAULTS_VARIABLE "PATCHCORD_TEST_FAULTS"

enum faulty_call {
    FAULT_WRITE,  /* write, pwrite, ftruncate: to regular files behind stderr */
    FAULT_SYNC,   /* fsync, fdatasync */
    FAULT_RENAME, /* rename, renameat, renameat2, link */
    FAULT_CREATE, /* open, openat: for writing, of regular files and new ones */
    FAULT_SEND,   /* send, sendmsg */
    FAULT_RECV,   /* recv, read from sockets */
    FAULT_CALLS,
};

struct fault_rule {
    _Atomic int64_t skip;  /* so many calls go well first */
    _Atomic int64_t count; /* then so many fail; 0: none */
    _Atomic int error;     /* with this errno; 0: half of it is written */
    _Atomic int64_t calls; /* how many were made */
    _Atomic int64_t hits;  /* how many failed */
};

struct fault_plan {
    struct fault_rule rules[FAULT_CALLS];
    _Atomic int64_t wall_shift_ms, mono_shift_ms; /* added to the clocks */
};

#endif
