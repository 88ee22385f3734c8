/* Clients, authorization codes, grants and their tokens. */
#include "store_oauth_fixture.h"

#include "unit.h"

/* ---- clients ---- */

static enum store_status add_client(const char *client_id, const char *secret_hash, int64_t max_unused)
{
    struct store_client client = {.client_id = (char *)(uintptr_t)client_id,
        .metadata = (char *)(uintptr_t) "{\"client_name\":\"A client\"}"};
    enum store_refusal refusal;
    snprintf(client.secret_hash, sizeof client.secret_hash, "%s", secret_hash);
    const enum store_status status = store_client_add(s, &client, max_unused, &refusal);
    ck_assert_int_eq(status == STORE_REFUSED, refusal == REFUSAL_TOO_MANY || refusal == REFUSAL_EXISTS);
    return status;
}

/* When the client last got a token; 0: never; -1: there is none. */
static int64_t client_used(const char *client_id)
{
    struct store_clients found;
    const enum store_status status = store_client_find(s, client_id, &found);
    ck_assert_int_eq(status, found.count == 1 ? STORE_DONE : STORE_ABSENT);
    const int64_t used_ms = found.count == 1 ? found.items[0].used_ms : -1;
    store_clients_free(&found);
    return used_ms;
}

START_TEST(clients_are_found_as_they_were_registered)
{
    const struct hash secret = hashed("secret");
    ck_assert_int_eq(add_client("public", "", 10), STORE_DONE);
    ck_assert_int_eq(add_client("confidential", secret.hex, 10), STORE_DONE);
    ck_assert_int_eq(add_client("public", secret.hex, 10), STORE_REFUSED);
    reopen();
    struct store_clients found;
    ck_assert_int_eq(store_client_find(s, "public", &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_str_eq(found.items[0].client_id, "public");
    ck_assert_str_eq(found.items[0].metadata, "{\"client_name\":\"A client\"}");
    ck_assert_str_eq(found.items[0].secret_hash, "");
    ck_assert_int_gt(found.items[0].created_ms, 0);
    ck_assert_int_eq(found.items[0].used_ms, 0);
    store_clients_free(&found);
    ck_assert_int_eq(store_client_find(s, "confidential", &found), STORE_DONE);
    ck_assert_str_eq(found.items[0].secret_hash, secret.hex);
    store_clients_free(&found);
    ck_assert_int_eq(store_client_find(s, "PUBLIC", &found), STORE_ABSENT);
}
END_TEST

START_TEST(only_so_many_clients_may_wait_for_their_first_token)
{
    ck_assert_int_eq(add_client(CLIENT, "", 2), STORE_DONE);
    ck_assert_int_eq(add_client("client-2", "", 2), STORE_DONE);
    ck_assert_int_eq(add_client("client-3", "", 2), STORE_REFUSED);
    ck_assert_int_eq(client_used("client-3"), -1);
    ck_assert_int_eq(client_used(CLIENT), 0);
    const int64_t before_ms = clock_wall_ms();
    must_grant("first", "", NULL);
    ck_assert_int_ge(client_used(CLIENT), before_ms);
    ck_assert_int_eq(add_client("client-3", "", 2), STORE_DONE);
    ck_assert_int_eq(add_client("client-4", "", 2), STORE_REFUSED);
    ck_assert_int_eq(add_client("client-4", "", 0), STORE_REFUSED);
    clock_pass(1000);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    ck_assert_int_ge(client_used(CLIENT), before_ms + 1000);
}
END_TEST

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
    ck_assert_str_eq(token->hash, redemption.pair.access_hash);
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
    ck_assert_int_eq(find_token("first refresh", &found), STORE_ABSENT); /* opens nothing but more tokens */
    store_grants_free(&grants);
}
END_TEST

/* Access tokens are in no list of the operator's, and do not end with bearer tokens. */
START_TEST(bearer_tokens_and_grants_are_apart)
{
    must_grant("first", "", NULL);
    fixture_token(s, "shop", "webapp", 0);
    struct store_tokens found;
    ck_assert_int_eq(store_token_list(s, &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 4);
    for (size_t i = 0; i < found.count; i++) {
        ck_assert_str_eq(found.items[i].grant_id, "");
        ck_assert_ptr_null(found.items[i].audience);
        ck_assert_uint_eq(found.items[i].also_count, 0);
    }
    store_tokens_free(&found);
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, hashed("first access").hex, NULL, NULL, 0, &ended), STORE_ABSENT);
    ck_assert_int_eq(store_token_end(s, NULL, "shop", "webapp", 0, &ended), STORE_DONE);
    ck_assert_int_eq(ended, 1);
    ck_assert(lets_in("first"));
    ck_assert(exists("shop", "webapp"));
}
END_TEST

