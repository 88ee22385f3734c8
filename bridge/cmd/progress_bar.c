#include "progress_bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../common/clock.h"
#include "../../common/utf8.h"
#include "terminal.h"

enum { WIDTH = 20, LABEL_MAX = 30, REDRAW_MS = 100 };
static const double BYTES_PER_MB = 1e6;

void progress_bar_text(struct buf *out, const char *label, int64_t done, int64_t total)
{
    struct buf name = {0};
    terminal_word(&name, label);
    buf_append(out, buf_text(&name), utf8_offset(buf_text(&name), name.len, LABEL_MAX));
    buf_free(&name);
    if (total <= 0)
        return;
    int part = (int)((double)done / (double)total * WIDTH);
    buf_puts(out, "  [");
    for (int i = 0; i < WIDTH; i++)
        buf_putc(out, i < part ? '#' : '-');
    buf_printf(out, "]  %d %%  %.1f of %.1f MB", (int)((double)done / (double)total * 100),
        (double)done / BYTES_PER_MB, (double)total / BYTES_PER_MB);
}

void progress_bar_begin(struct progress_bar *bar, const char *label)
{
    *bar = (struct progress_bar){.label = label, .shows = isatty(STDERR_FILENO)};
}

void progress_bar_show(struct progress_bar *bar, int64_t done, int64_t total)
{
    int64_t now = clock_mono_ms();
    if (!bar->shows || now < bar->due_ms)
        return;
    struct buf line = {0};
    progress_bar_text(&line, bar->label, done, total);
    fprintf(stderr, "\r%s\033[K", buf_text(&line));
    buf_free(&line);
    bar->drawn = true;
    bar->due_ms = now + REDRAW_MS;
}

void progress_bar_end(struct progress_bar *bar)
{
    if (bar->drawn)
        fputs("\r\033[K", stderr);
    bar->drawn = false;
}
