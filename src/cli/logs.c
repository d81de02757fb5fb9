/* logs, of one container or of many. */
#include "base/file.h"
#include "cli/commands.h"
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_CELLS 24

struct logs_options {
    bool follow, timestamps, details, ignore_case;
    const char *tail, *since, *until, *grep;
};
static const struct option_row logs_rows[] = {
    FLAG(struct logs_options, follow, 'f', "follow", "Go on with what comes"),
    FLAG(struct logs_options, timestamps, 't', "timestamps", "When each line was written"),
    FLAG(struct logs_options, details, 0, "details", "Labels and variables of the log driver"),
    TEXT(struct logs_options, tail, 'n', "tail", "N", "Only the last N lines (or 'all')"),
    TEXT(struct logs_options, since, 0, "since", "TIME", "From then on (a time, or '10m' ago)"),
    TEXT(struct logs_options, until, 0, "until", "TIME", "Until then"),
    TEXT(struct logs_options, grep, 0, "grep", "REGEX", "Only lines that match"),
    FLAG(struct logs_options, ignore_case, 0, "ignore-case", "--grep does not care for capitals"),
};

/* Where the bytes of the log go: whole lines when they are looked at, else as they come. */
struct sink {
    const struct logs_options *o;
    regex_t *pattern; /* NULL: none */
    struct buf partial[3];
    struct strv *lines; /* of several containers: kept, to be put in order */
    const char *name;
};

static bool wanted(const struct sink *s, const char *line) {
    return !s->pattern || regexec(s->pattern, line, 0, NULL, 0) == 0;
}

static int line_out(struct sink *s, int out, struct str line) {
    CLEAN_FREE char *z = str_dup(line);
    if (!wanted(s, z))
        return 0;
    if (s->lines) {
        strv_addf(s->lines, "%s\t%d%s", z, out, s->name);
        return 0;
    }
    int r = fd_write_all(out, z, line.len);
    return r < 0 ? r : fd_write_all(out, "\n", 1);
}

static int emit(struct sink *s, int out, const char *bytes, size_t n) {
    if (!s->pattern && !s->lines)
        return fd_write_all(out, bytes, n);
    struct buf *b = &s->partial[out];
    buf_add(b, bytes, n);
    for (ssize_t nl; (nl = str_find(buf_str(b), '\n')) >= 0;) {
        int r = line_out(s, out, str_sub(buf_str(b), 0, (size_t)nl));
        if (r < 0)
            return r;
        buf_drop(b, (size_t)nl + 1);
    }
    return 0;
}

static void sink_end(struct sink *s) {
    for (int i = 1; i <= 2; i++) {
        if (s->partial[i].len)
            line_out(s, i, buf_str(&s->partial[i]));
        buf_done(&s->partial[i]);
    }
}

/* The answer is no hijack: its body is the (framed) stream. */
static struct err copy_logs(struct client *c, bool tty, struct sink *s) {
    unsigned char head[8];
    char bytes[65536];
    size_t have = 0, left = 0;
    int out = 1;
    for (;;) {
        bool framed = !tty && left == 0;
        ssize_t n = framed ? client_read(c, head + have, sizeof head - have)
                           : client_read(c, bytes, tty ? sizeof bytes : MIN(left, sizeof bytes));
        if (n < 0)
            return err_errno((int)-n, "corten: read logs");
        if (n == 0)
            return OK;
        if (!framed) {
            left -= tty ? 0 : (size_t)n;
            int r = emit(s, out, bytes, (size_t)n);
            if (r < 0)
                return r == -EPIPE ? OK : err_errno(-r, "corten: write");
            continue;
        }
        have += (size_t)n;
        if (have < sizeof head)
            continue;
        have = 0;
        out = head[0] == 2 ? 2 : 1;
        left = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
    }
}

static struct err one(struct client *c, struct invocation *in, const char *name, bool timestamps,
                      struct sink *s) {
    const struct logs_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    struct api_container k = {0};
    TRY(client_container_inspect(c, name, &in->arena, &k));
    client_path(&target, "/containers/", k.id, "/logs");
    client_query_bool(&target, "stdout", true);
    client_query_bool(&target, "stderr", true);
    client_query_bool(&target, "follow", o->follow);
    client_query_bool(&target, "timestamps", timestamps);
    client_query_bool(&target, "details", o->details);
    client_query(&target, "tail", o->tail);
    client_query(&target, "since", cli_time_option(o->since, &in->arena));
    client_query(&target, "until", cli_time_option(o->until, &in->arena));
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    TRY(client_begin(c, &call));
    return copy_logs(c, k.config->tty, s);
}

/* --- several ---------------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "TIME LINE\tSTREAM NAME", in the order of time. */
static void print_lines(struct strv *lines, struct invocation *in) {
    const struct logs_options *o = in->options;
    size_t width = 0;
    bool colour = cli_colour(1);
    for (int i = 0; i < in->args_n; i++)
        width = MAX(width, strlen(in->args[i]));
    width = MIN(width, (size_t)NAME_CELLS);
    qsort(lines->items, lines->n, sizeof *lines->items, compare_lines);
    for (size_t i = 0; i < lines->n; i++) {
        struct str line = str_of(lines->items[i]), time, text;
        ssize_t tab = str_rfind(line, '\t');
        const char *name = line.p + tab + 2;
        int which = 0;
        str_cut(str_sub(line, 0, (size_t)tab), ' ', &time, &text);
        while (which < in->args_n && strcmp(in->args[which], name) != 0)
            which++;
        if (colour)
            printf("\033[3%dm%-*s |\033[0m ", 1 + which % 6, (int)width, name);
        else
            printf("%-*s | ", (int)width, name);
        if (o->timestamps)
            printf("%.*s ", STR_ARG(time));
        printf("%.*s\n", STR_ARG(text));
    }
}

static struct err many(struct client *c, struct invocation *in, struct sink *s) {
    CLEAN_STRV struct strv lines = {0};
    s->lines = &lines;
    for (int i = 0; i < in->args_n; i++) {
        s->name = in->args[i];
        TRY(one(c, in, in->args[i], true, s));
        sink_end(s);
    }
    print_lines(&lines, in);
    return OK;
}

static int logs_run(struct invocation *in) {
    const struct logs_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    regex_t pattern;
    struct sink s = {.o = o};
    int bad = 0;
    if (o->follow && in->args_n > 1)
        return cli_usage(in, "--follow: one container at a time");
    if (o->grep && (bad = regcomp(&pattern, o->grep,
                                  REG_EXTENDED | REG_NOSUB | (o->ignore_case ? REG_ICASE : 0)))) {
        char words[128];
        regerror(bad, &pattern, words, sizeof words);
        return cli_usage(in, "--grep '%s': %s", o->grep, words);
    }
    s.pattern = o->grep ? &pattern : NULL;
    struct err e = OK;
    int status = 1;
    if ((c = cli_connect(in))) {
        e = in->args_n > 1 ? many(c, in, &s) : one(c, in, in->args[0], o->timestamps, &s);
        sink_end(&s);
        status = err_failed(e) ? cli_fail(e, 1) : 0;
    }
    if (s.pattern)
        regfree(&pattern);
    return status;
}

const struct command command_logs = {
    .name = "logs",
    .alias = "container logs",
    .usage = "logs [OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Show what a container wrote",
    .examples = "corten logs -f --tail 20 web\tthe last lines, and what follows\n"
                "corten logs --since 10m --grep 'error|warn' web db\tof two, in the order of time",
    OPTIONS_OF(logs_rows, struct logs_options),
    .args_min = 1,
    .args_max = -1,
    .names = "container",
    .run = logs_run};
