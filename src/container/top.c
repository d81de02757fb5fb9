/* top: the host's ps(1), its lines about other processes left out. It runs below a deadline in a
 * pool thread; what it prints is split into columns, the last of which takes the rest of a line. */
#include "container/private.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PS_ARGS_MAX 64
#define PS_OUTPUT_MAX (16u << 20)
#define PS_DEADLINE (10 * NSEC_PER_SEC)

struct top_job {
    struct arena arena;
    struct strs args;
    char *cgroup;
    struct api_top doc;
    void (*done)(void *arg, struct err e, const struct api_top *doc);
    void *arg;
};

/* --- ps
 * -------------------------------------------------------------------------------------------- */

/* Reads until the end of the stream or the deadline. */
static struct err read_output(int fd, struct buf *out) {
    int64_t end = time_monotonic() + PS_DEADLINE;
    for (;;) {
        int64_t left = end - time_monotonic();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return err_new(ERR_TIMEOUT, "ps takes longer than %lld s",
                           (long long)(PS_DEADLINE / NSEC_PER_SEC));
        if (poll(&p, 1, (int)(left / NSEC_PER_MSEC) + 1) <= 0)
            continue;
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno != EINTR)
            return err_errno(errno, "read what ps says");
        if (n == 0)
            return OK;
        if (n > 0)
            buf_add(out, chunk, (size_t)n);
        if (out->len > PS_OUTPUT_MAX)
            return err_new(ERR_SYSTEM, "ps says more than %u bytes", PS_OUTPUT_MAX);
    }
}

static struct err run_ps(struct top_job *j, struct buf *out) {
    static const char *const places[] = {"/usr/bin/ps", "/bin/ps"};
    CLEAN_FD int read_end = -1;
    CLEAN_FD int write_end = -1;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "make a pipe");
    read_end = ends[0];
    write_end = ends[1];
    char *argv[PS_ARGS_MAX + 2] = {(char *)(uintptr_t) "ps"};
    for (size_t i = 0; i < j->args.n; i++)
        argv[i + 1] = j->args.items[i];
    char *env[] = {(char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                   (char *)(uintptr_t) "LC_ALL=C", (char *)(uintptr_t) "COLUMNS=4096", NULL};
    const struct spawn_fd fds[] = {{write_end, 1}, {write_end, 2}};
    struct spawn s = {.argv = argv, .env = env, .fds = fds, .fds_n = 2, .program_fd = -1};
    struct spawned ps;
    struct err e = OK;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        err_free(e);
        s.program = places[i];
        e = spawn(&s, &ps);
        if (err_kind(e) != ERR_NOT_FOUND)
            break;
    }
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return err_new(ERR_UNSUPPORTED, "top needs the program ps (package procps) on the host");
    }
    TRY(e);
    CLEAN_FD int pidfd = ps.pidfd;
    write_end = fd_close(write_end);
    e = read_output(read_end, out);
    if (err_failed(e))
        err_ignore(pidfd_signal(pidfd, SIGKILL));
    struct pidfd_exit x = {0};
    err_ignore(pidfd_reap(pidfd, &x));
    TRY(e);
    if (pidfd_exit_status(&x) != 0)
        return err_new(ERR_SYSTEM, "Error running ps: exit status %d: %.*s", pidfd_exit_status(&x),
                       STR_ARG(str_trim(buf_str(out))));
    return OK;
}

/* --- its table
 * ------------------------------------------------------------------------------------- */

static struct str next_word(struct str *rest) {
    size_t n = 0, skip = 0;
    while (skip < rest->len && (rest->p[skip] == ' ' || rest->p[skip] == '\t'))
        skip++;
    *rest = str_from(*rest, skip);
    while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    struct str word = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n);
    return word;
}

