#include "api/changes.h"
#include "api/call.h"
#include "base/path.h"
#include "base/time.h"
#include "base/vec.h"
#include "container/container.h"
#include "kernel/signal.h"
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX 65536 /* bytes of one parameter */

typedef struct err change_fn(struct str rest, struct arena *a, struct api_config *config);

/* --- words --------------------------------------------------------------------------------- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* One word from the front of *rest, quotes and backslashes taken off. false: there is none. */
static struct err next_word(struct str *rest, struct buf *ret, bool *ret_found) {
    char quote = 0;
    size_t i = 0;
    *rest = str_trim(*rest);
    buf_clear(ret);
    for (; i < rest->len && (quote || !is_blank(rest->p[i])); i++) {
        char c = rest->p[i];
        if (c == '\\' && quote != '\'' && i + 1 < rest->len)
            buf_addc(ret, rest->p[++i]);
        else if (c == quote)
            quote = 0;
        else if (!quote && (c == '"' || c == '\''))
            quote = c;
        else
            buf_addc(ret, c);
    }
    if (quote)
        return err_new(ERR_INVALID, "a quote is not closed");
    *ret_found = i > 0;
    *rest = str_from(*rest, i);
    return OK;
}

static struct err words(struct str rest, struct arena *a, struct strs *ret) {
    CLEAN_BUF struct buf word = {0};
    bool found = true;
    for (;;) {
        TRY(next_word(&rest, &word, &found));
        if (!found)
            break;
        strs_add(ret, a, buf_cstr(&word));
    }
    if (ret->n == 0)
        return err_new(ERR_INVALID, "needs at least one argument");
    return OK;
}

/* JSON form; false when the text is not an array of strings (then it is the other form). */
static bool json_form(struct str rest, struct arena *a, struct strs *ret) {
    CLEAN_JSON struct json *j = NULL;
    if (!str_starts(rest, STR("[")))
        return false;
    CLEAN_ERR struct err e = json_parse(rest, &j);
    if (err_failed(e))
        return false;
    for (size_t i = 0; i < json_len(j); i++)
        if (json_type(json_at(j, i)) != JSON_STRING || str_has_nul(json_str(json_at(j, i))))
            return false;
    *ret = (struct strs){.present = true};
    for (size_t i = 0; i < json_len(j); i++)
        strs_add(ret, a, arena_str(a, json_str(json_at(j, i))));
    return true;
}

/* --- variables ----------------------------------------------------------------------------- */

static bool is_name_char(char c, bool first) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

static struct str variable(const struct api_config *config, struct str name) {
    struct str key, value;
    for (size_t i = config->env.n; i-- > 0;)
        if (str_cut(str_of(config->env.items[i]), '=', &key, &value) && str_eq(key, name))
            return value;
    return STR_NONE;
}

/* What stands for "${…}", whose inside is given. */
static struct err braces(struct str inside, const struct api_config *config, struct buf *out) {
    size_t n = 0;
    while (n < inside.len && is_name_char(inside.p[n], n == 0))
        n++;
    struct str value = variable(config, str_sub(inside, 0, n)), rest = str_from(inside, n);
    if (n == 0 || (rest.len > 0 && !str_starts(rest, STR(":-")) && !str_starts(rest, STR(":+"))))
        return err_new(ERR_INVALID, "unsupported modifier in substitution '${%.*s}'",
                       STR_ARG(inside));
    if (rest.len > 0 && (rest.p[1] == '-') == (value.len == 0))
        value = str_from(rest, 2);
    else if (rest.len > 0 && rest.p[1] == '+')
        value = STR_NONE;
    buf_add_str(out, value);
    return OK;
}

