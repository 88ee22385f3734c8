#include "manual.h"

#include <ctype.h>
#include <string.h>

#include "utf8.h"

/* ---- roff ---- */

static const struct {
    char sign;
    const char *escape;
} roff_escapes[] = {{'\\', "\\(rs"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'`', "\\(ga"}, {'^', "\\(ha"},
    {'~', "\\(ti"}, {'"', "\\(dq"}};

static const char *roff_escape(char sign)
{
    for (size_t i = 0; i < LENGTH_OF(roff_escapes); i++)
        if (roff_escapes[i].sign == sign)
            return roff_escapes[i].escape;
    return NULL;
}

/* A character of text for roff; returns how many bytes it has. */
static size_t roff_character(const char *text, struct buf *out)
{
    uint32_t code_point = 0;
    const char *escape = roff_escape(*text);
    const size_t len = utf8_decode(text, strlen(text), &code_point);
    if (escape)
        buf_puts(out, escape);
    else if (len > 1)
        buf_printf(out, "\\[u%04X]", (unsigned)code_point);
    else
        buf_putc(out, *text);
    return len > 1 ? len : 1;
}

/* One line, as text, whatever it begins with. */
static void roff_line(const char *line, struct buf *out)
{
    if (*line == '.') /* it would be a macro */
        buf_puts(out, "\\&");
    while (*line)
        line += roff_character(line, out);
    buf_putc(out, '\n');
}

/* Takes the next line off *text into line, without its end. False: there is none. */
static bool next_line(const char **text, struct buf *line)
{
    buf_reset(line);
    if (!**text)
        return false;
    const size_t len = strcspn(*text, "\n");
    buf_append(line, *text, len);
    *text += len + ((*text)[len] == '\n');
    return true;
}

