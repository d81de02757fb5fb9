/* docs.c - the reference page and the manual pages, written from the table of commands. */
#include "cli/docs.h"
#include "base/file.h"
#include "cli/commands.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_commands(const void *a, const void *b) {
    return strcmp((*(const struct command *const *)a)->name,
                  (*(const struct command *const *)b)->name);
}

static const struct command **sorted(size_t *ret_n) {
    const struct command **all = mem_array(cli_commands_n + 1, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < cli_commands_n; i++)
        if (!cli_commands[i]->hidden)
            all[n++] = cli_commands[i];
    qsort(all, n, sizeof *all, compare_commands);
    *ret_n = n;
    return all;
}

void docs_markdown(struct buf *out) {
    size_t n;
    const struct command **all = sorted(&n);
    buf_adds(out,
             "# The command line\n\n"
             "Written from the table of commands (`corten __docs markdown`); the gate compares "
             "it.\nEvery command knows `--help`, and `--json` where it has something to say "
             "([json.md](json.md)).\n\n```\n");
    program_help(out);
    buf_adds(out, "```\n");
    for (size_t i = 0; i < n; i++) {
        buf_addf(out, "\n## corten %s\n\n```\n", all[i]->name);
        command_help(all[i], out);
        buf_adds(out, "```\n");
    }
    free(all);
}

/* roff takes dots and quotes at a line's begin, and backslashes anywhere. */
static void roff(struct buf *out, struct str text) {
    bool begin = true;
    for (size_t i = 0; i < text.len; i++) {
        if (begin && (text.p[i] == '.' || text.p[i] == '\''))
            buf_adds(out, "\\&");
        if (text.p[i] == '\\')
            buf_adds(out, "\\e");
        else if (text.p[i] == '-')
            buf_adds(out, "\\-");
        else
            buf_addc(out, text.p[i]);
        begin = text.p[i] == '\n';
    }
}

void docs_man(const struct command *c, struct buf *out) {
    CLEAN_FREE char *name = mem_printf("corten-%s", c->name);
    for (char *p = name; *p; p++)
        if (*p == ' ')
            *p = '-';
    buf_addf(out, ".TH %s 1\n.SH NAME\n", name);
    roff(out, str_of(name));
    buf_adds(out, " \\- ");
    roff(out, str_of(c->summary));
    buf_adds(out, "\n.SH SYNOPSIS\n.B corten\n");
    roff(out, str_of(c->usage));
    buf_adds(out, "\n.SH OPTIONS\n");
    for (size_t i = 0; i < c->options_n; i++) {
        const struct option_row *o = &c->options[i];
        CLEAN_BUF struct buf left = {0};
        if (!o->help)
            continue;
        if (o->letter)
            buf_addf(&left, "-%c, ", o->letter);
        buf_addf(&left, "--%s", o->name);
        if (o->argument)
            buf_addf(&left, " %s", o->argument);
        buf_adds(out, ".TP\n");
        roff(out, buf_str(&left));
        buf_addc(out, '\n');
        roff(out, str_of(o->help));
        buf_addc(out, '\n');
    }
    if (c->examples) {
        struct str rest = str_of(c->examples), line, command, what;
        buf_adds(out, ".SH EXAMPLES\n");
        while (str_next(&rest, '\n', &line)) {
            str_cut(line, '\t', &command, &what);
            buf_adds(out, ".TP\n");
            roff(out, what);
            buf_addc(out, '\n');
            roff(out, command);
            buf_addc(out, '\n');
        }
    }
    buf_adds(out, ".SH SEE ALSO\n.BR corten (1)\n");
}

/* corten(1): the way to the others. */
static void docs_man_program(const struct command *const *all, size_t n, struct buf *out) {
    CLEAN_BUF struct buf help = {0};
    buf_adds(out, ".TH corten 1\n.SH NAME\ncorten \\- builds, ships and runs containers\n"
                  ".SH SYNOPSIS\n.B corten\n[OPTIONS] COMMAND\n.SH DESCRIPTION\n.nf\n");
    program_help(&help);
    roff(out, buf_str(&help));
    buf_adds(out, ".fi\n.SH SEE ALSO\n");
    for (size_t i = 0; i < n; i++) {
        CLEAN_FREE char *name = mem_printf("corten-%s", all[i]->name);
        for (char *p = name; *p; p++)
            if (*p == ' ')
                *p = '-';
        buf_adds(out, ".BR ");
        roff(out, str_of(name));
        buf_addf(out, " (1)%s\n", i + 1 < n ? "," : "");
    }
}

static struct err write_man(const char *dir) {
    size_t n;
    const struct command **all = sorted(&n);
    struct err e = dir_make(dir, 0755);
    if (!err_failed(e)) {
        CLEAN_BUF struct buf text = {0};
        CLEAN_FREE char *path = mem_printf("%s/corten.1", dir);
        docs_man_program(all, n, &text);
        e = file_replace(path, buf_str(&text), 0644, false);
    }
    for (size_t i = 0; i < n && !err_failed(e); i++) {
        CLEAN_BUF struct buf text = {0};
        CLEAN_FREE char *path = mem_printf("%s/corten-%s.1", dir, all[i]->name);
        for (char *p = path + strlen(dir) + 1; *p; p++)
            if (*p == ' ')
                *p = '-';
        docs_man(all[i], &text);
        e = file_replace(path, buf_str(&text), 0644, false);
    }
    free(all);
    return e;
}

static int docs_run(struct invocation *in) {
    CLEAN_BUF struct buf out = {0};
    if (!strcmp(in->args[0], "markdown") && in->args_n == 1) {
        docs_markdown(&out);
        fwrite(buf_cstr(&out), 1, out.len, stdout);
        return 0;
    }
    if (strcmp(in->args[0], "man") != 0 || in->args_n != 2)
        return cli_usage(in, "markdown, or man DIRECTORY");
    TRYF_STATUS(err_wrap(write_man(in->args[1]), "corten: %s", in->args[1]));
    return 0;
}

const struct command command_docs = {.name = "__docs",
                                     .usage = "__docs markdown | man DIRECTORY",
                                     .summary = "Write the documentation of the command line",
                                     .args_min = 1,
                                     .args_max = 2,
                                     .hidden = true,
                                     .run = docs_run};
