/* health: asks the relay of this configuration whether it serves, for container checks. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "command.h"

enum { HEALTH_TIMEOUT_S = 5 };

/* Where it can be reached from this machine. */
static char *health_url(const struct config *config)
{
    const char *scheme = config->tls_cert ? "https" : "http", *host = config->host;
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    return xasprintf(
        strchr(host, ':') ? "%s://[%s]:%d/health" : "%s://%s:%d/health", scheme, host, (int)config->port);
}

static size_t discard(const char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

static int ask(const char *url)
{
    CURL *curl = curl_easy_init();
    if (!curl)
        return command_fail("curl could not be prepared");
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)HEALTH_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
    /* Nothing secret is sent, and the certificate is made out to the public name, not to this machine's. */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    const CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (result != CURLE_OK)
        return command_fail("no relay answers at %s: %s", url, curl_easy_strerror(result));
    return status == 200 ? EXIT_SUCCESS : command_fail("%s answers with status %ld", url, status);
}

static int run(const struct command_line *line)
{
    struct config config;
    if (!command_config(line, &config))
        return EXIT_FAILURE;
    int code;
    if (config.port == 0) {
        code = command_fail("PATCHCORD_PORT is 0: the relay's port cannot be known");
    } else {
        char *url = health_url(&config);
        code = ask(url);
        free(url);
    }
    config_free(&config);
    return code;
}

const struct command command_health = {
    .name = "health",
    .operands = "",
    .summary = "ask whether the relay serves",
    .help = "Asks /health of the relay that has these settings, on this machine. Says nothing where all "
            "is well.\n",
    .run = run,
};
