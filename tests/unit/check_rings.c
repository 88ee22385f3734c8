/* What a listener remembers, and that there is one of it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../bridge/listener_lock.h"
#include "../../bridge/rings.h"
#include "../../bridge/wake_up.h"
#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "unit.h"

#define URL   "https://relay.example.com"
#define AGENT "backend@demo"

static struct rings rings;
static char base[PATH_MAX];

static void setup(void)
{
    secret_init();
    rings = (struct rings){.again_ms = 1000};
    unit_folder(base);
    ck_assert_int_eq(setenv("XDG_STATE_HOME", base, 1), 0);
}

static const char *id_of(int number)
{
    static char id[UUID_SIZE];
    snprintf(id, sizeof id, "01a20467-eaca-7f53-9c17-%012d", number);
    return id;
}

/* ---- rings ---- */

START_TEST(each_message_rings_once)
{
    ck_assert(rings_first(&rings, id_of(1), 10));
    ck_assert(!rings_first(&rings, id_of(1), 11));
    ck_assert(rings_first(&rings, id_of(2), 12));
}
END_TEST

START_TEST(so_many_messages_are_remembered)
{
    for (int i = 0; i < RINGS_MAX; i++)
        ck_assert(rings_first(&rings, id_of(i), 10));
    ck_assert(!rings_first(&rings, id_of(0), 10));
    ck_assert(rings_first(&rings, id_of(RINGS_MAX), 10));
    ck_assert(!rings_first(&rings, id_of(1), 10));
    ck_assert(rings_first(&rings, id_of(0), 10));
}
END_TEST

START_TEST(the_second_ring_comes_once_and_some_time_after_the_last_message)
{
    struct inbox_row rows[2];
    struct inbox_look pending = {.rows = rows, .count = 2};
    strcpy(rows[0].id, id_of(1));
    strcpy(rows[1].id, id_of(2));
    ck_assert(!rings_due(&rings, 10));
    ck_assert_uint_eq(rings_first_of(&rings, &pending, 10), 2);
    ck_assert(!rings_due(&rings, 1009));
    ck_assert(rings_first(&rings, id_of(3), 500));
    ck_assert(!rings_due(&rings, 1499));
    ck_assert(rings_due(&rings, 1500));
    rings_postpone(&rings, 2000);
    ck_assert(!rings_due(&rings, 1999));
    ck_assert(rings_due(&rings, 2000));
    ck_assert_uint_eq(rings_second(&rings, &pending), 2);
    ck_assert(!rings_due(&rings, 100000));
    ck_assert(rings_first(&rings, id_of(4), 200000));
    ck_assert(rings_due(&rings, 201000));
}
END_TEST

START_TEST(a_second_ring_may_be_off)
{
    rings.again_ms = 0;
    ck_assert(rings_first(&rings, id_of(1), 10));
    ck_assert(!rings_due(&rings, INT64_MAX));
}
END_TEST

/* ---- one listener ---- */

START_TEST(a_lock_is_held_until_its_process_ends)
{
    int fd, ready[2];
    pid_t holder = 0;
    char byte;
    ck_assert(!listener_lock_held(URL, AGENT));
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bool taken = listener_lock_take(URL, AGENT, &fd, &holder) == LISTENER_TAKEN;
        if (!taken || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert(listener_lock_held(URL, AGENT));
    ck_assert(!listener_lock_held(URL, "another@demo"));
    ck_assert(!listener_lock_held("https://other.example.com", AGENT));
    ck_assert_int_eq(listener_lock_take(URL, AGENT, &fd, &holder), LISTENER_BUSY);
    ck_assert_int_eq(holder, child);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert(!listener_lock_held(URL, AGENT));
    ck_assert_int_eq(listener_lock_take(URL, AGENT, &fd, &holder), LISTENER_TAKEN);
    close(fd);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(a_lock_needs_its_folder)
{
    int fd;
    pid_t holder;
    ck_assert_int_eq(setenv("XDG_STATE_HOME", "/dev/null", 1), 0);
    ck_assert_int_eq(listener_lock_take(URL, AGENT, &fd, &holder), LISTENER_FAULT);
}
END_TEST

/* ---- wake-ups ---- */

START_TEST(senders_are_named_once_and_bounded)
{
    struct wake_up wake = {0};
    char name[16];
    wake_up_note(&wake, 3, NULL);
    wake_up_note(&wake, 1, "ab");
    wake_up_note(&wake, 1, "a");
    wake_up_note(&wake, 1, "ab");
    wake_up_note(&wake, 1, "b");
    ck_assert_str_eq(buf_text(&wake.names), "ab, a, b");
    ck_assert_uint_eq(wake.count, 7);
    for (int i = 0; i < WAKE_UP_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        wake_up_note(&wake, 1, name);
    }
    ck_assert_uint_eq(wake.names_count, WAKE_UP_NAMES_MAX);
    ck_assert_ptr_nonnull(strstr(buf_text(&wake.names), "n6"));
    ck_assert_ptr_null(strstr(buf_text(&wake.names), "n7"));
    wake_up_step(&wake);
    ck_assert_int_eq(wake.running, 0); /* there is no command */
    wake_up_free(&wake);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("rings", &tests);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, each_message_rings_once);
    tcase_add_test(tests, so_many_messages_are_remembered);
    tcase_add_test(tests, the_second_ring_comes_once_and_some_time_after_the_last_message);
    tcase_add_test(tests, a_second_ring_may_be_off);
    tcase_add_test(tests, a_lock_is_held_until_its_process_ends);
    tcase_add_test(tests, a_lock_needs_its_folder);
    tcase_add_test(tests, senders_are_named_once_and_bounded);
    return run_unit(suite);
}
