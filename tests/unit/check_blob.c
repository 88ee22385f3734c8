/* What any kind of blob store has to do, whichever makes it: see blob.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/blob/blob.h"
#include "../../relay/blob/blob_s3.h"
#include "../../relay/blob/blob_supabase.h"
#include "../../relay/blob/file_trailer.h"
#include "../rigs/server_rig.h"
#include "unit.h"

enum { MAX_BYTES = 1000 * 1000, QUOTA = 3 * 1000 * 1000, DAY = MS_PER_DAY };

static char folder[PATH_MAX];
static struct blob_store *store;

static struct server_rig s3, storage;

static struct blob_store *open_files(const struct blob_options *options, struct buf *why)
{
    return blob_open_files(options, why);
}

/* A bucket of each test's own. */
static struct blob_store *open_bucket(const struct blob_options *options, struct buf *why)
{
    char *bucket = xasprintf("bucket-%d", getpid());
    const struct s3_options bucket_options = {
        .endpoint = s3.url,
        .region = "us-east-1",
        .bucket = bucket,
        .access_key = S3_RIG_ACCESS_KEY,
        .secret_key = S3_RIG_SECRET_KEY,
        .path_style = true,
        .connections = 8,
    };
    struct blob_store *opened = blob_open_s3(options, &bucket_options, why);
    free(bucket);
    return opened;
}

static struct blob_store *open_storage(const struct blob_options *options, struct buf *why)
{
    char *bucket = xasprintf("bucket-%d", getpid());
    const struct storage_options storage_options = {
        .url = storage.url,
        .key = STORAGE_RIG_KEY,
        .bucket = bucket,
        .max_bytes = options->max_bytes,
        .connections = 8,
    };
    struct blob_store *opened = blob_open_supabase(options, &storage_options, why);
    free(bucket);
    return opened;
}

typedef struct blob_store *open_fn(const struct blob_options *options, struct buf *why);
static open_fn *kind;

static struct blob_store *open_store(bool is_serving)
{
    struct buf why = {0};
    const struct blob_options options = {
        .data_dir = folder,
        .public_url = "http://relay.test:8000",
        .max_bytes = MAX_BYTES,
        .quota_bytes = QUOTA,
        .download_url_ms = MS_PER_DAY,
        .is_serving = is_serving,
    };
    struct blob_store *opened = kind(&options, &why);
    ck_assert_msg(opened != NULL, "%s", buf_text(&why));
    buf_free(&why);
    return opened;
}

static void setup_kind(open_fn *which)
{
    secret_init();
    unit_folder(folder);
    kind = which;
    store = open_store(true);
}

static void setup(void)
{
    setup_kind(open_files);
}

static void setup_bucket(void)
{
    setup_kind(open_bucket);
}

static void setup_storage(void)
{
    setup_kind(open_storage);
}

static void teardown(void)
{
    blob_close(store);
}

static struct blob_path new_path(const char *namespace_id)
{
    struct blob_path path;
    blob_path_make(namespace_id, "frontend", "report.txt", &path);
    return path;
}

static char *filled(size_t len)
{
    char *bytes = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 + i / 256);
    return bytes;
}

/* Stores len bytes; the path is a new one. */
static enum blob_status put(const char *namespace_id, size_t len, struct blob_info *info)
{
    const struct blob_path path = new_path(namespace_id);
    char *bytes = filled(len);
    const enum blob_status status = blob_put(store, &path, "text/plain", bytes, len, info);
    free(bytes);
    return status;
}

static bool count_one(void *arg, const struct blob_info *info)
{
    (void)info;
    ++*(int *)arg;
    return true;
}

static int count(void)
{
    int found = 0;
    ck_assert_int_eq(blob_list(store, count_one, &found), BLOB_DONE);
    return found;
}

static int64_t used(const char *namespace_id)
{
    int64_t bytes = -1;
    ck_assert_int_eq(blob_used(store, namespace_id, &bytes), BLOB_DONE);
    return bytes;
}

/* ---- storing and reading ---- */

