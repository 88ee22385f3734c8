/* Clients, authorization codes, grants and their tokens. */
#include "store_oauth_fixture.h"

#include <pthread.h>

#include "unit.h"

/* ---- from a code to a token ---- */

START_TEST(a_connect_code_becomes_a_grant_and_its_token_an_identity)
{
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "lab office", CODE_MS), STORE_DONE);
    const struct store_authorization authorization = authorization_for(CODE_MS);
    struct store_subject subject;
    ck_assert_int_eq(
        store_authorize(s, hashed("connect").hex, hashed("code").hex, &authorization, &subject), STORE_DONE);
    assert_subject(&subject, "lab office");
    store_subject_free(&subject);

    const struct store_redemption redemption = redemption_of("first");
    struct store_grants grants;
    enum store_refusal refusal;
    ck_assert_int_eq(store_code_redeem(s, hashed("code").hex, &redemption, &grants, &refusal), STORE_DONE);
    ck_assert_uint_eq(grants.count, 1);
    const struct store_grant *grant = &grants.items[0];
    ck_assert_uint_eq(strlen(grant->id), UUID_LEN);
    ck_assert_str_eq(grant->client_id, CLIENT);
    ck_assert_str_eq(grant->client_name, "A client");
    ck_assert_str_eq(grant->audience, AUDIENCE);
    ck_assert_str_eq(grant->scope, "messages");
    ck_assert_int_gt(grant->created_ms, 0);
    ck_assert_int_eq(grant->used_ms, 0);
    ck_assert_int_eq(grant->expires_ms, redemption.pair.refresh_expires_ms);
    assert_subject(&grant->subject, "lab office");

    struct store_tokens found;
    ck_assert_int_eq(find_token("first access", &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 1);
    const struct store_token *token = &found.items[0];
    ck_assert_str_eq(token->namespace_id, "shop");
    ck_assert_str_eq(token->agent, "webapp");
    ck_assert_uint_eq(token->also_count, 2);
    ck_assert_str_eq(token->also[0], "lab");
    ck_assert_str_eq(token->also[1], "office");
    ck_assert_str_eq(token->grant_id, grant->id);
    ck_assert_str_eq(token->audience, AUDIENCE);
    ck_assert(token->active);
    ck_assert_int_eq(token->expires_ms, redemption.pair.access_expires_ms);
    store_tokens_free(&found);
    ck_assert_int_eq(find_token("first refresh", &found), STORE_ABSENT); /* opens nothing but /token */
    store_grants_free(&grants);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_oauth", &tests);
    tcase_add_test(tests, a_connect_code_becomes_a_grant_and_its_token_an_identity);
    return run_unit(suite);
}
