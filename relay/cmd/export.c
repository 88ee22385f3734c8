/* export: everything that the store keeps, as lines that import takes into any other. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/folder_sync.h"
#include "attachments.h"
#include "command.h"
#include "export_line.h"

enum { OUT_BYTES = 256 * 1024 }; /* written at a time */

/* ---- where it goes: a file that gets its name when it is whole, or stdout ---- */

struct output {
    const char *path;
    char *temporary; /* NULL: stdout */
    int fd;
    struct buf pending;
    int64_t lines; /* behind the header */
};

static bool fail_on(const char *doing, const char *path, struct buf *why)
{
    buf_printf(why, "cannot %s %s: %s", doing, path, strerror(errno));
    return false;
}

static bool output_open(struct output *out, const char *path, struct buf *why)
{
    *out = (struct output){.path = path, .fd = STDOUT_FILENO};
    if (strcmp(path, "-") == 0) {
        if (isatty(STDOUT_FILENO))
            buf_puts(why, "an export is not for a terminal: give a FILE, or a pipe");
        return why->len == 0;
    }
    out->temporary = xasprintf("%s.XXXXXX", path);
    out->fd = mkostemp(out->temporary, O_CLOEXEC); /* 0600 */
    if (out->fd >= 0)
        return true;
    fail_on("write", path, why);
    free(out->temporary);
    return false;
}

