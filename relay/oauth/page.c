#include "page.h"

#include <sodium.h>
#include <string.h>

#include "html.h"

/* Its hash is in the policy, so that it may stand in the page. */
static const char STYLE[] =
    ":root{color-scheme:light dark;--page:#f3f3ef;--card:#fff;--text:#1d1d1b;--soft:#55554f;--line:#8a8a82;"
    "--act:#0a5560;--on-act:#fff;--bad:#a4161a}"
    "@media (prefers-color-scheme:dark){:root{--page:#161615;--card:#222220;--text:#f0f0ea;--soft:#b9b9b0;"
    "--line:#85857c;--act:#7fd3df;--on-act:#0b2125;--bad:#ff9b96}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif;"
    "overflow-wrap:anywhere}"
    "main{max-width:34rem;margin:0 auto;padding:1.25rem 1rem 2.5rem}"
    "h1{font-size:1.45rem;line-height:1.25;margin:.5rem 0 1rem}"
    "p{margin:0 0 1rem}"
    "a{color:var(--act)}"
    "dl,.card{background:var(--card);border-radius:.6rem;padding:1rem;margin:0 0 1rem}"
    "dt{color:var(--soft);font-size:.9rem}"
    "dd{margin:0 0 .75rem}"
    "dd:last-child{margin-bottom:0}"
    "label{display:block;font-weight:600;margin-bottom:.25rem}"
    "input{display:block;width:100%;font:1.15rem/1.4 ui-monospace,monospace;padding:.6rem .7rem;"
    "color:inherit;background:var(--page);border:1px solid var(--line);border-radius:.4rem}"
    ".hint{color:var(--soft);font-size:.9rem;margin:.4rem 0 1rem}"
    ".alert{border-left:.3rem solid var(--bad);padding:.6rem .8rem;background:var(--card);font-weight:600}"
    ".buttons{display:flex;flex-wrap:wrap;gap:.75rem}"
    "button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.25rem;border-radius:.4rem;"
    "border:1px solid var(--act);background:var(--act);color:var(--on-act);cursor:pointer}"
    "button.quiet{background:transparent;color:var(--act)}"
    "input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--act);"
    "outline-offset:2px}"
    "code{font-family:ui-monospace,monospace}";

void page_begin(struct buf *out, const char *title)
{
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
    html_escape(out, title);
    buf_puts(
        out, "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>");
    buf_puts(out, STYLE);
    buf_puts(out, "</style>\n</head>\n<body>\n<main>\n<h1>");
    html_escape(out, title);
    buf_puts(out, "</h1>\n");
}

void page_end(struct buf *out)
{
    buf_puts(out, "</main>\n</body>\n</html>\n");
}

void page_fact_begin(struct buf *out, const char *term)
{
    buf_puts(out, "<dt>");
    html_escape(out, term);
    buf_puts(out, "</dt>\n<dd>");
}

void page_fact_end(struct buf *out)
{
    buf_puts(out, "</dd>\n");
}

void page_alert(struct buf *out, const char *text)
{
    buf_puts(out, "<p class=\"alert\" id=\"problem\" role=\"alert\">");
    html_escape(out, text);
    buf_puts(out, "</p>\n");
}

static void write_policy(struct buf *out, const char *form_source)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256(hash, (const unsigned char *)STYLE, sizeof STYLE - 1);
    sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(out,
        "default-src 'none'; style-src 'sha256-%s'; form-action 'self'%s%s; base-uri 'none'; "
        "frame-ancestors 'none'",
        text, form_source ? " " : "", form_source ? form_source : "");
}

/* The referrer policy leaves our own form its Origin, which "no-referrer" would make null (Fetch, "append a
 * request Origin header"), and tells no other site what stood in our URL. No Cross-Origin-Opener-Policy: web
 * clients open the page in a window that they wait for. */
void page_answer(struct exchange *ex, int status, struct buf *page, const char *form_source)
{
    struct buf policy = {0};
    write_policy(&policy, form_source);
    exchange_answer(ex, status, "text/html; charset=utf-8", buf_text(page), page->len);
    exchange_add_header(ex, "Content-Security-Policy", buf_text(&policy));
    exchange_add_header(ex, "X-Frame-Options", "DENY");
    exchange_add_header(ex, "X-Content-Type-Options", "nosniff");
    exchange_add_header(ex, "Referrer-Policy", "same-origin");
    exchange_add_header(ex, "Cache-Control", "no-store");
    buf_free(&policy);
    buf_wipe(page);
}

void page_message(
    struct exchange *ex, int status, const char *title, const char *text, const char *link, const char *label)
{
    struct buf page = {0};
    page_begin(&page, title);
    buf_puts(&page, "<p>");
    html_escape(&page, text);
    buf_puts(&page, "</p>\n");
    if (link) {
        buf_puts(&page, "<p><a href=\"");
        html_escape(&page, link);
        buf_puts(&page, "\" rel=\"noreferrer\">");
        html_escape(&page, label);
        buf_puts(&page, "</a></p>\n");
    }
    page_end(&page);
    page_answer(ex, status, &page, NULL);
}