START_TEST(an_identity_that_was_given_needs_no_connect_code)
{
    must_authorize("code", "lab", CODE_MS);
    ck_assert_int_eq(redeem("code", "first"), STORE_DONE);
    ck_assert(lets_in("first"));
}
END_TEST

START_TEST(a_connect_code_works_once)
{
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", CODE_MS), STORE_DONE);
    ck_assert_int_eq(authorize("other", "code"), STORE_ABSENT);
    ck_assert_int_eq(authorize("connect", "code"), STORE_DONE);
    ck_assert_int_eq(authorize("connect", "code 2"), STORE_ABSENT);
    ck_assert_int_eq(redeem("code 2", "second"), STORE_ABSENT);
    ck_assert_int_eq(redeem("code", "first"), STORE_DONE);
}
END_TEST

/* Both or none: an authorization code that cannot be stored uses nothing up. */
START_TEST(a_connect_code_is_not_used_up_in_vain)
{
    must_authorize("code", "", CODE_MS);
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", CODE_MS), STORE_DONE);
    ck_assert_int_eq(authorize("connect", "code"), STORE_FAULT);
    ck_assert_int_eq(authorize("connect", "code 2"), STORE_DONE);
    ck_assert_int_eq(redeem("code 2", "first"), STORE_DONE);
}
END_TEST

START_TEST(an_authorization_code_is_for_what_it_was_asked_for)
{
    must_authorize("code", "", CODE_MS);
    struct store_redemption redemption = redemption_of("first");
    redemption.client_id = "client-2";
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_ABSENT);
    redemption = redemption_of("first");
    redemption.redirect_uri = REDIRECT "/";
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_ABSENT);
    redemption = redemption_of("first");
    redemption.challenge = "";
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_ABSENT);
    redemption = redemption_of("first");
    redemption.audience = "https://other.example/mcp";
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_ABSENT);
    ck_assert_int_eq(redeem("other", "first"), STORE_ABSENT);
    ck_assert(!lets_in("first"));
    ck_assert_uint_eq(grants_that_stand(), 0);
    redemption.audience = NULL; /* not said again */
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_DONE);
    struct store_tokens found;
    ck_assert_int_eq(find_token("first access", &found), STORE_DONE);
    ck_assert_str_eq(found.items[0].audience, AUDIENCE);
    store_tokens_free(&found);
}
END_TEST

START_TEST(a_replayed_code_ends_what_it_gave)
{
    must_grant("first", "", NULL);
    must_grant("other", "", NULL);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    struct store_redemption redemption = redemption_of("third");
    redemption.client_id = "client-2";
    ck_assert_int_eq(redeem_as("first", &redemption, NULL), STORE_ABSENT); /* no business of that client's */
    ck_assert(lets_in("first"));
    ck_assert_int_eq(redeem("first", "third"), STORE_REFUSED);
    ck_assert(!lets_in("first"));
    ck_assert(!lets_in("second"));
    ck_assert(!lets_in("third"));
    ck_assert_int_eq(refresh("second", "fourth"), STORE_ABSENT);
    ck_assert_uint_eq(grants_that_stand(), 1);
    ck_assert(lets_in("other"));
    ck_assert_int_eq(redeem("first", "third"), STORE_REFUSED);

    redemption = redemption_of("third");
    redemption.challenge = "wrong";
    ck_assert_int_eq(redeem_as("other", &redemption, NULL), STORE_REFUSED);
    ck_assert(!lets_in("other"));
}
END_TEST

