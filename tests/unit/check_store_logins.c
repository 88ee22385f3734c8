/* Logins under way at once, and through restarts, kills and housekeeping. */
#include "store_oauth_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "unit.h"

/* ---- many at once ---- */

enum { CALLERS = 16 };

/* One of many that do the same; number is its own. */
struct caller {
    enum store_status (*run)(int number);
    int number;
    enum store_status status;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    caller->status = caller->run(caller->number);
    return NULL;
}

/* How many of them end so. */
static size_t at_once(enum store_status (*run)(int number), enum store_status wanted)
{
    struct caller callers[CALLERS];
    pthread_t threads[CALLERS];
    size_t count = 0;
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.run = run, .number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        count += callers[i].status == wanted;
    }
    return count;
}

static enum store_status use_connect_code(int number)
{
    char *code = xasprintf("code %d", number);
    const enum store_status status = authorize("connect", code);
    free(code);
    return status;
}

static enum store_status use_invitation(int number)
{
    char *name = xasprintf("token %d", number);
    struct store_token token = {0};
    struct store_subject subject;
    memcpy(token.hash, hashed(name).hex, sizeof token.hash);
    const enum store_status status = store_invite_redeem(s, hashed("invite").hex, &token, &subject);
    store_subject_free(&subject);
    free(name);
    return status;
}

static enum store_status use_authorization_code(int number)
{
    char *name = xasprintf("pair %d", number);
    const enum store_status status = redeem("code", name);
    free(name);
    return status;
}

static enum store_status use_refresh_token(int number)
{
    char *name = xasprintf("pair %d", number);
    const enum store_status status = refresh("first", name);
    free(name);
    return status;
}

static enum store_status use_device_code(int number)
{
    char *name = xasprintf("token %d", number);
    struct store_token token = {0};
    struct store_subject subject;
    enum store_refusal refusal;
    memcpy(token.hash, hashed(name).hex, sizeof token.hash);
    const enum store_status status =
        store_device_redeem(s, hashed("device").hex, &token, 0, &subject, &refusal);
    store_subject_free(&subject);
    free(name);
    return status;
}

START_TEST(one_of_many_uses_a_code_up)
{
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", CODE_MS), STORE_DONE);
    ck_assert_uint_eq(at_once(use_connect_code, STORE_DONE), 1);
    ck_assert_uint_eq(at_once(use_connect_code, STORE_ABSENT), CALLERS);
    ck_assert_int_eq(add_code(CODE_INVITE, "invite", "", CODE_MS), STORE_DONE);
    ck_assert_uint_eq(at_once(use_invitation, STORE_DONE), 1);
    struct store_tokens tokens;
    ck_assert_int_eq(store_token_list(s, &tokens), STORE_DONE);
    ck_assert_uint_eq(tokens.count, 4); /* with those of a, b and c */
    store_tokens_free(&tokens);
}
END_TEST

START_TEST(one_of_many_redeems_an_authorization_code_and_the_next_ends_it)
{
    must_authorize("code", "", CODE_MS);
    ck_assert_uint_eq(at_once(use_authorization_code, STORE_DONE), 1);
    ck_assert_uint_eq(grants_that_stand(), 0);
    for (int i = 0; i < CALLERS; i++) {
        char *name = xasprintf("pair %d", i);
        ck_assert(!lets_in(name));
        free(name);
    }
}
END_TEST

START_TEST(repeats_at_once_are_lost_answers)
{
    must_grant("first", "", NULL);
    ck_assert_uint_eq(at_once(use_refresh_token, STORE_DONE), CALLERS);
    for (int i = 0; i < CALLERS; i++) {
        char *name = xasprintf("pair %d", i);
        ck_assert(lets_in(name));
        free(name);
    }
    ck_assert_uint_eq(grants_that_stand(), 1);
}
END_TEST

START_TEST(one_of_many_gets_a_devices_token)
{
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", CODE_MS), STORE_DONE);
    struct store_device device = {.expires_ms = clock_wall_ms() + CODE_MS};
    struct store_subject subject;
    enum store_refusal refusal;
    memcpy(device.device_hash, hashed("device").hex, sizeof device.device_hash);
    memcpy(device.user_hash, hashed("user").hex, sizeof device.user_hash);
    ck_assert_int_eq(store_device_add(s, &device, 1, &refusal), STORE_DONE);
    ck_assert_int_eq(
        store_device_decide(s, hashed("user").hex, hashed("connect").hex, &subject, &refusal), STORE_DONE);
    store_subject_free(&subject);
    ck_assert_uint_eq(at_once(use_device_code, STORE_DONE), 1);
}
END_TEST

/* ---- the end of a process ---- */

