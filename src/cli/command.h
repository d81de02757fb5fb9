/* command.h - commands as rows of a table, and what they share. Private to cli/. */
#pragma once
#include "base/template.h"
#include "base/vec.h"
#include "client/client.h"
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_LIST,   /* struct strv, borrowed strings copied */
    OPTION_COMMAS, /* struct strv; a value may be several, with commas between */
    OPTION_FILTER, /* struct strv; every one is NAME=VALUE */
    OPTION_INT,    /* int64_t */
    OPTION_BYTES,  /* int64_t; "512m", "2g" */
    OPTION_FORMAT, /* const char *; a Go template, "table …" or "json" */
};
struct option_row {
    char letter; /* 0: none */
    const char *name, *argument;
    const char *help; /* NULL: works, is not shown */
    enum option_kind kind;
    size_t offset;         /* in the command's option struct */
    const char *otherwise; /* value when it is not given; shown */
};
struct command;
struct invocation {
    const struct command *command;
    const char *host, *context;
    bool debug;
    const struct config *config;
    void *options; /* command->options_size bytes, zeroed, then parsed */
    bool *given;   /* by row of the options */
    char **args;   /* what follows the options, NULL-terminated */
    int args_n;
    bool json; /* --json */
    struct arena arena;
};
struct command {
    const char *name;  /* "run", "volume ls" … */
    const char *alias; /* other names, comma-separated; or NULL */
    const char *usage, *summary;
    const char *examples; /* lines: a command line, a tab, what it does; or NULL */
    const struct option_row *options;
    size_t options_n, options_size;
    int args_min, args_max; /* max -1: any number */
    bool stop_at_args;      /* options end at the first argument (run, exec) */
    bool hidden;            /* not in the help */
    bool waits;             /* its calls may take seconds: a terminal is told how long */
    bool json;              /* --json changes what it prints (so does a --format) */
    const char *names;      /* what its arguments are, for completion: "container", "image" … */
    int (*run)(struct invocation *in);
};
struct command_group {
    const char *name, *summary;
};
extern const struct command *const cli_commands[];
extern const size_t cli_commands_n;
extern const struct command_group cli_groups[];
extern const size_t cli_groups_n;

#define OPTIONS_OF(rows, type) \
    .options = (rows), .options_n = ARRAY_LEN(rows), .options_size = sizeof(type)
#define OPTION_(type, member, short_, long_, arg_, help_, kind_)                                   \
    {                                                                                              \
        .letter = (short_), .name = (long_), .argument = (arg_), .help = (help_), .kind = (kind_), \
        .offset = offsetof(type, member)                                                           \
    }
#define FLAG(type, member, short_, long_, help_) \
    OPTION_(type, member, short_, long_, NULL, help_, OPTION_FLAG)
/* A flag that is on unless =false is said. */
#define FLAG_ON(type, member, short_, long_, help_)                                \
    {                                                                              \
        .letter = (short_), .name = (long_), .help = (help_), .kind = OPTION_FLAG, \
        .offset = offsetof(type, member), .otherwise = "true"                      \
    }
#define TEXT(type, member, short_, long_, arg_, help_) \
    OPTION_(type, member, short_, long_, arg_, help_, OPTION_TEXT)
#define LIST(type, member, short_, long_, arg_, help_) \
    OPTION_(type, member, short_, long_, arg_, help_, OPTION_LIST)
#define COMMAS(type, member, short_, long_, arg_, help_) \
    OPTION_(type, member, short_, long_, arg_, help_, OPTION_COMMAS)
#define INT(type, member, short_, long_, arg_, help_) \
    OPTION_(type, member, short_, long_, arg_, help_, OPTION_INT)
#define BYTES(type, member, short_, long_, arg_, help_) \
    OPTION_(type, member, short_, long_, arg_, help_, OPTION_BYTES)
