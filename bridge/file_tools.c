#include "file_tools.h"

#include <errno.h>
#include <string.h>

#include "../common/compiler.h"
#include "project_files.h"

static struct file_call *upload(struct relay_link *link, const struct project_files *files,
    const char *local_path, struct json_object *args, const struct file_call_end *end, struct buf *why)
{
    if (json_text_or(args, "file_data", "")[0]) {
        buf_puts(why, "local_path and file_data both name the file's bytes; leave one of them out");
        return NULL;
    }
    int fd = project_files_open(files, local_path, why);
    if (fd < 0)
        return NULL;
    const char *slash = strrchr(local_path, '/');
    const char *filename = json_text_or(args, "filename", "");
    struct json_object *asked = json_new_object();
    json_add_text(asked, "filename", filename[0] ? filename : slash ? slash + 1 : local_path);
    json_add_text(asked, "mime_type", json_text_or(args, "mime_type", ""));
    struct file_call *call = file_call_upload(link, asked, fd, end);
    json_object_put(asked);
    return call;
}

static struct file_call *download(struct relay_link *link, const struct project_files *files,
    const char *save_to, struct json_object *args, const struct file_call_end *end, struct buf *why)
{
    char name[NAME_MAX + 1];
    int folder = project_files_place(files, save_to, name, why);
    if (folder < 0)
        return NULL;
    struct save_file *file = save_file_begin(folder, name);
    if (!file) {
        buf_printf(why, "%s cannot be saved: %s", save_to, strerror(errno));
        return NULL;
    }
    struct json_object *asked = json_new_object();
    json_add_text(asked, "path", json_text_or(args, "path", ""));
    struct file_call *call = file_call_download(link, asked, file, save_to, end);
    json_object_put(asked);
    return call;
}

static const struct file_tool {
    const char *tool, *local; /* its argument that names a local file */
    struct file_call *(*start)(struct relay_link *link, const struct project_files *files, const char *local,
        struct json_object *args, const struct file_call_end *end, struct buf *why);
} file_tools[] = {
    {"upload_attachment", "local_path", upload},
    {"get_attachment", "save_to", download},
};

static const struct file_tool *find(const char *tool)
{
    for (size_t i = 0; i < LENGTH_OF(file_tools); i++) {
        if (strcmp(file_tools[i].tool, tool) == 0)
            return &file_tools[i];
    }
    return NULL;
}

bool file_tools_wanted(const char *tool, struct json_object *args)
{
    const struct file_tool *row = find(tool);
    if (!row)
        return false;
    if (json_text_or(args, row->local, "")[0])
        return true;
    json_object_object_del(args, row->local);
    return false;
}

struct file_call *file_tools_start(struct relay_link *link, const struct config *config, const char *tool,
    struct json_object *args, const struct file_call_end *end, struct buf *why)
{
    const struct file_tool *row = find(tool);
    const struct project_files files = {.folder = config->folder, .allowed = config->allowed};
    return row->start(link, &files, json_text_or(args, row->local, ""), args, end, why);
}
