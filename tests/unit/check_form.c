/* Parameters of requests: what is a form, and what is refused. */
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/oauth/form.h"
#include "unit.h"

static struct form form;

static const char *parse(const char *text, size_t len)
{
    const char *problem = NULL;
    const bool is_fine = form_parse(text, len, &form, &problem);
    ck_assert(is_fine == !problem);
    return problem;
}

static void assert_refused(const char *text, const char *said)
{
    const char *problem = parse(text, strlen(text));
    ck_assert_msg(problem && strstr(problem, said), "%s: %s", text, problem ? problem : "taken");
    ck_assert_uint_eq(form.count, 0);
    ck_assert_ptr_null(form.fields);
}

static void assert_value(const char *text, const char *name, const char *value)
{
    ck_assert_ptr_null(parse(text, strlen(text)));
    const char *got = form_get(&form, name);
    if (value)
        ck_assert_msg(got && strcmp(got, value) == 0, "%s: %s", text, got ? got : "nothing");
    else
        ck_assert_ptr_null(got);
    form_free(&form);
}

START_TEST(values_are_decoded)
{
    assert_value("", "a", NULL);
    assert_value("a=1", "a", "1");
    assert_value("a=1&b=2", "b", "2");
    assert_value("&&a=1&", "a", "1");
    assert_value("a=x+y%20z", "a", "x y z");
    assert_value("%61=%C3%A4", "a", "\xc3\xa4");
    assert_value("a=b=c", "a", "b=c");
    assert_value("a=1%262", "a", "1&2");
}
END_TEST

START_TEST(what_is_empty_is_not_there)
{
    assert_value("a=", "a", NULL);
    assert_value("a", "a", NULL);
    assert_value("A=1", "a", NULL);
}
END_TEST

START_TEST(what_is_malformed_is_refused)
{
    assert_refused("a=1&a=2", "twice");
    assert_refused("a=1&a=1", "twice");
    assert_refused("a=&%61=", "twice");
    assert_refused("a=%", "escape");
    assert_refused("a=%4", "escape");
    assert_refused("a=%zz", "escape");
    assert_refused("a=%00", "escape");
    assert_refused("%=1", "escape");
    assert_refused("a=%ff", "UTF-8");
    assert_refused("%c0%af=1", "UTF-8");
    ck_assert_ptr_nonnull(parse("a=1\0&b=2", 8));
}
END_TEST

START_TEST(fields_are_bounded)
{
    struct buf text = {0};
    for (int i = 0; i < FORM_FIELDS_MAX; i++)
        buf_printf(&text, "&f%d=%d", i, i);
    ck_assert_ptr_null(parse(buf_text(&text), text.len));
    ck_assert_uint_eq(form.count, FORM_FIELDS_MAX);
    form_free(&form);
    buf_puts(&text, "&g=1");
    assert_refused(buf_text(&text), "too many");
    buf_free(&text);
}
END_TEST

START_TEST(decoded_fields_obey_the_same_rules)
{
    struct http_field fields[] = {{xstrdup("a"), xstrdup("1")}, {xstrdup("a"), xstrdup("2")}};
    struct form given = {fields, 1};
    ck_assert_ptr_null(form_problem(&given));
    given.count = 2;
    ck_assert_ptr_nonnull(strstr(form_problem(&given), "twice"));
    fields[1].name[0] = '\xff';
    ck_assert_ptr_nonnull(strstr(form_problem(&given), "UTF-8"));
    for (size_t i = 0; i < LENGTH_OF(fields); i++) {
        free(fields[i].name);
        free(fields[i].value);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("form", &tests);
    tcase_add_test(tests, values_are_decoded);
    tcase_add_test(tests, what_is_empty_is_not_there);
    tcase_add_test(tests, what_is_malformed_is_refused);
    tcase_add_test(tests, fields_are_bounded);
    tcase_add_test(tests, decoded_fields_obey_the_same_rules);
    return run_unit(suite);
}
