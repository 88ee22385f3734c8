/* manual.h: man pages and shell completions, made of the texts that --help prints. */
#ifndef COMMON_MANUAL_H
#define COMMON_MANUAL_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "compiler.h"
#include "env.h"

struct manual_command {
    const char *name;    /* one word or two */
    const char *usage;   /* a line or several, without "Usage:" */
    const char *summary; /* one line */
    const char *help;    /* paragraphs; what is indented stays as it is; a line of capitals is a heading */
};

/* Everything is borrowed. */
struct manual {
    const char *program;
    const char *section; /* of the manual: "1", "8" */
    const char *version;
    const char *summary; /* one line: what the program is */
    const char *options; /* those of every command, a line each, indented; "" for none */
    const struct manual_command *commands;
    size_t commands_count;
    const struct setting *settings;
};

/* Appends the page as roff with man(7) macros. */
void manual_write_page(const struct manual *manual, struct buf *out);
/* Appends the completion script of "bash", "zsh" or "fish". False: that is no shell we know; nothing is
 * appended. */
MUST_CHECK bool manual_write_completion(const struct manual *manual, const char *shell, struct buf *out);

#endif
