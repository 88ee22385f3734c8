#include "sealing.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "store_cipher.h"

/* ---- in ---- */

static enum store_status send_sealed(struct store *s, size_t key, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result)
{
    struct buf text = {0};
    struct store_send sealed = *send;
    const struct cipher_context context = {caller->agent, send->message_id};
    store_cipher_seal(s->cipher, key, &context, send->content, send->content_len, &text);
    sealed.content = buf_text(&text);
    sealed.content_len = text.len;
    sealed.is_sealed = true;
    const enum store_status status = s->ops->send(s, caller, &sealed, result);
    buf_free(&text);
    return status;
}

/* The id is there, with what looks like another content; it may be this one under another key. */
static bool send_may_be_older(
    const struct store_send *send, enum store_status status, const struct store_send_result *result)
{
    return status == STORE_REFUSED && result->refusal == REFUSAL_ID_TAKEN && send->message_id && !send->basis;
}

enum store_status sealing_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result)
{
    if (!s->cipher)
        return s->ops->send(s, caller, send, result);
    enum store_status status = send_sealed(s, 0, caller, send, result);
    for (size_t key = 1; key < store_cipher_keys(s->cipher); key++) {
        if (!send_may_be_older(send, status, result))
            return status;
        store_send_result_free(result);
        status = send_sealed(s, key, caller, send, result);
    }
    if (!send_may_be_older(send, status, result))
        return status;
    /* Only asked, so that nothing can be stored in clear. */
    struct store_send clear = *send;
    clear.only_ask = true;
    store_send_result_free(result);
    return s->ops->send(s, caller, &clear, result);
}

static enum store_status reply_sealed(struct store *s, size_t key, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result)
{
    struct buf text = {0};
    struct store_reply sealed = *reply;
    const struct cipher_context context = {caller->agent, reply->reply_id};
    store_cipher_seal(s->cipher, key, &context, reply->content, reply->content_len, &text);
    sealed.content = buf_text(&text);
    sealed.content_len = text.len;
    sealed.is_sealed = true;
    const enum store_status status = s->ops->reply(s, caller, &sealed, result);
    buf_free(&text);
    return status;
}

enum store_status sealing_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result)
{
    if (!s->cipher || !reply->content)
        return s->ops->reply(s, caller, reply, result);
    enum store_status status = reply_sealed(s, 0, caller, reply, result);
    for (size_t key = 1; key < store_cipher_keys(s->cipher); key++) {
        if (status != STORE_REFUSED || result->refusal != REFUSAL_ID_TAKEN || !reply->reply_id)
            return status;
        store_reply_result_free(result);
        status = reply_sealed(s, key, caller, reply, result);
    }
    return status;
}

/* ---- out ---- */

static enum cipher_open open_text(
    const struct store *s, const struct store_message *message, struct buf *text, char *key_id)
{
    *key_id = '\0';
    if (!s->cipher)
        return CIPHER_NO_KEY;
    return store_cipher_open(s->cipher, message->from, message->content, message->content_len, text, key_id);
}

static void open_message(const struct store *s, struct store_message *message)
{
    char key_id[CIPHER_KEY_ID_SIZE];
    struct buf text = {0};
    const enum cipher_open opened = open_text(s, message, &text, key_id);
    if (opened != CIPHER_OPENED) {
        log_warn("message_not_opened", LOG_STR("id", message->id), LOG_STR("key", key_id),
            LOG_STR("why", opened == CIPHER_NO_KEY ? "no such key" : "not what was sealed"));
        buf_reset(&text);
        buf_puts(&text, opened == CIPHER_NO_KEY
                            ? "(encrypted with a key that the relay does not have; its operator can add it)"
                            : "(encrypted, and changed since: it cannot be read)");
    }
    free(message->content);
    message->content_len = text.len;
    message->content = buf_take(&text);
    message->is_sealed = false;
}

void sealing_open(const struct store *s, struct store_messages *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        if (messages->items[i].is_sealed && messages->items[i].content)
            open_message(s, &messages->items[i]);
    }
}
