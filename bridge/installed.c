#include "installed.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/secret.h"
#include "edit_path.h"
#include "edited_file.h"
#include "json_edit.h"
#include "private_folder.h"
#include "state_folder.h"
#include "toml_edit.h"

#define FOLDER    "install"
#define FILE_NAME "changes.json"

enum {
    NOTES_MAX_BYTES = 64 * 1024 * 1024,
    PATH_NAMES = 8,
    MODE_PRIVATE = S_IRUSR | S_IWUSR,
    MODE_OURS = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH,
};

struct installed {
    int folder; /* -1: there is none yet */
    bool rehearse;
    struct json_object *notes; /* an array, the oldest first */
    struct buf report;
};

/* ---- the notes ---- */

static bool read_notes(struct installed *installed, struct buf *why)
{
    struct buf text = {0};
    enum json_fault fault = JSON_FAULT_NONE;
    struct json_object *root = NULL, *notes;
    enum private_read got = installed->folder < 0
                                ? PRIVATE_GONE
                                : private_file_read(installed->folder, FILE_NAME, NOTES_MAX_BYTES, &text);
    bool ok = got == PRIVATE_GONE;
    if (got == PRIVATE_READ) {
        root = json_parse(buf_text(&text), text.len, &fault);
        ok = json_get_array(root, "changes", &notes) == JSON_FIELD_FOUND;
        if (ok)
            installed->notes = json_object_get(notes);
    }
    if (!ok)
        buf_puts(why, "the notes of what was installed (patchcord/install/" FILE_NAME
                      " in the state folder) cannot be read");
    json_object_put(root);
    buf_wipe(&text);
    return ok;
}

struct installed *installed_load(bool rehearse, struct buf *why)
{
    struct installed *installed = xcalloc(1, sizeof *installed);
    installed->rehearse = rehearse;
    installed->folder = state_folder_open(FOLDER, !rehearse);
    bool ok = installed->folder >= 0 || rehearse;
    if (!ok)
        buf_puts(why, "the state folder (~/.local/state/patchcord) cannot be made, or is open to others");
    ok = ok && read_notes(installed, why);
    if (!installed->notes)
        installed->notes = json_new_array();
    if (ok)
        return installed;
    installed_free(installed);
    return NULL;
}

void installed_free(struct installed *installed)
{
    if (!installed)
        return;
    if (installed->folder >= 0)
        close(installed->folder);
    json_object_put(installed->notes);
    buf_free(&installed->report);
    free(installed);
}

void installed_report(struct installed *installed, struct buf *out)
{
    buf_append(out, buf_text(&installed->report), installed->report.len);
    buf_reset(&installed->report);
}

bool installed_is_empty(const struct installed *installed)
{
    return json_object_array_length(installed->notes) == 0;
}

static bool save(struct installed *installed, struct buf *why)
{
    struct json_object *root = json_new_object();
    struct buf text = {0};
    json_add_int(root, "version", 1);
    json_add(root, "changes", json_object_get(installed->notes));
    json_write(root, &text);
    bool ok = private_file_put(installed->folder, FILE_NAME, &text, true);
    if (!ok)
        buf_printf(why, "the notes of what is installed: %s", strerror(errno));
    json_object_put(root);
    buf_wipe(&text);
    return ok;
}

static struct json_object *note_of(const char *kind, const char *file, const char *const *path)
{
    struct json_object *note = json_new_object(), *names = json_new_array();
    json_add_text(note, "kind", kind);
    json_add_text(note, "file", file);
    for (; path && *path; path++)
        json_append_text(names, *path);
    json_add(note, "path", names);
    return note;
}

static bool same_field(struct json_object *a, struct json_object *b, const char *name)
{
    return json_object_equal(json_object_object_get(a, name), json_object_object_get(b, name));
}

/* A note of the same place; NULL: none. An item is part of its place. */
static struct json_object *find_note(const struct installed *installed, struct json_object *wanted)
{
    bool item = strcmp(json_text_or(wanted, "kind", ""), "item") == 0;
    for (size_t i = 0; i < json_object_array_length(installed->notes); i++) {
        struct json_object *note = json_object_array_get_idx(installed->notes, i);
        if (same_field(note, wanted, "kind") && same_field(note, wanted, "file") &&
            same_field(note, wanted, "path") && (!item || same_field(note, wanted, "value")))
            return note;
    }
    return NULL;
}

bool installed_has_member(const struct installed *installed, const char *file, const char *const *path)
{
    struct json_object *wanted = note_of("member", file, path);
    bool has = find_note(installed, wanted) != NULL;
    json_object_put(wanted);
    return has;
}

/* Notes the change, which is taken over, on the disk; of one that is noted already the value is renewed, and
 * what it found there stays. */
