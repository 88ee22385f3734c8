/* A path that is taken is in its one form and leads nowhere else; a name that was made safe is one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/blob/blob_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char safe_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

static void check_path(const char *text)
{
    struct blob_path path, again;
    const char *problem = NULL;
    if (!blob_path_parse(text, &path, &problem)) {
        assert(problem && path.text[0] == '\0');
        return;
    }
    assert(strlen(path.text) <= BLOB_PATH_MAX && strstr(text, path.text));
    assert(
        path.text[0] != '/' && path.text[0] != '.' && !strstr(path.text, "/.") && !strstr(path.text, "//"));
    assert(strchr(strchr(strchr(path.text, '/') + 1, '/') + 1, '/') == NULL);
    assert(
        strspn(path.name, safe_characters) == strlen(path.name) && path.name[0] != '.' && path.made_ms > 0);
    assert(blob_path_parse(path.text, &again, &problem) && memcmp(&path, &again, sizeof path) == 0);
}

static void check_name(const char *text)
{
    char name[BLOB_NAME_SIZE];
    struct blob_path path, again;
    const char *problem = NULL;
    blob_name_safe(text, name);
    assert(name[0] != '\0' && name[0] != '.' && name[0] != '-');
    assert(strlen(name) <= BLOB_NAME_MAX && strspn(name, safe_characters) == strlen(name));
    blob_path_make(text, text, text, &path);
    assert(blob_path_parse(path.text, &again, &problem) && memcmp(&path, &again, sizeof path) == 0);
    assert(strcmp(path.name, name) == 0 && blob_path_in_namespace(&again, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    check_path(text);
    check_name(text);
    free(text);
    return 0;
}
