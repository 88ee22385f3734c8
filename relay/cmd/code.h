/* code.h: what the commands share that hand out a code: connect and invite. */
#ifndef RELAY_CMD_CODE_H
#define RELAY_CMD_CODE_H

#include "../../common/ident.h"
#include "../auth/typed_code.h"
#include "../store/store_oauth.h"
#include "command.h"

enum { CODE_ALSO_MAX = 32 };

/* Who a code lets in. */
struct code_agent {
    struct ident ident;
    char also[CODE_ALSO_MAX][NAME_SIZE]; /* further namespaces */
    size_t also_count;
};

/* Reads "ns2,ns3" into also (NULL: none). False: one line was printed. */
MUST_CHECK bool code_also_read(const char *list, struct code_agent *agent);

/* Mints a code, stores what it stands for, and tells who it is for on stderr, never the code. Returns the
 * exit code; a failure was printed, and code is "". Wipe code after use. */
int code_mint(const struct config *config, struct store *store, enum store_code_kind kind,
    const struct code_agent *agent, int64_t lasts_ms, char code[static TYPED_CODE_SIZE]);

#endif
