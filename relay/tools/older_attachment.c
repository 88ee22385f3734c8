/* attachment: the one tool that older prompts know for what upload_attachment, get_attachment and relay_url
 * do. */
#include "tool.h"

/* The tool that does it, and what it calls path_or_url. */
static const char *what_to_do(const struct tool_call *call, const char **argument)
{
    if (tool_flag(call, "upload"))
        return "upload_attachment";
    *argument = tool_flag(call, "relay") ? "url" : "path";
    return tool_flag(call, "relay") ? "relay_url" : "get_attachment";
}

enum verdict tool_older_attachment(struct tool_call *call)
{
    static const char *const kept[] = {"filename", "file_data"};
    struct json_object *given = call->args, *args = json_new_object(), *value;
    const char *argument = NULL;
    const struct tool *tool = tool_find(what_to_do(call, &argument));

    if (argument)
        json_add_text(args, argument, json_text_or(given, "path_or_url", ""));
    for (size_t i = 0; i < LENGTH_OF(kept); i++) {
        if (json_object_object_get_ex(given, kept[i], &value))
            json_add(args, kept[i], json_object_get(value));
    }
    call->args = args;
    const enum verdict verdict =
        tool ? tool->run(call) : tool_fail(call, "This relay fetches no URLs: upload the file instead.");
    call->args = given;
    json_object_put(args);
    return verdict;
}
