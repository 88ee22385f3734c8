#include "harness_faults.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "harness.h"
#include "harness_process.h"
#include "harness_store.h"

struct faults {
    struct fault_plan *plan;
    char *preload, *variable;
    const char *env[4];
};

static char *library_path(void)
{
    const char *build = getenv("PATCHCORD_BUILD");
    char *path = xasprintf("%s/tests/faults/faults.so", build && *build ? build : "build");
    char *absolute = realpath(path, NULL);
    if (!absolute)
        harness_fail("%s is not there: build it first, or set PATCHCORD_BUILD", path);
    free(path);
    return absolute;
}

struct faults *faults_new(void)
{
    struct faults *faults = xcalloc(1, sizeof *faults);
    char *path = xasprintf("%s/plan", temp_folder()), *library = library_path();
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *faults->plan) != 0)
        harness_fail("no plan of faults in %s", path);
    void *mapped = mmap(NULL, sizeof *faults->plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED)
        harness_fail("%s cannot be mapped", path);
    faults->plan = mapped;
    faults->preload = xasprintf("LD_PRELOAD=%s", library);
    faults->variable = xasprintf(FAULTS_VARIABLE "=%s", path);
    faults->env[0] = faults->preload;
    faults->env[1] = faults->variable;
    /* Ours stands before the sanitizer's library, and passes on to it. */
    faults->env[2] = "ASAN_OPTIONS=verify_asan_link_order=0";
    free(library);
    free(path);
    return faults;
}

void faults_free(struct faults *faults)
{
    munmap(faults->plan, sizeof *faults->plan);
    free(faults->preload);
    free(faults->variable);
    free(faults);
}

const char *const *faults_env(const struct faults *faults)
{
    return faults->env;
}

void faults_fail(struct faults *faults, enum faulty_call call, int skip, int count, int error)
{
    struct fault_rule *rule = &faults->plan->rules[call];
    rule->count = 0;
    rule->hits = 0;
    rule->error = error;
    rule->skip = skip;
    rule->count = count;
}

void faults_end(struct faults *faults)
{
    for (size_t i = 0; i < FAULT_CALLS; i++)
        faults->plan->rules[i].count = 0;
}

int64_t faults_hits(const struct faults *faults, enum faulty_call call)
{
    return faults->plan->rules[call].hits;
}

int64_t faults_calls(const struct faults *faults, enum faulty_call call)
{
    return faults->plan->rules[call].calls;
}

void faults_set_clock(struct faults *faults, int64_t ms)
{
    faults->plan->wall_shift_ms += ms;
}

void faults_pass_time(struct faults *faults, int64_t ms)
{
    faults->plan->wall_shift_ms += ms;
    faults->plan->mono_shift_ms += ms;
    harness_store_pass_time(ms);
}