/* ---- ends, to the millisecond ---- */

/* What is asked goes well until then, and from that millisecond on no more. */
static void assert_ends_at(int64_t edge_ms, bool (*goes_well)(void))
{
    /* Time for one call at least, and not for as many as there are codes. */
    const int64_t window_ms = rig_is("supabase") ? 300 : 10;
    clock_pass(edge_ms - window_ms - clock_wall_ms());
    while (clock_wall_ms() < edge_ms - 3) {
        const bool well = goes_well();
        ck_assert(well || clock_wall_ms() >= edge_ms);
    }
    while (clock_wall_ms() < edge_ms)
        continue;
    ck_assert(!goes_well());
}

static bool first_lets_in(void)
{
    return lets_in("first");
}

START_TEST(an_access_token_ends)
{
    must_authorize("code", "", CODE_MS);
    struct store_redemption redemption = redemption_of("first");
    const int64_t edge_ms = clock_wall_ms() + 5000;
    redemption.pair.access_expires_ms = edge_ms;
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_DONE);
    assert_ends_at(edge_ms, first_lets_in);
    ck_assert_uint_eq(grants_that_stand(), 1);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    ck_assert(lets_in("second"));
}
END_TEST

START_TEST(a_grant_ends_with_its_last_refresh_token)
{
    must_authorize("code", "", CODE_MS);
    struct store_redemption redemption = redemption_of("first");
    const int64_t edge_ms = clock_wall_ms() + 5000;
    redemption.pair.refresh_expires_ms = edge_ms;
    ck_assert_int_eq(redeem_as("code", &redemption, NULL), STORE_DONE);
    struct store_tokens found;
    ck_assert_int_eq(find_token("first access", &found), STORE_DONE);
    ck_assert_int_eq(found.items[0].expires_ms, edge_ms);
    store_tokens_free(&found);
    assert_ends_at(edge_ms, first_lets_in);
    ck_assert_uint_eq(grants_that_stand(), 0);
    ck_assert(!exists("shop", "webapp"));
    ck_assert_int_eq(refresh("first", "second"), STORE_ABSENT);
}
END_TEST

static bool a_connect_code_is_taken(void)
{
    static int count;
    char *code = xasprintf("code %d", count), *connect = xasprintf("connect %d", count);
    const enum store_status status = authorize(connect, code);
    ck_assert(status == STORE_DONE || status == STORE_ABSENT);
    count++;
    free(code);
    free(connect);
    return status == STORE_DONE;
}

/* Enough of them that one runs out before they are used up. */
enum { MANY = 300 };

START_TEST(a_connect_code_ends)
{
    const int64_t edge_ms = clock_wall_ms() + 60 * 1000;
    struct store_subject subject = subject_beside("");
    enum store_refusal refusal;
    for (int i = 0; i < MANY; i++) {
        char *text = xasprintf("connect %d", i);
        ck_assert_int_eq(
            store_code_add(s, CODE_CONNECT, hashed(text).hex, &subject, edge_ms, &refusal), STORE_DONE);
        free(text);
    }
    assert_ends_at(edge_ms, a_connect_code_is_taken);
    store_subject_free(&subject);
}
END_TEST

static bool an_authorization_code_is_taken(void)
{
    static int count;
    char *code = xasprintf("code %d", count), *name = xasprintf("pair %d", count);
    const enum store_status status = redeem(code, name);
    ck_assert(status == STORE_DONE || status == STORE_ABSENT);
    count++;
    free(code);
    free(name);
    return status == STORE_DONE;
}

START_TEST(an_authorization_code_ends)
{
    const int64_t edge_ms = clock_wall_ms() + 60 * 1000;
    struct store_authorization authorization = authorization_for(0);
    struct store_subject subject = subject_beside("");
    authorization.expires_ms = edge_ms;
    for (int i = 0; i < MANY; i++) {
        char *code = xasprintf("code %d", i);
        ck_assert_int_eq(store_authorize(s, NULL, hashed(code).hex, &authorization, &subject), STORE_DONE);
        free(code);
    }
    assert_ends_at(edge_ms, an_authorization_code_is_taken);
    store_subject_free(&subject);
    ck_assert_int_eq(redeem("code 0", "late"), STORE_ABSENT); /* a replay, but too late to tell anything */
    ck_assert(lets_in("pair 0"));
}
END_TEST

