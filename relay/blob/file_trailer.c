#include "file_trailer.h"

#include <assert.h>
#include <string.h>

#include "../../common/json.h"

enum { FORMAT = 1 };

void file_trailer_write(const struct blob_info *info, char out[static FILE_TRAILER_BYTES])
{
    struct json_object *trailer = json_new_object();
    struct buf text = {0};

    json_add_int(trailer, "patchcord_file", FORMAT);
    json_add_int(trailer, "size", info->size);
    json_add_text(trailer, "sha256", info->sha256);
    json_add_text(trailer, "type", info->type);
    json_add_int(trailer, "stored_ms", info->stored_ms);
    json_write(trailer, &text);
    json_object_put(trailer);
    assert(text.len + 2 <= FILE_TRAILER_BYTES);
    /* A line of its own, and the blanks in front, so that it ends where the file ends. */
    memset(out, ' ', FILE_TRAILER_BYTES);
    out[0] = out[FILE_TRAILER_BYTES - 1] = '\n';
    memcpy(out + FILE_TRAILER_BYTES - 1 - text.len, text.data, text.len);
    buf_free(&text);
}

static bool is_sha256(const char *text)
{
    return strlen(text) == SHA256_HEX_SIZE - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

static bool read_fields(struct json_object *trailer, struct blob_info *info)
{
    int64_t format = 0;
    const char *sha256 = json_text_or(trailer, "sha256", ""), *type = json_text_or(trailer, "type", "");

    if (json_get_int(trailer, "patchcord_file", &format) != JSON_FIELD_FOUND || format != FORMAT ||
        json_get_int(trailer, "size", &info->size) != JSON_FIELD_FOUND || info->size < 0 ||
        json_get_int(trailer, "stored_ms", &info->stored_ms) != JSON_FIELD_FOUND || !is_sha256(sha256) ||
        !media_type_parse(type, info->type))
        return false;
    memccpy(info->sha256, sha256, '\0', sizeof info->sha256);
    return true;
}

bool file_trailer_read(
    const char bytes[static FILE_TRAILER_BYTES], int64_t file_bytes, struct blob_info *info)
{
    enum json_fault fault;
    if (bytes[0] != '\n' || bytes[FILE_TRAILER_BYTES - 1] != '\n')
        return false;
    struct json_object *trailer = json_parse(bytes, FILE_TRAILER_BYTES, &fault);
    const bool fine = fault == JSON_FAULT_NONE && json_object_is_type(trailer, json_type_object) &&
                      read_fields(trailer, info) && info->size == file_bytes - FILE_TRAILER_BYTES;
    json_object_put(trailer);
    return fine;
}
