/* uuid.h: RFC 9562 UUIDs in their 36-character lower-case text form, which is how the whole program carries
 * them. */
#ifndef COMMON_UUID_H
#define COMMON_UUID_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

enum { UUID_LEN = 36, UUID_SIZE = UUID_LEN + 1 };

/* Reads exactly len bytes of the canonical form, either case, into lower case. False (out is "") for anything
 * else. */
MUST_CHECK bool uuid_parse(const char *text, size_t len, char out[static UUID_SIZE]);
void uuid_v4(char out[static UUID_SIZE]);
/* Time-ordered (section 5.7): successive calls of one process sort ascending, any thread. */
void uuid_v7(char out[static UUID_SIZE]);
/* Name-based (section 5.5, SHA-1) of the UUID space (canonical text) and name. The same input gives the same
 * id. */
void uuid_v5(const char space[static UUID_SIZE], const char *name, char out[static UUID_SIZE]);

#endif