/* Replaces variables; quotes and backslashes stay for next_word. */
static struct err expand(struct str *rest, struct arena *a, const struct api_config *config) {
    CLEAN_BUF struct buf out = {0};
    bool single = false, both = false;
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->p[i];
        struct str after = str_from(*rest, i + 1);
        if (c == '\\' && !single && after.len > 0) {
            buf_addc(&out, c);
            buf_addc(&out, rest->p[++i]);
            continue;
        }
        single ^= c == '\'' && !both;
        both ^= c == '"' && !single;
        size_t n = 0;
        while (c == '$' && !single && n < after.len && is_name_char(after.p[n], n == 0))
            n++;
        ptrdiff_t end = c == '$' && !single && str_starts(after, STR("{")) ? str_find(after, '}')
                                                                           : -1;
        if (n > 0)
            buf_add_str(&out, variable(config, str_sub(after, 0, n)));
        else if (end > 0)
            TRY(braces(str_sub(after, 1, (size_t)end), config, &out));
        else
            buf_addc(&out, c);
        i += n > 0 ? n : end > 0 ? (size_t)end + 1 : 0;
    }
    if (out.len > CHANGES_MAX)
        return err_new(ERR_INVALID, "longer than %d bytes once variables are in", CHANGES_MAX);
    *rest = str_n(arena_str(a, buf_str(&out)), out.len);
    return OK;
}

/* --- instructions -------------------------------------------------------------------------- */

static void command(struct str rest, struct arena *a, const struct strs *shell, struct strs *ret) {
    if (json_form(rest, a, ret))
        return;
    *ret = (struct strs){.present = true};
    for (size_t i = 0; i < shell->n; i++)
        strs_add(ret, a, shell->items[i]);
    if (shell->n == 0) {
        strs_add(ret, a, "/bin/sh");
        strs_add(ret, a, "-c");
    }
    strs_add(ret, a, arena_str(a, rest));
}

static struct err change_cmd(struct str rest, struct arena *a, struct api_config *config) {
    command(rest, a, &config->shell, &config->cmd);
    return OK;
}

/* A new entry point takes the image's default arguments away (changes_apply: not those that were
 * changed with it). */
static struct err change_entrypoint(struct str rest, struct arena *a, struct api_config *config) {
    command(rest, a, &config->shell, &config->entrypoint);
    config->cmd = (struct strs){0};
    return OK;
}

/* "a=b c=d", or the old form "a b c", in which the rest of the line is the value. */
static struct err pairs(struct str rest, struct arena *a, struct strmap *ret) {
    struct strs list = {0};
    struct str key, value;
    TRY(words(rest, a, &list));
    if (str_find(str_of(list.items[0]), '=') < 0) {
        if (list.n < 2)
            return err_new(ERR_INVALID, "'%s' has no value", list.items[0]);
        size_t blank = 0;
        while (blank < rest.len && !is_blank(rest.p[blank]))
            blank++;
        strmap_set(ret, a, list.items[0], arena_str(a, str_trim(str_from(rest, blank))));
        return OK;
    }
    for (size_t i = 0; i < list.n; i++) {
        if (!str_cut(str_of(list.items[i]), '=', &key, &value) || key.len == 0)
            return err_new(ERR_INVALID, "'%s' is not of the form name=value", list.items[i]);
        strmap_set(ret, a, arena_str(a, key), arena_str(a, value));
    }
    return OK;
}

static void set_env(struct api_config *config, struct arena *a, const struct strpair *p) {
    struct strs old = config->env;
    config->env = (struct strs){.present = true};
    for (size_t i = 0; i < old.n; i++) {
        struct str key, value;
        str_cut(str_of(old.items[i]), '=', &key, &value);
        if (!str_eqz(key, p->key))
            strs_add(&config->env, a, old.items[i]);
    }
    strs_add(&config->env, a, arena_printf(a, "%s=%s", p->key, p->value));
}

static struct err change_env(struct str rest, struct arena *a, struct api_config *config) {
    struct strmap m = {0};
    TRY(expand(&rest, a, config));
    TRY(pairs(rest, a, &m));
    for (size_t i = 0; i < m.n; i++)
        set_env(config, a, &m.items[i]);
    return OK;
}