static bool add_note(struct installed *installed, struct json_object *note, struct buf *why)
{
    struct json_object *old = find_note(installed, note), *value;
    if (!old) {
        json_append(installed->notes, note);
        return save(installed, why);
    }
    if (json_object_object_get_ex(note, "value", &value))
        json_add(old, "value", json_object_get(value));
    json_object_put(note);
    return save(installed, why);
}

/* ---- changes of files ---- */

/* How many of the folders above the path are missing. */
static int64_t missing_folders(const char *path)
{
    int64_t missing = 0;
    char *folder = xstrdup(path);
    for (char *slash; (slash = strrchr(folder, '/')) && slash != folder; missing++) {
        *slash = '\0';
        if (access(folder, F_OK) == 0)
            break;
    }
    free(folder);
    return missing;
}

/* What is needed to leave nothing behind. */
static void note_before(struct json_object *note, const struct edited_file *file)
{
    if (!file->exists)
        json_add_int(note, "folders", missing_folders(file->target));
    else if (json_edit_is_hollow(&file->before))
        json_add_text_len(note, "before", buf_text(&file->before), file->before.len);
}

/* Notes and makes the change of an open file. note is taken over. */
static bool commit(struct installed *installed, struct edited_file *file, struct json_object *note,
    mode_t mode, const char *what, struct buf *why)
{
    if (!edited_file_changed(file) && file->exists) {
        json_object_put(note);
        return true;
    }
    note_before(note, file);
    bool ok = true;
    if (installed->rehearse)
        json_object_put(note);
    else
        ok = add_note(installed, note, why) && edited_file_commit(file, mode, why);
    if (ok)
        buf_printf(&installed->report, "%s%s%s\n", file->path, what[0] ? ": " : "", what);
    return ok;
}

static bool left_alone(const struct edited_file *file, struct buf *problem, struct buf *why)
{
    buf_printf(why, "%s %s; it was left as it is", file->path, buf_text(problem));
    buf_free(problem);
    return false;
}

/* Depth of what was there before: never the thing itself. */
static void note_depth(
    struct json_object *note, const struct edited_file *file, const char *const *path, bool array)
{
    struct buf ignored = {0};
    struct json_object *root = json_edit_parse(&file->text, &ignored);
    size_t depth = json_edit_depth(root, path), len = edit_path_len(path);
    json_add_int(note, "keep", (int64_t)(depth == len && !array ? len - 1 : depth));
    json_object_put(root);
    buf_free(&ignored);
}

typedef bool edit_fn(struct buf *text, const char *const *path, struct json_object *value, struct buf *why);

static bool change_json(struct installed *installed, const char *kind, edit_fn *edit,
    const char *path_of_file, const char *const *path, struct json_object *value, struct buf *why)
{
    struct edited_file file;
    struct buf problem = {0};
    if (!edited_file_open(path_of_file, NULL, &file, why))
        return false;
    struct json_object *note = note_of(kind, path_of_file, path);
    json_add(note, "value", json_object_get(value));
    note_depth(note, &file, path, edit == json_edit_add_item);
    struct buf what = {0};
    edit_path_print(path, edit_path_len(path), &what);
    bool ok = edit(&file.text, path, value, &problem);
    if (ok) {
        ok = commit(installed, &file, note, MODE_PRIVATE, buf_text(&what), why);
    } else {
        json_object_put(note);
        left_alone(&file, &problem, why);
    }
    buf_free(&what);
    edited_file_free(&file);
    return ok;
}

bool installed_member(struct installed *installed, const char *file, const char *const *path,
    struct json_object *value, struct buf *why)
{
    return change_json(installed, "member", json_edit_set, file, path, value, why);
}

bool installed_item(struct installed *installed, const char *file, const char *const *path,
    struct json_object *item, struct buf *why)
{
    return change_json(installed, "item", json_edit_add_item, file, path, item, why);
}

bool installed_table(struct installed *installed, const char *file, const char *const *path,
    struct json_object *entry, struct buf *why)
{
    return change_json(installed, "table", toml_edit_put, file, path, entry, why);
}

static void hash(const void *bytes, size_t len, char out[static SHA256_HEX_SIZE])
{
    secret_sha256_hex(bytes, len, out);
}

bool installed_file(
    struct installed *installed, const char *path, const void *bytes, size_t len, struct buf *why)
{
    struct edited_file file;
    char sum[SHA256_HEX_SIZE];
    if (!edited_file_open(path, NULL, &file, why))
        return false;
    buf_reset(&file.text);
    buf_append(&file.text, bytes, len);
    hash(bytes, len, sum);
    struct json_object *note = note_of("file", path, NULL);
    json_add_text(note, "value", sum);
    bool ok = commit(installed, &file, note, MODE_OURS, "", why);
    edited_file_free(&file);
    return ok;
}