START_TEST(what_was_stored_is_read_again)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 300000, MAX_BYTES};
    for (size_t i = 0; i < LENGTH_OF(sizes); i++) {
        struct blob_info info, again;
        struct buf read = {0};
        char hash[SHA256_HEX_SIZE], *bytes = filled(sizes[i]);
        ck_assert_int_eq(put("ns", sizes[i], &info), BLOB_DONE);
        secret_sha256_hex(bytes, sizes[i], hash);
        ck_assert_str_eq(info.sha256, hash);
        ck_assert_int_eq(info.size, (int64_t)sizes[i]);
        ck_assert_int_eq(blob_stat(store, &info.path, &again), BLOB_DONE);
        ck_assert_mem_eq(&info, &again, sizeof info);
        ck_assert_str_eq(again.type, "text/plain");
        ck_assert_int_eq(blob_read(store, &info.path, 0, MAX_BYTES, &read), BLOB_DONE);
        ck_assert_uint_eq(read.len, sizes[i]);
        if (sizes[i] > 0)
            ck_assert_mem_eq(read.data, bytes, sizes[i]);
        buf_free(&read);
        free(bytes);
    }
}
END_TEST

START_TEST(parts_are_read)
{
    struct blob_info info;
    struct buf read = {0};
    char *bytes = filled(1000);
    ck_assert_int_eq(put("ns", 1000, &info), BLOB_DONE);
    ck_assert_int_eq(blob_read(store, &info.path, 10, 5, &read), BLOB_DONE);
    ck_assert_uint_eq(read.len, 5);
    ck_assert_mem_eq(read.data, bytes + 10, 5);
    buf_reset(&read);
    ck_assert_int_eq(blob_read(store, &info.path, 999, 5, &read), BLOB_DONE);
    ck_assert_uint_eq(read.len, 1);
    buf_reset(&read);
    ck_assert_int_eq(blob_read(store, &info.path, 1000, 5, &read), BLOB_DONE);
    ck_assert_int_eq(blob_read(store, &info.path, 99999, 5, &read), BLOB_DONE);
    ck_assert_uint_eq(read.len, 0);
    buf_free(&read);
    free(bytes);
}
END_TEST

START_TEST(what_is_not_there_is_absent)
{
    const struct blob_path path = new_path("ns");
    struct blob_info info;
    struct buf read = {0};
    ck_assert_int_eq(blob_stat(store, &path, &info), BLOB_ABSENT);
    ck_assert_int_eq(blob_read(store, &path, 0, 1, &read), BLOB_ABSENT);
    ck_assert_int_eq(blob_remove(store, &path), BLOB_ABSENT);
    ck_assert_int_eq(count(), 0);
    buf_free(&read);
}
END_TEST

