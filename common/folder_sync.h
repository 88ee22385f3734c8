/* folder_sync.h: makes a folder's entries last through a power loss. */
#ifndef COMMON_FOLDER_SYNC_H
#define COMMON_FOLDER_SYNC_H

#include <stdbool.h>

#include "compiler.h"

/* errno tells why not. */
MUST_CHECK bool folder_sync(const char *folder);

#endif