bool installed_text(struct installed *installed, const char *path, struct buf *why)
{
    struct edited_file file;
    if (installed->rehearse)
        return true;
    if (!edited_file_open(path, NULL, &file, why))
        return false;
    struct json_object *note = note_of("text", path, NULL);
    bool noted = find_note(installed, note) != NULL;
    if (!noted && file.exists)
        json_add_text_len(note, "text", buf_text(&file.text), file.text.len);
    edited_file_free(&file);
    if (!noted)
        return add_note(installed, note, why);
    json_object_put(note);
    return true;
}

bool installed_command(
    struct installed *installed, const char *what, struct json_object *undo, struct buf *why)
{
    struct json_object *note = note_of("command", what, NULL);
    json_add(note, "value", json_object_get(undo));
    buf_printf(&installed->report, "%s\n", what);
    if (!installed->rehearse)
        return add_note(installed, note, why);
    json_object_put(note);
    return true;
}

/* ---- taking it away ---- */

static size_t read_path(struct json_object *note, const char *path[static PATH_NAMES + 1])
{
    struct json_object *names;
    size_t len = 0;
    if (json_get_array(note, "path", &names) == JSON_FIELD_FOUND)
        len = json_object_array_length(names);
    len = len < PATH_NAMES ? len : PATH_NAMES;
    for (size_t i = 0; i < len; i++)
        path[i] = json_object_get_string(json_object_array_get_idx(names, i));
    path[len] = NULL;
    return len;
}

static void remove_folders(const char *path, int64_t count)
{
    char *folder = xstrdup(path);
    for (char *slash; count > 0 && (slash = strrchr(folder, '/')) && slash != folder; count--) {
        *slash = '\0';
        if (rmdir(folder) < 0)
            break;
    }
    free(folder);
}

static bool remove_file(struct edited_file *file, struct json_object *note, struct buf *why)
{
    int64_t folders = 0;
    if (json_get_int(note, "folders", &folders) != JSON_FIELD_FOUND)
        folders = 0;
    if (!edited_file_remove(file, why))
        return false;
    remove_folders(file->target, folders);
    return true;
}

/* Where the file is hollow again, it becomes what it was, or nothing. */
static bool put_back(
    struct installed *installed, struct edited_file *file, struct json_object *note, struct buf *why)
{
    struct json_object *before;
    bool changed = edited_file_changed(file), ok;
    if (json_edit_is_hollow(&file->text) && json_object_object_get_ex(note, "folders", NULL)) {
        ok = installed->rehearse || remove_file(file, note, why);
    } else {
        if (json_edit_is_hollow(&file->text) && json_object_object_get_ex(note, "before", &before)) {
            buf_reset(&file->text);
            buf_append(
                &file->text, json_object_get_string(before), (size_t)json_object_get_string_len(before));
        }
        ok = installed->rehearse || edited_file_commit(file, MODE_PRIVATE, why);
    }
    if (ok && changed)
        buf_printf(&installed->report, "%s\n", file->path);
    return ok;
}

/* Whether somebody has put another value there. */
static bool is_anothers(struct json_object *note, const struct edited_file *file, const char *const *path)
{
    struct buf ignored = {0};
    struct json_object *root = json_edit_parse(&file->text, &ignored), *found = json_edit_find(root, path);
    bool other = found && !json_object_equal(found, json_object_object_get(note, "value"));
    json_object_put(root);
    buf_free(&ignored);
    return other;
}

static bool edit_back(
    struct json_object *note, struct edited_file *file, struct installed *installed, struct buf *why)
{
    const char *kind = json_text_or(note, "kind", ""), *path[PATH_NAMES + 1];
    struct json_object *value = json_object_object_get(note, "value");
    int64_t keep = 0;
    read_path(note, path);
    if (json_get_int(note, "keep", &keep) != JSON_FIELD_FOUND)
        keep = 0;
    if (strcmp(kind, "item") == 0)
        return json_edit_remove_item(&file->text, path, value, (size_t)keep, why);
    if (strcmp(kind, "table") == 0)
        return toml_edit_remove(&file->text, path, why);
    if (!is_anothers(note, file, path))
        return json_edit_remove(&file->text, path, (size_t)keep, why);
    buf_printf(&installed->report, "%s: ", file->path);
    edit_path_print(path, edit_path_len(path), &installed->report);
    buf_puts(&installed->report, " was changed since, and stays\n");
    return true;
}