START_TEST(a_blob_appears_whole_or_not_at_all)
{
    const struct blob_path path = new_path("ns");
    struct blob_upload *upload;
    struct blob_info info;
    ck_assert_int_eq(blob_begin(store, &path, "image/png", 0, -1, &upload), BLOB_DONE);
    ck_assert_int_eq(blob_write(upload, "half", 4), BLOB_DONE);
    ck_assert_int_eq(blob_stat(store, &path, &info), BLOB_ABSENT);
    ck_assert_int_eq(count(), 0);
    ck_assert_int_eq(blob_write(upload, " whole", 6), BLOB_DONE);
    ck_assert_int_eq(blob_commit(upload, &info), BLOB_DONE);
    ck_assert_int_eq(info.size, 10);
    ck_assert_int_eq(blob_stat(store, &path, &info), BLOB_DONE);
    ck_assert_str_eq(info.type, "image/png");
    ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(what_is_aborted_leaves_nothing)
{
    const struct blob_path path = new_path("ns");
    struct blob_upload *upload;
    struct blob_info info;
    ck_assert_int_eq(blob_begin(store, &path, "text/plain", 0, 500000, &upload), BLOB_DONE);
    ck_assert_int_eq(blob_write(upload, "x", 1), BLOB_DONE);
    ck_assert_int_eq(used("ns"), 500000);
    blob_abort(upload);
    blob_abort(NULL);
    ck_assert_int_eq(used("ns"), 0);
    ck_assert_int_eq(blob_stat(store, &path, &info), BLOB_ABSENT);
    struct blob_cleanup_result result;
    ck_assert_int_eq(blob_cleanup(store, 0, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed + result.abandoned, 0);
}
END_TEST

START_TEST(nothing_is_overwritten)
{
    struct blob_info info;
    struct blob_upload *first, *second;
    struct buf read = {0};
    ck_assert_int_eq(put("ns", 5, &info), BLOB_DONE);
    ck_assert_int_eq(blob_put(store, &info.path, "text/plain", "other", 5, NULL), BLOB_EXISTS);

    /* Two at the same time: the first to end has it. */
    const struct blob_path path = new_path("ns");
    ck_assert_int_eq(blob_begin(store, &path, "text/plain", 0, -1, &first), BLOB_DONE);
    ck_assert_int_eq(blob_begin(store, &path, "text/plain", 0, -1, &second), BLOB_DONE);
    ck_assert_int_eq(blob_write(first, "first", 5), BLOB_DONE);
    ck_assert_int_eq(blob_write(second, "second", 6), BLOB_DONE);
    ck_assert_int_eq(blob_commit(second, NULL), BLOB_DONE);
    ck_assert_int_eq(blob_commit(first, NULL), BLOB_EXISTS);
    ck_assert_int_eq(blob_read(store, &path, 0, 100, &read), BLOB_DONE);
    ck_assert_str_eq(buf_text(&read), "second");
    ck_assert_int_eq(count(), 2);
    buf_free(&read);
}
END_TEST

/* ---- limits ---- */

START_TEST(a_blob_has_its_limit)
{
    struct blob_upload *upload;
    const struct blob_path path = new_path("ns");
    ck_assert_int_eq(put("ns", MAX_BYTES, NULL), BLOB_DONE);
    ck_assert_int_eq(put("ns", MAX_BYTES + 1, NULL), BLOB_TOO_LARGE);
    ck_assert_int_eq(blob_begin(store, &path, "text/plain", 100, 101, &upload), BLOB_TOO_LARGE);
    /* More than was announced comes, up to what is allowed. */
    ck_assert_int_eq(blob_begin(store, &path, "text/plain", 100, 10, &upload), BLOB_DONE);
    char *bytes = filled(101);
    ck_assert_int_eq(blob_write(upload, bytes, 99), BLOB_DONE);
    ck_assert_int_eq(blob_write(upload, bytes, 1), BLOB_DONE);
    ck_assert_int_eq(blob_write(upload, bytes, 1), BLOB_TOO_LARGE);
    blob_abort(upload);
    ck_assert_int_eq(count(), 1);
    free(bytes);
}
END_TEST

START_TEST(a_namespace_has_its_quota)
{
    struct blob_info info;
    for (int i = 0; i < QUOTA / MAX_BYTES; i++)
        ck_assert_int_eq(put("ns", MAX_BYTES, &info), BLOB_DONE);
    ck_assert_int_eq(used("ns"), QUOTA);
    ck_assert_int_eq(put("ns", 1, NULL), BLOB_OVER_QUOTA);
    ck_assert_int_eq(put("other", 1, NULL), BLOB_DONE);
    ck_assert_int_eq(blob_remove(store, &info.path), BLOB_DONE);
    ck_assert_int_eq(put("ns", MAX_BYTES, NULL), BLOB_DONE);

    /* Where nothing was announced, it is found out while it comes. */
    struct blob_upload *upload;
    struct blob_path path = new_path("third");
    for (int i = 0; i < QUOTA / MAX_BYTES; i++)
        ck_assert_int_eq(put("third", MAX_BYTES - 4000, NULL), BLOB_DONE);
    ck_assert_int_eq(blob_begin(store, &path, "text/plain", 0, -1, &upload), BLOB_DONE);
    char *bytes = filled(MAX_BYTES);
    ck_assert_int_eq(blob_write(upload, bytes, 12000), BLOB_DONE);
    ck_assert_int_eq(blob_write(upload, bytes, 1), BLOB_OVER_QUOTA);
    blob_abort(upload);
    ck_assert_int_eq(used("third"), QUOTA - 12000);
    free(bytes);
}
END_TEST

static atomic_int stored, refused, others;

static void *store_much(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        switch (put("ns", 100 * 1000, NULL)) {
        case BLOB_DONE:
            stored++;
            break;
        case BLOB_OVER_QUOTA:
            refused++;
            break;
        default:
            others++;
        }
    }
    return NULL;
}

START_TEST(the_quota_holds_whoever_stores_at_the_same_time)
{
    pthread_t threads[20];
    stored = refused = others = 0;
    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, store_much, NULL), 0);
    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(others, 0);
    ck_assert_int_eq(stored, QUOTA / (100 * 1000));
    ck_assert_int_eq(refused, 200 - stored);
    ck_assert_int_eq(count(), stored);
    ck_assert_int_eq(used("ns"), QUOTA);
}
END_TEST