START_TEST(logins_survive_a_restart)
{
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "lab", CODE_MS), STORE_DONE);
    must_authorize("code", "lab", CODE_MS);
    must_grant("first", "lab", NULL);
    must_grant("ended", "", NULL);
    ck_assert_int_eq(redeem("ended", "again"), STORE_REFUSED);
    reopen();
    ck_assert(lets_in("first") && !lets_in("ended"));
    ck_assert(exists("lab", "webapp"));
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    ck_assert_int_eq(redeem("code", "third"), STORE_DONE);
    ck_assert_int_eq(authorize("connect", "code 2"), STORE_DONE);
    reopen();
    ck_assert_int_eq(authorize("connect", "code 3"), STORE_ABSENT);
    ck_assert_int_eq(redeem("code", "fourth"), STORE_REFUSED);
    ck_assert(lets_in("second") && !lets_in("third"));
}
END_TEST

/* Logs in without end, and tells of each grant that was acknowledged. */
static void log_in_until_killed(const char *path, int out)
{
    s = fixture_open(path);
    for (unsigned char i = 0;; i++) {
        char *name = xasprintf("login %u", (unsigned)i);
        const struct store_redemption redemption = redemption_of(name);
        must_authorize(name, "", CODE_MS);
        if (redeem_as(name, &redemption, NULL) != STORE_DONE || write(out, &i, 1) != 1)
            _exit(1);
        free(name);
    }
}

START_TEST(a_grant_that_was_acknowledged_survives_a_kill)
{
    enum { LOGINS = 50 };
    char *path = fixture_folder();
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0)
        log_in_until_killed(path, pipes[1]);
    close(pipes[1]);
    unsigned char last = 0, number;
    for (; last < LOGINS && read(pipes[0], &number, 1) == 1; last = number)
        continue;
    kill(child, SIGKILL);
    for (; last < UINT8_MAX - 1 && read(pipes[0], &number, 1) == 1; last = number)
        continue;
    waitpid(child, NULL, 0);
    close(pipes[0]);
    ck_assert_int_ge(last, LOGINS);

    s = fixture_open(path);
    for (int i = 0; i <= last; i++) {
        char *name = xasprintf("login %d", i);
        ck_assert_msg(lets_in(name), "%s of %d is gone", name, last);
        ck_assert_int_eq(redeem(name, "replay"), STORE_REFUSED);
        free(name);
    }
    store_close(s);
    fixture_remove(path);
}
END_TEST

/* ---- another process ---- */

static _Atomic int changes;

static void note_change(void *arg)
{
    (void)arg;
    changes++;
}

static void wait_for_change(int before)
{
    const int64_t until_ms = clock_mono_ms() + 20 * 1000;
    while (changes <= before && clock_mono_ms() < until_ms)
        usleep(1000);
    ck_assert_int_gt(changes, before);
}

START_TEST(a_grant_that_a_command_ends_is_news)
{
    must_grant("first", "", NULL);
    store_close(s);
    struct buf why = {0};
    const struct store_options relay = {.data_dir = folder,
        .database_url = rig_url(),
        .role = STORE_ROLE_RELAY,
        .changed = note_change};
    const struct store_options admin = {
        .data_dir = folder, .database_url = rig_url(), .role = STORE_ROLE_ADMIN};
    struct store *serving = store_open(&relay, &why);
    s = store_open(&admin, &why);
    ck_assert_msg(serving != NULL && s != NULL, "%s", buf_text(&why));
    const int before = changes;
    const struct store_grant_choice choice = {.all = true};
    ck_assert_int_eq(end_grants(&choice, NULL), STORE_DONE);
    wait_for_change(before);
    store_close(s);
    s = serving;
    ck_assert(!lets_in("first"));
}
END_TEST

START_TEST(a_backup_has_the_logins)
{
    must_grant("first", "lab", NULL);
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", CODE_MS), STORE_DONE);
    char *copy = fixture_folder();
    struct buf why = {0};
    ck_assert_msg(store_backup(s, copy, &why), "%s", buf_text(&why));
    struct store *before = s;
    s = fixture_open(copy);
    ck_assert(lets_in("first"));
    ck_assert_int_eq(refresh("first", "second"), STORE_DONE);
    ck_assert_int_eq(authorize("connect", "code"), STORE_DONE);
    store_close(s);
    s = before;
    fixture_remove(copy);
}
END_TEST

/* ---- housekeeping ---- */

static struct store_oauth_cleanup clean(bool dry_run)
{
    struct store_oauth_cleanup result;
    ck_assert_int_eq(store_oauth_cleanup(s, MS_PER_DAY, dry_run, &result), STORE_DONE);
    return result;
}

/* Counts first, and then really; each has to find as much. */
static void assert_cleaned(int64_t clients, int64_t grants, int64_t codes, int64_t tokens)
{
    for (int round = 0; round < 3; round++) {
        const struct store_oauth_cleanup found = clean(round == 0);
        const int64_t share = round < 2; /* the third time nothing is left */
        ck_assert_int_eq(found.clients, share * clients);
        ck_assert_int_eq(found.grants, share * grants);
        ck_assert_int_eq(found.codes, share * codes);
        ck_assert_int_eq(found.tokens, share * tokens);
    }
}

static void must_add_client(const char *client_id)
{
    const struct store_client client = {
        .client_id = (char *)(uintptr_t)client_id, .metadata = (char *)(uintptr_t) "{}"};
    enum store_refusal refusal;
    ck_assert_int_eq(store_client_add(s, &client, 10, &refusal), STORE_DONE);
}

