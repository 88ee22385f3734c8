#include "form.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../common/url.h"
#include "../../common/utf8.h"

char *form_decode(const char *text, size_t len)
{
    struct buf decoded = {0};
    if (url_decode(&decoded, text, len, true))
        return buf_take(&decoded);
    buf_wipe(&decoded);
    return NULL;
}

/* False where an escape is malformed. */
static bool add_field(const char *text, size_t len, struct form *out)
{
    const char *equals = memchr(text, '=', len);
    const size_t name_len = equals ? (size_t)(equals - text) : len;
    const size_t value_at = equals ? name_len + 1 : len;
    out->fields = xreallocarray(out->fields, out->count + 1, sizeof *out->fields);
    struct http_field *field = &out->fields[out->count++];
    field->name = form_decode(text, name_len);
    field->value = form_decode(text + value_at, len - value_at);
    return field->name && field->value;
}

static const char *read_fields(const char *text, size_t len, struct form *out)
{
    while (len > 0) {
        const char *end = memchr(text, '&', len);
        const size_t field_len = end ? (size_t)(end - text) : len;
        if (field_len > 0 && out->count == FORM_FIELDS_MAX)
            return "has too many parameters";
        if (field_len > 0 && !add_field(text, field_len, out))
            return "has a malformed escape";
        text += field_len + (end != NULL);
        len -= field_len + (end != NULL);
    }
    return form_problem(out);
}

const char *form_problem(const struct form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        const struct http_field *field = &form->fields[i];
        if (!utf8_valid(field->name, strlen(field->name)) || !utf8_valid(field->value, strlen(field->value)))
            return "is not valid UTF-8";
        for (size_t j = 0; j < i; j++) {
            if (strcmp(field->name, form->fields[j].name) == 0)
                return "has a parameter twice";
        }
    }
    return NULL;
}

bool form_parse(const char *text, size_t len, struct form *out, const char **problem)
{
    *out = (struct form){0};
    *problem = read_fields(text, len, out);
    if (*problem)
        form_free(out);
    return !*problem;
}

const char *form_get(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->fields[i].name, name) == 0)
            return *form->fields[i].value ? form->fields[i].value : NULL;
    }
    return NULL;
}

void form_free(struct form *form)
{
    for (size_t i = 0; i < form->count; i++) {
        secret_free(form->fields[i].name);
        secret_free(form->fields[i].value);
    }
    free(form->fields);
    *form = (struct form){0};
}