START_TEST(the_quota_is_known_after_a_restart)
{
    ck_assert_int_eq(put("ns", MAX_BYTES, NULL), BLOB_DONE);
    ck_assert_int_eq(put("ns", 10, NULL), BLOB_DONE);
    const int64_t before = used("ns");
    ck_assert_int_eq(before, MAX_BYTES + 4096); /* what the smallest file counts */
    blob_close(store);
    store = open_store(true);
    ck_assert_int_eq(used("ns"), before);
}
END_TEST

/* ---- cleaning up ---- */

START_TEST(what_is_past_the_retention_goes)
{
    struct blob_info old, young, info;
    struct blob_cleanup_result result;
    ck_assert_int_eq(put("ns", 10, &old), BLOB_DONE);
    clock_shift_wall(2 * (int64_t)DAY);
    ck_assert_int_eq(put("ns", 20, &young), BLOB_DONE);
    ck_assert_int_eq(blob_cleanup(store, 3 * (int64_t)DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, 0);
    ck_assert_int_eq(blob_cleanup(store, DAY, true, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, 1);
    ck_assert_int_eq(result.bytes, 10);
    ck_assert_int_eq(blob_stat(store, &old.path, &info), BLOB_DONE);
    ck_assert_int_eq(blob_cleanup(store, DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, 1);
    ck_assert_int_eq(blob_stat(store, &old.path, &info), BLOB_ABSENT);
    ck_assert_int_eq(blob_stat(store, &young.path, &info), BLOB_DONE);
    ck_assert_int_eq(used("ns"), 4096);
    clock_shift_wall(-2 * (int64_t)DAY);
}
END_TEST

static const char *no_parameter(const void *request, const char *name)
{
    (void)request, (void)name;
    return NULL;
}

START_TEST(signed_urls_are_held_against_their_signature)
{
    struct blob_info info;
    struct buf url = {0};
    ck_assert_int_eq(put("ns", 10, &info), BLOB_DONE);
    struct blob_grant grant = {.path = info.path};
    ck_assert_int_eq(blob_sign(store, &grant, &url), BLOB_DONE);
    ck_assert_int_gt(grant.expires_ms, clock_wall_ms());
    ck_assert_ptr_nonnull(strstr(buf_text(&url), info.path.text));
    if (blob_has_files(store))
        ck_assert_int_eq(
            blob_check_url(store, false, info.path.text, no_parameter, NULL, &grant), BLOB_URL_MALFORMED);
    buf_free(&url);
}
END_TEST

/* ---- the file store's own ---- */

static char *file_of(const struct blob_path *path)
{
    return xasprintf("%s/files/%s", folder, path->text);
}

START_TEST(only_the_owner_reads_files_and_key)
{
    static const char *const names[] = {"files", "files.incoming", "files.key"};
    struct blob_info info;
    struct stat st;
    ck_assert_int_eq(put("ns", 10, &info), BLOB_DONE);
    char *file = file_of(&info.path);
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        char *path = xasprintf("%s/%s", folder, names[i]);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_int_eq(st.st_mode & 077, 0);
        free(path);
    }
    free(file);
}
END_TEST

START_TEST(an_administrator_makes_nothing_by_looking)
{
    struct blob_cleanup_result result;
    struct buf why = {0}, url = {0};
    char empty[PATH_MAX];
    unit_folder(empty);
    const struct blob_options options = {.data_dir = empty, .public_url = "http://x"};
    struct blob_store *beside = blob_open_files(&options, &why);
    ck_assert_ptr_nonnull(beside);
    ck_assert_int_eq(blob_cleanup(beside, 0, false, &result), BLOB_DONE);
    struct blob_grant grant = {.path = new_path("ns")};
    ck_assert_int_eq(blob_sign(beside, &grant, &url), BLOB_FAULT);
    ck_assert_int_eq(
        blob_check_url(beside, false, grant.path.text, no_parameter, NULL, &grant), BLOB_URL_FORGED);
    blob_close(beside);
    ck_assert_int_eq(rmdir(empty), 0);
    buf_free(&url);
    buf_free(&why);
}
END_TEST

START_TEST(a_bad_key_stops_the_start)
{
    struct buf why = {0};
    const struct blob_options options = {
        .data_dir = folder, .max_bytes = 1, .quota_bytes = 1, .is_serving = true};
    char *path = xasprintf("%s/files.key", folder);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_ptr_null(blob_open_files(&options, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "chmod 600"));
    buf_reset(&why);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(truncate(path, 31), 0);
    ck_assert_ptr_null(blob_open_files(&options, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "damaged"));
    free(path);
    buf_free(&why);
}
END_TEST

START_TEST(a_damaged_file_is_no_blob)
{
    struct blob_info info, again;
    struct buf read = {0};
    ck_assert_int_eq(put("ns", 1000, &info), BLOB_DONE);
    char *file = file_of(&info.path);
    ck_assert_int_eq(truncate(file, 1000 + FILE_TRAILER_BYTES - 1), 0);
    ck_assert_int_eq(blob_stat(store, &info.path, &again), BLOB_FAULT);
    ck_assert_int_eq(blob_read(store, &info.path, 0, 10, &read), BLOB_FAULT);
    ck_assert_int_eq(truncate(file, 0), 0);
    ck_assert_int_eq(blob_stat(store, &info.path, &again), BLOB_FAULT);
    ck_assert_int_eq(count(), 0);
    ck_assert_int_eq(blob_remove(store, &info.path), BLOB_DONE);
    buf_free(&read);
    free(file);
}
END_TEST

START_TEST(a_link_is_not_followed)
{
    struct blob_info info, again;
    ck_assert_int_eq(put("ns", 10, &info), BLOB_DONE);
    char *file = file_of(&info.path);
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(symlink("/etc/passwd", file), 0);
    ck_assert_int_eq(blob_stat(store, &info.path, &again), BLOB_FAULT);
    ck_assert_int_eq(blob_put(store, &info.path, "text/plain", "x", 1, NULL), BLOB_EXISTS);
    free(file);
}
END_TEST

/* A process that is killed in the middle of uploads, and right behind a commit. */
START_TEST(what_was_committed_survives_kill_and_the_rest_is_collected)
{
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct blob_upload *upload;
        struct blob_info info;
        for (int i = 0; i < 5; i++) {
            const struct blob_path path = new_path("ns");
            if (blob_begin(store, &path, "text/plain", 0, -1, &upload) != BLOB_DONE ||
                blob_write(upload, "half", 4) != BLOB_DONE)
                _exit(1);
        }
        if (put("ns", 5000, &info) != BLOB_DONE || write(pipes[1], &info, sizeof info) != sizeof info)
            _exit(1);
        for (;;)
            pause();
    }
    struct blob_info info, again;
    ck_assert_int_eq(read(pipes[0], &info, sizeof info), sizeof info);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(count(), 1);

    struct blob_cleanup_result result;
    blob_close(store);
    store = open_store(false); /* a command beside a relay leaves what may be under way */
    ck_assert_int_eq(blob_cleanup(store, DAY, true, &result), BLOB_DONE);
    ck_assert_int_eq(result.abandoned, 0);
    clock_shift_wall(BLOB_UPLOAD_URL_MS + MS_PER_MINUTE);
    ck_assert_int_eq(blob_cleanup(store, DAY, true, &result), BLOB_DONE);
    ck_assert_int_eq(result.abandoned, 5);
    clock_shift_wall(-BLOB_UPLOAD_URL_MS - MS_PER_MINUTE);
    blob_close(store);
    store = open_store(true);
    clock_shift_wall(BLOB_UPLOAD_URL_MS + MS_PER_MINUTE);
    ck_assert_int_eq(blob_cleanup(store, DAY, true, &result), BLOB_DONE);
    ck_assert_int_eq(result.abandoned, 0);
    clock_shift_wall(-BLOB_UPLOAD_URL_MS - MS_PER_MINUTE);
    ck_assert_int_eq(blob_stat(store, &info.path, &again), BLOB_DONE);
    ck_assert_str_eq(again.sha256, info.sha256);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

/* No file of this process may be longer, as on a disk that is full. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(what_the_disk_does_not_take_is_not_stored)
{
    enum { ROOM = 100 * 1000 };
    signal(SIGXFSZ, SIG_IGN);
    limit_files(ROOM);
    ck_assert_int_eq(put("ns", ROOM + 1, NULL), BLOB_FAULT);
    ck_assert_int_eq(put("ns", ROOM, NULL), BLOB_FAULT); /* the trailer has no room */
    ck_assert_int_eq(count(), 0);
    ck_assert_int_eq(used("ns"), 0);
    ck_assert_int_eq(put("ns", ROOM - FILE_TRAILER_BYTES, NULL), BLOB_DONE);
    limit_files(RLIM_INFINITY);
    ck_assert_int_eq(put("ns", ROOM + 1, NULL), BLOB_DONE);
    char *incoming = xasprintf("%s/files.incoming", folder);
    ck_assert_int_eq(rmdir(incoming), 0); /* nothing is left there */
    ck_assert_int_eq(put("ns", 1, NULL), BLOB_FAULT);
    ck_assert_int_eq(mkdir(incoming, 0700), 0);
    ck_assert_int_eq(put("ns", 1, NULL), BLOB_DONE);
    free(incoming);
}
END_TEST

START_TEST(empty_folders_go_with_their_last_file)
{
    struct blob_info info;
    struct stat st;
    ck_assert_int_eq(put("ns", 10, &info), BLOB_DONE);
    char *top = xasprintf("%s/files/ns", folder);
    ck_assert_int_eq(stat(top, &st), 0);
    ck_assert_int_eq(blob_remove(store, &info.path), BLOB_DONE);
    ck_assert_int_ne(stat(top, &st), 0);
    ck_assert_int_eq(put("ns", 10, &info), BLOB_DONE);
    free(top);
}
END_TEST

START_TEST(what_another_process_removed_makes_room)
{
    enum { LONGER_THAN_REMEASURE_MS = 6000 };
    struct blob_info info;
    for (int i = 0; i < QUOTA / MAX_BYTES; i++)
        ck_assert_int_eq(put("ns", MAX_BYTES, &info), BLOB_DONE);
    char *file = file_of(&info.path);
    ck_assert_int_eq(unlink(file), 0);
    free(file);
    ck_assert_int_eq(put("ns", MAX_BYTES, NULL), BLOB_OVER_QUOTA); /* measured a moment ago */
    const int64_t until = clock_mono_ms() + LONGER_THAN_REMEASURE_MS;
    enum blob_status status;
    while ((status = put("ns", MAX_BYTES, NULL)) == BLOB_OVER_QUOTA && clock_mono_ms() < until)
        usleep(50000);
    ck_assert_int_eq(status, BLOB_DONE);
}
END_TEST

static void add_conformance(TCase *tests)
{
    tcase_add_test(tests, what_was_stored_is_read_again);
    tcase_add_test(tests, parts_are_read);
    tcase_add_test(tests, what_is_not_there_is_absent);
    tcase_add_test(tests, a_blob_appears_whole_or_not_at_all);
    tcase_add_test(tests, what_is_aborted_leaves_nothing);
    tcase_add_test(tests, nothing_is_overwritten);
    tcase_add_test(tests, a_blob_has_its_limit);
    tcase_add_test(tests, a_namespace_has_its_quota);
    tcase_add_test(tests, the_quota_holds_whoever_stores_at_the_same_time);
    tcase_add_test(tests, the_quota_is_known_after_a_restart);
    tcase_add_test(tests, what_is_past_the_retention_goes);
    tcase_add_test(tests, signed_urls_are_held_against_their_signature);
}

int main(void)
{
    TCase *tests, *files, *bucket, *supabase;
    Suite *suite = unit_suite("blob", &tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    add_conformance(tests);

    files = tcase_create("files");
    suite_add_tcase(suite, files);
    tcase_set_timeout(files, 60);
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, only_the_owner_reads_files_and_key);
    tcase_add_test(files, an_administrator_makes_nothing_by_looking);
    tcase_add_test(files, a_bad_key_stops_the_start);
    tcase_add_test(files, a_damaged_file_is_no_blob);
    tcase_add_test(files, a_link_is_not_followed);
    tcase_add_test(files, what_was_committed_survives_kill_and_the_rest_is_collected);
    tcase_add_test(files, what_the_disk_does_not_take_is_not_stored);
    tcase_add_test(files, empty_folders_go_with_their_last_file);
    tcase_add_test(files, what_another_process_removed_makes_room);

    bucket = tcase_create("bucket");
    suite_add_tcase(suite, bucket);
    tcase_set_timeout(bucket, 60);
    tcase_add_checked_fixture(bucket, setup_bucket, teardown);
    add_conformance(bucket);
    supabase = tcase_create("storage");
    suite_add_tcase(suite, supabase);
    tcase_set_timeout(supabase, 60);
    tcase_add_checked_fixture(supabase, setup_storage, teardown);
    add_conformance(supabase);
    if (!server_rig_start(&s3, S3_RIG) || !server_rig_start(&storage, STORAGE_RIG))
        return EXIT_FAILURE;
    const int code = run_unit(suite);
    server_rig_stop(&storage);
    server_rig_stop(&s3);
    return code;
}
