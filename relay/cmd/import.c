/* import: what export wrote, into this store. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "attachments.h"
#include "command.h"
#include "export_line.h"

enum { READ_BYTES = 256 * 1024, PAGE_BYTES = 4 * 1024 * 1024 };

/* ---- lines, no longer than they may be ---- */

struct source {
    int fd;
    struct buf text;
    size_t at, searched; /* where the next line begins; up to where there is no end of it */
    bool is_at_end;
    int64_t line; /* number of the one that was read last */
};

enum source_status { SOURCE_LINE, SOURCE_END, SOURCE_LONG, SOURCE_FAULT };

static bool source_fill(struct source *s)
{
    buf_consume(&s->text, s->at);
    s->searched -= s->at;
    s->at = 0;
    ssize_t got;
    do
        got = read(s->fd, buf_reserve(&s->text, READ_BYTES), READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    buf_commit(&s->text, (size_t)got);
    s->is_at_end = got == 0;
    return true;
}

/* The line is borrowed until the next call; what is left behind the last end of a line is one, too. */
static enum source_status source_next(struct source *s, const char **line, size_t *len)
{
    const char *end = NULL;
    for (;;) {
        if (s->text.len > s->searched)
            end = memchr(s->text.data + s->searched, '\n', s->text.len - s->searched);
        s->searched = end ? (size_t)(end - s->text.data) : s->text.len;
        if (s->searched - s->at > EXPORT_LINE_MAX) {
            s->line++;
            return SOURCE_LONG;
        }
        if (end || s->is_at_end)
            break;
        if (!source_fill(s))
            return SOURCE_FAULT;
    }
    if (!end && s->searched == s->at)
        return SOURCE_END;
    *line = s->text.data + s->at;
    *len = s->searched - s->at;
    s->at = s->searched += end ? 1 : 0;
    s->line++;
    return SOURCE_LINE;
}

/* ---- what was taken ---- */

enum { COUNT_FILES = DUMP_KINDS, COUNTS };

struct count {
    int64_t taken, passed;
};

struct import {
    struct source source;
    struct store *store;
    struct blob_store *blobs; /* NULL: attachments are passed over */
    struct count counts[COUNTS];
    bool is_begun, is_ended;

    /* the page that is collected */
    enum dump_kind kind;
    struct json_object *rows;
    size_t bytes;

    /* the attachment whose content comes */
    bool has_file;
    struct blob_info file;
    struct blob_upload *upload; /* NULL: it is passed over */
    int64_t got;
    crypto_hash_sha256_state hash;
};

/* ---- rows ---- */

static bool flush(struct import *im, struct buf *why)
{
    const size_t count = json_object_array_length(im->rows);
    int64_t taken = 0;
    if (count == 0)
        return true;
    const enum store_status status = store_load(im->store, im->kind, im->rows, &taken);
    if (status == STORE_DONE) {
        im->counts[im->kind].taken += taken;
        im->counts[im->kind].passed += (int64_t)count - taken;
    } else {
        buf_puts(why, "the store failed");
    }
    json_object_put(im->rows);
    im->rows = json_new_array();
    im->bytes = 0;
    return status == STORE_DONE;
}

static bool take_row(struct import *im, struct export_line *line, size_t len, struct buf *why)
{
    const bool is_full = json_object_array_length(im->rows) == DUMP_PAGE_ROWS || im->bytes >= PAGE_BYTES;
    if ((is_full || line->row_kind != im->kind) && !flush(im, why))
        return false;
    im->kind = line->row_kind;
    im->bytes += len;
    json_append(im->rows, json_object_get(line->row));
    return true;
}

/* ---- attachments ---- */

static bool file_failed(struct import *im, const char *what, struct buf *why)
{
    buf_printf(why, "the attachment %s %s", im->file.path.text, what);
    return false;
}

/* All of its content has come. */
static bool finish_file(struct import *im, struct buf *why)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[SHA256_HEX_SIZE];
    im->has_file = false;
    crypto_hash_sha256_final(&im->hash, digest);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    if (strcmp(hex, im->file.sha256) != 0)
        return file_failed(im, "is not what its SHA-256 says", why);
    if (!im->upload) {
        im->counts[COUNT_FILES].passed++;
        return true;
    }
    const enum blob_status status = blob_commit(im->upload, NULL);
    im->upload = NULL;
    im->counts[COUNT_FILES].taken += status == BLOB_DONE ? 1 : 0;
    im->counts[COUNT_FILES].passed += status == BLOB_EXISTS ? 1 : 0;
    return status == BLOB_DONE || status == BLOB_EXISTS || file_failed(im, blob_status_text(status), why);
}

