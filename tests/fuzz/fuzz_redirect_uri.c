/* A redirect URI that is taken leads where it says: its scheme is one of ours, what is shown of it is in it,
 * no header or page can be broken with it, and it matches itself. The input: two of them, a line each. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/url.h"
#include "../../relay/oauth/auto_approval.h"
#include "../../relay/oauth/client_document.h"
#include "../../relay/oauth/redirect_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_web(const char *text, const struct redirect_uri *uri)
{
    struct url url;
    char *before_query = xmemdup_text(text, strcspn(text, "?"));
    assert(uri->host && url_parse(before_query, &url) && strcmp(url.host, uri->host) == 0);
    assert(strcmp(url.scheme, "https") == 0 || url_host_is_loopback(url.host));
    url_free(&url);
    free(before_query);
}

static bool check(const char *text)
{
    struct redirect_uri uri;
    const char *problem = NULL;
    if (!redirect_uri_parse(text, &uri, &problem)) {
        assert(problem && !uri.shown);
        return false;
    }
    assert(!strpbrk(text, " \t\r\n\"<>\\#") && !strpbrk(uri.source, " ;,'\"") && *uri.shown);
    assert(redirect_uri_matches(text, text));
    if (uri.kind == REDIRECT_APP)
        assert(strncmp(text, uri.shown, strlen(uri.shown)) == 0 && strncmp(text, "javascript:", 11) != 0);
    else
        check_web(text, &uri);
    redirect_uri_free(&uri);
    return true;
}

/* Whatever matches what is registered leads to the same host. */
static void check_pair(const char *registered, const char *given)
{
    struct redirect_uri a, b;
    const char *problem;
    if (!redirect_uri_matches(registered, given))
        return;
    assert(redirect_uri_parse(registered, &a, &problem) && redirect_uri_parse(given, &b, &problem));
    assert(a.kind == b.kind && (a.kind == REDIRECT_APP || strcmp(a.host, b.host) == 0));
    redirect_uri_free(&a);
    redirect_uri_free(&b);
}

static void check_settings(const char *first, const char *second)
{
    const struct auto_approval_options options = {
        .clients = first, .known_clients = second, .namespace_id = "home"};
    struct buf why = {0};
    struct ident who;
    struct auto_approval *approval = auto_approval_new(&options, &why);
    assert(approval || why.len > 0);
    if (approval && auto_approval_find(approval, first, second, &who))
        assert(ident_name_valid(who.agent) && ident_name_valid(who.namespace_id));
    auto_approval_free(approval);
    buf_free(&why);
    (void)auto_approval_is_private(first);
}

static void check_document(const char *text)
{
    char *host = client_document_host(text);
    if (host)
        assert(strncmp(text, "https://", 8) == 0 && *host && !strpbrk(text, "?# \r\n"));
    free(host);
    const int64_t keep_ms = client_document_keep_ms(text);
    assert(keep_ms >= 0 && keep_ms <= CLIENT_DOCUMENT_KEEP_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size), *second = strchr(text, '\n');
    if (second) {
        *second++ = '\0';
        check_document(text);
        check_settings(text, second);
        const bool first_fits = check(text), second_fits = check(second);
        if (first_fits && second_fits)
            check_pair(text, second);
    }
    free(text);
    return 0;
}