static bool has_client(const char *client_id)
{
    struct store_clients found;
    const enum store_status status = store_client_find(s, client_id, &found);
    store_clients_free(&found);
    return status == STORE_DONE;
}

START_TEST(clients_that_never_got_a_token_go)
{
    must_add_client(CLIENT);
    must_add_client("unused");
    must_grant("first", "", NULL);
    assert_cleaned(0, 0, 0, 0);
    clock_pass(MS_PER_DAY - 1000);
    must_add_client("young");
    clock_pass(2000);
    assert_cleaned(1, 0, 1, 1); /* with the first login's code and access token */
    ck_assert(has_client(CLIENT) && has_client("young") && !has_client("unused"));
}
END_TEST

START_TEST(what_ran_out_or_was_used_goes)
{
    ck_assert_int_eq(add_code(CODE_CONNECT, "used", "", CODE_MS), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_CONNECT, "unused", "", CODE_MS), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_INVITE, "lasting", "", 2 * CODE_MS), STORE_DONE);
    ck_assert_int_eq(authorize("used", "code"), STORE_DONE);
    struct store_device device = {.expires_ms = clock_wall_ms() + CODE_MS};
    enum store_refusal refusal;
    memcpy(device.device_hash, hashed("device").hex, sizeof device.device_hash);
    memcpy(device.user_hash, hashed("user").hex, sizeof device.user_hash);
    ck_assert_int_eq(store_device_add(s, &device, 1, &refusal), STORE_DONE);
    ck_assert_int_eq(redeem("code", "first"), STORE_DONE);
    assert_cleaned(0, 0, 1, 0);                                /* the connect code that was used */
    ck_assert_int_eq(redeem("code", "second"), STORE_REFUSED); /* a code's replay is known while it lasts */
    assert_cleaned(0, 1, 0, 0);                                /* the grant which that ended */
    ck_assert_int_eq(redeem("code", "second"), STORE_REFUSED);
    clock_pass(CODE_MS);
    assert_cleaned(0, 0, 3, 0); /* the other connect code, the authorization code, the device */
    ck_assert_int_eq(redeem("code", "second"), STORE_ABSENT);
    struct store_token token = {0};
    struct store_subject subject;
    memcpy(token.hash, hashed("token").hex, sizeof token.hash);
    ck_assert_int_eq(store_invite_redeem(s, hashed("lasting").hex, &token, &subject), STORE_DONE);
    store_subject_free(&subject);
}
END_TEST

START_TEST(a_live_grant_keeps_what_it_needs)
{
    must_grant("first", "lab", NULL);
    must_grant("second", "lab", NULL);
    clock_pass(MS_PER_DAY);
    ck_assert_int_eq(refresh("first", "third"), STORE_DONE);
    assert_cleaned(0, 0, 2, 2); /* both first access tokens */
    clock_pass(LOGIN_MS - MS_PER_DAY);
    assert_cleaned(0, 1, 0, 3); /* the second grant; two old refresh tokens, the third's access token */
    ck_assert_uint_eq(grants_that_stand(), 1);
    ck_assert(exists("lab", "webapp"));
    ck_assert_int_eq(refresh("first", "thief"), STORE_ABSENT);
    ck_assert_int_eq(refresh("third", "fourth"), STORE_DONE);
    ck_assert(lets_in("fourth"));
}
END_TEST

/* More than one step of the housekeeping has. */
START_TEST(much_is_cleaned_in_steps)
{
    enum { MANY = 450 };
    for (int i = 0; i < MANY; i++) {
        char *text = xasprintf("code %d", i);
        must_authorize(text, "", CODE_MS);
        free(text);
    }
    clock_pass(CODE_MS);
    assert_cleaned(0, 0, MANY, 0);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_logins", &tests);
    tcase_add_test(tests, one_of_many_uses_a_code_up);
    tcase_add_test(tests, one_of_many_redeems_an_authorization_code_and_the_next_ends_it);
    tcase_add_test(tests, repeats_at_once_are_lost_answers);
    tcase_add_test(tests, one_of_many_gets_a_devices_token);
    tcase_add_test(tests, logins_survive_a_restart);
    tcase_add_test(tests, a_grant_that_a_command_ends_is_news);
    if (!rig_server())
        tcase_add_test(tests, a_backup_has_the_logins);
    tcase_add_test(tests, clients_that_never_got_a_token_go);
    tcase_add_test(tests, what_ran_out_or_was_used_goes);
    tcase_add_test(tests, a_live_grant_keeps_what_it_needs);
    tcase_add_test(tests, much_is_cleaned_in_steps);
    TCase *forking = tcase_create("kill"); /* forks, so no thread may run before */
    tcase_set_timeout(forking, 60);
    tcase_add_test(forking, a_grant_that_was_acknowledged_survives_a_kill);
    suite_add_tcase(suite, forking);
    return run_unit(suite);
}
