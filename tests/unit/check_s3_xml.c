/* What S3 answers with, as it is read. */
#include <check.h>
#include <string.h>

#include "../../relay/blob/s3_xml.h"
#include "unit.h"

#define PAGE(inside) "<?xml version='1.0'?>\n<ListBucketResult xmlns=\"x\">" inside "</ListBucketResult>\n"
#define OBJECT(key, size)                                                                                    \
    "<Contents><Key>" key "</Key><Size>" size "</Size><Owner><ID>Key</ID></Owner></Contents>"

static struct buf seen;

static bool see(void *arg, const char *key, int64_t size)
{
    const char *last = arg;
    buf_printf(&seen, "%s=%lld ", key, (long long)size);
    return !last || strcmp(key, last) != 0;
}

static const struct {
    const char *text;
    const char *seen; /* NULL: it is no listing */
    const char *next;
} pages[] = {
    {PAGE(""), "", ""},
    {"<ListBucketResult/>", "", ""},
    {PAGE(OBJECT("a/b", "5") OBJECT("c", "9223372036854775807")), "a/b=5 c=9223372036854775807 ", ""},
    {PAGE(OBJECT("a&amp;&lt;&#65;&#x42;&apos;", "0")), "a&<AB'=0 ", ""},
    {PAGE("<NextContinuationToken>x&#61;=</NextContinuationToken>"), "", "x=="},
    {PAGE("<Prefix></Prefix><Delimiter/>" OBJECT("a", "1")), "a=1 ", ""},
    {"", NULL, ""},
    {"{\"message\": \"gateway\"}", NULL, ""},
    {"<Error><Code>AccessDenied</Code></Error>", NULL, ""},
    {PAGE(OBJECT("a", "-1")), NULL, ""},
    {PAGE(OBJECT("a", "9223372036854775808")), NULL, ""},
    {PAGE(OBJECT("a&nbsp;", "1")), NULL, ""},
    {PAGE(OBJECT("a&#0;", "1")), NULL, ""},
    {PAGE(OBJECT("a&amp", "1")), NULL, ""},
    {"<!DOCTYPE x><ListBucketResult/>", NULL, ""},
    {"<ListBucketResult><Contents><Key>a</Size></Contents></ListBucketResult>", NULL, ""},
    {"<ListBucketResult><Contents><Key>a", NULL, ""},
    {"<ListBucketResult><", NULL, ""},
};

START_TEST(a_listing_is_read)
{
    struct s3_page page = {.each = see};
    const char *text = pages[_i].text;
    ck_assert_msg(s3_xml_page(text, strlen(text), &page) == (pages[_i].seen != NULL), "%s", text);
    if (pages[_i].seen)
        ck_assert_str_eq(buf_text(&seen), pages[_i].seen);
    ck_assert_str_eq(buf_text(&page.next), pages[_i].next);
    buf_free(&page.next);
    buf_free(&seen);
}
END_TEST

START_TEST(a_listing_can_be_left)
{
    static const char text[] = PAGE(OBJECT("a", "1") OBJECT("b", "2") OBJECT("c", "3"));
    char last[] = "b";
    struct s3_page page = {.each = see, .arg = last};
    ck_assert(s3_xml_page(text, strlen(text), &page));
    ck_assert(page.has_stopped);
    ck_assert_str_eq(buf_text(&seen), "a=1 b=2 ");
    buf_free(&page.next);
    buf_free(&seen);
}
END_TEST

START_TEST(an_error_has_its_code)
{
    static const char text[] = "<Error><Code>NoSuchKey</Code><Message/></Error>";
    struct buf code = {0};
    ck_assert(s3_xml_find(text, strlen(text), "Code", &code));
    ck_assert_str_eq(buf_text(&code), "NoSuchKey");
    ck_assert(!s3_xml_find(text, strlen(text), "Resource", &code));
    buf_free(&code);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("s3_xml", &tests);
    tcase_add_loop_test(tests, a_listing_is_read, 0, (int)LENGTH_OF(pages));
    tcase_add_test(tests, a_listing_can_be_left);
    tcase_add_test(tests, an_error_has_its_code);
    return run_unit(suite);
}
