#include "consent_page.h"

#include "html.h"
#include "page.h"

static void hidden(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    html_escape(out, value);
    buf_puts(out, "\">\n");
}

static void form_begin(struct buf *out, const char *action, const char *state)
{
    buf_printf(out, "<form method=\"post\" action=\"%s\" autocomplete=\"off\">\n", action);
    hidden(out, FIELD_STATE, state);
}

/* A field for a code: what is typed is neither corrected nor remembered. */
static void code_field(
    struct buf *out, const char *name, const char *label, const char *value, const char *problem)
{
    buf_printf(out, "<label for=\"%s\">%s</label>\n", name, label);
    buf_printf(out,
        "<input id=\"%s\" name=\"%s\" type=\"text\" required maxlength=\"64\" autocomplete=\"off\" "
        "autocapitalize=\"characters\" spellcheck=\"false\" aria-describedby=\"%s%s-hint\"%s value=\"",
        name, name, problem ? "problem " : "", name, problem ? " aria-invalid=\"true\"" : "");
    html_escape(out, value ? value : "");
    buf_puts(out, "\">\n");
}

static void connect_code_field(struct buf *out, const char *problem)
{
    code_field(out, FIELD_CODE, "Connect code", NULL, problem);
    buf_puts(out, "<p class=\"hint\" id=\"" FIELD_CODE
                  "-hint\">Who runs this relay makes one with <code>patchcord-relay connect</code>. It says "
                  "which agent this becomes, counts once, and for 10 minutes.</p>\n");
}

/* Refusing needs no code. The first button is the one that Enter presses. */
static void decision_buttons(struct buf *out)
{
    buf_puts(out,
        "<div class=\"buttons\">\n"
        "<button type=\"submit\" name=\"" FIELD_DECISION "\" value=\"" DECISION_ALLOW "\">Allow</button>\n"
        "<button type=\"submit\" name=\"" FIELD_DECISION "\" value=\"" DECISION_DENY
        "\" class=\"quiet\" formnovalidate>Refuse</button>\n"
        "</div>\n</form>\n");
}

static void relay_fact(struct buf *out, const char *name, const char *url)
{
    page_fact_begin(out, "Relay");
    html_name(out, name);
    buf_puts(out, "<br>");
    html_escape(out, url);
    page_fact_end(out);
}

/* ---- an application ---- */

static void client_facts(struct buf *out, const struct consent_page *page)
{
    page_fact_begin(out, "Application, as it calls itself");
    buf_puts(out, "<strong>");
    html_name(out, *page->client_name ? page->client_name : "(it has no name)");
    buf_puts(out, "</strong>");
    page_fact_end(out);
    if (page->client_host) {
        page_fact_begin(out, "Described by");
        html_escape(out, page->client_host);
        page_fact_end(out);
    }
}

static void redirect_fact(struct buf *out, const struct redirect_uri *redirect)
{
    static const char *const notes[] = {
        [REDIRECT_WEB] = "",
        [REDIRECT_LOOPBACK] = ": a program on the computer in front of you",
        [REDIRECT_APP] = ": a program on the device in front of you",
    };
    page_fact_begin(out, "Access goes to");
    buf_puts(out, "<strong>");
    html_escape(out, redirect->shown);
    buf_puts(out, "</strong>");
    buf_puts(out, notes[redirect->kind]);
    page_fact_end(out);
}

void consent_page_write(struct buf *out, const struct consent_page *page)
{
    page_begin(out, "Allow this application?");
    if (page->problem)
        page_alert(out, page->problem);
    buf_puts(out, "<p>It wants to read and send messages as one of your agents.</p>\n<dl>\n");
    client_facts(out, page);
    redirect_fact(out, page->redirect);
    relay_fact(out, page->relay_name, page->relay_url);
    buf_puts(out, "</dl>\n<p>Anybody can give an application any name. Go on only if you started this "
                  "yourself and know the place that access goes to.</p>\n");
    form_begin(out, "authorize", page->state);
    connect_code_field(out, page->problem);
    decision_buttons(out);
    page_end(out);
}

/* ---- a bridge ---- */

void device_ask_page_write(struct buf *out, const struct device_ask_page *page)
{
    page_begin(out, "Connect a terminal");
    if (page->problem)
        page_alert(out, page->problem);
    buf_puts(out, "<p>Go on only if you started <code>patchcord login</code> yourself.</p>\n");
    form_begin(out, "device", page->state);
    code_field(out, FIELD_USER, "Code that the terminal shows", page->user_code, page->problem);
    buf_puts(out, "<p class=\"hint\" id=\"" FIELD_USER
                  "-hint\">It must be the very code that <code>patchcord login</code> has printed.</p>\n"
                  "<div class=\"buttons\">\n<button type=\"submit\">Continue</button>\n</div>\n</form>\n");
    page_end(out);
}

void device_page_write(struct buf *out, const struct device_page *page)
{
    page_begin(out, "Allow this terminal?");
    if (page->problem)
        page_alert(out, page->problem);
    buf_puts(out, "<p>A bridge wants to read and send messages as one of your agents. Allow it only if you "
                  "started this yourself, on this machine.</p>\n<dl>\n");
    page_fact_begin(out, "Machine, as it calls itself");
    html_name(out, *page->machine ? page->machine : "(it has no name)");
    page_fact_end(out);
    page_fact_begin(out, "Asked from the address");
    html_escape(out, page->address);
    page_fact_end(out);
    page_fact_begin(out, "Code that its terminal shows");
    html_escape(out, page->user_code);
    page_fact_end(out);
    relay_fact(out, page->relay_name, page->relay_url);
    buf_puts(out, "</dl>\n");
    form_begin(out, "device", page->state);
    connect_code_field(out, page->problem);
    decision_buttons(out);
    page_end(out);
}
