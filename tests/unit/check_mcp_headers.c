/* The headers that repeat a request's body. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../relay/mcp/mcp_headers.h"

static enum mcp_header compare(const char *value, const char *wanted)
{
    char name[] = "mcp-NAME", copy[200];
    struct http_field field = {name, copy};

    ck_assert_uint_lt(strlen(value), sizeof copy);
    strcpy(copy, value);
    return mcp_header_compare(&field, 1, "Mcp-Name", wanted, strlen(wanted), true);
}

START_TEST(plain_values)
{
    ck_assert_int_eq(compare("inbox", "inbox"), MCP_HEADER_EQUAL);
    ck_assert_int_eq(compare("  inbox\t ", "inbox"), MCP_HEADER_EQUAL);
    ck_assert_int_eq(compare("Inbox", "inbox"), MCP_HEADER_DIFFERS);
    ck_assert_int_eq(compare("", "inbox"), MCP_HEADER_DIFFERS);
    ck_assert_int_eq(compare("inbox2", "inbox"), MCP_HEADER_DIFFERS);
    ck_assert_int_eq(compare("in\xc3\xbc", "in\xc3\xbc"), MCP_HEADER_MALFORMED);
    ck_assert_int_eq(compare("in\x01", "in\x01"), MCP_HEADER_MALFORMED);
}
END_TEST

START_TEST(encoded_values)
{
    ck_assert_int_eq(compare("=?base64?aW5ib3g=?=", "inbox"), MCP_HEADER_EQUAL);
    ck_assert_int_eq(compare(" =?base64?aW5ib3g=?= ", "inbox"), MCP_HEADER_EQUAL);
    ck_assert_int_eq(
        compare("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, \xe4\xb8\x96\xe7\x95\x8c"), MCP_HEADER_EQUAL);
    ck_assert_int_eq(compare("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="), MCP_HEADER_EQUAL);
    ck_assert_int_eq(compare("=?base64?"
                             "?=",
                         ""),
        MCP_HEADER_EQUAL);
    ck_assert_int_eq(compare("=?base64?aW5ib3g?=", "inbox"), MCP_HEADER_MALFORMED);  /* no padding */
    ck_assert_int_eq(compare("=?base64?aW5!!!g=?=", "inbox"), MCP_HEADER_MALFORMED); /* no base64 */
    ck_assert_int_eq(compare("=?base64?aW5ib3g=", "inbox"), MCP_HEADER_DIFFERS);     /* no end: a literal */
    ck_assert_int_eq(
        compare("=?BASE64?aW5ib3g=?=", "inbox"), MCP_HEADER_DIFFERS);        /* the marker's case counts */
    ck_assert_int_eq(compare("=?base64?=", "=?base64?="), MCP_HEADER_EQUAL); /* too short for both marks */
}
END_TEST

START_TEST(unencoded_headers_are_literal)
{
    char name[] = "Mcp-Method", value[] = "=?base64?aW5ib3g=?=";
    struct http_field field = {name, value};

    ck_assert_int_eq(mcp_header_compare(&field, 1, "Mcp-Method", "inbox", 5, false), MCP_HEADER_DIFFERS);
    ck_assert_int_eq(
        mcp_header_compare(&field, 1, "Mcp-Method", value, strlen(value), false), MCP_HEADER_EQUAL);
}
END_TEST

START_TEST(repeated_headers_must_agree)
{
    char name[] = "Mcp-Method", other[] = "Accept", good[] = "tools/list", bad[] = "tools/call";
    struct http_field fields[] = {{other, bad}, {name, good}, {name, good}, {name, bad}};

    ck_assert_int_eq(mcp_header_compare(fields, 1, name, good, strlen(good), false), MCP_HEADER_MISSING);
    ck_assert_int_eq(mcp_header_compare(fields, 3, name, good, strlen(good), false), MCP_HEADER_EQUAL);
    ck_assert_int_eq(mcp_header_compare(fields, 4, name, good, strlen(good), false), MCP_HEADER_DIFFERS);
    ck_assert_int_eq(mcp_header_compare(fields, 4, name, bad, strlen(bad), false), MCP_HEADER_DIFFERS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mcp_headers");
    TCase *tests = tcase_create("mcp_headers");

    tcase_add_test(tests, plain_values);
    tcase_add_test(tests, encoded_values);
    tcase_add_test(tests, unencoded_headers_are_literal);
    tcase_add_test(tests, repeated_headers_must_agree);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
