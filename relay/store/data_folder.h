/* data_folder.h: the folder that holds the store's file, for its owner's eyes only, and the lock that lets
 * one relay serve it. */
#ifndef RELAY_STORE_DATA_FOLDER_H
#define RELAY_STORE_DATA_FOLDER_H

#include <stdbool.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

#define DATABASE_FILE "patchcord.db"
#define LOCK_FILE     "relay.lock"

/* Creates the folder (0700, parents too) where it is missing, and makes sure that it can be written. False:
 * why has one line. */
MUST_CHECK bool data_folder_prepare(const char *folder, struct buf *why);
/* The same with the database file in it (0600). */
MUST_CHECK bool data_folder_prepare_database(const char *folder, struct buf *why);

enum folder_lock { FOLDER_LOCKED, FOLDER_SERVED, FOLDER_LOCK_FAILED };
/* Takes the lock and puts its descriptor into *fd: the lock ends when that is closed, or the process dies.
 * SERVED where another relay has it, FAILED where it cannot be had at all; why has one line for both. */
MUST_CHECK enum folder_lock data_folder_lock(const char *folder, int *fd, struct buf *why);
/* Prepares and locks it for a relay whose store is elsewhere: its keys, and its files perhaps, are there.
 * False: why has one line. */
MUST_CHECK bool data_folder_take(const char *folder, int *fd, struct buf *why);

#endif
