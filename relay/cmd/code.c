#include "code.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"

static bool has_also(const struct code_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->also_count; i++) {
        if (strcmp(agent->also[i], name) == 0)
            return true;
    }
    return strcmp(agent->ident.namespace_id, name) == 0;
}

static bool also_add(struct code_agent *agent, const char *word)
{
    char name[NAME_SIZE];
    if (!ident_name_normalize(word, name)) {
        (void)command_fail("'%s' is no namespace's name", word);
        return false;
    }
    if (has_also(agent, name))
        return true;
    if (agent->also_count == CODE_ALSO_MAX) {
        (void)command_fail("a code opens at most %d further namespaces", CODE_ALSO_MAX);
        return false;
    }
    memcpy(agent->also[agent->also_count++], name, sizeof name);
    return true;
}

bool code_also_read(const char *list, struct code_agent *agent)
{
    char *copy = xstrdup_or_null(list), *rest = copy;
    bool fine = true;
    for (const char *word; fine && (word = strsep(&rest, ", "));)
        fine = !*word || also_add(agent, word);
    free(copy);
    return fine;
}

/* In the namespaces' own memory: for as long as the agent is. */
static struct store_subject subject_of(struct code_agent *agent, char *also[static CODE_ALSO_MAX])
{
    for (size_t i = 0; i < agent->also_count; i++)
        also[i] = agent->also[i];
    return (struct store_subject){.namespace_id = agent->ident.namespace_id,
        .agent = agent->ident.agent,
        .also = also,
        .also_count = agent->also_count};
}

static void report(enum store_code_kind kind, const struct code_agent *agent, int64_t lasts_ms)
{
    char address[ADDRESS_SIZE];
    struct buf also = {0};
    const long long minutes = lasts_ms / MS_PER_MINUTE;
    ident_format(agent->ident.namespace_id, agent->ident.agent, address);
    for (size_t i = 0; i < agent->also_count; i++)
        buf_printf(&also, "%s%s", i == 0 ? "" : ", ", agent->also[i]);
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "Good once, for %lld minutes. Whoever has it becomes %s%s%s.\n", minutes,
            address, also.len > 0 ? ", and the same in " : "", buf_text(&also));
    else
        log_info(kind == CODE_CONNECT ? "connect_code_made" : "invitation_made", LOG_STR("agent", address),
            LOG_STR("also", buf_text(&also)), LOG_INT("minutes", minutes));
    buf_free(&also);
}

static int store_code(const struct config *config, struct store *store, enum store_code_kind kind,
    const struct store_subject *subject, int64_t lasts_ms, const char *code)
{
    struct buf why = {0};
    struct typed_code_key *key = command_code_key(config, &why);
    char hash[SHA256_HEX_SIZE];
    enum store_refusal refusal;
    int exit_code = EXIT_SUCCESS;
    if (!key)
        exit_code = command_fail("%s", buf_text(&why));
    else if (!typed_code_hash(key, code, hash) ||
             store_code_add(store, kind, hash, subject, clock_wall_ms() + lasts_ms, &refusal) != STORE_DONE)
        exit_code = command_fail("the store failed, no code was made");
    typed_code_key_free(key);
    buf_free(&why);
    return exit_code;
}

int code_mint(const struct config *config, struct store *store, enum store_code_kind kind,
    const struct code_agent *agent, int64_t lasts_ms, char code[static TYPED_CODE_SIZE])
{
    struct code_agent copy = *agent;
    char *also[CODE_ALSO_MAX];
    const struct store_subject subject = subject_of(&copy, also);
    typed_code_mint(TYPED_CODE_LONG, code);
    const int exit_code = store_code(config, store, kind, &subject, lasts_ms, code);
    if (exit_code == EXIT_SUCCESS)
        report(kind, agent, lasts_ms);
    else
        secret_wipe(code, TYPED_CODE_SIZE);
    return exit_code;
}
