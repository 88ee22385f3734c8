#include "../../relay/store/agent_tree.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

enum { MANY = 1000 };

struct number {
    struct agent_entry of;
    int value;
};

static struct agent_tree tree;

static void setup(void)
{
    agent_tree_init(&tree, sizeof(struct number));
}

static void teardown(void)
{
    agent_tree_sweep(&tree, NULL, NULL);
    ck_assert_uint_eq(tree.count, 0);
}

static void put(const char *namespace_id, const char *agent, int value)
{
    struct number *number = agent_tree_add(&tree, namespace_id, agent);
    ck_assert_int_eq(number->value, 0);
    number->value = value;
}

static int value_of(const char *namespace_id, const char *agent)
{
    const struct number *number = agent_tree_find(&tree, namespace_id, agent);
    return number ? number->value : -1;
}

START_TEST(an_agent_is_a_name_in_a_namespace)
{
    put("a", "b", 1);
    put("b", "a", 2);
    put("a", "a", 3);
    ck_assert_int_eq(value_of("a", "b"), 1);
    ck_assert_int_eq(value_of("b", "a"), 2);
    ck_assert_int_eq(value_of("a", "a"), 3);
    ck_assert_int_eq(value_of("b", "b"), -1);
    ck_assert_int_eq(value_of("", "ab"), -1);
    ck_assert_uint_eq(tree.count, 3);
}
END_TEST

static bool is_below(const struct agent_entry *of, const void *limit)
{
    return ((const struct number *)of)->value < *(const int *)limit;
}

START_TEST(what_is_over_is_swept_out)
{
    char name[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%d", i * 7919 % MANY);
        put(i % 2 ? "odd" : "even", name, i);
    }
    const int limit = MANY - 10;
    agent_tree_sweep(&tree, is_below, &limit);
    ck_assert_uint_eq(tree.count, 10);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%d", i * 7919 % MANY);
        ck_assert_int_eq(value_of(i % 2 ? "odd" : "even", name), i < limit ? -1 : i);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("agent_tree", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_agent_is_a_name_in_a_namespace);
    tcase_add_test(tests, what_is_over_is_swept_out);
    return run_unit(suite);
}
