/* What tools say, as the command line says it. */
#include <string.h>

#include "../../bridge/cmd/wording.h"
#include "../../common/compiler.h"
#include "unit.h"

#define ID "0192f0c1-89ab-7cde-8123-456789abcdef"

static const struct {
    const char *said, *shown;
} problems[] = {
    {"Not sent: 2 unread first. Call inbox, then send again.\n",
        "Not sent: 2 unread first. Read them with `patchcord inbox --take` or `patchcord wait`, then send "
        "again.\n"},
    {"timeout_seconds must be an integer from 1 to 3600, not 0",
        "--timeout must be an integer from 1 to 3600, not 0"},
    {"message_id is not a message's id (a UUID, as inbox and recall show it in brackets): 12",
        "MESSAGE_ID is not a message's id (a UUID, as `patchcord inbox` and `patchcord recall` show it in "
        "brackets): "
        "12"},
    {"offset reads on in one long message: give its message_id too.",
        "--offset reads on in one long message: give its MESSAGE_ID too."},
    {"Not found: no message [" ID "] of yours. recall without message_id lists the latest.",
        "Not found: no message [" ID "] of yours. `patchcord recall` without MESSAGE_ID lists the latest."},
    {"Out of reach: a@b. Messages stay inside your own namespace; inbox lists who is there.",
        "Out of reach: a@b. Messages stay inside your own namespace; `patchcord agents` lists who is there."},
    {"to is empty: name at least one agent", "AGENT is empty: name at least one agent"},
    {"tomorrow is another day", "tomorrow is another day"},
    {"to", "to"},
    {"limit", "limit"},
    {"", ""},
};

START_TEST(a_problem_names_commands_and_options)
{
    struct buf out = {0};
    wording_problem(&out, problems[_i].said);
    ck_assert_str_eq(buf_text(&out), problems[_i].shown);
    buf_free(&out);
}
END_TEST

static const struct {
    const char *said, *shown;
} texts[] = {
    {"[cut after character 9 of 12; read on with recall(message_id=\"" ID "\", offset=9)]\n",
        "[cut after character 9 of 12; read on with `patchcord recall --offset 9 " ID "`]\n"},
    {"recall(message_id=\"\", offset=9)", "recall(message_id=\"\", offset=9)"},
    {"recall(message_id=\"" ID "\", offset=", "recall(message_id=\"" ID "\", offset="},
    {"\n3 more: call inbox\n", "\n3 more: `patchcord inbox --take` takes what comes first\n"},
    /* What agents wrote, and what only looks alike. */
    {"> call again\n> 3 more: call inbox\n", "> call again\n> 3 more: call inbox\n"},
    {"recall again", "recall again"},
    {"content is what a text begins with", "content is what a text begins with"},
    {"costs $1\n", "costs $1\n"},
};

START_TEST(a_text_names_them_outside_of_what_agents_wrote)
{
    struct buf out = {0};
    wording_text(&out, texts[_i].said);
    ck_assert_str_eq(buf_text(&out), texts[_i].shown);
    buf_free(&out);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("wording", &tests);
    tcase_add_loop_test(tests, a_problem_names_commands_and_options, 0, (int)LENGTH_OF(problems));
    tcase_add_loop_test(tests, a_text_names_them_outside_of_what_agents_wrote, 0, (int)LENGTH_OF(texts));
    return run_unit(suite);
}
