/* Which pages may call the relay. */
#include "../../common/compiler.h"
#include "../../relay/auth/origin.h"
#include "unit.h"

static const struct {
    const char *origin, *public_url;
    bool allowed;
} cases[] = {
    {NULL, "https://relay.example.org", true},
    {"https://relay.example.org", "https://relay.example.org", true},
    {"https://RELAY.example.org:443", "https://relay.example.org/base", true},
    {"https://relay.example.org:8443", "https://relay.example.org", false},
    {"http://relay.example.org", "https://relay.example.org", false},
    {"https://relay.example.org.evil.example", "https://relay.example.org", false},
    {"https://evil.example", "https://relay.example.org", false},
    {"http://localhost:3000", "https://relay.example.org", false},
    {"http://localhost:3000", "http://localhost:8000", true},
    {"http://127.0.0.1:3000", "http://localhost:8000", true},
    {"http://[::1]:3000", "http://localhost:8000", true},
    {"http://evil.example", "http://localhost:8000", false},
    {"http://localhost.evil.example", "http://localhost:8000", false},
    {"null", "http://localhost:8000", false},
    {"", "http://localhost:8000", false},
    {"http://localhost:3000/page", "http://localhost:8000", false},
    {"http://user@localhost:3000", "http://localhost:8000", false},
    {"file://", "http://localhost:8000", false},
    {"chrome-extension://abcdef", "http://localhost:8000", false},
};

START_TEST(origins)
{
    ck_assert_msg(origin_is_allowed(cases[_i].origin, cases[_i].public_url) == cases[_i].allowed, "%s at %s",
        cases[_i].origin, cases[_i].public_url);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("origin", &tests);
    tcase_add_loop_test(tests, origins, 0, LENGTH_OF(cases));
    return run_unit(suite);
}
