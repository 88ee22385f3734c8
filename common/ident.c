#include "ident.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool ident_name_valid(const char *name)
{
    if (!is_alphanumeric(name[0])) {
        return false;
    }
    size_t len = 1;
    while (is_alphanumeric(name[len]) || (name[len] && strchr("._-", name[len]))) {
        if (++len > NAME_MAX_LEN) {
            return false;
        }
    }
    return name[len] == '\0';
}

static bool normalize(const char *name, size_t len, char out[static NAME_SIZE])
{
    out[0] = '\0';
    if (len > NAME_MAX_LEN) {
        return false;
    }
    char lowered[NAME_SIZE];
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        lowered[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    lowered[len] = '\0';
    if (!ident_name_valid(lowered)) {
        return false;
    }
    memcpy(out, lowered, len + 1);
    return true;
}

bool ident_name_normalize(const char *name, char out[static NAME_SIZE])
{
    return normalize(name, strnlen(name, NAME_SIZE), out);
}

static bool parse(const char *address, struct ident *out)
{
    const char *at = strchr(address, '@');
    if (at) {
        return normalize(address, (size_t)(at - address), out->agent) &&
               ident_name_normalize(at + 1, out->namespace_id);
    }
    const char *colon = strchr(address, ':');
    if (colon) {
        return normalize(address, (size_t)(colon - address), out->namespace_id) &&
               ident_name_normalize(colon + 1, out->agent);
    }
    return ident_name_normalize(address, out->agent);
}

bool ident_parse(const char *address, struct ident *out)
{
    *out = (struct ident){0};
    if (parse(address, out)) {
        return true;
    }
    *out = (struct ident){0};
    return false;
}

void ident_format(const char *namespace_id, const char *agent, char out[static ADDRESS_SIZE])
{
    snprintf(out, ADDRESS_SIZE, "%.*s@%.*s", NAME_MAX_LEN, agent, NAME_MAX_LEN, namespace_id);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t ident_distance(const char *a, const char *b)
{
    size_t a_len = strnlen(a, NAME_MAX_LEN);
    size_t b_len = strnlen(b, NAME_MAX_LEN);
    /* Row i has the distances of a's first i bytes to each prefix of b; a swap looks two rows back. */
    size_t rows[3][NAME_SIZE];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

struct candidate {
    size_t distance;
    char *name;
};

static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->distance != b->distance) {
        return a->distance < b->distance ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

/* A bare name is compared with an address's name alone. */
static size_t distance_to_name(const char *wanted, const char *address)
{
    char name[NAME_SIZE];
    const size_t len = strcspn(address, "@");
    if (strchr(wanted, '@') || len >= sizeof name)
        return ident_distance(wanted, address);
    memcpy(name, address, len);
    name[len] = '\0';
    return ident_distance(wanted, name);
}

void ident_sort_nearest(const char *wanted, char **names, size_t count)
{
    struct candidate *candidates = xcalloc(count, sizeof(*candidates));
    for (size_t i = 0; i < count; i++) {
        candidates[i] = (struct candidate){distance_to_name(wanted, names[i]), names[i]};
    }
    qsort(candidates, count, sizeof(*candidates), compare_candidates);
    for (size_t i = 0; i < count; i++) {
        names[i] = candidates[i].name;
    }
    free(candidates);
}
