/* The relay's settings: defaults, rules, and what one line says where a rule is broken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/compiler.h"
#include "../../relay/blob/media_type.h"
#include "../../relay/config.h"
#include "unit.h"

static void clear(const struct setting *table)
{
    for (; table->name; table++)
        ck_assert_int_eq(unsetenv(table->name), 0);
}

static void setup(void)
{
    clear(config_settings);
    ck_assert_int_eq(unsetenv("SUPABASE_URL"), 0);
    ck_assert_int_eq(unsetenv("PATCHCORD_DATABASE_URL"), 0);
    ck_assert_int_eq(unsetenv("XDG_DATA_HOME"), 0);
    ck_assert_int_eq(setenv("HOME", "/home/somebody", 1), 0);
}

static struct config load(void)
{
    struct config config;
    struct buf why = {0};
    if (!config_load(&config, &why))
        ck_abort_msg("%s", buf_text(&why));
    ck_assert_str_eq(buf_text(&why), "");
    return config;
}

static void assert_refused(const char *name, const char *value, const char *said)
{
    struct config config;
    struct buf why = {0};
    ck_assert_int_eq(setenv(name, value, 1), 0);
    ck_assert_msg(!config_load(&config, &why), "%s=%s was taken", name, value);
    ck_assert_msg(strstr(buf_text(&why), name) != NULL, "no %s in: %s", name, buf_text(&why));
    ck_assert_msg(strstr(buf_text(&why), said) != NULL, "no '%s' in: %s", said, buf_text(&why));
    ck_assert_msg(strchr(buf_text(&why), '\n') == NULL, "more than one line: %s", buf_text(&why));
    ck_assert_int_eq(unsetenv(name), 0);
    buf_free(&why);
}

START_TEST(defaults)
{
    struct config c = load();
    ck_assert_str_eq(c.host, "127.0.0.1");
    ck_assert_int_eq(c.port, 8000);
    ck_assert_str_eq(c.public_url, "http://localhost:8000");
    ck_assert_str_eq(c.mcp_path, "/mcp");
    ck_assert_str_eq(c.bearer_path, "/mcp/bearer");
    ck_assert_str_eq(c.default_namespace, "default");
    ck_assert_int_eq(c.active_window_seconds, 3600);
    ck_assert_int_eq(c.presence_write_interval_seconds, 10);
    ck_assert_int_eq(c.rate_limit_per_minute, 100);
    ck_assert_int_eq(c.anon_rate_limit_per_minute, 20);
    ck_assert_int_eq(c.rate_ban_seconds, 60);
    ck_assert_int_eq(c.cleanup_max_age_days, 7);
    ck_assert_int_eq(c.cleanup_interval_hours, 6);
    ck_assert_int_eq(c.attachment_max_bytes, 10485760);
    ck_assert_int_eq(c.attachment_quota_bytes, 1073741824);
    ck_assert_int_eq(c.attachment_url_expiry_seconds, 86400);
    ck_assert_str_eq(c.attachment_types, MEDIA_TYPES_ALLOWED);
    ck_assert_int_eq(c.workers, 64);
    ck_assert_int_eq(c.output_format, OUTPUT_TEXT);
    ck_assert_int_eq(c.oauth_access_ttl_seconds, 86400);
    ck_assert_int_eq(c.oauth_refresh_ttl_seconds, 31536000);
    ck_assert(!c.oauth_auto_approve);
    ck_assert_ptr_null(c.oauth_clients);
    ck_assert_str_eq(c.oauth_default_namespace, "default");
    ck_assert_ptr_null(c.cleanup_token);
    ck_assert_ptr_null(c.metrics_token);
    ck_assert_ptr_null(c.trusted_proxies);
    config_free(&c);
}
END_TEST

START_TEST(public_url_follows_the_port)
{
    struct config c = load();
    config_set_port(&c, 4711);
    ck_assert_str_eq(c.public_url, "http://localhost:4711");
    config_free(&c);

    ck_assert_int_eq(setenv("PATCHCORD_PUBLIC_URL", "https://relay.example.org/", 1), 0);
    c = load();
    config_set_port(&c, 4711);
    ck_assert_str_eq(c.public_url, "https://relay.example.org");
    config_free(&c);
}
END_TEST

START_TEST(namespace_of_known_clients)
{
    ck_assert_int_eq(setenv("PATCHCORD_DEFAULT_NAMESPACE", "team", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.oauth_default_namespace, "team");
    config_free(&c);
    ck_assert_int_eq(setenv("PATCHCORD_OAUTH_DEFAULT_NAMESPACE", "Home", 1), 0);
    c = load();
    ck_assert_str_eq(c.oauth_default_namespace, "home");
    config_free(&c);
    assert_refused("PATCHCORD_OAUTH_DEFAULT_NAMESPACE", "no name", "no name");
    assert_refused("PATCHCORD_OAUTH_AUTO_APPROVE", "perhaps", "perhaps");
}
END_TEST

START_TEST(data_folder)
{
    ck_assert_int_eq(setenv("XDG_DATA_HOME", "/xdg", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.data_dir, "/xdg/patchcord");
    config_free(&c);
    ck_assert_int_eq(setenv("PATCHCORD_DATA_DIR", "/somewhere", 1), 0);
    c = load();
    ck_assert_str_eq(c.data_dir, "/somewhere");
    config_free(&c);
}
END_TEST

START_TEST(both_tls_files_or_none)
{
    assert_refused("PATCHCORD_TLS_CERT", "/cert.pem", "PATCHCORD_TLS_KEY is missing");
    assert_refused("PATCHCORD_TLS_KEY", "/key.pem", "PATCHCORD_TLS_CERT is missing");
    ck_assert_int_eq(setenv("PATCHCORD_TLS_CERT", "/cert.pem", 1), 0);
    ck_assert_int_eq(setenv("PATCHCORD_TLS_KEY", "/key.pem", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.public_url, "https://localhost:8000");
    config_free(&c);
}
END_TEST

START_TEST(attachments_in_s3)
{
    static const struct {
        const char *endpoint, *style;
        int path_style;
    } rows[] = {
        {"https://s3.eu-west-1.amazonaws.com", "auto", PATH_STYLE_NO},
        {"https://s3.cn-north-1.amazonaws.com.cn", "auto", PATH_STYLE_NO},
        {"https://s3.amazonaws.com.example.net", "yes", PATH_STYLE_YES},
        {"http://minio:9000", "auto", PATH_STYLE_YES},
        {"https://minio.example.com/s3", "no", PATH_STYLE_NO},
    };
    assert_refused("PATCHCORD_S3_BUCKET", "b", "PATCHCORD_S3_ACCESS_KEY is missing");
    ck_assert_int_eq(setenv("PATCHCORD_S3_ACCESS_KEY", "key", 1), 0);
    assert_refused("PATCHCORD_S3_ENDPOINT", "https://s3.example.com", "PATCHCORD_S3_SECRET_KEY is missing");
    ck_assert_int_eq(setenv("PATCHCORD_S3_SECRET_KEY", "secret", 1), 0);
    ck_assert_int_eq(setenv("PATCHCORD_S3_REGION", "eu-west-1", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.s3_endpoint, "https://s3.eu-west-1.amazonaws.com");
    ck_assert_str_eq(c.s3_bucket, "attachments");
    config_free(&c);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        ck_assert_int_eq(setenv("PATCHCORD_S3_ENDPOINT", rows[i].endpoint, 1), 0);
        ck_assert_int_eq(setenv("PATCHCORD_S3_PATH_STYLE", rows[i].style, 1), 0);
        c = load();
        ck_assert_int_eq(c.s3_path_style, rows[i].path_style);
        config_free(&c);
    }
}
END_TEST

START_TEST(types_of_attachments)
{
    assert_refused("PATCHCORD_ATTACHMENT_ALLOWED_MIME_TYPES", "text/*,png", "not 'png'");
    ck_assert_int_eq(setenv("PATCHCORD_ATTACHMENT_ALLOWED_MIME_TYPES", "text/*, image/png", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.attachment_types, "text/*, image/png");
    config_free(&c);
}
END_TEST

START_TEST(other_stores_are_named_whole)
{
    assert_refused("SUPABASE_URL", "https://x.supabase.co", "SUPABASE_KEY is missing");
    assert_refused("SUPABASE_KEY", "sb_secret_x", "SUPABASE_URL is missing");
    assert_refused("PATCHCORD_DATABASE_URL", "mysql://secret@db/x", "must be like postgresql://");
    ck_assert_int_eq(setenv("SUPABASE_URL", "", 1), 0);
    ck_assert_int_eq(setenv("PATCHCORD_DATABASE_URL", "postgres://secret@db/x", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.database_url, "postgres://secret@db/x");
    config_free(&c);
    ck_assert_int_eq(unsetenv("PATCHCORD_DATABASE_URL"), 0);
}
END_TEST

START_TEST(a_short_key_of_codes_is_refused)
{
    static const char longest_refused[] = "0123456789012345678901234567890",
                      shortest[] = "01234567890123456789012345678901";
    ck_assert_uint_eq(strlen(shortest), CONFIG_CODE_KEY_MIN);
    assert_refused("PATCHCORD_CODE_KEY", longest_refused, "at least 32 characters");
    ck_assert_int_eq(setenv("PATCHCORD_CODE_KEY", shortest, 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.code_key, shortest);
    config_free(&c);
    ck_assert_int_eq(unsetenv("PATCHCORD_CODE_KEY"), 0);
}
END_TEST

/* Each number at both edges, and one beyond them. */
START_TEST(edges_of_numbers)
{
    for (const struct setting *row = config_settings; row->name; row++) {
        if (row->kind != SETTING_INTEGER)
            continue;
        const int64_t good[] = {row->min, row->max}, bad[] = {row->min - 1, row->max + 1};
        char text[32];
        for (size_t i = 0; i < LENGTH_OF(good); i++) {
            (void)snprintf(text, sizeof text, "%lld", (long long)good[i]);
            ck_assert_int_eq(setenv(row->name, text, 1), 0);
            struct config c = load();
            ck_assert_int_eq(*(int64_t *)(void *)((char *)&c + row->offset), good[i]);
            config_free(&c);
            (void)snprintf(text, sizeof text, "%lld", (long long)bad[i]);
            assert_refused(row->name, text, text);
        }
        assert_refused(row->name, "many", "many");
    }
}
END_TEST