/* ---- refreshing ---- */

START_TEST(a_refresh_token_is_used_up_and_the_access_tokens_run_on)
{
    char id[UUID_SIZE];
    must_grant("first", "lab", id);
    clock_pass(3600 * 1000);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    ck_assert(lets_in("first"));
    ck_assert(lets_in("second"));
    struct store_grants grants;
    struct store_tokens found;
    ck_assert_int_eq(store_grant_list(s, &grants), STORE_DONE);
    ck_assert_uint_eq(grants.count, 1);
    ck_assert_str_eq(grants.items[0].id, id);
    ck_assert_int_ge(grants.items[0].expires_ms, clock_wall_ms() + LOGIN_MS - 60 * 1000);
    ck_assert_int_ge(grants.items[0].used_ms, clock_wall_ms() - 60 * 1000);
    store_grants_free(&grants);
    ck_assert_int_eq(find_token("second access", &found), STORE_DONE);
    ck_assert_str_eq(found.items[0].grant_id, id);
    ck_assert_str_eq(found.items[0].also[0], "lab");
    store_tokens_free(&found);
    clock_pass(3600 * 1000);
    ck_assert_int_eq(refresh("second", "third"), STORE_DONE);
}
END_TEST

/* Within the grace it gives a sibling; which is as good as the first. */
START_TEST(a_repeat_within_the_grace_is_a_lost_answer)
{
    must_grant("first", "", NULL);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    ck_assert_int_eq(refresh("first", "sibling"), STORE_DONE);
    clock_pass(REFRESH_GRACE_MS / 2);
    ck_assert_int_eq(refresh("first", "another"), STORE_DONE);
    ck_assert(lets_in("second") && lets_in("sibling") && lets_in("another"));
    ck_assert_uint_eq(grants_that_stand(), 1);
    clock_pass(REFRESH_GRACE_MS);
    ck_assert_int_eq(refresh("sibling", "child"), STORE_DONE);
    ck_assert_int_eq(refresh("second", "cousin"), STORE_DONE);
    ck_assert(lets_in("child") && lets_in("cousin"));
}
END_TEST

/* The grace begins with the first use: repeats do not prolong it. */
START_TEST(the_grace_ends_to_the_millisecond)
{
    must_grant("first", "", NULL);
    const int64_t before_ms = clock_wall_ms();
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    const int64_t after_ms = clock_wall_ms();
    clock_pass(before_ms + REFRESH_GRACE_MS - 10 - clock_wall_ms());
    enum store_status status = STORE_DONE;
    for (int i = 0; status == STORE_DONE; i++) {
        char *name = xasprintf("sibling %d", i);
        const int64_t began_ms = clock_wall_ms();
        status = refresh("first", name);
        const int64_t ended_ms = clock_wall_ms();
        if (status == STORE_DONE)
            ck_assert_int_le(began_ms, after_ms + REFRESH_GRACE_MS);
        else
            ck_assert_int_gt(ended_ms, before_ms + REFRESH_GRACE_MS);
        free(name);
    }
    ck_assert_int_eq(status, STORE_REFUSED);
}
END_TEST

START_TEST(a_later_repeat_ends_the_grant)
{
    must_grant("first", "", NULL);
    must_grant("other", "", NULL);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    clock_pass(REFRESH_GRACE_MS + 1000);
    ck_assert_int_eq(refresh("second", "third"), STORE_DONE);
    ck_assert_int_eq(refresh_as("client-2", "first", AUDIENCE, "thief"), STORE_ABSENT);
    ck_assert(lets_in("third"));
    ck_assert_int_eq(refresh_as(CLIENT, "first", "https://other.example/mcp", "thief"), STORE_REFUSED);
    ck_assert(!lets_in("first") && !lets_in("second") && !lets_in("third") && !lets_in("thief"));
    ck_assert_int_eq(refresh("third", "fourth"), STORE_ABSENT);
    ck_assert_int_eq(refresh("first", "fifth"), STORE_ABSENT);
    ck_assert(lets_in("other"));
    ck_assert_uint_eq(grants_that_stand(), 1);
}
END_TEST

