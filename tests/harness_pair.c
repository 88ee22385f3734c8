#include "harness_pair.h"

#include <stdlib.h>

struct relay_process *relay;
char *frontend, *backend;

void pair_setup(void)
{
    relay = relay_start(NULL, NULL);
    frontend = relay_token(relay, "frontend@myproject");
    backend = relay_token(relay, "backend@myproject");
}

void pair_teardown(void)
{
    free(frontend);
    free(backend);
    harness_cleanup();
}