static bool is_heading(const char *line)
{
    return isupper((unsigned char)line[0]) && isupper((unsigned char)line[1]) &&
           line[strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ")] == '\0';
}

static void roff_heading(const char *line, struct buf *out)
{
    buf_puts(out, ".PP\n.B ");
    roff_line(line, out);
}

/* Running text is filled; what is indented keeps its lines and columns. */
static void roff_text(const char *text, struct buf *out)
{
    struct buf line = {0};
    bool is_kept = false, begins = true;
    while (next_line(&text, &line)) {
        const char *at = buf_text(&line);
        const bool keeps = *at == ' ' || (is_kept && !*at && *text == ' ');
        if (keeps != is_kept)
            buf_puts(out, keeps ? ".nf\n" : ".fi\n");
        is_kept = keeps;
        if (is_heading(at))
            roff_heading(at, out);
        else if (*at || keeps) {
            buf_puts(out, begins && !keeps ? ".PP\n" : "");
            roff_line(at, out);
        }
        begins = !*at || is_heading(at);
    }
    if (is_kept)
        buf_puts(out, ".fi\n");
    buf_free(&line);
}

/* Lines behind the first are aligned with what follows "Usage: ". */
static void roff_usage(const char *usage, struct buf *out)
{
    enum { INDENT = sizeof "Usage: " - 1 };
    struct buf line = {0};
    buf_puts(out, ".PP\n.nf\n");
    while (next_line(&usage, &line)) {
        const size_t blanks = strspn(buf_text(&line), " ");
        roff_line(buf_text(&line) + (blanks < INDENT ? blanks : INDENT), out);
    }
    buf_puts(out, ".fi\n");
    buf_free(&line);
}

static void roff_command(const struct manual_command *command, struct buf *out)
{
    buf_puts(out, ".SS ");
    roff_line(command->name, out);
    roff_line(command->summary, out);
    roff_usage(command->usage, out);
    roff_text(command->help, out);
}

void manual_write_page(const struct manual *manual, struct buf *out)
{
    buf_printf(out, ".TH %s %s \"\" \"Patchcord %s\"\n.SH NAME\n", manual->program, manual->section,
        manual->version);
    buf_printf(out, "%s \\- ", manual->program);
    roff_line(manual->summary, out);
    buf_printf(out, ".SH SYNOPSIS\n.B %s\n.I COMMAND\n[OPTIONS]\n", manual->program);
    if (*manual->options) {
        buf_puts(out, ".SH OPTIONS\nOf every command:\n.PP\n");
        roff_text(manual->options, out);
    }
    buf_puts(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < manual->commands_count; i++)
        roff_command(&manual->commands[i], out);
    buf_puts(out, ".SH ENVIRONMENT\n");
    for (const struct setting *row = manual->settings; row->name; row++) {
        buf_printf(out, ".TP\n.B %s\n", row->name);
        roff_line(row->help, out);
    }
}

/* ---- completions ---- */

/* Adds a word to a list with blanks around each, once. */
static void add_word(const char *word, size_t len, struct buf *list)
{
    struct buf padded = {0};
    buf_printf(&padded, " %.*s ", (int)len, word);
    if (list->len == 0)
        buf_putc(list, ' ');
    if (!strstr(buf_text(list), buf_text(&padded)))
        buf_puts(list, buf_text(&padded) + 1);
    buf_free(&padded);
}

/* The options (-o, --output) that stand in the first len bytes of text. */
static void add_options(const char *text, size_t len, struct buf *list)
{
    for (size_t i = 0; i < len;) {
        const size_t word = strspn(text + i, "-abcdefghijklmnopqrstuvwxyz0123456789");
        const size_t dashes = strspn(text + i, "-");
        if (dashes > 0 && word > dashes && i + word <= len)
            add_word(text + i, word, list);
        i += word > 0 ? word : 1;
    }
}

/* Those of a help text: lines that begin with an option, as far as the description. */
static void add_listed_options(const char *text, struct buf *list)
{
    struct buf line = {0};
    while (next_line(&text, &line)) {
        const char *option = buf_text(&line) + strspn(buf_text(&line), " ");
        const char *description = strstr(option, "  ");
        if (*option == '-')
            add_options(option, description ? (size_t)(description - option) : strlen(option), list);
    }
    buf_free(&line);
}

static void list_options(const struct manual *manual, const struct manual_command *command, struct buf *list)
{
    add_options(command->usage, strlen(command->usage), list);
    add_listed_options(command->help, list);
    add_listed_options(manual->options, list);
    add_word("--help", strlen("--help"), list);
}

/* How long the first of two words is; 0: the command has one. */
static size_t group_len(const struct manual_command *command)
{
    const char *blank = strchr(command->name, ' ');
    return blank ? (size_t)(blank - command->name) : 0;
}

static void list_first_words(const struct manual *manual, struct buf *list)
{
    for (size_t i = 0; i < manual->commands_count; i++)
        add_word(manual->commands[i].name, strcspn(manual->commands[i].name, " "), list);
    add_word("--help", strlen("--help"), list);
    add_word("--version", strlen("--version"), list);
}

/* Of the group that of has. */
static void list_second_words(const struct manual *manual, const struct manual_command *of, struct buf *list)
{
    const size_t len = group_len(of);
    for (size_t i = 0; i < manual->commands_count; i++) {
        const char *name = manual->commands[i].name;
        if (strncmp(name, of->name, len + 1) == 0)
            add_word(name + len + 1, strlen(name + len + 1), list);
    }
}

/* Writes the choices behind one command line, and empties the list. */
static void case_write(const char *pattern, struct buf *list, struct buf *out)
{
    buf_printf(out, "    %s) choices='%s' ;;\n", pattern, buf_text(list));
    buf_reset(list);
}

/* What may follow a first word; once for each, with the first command that has it. */
static void write_group_case(
    const struct manual *manual, const struct manual_command *command, struct buf *list, struct buf *out)
{
    const size_t len = group_len(command);
    if (len == 0)
        return;
    for (const struct manual_command *before = manual->commands; before < command; before++)
        if (strncmp(before->name, command->name, len + 1) == 0)
            return;
    struct buf pattern = {0};
    buf_printf(&pattern, "'%.*s '", (int)len, command->name);
    list_second_words(manual, command, list);
    case_write(buf_text(&pattern), list, out);
    buf_free(&pattern);
}

/* The body that bash and zsh share: from the words in key to the choices. */
static void write_cases(const struct manual *manual, struct buf *out)
{
    struct buf list = {0}, pattern = {0};
    buf_puts(out, "    case \"$key\" in\n");
    list_first_words(manual, &list);
    case_write("''", &list, out);
    for (size_t i = 0; i < manual->commands_count; i++) {
        const struct manual_command *command = &manual->commands[i];
        list_options(manual, command, &list);
        buf_reset(&pattern);
        buf_printf(&pattern, group_len(command) ? "'%s'" : "'%s '*", command->name);
        case_write(buf_text(&pattern), &list, out);
    }
    for (size_t i = 0; i < manual->commands_count; i++)
        write_group_case(manual, &manual->commands[i], &list, out);
    buf_puts(out, "    esac\n");
    buf_free(&list);
    buf_free(&pattern);
}

static void write_bash(const struct manual *manual, struct buf *out)
{
    const char *program = manual->program;
    buf_printf(out,
        "# Completion of %s for bash.\n"
        "_%s() {\n"
        "    local choices= key=\"${COMP_WORDS[1]} \"\n"
        "    [ \"$COMP_CWORD\" -lt 3 ] || key=\"$key${COMP_WORDS[2]}\"\n"
        "    [ \"$COMP_CWORD\" -gt 1 ] || key=\n",
        program, program);
    write_cases(manual, out);
    buf_printf(out,
        "    COMPREPLY=($(compgen -W \"$choices\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
        "}\n"
        "complete -o default -F _%s %s\n",
        program, program);
}

static void write_zsh(const struct manual *manual, struct buf *out)
{
    const char *program = manual->program;
    buf_printf(out,
        "#compdef %s\n"
        "_%s() {\n"
        "    local choices= key=\"${words[2]} \"\n"
        "    (( CURRENT < 4 )) || key=\"$key${words[3]}\"\n"
        "    (( CURRENT > 2 )) || key=\n",
        program, program);
    write_cases(manual, out);
    buf_printf(out,
        "    [[ -z $choices ]] || compadd -- ${=choices}\n"
        "    _files\n"
        "}\n"
        "if [[ $funcstack[1] == _%s ]]; then _%s \"$@\"; else compdef _%s %s; fi\n",
        program, program, program, program);
}

/* In single quotes, as fish takes them. */
static void fish_quote(const char *text, struct buf *out)
{
    buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}

static void fish_name(const char *program, const struct manual_command *command, struct buf *out)
{
    const size_t len = group_len(command);
    if (len)
        buf_printf(out,
            "complete -c %s -n __fish_use_subcommand -a %.*s\ncomplete -c %s -n '__fish_seen_subcommand_from "
            "%.*s' -a %s -d ",
            program, (int)len, command->name, program, (int)len, command->name, command->name + len + 1);
    else
        buf_printf(out, "complete -c %s -n __fish_use_subcommand -a %s -d ", program, command->name);
    fish_quote(command->summary, out);
    buf_putc(out, '\n');
}

static void fish_options(
    const char *program, const struct manual_command *command, const char *list, struct buf *out)
{
    const int len = (int)group_len(command);
    while (*(list += strspn(list, " "))) {
        const int word = (int)strcspn(list, " ");
        const bool is_long = list[1] == '-';
        buf_printf(out, "complete -c %s -n '__fish_seen_subcommand_from %.*s", program,
            len ? len : (int)strlen(command->name), command->name);
        if (len)
            buf_printf(out, "; and __fish_seen_subcommand_from %s", command->name + len + 1);
        buf_printf(out, "' -%c %.*s\n", is_long ? 'l' : 's', word - 1 - is_long, list + 1 + is_long);
        list += word;
    }
}

static void write_fish(const struct manual *manual, struct buf *out)
{
    struct buf list = {0};
    buf_printf(out, "# Completion of %s for fish.\n", manual->program);
    for (size_t i = 0; i < manual->commands_count; i++) {
        buf_reset(&list);
        list_options(manual, &manual->commands[i], &list);
        fish_name(manual->program, &manual->commands[i], out);
        fish_options(manual->program, &manual->commands[i], buf_text(&list), out);
    }
    buf_free(&list);
}

static const struct {
    const char *name;
    void (*write)(const struct manual *manual, struct buf *out);
} shells[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};

bool manual_write_completion(const struct manual *manual, const char *shell, struct buf *out)
{
    for (size_t i = 0; i < LENGTH_OF(shells); i++) {
        if (strcmp(shells[i].name, shell) != 0)
            continue;
        shells[i].write(manual, out);
        return true;
    }
    return false;
}
