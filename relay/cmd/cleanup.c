/* cleanup: what the relay does every few hours, now. */
#include <stdio.h>
#include <stdlib.h>

#include "../../common/clock.h"
#include "../blob/blob.h"
#include "../store/store_oauth.h"
#include "attachments.h"
#include "command.h"

static int print(const struct store_cleanup_result *result, const struct store_oauth_cleanup *logins,
    const struct blob_cleanup_result *files, bool dry_run)
{
    const int written = printf(
        "%s%lld messages expired, %lld senders' notices, %lld old rows removed, %lld agents marked "
        "offline, %lld clients, codes, tokens and grants of logins removed, %lld attachments removed\n",
        dry_run ? "would be: " : "", (long long)result->expired, (long long)result->notices,
        (long long)result->deleted, (long long)result->offline,
        (long long)(logins->clients + logins->codes + logins->tokens + logins->grants),
        (long long)(files->removed + files->abandoned));
    return written < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Beside a relay that serves the same folder. False: one line was printed. */
static bool clean_files(const struct config *config, bool dry_run, struct blob_cleanup_result *result)
{
    struct buf why = {0};
    struct blob_store *blobs = attachments_open(config, false, &why);
    const bool done =
        blobs && blob_cleanup(blobs, config->cleanup_max_age_days * MS_PER_DAY, dry_run, result) == BLOB_DONE;
    if (!done)
        (void)command_fail(
            "attachments were not removed: %s", blobs ? "the file store failed" : buf_text(&why));
    blob_close(blobs);
    buf_free(&why);
    return done;
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const bool dry_run = command_value(line, "dry-run") != NULL;
    struct store_cleanup_result result = {0};
    struct blob_cleanup_result files = {0};
    int code;
    struct store_oauth_cleanup logins = {0};
    if (store_cleanup(store, config.cleanup_max_age_days * MS_PER_DAY,
            config.active_window_seconds * MS_PER_SECOND, dry_run, &result) == STORE_DONE &&
        store_oauth_cleanup(store, CLIENT_UNUSED_MS, dry_run, &logins) == STORE_DONE)
        code =
            clean_files(&config, dry_run, &files) ? print(&result, &logins, &files, dry_run) : EXIT_FAILURE;
    else
        code = command_fail("the store failed, not everything was done");
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
            "read, and removes what ran out long ago, with what logging in left behind.\n",
    .options = {{"dry-run", NULL, "only count"}},
    .run = run,
};
