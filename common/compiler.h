/* compiler.h: attributes that the contracts in our headers use (GCC and Clang). */
#ifndef COMMON_COMPILER_H
#define COMMON_COMPILER_H

/* The result tells whether the call worked: ignoring it is a compile-time error. */
#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define LENGTH_OF(array)        (sizeof(array) / sizeof((array)[0]))

#endif
