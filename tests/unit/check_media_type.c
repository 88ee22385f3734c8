#include <string.h>

#include "../../relay/blob/media_type.h"
#include "unit.h"

static const struct {
    const char *given, *read; /* NULL: none */
} types[] = {
    {"text/plain", "text/plain"},
    {"TEXT/Plain", "text/plain"},
    {" text/plain ", "text/plain"},
    {"text/plain; charset=utf-8", "text/plain"},
    {"text/plain;", "text/plain"},
    {"image/svg+xml", "image/svg+xml"},
    {"application/vnd.ms-excel", "application/vnd.ms-excel"},
    {"", NULL},
    {"text", NULL},
    {"text/", NULL},
    {"/plain", NULL},
    {"text/plain/more", NULL},
    {"text/pl ain", NULL},
    {"text /plain", NULL},
    {"text/*", NULL},
    {"*/*", NULL},
    {"text/plain\r\nX: y", NULL},
    {"text/plain,image/png", NULL},
    {"text/pl\"ain", NULL},
    {"text/pl\xc3\xa4in", NULL},
};

START_TEST(a_type_is_read)
{
    char type[MEDIA_TYPE_SIZE];
    ck_assert_int_eq(media_type_parse(types[_i].given, type), types[_i].read != NULL);
    ck_assert_str_eq(type, types[_i].read ? types[_i].read : "");
}
END_TEST

START_TEST(a_type_has_a_longest)
{
    char given[MEDIA_TYPE_MAX + 2], type[MEDIA_TYPE_SIZE];
    memset(given, 'x', sizeof given);
    memcpy(given, "text/", 5);
    given[MEDIA_TYPE_MAX] = '\0';
    ck_assert(media_type_parse(given, type));
    given[MEDIA_TYPE_MAX] = 'x';
    given[MEDIA_TYPE_MAX + 1] = '\0';
    ck_assert(!media_type_parse(given, type));
}
END_TEST

START_TEST(a_name_tells_its_type)
{
    ck_assert_str_eq(media_type_of_name("a.txt"), "text/plain");
    ck_assert_str_eq(media_type_of_name("A.PDF"), "application/pdf");
    ck_assert_str_eq(media_type_of_name("a.tar.gz"), "application/gzip");
    ck_assert_str_eq(media_type_of_name("a.unheard-of"), MEDIA_TYPE_UNKNOWN);
    ck_assert_str_eq(media_type_of_name("txt"), MEDIA_TYPE_UNKNOWN);
    ck_assert_str_eq(media_type_of_name("a."), MEDIA_TYPE_UNKNOWN);
    ck_assert_str_eq(media_type_of_name(""), MEDIA_TYPE_UNKNOWN);
}
END_TEST

START_TEST(the_operators_list_is_held_to)
{
    static const char list[] = "text/*, image/png,application/vnd.*";
    ck_assert(media_type_allowed(list, "text/plain"));
    ck_assert(media_type_allowed(list, "image/png"));
    ck_assert(media_type_allowed(list, "application/vnd.ms-excel"));
    ck_assert(!media_type_allowed(list, "image/png2"));
    ck_assert(!media_type_allowed(list, "image/pn"));
    ck_assert(!media_type_allowed(list, "image/jpeg"));
    ck_assert(!media_type_allowed(list, "application/pdf"));
    ck_assert(!media_type_allowed(list, "texture/plain"));
    ck_assert(!media_type_allowed("", "text/plain"));
    ck_assert(media_type_allowed("*/*", "anything/at-all"));
    ck_assert(media_type_allowed("TEXT/PLAIN", "text/plain"));
    ck_assert(media_type_allowed(MEDIA_TYPES_ALLOWED, MEDIA_TYPE_UNKNOWN));
    ck_assert(!media_type_allowed(MEDIA_TYPES_ALLOWED, "application/x-msdownload"));
}
END_TEST

START_TEST(a_wrong_list_is_found_out)
{
    static const struct {
        const char *list, *wrong;
    } lists[] = {
        {"", NULL},
        {"text/plain", NULL},
        {"text/*,*/*,application/vnd.*", NULL},
        {MEDIA_TYPES_ALLOWED, NULL},
        {"text/plain,png", "png"},
        {"text", "text"},
        {"text/", "text/"},
        {"*", "*"},
        {"*/png", "*/png"},
        {"text/*x", "text/*x"},
        {"text/**", "text/**"},
        {"a/b/c", "a/b/c"},
    };
    for (size_t i = 0; i < LENGTH_OF(lists); i++) {
        int len = 0;
        const char *wrong = media_types_wrong(lists[i].list, &len);
        ck_assert_int_eq(wrong != NULL, lists[i].wrong != NULL);
        if (wrong) {
            ck_assert_int_eq(len, (int)strlen(lists[i].wrong));
            ck_assert_int_eq(strncmp(wrong, lists[i].wrong, (size_t)len), 0);
        }
    }
}
END_TEST

START_TEST(text_is_what_can_be_shown)
{
    ck_assert(media_type_is_text("text/markdown"));
    ck_assert(media_type_is_text("application/json"));
    ck_assert(media_type_is_text("application/ld+json"));
    ck_assert(media_type_is_text("image/svg+xml"));
    ck_assert(!media_type_is_text("image/png"));
    ck_assert(!media_type_is_text("application/json2"));
    ck_assert(!media_type_is_text("application/octet-stream"));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("media_type", &tests);
    tcase_add_loop_test(tests, a_type_is_read, 0, LENGTH_OF(types));
    tcase_add_test(tests, a_type_has_a_longest);
    tcase_add_test(tests, a_name_tells_its_type);
    tcase_add_test(tests, the_operators_list_is_held_to);
    tcase_add_test(tests, a_wrong_list_is_found_out);
    tcase_add_test(tests, text_is_what_can_be_shown);
    return run_unit(suite);
}
