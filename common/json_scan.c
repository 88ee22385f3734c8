/* The scanner of json.h: a pushdown automaton over RFC 8259, without recursion. */
#include <bsd/stdlib.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "json.h"
#include "utf8.h"

/* A key of an open object, as a digest: 128 bits under a key that nobody outside knows, so that equal digests
 * mean equal keys, and no sender can make collisions. */
struct seen_key {
    unsigned char digest[crypto_shorthash_siphashx24_BYTES];
    size_t at; /* where the key stands */
};

struct seen_keys {
    struct seen_key *items; /* of all open objects, outermost first */
    size_t count, cap;
};

/* What may come next. */
enum expect {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after '[' */
    EXPECT_KEY,
    EXPECT_KEY_OR_END, /* after '{' */
    EXPECT_COLON,
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING,
};

struct container {
    bool is_object;
    size_t first_key; /* its place in seen_keys */
};

struct scan {
    const char *text;
    size_t len, at;
    enum expect expect;
    struct container open[JSON_MAX_DEPTH];
    size_t depth;
    struct seen_keys keys;
    struct buf unescaped; /* the last string that had escapes */
};

/* Where a string's content lies once it was read. */
struct span {
    const char *text;
    size_t len;
};

static unsigned char digest_key[crypto_shorthash_siphashx24_KEYBYTES];

