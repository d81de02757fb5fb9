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

static struct err set(const struct option_row *o, struct invocation *in, const char *value) {
    void *at = (char *)in->options + o->offset;
    switch (o->kind) {
    case OPTION_FLAG:
        if (!strcmp(value, "true") || !strcmp(value, "1"))
            *(bool *)at = true;
        else if (!strcmp(value, "false") || !strcmp(value, "0"))
            *(bool *)at = false;
        else
            return err_new(ERR_INVALID,
                           "invalid argument \"%s\" for \"--%s\" flag: expected true or false",
                           value, o->name);
        return OK;
    case OPTION_TEXT:
        *(const char **)at = value;
        return OK;
    case OPTION_LIST:
        strv_add(at, value);
        return OK;
    case OPTION_INT:
        return err_wrap(str_to_i64(str_of(value), INT64_MIN, INT64_MAX, at),
                        "invalid argument for \"--%s\" flag", o->name);
    }
    return OK;
}

static struct err parse_long(const struct command *c, struct invocation *in, char ***argv) {
    const char *word = *(*argv)++;
    struct str name, value;
    bool has_value = str_cut(str_of(word + 2), '=', &name, &value);
    const struct option_row *o = find_long(c, name);
    if (!o)
        return err_new(ERR_INVALID, "unknown flag: --%.*s", STR_ARG(name));
    if (o->kind == OPTION_FLAG)
        return set(o, in, has_value ? value.p : "true");
    if (has_value)
        return set(o, in, value.p);
    if (!**argv)
        return err_new(ERR_INVALID, "flag needs an argument: --%s", o->name);
    return set(o, in, *(*argv)++);
}

static struct err parse_short(const struct command *c, struct invocation *in, char ***argv) {
    const char *word = *(*argv)++;
    for (const char *p = word + 1; *p; p++) {
        const struct option_row *o = find_short(c, *p);
        if (!o)
            return err_new(ERR_INVALID, "unknown shorthand flag: '%c' in %s", *p, word);
        if (o->kind == OPTION_FLAG) {
            if (p[1] == '=')
                return set(o, in, p + 2);
            TRY(set(o, in, "true"));
            continue;
        }
        if (p[1])
            return set(o, in, p + 1 + (p[1] == '='));
        if (!**argv)
            return err_new(ERR_INVALID, "flag needs an argument: '%c' in %s", *p, word);
        return set(o, in, *(*argv)++);
    }
    return OK;
}

struct err options_parse(const struct command *c, char **argv, struct invocation *in,
                         bool *ret_help) {
    size_t n = 0;
    while (argv[n])
        n++;
    in->command = c;
    in->options = mem_zero(c->options_size + 1);
    in->args = mem_zero((n + 1) * sizeof *in->args);
    *ret_help = false;
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
    return OK;
}

void options_done(const struct command *c, struct invocation *in) {
    for (size_t i = 0; in->options && i < c->options_n; i++)
        if (c->options[i].kind == OPTION_LIST)
            strv_done((struct strv *)((char *)in->options + c->options[i].offset));
    free(in->options);
    free(in->args);
    arena_done(&in->arena);
}

void command_help(const struct command *c) {
    printf("Usage:  corten %s\n\n%s\n", c->usage, c->summary);
    if (c->alias)
        printf("\nAliases:\n  %s\n", c->alias);
    if (c->options_n)
        printf("\nOptions:\n");
    for (size_t i = 0; i < c->options_n; i++) {
        const struct option_row *o = &c->options[i];
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s %s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
                 o->argument ? o->argument : "");
        printf("  %-32s %s\n", left, o->help);
    }
}
