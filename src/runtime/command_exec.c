/* exec: another process in a running container. */
#include "base/file.h"
#include "base/vec.h"
#include "kernel/caps.h"
#include "runtime/box.h"
#include "runtime/commands.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRESERVE_MAX 256
#define EXEC_OPTIONS_MAX 1024 /* --env, --cap, --additional-gids each */

struct exec {
    const char *id, *process_file, *console_socket, *pid_file, *cwd, *user, *label, *apparmor,
        *cgroup;
    struct strs env, caps, gids;
    unsigned preserve_fds;
    bool detach, terminal, no_new_privs, ignore_paused;
    struct arena arena;
    struct record record;
    struct oci_process process;
};

static void exec_done(struct exec *x) {
    record_done(&x->record);
    arena_done(&x->arena);
}

/* --- options ---------------------------------------------------------------------------------- */

enum { PROCESS = 256, CONSOLE, PID_FILE, CWD, LABEL, APPARMOR, NO_NEW, PRESERVE, CGROUP, PAUSED };

static struct err add(struct exec *x, struct strs *v, const char *name) {
    if (v->n == EXEC_OPTIONS_MAX)
        return err_new(ERR_INVALID, "exec: %s is given too often", name);
    strs_add(v, &x->arena, optarg);
    return OK;
}

static struct err set_text(struct exec *x, int option) {
    switch (option) {
    case 'p':
        x->process_file = optarg;
        break;
    case CONSOLE:
        x->console_socket = optarg;
        break;
    case PID_FILE:
        x->pid_file = optarg;
        break;
    case CWD:
        x->cwd = optarg;
        break;
    case 'u':
        x->user = optarg;
        break;
    case LABEL:
        x->label = optarg;
        break;
    case APPARMOR:
        x->apparmor = optarg;
        break;
    case CGROUP:
        x->cgroup = optarg;
        break;
    }
    return OK;
}

static struct err set_option(struct exec *x, int option) {
    uint64_t n;
    switch (option) {
    case 'e':
        return add(x, &x->env, "--env");
    case 'c':
        return add(x, &x->caps, "--cap");
    case 'g':
        return add(x, &x->gids, "--additional-gids");
    case 'd':
        x->detach = true;
        return OK;
    case 't':
        x->terminal = true;
        return OK;
    case NO_NEW:
        x->no_new_privs = true;
        return OK;
    case PAUSED:
        x->ignore_paused = true;
        return OK;
    case PRESERVE:
        TRYF(str_to_u64(str_of(optarg), PRESERVE_MAX, &n), "--preserve-fds");
        x->preserve_fds = (unsigned)n;
        return OK;
    default:
        return set_text(x, option);
    }
}

/* Ends at the id: what follows belongs to the program. */
static struct err read_options(struct call *c, struct exec *x) {
    static const struct option options[] = {
        OPTION_TEXT("process", 'p'),
        OPTION_TEXT("console-socket", CONSOLE),
        OPTION_TEXT("pid-file", PID_FILE),
        OPTION_TEXT("cwd", CWD),
        OPTION_TEXT("user", 'u'),
        OPTION_TEXT("process-label", LABEL),
        OPTION_TEXT("apparmor", APPARMOR),
        OPTION_TEXT("env", 'e'),
        OPTION_TEXT("cap", 'c'),
        OPTION_TEXT("additional-gids", 'g'),
        OPTION_FLAG("detach", 'd'),
        OPTION_FLAG("tty", 't'),
        OPTION_FLAG("no-new-privs", NO_NEW),
        OPTION_FLAG("ignore-paused", PAUSED),
        OPTION_TEXT("preserve-fds", PRESERVE),
        OPTION_TEXT("cgroup", CGROUP),
        OPTIONS_END,
    };
    for (int option;;) {
        TRY(call_option(c, "+:p:u:e:c:g:dt", options, &option));
        if (option < 0)
            break;
        TRY(set_option(x, option));
    }
    if (optind >= c->argc)
        return err_new(ERR_INVALID, "exec: a container id is missing");
    x->id = c->argv[optind++];
    return record_check_id(x->id);
}

/* --- the process ------------------------------------------------------------------------------ */

static struct err set_user(struct exec *x) {
    struct str uid, gid;
    uint64_t n;
    if (!x->user)
        return OK;
    bool both = str_cut(str_of(x->user), ':', &uid, &gid);
    /* 4294967295 means "leave it" to the kernel. */
    TRYF(str_to_u64(uid, UINT32_MAX - 1, &n), "exec: --user '%s'", x->user);
    x->process.user = (struct oci_user){.uid = (uint32_t)n, .umask = x->process.user.umask};
    if (!both)
        return OK;
    TRYF(str_to_u64(gid, UINT32_MAX - 1, &n), "exec: --user '%s'", x->user);
    x->process.user.gid = (uint32_t)n;
    return OK;
}

static void set_gids(struct exec *x) {
    CLEAN_BUF struct buf text = {0};
    if (!x->gids.n)
        return;
    for (size_t i = 0; i < x->gids.n; i++)
        buf_addf(&text, "%s%s", i ? "," : "[", x->gids.items[i]);
    buf_addc(&text, ']');
    x->process.user.additional_gids = (struct str){arena_str(&x->arena, buf_str(&text)),
                                                   text.len}; /* judged with the rest */
}

