#include "secret.h"

#include <bsd/readpassphrase.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"

static const char TOKEN_PREFIX[] = "pc_";

void secret_init(void)
{
    if (sodium_init() < 0) {
        fputs("patchcord: the system gives no randomness (libsodium could not start)\n", stderr);
        exit(1);
    }
}

void secret_token_mint(char out[static TOKEN_TEXT_SIZE])
{
    enum { PREFIX_LEN = sizeof(TOKEN_PREFIX) - 1 };
    unsigned char bytes[TOKEN_RANDOM_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    memcpy(out, TOKEN_PREFIX, PREFIX_LEN);
    sodium_bin2base64(out + PREFIX_LEN, TOKEN_TEXT_SIZE - PREFIX_LEN, bytes, sizeof(bytes),
        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, sizeof(bytes));
}

void secret_sha256_hex(const void *bytes, size_t len, char out[static SHA256_HEX_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, bytes, len);
    sodium_bin2hex(out, SHA256_HEX_SIZE, digest, sizeof(digest));
    sodium_memzero(digest, sizeof(digest));
}

bool secret_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && sodium_memcmp(a, b, len) == 0;
}

void secret_free(char *text)
{
    if (text) {
        sodium_memzero(text, strlen(text));
    }
    free(text);
}

void secret_wipe(void *bytes, size_t len)
{
    sodium_memzero(bytes, len);
}

/* Byte by byte, so that what follows the line stays in the descriptor. Returns the line's length, or -1 where
 * it does not fit size bytes or cannot be read. */
static ssize_t read_line(int fd, char *line, size_t size)
{
    size_t len = 0;
    for (;;) {
        char c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0 || c == '\n') {
            return (ssize_t)len;
        }
        if (len == size) {
            return -1;
        }
        line[len++] = c;
    }
}

static ssize_t ask(const char *prompt, char *line, size_t size)
{
    if (!readpassphrase(prompt, line, size, RPP_ECHO_OFF | RPP_REQUIRE_TTY)) {
        return -1;
    }
    return (ssize_t)strlen(line);
}

/* The text without blanks around it; NULL where nothing is left or it is no text. */
static char *trimmed(const char *line, size_t len)
{
    static const char blanks[] = " \t\r";
    while (len > 0 && memchr(blanks, line[len - 1], sizeof(blanks) - 1)) {
        len--;
    }
    while (len > 0 && memchr(blanks, line[0], sizeof(blanks) - 1)) {
        line++;
        len--;
    }
    if (len == 0 || memchr(line, '\0', len)) {
        return NULL;
    }
    return xmemdup_text(line, len);
}

char *secret_read(int fd, const char *prompt)
{
    /* Room for one byte over the limit, by which a longer line is told. */
    char line[TOKEN_MAX_LEN + 2];
    ssize_t len = isatty(fd) ? ask(prompt, line, sizeof(line)) : read_line(fd, line, TOKEN_MAX_LEN);
    char *secret = len > 0 && len <= TOKEN_MAX_LEN ? trimmed(line, (size_t)len) : NULL;
    sodium_memzero(line, sizeof(line));
    return secret;
}
