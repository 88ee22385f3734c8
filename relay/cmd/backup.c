/* backup and restore: everything that the relay keeps: the database, keys and files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../blob/blob.h"
#include "../store/data_folder.h"
#include "command.h"
#include "folder.h"

/* What is not for copying: the store's own files (the store itself copies the database), the lock, and
 * uploads under way. */
static bool is_not_copied(const char *name)
{
    return strncmp(name, DATABASE_FILE, strlen(DATABASE_FILE)) == 0 || strcmp(name, LOCK_FILE) == 0 ||
           strcmp(name, BLOB_INCOMING_FOLDER) == 0;
}

static bool is_lock(const char *name)
{
    return strcmp(name, LOCK_FILE) == 0;
}

static bool back_up(struct store *store, const char *data_dir, const char *folder, struct buf *why)
{
    if (!folder_prepare_empty(folder, NULL, why))
        return false;
    if (folder_is_within(folder, data_dir)) {
        buf_printf(why, "%s is in the data folder %s: a backup belongs elsewhere", folder, data_dir);
        return false;
    }
    if (store_backup(store, folder, why) && folder_copy(data_dir, folder, is_not_copied, why))
        return true;
    folder_empty(folder, NULL);
    return false;
}

static int run_backup(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const char *folder = line->operands[0];
    struct buf why = {0};
    int code = EXIT_SUCCESS;
    if (!back_up(store, config.data_dir, folder, &why))
        code = command_fail("no backup was made: %s", buf_text(&why));
    else if (printf("backed up %s to %s\n", config.data_dir, folder) < 0 || fflush(stdout) != 0)
        code = EXIT_FAILURE;
    buf_free(&why);
    command_store_end(&config, store);
    return code;
}

/* ---- restore ---- */

/* Opens the copy as a relay would: that takes the relay's lock, checks the file and brings its schema up to
 * date. */
static bool verify(const char *data_dir, struct buf *why)
{
    const struct store_options options = {.data_dir = data_dir, .role = STORE_ROLE_RELAY};
    secret_init();
    struct store *store = store_open_sqlite(&options, why);
    if (store)
        store_close(store);
    return store != NULL;
}

static bool restore(const char *folder, const char *data_dir, struct buf *why)
{
    char *database = xasprintf("%s/" DATABASE_FILE, folder);
    const bool is_backup = access(database, R_OK) == 0;
    free(database);
    if (!is_backup) {
        buf_printf(why, "%s has no %s that can be read: it is no backup", folder, DATABASE_FILE);
        return false;
    }
    if (!folder_prepare_empty(data_dir, is_lock, why))
        return false;
    if (folder_copy(folder, data_dir, is_lock, why) && verify(data_dir, why))
        return true;
    folder_empty(data_dir, is_lock);
    return false;
}

static int run_restore(const struct command_line *line)
{
    struct config config;
    if (!command_config(line, &config))
        return EXIT_FAILURE;
    struct buf why = {0};
    int code = EXIT_SUCCESS;
    if (!restore(line->operands[0], config.data_dir, &why))
        code = command_fail("nothing was restored: %s", buf_text(&why));
    else if (printf("restored %s from %s\n", config.data_dir, line->operands[0]) < 0 || fflush(stdout) != 0)
        code = EXIT_FAILURE;
    buf_free(&why);
    config_free(&config);
    return code;
}

const struct command command_backup = {
    .name = "backup",
    .operands = "DIR",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "copy database, keys and files to a folder",
    .help = "Makes a consistent copy in DIR, which is created (for its owner's eyes only) or empty, "
            "while the relay\n"
            "serves. It holds keys: keep it as safe as the original.\n",
    .run = run_backup,
};

const struct command command_restore = {
    .name = "restore",
    .operands = "DIR",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "bring a backup back into an empty data folder",
    .help = "Copies what backup wrote to DIR into the data folder (PATCHCORD_DATA_DIR), which must be "
            "missing or\n"
            "empty, and checks it. Start the relay afterwards.\n",
    .run = run_restore,
};