static bool undo_edit(struct installed *installed, struct json_object *note, struct buf *why)
{
    struct edited_file file;
    struct buf problem = {0};
    if (!edited_file_open(json_text_or(note, "file", ""), NULL, &file, why))
        return false;
    bool ok = !file.exists;
    if (!ok)
        ok = edit_back(note, &file, installed, &problem) ? put_back(installed, &file, note, why)
                                                         : left_alone(&file, &problem, why);
    edited_file_free(&file);
    return ok;
}

static bool undo_file(struct installed *installed, struct json_object *note, struct buf *why)
{
    struct edited_file file;
    char sum[SHA256_HEX_SIZE];
    if (!edited_file_open(json_text_or(note, "file", ""), NULL, &file, why))
        return false;
    hash(buf_text(&file.text), file.text.len, sum);
    bool ok = true;
    if (file.exists && strcmp(sum, json_text_or(note, "value", "")) != 0) {
        buf_printf(&installed->report, "%s was changed since, and stays\n", file.path);
    } else if (file.exists) {
        ok = installed->rehearse || remove_file(&file, note, why);
        buf_printf(&installed->report, "%s\n", file.path);
    }
    edited_file_free(&file);
    return ok;
}

/* Empty objects that programs leave behind mean nothing. */
static struct json_object *without_hollows(const struct buf *text)
{
    struct buf ignored = {0};
    struct json_object *root = json_edit_parse(text, &ignored);
    struct json_object *names = json_new_array();
    if (root) {
        json_object_object_foreach(root, name, value)
        {
            if (json_object_is_type(value, json_type_object) && json_object_object_length(value) == 0)
                json_append_text(names, name);
        }
    }
    for (size_t i = 0; i < json_object_array_length(names); i++)
        json_object_object_del(root, json_object_get_string(json_object_array_get_idx(names, i)));
    json_object_put(names);
    buf_free(&ignored);
    return root;
}

/* The file's text before, where it means the same; and nothing where there was none. */
static bool restore_text(struct edited_file *file, struct json_object *text, struct buf *why)
{
    struct buf before = {0};
    if (text)
        buf_append(&before, json_object_get_string(text), (size_t)json_object_get_string_len(text));
    struct json_object *was = without_hollows(&before), *is = without_hollows(&file->text);
    bool same = was && is && json_object_equal(was, is), ok = true;
    if (same && text) {
        buf_reset(&file->text);
        buf_append(&file->text, buf_text(&before), before.len);
        ok = edited_file_commit(file, MODE_PRIVATE, why);
    } else if (same) {
        ok = edited_file_remove(file, why);
    }
    json_object_put(was);
    json_object_put(is);
    buf_wipe(&before);
    return ok;
}

static bool undo_text(struct installed *installed, struct json_object *note, struct buf *why)
{
    struct edited_file file;
    if (!edited_file_open(json_text_or(note, "file", ""), NULL, &file, why))
        return false;
    bool ok =
        installed->rehearse || !file.exists || restore_text(&file, json_object_object_get(note, "text"), why);
    edited_file_free(&file);
    return ok;
}

static void undo_command(struct installed *installed, struct json_object *note, installed_run_fn *run)
{
    buf_printf(&installed->report, "%s\n", json_text_or(note, "file", ""));
    if (!installed->rehearse && !run(json_object_object_get(note, "value")))
        buf_puts(&installed->report,
            "(the program that takes this back failed: somebody may have done it before)\n");
}

static bool undo_one(
    struct installed *installed, struct json_object *note, installed_run_fn *run, struct buf *why)
{
    const char *kind = json_text_or(note, "kind", "");
    if (strcmp(kind, "command") == 0) {
        undo_command(installed, note, run);
        return true;
    }
    return strcmp(kind, "file") == 0   ? undo_file(installed, note, why)
           : strcmp(kind, "text") == 0 ? undo_text(installed, note, why)
                                       : undo_edit(installed, note, why);
}

bool installed_undo(struct installed *installed, installed_run_fn *run, struct buf *why)
{
    bool all = true;
    for (size_t i = json_object_array_length(installed->notes); i > 0; i--) {
        struct buf problem = {0};
        if (undo_one(installed, json_object_array_get_idx(installed->notes, i - 1), run, &problem)) {
            if (!installed->rehearse)
                json_object_array_del_idx(installed->notes, i - 1, 1);
        } else {
            all = false;
            buf_printf(why, "%s%s", why->len ? "\n" : "", buf_text(&problem));
        }
        buf_free(&problem);
    }
    if (installed->rehearse)
        return all;
    if (!installed_is_empty(installed))
        return save(installed, why) && all;
    if (unlinkat(installed->folder, FILE_NAME, 0) < 0 && errno != ENOENT) {
        buf_printf(why, "the notes of what was installed: %s", strerror(errno));
        return false;
    }
    return all;
}
