#include <stdbool.h>

#include "../../common/compiler.h"
#include "../../relay/http/byte_range.h"
#include "unit.h"

static const struct {
    const char *header;
    int64_t size;
    enum byte_range found;
    int64_t first, len;
} ranges[] = {
    {NULL, 10, BYTE_RANGE_WHOLE, 0, 0},
    {"", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=-", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=x-1", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=1", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=5-4", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=1-2x", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes= 1-2", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=1-2,3-4", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=--1", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"items=1-2", 10, BYTE_RANGE_WHOLE, 0, 0},
    {"bytes=0-0", 10, BYTE_RANGE_PART, 0, 1},
    {"BYTES=0-0", 10, BYTE_RANGE_PART, 0, 1},
    {"bytes=0-9", 10, BYTE_RANGE_PART, 0, 10},
    {"bytes=0-10", 10, BYTE_RANGE_PART, 0, 10},
    {"bytes=9-9", 10, BYTE_RANGE_PART, 9, 1},
    {"bytes=9-", 10, BYTE_RANGE_PART, 9, 1},
    {"bytes=0-", 10, BYTE_RANGE_PART, 0, 10},
    {"bytes=-1", 10, BYTE_RANGE_PART, 9, 1},
    {"bytes=-10", 10, BYTE_RANGE_PART, 0, 10},
    {"bytes=-11", 10, BYTE_RANGE_PART, 0, 10},
    {"bytes=3-99999999999999999999999", 10, BYTE_RANGE_PART, 3, 7},
    {"bytes=-99999999999999999999999", 10, BYTE_RANGE_PART, 0, 10},
    {"bytes=10-", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=10-11", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=99999999999999999999999-", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-0", 0, BYTE_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-1", 0, BYTE_RANGE_UNSATISFIABLE, 0, 0},
};

START_TEST(a_range_is_read)
{
    enum { UNTOUCHED = -7 };
    int64_t first = UNTOUCHED, len = UNTOUCHED;
    ck_assert_int_eq(byte_range_read(ranges[_i].header, ranges[_i].size, &first, &len), ranges[_i].found);
    bool is_part = ranges[_i].found == BYTE_RANGE_PART;
    ck_assert_int_eq(first, is_part ? ranges[_i].first : UNTOUCHED);
    ck_assert_int_eq(len, is_part ? ranges[_i].len : UNTOUCHED);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("byte_range", &tests);
    tcase_add_loop_test(tests, a_range_is_read, 0, LENGTH_OF(ranges));
    return run_unit(suite);
}