static struct err change_label(struct str rest, struct arena *a, struct api_config *config) {
    TRY(expand(&rest, a, config));
    return pairs(rest, a, &config->labels);
}

static struct err change_expose(struct str rest, struct arena *a, struct api_config *config) {
    struct strs list = {0};
    TRY(expand(&rest, a, config));
    TRY(words(rest, a, &list));
    for (size_t i = 0; i < list.n; i++) {
        uint8_t proto;
        uint16_t port;
        TRY(port_parse(str_of(list.items[i]), &proto, &port));
        const char *text = arena_printf(a, "%u/%s", port, port_proto_name(proto));
        if (!strs_has(&config->exposed_ports, text))
            strs_add(&config->exposed_ports, a, text);
    }
    return OK;
}

static struct err change_volume(struct str rest, struct arena *a, struct api_config *config) {
    struct strs list = {0};
    TRY(expand(&rest, a, config));
    if (!json_form(rest, a, &list))
        TRY(words(rest, a, &list));
    for (size_t i = 0; i < list.n; i++) {
        if (!*list.items[i])
            return err_new(ERR_INVALID, "a path is empty");
        if (!strs_has(&config->volumes, list.items[i]))
            strs_add(&config->volumes, a, list.items[i]);
    }
    return OK;
}

static struct err one_word(struct str rest, struct arena *a, const struct api_config *config,
                           char **ret) {
    struct strs list = {0};
    TRY(expand(&rest, a, config));
    TRY(words(rest, a, &list));
    if (list.n != 1)
        return err_new(ERR_INVALID, "takes one argument, not %zu", list.n);
    *ret = list.items[0];
    return OK;
}

static struct err change_user(struct str rest, struct arena *a, struct api_config *config) {
    return one_word(rest, a, config, &config->user);
}

static struct err change_stopsignal(struct str rest, struct arena *a, struct api_config *config) {
    char *word;
    int signo;
    TRY(one_word(rest, a, config, &word));
    if (!signal_parse(word, &signo))
        return err_new(ERR_INVALID, "invalid signal: %s", word);
    config->stop_signal = word;
    return OK;
}

static struct err change_workdir(struct str rest, struct arena *a, struct api_config *config) {
    char *word;
    TRY(one_word(rest, a, config, &word));
    const char *base = config->working_dir && *config->working_dir ? config->working_dir : "/";
    CLEAN_FREE char *joined = path_join(path_is_abs(str_of(word)) ? "/" : base, word);
    CLEAN_FREE char *clean = path_clean(str_of(joined));
    config->working_dir = arena_strz(a, clean);
    return OK;
}

static struct err change_onbuild(struct str rest, struct arena *a, struct api_config *config) {
    strs_add(&config->on_build, a, arena_str(a, rest));
    return OK;
}

static struct err health_flag(struct str name, struct str value, struct api_health_config *h) {
    struct {
        const char *name;
        int64_t *to;
    } durations[] = {{"--interval", &h->interval},
                     {"--timeout", &h->timeout},
                     {"--start-period", &h->start_period},
                     {"--start-interval", &h->start_interval}};
    if (str_eqz(name, "--retries"))
        return err_wrap(str_to_i64(value, 1, INT32_MAX, &h->retries), "--retries");
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        if (!str_eqz(name, durations[i].name))
            continue;
        TRYF(duration_parse(value, durations[i].to), "%s", durations[i].name);
        if (*durations[i].to != 0 && *durations[i].to < INT64_C(1000000))
            return err_new(ERR_INVALID, "%s: less than 1ms", durations[i].name);
        return OK;
    }
    return err_new(ERR_INVALID, "unknown flag: %.*s", STR_ARG(name));
}

