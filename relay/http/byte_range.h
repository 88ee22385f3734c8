/* byte_range.h: which part of an answer a client wants (RFC 9110 section 14). Pure. */
#ifndef RELAY_HTTP_BYTE_RANGE_H
#define RELAY_HTTP_BYTE_RANGE_H

#include <stdint.h>

enum byte_range { BYTE_RANGE_WHOLE, BYTE_RANGE_PART, BYTE_RANGE_UNSATISFIABLE };

/* Reads the Range header's value (NULL: there is none) for size bytes. PART: *first and *len are within them,
 * else they stay as they are. Several ranges and other units are passed over, as the RFC allows: the whole is
 * sent. */
enum byte_range byte_range_read(const char *header, int64_t size, int64_t *first, int64_t *len);

#endif
