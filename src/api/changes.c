#include "api/changes.h"
#include "base/path.h"
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

static struct err no_variables(struct str rest) {
    if (str_find(rest, '$') >= 0)
        return err_new(ERR_UNSUPPORTED, "variables are not expanded here: '$' is not supported");
    return OK;
}

/* --- instructions -------------------------------------------------------------------------- */

static void command(struct str rest, struct arena *a, struct strs *ret) {
    if (json_form(rest, a, ret))
        return;
    *ret = (struct strs){.present = true};
    strs_add(ret, a, "/bin/sh");
    strs_add(ret, a, "-c");
    strs_add(ret, a, arena_str(a, rest));
}

static struct err change_cmd(struct str rest, struct arena *a, struct api_config *config) {
    command(rest, a, &config->cmd);
    return OK;
}

/* A new entry point takes the image's default arguments away. */
static struct err change_entrypoint(struct str rest, struct arena *a, struct api_config *config) {
    command(rest, a, &config->entrypoint);
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
    TRY(no_variables(rest));
    TRY(pairs(rest, a, &m));
    for (size_t i = 0; i < m.n; i++)
        set_env(config, a, &m.items[i]);
    return OK;
}

static struct err change_label(struct str rest, struct arena *a, struct api_config *config) {
    TRY(no_variables(rest));
    return pairs(rest, a, &config->labels);
}

static struct err change_expose(struct str rest, struct arena *a, struct api_config *config) {
    struct strs list = {0};
    TRY(no_variables(rest));
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
    TRY(no_variables(rest));
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

static struct err one_word(struct str rest, struct arena *a, char **ret) {
    struct strs list = {0};
    TRY(no_variables(rest));
    TRY(words(rest, a, &list));
    if (list.n != 1)
        return err_new(ERR_INVALID, "takes one argument, not %zu", list.n);
    *ret = list.items[0];
    return OK;
}

static struct err change_user(struct str rest, struct arena *a, struct api_config *config) {
    return one_word(rest, a, &config->user);
}

static struct err change_stopsignal(struct str rest, struct arena *a, struct api_config *config) {
    char *word;
    int signo;
    TRY(one_word(rest, a, &word));
    if (!signal_parse(word, &signo))
        return err_new(ERR_INVALID, "invalid signal: %s", word);
    config->stop_signal = word;
    return OK;
}

static struct err change_workdir(struct str rest, struct arena *a, struct api_config *config) {
    char *word;
    TRY(one_word(rest, a, &word));
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

static struct err change_healthcheck(struct str rest UNUSED, struct arena *a UNUSED,
                                     struct api_config *config UNUSED) {
    return err_new(ERR_UNSUPPORTED, "is not supported here");
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
    while (str_next(&lines, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0 && line.p[0] != '#')
            TRY(apply_line(line, a, config));
    }
    return OK;
}