static bool output_flush(struct output *out, struct buf *why)
{
    size_t done = 0;
    while (done < out->pending.len) {
        const ssize_t wrote = write(out->fd, out->pending.data + done, out->pending.len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return fail_on("write", out->path, why);
        done += (size_t)wrote;
    }
    buf_reset(&out->pending);
    return true;
}

/* A line was appended to what is pending. */
static bool output_line(struct output *out, struct buf *why)
{
    out->lines++;
    return out->pending.len < OUT_BYTES || output_flush(out, why);
}

static bool output_publish(struct output *out, struct buf *why)
{
    char *copy = xstrdup(out->path);
    const bool done =
        fsync(out->fd) == 0 && rename(out->temporary, out->path) == 0 && folder_sync(dirname(copy));
    free(copy);
    return done || fail_on("write", out->path, why);
}

/* Publishes what is whole, and removes what is not. */
static bool output_close(struct output *out, bool is_whole, struct buf *why)
{
    bool done = is_whole && output_flush(out, why);
    if (out->temporary) {
        done = done && output_publish(out, why);
        if (!done)
            (void)unlink(out->temporary);
        (void)close(out->fd);
    }
    free(out->temporary);
    buf_free(&out->pending);
    return done;
}

/* ---- rows ---- */

static bool export_row(enum dump_kind kind, struct json_object *row, struct output *out, struct buf *why)
{
    const size_t before = out->pending.len;
    export_write_row(kind, row, &out->pending);
    if (out->pending.len - before <= EXPORT_LINE_MAX)
        return output_line(out, why);
    buf_printf(why, "a %s is longer than a line of an export can be", dump_kind_names[kind]);
    return false;
}

/* One page: *after is its last row, NULL at the end. */
static bool export_page(
    struct store *store, enum dump_kind kind, struct json_object **after, struct output *out, struct buf *why)
{
    struct json_object *rows = NULL;
    if (store_dump(store, kind, *after, &rows) != STORE_DONE) {
        buf_puts(why, "the store failed");
        return false;
    }
    const size_t count = json_object_array_length(rows);
    bool done = true;
    for (size_t i = 0; done && i < count; i++)
        done = export_row(kind, json_object_array_get_idx(rows, i), out, why);
    json_object_put(*after);
    *after = count > 0 ? json_object_get(json_object_array_get_idx(rows, count - 1)) : NULL;
    json_object_put(rows);
    return done;
}

static bool export_kind(struct store *store, enum dump_kind kind, struct output *out, struct buf *why)
{
    struct json_object *after = NULL;
    bool done;
    do
        done = export_page(store, kind, &after, out, why);
    while (done && after);
    json_object_put(after);
    return done;
}

/* ---- attachments ---- */

struct paths {
    char **items;
    size_t count, room;
};

static bool add_path(void *arg, const struct blob_info *info)
{
    struct paths *paths = arg;
    if (paths->count == paths->room) {
        paths->room = paths->room ? 2 * paths->room : 64;
        paths->items = xreallocarray(paths->items, paths->room, sizeof *paths->items);
    }
    paths->items[paths->count++] = xstrdup(info->path.text);
    return true;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Its size and hash are those that were stored with it: import holds the content against them. */
static bool export_content(
    struct blob_store *blobs, const struct blob_info *info, struct output *out, struct buf *why)
{
    struct buf chunk = {0};
    bool done = true;
    for (int64_t at = 0; done && at < info->size; at += (int64_t)chunk.len) {
        buf_reset(&chunk);
        done = blob_read(blobs, &info->path, at, EXPORT_CHUNK_BYTES, &chunk) == BLOB_DONE && chunk.len > 0;
        if (!done) {
            buf_printf(why, "the attachment %s cannot be read", info->path.text);
            break;
        }
        export_write_chunk(chunk.data, chunk.len, &out->pending);
        done = output_line(out, why);
    }
    buf_free(&chunk);
    return done;
}

/* One that was removed since it was listed is no longer meant. */
static bool export_file(
    struct blob_store *blobs, const char *text, struct output *out, int64_t *files, struct buf *why)
{
    struct blob_path path;
    struct blob_info info;
    const char *problem = NULL;
    if (!blob_path_parse(text, &path, &problem))
        return true;
    const enum blob_status status = blob_stat(blobs, &path, &info);
    if (status == BLOB_ABSENT)
        return true;
    if (status != BLOB_DONE) {
        buf_printf(why, "the attachment %s cannot be read", text);
        return false;
    }
    ++*files;
    export_write_file(&info, &out->pending);
    return output_line(out, why) && export_content(blobs, &info, out, why);
}

static bool export_files(const struct config *config, struct output *out, int64_t *files, struct buf *why)
{
    struct blob_store *blobs = attachments_open(config, false, why);
    if (!blobs)
        return false;
    struct paths paths = {0};
    bool done = blob_list(blobs, add_path, &paths) == BLOB_DONE;
    if (done && paths.count > 0)
        qsort(paths.items, paths.count, sizeof *paths.items, by_text);
    else if (!done)
        buf_puts(why, "the attachments cannot be listed");
    for (size_t i = 0; i < paths.count; i++) {
        done = done && export_file(blobs, paths.items[i], out, files, why);
        free(paths.items[i]);
    }
    free(paths.items);
    blob_close(blobs);
    return done;
}

/* ---- the command ---- */

static bool export_all(const struct command_line *line, const struct config *config, struct store *store,
    struct output *out, int64_t *files, struct buf *why)
{
    export_write_header(&out->pending);
    bool done = true;
    for (enum dump_kind kind = 0; done && kind < DUMP_KINDS; kind++)
        done = export_kind(store, kind, out, why);
    if (done && command_value(line, "files"))
        done = export_files(config, out, files, why);
    export_write_end(out->lines, &out->pending);
    return done;
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    struct output out;
    struct buf why = {0};
    int64_t files = 0, lines = 0;
    int code = EXIT_SUCCESS;
    bool done = output_open(&out, line->operands[0], &why);
    if (done) {
        const bool is_whole = export_all(line, &config, store, &out, &files, &why);
        const bool is_named = out.temporary != NULL;
        lines = out.lines;
        done = output_close(&out, is_whole, &why);
        if (done && is_named &&
            (printf("exported to %s: %lld lines, %lld attachments\n", line->operands[0], (long long)lines,
                 (long long)files) < 0 ||
                fflush(stdout) != 0))
            code = EXIT_FAILURE;
    }
    if (!done)
        code = command_fail("nothing was exported: %s", buf_text(&why));
    buf_free(&why);
    command_store_end(&config, store);
    return code;
}

const struct command command_export = {
    .name = "export",
    .operands = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "write everything stored to a file, for another store",
    .help = "Writes messages, tokens, presence, bans, clients and their grants to FILE (- for standard "
            "output) as\n"
            "JSON lines, which import takes into any kind of store. FILE is readable by its owner alone and "
            "there\n"
            "only when it is whole. The relay may serve meanwhile; what comes in during the export may be "
            "missing,\n"
            "so stop it for a move. Codes that live for minutes are left out, and what is being delivered "
            "counts\n"
            "as not delivered.\n",
    .options =
        {
            {"files", NULL, "with the attachments"},
        },
    .run = run,
};
