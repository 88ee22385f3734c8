/* signed_url.h: where the bridge lets a signed URL lead it that the relay gave for a file. Pure. */
#ifndef BRIDGE_SIGNED_URL_H
#define BRIDGE_SIGNED_URL_H

#include <stdbool.h>

#include "../common/buf.h"
#include "../common/compiler.h"

/* Appends the address to use for what the relay at relay_url gave:
 *   - its own origin, or any https host (another server may keep the files): as given;
 *   - where the relay says that it is another server's (is_elsewhere), and both are on this machine: as
 * given;
 *   - plain http to loopback, from a relay that we reach over loopback too: there, under the address by which
 * we reach it;
 *   - anything else is refused: why has one line. */
MUST_CHECK bool signed_url_take(
    const char *relay_url, const char *given, bool is_elsewhere, struct buf *out, struct buf *why);

#endif
