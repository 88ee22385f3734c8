#include "file_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../common/alloc.h"

struct walk {
    bool (*each)(void *arg, const struct blob_path *path, int64_t file_bytes);
    void *arg;
    bool is_over; /* each wants no more */
};

/* Where the walk is: names of the two upper levels. */
struct place {
    const char *path; /* of the folder */
    const char *namespace_part, *agent_part;
};

static bool visit_entries(struct walk *w, const struct place *place, int depth);

static void visit_file(struct walk *w, const struct place *place, const char *name)
{
    struct blob_path path;
    struct stat st;
    const char *problem;
    char *text = xasprintf("%s/%s/%s", place->namespace_part, place->agent_part, name);
    char *file = xasprintf("%s/%s", place->path, name);
    const bool is_blob = blob_path_parse(text, &path, &problem) && strcmp(path.text, text) == 0 &&
                         lstat(file, &st) == 0 && S_ISREG(st.st_mode);
    if (is_blob)
        w->is_over = !w->each(w->arg, &path, st.st_size);
    free(file);
    free(text);
}

static bool visit(struct walk *w, const struct place *place, const char *name, int depth)
{
    enum { NAMESPACES, AGENTS, FILES };
    if (name[0] == '.')
        return true;
    if (depth == FILES) {
        visit_file(w, place, name);
        return true;
    }
    char *path = xasprintf("%s/%s", place->path, name);
    const struct place inner = {
        .path = path,
        .namespace_part = depth == NAMESPACES ? name : place->namespace_part,
        .agent_part = depth == AGENTS ? name : NULL,
    };
    const bool fine = visit_entries(w, &inner, depth + 1);
    free(path);
    return fine;
}

static bool visit_entries(struct walk *w, const struct place *place, int depth)
{
    DIR *dir = opendir(place->path);
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR;
    const struct dirent *entry;
    bool fine = true;
    errno = 0;
    while (fine && !w->is_over && (entry = readdir(dir))) {
        fine = visit(w, place, entry->d_name, depth);
        errno = 0;
    }
    fine = fine && errno == 0;
    (void)closedir(dir);
    return fine;
}

bool file_tree_walk(const char *folder, const char *namespace_part,
    bool (*each)(void *arg, const struct blob_path *path, int64_t file_bytes), void *arg)
{
    struct walk w = {.each = each, .arg = arg};
    const struct place top = {.path = folder};
    return namespace_part ? visit(&w, &top, namespace_part, 0) : visit_entries(&w, &top, 0);
}
