/* json.h: strict JSON (RFC 8259) in front of json-c.
 *
 * json-c's strict mode still lets through duplicate keys, NUL in keys, raw control bytes, single quotes, NaN,
 * overlong UTF-8, lone surrogates and clamped integers, so a scanner of ours reads every text first. What
 * passes it means the same to every parser. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "compiler.h"

enum {
    JSON_MAX_DEPTH = 32,               /* arrays and objects within each other */
    JSON_MAX_BYTES = 64 * 1024 * 1024, /* of one text */
    JSON_NUMBER_MAX_LEN = 1024,        /* characters of one number */
};

enum json_fault {
    JSON_FAULT_NONE,
    JSON_FAULT_EMPTY,
    JSON_FAULT_SYNTAX,
    JSON_FAULT_ENCODING,  /* not UTF-8, or a lone surrogate escape */
    JSON_FAULT_CONTROL,   /* a raw control byte in a string */
    JSON_FAULT_NUL,       /* \u0000 or a zero byte */
    JSON_FAULT_DEPTH,     /* over JSON_MAX_DEPTH */
    JSON_FAULT_DUPLICATE, /* a key twice in one object */
    JSON_FAULT_NUMBER,    /* an integer beyond 64 bits, a number beyond double or over JSON_NUMBER_MAX_LEN */
    JSON_FAULT_SIZE,      /* over JSON_MAX_BYTES */
};

/* Checks exactly len bytes: one value and white space around it. Pure, no recursion, time linear in len (n
 * log n in an object's keys). Keys are compared unescaped. On a fault *at is the byte offset (at may be
 * NULL). */
enum json_fault json_scan(const char *text, size_t len, size_t *at);
/* A clause for people: "is not valid UTF-8". */
const char *json_fault_text(enum json_fault fault);

/* Scans and parses. NULL with *fault set for what the scanner refuses. JSON null is NULL with
 * JSON_FAULT_NONE. The caller owns the object (json_object_put). One tokener a thread. */
struct json_object *json_parse(const char *text, size_t len, enum json_fault *fault);

/* Appends the compact text (PLAIN | NOSLASHESCAPE), which never contains a raw newline. */
void json_write(struct json_object *value, struct buf *out);

/* Fields of an object, strictly typed: WRONG where the field is there with another type (null counts as
 * absent). What is returned is borrowed from the object. A NULL or non-object holder has no fields. */
enum json_field { JSON_FIELD_ABSENT, JSON_FIELD_FOUND, JSON_FIELD_WRONG };
enum json_field json_get_text(struct json_object *holder, const char *key, const char **text, size_t *len);
enum json_field json_get_int(struct json_object *holder, const char *key, int64_t *number);
enum json_field json_get_bool(struct json_object *holder, const char *key, bool *flag);
enum json_field json_get_object(struct json_object *holder, const char *key, struct json_object **object);
enum json_field json_get_array(struct json_object *holder, const char *key, struct json_object **array);
/* The text of a string field, or fallback. */
const char *json_text_or(struct json_object *holder, const char *key, const char *fallback);

/* Building: each adds to an object and ignores nothing. json_add takes over value (NULL is JSON null). */
struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
void json_add(struct json_object *holder, const char *key, struct json_object *value);
void json_add_text(struct json_object *holder, const char *key, const char *text); /* NULL text: null */
void json_add_text_len(struct json_object *holder, const char *key, const char *text, size_t len);
void json_add_int(struct json_object *holder, const char *key, int64_t number);
void json_add_bool(struct json_object *holder, const char *key, bool flag);
/* A wall time in RFC 3339's form; null for 0, which stands for never. */
void json_add_time(struct json_object *holder, const char *key, int64_t wall_ms);
void json_append(struct json_object *array, struct json_object *value);
void json_append_text(struct json_object *array, const char *text);
void json_append_text_len(struct json_object *array, const char *text, size_t len);

#endif
