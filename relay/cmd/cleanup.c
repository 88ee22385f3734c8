/* cleanup: what the relay does every few hours, now. */
#include <stdio.h>
#include <stdlib.h>

#include "../../common/clock.h"
#include "command.h"

static int print(const struct store_cleanup_result *result, bool dry_run)
{
    const int written =
        printf("%s%lld messages expired, %lld senders' notices, %lld old rows removed, %lld agents marked "
               "offline\n",
            dry_run ? "would be: " : "", (long long)result->expired, (long long)result->notices,
            (long long)result->deleted, (long long)result->offline);
    return written < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const bool dry_run = command_value(line, "dry-run") != NULL;
    struct store_cleanup_result result = {0};
    int code;
    if (store_cleanup(store, config.cleanup_max_age_days * MS_PER_DAY,
            config.active_window_seconds * MS_PER_SECOND, dry_run, &result) == STORE_DONE)
        code = print(&result, dry_run);
    else
        code = command_fail("the store failed, nothing was changed");
    store_cleanup_result_free(&result);
    command_store_end(&config, store);
    return code;
}

const struct command command_cleanup = {
    .name = "cleanup",
    .operands = "",
    .summary = "expire old messages now",
    .help = "Expires messages older than PATCHCORD_CLEANUP_MAX_AGE_DAYS, tells the senders of those that "
            "nobody\n"
            "read, and removes what ran out long ago.\n",
    .options = {{"dry-run", NULL, "only count"}},
    .run = run,
};
