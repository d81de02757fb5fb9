/* help.c - what --help prints, and the way from words to a command; all from the table. */
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_WIDTH 80
#define HELP_COLUMN 34 /* widest left column */

/* --- finding the command ---------------------------------------------------------------------- */

/* Does the name stand at the start of argv? Returns its number of words. */
static int matches(struct str name, char *const *argv) {
    struct str word;
    int n = 0;
    while (str_next(&name, ' ', &word)) {
        if (!argv[n] || !str_eqz(word, argv[n]))
            return 0;
        n++;
    }
    return n;
}

const struct command *command_find(char *const *argv, int *ret_words) {
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

const struct command_group *group_find(const char *name) {
    for (size_t i = 0; i < cli_groups_n; i++)
        if (!strcmp(cli_groups[i].name, name))
            return &cli_groups[i];
    return NULL;
}

/* Edits between two words (swapped neighbours are one), for the suggestion. */
static size_t distance(const char *a, const char *b) {
    size_t rows[3][64], n = MIN(strlen(b), ARRAY_LEN(rows[0]) - 1), i = 1;
    for (size_t k = 0; k <= n; k++)
        rows[0][k] = k;
    for (; a[i - 1]; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t k = 1; k <= n; k++) {
            now[k] = MIN(MIN(last[k], now[k - 1]) + 1, last[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = MIN(now[k], before[k - 2] + 1);
        }
    }
    return rows[(i + 2) % 3][n];
}

void name_nearer(const char *word, const char *name, size_t *least, const char **best) {
    size_t d = strlen(word) < 60 ? distance(word, name) : 99;
    if (d < *least && d < strlen(word)) {
        *least = d;
        *best = name;
    }
}

static void nearer(const char *word, struct str name, struct arena *a, size_t *least,
                   const char **best) {
    name_nearer(word, arena_str(a, name), least, best);
}

const char *command_meant(const char *group, const char *word, struct arena *a) {
    const char *best = NULL;
    size_t least = 3;
    for (size_t i = 0; i < cli_commands_n; i++) {
        struct str rest = str_of(cli_commands[i]->alias), name = str_of(cli_commands[i]->name);
        do {
            struct str first, second;
            bool two = str_cut(str_trim(name), ' ', &first, &second);
            if (cli_commands[i]->hidden)
                break;
            if (*group ? two && str_eqz(first, group) : !two)
                nearer(word, *group ? second : first, a, &least, &best);
        } while (str_next(&rest, ',', &name));
    }
    for (size_t i = 0; !*group && i < cli_groups_n; i++)
        nearer(word, str_of(cli_groups[i].name), a, &least, &best);
    return best;
}

/* --- help ------------------------------------------------------------------------------------- */

/* Left column, then words wrapped into the right one. */
static void entry(struct buf *out, struct str left, size_t column, const char *text) {
    size_t used = column, at = 0;
    buf_add_str(out, left);
    if (left.len + 2 > column) {
        buf_addc(out, '\n');
        at = 0;
    } else {
        at = left.len;
    }
    for (; at < column; at++)
        buf_addc(out, ' ');
    struct str rest = str_of(text), word;
    for (bool first = true; str_next(&rest, ' ', &word); first = false) {
        if (!first && used + 1 + word.len > HELP_WIDTH) {
            buf_addf(out, "\n%*s", (int)column, "");
            used = column;
            first = true;
        }
        buf_adds(out, first ? "" : " ");
        buf_add_str(out, word);
        used += word.len + !first;
    }
    buf_addc(out, '\n');
}

static int compare_options(const void *a, const void *b) {
    return strcmp((*(const struct option_row *const *)a)->name,
                  (*(const struct option_row *const *)b)->name);
}

static void left_of(const struct option_row *o, struct buf *out) {
    if (o->letter)
        buf_addf(out, "  -%c, --%s", o->letter, o->name);
    else
        buf_addf(out, "      --%s", o->name);
    if (o->argument)
        buf_addf(out, " %s", o->argument);
    else if (o->kind == OPTION_INT)
        buf_adds(out, " N");
}

static void options_help(const struct command *c, struct buf *out) {
    const struct option_row **sorted = mem_array(c->options_n + 1, sizeof *sorted);
    size_t n = 0, column = 0;
    for (size_t i = 0; i < c->options_n; i++) {
        CLEAN_BUF struct buf left = {0};
        if (!c->options[i].help)
            continue;
        sorted[n++] = &c->options[i];
        left_of(&c->options[i], &left);
        if (left.len <= HELP_COLUMN)
            column = MAX(column, left.len);
    }
    qsort(sorted, n, sizeof *sorted, compare_options);
    if (n > 0)
        buf_adds(out, "\nOptions:\n");
    for (size_t i = 0; i < n; i++) {
        CLEAN_BUF struct buf left = {0};
        left_of(sorted[i], &left);
        bool shown = sorted[i]->otherwise && strcmp(sorted[i]->otherwise, "false") != 0;
        CLEAN_FREE char *text = shown ? mem_printf("%s (default %s)", sorted[i]->help,
                                                   sorted[i]->otherwise)
                                      : mem_strdup(sorted[i]->help);
        entry(out, buf_str(&left), column + 3, text);
    }
    free(sorted);
}

void command_help(const struct command *c, struct buf *out) {
    buf_addf(out, "Usage:  corten %s\n\n%s\n", c->usage, c->summary);
    if (c->alias) {
        struct str rest = str_of(c->alias), name;
        buf_addf(out, "\nAliases:\n  corten %s", c->name);
        while (str_next(&rest, ',', &name)) {
            name = str_trim(name);
            buf_addf(out, ", corten %.*s", STR_ARG(name));
        }
        buf_addc(out, '\n');
    }
    options_help(c, out);
    if (c->examples) {
        struct str rest = str_of(c->examples), line, command, what;
        buf_adds(out, "\nExamples:\n");
        while (str_next(&rest, '\n', &line)) {
            str_cut(line, '\t', &command, &what);
            buf_addf(out, "  # %.*s\n  $ %.*s\n", STR_ARG(what), STR_ARG(command));
        }
    }
}

static bool in_group(struct str name, const char *group, struct str *ret_rest) {
    struct str first;
    return str_cut(str_trim(name), ' ', &first, ret_rest) && str_eqz(first, group);
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "name\tsummary" lines, sorted, in two columns. */
static void name_list(struct strv *lines, struct buf *out) {
    size_t column = 0;
    qsort(lines->items, lines->n, sizeof *lines->items, compare_lines);
    for (size_t i = 0; i < lines->n; i++)
        column = MAX(column, (size_t)str_find(str_of(lines->items[i]), '\t'));
    for (size_t i = 0; i < lines->n; i++) {
        struct str name, summary;
        str_cut(str_of(lines->items[i]), '\t', &name, &summary);
        CLEAN_FREE char *left = mem_printf("  %.*s", STR_ARG(name));
        entry(out, str_of(left), column + 4, summary.p);
    }
}

void group_help(const char *group, struct buf *out) {
    CLEAN_STRV struct strv lines = {0};
    buf_addf(out, "Usage:  corten %s COMMAND\n\n%s\n\nCommands:\n", group,
             group_find(group)->summary);
    for (size_t i = 0; i < cli_commands_n; i++) {
        struct str rest = str_of(cli_commands[i]->alias), name = str_of(cli_commands[i]->name), sub;
        do {
            if (!cli_commands[i]->hidden && in_group(name, group, &sub)) {
                strv_addf(&lines, "%.*s\t%s", STR_ARG(sub), cli_commands[i]->summary);
                break;
            }
        } while (str_next(&rest, ',', &name));
    }
    name_list(&lines, out);
    buf_addf(out, "\nRun 'corten %s COMMAND --help' for more about a command.\n", group);
}

static const char *const common[] = {"run",  "exec",   "ps",    "build", "pull",
                                     "push", "images", "login", "top",   "logs"};

static bool is_common(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (!strcmp(common[i], name))
            return true;
    return false;
}

void program_help(struct buf *out) {
    CLEAN_STRV struct strv first = {0}, groups = {0}, others = {0};
    buf_adds(out, "Usage:  corten [OPTIONS] COMMAND\n\nBuilds, ships and runs containers.\n");
    for (size_t i = 0; i < cli_commands_n; i++) {
        const struct command *c = cli_commands[i];
        if (!c->hidden && !strchr(c->name, ' '))
            strv_addf(is_common(c->name) ? &first : &others, "%s\t%s", c->name, c->summary);
    }
    for (size_t i = 0; i < cli_groups_n; i++)
        strv_addf(&groups, "%s\t%s", cli_groups[i].name, cli_groups[i].summary);
    buf_adds(out, "\nCommon commands:\n");
    name_list(&first, out);
    buf_adds(out, "\nGroups of commands:\n");
    name_list(&groups, out);
    buf_adds(out, "\nCommands:\n");
    name_list(&others, out);
    buf_adds(out, "\nOptions:\n"
                  "      --config DIR          Where config.json and contexts are (~/.docker)\n"
                  "  -c, --context NAME        Context that says which daemon is meant\n"
                  "  -D, --debug               Print what is asked of the daemon\n"
                  "  -H, --host HOST           Daemon: unix://PATH, tcp://HOST:PORT, ssh://HOST\n"
                  "  -l, --log-level LEVEL     debug, info, warn, error or fatal (default info)\n"
                  "      --tls                 Use TLS, without checking who answers\n"
                  "      --tlscacert FILE      Who signs for the daemon (~/.docker/ca.pem)\n"
                  "      --tlscert FILE        Our certificate (~/.docker/cert.pem)\n"
                  "      --tlskey FILE         Our key (~/.docker/key.pem)\n"
                  "      --tlsverify           Use TLS, and check who answers\n"
                  "  -v, --version             Print the version and end\n"
                  "      --help                Print this help and end\n\n"
                  "Run 'corten COMMAND --help' for more about a command.\n");
}
