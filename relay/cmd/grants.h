/* grants.h: how commands show grants. */
#ifndef RELAY_CMD_GRANTS_H
#define RELAY_CMD_GRANTS_H

#include "../store/store_oauth.h"

/* Appends a table for people. */
void grants_write(const struct store_grants *grants, struct buf *out);

#endif
