/* alloc.h: the one allocator of both programs.
 *
 * Out of memory is fatal: each function prints one line to stderr and ends the process, so that no caller has
 * to handle NULL. Everything returned is freed with free(). */
#ifndef COMMON_ALLOC_H
#define COMMON_ALLOC_H

#include <stdarg.h>
#include <stddef.h>

#include "compiler.h"

/* What all of them do in the end; also for allocations that a library could not make. */
_Noreturn void alloc_failed(void);
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* As reallocarray(3): an overflow of count * size is fatal too. */
void *xreallocarray(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
/* xstrdup that passes NULL through. */
char *xstrdup_or_null(const char *text);
/* Copies exactly len bytes (NUL bytes included) and ends them with a NUL. */
char *xmemdup_text(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((malloc, returns_nonnull));

#endif