static bool is_ours(struct str word, const pid_t *pids, size_t n) {
    int64_t pid = 0;
    CLEAN_ERR struct err bad = str_to_i64(word, 0, INT32_MAX, &pid);
    for (size_t i = 0; !err_failed(bad) && i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

static void add_line(struct top_job *j, struct str line, size_t pid_column, const pid_t *pids,
                     size_t n) {
    struct strs row = {.present = true};
    struct str rest = line;
    bool ours = false;
    for (size_t i = 0; i < j->doc.titles.n; i++) {
        bool last = i + 1 == j->doc.titles.n;
        struct str word = last ? str_trim(rest) : next_word(&rest);
        if (i == pid_column)
            ours = is_ours(last ? next_word(&rest) : word, pids, n);
        strs_add(&row, &j->arena, arena_str(&j->arena, word));
    }
    if (ours)
        *(struct strs *)objs_add(&j->doc.processes, &j->arena, sizeof row) = row;
}

static struct err read_table(struct top_job *j, struct str text, const pid_t *pids, size_t n) {
    struct str line, word;
    size_t pid_column = SIZE_MAX;
    if (!str_next(&text, '\n', &line))
        return err_new(ERR_SYSTEM, "ps says nothing");
    while ((word = next_word(&line)).len > 0) {
        if (str_eqz(word, "PID") && pid_column == SIZE_MAX)
            pid_column = j->doc.titles.n;
        strs_add(&j->doc.titles, &j->arena, arena_str(&j->arena, word));
    }
    if (pid_column == SIZE_MAX)
        return err_new(ERR_INVALID, "Couldn't find PID field in ps output");
    j->doc.processes.present = true;
    while (str_next(&text, '\n', &line))
        if (str_trim(line).len > 0)
            add_line(j, line, pid_column, pids, n);
    return OK;
}

static struct err top_work(void *arg) {
    struct top_job *j = arg;
    CLEAN_FREE pid_t *pids = NULL;
    CLEAN_BUF struct buf out = {0};
    size_t n = 0;
    TRY(runtime_cgroup_pids(j->cgroup, &pids, &n));
    TRY(run_ps(j, &out));
    return read_table(j, buf_str(&out), pids, n);
}

static void top_done(void *arg, struct err e) {
    struct top_job *j = arg;
    j->done(j->arg, e, &j->doc);
    free(j->cgroup);
    arena_done(&j->arena);
    free(j);
}

/* --- the verb
 * -------------------------------------------------------------------------------------- */

/* The column PID must be the process id: no other column may take its name ("-o user=PID"). */
static struct err split_args(const char *text, struct arena *a, struct strs *ret) {
    struct str rest = str_of(text && *text ? text : "-ef"), word, key, value;
    while ((word = next_word(&rest)).len > 0) {
        if (ret->n == PS_ARGS_MAX)
            return err_new(ERR_INVALID, "more than %d arguments for ps", PS_ARGS_MAX);
        struct str columns = word, column;
        while (str_next(&columns, ',', &column))
            if (str_cut(column, '=', &key, &value) && str_starts(value, STR("PID")) &&
                !str_eqz(key, "pid") && !str_ends(key, STR("opid")))
                return err_new(ERR_INVALID, "specifying \"%.*s=%.*s\" is not allowed", STR_ARG(key),
                               STR_ARG(value));
        strs_add(ret, a, arena_str(a, word));
    }
    return OK;
}

void container_top(struct container *c, const char *ps_args,
                   void (*done)(void *arg, struct err e, const struct api_top *doc), void *arg) {
    struct top_job *j = NEW(struct top_job);
    struct err e = OK;
    if (c->state == CONTAINER_RESTARTING)
        e = err_new(ERR_CONFLICT, "Container %s is restarting, wait until the container is running",
                    c->id);
    else if (!container_is_alive(c))
        e = err_new(ERR_CONFLICT, "Container %s is not running", c->id);
    if (!err_failed(e))
        e = split_args(ps_args, &j->arena, &j->args);
    if (err_failed(e)) {
        done(arg, e, NULL);
        arena_done(&j->arena);
        free(j);
        return;
    }
    j->done = done;
    j->arg = arg;
    j->cgroup = container_cgroup_path(c);
    container_publish(c, "top", NULL, NULL);
    job_submit(c->all->config.loop, top_work, top_done, j);
}