START_TEST(a_refresh_token_is_for_its_client_and_audience)
{
    must_grant("first", "", NULL);
    ck_assert_int_eq(refresh("nobody", "second"), STORE_ABSENT);
    ck_assert_int_eq(refresh_as("client-2", "first", AUDIENCE, "second"), STORE_ABSENT);
    ck_assert_int_eq(refresh_as(CLIENT, "first", "https://other.example/mcp", "second"), STORE_ABSENT);
    ck_assert(!lets_in("second"));
    clock_pass(REFRESH_GRACE_MS + 1000); /* none of that used it up */
    ck_assert_int_eq(refresh_as(CLIENT, "first", NULL, "second"), STORE_DONE);
    ck_assert(lets_in("second"));
}
END_TEST

START_TEST(a_refresh_token_ends)
{
    must_grant("first", "", NULL);
    clock_pass(LOGIN_MS - 60 * 1000);
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    clock_pass(61 * 1000);
    ck_assert_int_eq(refresh("first", "third"), STORE_ABSENT); /* used, but no longer a secret of anything */
    ck_assert(lets_in("second"));
    ck_assert_int_eq(refresh("second", "third"), STORE_DONE);
}
END_TEST

START_TEST(use_is_noted_with_the_grant)
{
    must_grant("first", "", NULL);
    struct store_tokens found;
    struct store_grants grants;
    ck_assert_int_eq(find_token("first access", &found), STORE_DONE);
    ck_assert_int_eq(found.items[0].last_used_ms, 0);
    store_tokens_free(&found);
    ck_assert_int_eq(store_grant_list(s, &grants), STORE_DONE);
    const int64_t used_ms = grants.items[0].used_ms;
    ck_assert_int_gt(used_ms, 0);
    store_grants_free(&grants);
    clock_pass(3600 * 1000);
    ck_assert(lets_in("first"));
    ck_assert_int_eq(store_grant_list(s, &grants), STORE_DONE);
    ck_assert_int_ge(grants.items[0].used_ms, used_ms + 3600 * 1000);
    store_grants_free(&grants);
}
END_TEST

/* ---- ending ---- */

START_TEST(grants_are_listed_oldest_first)
{
    char ids[3][UUID_SIZE];
    const char *const names[] = {"first", "second", "third"};
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        must_grant(names[i], "", ids[i]);
        clock_pass(10);
    }
    reopen();
    struct store_grants grants;
    ck_assert_int_eq(store_grant_list(s, &grants), STORE_DONE);
    ck_assert_uint_eq(grants.count, LENGTH_OF(names));
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        ck_assert_str_eq(grants.items[i].id, ids[i]);
    store_grants_free(&grants);
}
END_TEST

START_TEST(grants_end_by_the_beginning_of_their_id)
{
    enum { GRANTS = 20 }; /* more than there are hex digits: two begin with the same */
    char ids[GRANTS][UUID_SIZE];
    for (int i = 0; i < GRANTS; i++) {
        char *name = xasprintf("grant %d", i);
        must_grant(name, "", ids[i]);
        free(name);
    }
    char digit[2] = "";
    size_t with[128] = {0};
    for (int i = 0; i < GRANTS; i++)
        with[(unsigned char)ids[i][0]]++;
    for (int i = 0; i < GRANTS; i++)
        if (with[(unsigned char)ids[i][0]] > 1)
            digit[0] = ids[i][0];
    struct store_grant_choice choice = {.id_prefix = digit};
    int64_t count = 0;
    ck_assert_int_eq(end_grants(&choice, &count), STORE_REFUSED);
    ck_assert_int_eq(count, 0);
    ck_assert_uint_eq(grants_that_stand(), GRANTS);
    choice.id_prefix = ids[7];
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert_int_eq(count, 1);
    ck_assert(!lets_in("grant 7"));
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
    char beginning[14] = "";
    memcpy(beginning, ids[8], sizeof beginning - 1);
    choice.id_prefix = beginning;
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert(!lets_in("grant 8"));
    choice.id_prefix = "zz";
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
    ck_assert_uint_eq(grants_that_stand(), GRANTS - 2);
}
END_TEST