static void make_digest_key(void)
{
    randombytes_buf(digest_key, sizeof(digest_key));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The byte at s->at + ahead, or -1 behind the end. */
static int peek(const struct scan *s, size_t ahead)
{
    return ahead < s->len - s->at ? (unsigned char)s->text[s->at + ahead] : -1;
}

/* ---- strings ---- */

/* Reads the four digits of a \u escape at offset. */
static bool read_hex4(const struct scan *s, size_t offset, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 4; i++) {
        int c = peek(s, offset + i);
        static const char digits[] = "0123456789abcdef";
        const char *digit = c > 0 ? strchr(digits, c | 0x20) : NULL;
        if (!digit || (!is_digit((char)c) && (c | 0x20) < 'a')) {
            return false;
        }
        *value = *value << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

static void put_code_point(struct buf *out, uint32_t value)
{
    if (value < 0x80) {
        buf_putc(out, (char)value);
        return;
    }
    if (value < 0x800) {
        buf_putc(out, (char)(0xC0 | value >> 6));
    } else if (value < 0x10000) {
        buf_putc(out, (char)(0xE0 | value >> 12));
        buf_putc(out, (char)(0x80 | (value >> 6 & 0x3F)));
    } else {
        buf_putc(out, (char)(0xF0 | value >> 18));
        buf_putc(out, (char)(0x80 | (value >> 12 & 0x3F)));
        buf_putc(out, (char)(0x80 | (value >> 6 & 0x3F)));
    }
    buf_putc(out, (char)(0x80 | (value & 0x3F)));
}

static bool is_high_surrogate(uint32_t value)
{
    return value >= 0xD800 && value <= 0xDBFF;
}

static bool is_low_surrogate(uint32_t value)
{
    return value >= 0xDC00 && value <= 0xDFFF;
}

/* At "\u": the escape, or the pair of escapes of one code point. */
static enum json_fault scan_unicode_escape(struct scan *s)
{
    uint32_t value;
    if (!read_hex4(s, 2, &value)) {
        return JSON_FAULT_SYNTAX;
    }
    if (value == 0) {
        return JSON_FAULT_NUL;
    }
    size_t taken = 6;
    if (is_high_surrogate(value)) {
        uint32_t low;
        if (peek(s, 6) != '\\' || peek(s, 7) != 'u' || !read_hex4(s, 8, &low) || !is_low_surrogate(low)) {
            return JSON_FAULT_ENCODING;
        }
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
        taken = 12;
    } else if (is_low_surrogate(value)) {
        return JSON_FAULT_ENCODING;
    }
    put_code_point(&s->unescaped, value);
    s->at += taken;
    return JSON_FAULT_NONE;
}

static enum json_fault scan_escape(struct scan *s)
{
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    int c = peek(s, 1);
    if (c == 'u') {
        return scan_unicode_escape(s);
    }
    const char *escape = c > 0 ? strchr(escapes, c) : NULL;
    if (!escape) {
        return JSON_FAULT_SYNTAX;
    }
    buf_putc(&s->unescaped, meanings[escape - escapes]);
    s->at += 2;
    return JSON_FAULT_NONE;
}

/* Moves over bytes that stand for themselves. */
static enum json_fault scan_plain(struct scan *s)
{
    for (;;) {
        int c = peek(s, 0);
        if (c < 0 || c == '"' || c == '\\') {
            return JSON_FAULT_NONE;
        }
        if (c < 0x20) {
            return c == 0 ? JSON_FAULT_NUL : JSON_FAULT_CONTROL;
        }
        uint32_t ignored;
        size_t step = c < 0x80 ? 1 : utf8_decode(s->text + s->at, s->len - s->at, &ignored);
        if (step == 0) {
            return JSON_FAULT_ENCODING;
        }
        s->at += step;
    }
}

/* At the opening quote. content (may be NULL: not wanted) is borrowed until the next string. */
static enum json_fault scan_string(struct scan *s, struct span *content)
{
    s->at++;
    size_t begin = s->at;
    enum json_fault fault = scan_plain(s);
    if (fault == JSON_FAULT_NONE && peek(s, 0) == '"') {
        if (content) {
            *content = (struct span){s->text + begin, s->at - begin};
        }
        s->at++;
        return JSON_FAULT_NONE;
    }

    buf_reset(&s->unescaped);
    while (fault == JSON_FAULT_NONE) {
        if (content) {
            buf_append(&s->unescaped, s->text + begin, s->at - begin);
        }
        int c = peek(s, 0);
        if (c != '\\') {
            break;
        }
        fault = scan_escape(s);
        begin = s->at;
        fault = fault == JSON_FAULT_NONE ? scan_plain(s) : fault;
    }
    if (fault != JSON_FAULT_NONE) {
        return fault;
    }
    if (peek(s, 0) != '"') {
        return JSON_FAULT_SYNTAX;
    }
    s->at++;
    if (content) {
        *content = (struct span){buf_text(&s->unescaped), s->unescaped.len};
    }
    return JSON_FAULT_NONE;
}

/* ---- numbers ---- */

static size_t count_digits(const struct scan *s, size_t ahead)
{
    size_t from = ahead;
    while (is_digit((char)peek(s, ahead))) {
        ahead++;
    }
    return ahead - from;
}

static bool integer_fits(const char *text)
{
    errno = 0;
    if (text[0] == '-') {
        (void)strtoll(text, NULL, 10);
    } else {
        (void)strtoull(text, NULL, 10);
    }
    return errno == 0;
}

/* The length of the number at s->at by RFC 8259 section 6, or 0. */
static size_t number_len(const struct scan *s, bool *is_integer)
{
    *is_integer = true;
    size_t len = peek(s, 0) == '-';
    size_t digits = count_digits(s, len);
    if (digits == 0 || (digits > 1 && peek(s, len) == '0')) {
        return 0;
    }
    len += digits;
    if (peek(s, len) == '.') {
        *is_integer = false;
        digits = count_digits(s, len + 1);
        if (digits == 0) {
            return 0;
        }
        len += 1 + digits;
    }
    if (peek(s, len) == 'e' || peek(s, len) == 'E') {
        *is_integer = false;
        len++;
        len += peek(s, len) == '+' || peek(s, len) == '-';
        digits = count_digits(s, len);
        if (digits == 0) {
            return 0;
        }
        len += digits;
    }
    return len;
}

static enum json_fault scan_number(struct scan *s)
{
    bool is_integer;
    size_t len = number_len(s, &is_integer);
    if (len == 0) {
        return JSON_FAULT_SYNTAX;
    }
    if (len > JSON_NUMBER_MAX_LEN) {
        return JSON_FAULT_NUMBER;
    }
    char text[JSON_NUMBER_MAX_LEN + 1];
    memcpy(text, s->text + s->at, len);
    text[len] = '\0';
    if (is_integer ? !integer_fits(text) : !isfinite(strtod(text, NULL))) {
        return JSON_FAULT_NUMBER;
    }
    s->at += len;
    return JSON_FAULT_NONE;
}

/* ---- objects' keys ---- */

static void remember_key(struct scan *s, struct span key, size_t at)
{
    struct seen_keys *keys = &s->keys;
    if (keys->count == keys->cap) {
        keys->cap = keys->cap ? keys->cap * 2 : 16;
        keys->items = xreallocarray(keys->items, keys->cap, sizeof(*keys->items));
    }
    struct seen_key *seen = &keys->items[keys->count++];
    seen->at = at;
    crypto_shorthash_siphashx24(seen->digest, (const unsigned char *)key.text, key.len, digest_key);
}

static int compare_keys(const void *left, const void *right)
{
    const struct seen_key *a = left;
    const struct seen_key *b = right;
    int order = memcmp(a->digest, b->digest, sizeof(a->digest));
    if (order != 0) {
        return order;
    }
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Forgets the keys of the object that closes. Two alike are a fault, reported at the first repeat. */
static enum json_fault forget_keys(struct scan *s, size_t first)
{
    size_t count = s->keys.count - first;
    s->keys.count = first;
    if (count < 2) {
        return JSON_FAULT_NONE;
    }
    struct seen_key *keys = s->keys.items + first;
    qsort(keys, count, sizeof(*keys), compare_keys);
    size_t repeat = SIZE_MAX;
    for (size_t i = 1; i < count; i++) {
        if (memcmp(keys[i].digest, keys[i - 1].digest, sizeof(keys[i].digest)) == 0 && keys[i].at < repeat) {
            repeat = keys[i].at;
        }
    }
    if (repeat == SIZE_MAX) {
        return JSON_FAULT_NONE;
    }
    s->at = repeat;
    return JSON_FAULT_DUPLICATE;
}

/* ---- structure ---- */

static void after_value(struct scan *s)
{
    s->expect = s->depth > 0 ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static enum json_fault open_container(struct scan *s, bool is_object)
{
    if (s->depth == JSON_MAX_DEPTH) {
        return JSON_FAULT_DEPTH;
    }
    s->open[s->depth++] = (struct container){is_object, s->keys.count};
    s->expect = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    s->at++;
    return JSON_FAULT_NONE;
}

static enum json_fault close_container(struct scan *s, bool is_object)
{
    const struct container *inner = &s->open[s->depth - 1];
    if (inner->is_object != is_object) {
        return JSON_FAULT_SYNTAX;
    }
    s->at++;
    s->depth--;
    after_value(s);
    return is_object ? forget_keys(s, inner->first_key) : JSON_FAULT_NONE;
}

static enum json_fault scan_word(struct scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        size_t len = strlen(words[i]);
        if (s->len - s->at >= len && memcmp(s->text + s->at, words[i], len) == 0) {
            s->at += len;
            return JSON_FAULT_NONE;
        }
    }
    return JSON_FAULT_SYNTAX;
}

static enum json_fault scan_value(struct scan *s, int c)
{
    if (c == '{' || c == '[') {
        return open_container(s, c == '{');
    }
    if (c == ']' && s->expect == EXPECT_VALUE_OR_END) {
        return close_container(s, false);
    }
    enum json_fault fault;
    if (c == '"') {
        fault = scan_string(s, NULL);
    } else if (c == '-' || is_digit((char)c)) {
        fault = scan_number(s);
    } else {
        fault = scan_word(s);
    }
    after_value(s);
    return fault;
}

static enum json_fault scan_key(struct scan *s, int c)
{
    if (c == '}' && s->expect == EXPECT_KEY_OR_END) {
        return close_container(s, true);
    }
    if (c != '"') {
        return JSON_FAULT_SYNTAX;
    }
    size_t at = s->at;
    struct span key;
    enum json_fault fault = scan_string(s, &key);
    if (fault == JSON_FAULT_NONE) {
        remember_key(s, key, at);
        s->expect = EXPECT_COLON;
    }
    return fault;
}

static enum json_fault scan_colon(struct scan *s, int c)
{
    if (c != ':') {
        return JSON_FAULT_SYNTAX;
    }
    s->at++;
    s->expect = EXPECT_VALUE;
    return JSON_FAULT_NONE;
}

static enum json_fault scan_comma(struct scan *s, int c)
{
    bool in_object = s->open[s->depth - 1].is_object;
    if (c == '}' || c == ']') {
        return close_container(s, c == '}');
    }
    if (c != ',') {
        return JSON_FAULT_SYNTAX;
    }
    s->at++;
    s->expect = in_object ? EXPECT_KEY : EXPECT_VALUE;
    return JSON_FAULT_NONE;
}

static enum json_fault scan_surplus(struct scan *s, int c)
{
    (void)s;
    (void)c;
    return JSON_FAULT_SYNTAX;
}

static void skip_space(struct scan *s)
{
    int c = peek(s, 0);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        s->at++;
        c = peek(s, 0);
    }
}

static enum json_fault scan_all(struct scan *s)
{
    static enum json_fault (*const step[])(struct scan *, int) = {
        [EXPECT_VALUE] = scan_value,
        [EXPECT_VALUE_OR_END] = scan_value,
        [EXPECT_KEY] = scan_key,
        [EXPECT_KEY_OR_END] = scan_key,
        [EXPECT_COLON] = scan_colon,
        [EXPECT_COMMA_OR_END] = scan_comma,
        [EXPECT_NOTHING] = scan_surplus,
    };
    skip_space(s);
    if (s->at == s->len) {
        return JSON_FAULT_EMPTY;
    }
    while (s->at < s->len) {
        int c = peek(s, 0);
        enum json_fault fault = c == 0 ? JSON_FAULT_NUL : step[s->expect](s, c);
        if (fault != JSON_FAULT_NONE) {
            return fault;
        }
        skip_space(s);
    }
    return s->expect == EXPECT_NOTHING ? JSON_FAULT_NONE : JSON_FAULT_SYNTAX;
}

enum json_fault json_scan(const char *text, size_t len, size_t *at)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_digest_key);

    struct scan s = {.text = text, .len = len};
    enum json_fault fault = len > JSON_MAX_BYTES ? JSON_FAULT_SIZE : scan_all(&s);
    if (at) {
        *at = s.at;
    }
    free(s.keys.items);
    buf_free(&s.unescaped);
    return fault;
}

const char *json_fault_text(enum json_fault fault)
{
    static const char *const texts[] = {
        [JSON_FAULT_NONE] = "is valid JSON",
        [JSON_FAULT_EMPTY] = "is empty",
        [JSON_FAULT_SYNTAX] = "is not valid JSON",
        [JSON_FAULT_ENCODING] = "is not valid UTF-8",
        [JSON_FAULT_CONTROL] = "has a control character in a string",
        [JSON_FAULT_NUL] = "has a NUL character",
        [JSON_FAULT_DEPTH] = "is nested more than 32 deep",
        [JSON_FAULT_DUPLICATE] = "has the same key twice in one object",
        [JSON_FAULT_NUMBER] = "has a number that is out of range",
        [JSON_FAULT_SIZE] = "is over 64 MiB",
    };
    return texts[fault];
}
