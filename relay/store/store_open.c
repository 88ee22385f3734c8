/* The kinds of stores, and which one is meant. */
#include "../../common/alloc.h"
#include "store_cipher.h"
#include "store_ops.h"

static bool has_database_url(const struct store_options *options)
{
    return options->database_url != NULL;
}

static bool has_supabase(const struct store_options *options)
{
    return options->supabase.url != NULL;
}

static bool always(const struct store_options *options)
{
    (void)options;
    return true;
}

static char *credential_supabase(const struct store_options *options)
{
    return xstrdup(options->supabase.key);
}

static char *no_credential(const struct store_options *options)
{
    (void)options;
    return NULL;
}

/* The first that fits. */
static const struct kind {
    const char *name;
    bool (*fits)(const struct store_options *options);
    struct store *(*open)(const struct store_options *options, struct buf *why);
    char *(*credential)(const struct store_options *options);
} kinds[] = {
    {"postgres", has_database_url, store_open_postgres, store_credential_postgres},
    {"supabase", has_supabase, store_open_supabase, credential_supabase},
    {"sqlite", always, store_open_sqlite, no_credential},
};

static const struct kind *kind_of(const struct store_options *options)
{
    const struct kind *kind = kinds;
    while (!kind->fits(options))
        kind++;
    return kind;
}

struct store *store_open(const struct store_options *options, struct buf *why)
{
    struct store_cipher *cipher = NULL;
    if (options->encryption_key) {
        buf_puts(why, "PATCHCORD_ENCRYPTION_KEY ");
        cipher = store_cipher_new(options->encryption_key, why);
        if (!cipher)
            return NULL;
        buf_reset(why);
    }
    struct store *s = kind_of(options)->open(options, why);
    if (s)
        s->cipher = cipher;
    else
        store_cipher_free(cipher);
    return s;
}

char *store_credential(const struct store_options *options)
{
    return kind_of(options)->credential(options);
}

const char *store_kind(const struct store_options *options)
{
    return kind_of(options)->name;
}