#define FILTER(type, member) \
    OPTION_(type, member, 'f', "filter", "NAME=VALUE", "Show only what matches this", OPTION_FILTER)
#define FORMAT(type, member)                                                                \
    OPTION_(type, member, 0, "format", "TEMPLATE",                                          \
            "Print each row by this Go template: 'TEMPLATE', 'table TEMPLATE', 'table' or " \
            "'json'",                                                                       \
            OPTION_FORMAT)

/* Parses argv (after the command's words) into in->options and in->args. pflag's rules:
 * --name=value, --name value, -nvalue, -n value, joined flags, --flag=false, `--` ends. ERR_INVALID
 * with the peer's words. *ret_help: --help was asked for. */
struct err options_parse(const struct command *c, char **argv, struct invocation *in,
                         bool *ret_help);
void options_done(const struct command *c, struct invocation *in);
bool option_given(const struct invocation *in, const char *name);

/* help.c */
void command_help(const struct command *c, struct buf *out);
void group_help(const char *group, struct buf *out);
void program_help(struct buf *out);
/* Finds the command at the start of argv; NULL and 0 words when there is none. */
const struct command *command_find(char *const *argv, int *ret_words);
const struct command_group *group_find(const char *name);
/* The nearest known word below this one ("" for the top), or NULL. */
const char *command_meant(const char *group, const char *word, struct arena *a);
/* Makes name the best when it is fewer edits away from word than *least (start with 3). */
void name_nearer(const char *word, const char *name, size_t *least, const char **best);

/* --- what commands share ---------------------------------------------------------------------- */
/* Opens the connection; on failure prints why and returns NULL. */
struct client *cli_connect(struct invocation *in);
/* "corten: Error response from daemon: …" (or our own words) on stderr; consumes e; returns status.
 */
int cli_fail(struct err e, int status);
/* Wrong use: message, how to get help; returns 1. */
int cli_usage(const struct invocation *in, const char *fmt, ...) PRINTF(2, 3);
/* In a command's run: an error ends it with status 1. */
#define TRYF_STATUS(expr)                  \
    do {                                   \
        struct err status_e_ = (expr);     \
        if (err_failed(status_e_))         \
            return cli_fail(status_e_, 1); \
    } while (0)
/* GET target; the answer is an array: ret->items has elements of table->size. */
struct err cli_get_array(struct client *c, const char *target, const struct fields *table,
                         struct arena *a, struct objs *ret);
/* GET target; the body as it came. */
struct err cli_get_raw(struct client *c, const char *target, struct buf *ret);
/* The rest of an answer, after client_begin. */
struct err cli_read_body(struct client *c, struct buf *ret);
struct err cli_delete(struct client *c, const char *target);
/* POST without a body; "it is so already" is success. */
struct err cli_post(struct client *c, const char *target);
/* POST of a document whose answer is one. */
struct err cli_post_document(struct client *c, const char *target, const struct fields *in_fields,
                             const void *in, const struct fields *out_fields, void *out,
                             struct arena *a);
/* Runs fn for each argument; prints it when it worked; returns 1 when one failed. */
int cli_for_each(struct invocation *in,
                 struct err (*fn)(struct client *c, struct invocation *in, const char *arg));