START_TEST(grants_end_by_client_agent_token_or_all)
{
    const char *const names[] = {"g1", "g2", "g3", "g4", "g5", "g6"};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        must_grant(names[i], "lab", NULL);
    ck_assert_int_eq(refresh("g1", "g1b"), STORE_DONE);
    int64_t count = 0;

    struct hash hash = hashed("nothing");
    struct store_grant_choice choice = {.token_hash = hash.hex};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
    hash = hashed("g1 refresh");   /* used up, and of that grant still */
    choice.client_id = "client-2"; /* all that is given has to fit */
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
    choice.client_id = CLIENT;
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert_int_eq(count, 1);
    ck_assert(!lets_in("g1") && !lets_in("g1b"));
    hash = hashed("g2 access");
    choice = (struct store_grant_choice){.token_hash = hash.hex};
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert_int_eq(count, 1);
    ck_assert(!lets_in("g2") && lets_in("g3"));

    choice = (struct store_grant_choice){.namespace_id = "lab", .agent = "webapp"};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT); /* not its own */
    choice = (struct store_grant_choice){.namespace_id = "shop", .agent = "other"};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
    choice.agent = "webapp";
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert_int_eq(count, 4);
    ck_assert_uint_eq(grants_that_stand(), 0);

    must_grant("g7", "", NULL);
    choice = (struct store_grant_choice){.namespace_id = "shop"};
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    must_grant("g8", "", NULL);
    choice = (struct store_grant_choice){.client_id = "client-2"};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
    choice.client_id = CLIENT;
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert_int_eq(count, 1);
    must_grant("g9", "", NULL);
    must_grant("g10", "", NULL);
    choice = (struct store_grant_choice){.all = true};
    ck_assert_int_eq(end_grants(&choice, &count), STORE_DONE);
    ck_assert_int_eq(count, 2);
    ck_assert(!lets_in("g9") && !lets_in("g10"));
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_ABSENT);
}
END_TEST

/* ---- who exists ---- */

static enum store_status send_to_webapp(void)
{
    struct store_send_result result;
    const enum store_status status = send_as(s, "a", "webapp", "hello", NULL, NULL, true, &result);
    ck_assert_int_eq(result.refusal, status == STORE_REFUSED ? REFUSAL_UNKNOWN_RECIPIENT : REFUSAL_NONE);
    store_send_result_free(&result);
    return status;
}

/* How many agents of that name an inbox of the tests' namespace lists. */
static size_t listed(const char *agent)
{
    const struct store_caller caller = as("a");
    const struct store_offer offer = {
        .max_messages = 1, .max_bytes = 1000, .with_context = true, .all_agents = true};
    struct store_offer_result result;
    size_t count = 0;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
    for (size_t i = 0; i < result.agents.count; i++)
        count += strcmp(result.agents.items[i].agent, agent) == 0;
    store_offer_result_free(&result);
    return count;
}

START_TEST(an_agent_exists_where_it_has_a_grant_that_stands)
{
    ck_assert_int_eq(send_to_webapp(), STORE_REFUSED);
    char id[UUID_SIZE];
    must_grant("first", "lab " NS, id);
    must_grant("second", "lab", NULL);
    ck_assert(exists("shop", "webapp") && exists("lab", "webapp") && exists(NS, "webapp"));
    ck_assert(!exists("office", "webapp"));
    ck_assert_uint_eq(listed("webapp"), 1);
    ck_assert_int_eq(send_to_webapp(), STORE_DONE);
    fixture_token(s, NS, "webapp", 0);
    ck_assert_uint_eq(listed("webapp"), 1); /* by both, once */
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, NULL, NS, "webapp", 0, &ended), STORE_DONE);
    ck_assert_int_eq(send_to_webapp(), STORE_DONE);

    const struct store_grant_choice choice = {.id_prefix = id};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_DONE);
    ck_assert_int_eq(send_to_webapp(), STORE_REFUSED);
    ck_assert_uint_eq(listed("webapp"), 0);
    ck_assert(!exists(NS, "webapp"));
    ck_assert(exists("shop", "webapp") && exists("lab", "webapp")); /* by the second */
    clock_pass(LOGIN_MS);
    ck_assert(!exists("shop", "webapp") && !exists("lab", "webapp"));
}
END_TEST

