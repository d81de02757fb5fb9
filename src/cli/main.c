/* Global options, the way to the command, errors. */
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/extension.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_STATUS 141 /* 128 + SIGPIPE: what a shell says of programs that end by it */

/* Is stdout a pipe that nobody reads any more? */
static bool output_is_gone(void) {
    struct pollfd out = {1, POLLOUT, 0};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

int cli_fail(struct err e, int status) {
    const char *msg = err_msg(e);
    /* As if the signal had ended us, as it ends the peer. */
    if (err_errnum(e) == EPIPE && output_is_gone())
        status = PIPE_STATUS;
    bool ours = err_kind(e) == ERR_UNAVAILABLE || !strncmp(msg, "corten: ", 8);
    fflush(stdout);
    fprintf(stderr, "%s%s\n", ours ? "" : "Error response from daemon: ", msg);
    err_free(e);
    return status;
}

int cli_usage(const struct invocation *in, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "corten: ");
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n\nUsage:  corten %s\n\nRun 'corten %s --help' for more information\n",
            in->command->usage, in->command->name);
    return 1;
}

static void show_wait(void *arg, int64_t waited) {
    const struct invocation *in = arg;
    if (waited < 0)
        fprintf(stderr, "\r\033[K");
    else if (waited >= NSEC_PER_SEC)
        fprintf(stderr, "\r%s: %lld s\033[K", in->command->name,
                (long long)(waited / NSEC_PER_SEC));
}

struct client *cli_connect(struct invocation *in) {
    struct client *c = NULL;
    const char *version = getenv("DOCKER_API_VERSION");
    struct err e = version && *version ? client_open_version(in->host, version, &c)
                                       : client_open(in->host, &c);
    if (err_failed(e)) {
        fflush(stdout);
        fprintf(stderr, "%s\n", err_msg(e));
        if (err_kind(e) == ERR_FORBIDDEN)
            fprintf(stderr, "Run it as root, or as a member of the group that owns the socket.\n");
        else if (err_kind(e) == ERR_UNAVAILABLE && !strncmp(in->host, "unix://", 7))
            fprintf(stderr, "Start it with 'systemctl start corten', or say where it listens "
                            "(-H, CORTEN_HOST, 'corten context use').\n");
        err_free(e);
        return NULL;
    }
    client_set_headers(c, config_headers(in->config, &in->arena));
    client_set_trace(c, in->debug);
    if (in->command->waits && isatty(2))
        client_on_wait(c, show_wait, in);
    return c;
}

static void print(struct buf *text, FILE *to) {
    fwrite(buf_cstr(text), 1, text->len, to);
    buf_done(text);
}

static int unknown(const char *group, const char *word) {
    CLEAN_ARENA struct arena a = {0};
    const char *refused = *group ? NULL : extension_refused(word);
    if (refused) {
        fprintf(stderr, "corten: '%s' is not supported: %s\n", word, refused);
        return 1;
    }
    const char *near = command_meant(group, word, &a), *gap = *group ? " " : "";
    fprintf(stderr, "corten: unknown command: corten %s%s%s\n", group, gap, word);
    if (near)
        fprintf(stderr, "Did you mean 'corten %s%s%s'?\n", group, gap, near);
    fprintf(stderr, "\nRun 'corten %s%s--help' for more information\n", group, gap);
    return 1;
}

/* "corten container": its help; "corten container nonsense": not known. */
static int run_group(const struct command_group *g, char **argv) {
    struct buf text = {0};
    if (argv[0] && strcmp(argv[0], "--help") != 0)
        return argv[0][0] == '-' ? (fprintf(stderr, "corten: unknown flag: %s\n", argv[0]), 125)
                                 : unknown(g->name, argv[0]);
    group_help(g->name, &text);
    print(&text, argv[0] ? stdout : stderr); /* not asked for: not what a pipe wants to read */
    return 0;
}

static int check_args(struct invocation *in) {
    const struct command *c = in->command;
    if (in->args_n >= c->args_min && (c->args_max < 0 || in->args_n <= c->args_max))
        return 0;
    int wanted = in->args_n < c->args_min ? c->args_min : c->args_max;
    if (c->args_max == 0)
        return cli_usage(in, "'corten %s' accepts no arguments", c->name);
    return cli_usage(in, "'corten %s' %s %d argument%s", c->name,
                     c->args_min == c->args_max ? "requires"
                     : in->args_n < c->args_min ? "requires at least"
                                                : "requires at most",
                     wanted, wanted == 1 ? "" : "s");
}

static int run_command(const struct command *c, struct globals *g, char **argv) {
    struct invocation in = {.config = &g->config};
    bool want_help;
    struct buf help = {0};
    struct err e = options_parse(c, argv, &in, &want_help);
    int status = 0;
    if (err_failed(e)) {
        cli_usage(&in, "%s", err_msg(e));
        err_free(e);
        status = 125; /* as the peer, for every command */
    } else if (want_help) {
        command_help(c, &help);
        print(&help, stdout);
    } else if ((status = check_args(&in)) == 0) {
        in.context = context_current(g, &in.arena);
        in.debug = g->debug || (g->log_level && !strcmp(g->log_level, "debug"));
        e = host_find(g, &in.arena, &in.host);
        /* What works without a daemon must work with a context that is broken, too. */
        if (err_failed(e) && !strncmp(c->name, "context", 7)) {
            err_free(e);
            e = OK;
        }
        status = err_failed(e) ? cli_fail(e, 1) : c->run(&in);
    }
    if (in.host && in.args_n && (status == 1 || status == 125))
        cli_suggest(&in);
    options_done(c, &in);
    return status;
}

/* argv: the command's words; all: the whole line. */
static int dispatch(struct globals *g, char **argv, char **all) {
    int words;
    struct buf help = {0};
    if (g->help || !argv[0] || (!strcmp(argv[0], "help") && !argv[1])) {
        program_help(&help);
        print(&help, stdout);
        return 0;
    }
    if (!strcmp(argv[0], "help")) {
        char *ask = (char *)"--help", *asked[8] = {0};
        int n = 0;
        while (n < 6 && argv[n + 1]) {
            asked[n] = argv[n + 1];
            n++;
        }
        asked[n] = ask;
        return dispatch(g, asked, asked);
    }
    const struct command *c = command_find(argv, &words);
    if (c)
        return run_command(c, g, argv + words);
    const struct command_group *group = group_find(argv[0]);
    if (group)
        return run_group(group, argv + 1);
    TRYF_STATUS(extension_run(g, argv[0], all));
    return unknown("", argv[0]);
}

int cli_main(int argc, char **argv) {
    struct globals g = {0};
    int first, status;
    signal(SIGPIPE, SIG_IGN);
    /* A short life: memory is asked for in large pieces, and not given back before the end. */
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_MMAP_THRESHOLD, 1 << 26);
    struct err e = globals_parse(argc, argv, &g, &first);
    if (err_failed(e)) {
        fprintf(stderr, "%s\n\nRun 'corten --help' for more information\n", err_msg(e));
        err_free(e);
        return 125;
    }
    if (g.version) {
        printf("corten version %s\n", CORTEN_VERSION);
        return 0;
    }
    e = config_load(g.config_dir, &g.config);
    if (err_failed(e)) {
        fprintf(stderr, "WARNING: %s\n", err_msg(e));
        err_free(e);
    }
    status = dispatch(&g, argv + first, argv);
    config_done(&g.config);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
        return cli_fail(
            err_errno(output_is_gone() ? EPIPE : errno, "corten: write to standard output"), 1);
    return status;
}