static bool take_file(struct import *im, struct export_line *line, size_t len, struct buf *why)
{
    (void)len;
    if (!flush(im, why))
        return false;
    im->file = line->file;
    im->has_file = true;
    im->got = 0;
    crypto_hash_sha256_init(&im->hash);
    if (im->blobs) {
        const enum blob_status status =
            blob_begin(im->blobs, &im->file.path, im->file.type, 0, im->file.size, &im->upload);
        if (status != BLOB_DONE && status != BLOB_EXISTS)
            return file_failed(im, blob_status_text(status), why);
    }
    return im->file.size > 0 || finish_file(im, why);
}

static bool take_chunk(struct import *im, struct export_line *line, size_t len, struct buf *why)
{
    (void)len;
    const struct buf *bytes = &line->bytes;
    if (!im->has_file || (int64_t)bytes->len > im->file.size - im->got) {
        buf_puts(why, "it belongs to no attachment");
        return false;
    }
    im->got += (int64_t)bytes->len;
    crypto_hash_sha256_update(&im->hash, (const unsigned char *)bytes->data, bytes->len);
    if (im->upload) {
        const enum blob_status status = blob_write(im->upload, bytes->data, bytes->len);
        if (status != BLOB_DONE)
            return file_failed(im, blob_status_text(status), why);
    }
    return im->got < im->file.size || finish_file(im, why);
}

/* ---- all lines ---- */

static bool take_header(struct import *im, struct export_line *line, size_t len, struct buf *why)
{
    (void)line;
    (void)len;
    if (im->is_begun)
        buf_puts(why, "an export begins in the middle of another");
    im->is_begun = true;
    return why->len == 0;
}

static bool take_end(struct import *im, struct export_line *line, size_t len, struct buf *why)
{
    (void)len;
    im->is_ended = true;
    if (line->lines == im->source.line - 2)
        return flush(im, why);
    buf_printf(why, "it says that %lld lines are above it, behind the first", (long long)line->lines);
    return false;
}

static bool (*const takers[])(struct import *im, struct export_line *line, size_t len, struct buf *why) = {
    [EXPORT_HEADER] = take_header,
    [EXPORT_ROW] = take_row,
    [EXPORT_FILE] = take_file,
    [EXPORT_CHUNK] = take_chunk,
    [EXPORT_END] = take_end,
};

/* Whether a line of that kind may come now. */
static bool fits(const struct import *im, enum export_line_kind kind, struct buf *why)
{
    if (!im->is_begun && kind != EXPORT_HEADER)
        buf_puts(why, "it is no export: the version is missing");
    else if (im->is_ended)
        buf_puts(why, "something stands behind the end");
    else if (im->has_file && kind != EXPORT_CHUNK)
        buf_printf(why, "the attachment %s is not whole", im->file.path.text);
    return why->len == 0;
}

static bool take_line(struct import *im, const char *text, size_t len, struct buf *why)
{
    struct export_line line;
    if (!export_line_read(text, len, &line, why))
        return false;
    const bool taken = fits(im, line.kind, why) && takers[line.kind](im, &line, len, why);
    export_line_free(&line);
    return taken;
}

