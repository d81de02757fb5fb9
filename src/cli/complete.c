/* complete.c - completion for shells: one hidden command gives the words, the scripts only ask. */
#include "cli/commands.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the words before leave to be completed. */
struct place {
    const struct command *command;  /* NULL: a command is still to be named */
    const char *group;              /* "" or its first word */
    const struct option_row *value; /* the word is this option's value */
    const char *word;
};

static void offer(const struct place *p, struct str text) {
    if (str_starts(text, str_of(p->word)))
        printf("%.*s\n", STR_ARG(text));
}

static void offerz(const struct place *p, const char *text) {
    offer(p, str_of(text));
}

static void offer_commands(const struct place *p) {
    for (size_t i = 0; i < cli_commands_n; i++) {
        struct str rest = str_of(cli_commands[i]->alias), name = str_of(cli_commands[i]->name);
        do {
            struct str first, second;
            bool two = str_cut(str_trim(name), ' ', &first, &second);
            if (cli_commands[i]->hidden || str_starts(name, STR("_")))
                break;
            if (!*p->group && !two)
                offer(p, first);
            else if (*p->group && two && str_eqz(first, p->group))
                offer(p, second);
        } while (str_next(&rest, ',', &name));
    }
    for (size_t i = 0; !*p->group && i < cli_groups_n; i++)
        offerz(p, cli_groups[i].name);
}

static void offer_options(const struct place *p) {
    for (size_t i = 0; i < p->command->options_n; i++) {
        CLEAN_FREE char *text = mem_printf("--%s", p->command->options[i].name);
        if (p->command->options[i].help)
            offerz(p, text);
    }
    offerz(p, "--help");
}

static void offer_names(const struct place *p, struct invocation *in, const char *what) {
    CLEAN_CLIENT struct client *c = NULL;
    struct strs names = {0};
    struct err e = what ? client_open(in->host, &c) : OK;
    if (what && !err_failed(e))
        e = cli_names(c, what, &in->arena, &names);
    err_free(e); /* without a daemon there are no names to offer, and nobody to tell it */
    for (size_t i = 0; i < names.n; i++)
        offerz(p, names.items[i]);
}

static void offer_values(const struct place *p, struct invocation *in) {
    static const struct {
        const char *option, *values;
    } known[] = {{"restart", "no,on-failure,always,unless-stopped"},
                 {"pull", "always,missing,never"},
                 {"type", "container,image,network,volume"},
                 {"signal", "KILL,TERM,INT,HUP,QUIT,USR1,USR2"},
                 {"log-driver", "json-file,local,none"},
                 {"on-unhealthy", "restart,stop,kill,none"},
                 {"format", "json,table"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct str rest = str_of(known[i].values), one;
        while (!strcmp(known[i].option, p->value->name) && str_next(&rest, ',', &one))
            offer(p, one);
    }
    if (!strcmp(p->value->name, "network"))
        offer_names(p, in, "network");
    if (!strcmp(p->value->name, "volumes-from"))
        offer_names(p, in, "container");
}

/* --- the place -------------------------------------------------------------------------------- */

static const struct option_row *takes_value(const struct command *c, const char *word) {
    for (size_t i = 0; i < c->options_n; i++) {
        const struct option_row *o = &c->options[i];
        if (o->kind == OPTION_FLAG)
            continue;
        if (!strncmp(word, "--", 2)
                ? !strcmp(word + 2, o->name)
                : o->letter && word[0] == '-' && word[1] == o->letter && !word[2])
            return o;
    }
    return NULL;
}

static struct place find_place(char **words, int n) {
    struct place p = {.group = "", .word = n ? words[n - 1] : ""};
    int i = 0, used;
    static const char *const globals[] = {"-H",       "--host", "-c",         "--context",
                                          "--config", "-l",     "--log-level"};
    while (i < n - 1 && words[i][0] == '-') {
        for (size_t k = 0; k < ARRAY_LEN(globals); k++)
            if (!strcmp(words[i], globals[k]) && i < n - 2) {
                i++;
                break;
            }
        i++;
    }
    char *last = n ? words[n - 1] : NULL;
    if (n)
        words[n - 1] = NULL; /* the word itself is not typed yet */
    p.command = command_find(words + i, &used);
    if (n)
        words[n - 1] = last;
    if (!p.command && i < n - 1 && group_find(words[i]))
        p.group = words[i];
    if (p.command && n >= 2)
        p.value = takes_value(p.command, words[n - 2]);
    return p;
}

static int complete_run(struct invocation *in) {
    struct place p = find_place(in->args, in->args_n);
    if (!p.command)
        offer_commands(&p);
    else if (p.value)
        offer_values(&p, in);
    else if (p.word[0] == '-')
        offer_options(&p);
    else
        offer_names(&p, in, p.command->names);
    return 0;
}

/* --- scripts ---------------------------------------------------------------------------------- */

static const char bash[] =
    "# bash completion for corten; put it where bash-completion looks, or source it\n"
    "_corten() {\n"
    "    local IFS=$'\\n' cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    local words=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
    "    COMPREPLY=($(\"${COMP_WORDS[0]}\" __complete -- \"${words[@]}\" \"$cur\" 2>/dev/null))\n"
    "    if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- \"$cur\")); fi\n"
    "    if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "
    "\"$cur\"; fi\n"
    "}\n"
    "complete -F _corten corten\n";
static const char zsh[] =
    "#compdef corten\n"
    "# zsh completion for corten; put it into a directory of $fpath as _corten, or source it\n"
    "_corten() {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(\"${words[1]}\" __complete -- \"${(@)words[2,CURRENT]}\" "
    "2>/dev/null)\"})\n"
    "    if (( ${#found} )); then compadd -- \"${found[@]}\"; else _files; fi\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _corten ]; then _corten \"$@\"; else compdef _corten corten; fi\n";
static const char fish[] =
    "# fish completion for corten; put it into ~/.config/fish/completions/corten.fish\n"
    "function __corten_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    $words[1] __complete -- $words[2..-1] 2>/dev/null\n"
    "end\n"
    "complete -c corten -f -a '(__corten_complete)'\n";

static int completion_run(struct invocation *in) {
    const char *shell = in->args[0];
    const char *text = !strcmp(shell, "bash")   ? bash
                       : !strcmp(shell, "zsh")  ? zsh
                       : !strcmp(shell, "fish") ? fish
                                                : NULL;
    if (!text)
        return cli_usage(in, "no completion for '%s': bash, zsh or fish", shell);
    printf("%s", text);
    return 0;
}

const struct command command_complete = {.name = "__complete",
                                         .usage = "__complete -- [WORD...]",
                                         .summary = "Words that complete the last one",
                                         .args_max = -1,
                                         .hidden = true,
                                         .stop_at_args = true,
                                         .run = complete_run};
const struct command command_completion = {
    .name = "completion",
    .usage = "completion bash|zsh|fish",
    .summary = "Print the completion script for a shell",
    .examples = "source <(corten completion bash)\tfor this shell",
    .args_min = 1,
    .args_max = 1,
    .run = completion_run};
