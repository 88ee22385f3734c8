/* migrate: brings the database's schema up to date. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "grants.h"

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

/* Those of an older Patchcord, where anybody was let in: they have no audience. Moves them to the front. */
static struct store_grants found_among(const struct store_grants *grants)
{
    struct store_grants found = {.items = grants->items};
    for (size_t i = 0; i < grants->count; i++) {
        if (*grants->items[i].audience)
            continue;
        const struct store_grant one = grants->items[i];
        grants->items[i] = grants->items[found.count];
        grants->items[found.count++] = one;
    }
    return found;
}

/* False: the store failed, or nothing can be written to stdout. */
static bool list_found(struct store *store)
{
    struct store_grants grants;
    struct buf text = {0};
    if (store_grant_list(store, &grants) != STORE_DONE)
        return false;
    const struct store_grants found = found_among(&grants);
    if (found.count > 0) {
        buf_puts(&text,
            "\nLogged in before, and still let in (`patchcord-relay grants revoke --all` ends that):\n");
        grants_write(&found, &text);
    }
    const bool done = fputs(buf_text(&text), stdout) >= 0 && fflush(stdout) == 0;
    buf_free(&text);
    store_grants_free(&grants);
    return done;
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
    if (code == EXIT_SUCCESS && applied > 0 && !list_found(store))
        code = command_fail("the grants that were found cannot be listed: see patchcord-relay grants list");
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
    .begins_store = BEGINS_STORE,
    .run = run,
};
