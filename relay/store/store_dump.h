/* store_dump.h: what a store keeps, as rows in one form that is the same for every kind of store, so that all
 * of it can be moved into another.
 *
 * A row is a JSON object with the fields of its kind (dump_fields), named as in store.h: ids and hashes in
 * lower case, times in wall-clock milliseconds. What is null, 0 or false is left out. Leases are not in a
 * message, and codes that live for minutes are no rows. */
#ifndef RELAY_STORE_STORE_DUMP_H
#define RELAY_STORE_STORE_DUMP_H

#include "../../common/json.h"
#include "store.h"

/* In this order they can be stored: what a row names comes before it. */
enum dump_kind {
    DUMP_TOKEN,
    DUMP_AGENT, /* presence */
    DUMP_BAN,
    DUMP_CLIENT,
    DUMP_GRANT,
    DUMP_ACCESS, /* tokens of grants */
    DUMP_REFRESH,
    DUMP_MESSAGE, /* each with its thread */
    DUMP_KINDS,
};
extern const char *const dump_kind_names[DUMP_KINDS]; /* "token", "agent", ... */

enum dump_type {
    DUMP_TEXT,
    DUMP_TEXTS, /* a list */
    DUMP_JSON,  /* a text that is JSON itself, kept to the byte */
    DUMP_ID,
    DUMP_HASH,   /* SHA-256, hex */
    DUMP_STATUS, /* of a message */
    DUMP_COUNT,  /* up to DUMP_COUNT_MAX */
    DUMP_NUMBER, /* up to DUMP_NUMBER_MAX */
    DUMP_FLAG,
};
enum { DUMP_COUNT_MAX = 1000 * 1000 * 1000 };
#define DUMP_NUMBER_MAX (INT64_C(1) << 53) /* every parser of JSON takes it, and every database as a time */

struct dump_field {
    const char *name; /* NULL ends the list */
    enum dump_type type;
    bool is_required;
    bool is_key; /* one of those that order the kind's rows, and by which one is known again */
};
/* The fields of that kind, in their order. */
const struct dump_field *dump_fields(enum dump_kind kind);

/* Rows that a store is asked for, and given, at a time. */
enum { DUMP_PAGE_ROWS = 100 };

/* That row with its fields in their order, to be put. NULL: it is none of that kind, and why has a clause. */
struct json_object *dump_row(enum dump_kind kind, struct json_object *row, struct buf *why);

/* The next rows of that kind, by their keys, behind the row after (NULL: from the first one): at most
 * DUMP_PAGE_ROWS, none at the end. *rows is an array to be put, NULL for a FAULT. Pages are read one by one,
 * so rows that others add or change meanwhile may be missing, or be as they were before. */
MUST_CHECK enum store_status store_dump(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object **rows);

/* Stores these rows (an array of what dump_row made, at most DUMP_PAGE_ROWS), all or none; those whose keys
 * are there already are passed over, and tokens of a grant that is not there. *taken: how many were not.
 *
 * Messages are stored in their order, behind those that are there; a seq that is free for that is kept. A
 * thread that the pair has already under that name becomes the message's own. */
MUST_CHECK enum store_status store_load(
    struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken);

#endif
