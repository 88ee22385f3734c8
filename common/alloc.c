#include "alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void alloc_failed(void)
{
    fputs("patchcord: out of memory\n", stderr);
    abort();
}

static void *checked(void *p)
{
    if (!p) {
        alloc_failed();
    }
    return p;
}

/* malloc(0) may be NULL without any shortage: ask for a byte. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *xmalloc(size_t size)
{
    return checked(malloc(at_least_one(size)));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(at_least_one(count), at_least_one(size)));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    return checked(reallocarray(old, at_least_one(count), at_least_one(size)));
}

char *xstrdup(const char *text)
{
    return checked(strdup(text));
}

char *xstrdup_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

char *xmemdup_text(const char *text, size_t len)
{
    if (len == SIZE_MAX) {
        alloc_failed();
    }
    char *copy = xmalloc(len + 1);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        alloc_failed();
    }
    return text;
}
