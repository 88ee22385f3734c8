#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/secret.h"
#include "commands.h"
#include "file_command.h"
#include "request.h"

struct upload {
    const char *file, *name, *type;
    bool json;
    int fd;
};

/* The person's own shell may read what it likes: any regular file. Without O_NONBLOCK a FIFO would hang us.
 */
static bool open_file(struct upload *upload)
{
    struct stat st;
    upload->fd = open(upload->file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (upload->fd < 0) {
        fprintf(stderr, "patchcord upload: %s: %s\n", upload->file, strerror(errno));
        return false;
    }
    if (fstat(upload->fd, &st) == 0 && S_ISREG(st.st_mode))
        return true;
    fprintf(stderr, "patchcord upload: %s is no regular file\n", upload->file);
    close(upload->fd);
    return false;
}

static struct file_call *start(void *arg, struct relay_link *link, const struct file_call_end *end)
{
    const struct upload *upload = arg;
    const char *slash = strrchr(upload->file, '/');
    struct json_object *args = json_new_object();
    json_add_text(args, "filename", upload->name ? upload->name : slash ? slash + 1 : upload->file);
    json_add_text(args, "mime_type", upload->type ? upload->type : "");
    struct file_call *call = file_call_upload(link, args, upload->fd, end);
    json_object_put(args);
    return call;
}

static int read_options(struct upload *upload, int argc, char **argv)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
        {"type", required_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'}, {0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == 'n')
            upload->name = optarg;
        else if (option == 't')
            upload->type = optarg;
        else if (option == 'j')
            upload->json = true;
        else
            return command_usage_error(
                &command_upload, option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
    }
    if (optind >= argc)
        return command_usage_error(&command_upload, "FILE is missing");
    upload->file = argv[optind];
    return optind + 1 < argc
               ? command_usage_error(&command_upload, "\"%s\" is one argument too many", argv[optind + 1])
               : COMMAND_DONE;
}

static int run(const struct config_options *options, int argc, char **argv)
{
    struct upload upload = {0};
    struct config config;
    struct buf why = {0};
    secret_init();
    int exit_code = read_options(&upload, argc, argv);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    if (!config_load(options, &config, &why)) {
        fprintf(stderr, "patchcord upload: %s\n", buf_text(&why));
        buf_free(&why);
        return COMMAND_ERROR;
    }
    const struct file_command command = {.row = &command_upload,
        .file = upload.file,
        .result = "path",
        .json = upload.json,
        .start = start,
        .start_arg = &upload};
    exit_code = open_file(&upload) ? file_command_run(&command, &config) : COMMAND_ERROR;
    config_free(&config);
    return exit_code;
}

const struct command command_upload = {
    .name = "upload",
    .usage = "patchcord upload [--name NAME] [--type TYPE] [--json] FILE",
    .summary = "store a file for other agents, and print its path",
    .help = "Stores FILE at the relay and prints the path under which agents of the namespace get it; put "
            "that path\n"
            "into a message. On a terminal it shows how far it is.\n"
            "\n"
            "OPTIONS\n"
            "  --name NAME  what the file is called there; by default as here\n"
            "  --type TYPE  its media type, as text/csv; by default by its name\n"
            "  --json       one JSON object: path, size and sha256\n" REQUEST_EXIT_CODES,
    .run = run,
};
