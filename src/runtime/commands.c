/* corten-runtime: which command, global options, where errors go. */
#include "runtime/commands.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT_DEFAULT "/run/corten-runtime"

static const struct command {
    const char *name;
    struct err (*run)(struct call *c);
    const char *help;
} commands[] = {
    {"create", command_create, "make a container that waits for its start"},
    {"start", command_start, "let a created container run"},
    {"run", command_run, "create and start, and wait for the end unless detached"},
    {"exec", command_exec, "start another process in a running container"},
    {"state", command_state, "print the state of a container (JSON)"},
    {"list", command_list, "list all containers"},
    {"ps", command_ps, "list the processes of a container"},
    {"kill", command_kill, "send a signal to the first process, or to all"},
    {"delete", command_delete, "remove a container that has ended"},
    {"pause", command_pause, "freeze all processes"},
    {"resume", command_resume, "let them run again"},
    {"update", command_update, "change limits"},
    {"events", command_events, "print what a container uses, once (--stats) or again and again"},
    {"checkpoint", command_checkpoint, "write a container to files (needs criu)"},
    {"restore", command_restore, "make a container of such files (needs criu)"},
    {"features", command_features, "print what this program offers (JSON)"},
    {"spec", command_spec, "write a config.json to start from"},
};

/* --- options ---------------------------------------------------------------------------------- */

struct err call_option(struct call *c, const char *brief, const struct option *options,
                       int *ret_value) {
    opterr = 0;
    *ret_value = getopt_long(c->argc, c->argv, brief, options, NULL);
    if (*ret_value == '?' || *ret_value == ':')
        return err_new(ERR_INVALID, "%s: option '%s' is unknown or lacks its value", c->argv[0],
                       c->argv[optind - 1]);
    return OK;
}

struct err call_id(struct call *c, const char **ret) {
    if (c->argc - optind != 1)
        return err_new(ERR_INVALID, "%s: exactly one container id is needed", c->argv[0]);
    *ret = c->argv[optind];
    return record_check_id(*ret);
}

struct err call_find_program(const char *name, char **ret_path) {
    const char *places = getenv("PATH");
    struct str rest = str_of(places ? places : "/usr/sbin:/usr/bin:/sbin:/bin"), dir;
    while (str_next(&rest, ':', &dir)) {
        CLEAN_FREE char *path = mem_printf("%.*s/%s", STR_ARG(dir), name);
        if (dir.len && dir.p[0] == '/' && access(path, X_OK) == 0) {
            *ret_path = TAKE(path);
            return OK;
        }
    }
    return err_new(ERR_UNSUPPORTED, "%s is not installed", name);
}

static void print_help(void) {
    printf("Usage: corten-runtime [--root DIR] [--log FILE] [--log-format text|json] "
           "[--log-level LEVEL]\n"
           "         [--cgroup-manager cgroupfs|systemd] [--debug] COMMAND ...\n\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-12s %s\n", commands[i].name, commands[i].help);
}

static void print_version(void) {
    printf("corten-runtime version %s\nspec: 1.2.0\n"
           "+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF +CRIU\n",
           CORTEN_VERSION);
}

static struct err choose_manager(const char *name, bool *ret_systemd) {
    *ret_systemd = strcmp(name, "systemd") == 0;
    if (*ret_systemd || strcmp(name, "cgroupfs") == 0)
        return OK;
    return err_new(ERR_UNSUPPORTED, "--cgroup-manager '%s' is not cgroupfs or systemd", name);
}

static struct err set_level(const char *name) {
    enum log_level level;
    if (!log_level_from_name(name, &level))
        return err_new(ERR_INVALID, "--log-level '%s' is not debug, info, warn or error", name);
    log_init("corten-runtime", level, 2);
    return OK;
}

enum { ROOT = 256, LOG, LOG_FORMAT, LOG_LEVEL, SYSTEMD, MANAGER, ROOTLESS };

static struct err set_global(struct call *c, int option) {
    switch (option) {
    case ROOT:
        c->root = optarg;
        return OK;
    case LOG:
        /* crun's "file:PATH" */
        c->log = strncmp(optarg, "file:", 5) == 0 ? optarg + 5 : optarg;
        return OK;
    case LOG_FORMAT:
        c->log_json = strcmp(optarg, "json") == 0;
        if (!c->log_json && strcmp(optarg, "text") != 0)
            return err_new(ERR_INVALID, "--log-format '%s' is not text or json", optarg);
        return OK;
    case SYSTEMD:
        c->systemd = true;
        return OK;
    case MANAGER:
        return choose_manager(optarg, &c->systemd);
    case LOG_LEVEL:
        return set_level(optarg);
    case ROOTLESS:
        if (strcmp(optarg, "true") == 0)
            return err_new(ERR_UNSUPPORTED, "--rootless true is not supported");
        return OK;
    case 'd':
        return set_level("debug");
    default:
        return OK;
    }
}

