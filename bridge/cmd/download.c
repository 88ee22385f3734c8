#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../project_files.h"
#include "commands.h"
#include "file_command.h"
#include "request.h"

struct download {
    const char *path, *to;
    bool json;
    struct save_file *file;
};

/* "shop/frontend/1700000000000_report.pdf" is saved as report.pdf. NULL where that would be no visible name.
 */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t digits = strspn(name, "0123456789");
    struct buf plain = {0}, why = {0};
    if (digits > 0 && name[digits] == '_')
        name += digits + 1;
    bool good = project_path_read(name, &plain, &why);
    buf_free(&plain);
    buf_free(&why);
    return good ? name : NULL;
}

/* Opens the folder that the file goes to, and finds its name. -1: errno. */
static int open_folder(const char *to, char name[static NAME_MAX + 1])
{
    const char *slash = strrchr(to, '/');
    char *folder = slash ? xmemdup_text(to, (size_t)(slash - to) + 1) : xstrdup(".");
    struct stat st;
    int fd = -1;
    if (strlcpy(name, slash ? slash + 1 : to, NAME_MAX + 1) > NAME_MAX)
        errno = ENAMETOOLONG;
    else if (name[0] == '\0')
        errno = EISDIR;
    else
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fd;
    close(fd);
    errno = EEXIST;
    return -1;
}

static bool begin_file(struct download *download)
{
    char name[NAME_MAX + 1];
    int folder = open_folder(download->to, name);
    download->file = folder < 0 ? NULL : save_file_begin(folder, name);
    if (!download->file)
        fprintf(stderr, "patchcord download: %s: %s%s\n", download->to, strerror(errno),
            errno == EEXIST ? "; nothing is overwritten, choose another name with -o" : "");
    return download->file != NULL;
}

static struct file_call *start(void *arg, struct relay_link *link, const struct file_call_end *end)
{
    const struct download *download = arg;
    struct json_object *args = json_new_object();
    json_add_text(args, "path", download->path);
    struct file_call *call = file_call_download(link, args, download->file, download->to, end);
    json_object_put(args);
    return call;
}

static int read_options(struct download *download, int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'}, {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (option == 'o')
            download->to = optarg;
        else if (option == 'j')
            download->json = true;
        else
            return command_usage_error(&command_download,
                option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
    }
    if (optind >= argc)
        return command_usage_error(&command_download, "PATH is missing");
    download->path = argv[optind];
    if (optind + 1 < argc)
        return command_usage_error(&command_download, "\"%s\" is one argument too many", argv[optind + 1]);
    if (!download->to)
        download->to = name_of(download->path);
    return download->to ? COMMAND_DONE
                        : command_usage_error(&command_download,
                              "%s ends in no file's name; give one with -o", download->path);
}

static int run(const struct config_options *options, int argc, char **argv)
{
    struct download download = {0};
    struct config config;
    struct buf why = {0};
    secret_init();
    int exit_code = read_options(&download, argc, argv);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    if (!config_load(options, &config, &why)) {
        fprintf(stderr, "patchcord download: %s\n", buf_text(&why));
        buf_free(&why);
        return COMMAND_ERROR;
    }
    const struct file_command command = {.row = &command_download,
        .file = download.to,
        .result = "saved_as",
        .json = download.json,
        .start = start,
        .start_arg = &download};
    exit_code = begin_file(&download) ? file_command_run(&command, &config) : COMMAND_ERROR;
    config_free(&config);
    return exit_code;
}

const struct command command_download = {
    .name = "download",
    .usage = "patchcord download [-o FILE] [--json] PATH",
    .summary = "get a file that an agent stored",
    .help = "Gets the file of that PATH, as it stands in a message, and prints where it was saved: in the "
            "current\n"
            "folder under its own name, or as FILE. It appears when it is whole and its SHA-256 is right, "
            "and never\n"
            "overwrites anything. On a terminal it shows how far it is.\n"
            "\n"
            "OPTIONS\n"
            "  -o, --output FILE  save it as that file\n"
            "  --json             one JSON object: path, saved_as, size and sha256\n" REQUEST_EXIT_CODES,
    .run = run,
};
