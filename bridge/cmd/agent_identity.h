/* agent_identity.h: whose identity a project gets: where its token comes from, and whether its relay knows
 * it. */
#ifndef BRIDGE_CMD_AGENT_IDENTITY_H
#define BRIDGE_CMD_AGENT_IDENTITY_H

#include "../command.h"
#include "../credentials.h"

enum agent_source {
    AGENT_STORED, /* what is stored for this folder and client, else what the client's older entry has */
    AGENT_STDIN,  /* --token -: standard input, or typed */
    AGENT_CODE,   /* --code: an invitation */
    AGENT_LOGIN,  /* --login: approved on the relay's page */
};

struct agent_identity {
    enum agent_source source;
    const char *server; /* --server; NULL: the stored entry's */
    const char *code;
    struct config_options options; /* with the client set */
    char *credentials;             /* path of the file; owned */
    struct config config;          /* url, token, folder and ca_file are set in the end */
    char agent[ADDRESS_SIZE];      /* as the relay calls it */
    bool older;                    /* relay and token came from the client's older entry */
};

/* Finds url and token, and asks the relay whose it is. older: url and token of the client's older entry, or
 * NULLs. A command's exit code; why has one line where it is not COMMAND_DONE. */
int agent_identity_find(
    struct agent_identity *who, const char *older_url, const char *older_token, struct buf *why);
/* Keeps it for config's folder (NULL: for none) and client, in place of any other there. False: why has one
 * line. */
MUST_CHECK bool agent_identity_keep(const struct agent_identity *who, struct buf *why);
void agent_identity_free(struct agent_identity *who);

#endif