/* POST with an empty document whose answer is an id, which is printed; the exit status. */
int cli_make(struct invocation *in, struct client *c, const char *target);
/* Prints value, or {"key":"value"} with --json. */
void cli_say(const struct invocation *in, const char *key, const char *value);
/* Waits, after client_begin, for the answer of a wait call. */
struct err cli_read_wait(struct client *c, int64_t *ret_code);
/* NAME=VALUE texts as the `filters` parameter. */
struct err filter_query(const struct strv *filters, struct buf *target);
/* SHA-256 of a text in hex. libcrypto is loaded by the call: what starts need not wait for it. */
struct err cli_hash(const char *text, struct arena *a, char **ret);
/* A copy in the arena. */
void *cli_copy(struct arena *a, const void *p, size_t size);
/* A time as the API takes it: "10m" is so long ago; NULL stays NULL. */
char *cli_time_option(const char *text, struct arena *a);
/* Asks on the terminal; false: no. */
bool cli_confirm(const char *question);
/* 125, 126 or 127 by the daemon's words about a failed start. */
int start_failure_status(const char *message);
/* "repo:tag" → repo, tag ("" when none); a colon before a slash belongs to a port. */
void cli_split_tag(const char *text, struct arena *a, const char **ret_repo, const char **ret_tag);
/* The name with ":latest" when it has neither tag nor digest; else name itself. */
const char *cli_with_tag(const char *name, struct arena *a);
ssize_t cli_read_fd(void *arg, void *p, size_t n); /* body_read; arg: int * */
/* Bytes that have gone by, told to a terminal once it takes longer than a second. */
struct meter {
    bool tells;
    const char *words; /* before the amount; NULL: none */
    int64_t begun, shown;
    uint64_t bytes;
};
void meter_add(struct meter *m, size_t bytes);
void meter_end(struct meter *m); /* takes the line away */
/* Copies the rest of an answer to fd; m NULL: a meter of its own, unless fd is the terminal. */
struct err cli_copy_out(struct client *c, int fd, struct meter *m);
/* GET collection/ARGUMENT/export into a file, or to stdout, which may be no terminal. The status.
 * Its option is the one row of this table. */
struct export_options {
    const char *output;
};
extern const struct option_row export_rows[1];
int cli_export(struct invocation *in, const char *collection);

/* show.c, table.c: tables, human sizes and times, progress. */
/* Cells separated by tabs, rows by newlines → aligned columns, three blanks between, at least ten
 * wide (Go's tabwriter). width > 0: the widest cells are shortened until a row fits. */
void table_align(struct str text, size_t width, struct buf *out);
/* The same with columns of at least `least` cells. */
void table_align_wide(struct str text, size_t least, struct buf *out);
/* The same on stdout; fits and marks headings when that is a terminal. */
void table_print(struct str text, bool may_cut);
/* "2 minutes", as the peer words it. */
void human_duration(int64_t ns, struct buf *out);
void human_since(int64_t ns, struct buf *out); /* "… ago" */
/* Powers of 1000 ("12.3MB") and of 1024 ("12.3MiB"); digits: significant ones. */
void human_bytes(double bytes, int digits, struct buf *out);
void human_bytes_binary(double bytes, int digits, struct buf *out);
void human_size(double bytes, struct buf *out); /* three digits */
bool cli_colour(int fd);                        /* a terminal, and NO_COLOR is not set */
/* Progress messages on a terminal: one line per id, redrawn; plain lines otherwise. */
struct progress {
    bool quiet, tty;
    bool bar;  /* the cursor is behind one that has no line of its own */
    FILE *out; /* NULL: stdout */
    VEC(char *) ids;
    char *aux_id; /* image id of the last aux */
};
struct err progress_show(void *arg, const struct api_message *m);
/* image.c: pushes one name with the credentials of our configuration, and shows how it goes. */
struct cli_push {
    const char *name, *platform; /* platform NULL: the image's */
    bool all_tags, quiet;
};
struct err cli_push(struct invocation *in, struct client *c, const struct cli_push *p);
void progress_done(struct progress *p);

/* format.c: rows by --format. */
struct listing {
    const struct template_type *type;
    struct template *template;
    struct buf out;
    bool is_table, may_cut, colour;
};
/* format: the user's, or NULL: the configuration's or the built-in one. What it prints appears at
 * listing_end. */
struct err listing_begin(struct listing *l, const char *format, const char *configured,
                         const char *otherwise, const struct template_type *type);