/* Who is let in by a grant alone is told of what nobody read, as others are. */
START_TEST(a_sender_with_a_grant_gets_its_notice)
{
    must_grant("first", NS, NULL);
    must_send(s, "webapp", "a", "unread", NULL);
    clock_pass(8 * MS_PER_DAY);
    struct store_cleanup_result result;
    ck_assert_int_eq(store_cleanup(s, 7 * MS_PER_DAY, MS_PER_HOUR, false, &result), STORE_DONE);
    ck_assert_int_eq(result.expired, 1);
    ck_assert_int_eq(result.notices, 1);
    ck_assert_uint_eq(result.notified.count, 1);
    ck_assert_str_eq(result.notified.items[0].agent, "webapp");
    store_cleanup_result_free(&result);
}
END_TEST

START_TEST(clients_and_grants_are_counted)
{
    ck_assert_int_eq(add_client(CLIENT, "", 10), STORE_DONE);
    must_grant("first", "", NULL);
    must_grant("second", "", NULL);
    struct store_stats stats;
    ck_assert_int_eq(store_stats(s, &stats), STORE_DONE);
    ck_assert_int_eq(stats.clients, 1);
    ck_assert_int_eq(stats.grants, 2);
    store_stats_free(&stats);
    const struct hash hash = hashed("first access");
    const struct store_grant_choice choice = {.token_hash = hash.hex};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_DONE);
    ck_assert_int_eq(store_stats(s, &stats), STORE_DONE);
    ck_assert_int_eq(stats.grants, 1);
    store_stats_free(&stats);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_oauth", &tests);
    tcase_add_test(tests, clients_are_found_as_they_were_registered);
    tcase_add_test(tests, only_so_many_clients_may_wait_for_their_first_token);
    tcase_add_test(tests, a_connect_code_becomes_a_grant_and_its_token_an_identity);
    tcase_add_test(tests, bearer_tokens_and_grants_are_apart);
    tcase_add_test(tests, an_identity_that_was_given_needs_no_connect_code);
    tcase_add_test(tests, a_connect_code_works_once);
    tcase_add_test(tests, a_connect_code_is_not_used_up_in_vain);
    tcase_add_test(tests, an_authorization_code_is_for_what_it_was_asked_for);
    tcase_add_test(tests, a_replayed_code_ends_what_it_gave);
    tcase_add_test(tests, an_access_token_ends);
    tcase_add_test(tests, a_grant_ends_with_its_last_refresh_token);
    tcase_add_test(tests, a_connect_code_ends);
    tcase_add_test(tests, an_authorization_code_ends);
    tcase_add_test(tests, a_refresh_token_is_used_up_and_the_access_tokens_run_on);
    tcase_add_test(tests, a_repeat_within_the_grace_is_a_lost_answer);
    tcase_add_test(tests, the_grace_ends_to_the_millisecond);
    tcase_add_test(tests, a_later_repeat_ends_the_grant);
    tcase_add_test(tests, a_refresh_token_is_for_its_client_and_audience);
    tcase_add_test(tests, a_refresh_token_ends);
    tcase_add_test(tests, use_is_noted_with_the_grant);
    tcase_add_test(tests, grants_are_listed_oldest_first);
    tcase_add_test(tests, grants_end_by_the_beginning_of_their_id);
    tcase_add_test(tests, grants_end_by_client_agent_token_or_all);
    tcase_add_test(tests, an_agent_exists_where_it_has_a_grant_that_stands);
    tcase_add_test(tests, a_sender_with_a_grant_gets_its_notice);
    tcase_add_test(tests, clients_and_grants_are_counted);
    return run_unit(suite);
}
