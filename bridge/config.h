/* config.h: who we are and which relay we talk to: the command line, the environment and the credentials
 * file, taken together (docs/client-setup.md). */
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H

#include <stdbool.h>

#include "../common/buf.h"
#include "../common/compiler.h"
#include "../common/env.h"

/* Folders on the command line, and in an entry of the credentials file. */
enum { CONFIG_ALLOWED_MAX = 8 };

/* The options that all commands share; borrowed from argv. */
struct config_options {
    const char *as;     /* --as AGENT@NAMESPACE: which stored identity; NULL: chosen by folder */
    const char *client; /* --client NAME: the client type that the relay is told; NULL: found out */
    bool insecure_http; /* --insecure-http: plain http to other hosts than loopback */
    const char *allowed[CONFIG_ALLOWED_MAX + 1]; /* --allow-path FOLDER, NULL-ended */
};

struct config {
    char *url;     /* of the relay, without a trailing slash */
    char *token;   /* secret */
    char *agent;   /* "agent@namespace"; NULL where the token came from the environment */
    char *client;  /* --client, or the stored entry's client; NULL: neither says */
    char *ca_file; /* trusted beside the system's authorities: a CA file or a pin (transfer.h); NULL: none */
    char *folder;  /* the project's: the current folder, without links; "" where it is gone */
    /* Further folders whose files the agent may send and save: the person's word alone, from the command line
     * and the credentials file; NULL-ended. */
    char **allowed;
    int64_t outbox_max_entries, outbox_max_bytes;
};

/* The rows of the environment's part, for the docs check. */
extern const struct setting config_settings[];

/* Fills in *out, whose url and token are set then. False: why says in one line (without a final newline) what
 * is missing or refused and which command or setting sets it up; *out is zeroed. The folder is the current
 * one. */
MUST_CHECK bool config_load(const struct config_options *options, struct config *out, struct buf *why);
/* The same for somebody who is to get an identity from the relay at that url: token, agent and allowed stay
 * NULL, PATCHCORD_URL and PATCHCORD_TOKEN are not looked at. */
MUST_CHECK bool config_for_relay(
    const struct config_options *options, const char *url, struct config *out, struct buf *why);
/* Frees, wiping the token; *config is zeroed afterwards. */
void config_free(struct config *config);

/* Takes --as X, --as=X, --client X, --client=X, --allow-path X and --insecure-http out of argv (up to a "--",
 * which stays) and adjusts *argc. False: why has one line. */
MUST_CHECK bool config_take_options(int *argc, char **argv, struct config_options *out, struct buf *why);

#endif
