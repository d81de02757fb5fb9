/* ps: the processes of a container, as numbers or as ps(1) shows them. */
#include "base/file.h"
#include "base/vec.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "runtime/commands.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX (64u << 20)

static struct err read_options(struct call *c, bool *ret_json) {
    static const struct option options[] = {OPTION_TEXT("format", 'f'), OPTIONS_END};
    for (int option;;) {
        TRY(call_option(c, "+:f:", options, &option));
        if (option < 0)
            return OK;
        *ret_json = strcmp(optarg, "json") == 0;
        if (!*ret_json && strcmp(optarg, "table") != 0)
            return err_new(ERR_INVALID, "--format '%s' is not table or json", optarg);
    }
}

static void print_pids(const pid_t *pids, size_t n, bool json) {
    CLEAN_BUF struct buf text = {0};
    struct json_out out = {.out = &text};
    jo_arr(&out);
    if (!json)
        printf("PID\n");
    for (size_t i = 0; i < n; i++)
        if (json)
            jo_i64(&out, pids[i]);
        else
            printf("%d\n", (int)pids[i]);
    jo_arr_end(&out);
    if (json)
        printf("%s\n", buf_cstr(&text));
}

/* --- ps(1) ------------------------------------------------------------------------------------ */

/* Its whole table, of all processes that there are. */
static struct err ask_ps(char **options, struct buf *ret) {
    CLEAN_FREE char *program = NULL;
    TRY(call_find_program("ps", &program));
    CLEAN_STRV struct strv args = {0};
    strv_add(&args, "ps");
    for (; *options; options++)
        strv_add(&args, *options);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(errno, "make a pipe");
    CLEAN_FD int from = ends[0], to = ends[1];
    const struct spawn_fd fds[] = {{to, 1}, {2, 2}};
    struct spawn s = {.program = program,
                      .argv = strv_argv(&args),
                      .env = environ,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds)};
    struct spawned child;
    TRYF(spawn(&s, &child), "start ps");
    CLEAN_FD int pidfd = child.pidfd;
    to = fd_close(to);
    ret->max = TABLE_MAX;
    int r = fd_read_buf(from, ret);
    from = fd_close(from); /* one that says too much ends by it */
    struct pidfd_exit x;
    TRY(pidfd_reap(pidfd, &x));
    if (r < 0)
        return err_errno(r, "read what ps says");
    return x.signo || x.code
               ? err_new(ERR_INVALID, "ps failed with status %d", pidfd_exit_status(&x))
               : OK;
}

static struct str field(struct str line, size_t wanted) {
    for (size_t i = 0, at = 0;; i++) {
        while (at < line.len && line.p[at] == ' ')
            at++;
        size_t begin = at;
        while (at < line.len && line.p[at] != ' ')
            at++;
        if (i == wanted || begin == at)
            return str_n(line.p + begin, at - begin);
    }
}

static struct err find_column(struct str head, size_t *ret) {
    for (size_t i = 0; field(head, i).len; i++)
        if (str_eqz(field(head, i), "PID")) {
            *ret = i;
            return OK;
        }
    return err_new(ERR_INVALID, "ps: the options ask for a table without a column PID");
}

static bool has(const pid_t *pids, size_t n, uint64_t pid) {
    for (size_t i = 0; i < n; i++)
        if ((uint64_t)pids[i] == pid)
            return true;
    return false;
}

static struct err print_table(char **options, const pid_t *pids, size_t n) {
    CLEAN_BUF struct buf text = {0};
    TRY(ask_ps(options, &text));
    struct str rest = buf_str(&text), line;
    size_t column = 0;
    bool head = true;
    while (str_next(&rest, '\n', &line)) {
        uint64_t pid = 0;
        if (head)
            TRY(find_column(line, &column));
        else
            err_ignore(str_to_u64(field(line, column), INT32_MAX, &pid)); /* 0: none of ours */
        if (head || has(pids, n, pid))
            printf("%.*s\n", STR_ARG(line));
        head = false;
    }
    return OK;
}

struct err command_ps(struct call *c) {
    bool json = false;
    TRY(read_options(c, &json));
    int left = c->argc - optind;
    if (left < 1)
        return err_new(ERR_INVALID, "ps: a container id is needed");
    const char *id = c->argv[optind];
    CLEAN_RECORD struct record r = RECORD_NONE;
    TRY(record_open(c->root, id, &r));
    CLEAN_FREE pid_t *pids = NULL;
    size_t n = 0;
    if (!r.has_kept || !r.kept.cgroup_path || !r.kept.cgroup_path[0])
        return err_new(ERR_UNSUPPORTED, "container '%s' has no cgroup to list", id);
    TRY(runtime_cgroup_pids(r.kept.cgroup_path, &pids, &n));
    if (left > 1 && !json)
        return print_table(c->argv + optind + 1, pids, n);
    print_pids(pids, n, json);
    return OK;
}
