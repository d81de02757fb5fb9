/* command.h - commands as rows of a table, and what they share. Private to cli/. */
#pragma once
#include "base/vec.h"
#include "client/client.h"

enum option_kind {
    OPTION_FLAG, /* bool */
    OPTION_TEXT, /* const char * */
    OPTION_LIST, /* struct strv, borrowed strings copied */
    OPTION_INT,  /* int64_t */
};
struct option_row {
    char letter; /* 0: none */
    const char *name, *argument, *help;
    enum option_kind kind;
    size_t offset; /* in the command's option struct */
};
struct command;
struct invocation {
    const struct command *command;
    const char *host;
    void *options; /* command->options_size bytes, zeroed, then parsed */
    char **args;   /* what follows the options, NULL-terminated */
    int args_n;
    struct arena arena;
};
struct command {
    const char *name;  /* "run", "image ls" … */
    const char *alias; /* other names, comma-separated; or NULL */
    const char *usage, *summary;
    const struct option_row *options;
    size_t options_n, options_size;
    int args_min, args_max; /* max -1: any number */
    bool stop_at_args;      /* options end at the first argument (run, exec) */
    int (*run)(struct invocation *in);
};
extern const struct command *const cli_commands[];
extern const size_t cli_commands_n;

#define OPTIONS_OF(rows, type) \
    .options = (rows), .options_n = ARRAY_LEN(rows), .options_size = sizeof(type)
#define FLAG(type, member, short_, long_, help_)                                   \
    {                                                                              \
        .letter = (short_), .name = (long_), .help = (help_), .kind = OPTION_FLAG, \
        .offset = offsetof(type, member)                                           \
    }
#define TEXT(type, member, short_, long_, arg_, help_)                            \
    {                                                                             \
        .letter = (short_), .name = (long_), .argument = (arg_), .help = (help_), \
        .kind = OPTION_TEXT, .offset = offsetof(type, member)                     \
    }
#define LIST(type, member, short_, long_, arg_, help_)                            \
    {                                                                             \
        .letter = (short_), .name = (long_), .argument = (arg_), .help = (help_), \
        .kind = OPTION_LIST, .offset = offsetof(type, member)                     \
    }
#define INT(type, member, short_, long_, arg_, help_)                             \
    {                                                                             \
        .letter = (short_), .name = (long_), .argument = (arg_), .help = (help_), \
        .kind = OPTION_INT, .offset = offsetof(type, member)                      \
    }

/* Parses argv (after the command's words) into in->options and in->args. pflag's rules:
 * --name=value, --name value, -nvalue, -n value, joined flags, --flag=false, `--` ends. ERR_INVALID
 * with the peer's words. *ret_help: --help was asked for. */
struct err options_parse(const struct command *c, char **argv, struct invocation *in,
                         bool *ret_help);
void options_done(const struct command *c, struct invocation *in);
void command_help(const struct command *c);

/* --- what commands share
 * -------------------------------------------------------------------------------------- */
/* Opens the connection; on failure prints why and returns NULL. */
struct client *cli_connect(struct invocation *in);
/* "corten: Error response from daemon: …" (or our own words) on stderr; consumes e; returns status.
 */
int cli_fail(struct err e, int status);
/* Wrong use: message, how to get help; returns 1. */
int cli_usage(const struct invocation *in, const char *fmt, ...) PRINTF(2, 3);
/* GET target; the answer is an array: ret->items has elements of table->size. */
struct err cli_get_array(struct client *c, const char *target, const struct fields *table,
                         struct arena *a, struct objs *ret);
/* Runs fn for each argument; prints it when it worked; returns 1 when one failed. */
int cli_for_each(struct invocation *in,
                 struct err (*fn)(struct client *c, struct invocation *in, const char *arg));
/* Waits, after client_begin, for the answer of a wait call. */
struct err cli_read_wait(struct client *c, int64_t *ret_code);
/* Tables: cells separated by tabs, rows by newlines; prints aligned columns with three blanks
 * between. */
void table_print(struct str text);
/* "2 minutes ago" as the peer words it; sizes in powers of 1000 ("12.3MB"). */
void human_since(int64_t ns, struct buf *out);
void human_size(double bytes, struct buf *out);
/* Progress messages on a terminal: one line per id, redrawn; plain lines otherwise. */
struct progress {
    bool quiet, tty;
    VEC(char *) ids;
    char *aux_id; /* image id of the last aux */
};
struct err progress_show(void *arg, const struct api_message *m);
void progress_done(struct progress *p);

/* terminal.c */
struct terminal {
    bool is_raw;
    void *saved;
};
bool terminal_raw(struct terminal *t); /* false: stdin is no terminal */
void terminal_restore(struct terminal *t);
void terminal_size(unsigned *ret_rows, unsigned *ret_columns); /* 0, 0 when unknown */

/* attach_io.c: joins this process's standard streams and a container's. */
struct attach_io {
    struct client_stream *stream;
    bool in, tty;
    struct client *control; /* for resize and signals; NULL: neither */
    const char *id;         /* container, or exec when is_exec */
    bool is_exec, proxy_signals;
    bool detached; /* set: the user pressed the detach keys */
};
/* Runs until the stream ends. */
struct err attach_run(struct attach_io *io);

/* ports.c, size and number texts of `run`. */
struct err port_option(const char *text, struct objmap *bindings, struct strs *exposed,
                       struct arena *a);
struct err size_option(const char *text, int64_t *ret);
struct err cpus_option(const char *text, int64_t *ret_nano);
