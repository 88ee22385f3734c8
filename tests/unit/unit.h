/* unit.h: what each check program's main ends in, and the folders of its tests. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- folders ---- */

static inline void unit_folder_in(const char *parent, const char *name, char path[static PATH_MAX])
{
    int len = snprintf(path, PATH_MAX, "%s/%s-XXXXXX", parent && *parent ? parent : "/tmp", name);
    if (len < 0 || len >= PATH_MAX || !mkdtemp(path)) {
        fprintf(stderr, "no temporary folder %s: %s\n", path, strerror(errno));
        abort();
    }
}

/* Makes a folder for one test. It lies in the program's own, which run_unit removes: also after a test that
 * failed, or was killed. */
static inline void unit_folder(char path[static PATH_MAX])
{
    unit_folder_in(getenv("TMPDIR"), "test", path);
}

static inline int unit_remove_entry(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

/* ---- running ---- */

/* Runs the suite, printing as CK_VERBOSITY says; the exit code for main. TMPDIR is a folder of the program's own
 * meanwhile. */
static inline int run_unit(Suite *suite)
{
    enum { DESCRIPTORS = 16 };
    char programs_own[PATH_MAX], *before = getenv("TMPDIR");
    before = before ? strdup(before) : NULL;
    unit_folder_in(before, "patchcord-check", programs_own);
    setenv("TMPDIR", programs_own, 1);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (nftw(programs_own, unit_remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "could not remove %s: %s\n", programs_own, strerror(errno));
    before ? setenv("TMPDIR", before, 1) : unsetenv("TMPDIR"); /* for a next suite */
    free(before);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A suite of one case. */
static inline Suite *unit_suite(const char *name, TCase **tests)
{
    Suite *suite = suite_create(name);
    *tests = tcase_create(name);
    suite_add_tcase(suite, *tests);
    return suite;
}

#endif
