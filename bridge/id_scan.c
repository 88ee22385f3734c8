#include "id_scan.h"

#include <string.h>

static void token_add(struct id_scan *scan, char c)
{
    if (scan->len < sizeof scan->token)
        scan->token[scan->len] = c;
    /* One more than fits says that it did not fit. */
    if (scan->len <= sizeof scan->token)
        scan->len++;
}

static bool token_fits(const struct id_scan *scan)
{
    return scan->len <= sizeof scan->token;
}

static void take_id(struct id_scan *scan)
{
    scan->in_id = false;
    scan->found++;
    scan->value_len = token_fits(scan) ? scan->len : 0;
    memcpy(scan->value, scan->token, scan->value_len);
    scan->len = 0;
}

static void end_string(struct id_scan *scan)
{
    static const char key[] = "\"id\"";
    scan->in_string = false;
    if (scan->depth != 1)
        return;
    if (scan->expects == ID_SCAN_KEY) {
        scan->in_id = scan->len == sizeof key - 1 && memcmp(scan->token, key, sizeof key - 1) == 0;
        scan->expects = ID_SCAN_COLON;
    } else if (scan->expects == ID_SCAN_VALUE && scan->in_id) {
        take_id(scan);
    }
}

static void in_string(struct id_scan *scan, char c)
{
    if (scan->depth == 1)
        token_add(scan, c);
    if (scan->escaped)
        scan->escaped = false;
    else if (c == '\\')
        scan->escaped = true;
    else if (c == '"')
        end_string(scan);
}

/* A number's end is the character behind it. */
static void end_number(struct id_scan *scan)
{
    if (scan->in_id && scan->expects == ID_SCAN_VALUE && scan->len > 0)
        take_id(scan);
}

static void at_top(struct id_scan *scan, char c)
{
    switch (c) {
    case ':':
        if (scan->expects == ID_SCAN_COLON)
            scan->expects = ID_SCAN_VALUE;
        scan->len = 0;
        break;
    case ',':
    case '}':
    case ' ':
    case '\t':
    case '\r':
        end_number(scan);
        break;
    case '{':
    case '[':
        scan->in_id = false;
        break;
    default:
        if (scan->in_id && scan->expects == ID_SCAN_VALUE)
            token_add(scan, c);
        break;
    }
    if (c == ',') {
        scan->expects = ID_SCAN_KEY;
        scan->in_id = false;
    }
}

static void outside_string(struct id_scan *scan, char c)
{
    if (c == '"') {
        scan->in_string = true;
        scan->len = 0;
        token_add(scan, c);
        return;
    }
    if (scan->depth == 1)
        at_top(scan, c);
    if (c == '{' || c == '[')
        scan->depth++;
    if ((c == '}' || c == ']') && scan->depth > 0)
        scan->depth--;
}

static void begin(struct id_scan *scan, char c)
{
    if (c == ' ' || c == '\t' || c == '\r')
        return;
    scan->began = true;
    scan->dead = c != '{';
    scan->depth = 1;
}

void id_scan_feed(struct id_scan *scan, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !scan->dead; i++) {
        if (!scan->began)
            begin(scan, bytes[i]);
        else if (scan->in_string)
            in_string(scan, bytes[i]);
        else
            outside_string(scan, bytes[i]);
    }
}

struct json_object *id_scan_result(const struct id_scan *scan)
{
    if (scan->found != 1 || scan->value_len == 0)
        return NULL;
    enum json_fault fault;
    struct json_object *id = json_parse(scan->value, scan->value_len, &fault);
    if (json_object_is_type(id, json_type_string) || json_object_is_type(id, json_type_int))
        return id;
    json_object_put(id);
    return NULL;
}
