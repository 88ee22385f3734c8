/* A path that is taken has only parts that the rules allow, and is its own one form. */
#include <assert.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bridge/project_files.h"
#include "../../common/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(const char *path)
{
    assert(path[0] && path[0] != '/' && !strstr(path, "//"));
    for (size_t len; *path; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        assert(len > 0 && len <= NAME_MAX && path[0] != '.');
        for (size_t i = 0; i < len; i++)
            assert((unsigned char)path[i] >= ' ' && path[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    struct buf path = {0}, again = {0}, why = {0};
    if (project_path_read(text, &path, &why)) {
        assert(why.len == 0 && path.len < PATH_MAX);
        check_parts(buf_text(&path));
        assert(project_path_read(buf_text(&path), &again, &why));
        assert(strcmp(buf_text(&path), buf_text(&again)) == 0);
    } else {
        assert(why.len > 0 && !strchr(buf_text(&why), '\n'));
    }
    buf_free(&path);
    buf_free(&again);
    buf_free(&why);
    free(text);
    return 0;
}
