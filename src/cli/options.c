/* The option parser: one table, pflag's rules. */
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row *find_long(const struct command *c, struct str name) {
    for (size_t i = 0; i < c->options_n; i++)
        if (str_eqz(name, c->options[i].name))
            return &c->options[i];
    return NULL;
}

static const struct option_row *find_short(const struct command *c, char letter) {
    for (size_t i = 0; i < c->options_n; i++)
        if (c->options[i].letter == letter)
            return &c->options[i];
    return NULL;
}

/* "-a, --all" as errors name it. */
static const char *display(const struct option_row *o, struct arena *a) {
    return o->letter ? arena_printf(a, "-%c, --%s", o->letter, o->name)
                     : arena_printf(a, "--%s", o->name);
}

static bool parse_bool(const char *value, bool *ret) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {
                                                                                  "0",     "f",
                                                                                  "F",     "false",
                                                                                  "FALSE", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (!strcmp(value, yes[i]) || !strcmp(value, no[i])) {
            *ret = !strcmp(value, yes[i]);
            return true;
        }
    }
    return false;
}

static struct err set_filter(const char *value, struct strv *list) {
    struct str name, rest;
    if (!*value)
        return OK;
    if (!str_cut(str_of(value), '=', &name, &rest))
        return err_new(ERR_INVALID, "bad format of filter (expected name=value)");
    name = str_trim(name);
    rest = str_trim(rest);
    strv_addf(list, "%.*s=%.*s", STR_ARG(name), STR_ARG(rest));
    for (char *p = list->items[list->n - 1]; *p != '='; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return OK;
}

static struct err set_value(const struct option_row *o, struct invocation *in, const char *value) {
    void *at = (char *)in->options + o->offset;
    struct str rest = str_of(value), part;
    switch (o->kind) {
    case OPTION_FLAG:
        return parse_bool(value, at)
                   ? OK
                   : err_new(ERR_INVALID, "expected true or false, got \"%s\"", value);
    case OPTION_TEXT:
    case OPTION_FORMAT:
        *(const char **)at = value;
        return OK;
    case OPTION_LIST:
        strv_add(at, value);
        return OK;
    case OPTION_COMMAS:
        while (str_next(&rest, ',', &part))
            strv_addf(at, "%.*s", STR_ARG(part));
        return OK;
    case OPTION_FILTER:
        return set_filter(value, at);
    case OPTION_INT:
        return str_to_i64(str_of(*value == '+' ? value + 1 : value), INT64_MIN, INT64_MAX, at);
    case OPTION_BYTES:
        if (!strcmp(value, "-1") && !strcmp(o->name, "memory-swap")) {
            *(int64_t *)at = -1;
            return OK;
        }
        return size_option(value, at);
    }
    return OK;
}

static struct err set(const struct option_row *o, struct invocation *in, const char *value) {
    in->given[o - in->command->options] = true;
    return err_wrap(set_value(o, in, value), "invalid argument \"%s\" for \"%s\" flag", value,
                    display(o, &in->arena));
}

static struct err parse_long(const struct command *c, struct invocation *in, char ***argv) {
    const char *word = *(*argv)++;
    struct str name, value;
    bool has_value = str_cut(str_of(word + 2), '=', &name, &value);
    const struct option_row *o = find_long(c, name);
    if (!o && str_eqz(name, "json")) {
        return parse_bool(has_value ? value.p : "true", &in->json)
                   ? OK
                   : err_new(ERR_INVALID, "invalid argument \"%s\" for \"--json\" flag", value.p);
    }
    if (!o || name.len == 0)
        return err_new(ERR_INVALID, "unknown flag: --%.*s", STR_ARG(name));
    if (o->kind == OPTION_FLAG)
        return set(o, in, has_value ? value.p : "true");
    if (has_value)
        return set(o, in, value.p ? value.p : "");
    if (!**argv)
        return err_new(ERR_INVALID, "flag needs an argument: --%s", o->name);
    return set(o, in, *(*argv)++);
}

static struct err parse_short(const struct command *c, struct invocation *in, char ***argv) {
    const char *word = *(*argv)++;
    for (const char *p = word + 1; *p; p++) {
        const struct option_row *o = find_short(c, *p);
        if (!o)
            return err_new(ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *p, p);
        if (o->kind == OPTION_FLAG) {
            if (p[1] == '=')
                return set(o, in, p + 2);
            TRY(set(o, in, "true"));
            continue;
        }
        if (p[1])
            return set(o, in, p + 1 + (p[1] == '='));
        if (!**argv)
            return err_new(ERR_INVALID, "flag needs an argument: '%c' in -%s", *p, p);
        return set(o, in, *(*argv)++);
    }
    return OK;
}

/* --json is what the command's --format json is; without one the command must know it. */
static struct err apply_json(const struct command *c, struct invocation *in) {
    if (!in->json)
        return OK;
    for (size_t i = 0; i < c->options_n; i++)
        if (c->options[i].kind == OPTION_FORMAT) {
            if (!in->given[i])
                return set(&c->options[i], in, "json");
            return err_new(ERR_INVALID, "--json and --format exclude each other");
        }
    return c->json ? OK
                   : err_new(ERR_INVALID,
                             "--json: '%s' prints what the container or file says, "
                             "as it is",
                             c->name);
}

static void set_defaults(const struct command *c, struct invocation *in) {
    for (size_t i = 0; i < c->options_n; i++)
        if (c->options[i].otherwise)
            err_ignore(set_value(&c->options[i], in, c->options[i].otherwise)); /* our own text */
}

struct err options_parse(const struct command *c, char **argv, struct invocation *in,
                         bool *ret_help) {
    size_t n = 0;
    while (argv[n])
        n++;
    in->command = c;
    in->options = mem_zero(c->options_size + 1);
    in->given = mem_zero(c->options_n + 1);
    in->args = mem_zero((n + 1) * sizeof *in->args);
    *ret_help = false;
    set_defaults(c, in);
    for (bool ended = false; *argv;) {
        const char *word = *argv;
        if (ended || word[0] != '-' || !word[1]) {
            ended |= c->stop_at_args;
            in->args[in->args_n++] = *argv++;
        } else if (!strcmp(word, "--")) {
            ended = true;
            argv++;
        } else if (!strcmp(word, "--help")) {
            *ret_help = true;
            return OK;
        } else if (word[1] == '-') {
            TRY(parse_long(c, in, &argv));
        } else {
            TRY(parse_short(c, in, &argv));
        }
    }
    return apply_json(c, in);
}

bool option_given(const struct invocation *in, const char *name) {
    for (size_t i = 0; i < in->command->options_n; i++)
        if (!strcmp(in->command->options[i].name, name) && in->given[i])
            return true;
    return false;
}

void options_done(const struct command *c, struct invocation *in) {
    for (size_t i = 0; in->options && i < c->options_n; i++) {
        enum option_kind kind = c->options[i].kind;
        if (kind == OPTION_LIST || kind == OPTION_COMMAS || kind == OPTION_FILTER)
            strv_done((struct strv *)((char *)in->options + c->options[i].offset));
    }
    free(in->options);
    free(in->given);
    free(in->args);
    arena_done(&in->arena);
}
