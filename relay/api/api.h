/* api.h: the handlers of everything that is not MCP. The exchange's app is struct relay. */
#ifndef RELAY_API_API_H
#define RELAY_API_API_H

#include "../http/exchange.h"

enum {
    API_SMALL_BODY = 64 * 1024,     /* an acknowledgement of PATCHCORD_ACKS_MAX ids fits */
    API_MESSAGE_BODY = 1024 * 1024, /* the longest message, each character written as an escape, fits */
    API_POLL_MAX = 50,              /* messages in one answer of channel/poll */
    API_INBOX_LIMIT = 5,
    API_INBOX_LIMIT_MAX = 100,
    API_PREVIEW_CHARACTERS = 100,
};

handler_fn api_health, api_ready, api_metrics;
handler_fn api_inbox, api_ack, api_events;
handler_fn api_channel_poll, api_channel_send, api_channel_reply;
handler_fn api_cleanup, api_cleanup_oauth;
handler_fn api_join;
handler_fn api_realtime_ticket, api_skills, api_install_path;
handler_fn api_file_put, api_file_get;
extern const struct body_sink api_file_sink; /* of api_file_put */
handler_fn api_security_txt, api_openai_challenge;

#endif
