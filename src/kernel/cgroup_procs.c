/* The processes of a cgroup: attach, freeze, kill, list, and removal of the directories after them.
 */
#include "base/file.h"
#include "base/time.h"
#include "base/vec.h"
#include "kernel/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PROCS_MAX (16u << 20)
#define KILL_ROUNDS 200
#define PAUSE_NS (200 * 1000)
#define DEADLINE_NS (2 * NSEC_PER_SEC)
#define DEPTH_BYTES_MAX 65536 /* text of all names on the way down */

static void pause_briefly(void) {
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* A single thread that moves itself needs no lock against exec and exit: by "tasks" (v1) the kernel
 * skips the write lock of cgroup_threadgroup_rwsem, which costs an RCU grace period, ten
 * milliseconds on an idle machine, through "cgroup.procs". The cgroup2 tree is entered by clone3
 * for the same reason. */
static const char *attach_file(const struct cgroup *g, size_t tree, pid_t pid) {
    return pid == 0 && !g->host.trees[tree].v2 ? "tasks" : "cgroup.procs";
}

int cgroup_attach(const struct cgroup *g, pid_t pid, int skip_tree_dir) {
    char text[16];
    int len = snprintf(text, sizeof(text), "%d", (int)pid);
    for (size_t i = 0; i < g->host.trees_n; i++) {
        if (g->dirs[i] < 0 || g->dirs[i] == skip_tree_dir)
            continue;
        CLEAN_FD int fd = openat(g->dirs[i], attach_file(g, i, pid), O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, (size_t)len) < 0)
            return -errno;
    }
    return 0;
}

/* --- listing
 * -------------------------------------------------------------------------------------------- */

struct pids VEC_BODY(pid_t);

static struct err add_pids(int dir, struct pids *v) {
    CLEAN_BUF struct buf b = {0};
    struct err e = file_read_at(dir, "cgroup.procs", PROCS_MAX, &b);
    /* Removed meanwhile, or a threaded cgroup, whose processes its parent lists. */
    if (err_kind(e) == ERR_NOT_FOUND || err_errnum(e) == ENODEV || err_errnum(e) == EOPNOTSUPP) {
        err_ignore(e);
        return OK;
    }
    TRY(e);
    struct str rest = buf_str(&b), line;
    uint64_t pid;
    while (str_next(&rest, '\n', &line))
        if (line.len) {
            TRY(str_to_u64(line, INT32_MAX, &pid));
            vec_push(v, (pid_t)pid);
        }
    return OK;
}

/* Visits top and every directory below it, parents first, without recursion: the depth is the
 * container's choice. visit gets an open directory and its path relative to top ("" for top). */
static struct err each_below(int top, struct err (*visit)(void *arg, int dir, const char *path),
                             void *arg) {
    CLEAN_STRV struct strv todo = {0};
    strv_add(&todo, "");
    for (size_t i = 0; i < todo.n; i++) {
        const char *path = todo.items[i];
        CLEAN_FD int dir = openat(top, path[0] ? path : ".",
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0)
            continue; /* removed meanwhile */
        TRY(visit(arg, dir, path));
        int listing = fcntl(dir, F_DUPFD_CLOEXEC, 3);
        DIR *d = listing < 0 ? NULL : fdopendir(listing);
        if (!d) {
            fd_close(listing);
            return err_errno(errno, "list cgroup");
        }
        for (struct dirent *x; (x = readdir(d));)
            if (x->d_type == DT_DIR && x->d_name[0] != '.' &&
                strlen(path) + strlen(x->d_name) < DEPTH_BYTES_MAX)
                strv_addf(&todo, "%s%s%s", path, path[0] ? "/" : "", x->d_name);
        closedir(d);
    }
    return OK;
}

static struct err visit_pids(void *arg, int dir, const char *path UNUSED) {
    return add_pids(dir, arg);
}

/* The tree that is asked for processes: the cgroup2 one where there is one. */
static int list_dir(const struct cgroup *g) {
    if (cgroup_dir(g, CGROUP_CORE) >= 0)
        return cgroup_dir(g, CGROUP_CORE);
    if (cgroup_dir(g, CGROUP_FREEZER) >= 0)
        return cgroup_dir(g, CGROUP_FREEZER);
    for (size_t i = 0; i < g->host.trees_n; i++)
        if (g->dirs[i] >= 0)
            return g->dirs[i];
    return -1;
}

struct err cgroup_pids(const struct cgroup *g, pid_t **ret_pids, size_t *ret_n) {
    struct pids v = {0};
    int dir = list_dir(g);
    struct err e = dir < 0 ? OK : each_below(dir, visit_pids, &v);
    if (err_failed(e)) {
        vec_done(&v);
        return e;
    }
    *ret_pids = v.items;
    *ret_n = v.n;
    return OK;
}

bool cgroup_populated(const struct cgroup *g) {
    uint64_t populated = 0;
    if (cgroup_dir(g, CGROUP_CORE) >= 0) {
        struct err e = cgroup_read_key(g, CGROUP_CORE, "cgroup.events", "populated", &populated);
        bool known = !err_failed(e);
        err_ignore(e);
        if (known)
            return populated != 0;
    }
    CLEAN_FREE pid_t *pids = NULL;
    size_t n = 0;
    struct err e = cgroup_pids(g, &pids, &n);
    bool unknown = err_failed(e);
    err_ignore(e);
    return unknown || n > 0;
}

