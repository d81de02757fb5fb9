/* The cgroup of one exec: a directory below the container's, in one hierarchy only. It gets no
 * controller (cgroup.subtree_control stays empty), so the container's own limits hold for it and
 * the rule that processes live in leaves alone does not apply. */
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/beneath.h"
#include "runtime/box.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "exec-"
#define NAME_ROOM (sizeof(PREFIX) + 64)

/* cgroup2 where there is one: detection lets the freezer be that, too. */
static int tracking_tree(const struct runtime_box *b) {
    return b->cgroup.host.tree_of[CGROUP_FREEZER];
}

static bool exec_name(const char *track, char out[NAME_ROOM]) {
    size_t n = track ? strlen(track) : 0;
    if (n == 0 || n > 64 || strspn(track, "0123456789abcdef") != n)
        return false;
    snprintf(out, NAME_ROOM, PREFIX "%s", track);
    return true;
}

static int parent_dir(const struct runtime_box *b) {
    return cgroup_dir(&b->cgroup, CGROUP_FREEZER);
}

static bool has_controller(const struct cgroup_tree *t, struct str name) {
    struct str rest = str_of(t->controllers), word;
    while (str_next(&rest, ',', &word))
        if (str_eq(word, name))
            return true;
    return false;
}

void exec_cgroup_make(struct runtime_box *b, const char *track, struct cgroup *ret, int *ret_dir) {
    char name[NAME_ROOM];
    int parent = parent_dir(b);
    *ret = b->cgroup;
    *ret_dir = -1;
    if (parent < 0 || !exec_name(track, name))
        return;
    /* A container may have bounded its descendants (cgroup.max.descendants): then untracked. */
    if (mkdirat(parent, name, 0755) < 0)
        return;
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        unlinkat(parent, name, AT_REMOVEDIR);
        return;
    }
    ret->dirs[tracking_tree(b)] = dir;
    *ret_dir = dir;
}

/* "[controller,…:]path", as runc has it. */
struct err exec_cgroup_choose(struct runtime_box *b, const char *text) {
    struct str controllers = STR_NONE, path = str_of(text), rest;
    if (str_find(path, ':') >= 0)
        str_cut(path, ':', &controllers, &path);
    CLEAN_FREE char *below = mem_printf("/%.*s", STR_ARG(path));
    bool found = false;
    for (size_t i = 0; i < b->cgroup.host.trees_n; i++) {
        const struct cgroup_tree *t = &b->cgroup.host.trees[i];
        bool wanted = !controllers.len;
        struct str word;
        rest = controllers;
        while (str_next(&rest, ',', &word))
            wanted |= has_controller(t, word);
        int dir = -1;
        if (!wanted || b->cgroup.dirs[i] < 0)
            continue;
        struct err e = beneath_open(b->cgroup.dirs[i], below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                                    0, &dir);
        if (err_kind(e) == ERR_NOT_FOUND && !controllers.len) {
            err_free(e); /* in another hierarchy, then */
            continue;
        }
        TRYF(e, "exec: --cgroup '%s'", text);
        fd_close(b->cgroup.dirs[i]);
        b->cgroup.dirs[i] = dir;
        found = true;
    }
    return found ? OK
                 : err_new(ERR_NOT_FOUND, "exec: --cgroup '%s': the container has no such cgroup",
                           text);
}

struct err runtime_exec_kill(struct runtime_box *b, const char *track) {
    char name[NAME_ROOM];
    int parent = parent_dir(b), tree = tracking_tree(b);
    if (parent < 0 || !exec_name(track, name))
        return err_new(ERR_NOT_FOUND, "this exec has no cgroup of its own");
    CLEAN_FD int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return err_kind_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                              "open the exec's cgroup");
    struct cgroup g;
    cgroup_init(&g, &b->cgroup.host);
    memcpy(g.path, b->cgroup.path, sizeof(g.path)); /* for messages */
    g.dirs[tree] = dir;
    return cgroup_kill(&g);
}

static void sweep(struct runtime_box *b, int parent) {
    CLEAN_FD int listing = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (!d)
        return;
    listing = -1; /* d's now */
    b->execs_litter = false;
    b->execs_swept = time_monotonic();
    for (struct dirent *x; (x = readdir(d));)
        if (strncmp(x->d_name, PREFIX, strlen(PREFIX)) == 0 &&
            unlinkat(parent, x->d_name, AT_REMOVEDIR) < 0 && errno == EBUSY)
            b->execs_litter = true; /* of one that runs, or of what one left behind */
    closedir(d);
}

void runtime_exec_forget(struct runtime_box *b, const char *track) {
    char name[NAME_ROOM];
    int parent = parent_dir(b);
    if (parent < 0 || !exec_name(track, name))
        return;
    if (b->execs_litter && time_monotonic() - b->execs_swept > NSEC_PER_SEC)
        sweep(b, parent);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno == EBUSY)
        b->execs_litter = true;
}

static bool says(const struct runtime_box *b, const char *file, struct str want) {
    CLEAN_BUF struct buf text = {0};
    struct err e = cgroup_read(&b->cgroup, CGROUP_FREEZER, file, &text);
    bool yes = !err_failed(e) && str_eq(str_trim(buf_str(&text)), want);
    err_ignore(e); /* an old kernel cannot freeze there */
    return yes;
}

/* Also when it is only on the way: a process that forks keeps a cgroup from being frozen for a
 * moment. */
bool runtime_frozen(const struct runtime_box *b) {
    if (parent_dir(b) < 0)
        return false;
    if (cgroup_is_v2(&b->cgroup.host, CGROUP_FREEZER))
        return says(b, "cgroup.freeze", STR("1"));
    return says(b, "freezer.state", STR("FROZEN")) || says(b, "freezer.state", STR("FREEZING"));
}