/* False: why says what is wrong, with the line. */
static bool import_lines(struct import *im, struct buf *why)
{
    struct buf reason = {0};
    const char *text = NULL;
    size_t len = 0;
    enum source_status status;
    while ((status = source_next(&im->source, &text, &len)) == SOURCE_LINE) {
        if (!take_line(im, text, len, &reason))
            break;
    }
    if (status == SOURCE_LONG)
        buf_printf(&reason, "it has more than %d bytes", EXPORT_LINE_MAX);
    if (status == SOURCE_FAULT)
        buf_printf(why, "it cannot be read: %s", strerror(errno));
    else if (reason.len > 0)
        buf_printf(why, "line %lld: %s", (long long)im->source.line, buf_text(&reason));
    else if (!im->is_ended)
        buf_printf(why, "it ends in the middle, after line %lld", (long long)im->source.line);
    buf_free(&reason);
    return why->len == 0;
}

/* ---- the command ---- */

/* False: nothing can be written to stdout. */
static bool report(const struct import *im)
{
    struct buf text = {0};
    for (size_t i = 0; i < COUNTS; i++) {
        const struct count *count = &im->counts[i];
        if (count->taken + count->passed > 0)
            buf_printf(&text, "%-8s  %lld taken, %lld passed over\n",
                i == COUNT_FILES ? "file" : dump_kind_names[i], (long long)count->taken,
                (long long)count->passed);
    }
    const bool done = fputs(buf_text(&text), stdout) >= 0 && fflush(stdout) == 0;
    buf_free(&text);
    return done;
}

static bool source_open(struct source *s, const char *path)
{
    *s = (struct source){.fd = STDIN_FILENO};
    if (strcmp(path, "-") != 0)
        s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd >= 0)
        return true;
    (void)command_fail("cannot read %s: %s", path, strerror(errno));
    return false;
}

static int import_from(struct import *im, const char *path)
{
    struct buf why = {0};
    int code = EXIT_SUCCESS;
    im->rows = json_new_array();
    if (!import_lines(im, &why))
        code = command_fail("%s: %s; what is counted here was taken, the rest was not", path, buf_text(&why));
    blob_abort(im->upload);
    json_object_put(im->rows);
    buf_free(&why);
    return report(im) ? code : EXIT_FAILURE;
}

/* False: one line was printed. */
static bool open_files(const struct config *config, struct blob_store **blobs)
{
    struct buf why = {0};
    *blobs = attachments_prepare(config, &why) ? attachments_open(config, false, &why) : NULL;
    if (!*blobs)
        (void)command_fail("nothing was imported: %s", buf_text(&why));
    buf_free(&why);
    return *blobs != NULL;
}

static int run(const struct command_line *line)
{
    struct import im = {0};
    if (!source_open(&im.source, line->operands[0]))
        return EXIT_FAILURE;
    struct config config;
    int code = EXIT_FAILURE;
    if (command_store(line, &config, &im.store)) {
        if (!command_value(line, "files") || open_files(&config, &im.blobs))
            code = import_from(&im, line->operands[0]);
        blob_close(im.blobs);
        command_store_end(&config, im.store);
    }
    buf_free(&im.source.text);
    if (im.source.fd != STDIN_FILENO)
        (void)close(im.source.fd);
    return code;
}

const struct command command_import = {
    .name = "import",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "take in what export wrote",
    .help =
        "Stores what is in FILE (- for standard input) in addition to what is there. What is there already,\n"
        "by its id or hash, is passed over, so a second run changes nothing, and one that was cut short "
        "goes\n"
        "on. The relay may serve meanwhile. A line that is none of an export ends the import; of the lines\n"
        "above it, what is counted was stored. Tokens work at once, with the same secrets. Attachments keep\n"
        "their paths, and count against the limits and quotas of this relay.\n",
    .options =
        {
            {"files", NULL, "with the attachments, where the export has them"},
        },
    .begins_store = BEGINS_NAMED_STORE,
    .run = run,
};
