/* Global options, the way to the command, errors. */
#include "cli/cli.h"
#include "cli/command.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_HOST "unix:///run/corten/corten.sock"

int cli_fail(struct err e, int status) {
    bool ours = err_kind(e) == ERR_UNAVAILABLE || !strncmp(err_msg(e), "corten: ", 8);
    fprintf(stderr, "%s%s\n", ours ? "" : "Error response from daemon: ", err_msg(e));
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

struct client *cli_connect(struct invocation *in) {
    struct client *c = NULL;
    struct err e = client_open(in->host, &c);
    if (err_failed(e)) {
        fprintf(stderr, "%s\n", err_msg(e));
        err_free(e);
        return NULL;
    }
    return c;
}

/* --- finding the command
 * -------------------------------------------------------------------------------------------- */

/* Does the command's name, or an alias, stand at the start of argv? Returns its number of words. */
static int matches(struct str name, char **argv) {
    struct str word;
    int n = 0;
    while (str_next(&name, ' ', &word)) {
        if (!argv[n] || !str_eqz(word, argv[n]))
            return 0;
        n++;
    }
    return n;
}

static const struct command *find_command(char **argv, int *ret_words) {
    const struct command *best = NULL;
    *ret_words = 0;
    for (size_t i = 0; i < cli_commands_n; i++) {
        struct str rest = str_of(cli_commands[i]->alias), name = str_of(cli_commands[i]->name);
        do {
            int n = matches(str_trim(name), argv);
            if (n > *ret_words) {
                *ret_words = n;
                best = cli_commands[i];
            }
        } while (str_next(&rest, ',', &name));
    }
    return best;
}

static void help(void) {
    printf("Usage:  corten [OPTIONS] COMMAND\n\nBuilds, ships and runs containers.\n\nCommands:\n");
    for (size_t i = 0; i < cli_commands_n; i++)
        printf("  %-10s  %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("\nOptions:\n  -H, --host HOST   socket of the daemon (default $CORTEN_HOST, "
           "$DOCKER_HOST, " DEFAULT_HOST ")\n"
           "  -v, --version     print the version and end\n      --help        print this help and "
           "end\n\n"
           "Run 'corten COMMAND --help' for more about a command.\n");
}

/* Distance of two words, for the suggestion. */
static size_t distance(const char *a, const char *b) {
    size_t row[64], n = MIN(strlen(b), ARRAY_LEN(row) - 1);
    for (size_t k = 0; k <= n; k++)
        row[k] = k;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= n; k++) {
            size_t up = row[k];
            row[k] = MIN(MIN(row[k], row[k - 1]) + 1, diagonal + (a[i - 1] != b[k - 1]));
            diagonal = up;
        }
    }
    return row[n];
}

static int unknown(const char *word) {
    const char *near = NULL;
    size_t least = 3;
    for (size_t i = 0; i < cli_commands_n; i++)
        if (distance(word, cli_commands[i]->name) < least) {
            least = distance(word, cli_commands[i]->name);
            near = cli_commands[i]->name;
        }
    fprintf(stderr, "corten: unknown command: corten %s\n", word);
    if (near)
        fprintf(stderr, "Did you mean 'corten %s'?\n", near);
    fprintf(stderr, "\nRun 'corten --help' for more information\n");
    return 1;
}

static int run_command(const struct command *c, const char *host, char **argv) {
    struct invocation in = {.host = host};
    bool want_help;
    int status;
    struct err e = options_parse(c, argv, &in, &want_help);
    if (err_failed(e)) {
        cli_usage(&in, "%s", err_msg(e));
        err_free(e);
        status = 125; /* as the peer, for every command */
    } else if (want_help) {
        command_help(c);
        status = 0;
    } else if (in.args_n < c->args_min || (c->args_max >= 0 && in.args_n > c->args_max)) {
        cli_usage(&in, "'corten %s' %s %d argument%s", c->name,
                  c->args_min == c->args_max ? "requires"
                  : in.args_n < c->args_min  ? "requires at least"
                                             : "accepts at most",
                  in.args_n < c->args_min ? c->args_min : c->args_max,
                  (in.args_n < c->args_min ? c->args_min : c->args_max) == 1 ? "" : "s");
        status = 1;
    } else {
        status = c->run(&in);
    }
    options_done(c, &in);
    return status;
}

int cli_main(int argc, char **argv) {
    const char *host = getenv("CORTEN_HOST");
    int i = 1;
    signal(SIGPIPE, SIG_IGN);
    if (!host || !*host)
        host = getenv("DOCKER_HOST");
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            help();
            return 0;
        }
        if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-v")) {
            printf("corten version %s\n", CORTEN_VERSION);
            return 0;
        }
        if (!strncmp(argv[i], "--host=", 7)) {
            host = argv[i] + 7;
        } else if ((!strcmp(argv[i], "--host") || !strcmp(argv[i], "-H")) && i + 1 < argc) {
            host = argv[++i];
        } else {
            fprintf(stderr, "corten: unknown flag: %s\nRun 'corten --help' for more information\n",
                    argv[i]);
            return 125;
        }
    }
    if (i >= argc) {
        help();
        return 0;
    }
    int words;
    const struct command *c = find_command(argv + i, &words);
    if (!c)
        return unknown(argv[i]);
    return run_command(c, host && *host ? host : DEFAULT_HOST, argv + i + words);
}