static void set_caps(struct exec *x) {
    struct oci_capabilities *have = x->process.capabilities;
    if (!x->caps.n)
        return;
    struct oci_capabilities *caps = arena_alloc(&x->arena, sizeof(*caps));
    if (have)
        *caps = *have;
    struct strs *sets[] = {&caps->bounding, &caps->effective, &caps->permitted};
    for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
        sets[k]->cap = 0; /* not the room of the configuration's */
        for (size_t i = 0; i < x->caps.n; i++)
            strs_add(sets[k], &x->arena, x->caps.items[i]);
    }
    x->process.capabilities = caps;
}

/* A variable that is there is replaced. */
static void set_env(struct exec *x) {
    struct strs env = {.present = true};
    const struct strs *have = &x->process.env;
    for (size_t i = 0; i < have->n; i++) {
        bool replaced = false;
        size_t name = strcspn(have->items[i], "=") + 1;
        for (size_t k = 0; k < x->env.n; k++)
            replaced |= strncmp(have->items[i], x->env.items[k], name) == 0;
        if (!replaced)
            strs_add(&env, &x->arena, have->items[i]);
    }
    for (size_t k = 0; k < x->env.n; k++)
        strs_add(&env, &x->arena, x->env.items[k]);
    x->process.env = env;
}

/* The container's own process with other arguments. */
static struct err compose(struct call *c, struct exec *x) {
    x->process = *x->record.config.process;
    x->process.args = (struct strs){0};
    x->process.terminal = x->terminal;
    for (int i = optind; i < c->argc; i++)
        strs_add(&x->process.args, &x->arena, c->argv[i]);
    if (x->cwd)
        x->process.cwd = (char *)x->cwd;
    if (x->label)
        x->process.selinux_label = (char *)x->label;
    if (x->apparmor)
        x->process.apparmor_profile = (char *)x->apparmor;
    x->process.no_new_privileges = x->no_new_privs; /* as crun: whoever execs decides */
    set_caps(x);
    set_env(x);
    TRY(set_user(x));
    set_gids(x);
    return OK;
}

static struct err read_process(struct exec *x) {
    CLEAN_BUF struct buf text = {0};
    TRY(file_read(x->process_file, OCI_CONFIG_MAX, &text));
    return fields_decode(&oci_process_fields, buf_str(&text), &x->arena, &x->process);
}

static struct err choose_process(struct call *c, struct exec *x) {
    if (!x->process_file)
        return compose(c, x);
    if (optind < c->argc)
        return err_new(ERR_INVALID, "exec: --process and a program exclude each other");
    return err_wrap(read_process(x), "exec: --process '%s'", x->process_file);
}

static struct err check_terminal(const struct exec *x) {
    if (x->process.terminal && x->detach && !x->console_socket)
        return err_new(ERR_INVALID, "exec: a terminal needs --console-socket when detached");
    if (!x->process.terminal && x->console_socket)
        return err_new(ERR_INVALID, "exec: --console-socket needs a terminal");
    return OK;
}

/* --- the start -------------------------------------------------------------------------------- */

static struct err check_running(const struct exec *x) {
    enum record_status s = record_status(&x->record);
    bool fits = s == RECORD_RUNNING || s == RECORD_CREATED ||
                (s == RECORD_PAUSED && x->ignore_paused);
    return fits ? OK
                : err_new(ERR_CONFLICT, "exec: container '%s' is %s", x->id, record_status_name(s));
}

static struct err start(const struct exec *x, struct runtime_process *ret) {
    struct runtime_create_options o = record_options(&x->record);
    o.preserve_fds = x->preserve_fds;
    struct runtime_box *box;
    TRY(runtime_open(&o, (pid_t)x->record.kept.pid, x->record.kept.start_time, &box));
    struct runtime_stdio stdio = {0, 1, 2};
    struct err e = x->cgroup ? exec_cgroup_choose(box, x->cgroup) : OK;
    if (!err_failed(e))
        e = runtime_exec(box, &x->process, &stdio, ret);
    runtime_close(box);
    return e;
}

static struct err hand_over(const struct exec *x, struct runtime_process *p) {
    if (x->console_socket) {
        TRY(console_send(x->console_socket, p->pty_master));
        p->pty_master = fd_close(p->pty_master);
    }
    return x->pid_file ? pid_file_write(x->pid_file, p->pid) : OK;
}

static struct err run(struct call *c, struct exec *x) {
    TRY(read_options(c, x));
    TRY(preserve_reserve(x->preserve_fds));
    TRY(record_open(c->root, x->id, &x->record));
    TRY(check_running(x));
    TRY(choose_process(c, x));
    TRY(check_terminal(x));
    if (!x->detach)
        TRY(attend_begin(true));
    struct runtime_process p = {.pidfd = -1, .pty_master = -1};
    struct err e = start(x, &p);
    if (err_failed(e)) {
        c->status = err_kind(e) == ERR_NOT_FOUND ? 127 : err_kind(e) == ERR_FORBIDDEN ? 126 : 1;
        return err_wrap(e, "exec in container '%s'", x->id);
    }
    e = hand_over(x, &p);
    if (err_failed(e) || x->detach) {
        fd_close(p.pidfd);
        fd_close(p.pty_master);
        return e;
    }
    return attend(&p, -1, &c->status);
}

struct err command_exec(struct call *c) {
    OWN(exec_done) struct exec x = {.record = RECORD_NONE};
    TRY(runtime_protect(c->all_argv, c->env));
    return run(c, &x);
}
