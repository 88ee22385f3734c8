/* Lines of an export, written and read. */
#include <check.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/cmd/export_line.h"
#include "unit.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PATH "n/a/1700000000000_x.txt"

static bool reads(const char *text, size_t len, struct export_line *line, const char *wanted)
{
    struct buf why = {0};
    const bool is_read = export_line_read(text, len, line, &why);
    ck_assert_int_eq(is_read, wanted == NULL);
    ck_assert_msg(!wanted || strstr(buf_text(&why), wanted), "%.80s: %s", text, buf_text(&why));
    buf_free(&why);
    return is_read;
}

/* What was written, without its end. */
static void read_back(struct buf *text, struct export_line *line)
{
    ck_assert_int_eq(text->data[text->len - 1], '\n');
    ck_assert(reads(text->data, text->len - 1, line, NULL));
    buf_free(text);
}

START_TEST(what_is_written_is_read)
{
    struct buf text = {0};
    struct export_line line;
    export_write_header(&text);
    read_back(&text, &line);
    ck_assert_int_eq(line.kind, EXPORT_HEADER);
    export_write_end(7, &text);
    read_back(&text, &line);
    ck_assert_int_eq(line.kind, EXPORT_END);
    ck_assert_int_eq(line.lines, 7);
    struct blob_info info = {.size = 12, .type = "text/plain", .sha256 = HASH};
    const char *problem = NULL;
    ck_assert(blob_path_parse(PATH, &info.path, &problem));
    export_write_file(&info, &text);
    read_back(&text, &line);
    ck_assert_int_eq(line.kind, EXPORT_FILE);
    ck_assert_str_eq(line.file.path.text, PATH);
    ck_assert_str_eq(line.file.path.namespace_part, "n");
    ck_assert_str_eq(line.file.type, "text/plain");
    ck_assert_str_eq(line.file.sha256, HASH);
    ck_assert_int_eq(line.file.size, 12);
}
END_TEST

START_TEST(chunks_keep_every_byte)
{
    static const size_t sizes[] = {1, 2, 3, 4, EXPORT_CHUNK_BYTES - 1, EXPORT_CHUNK_BYTES};
    char *bytes = xmalloc(EXPORT_CHUNK_BYTES + 1);
    for (size_t i = 0; i < EXPORT_CHUNK_BYTES + 1; i++)
        bytes[i] = (char)(i * 7);
    struct buf text = {0};
    struct export_line line;
    for (size_t i = 0; i < LENGTH_OF(sizes); i++) {
        export_write_chunk(bytes, sizes[i], &text);
        read_back(&text, &line);
        ck_assert_int_eq(line.kind, EXPORT_CHUNK);
        ck_assert_uint_eq(line.bytes.len, sizes[i]);
        ck_assert_mem_eq(line.bytes.data, bytes, sizes[i]);
        export_line_free(&line);
    }
    export_write_chunk(bytes, EXPORT_CHUNK_BYTES + 1, &text);
    ck_assert(!reads(text.data, text.len - 1, &line, "base64"));
    buf_free(&text);
    free(bytes);
}
END_TEST

static const struct {
    const char *text, *why;
} damaged[] = {
    {"", "is empty"},
    {"x", "is not valid JSON"},
    {"[]", "no JSON object"},
    {"null", "no JSON object"},
    {"{}", "neither a kind nor a version"},
    {"{\"patchcord_export\":0}", "neither"},
    {"{\"patchcord_export\":2}", "newer patchcord-relay"},
    {"{\"patchcord_export\":1,\"x\":1}", "unknown"},
    {"{\"kind\":\"nonsense\"}", "kind is unknown"},
    {"{\"kind\":\"tokens\"}", "kind is unknown"},
    {"{\"kind\":\"ban\"}", "token_hash"},
    {"{\"kind\":\"ban\",\"token_hash\":\"" HASH "\",\"kind\":\"ban\"}", "same key twice"},
    {"{\"kind\":\"end\"}", "lines"},
    {"{\"kind\":\"end\",\"lines\":-1}", "lines"},
    {"{\"kind\":\"chunk\"}", "base64"},
    {"{\"kind\":\"chunk\",\"base64\":\"\"}", "base64"},
    {"{\"kind\":\"chunk\",\"base64\":\"YWJ\"}", "base64"},
    {"{\"kind\":\"chunk\",\"base64\":\"YW Jj\"}", "base64"},
    {"{\"kind\":\"file\",\"path\":\"../x\"}", "path"},
    {"{\"kind\":\"file\",\"path\":\" " PATH "\"}", "path"},
    {"{\"kind\":\"file\",\"path\":\"" PATH "\",\"type\":\"TEXT/plain\"}", "type"},
    {"{\"kind\":\"file\",\"path\":\"" PATH "\",\"type\":\"text/plain\",\"size\":-1}", "size"},
    {"{\"kind\":\"file\",\"path\":\"" PATH "\",\"type\":\"text/plain\",\"size\":0,\"sha256\":\"x\"}",
        "sha256"},
};

START_TEST(damaged_lines_are_told_from_sound_ones)
{
    struct export_line line;
    for (size_t i = 0; i < LENGTH_OF(damaged); i++)
        ck_assert(!reads(damaged[i].text, strlen(damaged[i].text), &line, damaged[i].why));
}
END_TEST

/* A line of len bytes: a ban behind blanks. */
static bool reads_padded(size_t len, const char *wanted)
{
    static const char ban[] = "{\"kind\":\"ban\",\"token_hash\":\"" HASH "\"}";
    char *text = xmalloc(len);
    struct export_line line;
    memset(text, ' ', len);
    memcpy(text + len - strlen(ban), ban, strlen(ban));
    const bool is_read = reads(text, len, &line, wanted);
    if (is_read)
        export_line_free(&line);
    free(text);
    return is_read;
}

START_TEST(a_line_is_so_long_and_no_longer)
{
    ck_assert(reads_padded(EXPORT_LINE_MAX, NULL));
    ck_assert(!reads_padded(EXPORT_LINE_MAX + 1, "more than"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export_line");
    TCase *tests = tcase_create("export_line");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, what_is_written_is_read);
    tcase_add_test(tests, chunks_keep_every_byte);
    tcase_add_test(tests, damaged_lines_are_told_from_sound_ones);
    tcase_add_test(tests, a_line_is_so_long_and_no_longer);
    return run_unit(suite);
}
