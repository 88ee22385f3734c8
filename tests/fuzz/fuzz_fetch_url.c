/* URLs that somebody else gave, and redirects from them: what is taken is https to a host, without
 * credentials, and is read again as the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../relay/fetch/fetch_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_part_missing(CURLU *url, CURLUPart part)
{
    char *value = NULL;
    assert(curl_url_get(url, part, &value, 0) != CURLUE_OK);
}

static void check(CURLU *url)
{
    const char *problem = NULL;
    char *text = fetch_url_text(url), *host = fetch_url_host(url);
    assert(text && host && *host);
    assert(strncmp(text, "https://", 8) == 0 && strlen(text) <= FETCH_URL_MAX);
    assert_part_missing(url, CURLUPART_USER);
    assert_part_missing(url, CURLUPART_PASSWORD);
    assert_part_missing(url, CURLUPART_FRAGMENT);
    CURLU *again = fetch_url_parse(text, &problem);
    char *same = again ? fetch_url_host(again) : NULL;
    /* An escaped host is decoded once; what that gives is either no URL, or the same host. */
    assert(!again || strcasecmp(same, host) == 0 || strchr(host, '%'));
    curl_free(same);
    curl_url_cleanup(again);
    curl_free(host);
    curl_free(text);
}

static void check_given(const char *text)
{
    const char *problem = NULL;
    CURLU *url = fetch_url_parse(text, &problem);
    assert(url || problem);
    if (url)
        check(url);
    curl_url_cleanup(url);
}

static void check_followed(const char *location)
{
    const char *problem = NULL;
    CURLU *url = fetch_url_parse("https://example.org:444/a/b?c", &problem);
    assert(url);
    if (fetch_url_follow(url, location, &problem))
        check(url);
    else
        assert(problem);
    curl_url_cleanup(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    check_given(text);
    check_followed(text);
    free(text);
    return 0;
}
