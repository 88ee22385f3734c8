/* media_type.h: what kind of file an attachment is (RFC 9110 section 8.3.1), and which kinds the operator
 * takes. Pure. */
#ifndef RELAY_BLOB_MEDIA_TYPE_H
#define RELAY_BLOB_MEDIA_TYPE_H

#include <stdbool.h>

#include "../../common/compiler.h"

enum { MEDIA_TYPE_MAX = 100, MEDIA_TYPE_SIZE = MEDIA_TYPE_MAX + 1 };

#define MEDIA_TYPE_UNKNOWN "application/octet-stream"
/* The setting's default. */
#define MEDIA_TYPES_ALLOWED                                                                                  \
    "text/*,image/*,audio/*,video/*,font/*,application/json,application/xml,application/yaml,application/"   \
    "pdf,"                                                                                                   \
    "application/zip,application/gzip,application/x-tar,application/zstd,application/"                       \
    "x-7z-compressed,application/x-xz,"                                                                      \
    "application/sql,application/x-sqlite3,application/wasm,application/x-ndjson,application/"               \
    "toml,application/rtf,"                                                                                  \
    "application/vnd.*,application/msword,application/octet-stream"

/* Reads "type/subtype" with parameters behind it, which are dropped, into lower case. False (out is ""): no
 * media type. */
MUST_CHECK bool media_type_parse(const char *text, char out[static MEDIA_TYPE_SIZE]);
/* By the file name's extension; MEDIA_TYPE_UNKNOWN where that tells nothing. Borrowed for ever. */
const char *media_type_of_name(const char *name);
/* Whether the list ("text/ *,application/pdf,application/vnd.*", without the blank) has the parsed type. */
bool media_type_allowed(const char *list, const char *type);
/* NULL: a list as above. Else the first entry that is none, and its length in *len. */
const char *media_types_wrong(const char *list, int *len);
/* True for what a model may be shown as text. */
bool media_type_is_text(const char *type);

#endif
