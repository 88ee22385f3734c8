#include "export_line.h"

#include <bsd/string.h>
#include <sodium.h>
#include <string.h>

#define VERSION_KEY "patchcord_export"

enum { BASE64 = sodium_base64_VARIANT_ORIGINAL };

/* ---- writing ---- */

static void write_line(struct json_object *object, struct buf *out)
{
    json_write(object, out);
    buf_putc(out, '\n');
    json_object_put(object);
}

void export_write_header(struct buf *out)
{
    struct json_object *object = json_new_object();
    json_add_int(object, VERSION_KEY, EXPORT_VERSION);
    write_line(object, out);
}

void export_write_row(enum dump_kind kind, struct json_object *row, struct buf *out)
{
    struct json_object *object = json_new_object();
    json_add_text(object, "kind", dump_kind_names[kind]);
    json_object_object_foreach(row, name, value)
    {
        json_add(object, name, json_object_get(value));
    }
    write_line(object, out);
}

void export_write_file(const struct blob_info *info, struct buf *out)
{
    struct json_object *object = json_new_object();
    json_add_text(object, "kind", "file");
    json_add_text(object, "path", info->path.text);
    json_add_text(object, "type", info->type);
    json_add_int(object, "size", info->size);
    json_add_text(object, "sha256", info->sha256);
    write_line(object, out);
}

void export_write_chunk(const char *bytes, size_t len, struct buf *out)
{
    struct json_object *object = json_new_object();
    struct buf text = {0};
    const size_t size = sodium_base64_ENCODED_LEN(len, BASE64);
    sodium_bin2base64(buf_reserve(&text, size), size, (const unsigned char *)bytes, len, BASE64);
    json_add_text(object, "kind", "chunk");
    json_add_text_len(object, "base64", text.data, size - 1);
    write_line(object, out);
    buf_free(&text);
}

void export_write_end(int64_t lines, struct buf *out)
{
    struct json_object *object = json_new_object();
    json_add_text(object, "kind", "end");
    json_add_int(object, "lines", lines);
    write_line(object, out);
}

/* ---- reading: each takes an object without its "kind" ---- */

/* The object has that many fields, which were found. */
static bool has_no_more(struct json_object *object, int count, struct buf *why)
{
    if (json_object_object_length(object) == count)
        return true;
    buf_puts(why, "it has a field that is unknown");
    return false;
}

static bool read_header(struct json_object *object, struct export_line *line, struct buf *why)
{
    int64_t version = 0;
    line->kind = EXPORT_HEADER;
    if (json_get_int(object, VERSION_KEY, &version) != JSON_FIELD_FOUND || version < 1)
        buf_puts(why, "it has neither a kind nor a version");
    else if (version > EXPORT_VERSION)
        buf_printf(why, "the export has version %lld: a newer patchcord-relay made it", (long long)version);
    return why->len == 0 && has_no_more(object, 1, why);
}

static bool read_path(struct json_object *object, struct blob_info *file, struct buf *why)
{
    const char *problem = NULL;
    const char *path = json_text_or(object, "path", "");
    if (blob_path_parse(path, &file->path, &problem) && strcmp(path, file->path.text) == 0)
        return true;
    buf_puts(why, "its \"path\" is not what it has to be");
    return false;
}

static bool read_file(struct json_object *object, struct export_line *line, struct buf *why)
{
    struct blob_info *file = &line->file;
    const char *type = json_text_or(object, "type", ""), *hash = json_text_or(object, "sha256", "");
    line->kind = EXPORT_FILE;
    if (!read_path(object, file, why))
        return false;
    if (!media_type_parse(type, file->type) || strcmp(type, file->type) != 0)
        buf_puts(why, "its \"type\" is not what it has to be");
    else if (json_get_int(object, "size", &file->size) != JSON_FIELD_FOUND || file->size < 0)
        buf_puts(why, "its \"size\" is not what it has to be");
    else if (strlen(hash) != SHA256_HEX_SIZE - 1 || strspn(hash, "0123456789abcdef") != SHA256_HEX_SIZE - 1)
        buf_puts(why, "its \"sha256\" is not what it has to be");
    strlcpy(file->sha256, hash, sizeof file->sha256);
    return why->len == 0 && has_no_more(object, 4, why);
}

static bool read_chunk(struct json_object *object, struct export_line *line, struct buf *why)
{
    const char *text = NULL;
    size_t len = 0, got = 0;
    line->kind = EXPORT_CHUNK;
    if (json_get_text(object, "base64", &text, &len) != JSON_FIELD_FOUND ||
        sodium_base642bin((unsigned char *)buf_reserve(&line->bytes, EXPORT_CHUNK_BYTES), EXPORT_CHUNK_BYTES,
            text, len, NULL, &got, NULL, BASE64) != 0 ||
        got == 0)
        buf_puts(why, "its \"base64\" is not what it has to be");
    else
        buf_commit(&line->bytes, got);
    return why->len == 0 && has_no_more(object, 1, why);
}

static bool read_end(struct json_object *object, struct export_line *line, struct buf *why)
{
    line->kind = EXPORT_END;
    if (json_get_int(object, "lines", &line->lines) != JSON_FIELD_FOUND || line->lines < 0)
        buf_puts(why, "its \"lines\" is not what it has to be");
    return why->len == 0 && has_no_more(object, 1, why);
}

static bool read_row(
    enum dump_kind kind, struct json_object *object, struct export_line *line, struct buf *why)
{
    line->kind = EXPORT_ROW;
    line->row_kind = kind;
    line->row = dump_row(kind, object, why);
    return line->row != NULL;
}

static const struct {
    const char *name;
    bool (*read)(struct json_object *object, struct export_line *line, struct buf *why);
} others[] = {{"file", read_file}, {"chunk", read_chunk}, {"end", read_end}};

static bool read_kind(const char *name, struct json_object *object, struct export_line *line, struct buf *why)
{
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++) {
        if (strcmp(name, dump_kind_names[kind]) == 0)
            return read_row(kind, object, line, why);
    }
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        if (strcmp(name, others[i].name) == 0)
            return others[i].read(object, line, why);
    }
    buf_puts(why, "its kind is unknown");
    return false;
}

/* Takes the kind out of the object. */
static bool read_object(struct json_object *object, struct export_line *line, struct buf *why)
{
    char kind[32] = "";
    const char *name = json_text_or(object, "kind", NULL);
    if (!name)
        return read_header(object, line, why);
    strlcpy(kind, name, sizeof kind);
    json_object_object_del(object, "kind");
    return read_kind(kind, object, line, why);
}

bool export_line_read(const char *text, size_t len, struct export_line *line, struct buf *why)
{
    *line = (struct export_line){0};
    if (len > EXPORT_LINE_MAX) {
        buf_printf(why, "it has more than %d bytes", EXPORT_LINE_MAX);
        return false;
    }
    enum json_fault fault;
    struct json_object *object = json_parse(text, len, &fault);
    if (fault != JSON_FAULT_NONE)
        buf_printf(why, "it %s", json_fault_text(fault));
    else if (!json_object_is_type(object, json_type_object))
        buf_puts(why, "it is no JSON object");
    const bool is_read = why->len == 0 && read_object(object, line, why);
    json_object_put(object);
    if (!is_read)
        export_line_free(line);
    return is_read;
}

void export_line_free(struct export_line *line)
{
    json_object_put(line->row);
    buf_free(&line->bytes);
    *line = (struct export_line){0};
}