/* [--flag=value …] CMD … | NONE */
static struct err change_healthcheck(struct str rest, struct arena *a, struct api_config *config) {
    struct api_health_config *h = arena_alloc(a, sizeof(*h));
    struct str word, name, value;
    *h = (struct api_health_config){.test.present = true};
    for (;;) {
        size_t end = 0;
        while (end < rest.len && !is_blank(rest.p[end]))
            end++;
        word = str_sub(rest, 0, end);
        rest = str_trim(str_from(rest, end));
        if (!str_starts(word, STR("--")))
            break;
        if (!str_cut(word, '=', &name, &value))
            return err_new(ERR_INVALID, "%.*s needs a value", STR_ARG(word));
        TRY(health_flag(name, value, h));
    }
    bool none = str_eq_nocase(word, STR("NONE"));
    if (!none && !str_eq_nocase(word, STR("CMD")))
        return err_new(ERR_INVALID, "Unknown type \"%.*s\" (try CMD)", STR_ARG(word));
    if (none != (rest.len == 0))
        return err_new(ERR_INVALID, none ? "NONE takes no arguments" : "CMD has no command");
    struct strs form = {0};
    strs_add(&h->test, a, "NONE");
    if (!none) {
        bool exec = json_form(rest, a, &form);
        h->test.items[0] = arena_strz(a, exec ? "CMD" : "CMD-SHELL");
        for (size_t i = 0; i < form.n; i++)
            strs_add(&h->test, a, form.items[i]);
        if (!exec)
            strs_add(&h->test, a, arena_str(a, rest));
    }
    config->healthcheck = h;
    return OK;
}

/* --- lines --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    change_fn *fn;
} instructions[] = {
    {"CMD", change_cmd},
    {"ENTRYPOINT", change_entrypoint},
    {"ENV", change_env},
    {"EXPOSE", change_expose},
    {"LABEL", change_label},
    {"ONBUILD", change_onbuild},
    {"USER", change_user},
    {"STOPSIGNAL", change_stopsignal},
    {"VOLUME", change_volume},
    {"WORKDIR", change_workdir},
    {"HEALTHCHECK", change_healthcheck},
};

static struct err apply_line(struct str line, struct arena *a, struct api_config *config) {
    size_t end = 0;
    while (end < line.len && !is_blank(line.p[end]))
        end++;
    struct str word = str_sub(line, 0, end), rest = str_trim(str_from(line, end));
    for (size_t i = 0; i < ARRAY_LEN(instructions); i++) {
        if (!str_eq_nocase(word, str_of(instructions[i].name)))
            continue;
        if (rest.len == 0)
            return err_new(ERR_INVALID, "changes: %s needs an argument", instructions[i].name);
        return err_wrap(instructions[i].fn(rest, a, config), "changes: %s", instructions[i].name);
    }
    return err_new(ERR_INVALID, "%.*s is not a valid change command", STR_ARG(word));
}

struct err changes_apply(struct str lines, struct arena *a, struct api_config *config) {
    struct str line;
    if (lines.len > CHANGES_MAX)
        return err_new(ERR_INVALID, "changes: longer than %d bytes", CHANGES_MAX);
    struct strs cmd = {0}; /* of these lines */
    while (str_next(&lines, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0 || line.p[0] == '#')
            continue;
        TRY(apply_line(line, a, config));
        struct str word, rest;
        str_cut(line, ' ', &word, &rest);
        if (str_eq_nocase(word, STR("CMD")))
            cmd = config->cmd;
        else if (str_eq_nocase(word, STR("ENTRYPOINT")) && cmd.n)
            config->cmd = cmd;
    }
    return OK;
}

struct err changes_read(struct api_call *c, struct api_config *config) {
    CLEAN_BUF struct buf lines = {0};
    const char *one;
    for (size_t i = 0; c->r && (one = http_query_nth(c->r, "changes", i)); i++)
        buf_addf(&lines, "%s\n", one);
    return changes_apply(buf_str(&lines), &c->arena, config);
}
