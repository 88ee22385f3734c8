/* bench_files: a file of some size up to the relay and down again by its signed URLs, with curl's library,
 * and what the relay's memory grows by.
 *
 * FILES_MB (1,10,100) each FILES_ROUNDS (5) times. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "load.h"

enum { LIST_MAX = 8 };

static size_t discard(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count;
}

struct source {
    size_t left;
};

static size_t produce(char *bytes, size_t size, size_t count, void *arg)
{
    struct source *source = arg;
    const size_t now = size * count < source->left ? size * count : source->left;
    memset(bytes, 'x', now);
    source->left -= now;
    return now;
}

static CURL *begin(const char *url)
{
    CURL *curl = curl_easy_init();
    bench_must(curl != NULL, "curl");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    return curl;
}

/* Megabytes a second. */
static double perform(CURL *curl, size_t bytes)
{
    const int64_t began_us = now_us();
    const CURLcode code = curl_easy_perform(curl);
    bench_must(code == CURLE_OK, curl_easy_strerror(code));
    curl_easy_cleanup(curl);
    return (double)bytes / (double)(now_us() - began_us);
}

static double upload(const char *url, size_t bytes)
{
    struct source source = {bytes};
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    CURL *curl = begin(url);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, produce);
    curl_easy_setopt(curl, CURLOPT_READDATA, &source);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)bytes);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    const double rate = perform(curl, bytes);
    curl_slist_free_all(headers);
    return rate;
}

/* What stands between two marks; the caller frees. */
static char *between(const char *text, const char *before, char behind)
{
    const char *at = strstr(text, before), *end = at ? strchr(at + strlen(before), behind) : NULL;
    bench_must(end != NULL, text);
    at += strlen(before);
    return xasprintf("%.*s", (int)(end - at), at);
}

static void run(const struct relay_process *relay, size_t megabytes)
{
    const size_t bytes = megabytes * 1000 * 1000;
    struct samples up = {0}, down = {0};
    const double before_kb = (double)process_status(relay->pid, "VmRSS");
    for (size_t i = bench_setting("FILES_ROUNDS", 5); i > 0; i--) {
        char *text = tool_ok(relay, "a0", "upload_attachment",
            "{\"filename\":\"bench.bin\",\"mime_type\":\"application/octet-stream\"}");
        char *path = between(text, "Path: ", '\n'), *put = between(text, "octet-stream' '", '\'');
        samples_add(&up, upload(put, bytes));
        char *args = xasprintf("{\"path\":\"%s\"}", path);
        char *told = tool_ok(relay, "a0", "get_attachment", args), *get = between(told, "' '", '\'');
        samples_add(&down, perform(begin(get), bytes));
        free(get);
        free(told);
        free(args);
        free(text);
        free(path);
        free(put);
    }
    figures_add("upload", (double)megabytes, "MB/s", &up);
    figures_add("download", (double)megabytes, "MB/s", &down);
    figures_put("the relay's memory grew by", (double)megabytes, "KB",
        (double)process_status(relay->pid, "VmHWM") - before_kb);
}

int main(void)
{
    size_t megabytes[LIST_MAX];
    bench_init("bench_files");
    const size_t count = bench_list("FILES_MB", "1,10,100", megabytes, LIST_MAX);
    const char *data_dir = temp_folder();
    load_agents(data_dir, 1);
    struct relay_process *relay =
        relay_start(data_dir, (const char *const[]){"PATCHCORD_ATTACHMENT_MAX_BYTES=200000000",
                                  "PATCHCORD_ATTACHMENT_QUOTA_BYTES=10000000000", NULL});
    figures_begin("files", "Attachments by signed URLs", "MB");
    for (size_t i = 0; i < count; i++)
        run(relay, megabytes[i]);
    figures_end();
    harness_cleanup();
    return EXIT_SUCCESS;
}