struct err listing_row(struct listing *l, const void *self);
int listing_end(struct listing *l, struct err e); /* consumes e; the exit status */
/* list.c: a command that lists. */
struct cli_list {
    const char *target;          /* of the call, with its queries */
    const struct strv *filter;   /* NULL: none */
    const struct fields *fields; /* of an element */
    const char *format;          /* the user's; NULL: none */
    const char *config;          /* key of the configuration's format; NULL: none */
    const char *otherwise;       /* columns when nothing is said */
    const char *quiet;           /* instead, with -q; else NULL */
    const struct template_type *type;
    bool whole; /* nothing is shortened */
    /* The member (char *) to sort by, naturally ("n2" before "n10"): offset + 1; 0: as they come.
     */
    size_t sort_by;
    /* An element's rows; NULL: the element is the row. */
    struct err (*row)(struct listing *l, const void *element, struct invocation *in);
};
/* Asks, prints; the exit status. */
int cli_list(struct invocation *in, const struct cli_list *list);
/* The same with an answer that is there already. */
int cli_rows(struct invocation *in, const struct cli_list *list, const struct objs *found);
/* Prints one document by a template ("json", or NULL for none). */
/* ERR_INVALID: the template is none, which is TEMPLATE_STATUS to the peer; see template_status. */
#define TEMPLATE_STATUS 64
/* TEMPLATE_STATUS when the error is about a template's text, 1 when about what came of it. */
int template_status(struct err e);
struct err document_print(const char *format, struct str json, const struct fields *table,
                          struct buf *out);
/* JSON with indentation, as the peer prints it. */
void json_pretty(struct str json, int depth, int indent, struct buf *out);
/* What our field tables know, for templates; root: a row of kind F_OBJ. */
extern const struct template_schema cli_schema;
/* For views' members. */
#define GETTER(name)                                                                       \
    static struct err name(const void *self, struct arena *a UNUSED,                       \
                           const struct template_value *args UNUSED, size_t args_n UNUSED, \
                           struct template_value *ret)
#define VIEW(name, row_type, expr) \
    GETTER(name) {                 \
        const row_type *r = self;  \
        *ret = (expr);             \
        return OK;                 \
    }
struct template_value view_take(struct arena *a, struct buf *b); /* the text; empties b */
struct template_value view_labels(const struct strmap *labels, struct arena *a);
struct template_value view_label(const struct strmap *labels, const struct template_value *name);
struct template_value view_time(int64_t unix_seconds, struct arena *a); /* Go's Time.String() */
struct template_value view_since(int64_t unix_seconds, struct arena *a);
struct template_value view_id(const char *id, bool cut);
struct template_value view_ellipsis(const char *text, size_t cells, struct arena *a);
#define TYPE_OF(var, go_name, members) \
    static const struct template_type var = {go_name, members, ARRAY_LEN(members)}

/* config.c: ~/.docker/config.json. */
struct config {
    struct json *root; /* NULL: none */
    char *dir;
};
struct err config_load(const char *dir, struct config *ret);
void config_done(struct config *c);
const char *config_text(const struct config *c, const char *key, struct arena *a); /* NULL: unset */
/* "Name: value\r\n" lines of HttpHeaders, or NULL. */
char *config_headers(const struct config *c, struct arena *a);
/* X-Registry-Auth for an image's registry, or "" when nothing is known. */
struct err config_auth(const struct config *c, const char *image, struct arena *a,
                       const char **ret);

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
    struct str keys;        /* that detach; empty: none */
    bool is_exec, proxy_signals;
    bool detached; /* set: the user pressed the detach keys */
};
/* Runs until the stream ends. */
struct err attach_run(struct attach_io *io);

/* ports.c, size and number texts of `run`. */
struct err port_option(const char *text, struct objmap *bindings, struct strs *exposed,
                       struct arena *a);
/* PORT[-PORT][/PROTO] of --expose. */
struct err expose_option(const char *text, struct strs *exposed, struct arena *a);
struct err size_option(const char *text, int64_t *ret);
struct err cpus_option(const char *text, int64_t *ret_nano);
