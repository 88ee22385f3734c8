/* token_endpoint.h: the words that POST /token and the others have in common. */
#ifndef RELAY_OAUTH_TOKEN_ENDPOINT_H
#define RELAY_OAUTH_TOKEN_ENDPOINT_H

#define GRANT_CODE    "authorization_code"
#define GRANT_REFRESH "refresh_token"
#define GRANT_DEVICE  "urn:ietf:params:oauth:grant-type:device_code"

enum {
    DEVICE_INTERVAL_S = 5, /* how often a device may ask */
    /* What counts as too early: a network delivers one question later than the next. */
    DEVICE_INTERVAL_MS = (DEVICE_INTERVAL_S - 1) * 1000,
};

#endif
