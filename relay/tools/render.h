/* render.h: messages and agents as a model reads them, and as programs do. Pure: what it shows comes in, text
 * goes out. */
#ifndef RELAY_TOOLS_RENDER_H
#define RELAY_TOOLS_RENDER_H

#include "../../common/json.h"
#include "../store/store.h"

/* How much of each of count messages is shown, so that together they fit into max_bytes: what short ones
 * leave is given to those after them. At least RENDER_LEAST_BYTES a message. */
enum { RENDER_LEAST_BYTES = 200 };

struct render {
    struct buf *out;
    int64_t now_ms;   /* wall clock, for ages */
    size_t max_bytes; /* that out is to have in the end */
    const char *home; /* the reader's own namespace: agents of others are shown as agent@namespace */
};

/* "From frontend (2 min ago) [id] thread auth-migration, attempt 2" and the fenced content; one that does not
 * fit is cut, with how to read on. messages_left: how many are to come, this one included. */
void render_offered(const struct render *r, const struct store_message *message, size_t messages_left);
/* "From frontend to backend (2 min ago) [id] read just now": also what became of it. offset: code points of
 * the content that are passed over. */
void render_recalled(
    const struct render *r, const struct store_message *message, size_t offset, size_t messages_left);
/* At most max_bytes of the content, without how to read on: for a message that is refused or announced, not
 * handed out. */
void render_preview(const struct render *r, const struct store_message *message, size_t max_bytes);

/* "Online: frontend (laptop, claude_code), …": those seen at or after active_since_ms, without self, and with
 * all set a line "Away: …" of the others. */
void render_agents(const struct render *r, const struct store_agents *agents, const char *self,
    int64_t active_since_ms, bool all);

/* "last seen 3h ago; will see it at its next stop": whether an answer is near. name NULL: the line stands
 * alone. */
void render_presence(const struct render *r, const char *name, int64_t last_seen_ms, bool is_waiting);

/* The same for programs. Times are RFC 3339, null where they did not happen. */
struct json_object *json_of_messages(
    const struct store_messages *messages, const char *home, bool with_history);
struct json_object *json_of_agents(const struct store_agents *agents, int64_t active_since_ms);

#endif
