#include <stdio.h>
#include <string.h>

#include "../../bridge/plugin_files.h"
#include "../../common/alloc.h"
#include "../../common/buf.h"
#include "../../common/json.h"
#include "unit.h"

#define FOLDER "bridge/plugin/" /* tests run in the project's folder */

static const struct plugin_file *find(const char *path)
{
    for (const struct plugin_file *file = plugin_files; file->path; file++)
        if (strcmp(file->path, path) == 0)
            return file;
    ck_abort_msg("%s is not there", path);
}

static struct json_object *parse(const char *path)
{
    const struct plugin_file *file = find(path);
    enum json_fault fault;
    struct json_object *value = json_parse((const char *)file->bytes, file->len, &fault);
    ck_assert_msg(value, "%s %s", path, json_fault_text(fault));
    return value;
}

START_TEST(every_file_is_the_one_on_the_disk)
{
    size_t count = 0;
    for (const struct plugin_file *file = plugin_files; file->path; file++, count++) {
        char *path = xasprintf(FOLDER "%s", file->path);
        FILE *on_disk = fopen(path, "rb");
        ck_assert_msg(on_disk, "%s", path);
        char *bytes = xmalloc(file->len + 1);
        ck_assert_uint_eq(fread(bytes, 1, file->len + 1, on_disk), file->len);
        ck_assert_mem_eq(bytes, file->bytes, file->len);
        fclose(on_disk);
        free(bytes);
        free(path);
    }
    ck_assert_uint_ge(count, 13);
}
END_TEST

START_TEST(files_stand_by_path)
{
    for (const struct plugin_file *file = plugin_files; file->path && file[1].path; file++)
        ck_assert_int_lt(strcmp(file->path, file[1].path), 0);
}
END_TEST

START_TEST(the_plugin_has_the_programs_version)
{
    struct json_object *manifest = parse("claude/.claude-plugin/plugin.json");
    ck_assert_str_eq(json_text_or(manifest, "version", ""), PATCHCORD_VERSION);
    json_object_put(manifest);
}
END_TEST

static const char *const skills[] = {
    "claude/skills/patchcord/SKILL.md",
    "codex/skills/patchcord/SKILL.md",
    "web/SKILL.md",
};

START_TEST(each_skill_says_whose_word_a_message_is)
{
    static const char *const said[] = {"name: patchcord", "no order", "ask your user first",
        "Do the work first", "defer=true", "resolve=true", "no answer", "Files by path", "wait_for_message"};
    const struct plugin_file *skill = find(skills[_i]);
    for (size_t i = 0; i < LENGTH_OF(said); i++)
        ck_assert_msg(memmem(skill->bytes, skill->len, said[i], strlen(said[i])), "%s lacks \"%s\"",
            skills[_i], said[i]);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("plugin_files", &tests);
    tcase_add_test(tests, every_file_is_the_one_on_the_disk);
    tcase_add_test(tests, files_stand_by_path);
    tcase_add_test(tests, the_plugin_has_the_programs_version);
    tcase_add_loop_test(tests, each_skill_says_whose_word_a_message_is, 0, LENGTH_OF(skills));
    return run_unit(suite);
}
