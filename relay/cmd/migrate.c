/* migrate: brings the database's schema up to date. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../store/store_oauth.h"
#include "command.h"

/* A URL with a password belongs neither on a command line nor, for this once, in the environment. */
static bool read_url(const struct command_line *line, struct config *config)
{
    if (!command_value(line, "database-url-stdin"))
        return true;
    secret_free(config->database_url);
    config->database_url = secret_read(STDIN_FILENO, "PostgreSQL URL: ");
    if (config->database_url)
        return true;
    (void)command_fail("no URL came on stdin (one line)");
    config_free(config);
    return false;
}

/* Who was let in by an older Patchcord: anybody could be, there. */
static void list_found(struct store *store)
{
    struct store_grants grants;
    if (store_grant_list(store, &grants) == STORE_DONE && grants.count > 0)
        printf("%zu client%s had logged in before and still can: see `patchcord-relay grants list`, and "
               "`grants revoke "
               "--all` ends them\n",
            grants.count, grants.count == 1 ? "" : "s");
    store_grants_free(&grants);
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_config(line, &config) || !read_url(line, &config) ||
        !command_store_open(line, &config, STORE_ROLE_MIGRATE, &store))
        return EXIT_FAILURE;
    struct buf why = {0};
    int applied = 0, code = EXIT_SUCCESS;
    if (!store_migrate(store, &applied, &why))
        code = command_fail("%s", buf_text(&why));
    else if (printf("%d migration%s applied, the schema is up to date\n", applied, applied == 1 ? "" : "s") <
             0)
        code = EXIT_FAILURE;
    if (code == EXIT_SUCCESS && applied > 0)
        list_found(store);
    buf_free(&why);
    command_store_end(&config, store);
    return code;
}

const struct command command_migrate = {
    .name = "migrate",
    .operands = "",
    .summary = "bring the database's schema up to date",
    .help = "Applies the migrations that are missing. A relay does so by itself when it starts, but for\n"
            "PostgreSQL (PATCHCORD_DATABASE_URL): there this command does. Also on the database of an older\n"
            "Patchcord, whose messages, threads and tokens go on working.\n",
    .options =
        {
            {"database-url-stdin", NULL, "the PostgreSQL whose URL is on stdin, one line"},
        },
    .begins_store = true,
    .run = run,
};
