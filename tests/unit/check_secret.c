#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/buf.h"
#include "../../common/secret.h"
#include "unit.h"

START_TEST(tokens_are_random_text)
{
    char a[TOKEN_TEXT_SIZE], b[TOKEN_TEXT_SIZE];
    secret_token_mint(a);
    secret_token_mint(b);
    ck_assert_int_eq(strncmp(a, "pc_", 3), 0);
    ck_assert_uint_eq(strlen(a), 3 + 43);
    ck_assert_uint_eq(
        strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(a));
    ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(hashes_are_the_standards)
{
    char hex[SHA256_HEX_SIZE];
    secret_sha256_hex("abc", 3, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    secret_sha256_hex("", 0, hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

START_TEST(texts_are_compared_whole)
{
    ck_assert(secret_equal("", ""));
    ck_assert(secret_equal("abc", "abc"));
    ck_assert(!secret_equal("abc", "abd"));
    ck_assert(!secret_equal("abc", "ab"));
    ck_assert(!secret_equal("abc", "abcd"));
    ck_assert(!secret_equal("", "a"));
}
END_TEST

START_TEST(wiping_leaves_zeroes)
{
    char bytes[] = "secret";
    static const char zeroes[sizeof(bytes)];
    secret_wipe(bytes, sizeof(bytes));
    ck_assert_mem_eq(bytes, zeroes, sizeof(bytes));
    secret_free(NULL);
}
END_TEST

/* What secret_read gets from a pipe that holds bytes. */
static char *read_from_pipe(const char *bytes, size_t len, char *rest, size_t rest_size)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
    close(ends[1]);
    char *secret = secret_read(ends[0], "unused: ");
    ssize_t got = rest ? read(ends[0], rest, rest_size - 1) : 0;
    if (rest) {
        rest[got > 0 ? got : 0] = '\0';
    }
    close(ends[0]);
    return secret;
}

START_TEST(a_line_is_read)
{
    static const struct {
        const char *bytes, *secret; /* NULL: refused */
    } rows[] = {
        {"pc_token\n", "pc_token"},
        {"pc_token", "pc_token"},
        {" \tpc_token \t\r\n", "pc_token"},
        {"two words\n", "two words"},
        {"", NULL},
        {"\n", NULL},
        {" \r\n", NULL},
        {"\npc_token\n", NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char *secret = read_from_pipe(rows[i].bytes, strlen(rows[i].bytes), NULL, 0);
        ck_assert_msg(!secret == !rows[i].secret, "row %zu", i);
        if (secret) {
            ck_assert_str_eq(secret, rows[i].secret);
        }
        secret_free(secret);
    }
    ck_assert_ptr_null(read_from_pipe("a\0b\n", 4, NULL, 0));
    ck_assert_ptr_null(secret_read(-1, ""));
}
END_TEST

START_TEST(what_follows_the_line_stays)
{
    char rest[16];
    char *secret = read_from_pipe("first\nsecond\n", 13, rest, sizeof(rest));
    ck_assert_str_eq(secret, "first");
    ck_assert_str_eq(rest, "second\n");
    secret_free(secret);
}
END_TEST

START_TEST(length_is_limited_at_its_edge)
{
    char bytes[TOKEN_MAX_LEN + 2];
    memset(bytes, 'x', sizeof(bytes));
    bytes[TOKEN_MAX_LEN] = '\n';
    char *secret = read_from_pipe(bytes, TOKEN_MAX_LEN + 1, NULL, 0);
    ck_assert_ptr_nonnull(secret);
    ck_assert_uint_eq(strlen(secret), TOKEN_MAX_LEN);
    secret_free(secret);
    bytes[TOKEN_MAX_LEN] = 'x';
    bytes[TOKEN_MAX_LEN + 1] = '\n';
    ck_assert_ptr_null(read_from_pipe(bytes, sizeof(bytes), NULL, 0));
}
END_TEST

/* Collects what the terminal shows until it ends, and types the line once something was asked. */
static void type_when_asked(int terminal, const char *line, struct buf *shown)
{
    bool typed = false;
    for (;;) {
        char bytes[256];
        ssize_t got = read(terminal, bytes, sizeof(bytes));
        if (got <= 0) {
            return;
        }
        buf_append(shown, bytes, (size_t)got);
        if (!typed && strstr(buf_text(shown), "Token: ")) {
            typed = write(terminal, line, strlen(line)) == (ssize_t)strlen(line);
        }
    }
}

START_TEST(a_terminal_is_asked_without_echo)
{
    int terminal;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char *secret = secret_read(STDIN_FILENO, "Token: ");
        bool is_right = secret && strcmp(secret, "pc_typed") == 0;
        secret_free(secret);
        _exit(is_right ? 0 : 1);
    }
    struct buf shown = {0};
    type_when_asked(terminal, " pc_typed \n", &shown);
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_ptr_null(strstr(buf_text(&shown), "pc_typed"));
    buf_free(&shown);
    close(terminal);
}
END_TEST

int main(void)
{
    secret_init();
    TCase *tests;
    Suite *suite = unit_suite("secret", &tests);
    tcase_add_test(tests, tokens_are_random_text);
    tcase_add_test(tests, hashes_are_the_standards);
    tcase_add_test(tests, texts_are_compared_whole);
    tcase_add_test(tests, wiping_leaves_zeroes);
    tcase_add_test(tests, a_line_is_read);
    tcase_add_test(tests, what_follows_the_line_stays);
    tcase_add_test(tests, length_is_limited_at_its_edge);
    tcase_add_test(tests, a_terminal_is_asked_without_echo);
    return run_unit(suite);
}
