#include <string.h>

#include "../../common/manual.h"
#include "unit.h"

static const struct setting settings[] = {
    {.name = "TALK_URL", .help = "where it is - or isn't"}, {.name = NULL}};

static const struct manual_command commands[] = {
    {"say", "talk say [-n N] [--loud] TEXT\n       talk say --to=WHOM", "say it, in the speaker's words",
        "Begins.\n.hidden is 'no' macro, a\\b no escape, \xe2\x97\x89 one sign.\n\n  two  columns\n\n  "
        ".more\n\n"
        "OPTIONS\n  -n, --count N  how often; not --never\n  --loud         loudly\n"},
    {"room add", "talk room add NAME", "make a room", "'Makes' one.\n"},
    {"room drop", "talk room drop [--all] NAME", "end a room", "Ends one.\n"},
};

static const struct manual manual = {.program = "talk",
    .section = "1",
    .version = "2.0",
    .summary = "well-known words",
    .options = "  --as WHO  somebody\n",
    .commands = commands,
    .commands_count = LENGTH_OF(commands),
    .settings = settings};

static struct buf out;

static void setup(void)
{
    buf_reset(&out);
}

static void teardown(void)
{
    buf_free(&out);
}

static void has(const char *text)
{
    ck_assert_msg(strstr(buf_text(&out), text) != NULL, "\"%s\" is not in:\n%s", text, buf_text(&out));
}

static void lacks(const char *text)
{
    ck_assert_msg(strstr(buf_text(&out), text) == NULL, "\"%s\" is in:\n%s", text, buf_text(&out));
}

START_TEST(a_page_has_everything)
{
    manual_write_page(&manual, &out);
    has(".TH talk 1 \"\" \"Patchcord 2.0\"\n.SH NAME\ntalk \\- well\\-known words\n");
    has(".SH OPTIONS\nOf every command:\n");
    has("  \\-\\-as WHO  somebody\n");
    has(".SS say\nsay it, in the speaker\\(aqs words\n");
    has("\ntalk say [\\-n N] [\\-\\-loud] TEXT\ntalk say \\-\\-to=WHOM\n");
    has(".SS room add\n");
    has(".PP\n.B OPTIONS\n.nf\n  \\-n, \\-\\-count N  how often; not \\-\\-never\n");
    has(".TP\n.B TALK_URL\nwhere it is \\- or isn\\(aqt\n");
}
END_TEST

START_TEST(text_is_no_macro)
{
    manual_write_page(&manual, &out);
    has("\nBegins.\n\\&.hidden is \\(aqno\\(aq macro, a\\(rsb no escape, \\[u25C9] one sign.\n");
    has("\n\\(aqMakes\\(aq one.\n");
    lacks("\n.hidden");
    lacks("\n'");
    lacks("a\\b");
}
END_TEST

START_TEST(indented_lines_stay)
{
    manual_write_page(&manual, &out);
    has("one sign.\n.nf\n  two  columns\n\n  .more\n.fi\n.PP\n.B OPTIONS\n");
}
END_TEST

START_TEST(bash_and_zsh_choose_by_the_words)
{
    static const char *const shells[] = {"bash", "zsh"};
    ck_assert(manual_write_completion(&manual, shells[_i], &out));
    has("    '') choices=' say room --help --version ' ;;\n");
    has("    'say '*) choices=' -n --loud --to --count --as --help ' ;;\n");
    has("    'room add') choices=' --as --help ' ;;\n");
    has("    'room drop') choices=' --all --as --help ' ;;\n");
    has("    'room ') choices=' add drop ' ;;\n");
    lacks("--never");
}
END_TEST

START_TEST(fish_describes)
{
    ck_assert(manual_write_completion(&manual, "fish", &out));
    has("complete -c talk -n __fish_use_subcommand -a say -d 'say it, in the speaker\\'s words'\n");
    has("complete -c talk -n '__fish_seen_subcommand_from say' -s n\n");
    has("complete -c talk -n '__fish_seen_subcommand_from say' -l loud\n");
    has("complete -c talk -n '__fish_seen_subcommand_from room' -a drop -d 'end a room'\n");
    has("complete -c talk -n '__fish_seen_subcommand_from room; and __fish_seen_subcommand_from drop' -l "
        "all\n");
    lacks("never");
}
END_TEST

START_TEST(other_shells_are_refused)
{
    ck_assert(!manual_write_completion(&manual, "tcsh", &out));
    ck_assert(!manual_write_completion(&manual, "", &out));
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("manual", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_page_has_everything);
    tcase_add_test(tests, text_is_no_macro);
    tcase_add_test(tests, indented_lines_stay);
    tcase_add_loop_test(tests, bash_and_zsh_choose_by_the_words, 0, 2);
    tcase_add_test(tests, fish_describes);
    tcase_add_test(tests, other_shells_are_refused);
    return run_unit(suite);
}