/* *ret_done: help or version was printed. */
static struct err read_globals(struct call *c, bool *ret_done) {
    static const struct option options[] = {
        OPTION_TEXT("root", ROOT),
        OPTION_TEXT("log", LOG),
        OPTION_TEXT("log-format", LOG_FORMAT),
        OPTION_TEXT("log-level", LOG_LEVEL),
        OPTION_FLAG("systemd-cgroup", SYSTEMD),
        OPTION_TEXT("cgroup-manager", MANAGER),
        OPTION_TEXT("rootless", ROOTLESS),
        OPTION_FLAG("debug", 'd'),
        OPTION_FLAG("version", 'v'),
        OPTION_FLAG("help", 'h'),
        OPTIONS_END,
    };
    for (;;) {
        int option;
        TRY(call_option(c, "+:hv", options, &option));
        if (option < 0)
            break;
        *ret_done = option == 'h' || option == 'v';
        if (option == 'h')
            print_help();
        else if (option == 'v')
            print_version();
        if (*ret_done)
            return OK;
        TRY(set_global(c, option));
    }
    c->argc -= optind;
    c->argv += optind;
    optind = 0; /* getopt_long begins anew */
    return OK;
}

/* --- errors ----------------------------------------------------------------------------------- */

/* As logrus writes it: containerd reads the last error of a JSON log. */
static void log_text(const struct call *c, const char *level, const char *msg, struct buf *out) {
    char when[TIME_TEXT_MAX];
    time_format(time_now() / NSEC_PER_SEC * NSEC_PER_SEC, when);
    if (c->log_json) {
        struct json_out o = {.out = out};
        jo_obj(&o);
        jo_kstr(&o, "level", level);
        jo_kstr(&o, "msg", msg);
        jo_kstr(&o, "time", when);
        jo_obj_end(&o);
    } else {
        buf_addf(out, "time=\"%s\" level=%s msg=", when, level);
        json_quote(out, str_of(msg));
    }
    buf_addc(out, '\n');
}

static void report(const struct call *c, struct err e) {
    fprintf(stderr, "corten-runtime: %s\n", err_msg(e));
    if (!c->log)
        return;
    CLEAN_BUF struct buf line = {0};
    log_text(c, "error", err_msg(e), &line);
    CLEAN_FD int fd = open(c->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0 || fd_write_all(fd, line.data, line.len) < 0)
        fprintf(stderr, "corten-runtime: --log '%s': %s\n", c->log, strerror(errno));
}

/* --- main ------------------------------------------------------------------------------------- */

static struct err choose_root(struct call *c, char **ret_owned) {
    if (c->root)
        return OK;
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0) {
        c->root = ROOT_DEFAULT;
        return OK;
    }
    if (!runtime_dir || runtime_dir[0] != '/')
        return err_new(ERR_INVALID, "--root is needed: XDG_RUNTIME_DIR is not set");
    c->root = *ret_owned = mem_printf("%s/corten-runtime", runtime_dir);
    return OK;
}

static struct err dispatch(struct call *c) {
    bool done = false;
    CLEAN_FREE char *root = NULL;
    TRY(read_globals(c, &done));
    if (done)
        return OK;
    TRY(choose_root(c, &root));
    if (c->argc < 1) {
        print_help();
        return err_new(ERR_INVALID, "a command is missing");
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, c->argv[0]) == 0)
            return commands[i].run(c);
    if (strcmp(c->argv[0], "help") == 0) {
        print_help();
        return OK;
    }
    return err_new(ERR_UNSUPPORTED, "command '%s' is not supported", c->argv[0]);
}

int runtime_main(int argc, char **argv) {
    fd_sanitize_std();
    log_init("corten-runtime", LOG_WARN, 2);
    struct call c = {.all_argv = argv, .argc = argc, .argv = argv, .env = environ};
    struct err e = dispatch(&c);
    if (err_failed(e)) {
        report(&c, e);
        /* 127 and 126 as a shell says "not found" and "cannot be executed", for run and exec. */
        c.status = c.status ? c.status : 1;
    }
    err_free(e);
    fflush(stdout);
    return c.status;
}
