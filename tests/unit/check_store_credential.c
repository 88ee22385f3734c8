/* What relays that share a store have in common, and nobody else has. */
#include <check.h>

#include "../../common/secret.h"
#include "../../relay/store/store.h"
#include "unit.h"

static const struct {
    const char *database_url, *password;
} urls[] = {
    {"postgresql://user:secret@db:5432/messages?sslmode=verify-full", "secret"},
    {"postgres://user:s%40c%2Fret@/messages?host=/run/postgresql", "s@c/ret"},
    {"postgresql://user@db/messages?password=secret", "secret"},
    {"postgresql://secret@db/messages", NULL}, /* a user */
    {"postgresql:///messages?host=/run/postgresql", NULL}, {"postgresql://user:@db/messages", NULL},
    {"postgresql://user:secret@[/messages", NULL}, /* no URL */
};

START_TEST(of_a_url_it_is_the_password)
{
    const struct store_options options = {.database_url = urls[_i].database_url};
    char *credential = store_credential(&options);
    ck_assert_pstr_eq(credential, urls[_i].password);
    secret_free(credential);
}
END_TEST

START_TEST(of_a_project_it_is_the_key)
{
    const struct store_options options = {.supabase = {.url = "https://x.supabase.co", .key = "sb_secret_x"}};
    char *credential = store_credential(&options);
    ck_assert_pstr_eq(credential, "sb_secret_x");
    secret_free(credential);
}
END_TEST

START_TEST(a_folder_has_none)
{
    const struct store_options options = {.data_dir = "/var/lib/patchcord"};
    ck_assert_ptr_null(store_credential(&options));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("store_credential", &tests);
    tcase_add_loop_test(tests, of_a_url_it_is_the_password, 0, LENGTH_OF(urls));
    tcase_add_test(tests, of_a_project_it_is_the_key);
    tcase_add_test(tests, a_folder_has_none);
    return run_unit(suite);
}
