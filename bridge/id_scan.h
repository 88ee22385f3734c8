/* id_scan.h: the id of a JSON-RPC message that cannot be parsed as a whole, because it is malformed or too
 * long to keep: so that the error for it can name it. */
#ifndef BRIDGE_ID_SCAN_H
#define BRIDGE_ID_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/json.h"

enum { ID_SCAN_TEXT_MAX = 256 };

/* A zeroed struct is ready. */
struct id_scan {
    enum { ID_SCAN_KEY, ID_SCAN_COLON, ID_SCAN_VALUE } expects;
    bool began, dead;        /* the first brace was seen; this is no object */
    size_t depth;            /* of open braces and brackets */
    bool in_string, escaped; /* anywhere */
    bool in_id;              /* the value of "id" at depth 1 is being read */
    unsigned found;          /* ids so far */
    size_t len, value_len;   /* of token and value */
    char token[ID_SCAN_TEXT_MAX], value[ID_SCAN_TEXT_MAX];
};

/* The next bytes, in pieces of any size. Memory is constant. */
void id_scan_feed(struct id_scan *scan, const char *bytes, size_t len);
/* The id (a string or an integer) where the top-level object had exactly one; else NULL. The caller owns it.
 */
struct json_object *id_scan_result(const struct id_scan *scan);

#endif
