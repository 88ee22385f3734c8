/* migrate: brings the database's schema up to date. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    struct buf why = {0};
    int applied = 0, code = EXIT_SUCCESS;
    if (!store_migrate(store, &applied, &why))
        code = command_fail("%s", buf_text(&why));
    else if (printf("%d migration%s applied, the schema is up to date\n", applied, applied == 1 ? "" : "s") <
             0)
        code = EXIT_FAILURE;
    buf_free(&why);
    command_store_end(&config, store);
    return code;
}

const struct command command_migrate = {
    .name = "migrate",
    .operands = "",
    .summary = "bring the database's schema up to date",
    .help = "Applies the migrations that are missing. A relay does so by itself when it starts.\n",
    .begins_store = true,
    .run = run,
};
