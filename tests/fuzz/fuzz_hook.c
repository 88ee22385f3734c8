/* What hooks and the status line read: the relay's answer, the host's object, their own files, a repository's
 * HEAD. Whatever they hold, it answers with one line of JSON whose words stand on lines of ours. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/git_branch.h"
#include "../../bridge/hook_input.h"
#include "../../bridge/hook_words.h"
#include "../../bridge/status_line.h"
#include "../../common/fence.h"
#include "../../common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const struct buf *words)
{
    struct buf out = {0};
    hook_words_answer(&out, HOOK_CONTEXT, "Stop", buf_text(words));
    enum json_fault fault;
    struct json_object *value = json_parse(out.data, out.len, &fault);
    assert(value);
    assert(memchr(out.data, '\n', out.len) == out.data + out.len - 1);
    json_object_put(value);
    buf_free(&out);
}

static void fuzz_look(const char *text, size_t len)
{
    struct inbox_look look;
    struct told told = {0};
    struct buf words = {0};
    inbox_look_read(200, text, len, &look);
    if (look.sight == INBOX_SEEN) {
        hook_words_new(&words, &told, TOLD_STOP, &look);
        assert(fence_is_plain(words.data, words.len));
        check_answer(&words);
        buf_reset(&words);
        hook_words_start(&words, &look, &look, 0);
        check_answer(&words);
        told_mark(&told, TOLD_STOP, &look);
        assert(told_count_new(&told, TOLD_STOP, &look) == 0);
    }
    buf_free(&words);
    inbox_look_free(&look);
}

static void fuzz_told(const char *text, size_t len)
{
    struct told told, again;
    struct buf first = {0}, second = {0};
    told_parse(text, len, &told);
    told_write(&told, &first);
    assert(first.len <= TOLD_MAX_BYTES);
    told_parse(first.data, first.len, &again);
    told_write(&again, &second);
    assert(strcmp(buf_text(&first), buf_text(&second)) == 0);
    buf_free(&first);
    buf_free(&second);
}

static void fuzz_input(const char *text, size_t len)
{
    struct hook_input input;
    hook_input_parse(text, len, &input);
    assert(input.session && (input.understood || !input.stop_active));
    hook_input_free(&input);
}

static void fuzz_status(const char *text, size_t len)
{
    struct status status;
    struct buf line = {0};
    enum json_fault fault;
    status_parse(text, len, &status);
    status_line_agent(
        &line, &(struct status_view){.status = &status, .machine = "m", .listens = true, .now_ms = 1});
    struct json_object *host = json_parse(text, len, &fault);
    status_line_session(&line, host);
    assert(fence_is_plain(line.data, line.len));
    json_object_put(host);
    buf_free(&line);
}

static void fuzz_head(const char *text, size_t len)
{
    struct buf branch = {0};
    bool found = git_head_branch(text, len, &branch);
    assert(found == (branch.len > 0));
    assert(branch.len <= GIT_BRANCH_MAX);
    assert(branch.len == 0 || fence_is_plain(branch.data, branch.len));
    buf_free(&branch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(const char *text, size_t len) = {
        fuzz_look, fuzz_told, fuzz_input, fuzz_status, fuzz_head};
    if (size > 0)
        parts[data[0] % LENGTH_OF(parts)]((const char *)data + 1, size - 1);
    return 0;
}