START_TEST(hosts)
{
    static const char *const good[] = {"0.0.0.0", "::", "::1", "192.0.2.7"};
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        ck_assert_int_eq(setenv("PATCHCORD_HOST", good[i], 1), 0);
        struct config c = load();
        ck_assert_str_eq(c.host, good[i]);
        config_free(&c);
    }
    ck_assert_int_eq(setenv("PATCHCORD_HOST", "localhost", 1), 0);
    struct config c = load();
    ck_assert_str_eq(c.host, "127.0.0.1");
    config_free(&c);
    assert_refused("PATCHCORD_HOST", "relay.example.org", "relay.example.org");
    assert_refused("PATCHCORD_HOST", "1.2.3", "1.2.3");
}
END_TEST

START_TEST(paths_that_collide)
{
    assert_refused("PATCHCORD_MCP_PATH", "/health", "/health");
    assert_refused("PATCHCORD_BEARER_PATH", "/api/inbox", "/api/inbox");
    assert_refused("PATCHCORD_BEARER_PATH", "/mcp", "must differ");
    assert_refused("PATCHCORD_MCP_PATH", "/token", "/token");
    assert_refused("PATCHCORD_MCP_PATH", "/.well-known/mcp", "/.well-known/mcp");
}
END_TEST

START_TEST(secrets_are_not_shown)
{
    struct config config;
    struct buf why = {0};
    ck_assert_int_eq(setenv("PATCHCORD_METRICS_TOKEN", "hidden\001value", 1), 0);
    ck_assert(!config_load(&config, &why));
    ck_assert_ptr_null(strstr(buf_text(&why), "hidden"));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "PATCHCORD_METRICS_TOKEN"));
    buf_free(&why);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("config", &tests);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, public_url_follows_the_port);
    tcase_add_test(tests, namespace_of_known_clients);
    tcase_add_test(tests, data_folder);
    tcase_add_test(tests, both_tls_files_or_none);
    tcase_add_test(tests, attachments_in_s3);
    tcase_add_test(tests, types_of_attachments);
    tcase_add_test(tests, other_stores_are_named_whole);
    tcase_add_test(tests, a_short_key_of_codes_is_refused);
    tcase_add_test(tests, edges_of_numbers);
    tcase_add_test(tests, hosts);
    tcase_add_test(tests, paths_that_collide);
    tcase_add_test(tests, secrets_are_not_shown);
    return run_unit(suite);
}