/* --- freeze and kill
 * -------------------------------------------------------------------------------------- */

static bool is_frozen(const struct cgroup *g, bool v2, bool want) {
    struct err e;
    bool yes = false;
    if (v2) {
        uint64_t frozen = 0;
        e = cgroup_read_key(g, CGROUP_CORE, "cgroup.events", "frozen", &frozen);
        yes = !err_failed(e) && (frozen != 0) == want;
    } else {
        CLEAN_BUF struct buf b = {0};
        e = cgroup_read(g, CGROUP_FREEZER, "freezer.state", &b);
        yes = !err_failed(e) && str_eqz(str_trim(buf_str(&b)), want ? "FROZEN" : "THAWED");
    }
    err_ignore(e);
    return yes;
}

bool cgroup_frozen(const struct cgroup *g) {
    return is_frozen(g, cgroup_is_v2(&g->host, CGROUP_FREEZER), true);
}

struct err cgroup_freeze(const struct cgroup *g, bool frozen) {
    bool v2 = cgroup_is_v2(&g->host, CGROUP_FREEZER);
    int64_t deadline = time_monotonic() + DEADLINE_NS;
    for (;;) {
        /* On v1 a process that was forking escapes the first attempt: the state is written again.
         */
        if (v2)
            TRY(cgroup_write(g, CGROUP_FREEZER, "cgroup.freeze", frozen ? "1" : "0"));
        else
            TRY(cgroup_write(g, CGROUP_FREEZER, "freezer.state", frozen ? "FROZEN" : "THAWED"));
        if (is_frozen(g, v2, frozen))
            return OK;
        if (time_monotonic() > deadline)
            break;
        pause_briefly();
    }
    if (frozen)
        err_ignore(cgroup_freeze(g, false)); /* not half frozen; the timeout is the error to tell */
    return err_new(ERR_TIMEOUT, "cgroup '%s' did not %s in time", g->path,
                   frozen ? "freeze" : "thaw");
}

static struct err signal_all(const struct cgroup *g, size_t *ret_n) {
    CLEAN_FREE pid_t *pids = NULL;
    size_t n = 0;
    TRY(cgroup_pids(g, &pids, &n));
    for (size_t i = 0; i < n; i++)
        if (pids[i] > 1)
            kill(pids[i], SIGKILL);
    *ret_n = n;
    return OK;
}

static struct err kill_by_walk(const struct cgroup *g) {
    for (int round = 0; round < KILL_ROUNDS; round++) {
        /* Frozen, nothing can fork away while the list is read; without a freezer the rounds
         * decide. */
        bool frozen = cgroup_dir(g, CGROUP_FREEZER) >= 0;
        if (frozen)
            err_ignore(cgroup_write(g, CGROUP_FREEZER, "freezer.state", "FROZEN"));
        size_t n = 0;
        struct err e = signal_all(g, &n);
        if (frozen)
            err_ignore(cgroup_write(g, CGROUP_FREEZER, "freezer.state", "THAWED"));
        TRY(e);
        if (!n)
            return OK;
        pause_briefly();
    }
    return err_new(ERR_TIMEOUT, "processes of cgroup '%s' do not end", g->path);
}

struct err cgroup_kill(const struct cgroup *g) {
    if (cgroup_dir(g, CGROUP_CORE) >= 0) {
        struct err e = cgroup_write(g, CGROUP_CORE, "cgroup.kill", "1");
        if (!err_failed(e))
            return OK;
        if (err_errnum(e) != ENOENT) /* Linux before 5.14 has no such file */
            return e;
        err_ignore(e);
    }
    return kill_by_walk(g);
}

/* --- removal
 * ------------------------------------------------------------------------------------------------
 */

static struct err visit_collect(void *arg, int dir UNUSED, const char *path) {
    strv_add(arg, path);
    return OK;
}

/* Children first. 0, or -errno of the first that stays. */
static int remove_tree(const char *full) {
    if (rmdir(full) == 0 || errno == ENOENT)
        return 0;
    int first = -errno;
    CLEAN_FD int top = open(full, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0)
        return errno == ENOENT ? 0 : -errno;
    CLEAN_STRV struct strv paths = {0};
    err_ignore(each_below(top, visit_collect, &paths));
    if (paths.n <= 1)
        return first;
    for (size_t i = paths.n; i-- > 1;)
        unlinkat(top, paths.items[i], AT_REMOVEDIR);
    return rmdir(full) == 0 || errno == ENOENT ? 0 : -errno;
}

struct err cgroup_remove(const struct cgroup_host *h, const char *path) {
    TRY(cgroup_check_path(path));
    int64_t deadline = time_monotonic() + DEADLINE_NS;
    for (size_t i = 0; i < h->trees_n; i++) {
        char full[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
        snprintf(full, sizeof(full), "%s%s", h->trees[i].mount, path);
        int r;
        while ((r = remove_tree(full)) == -EBUSY && time_monotonic() < deadline)
            pause_briefly();
        if (r < 0)
            return err_errno(r, "remove cgroup '%s'", full);
    }
    return OK;
}
