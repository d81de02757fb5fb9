#include "kernel/cgroup.h"
#include "base/file.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTINFO_MAX (8u << 20)
#define FILE_MAX (1u << 20)
#define MAKE_TRIES 16 /* somebody removes the empty parent while we make the child */
#define PROCS_MAX (1u << 20)

static const char *const names[CGROUP_COUNT] = {
    [CGROUP_CPU] = "cpu",           [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset",
    [CGROUP_MEMORY] = "memory",     [CGROUP_DEVICES] = "devices", [CGROUP_FREEZER] = "freezer",
    [CGROUP_BLKIO] = "blkio",       [CGROUP_PIDS] = "pids",       [CGROUP_CORE] = "cgroup",
    [CGROUP_HUGETLB] = "hugetlb",   [CGROUP_RDMA] = "rdma",       [CGROUP_NET_CLS] = "net_cls",
    [CGROUP_NET_PRIO] = "net_prio",
};

/* --- detection
 * ------------------------------------------------------------------------------------- */

static void add_v2(struct cgroup_host *h, int tree, struct str offered) {
    static const struct {
        enum cgroup_controller c;
        const char *name;
    } v2_names[] = {{CGROUP_CPU, "cpu"},  {CGROUP_CPUSET, "cpuset"}, {CGROUP_MEMORY, "memory"},
                    {CGROUP_BLKIO, "io"}, {CGROUP_PIDS, "pids"},     {CGROUP_HUGETLB, "hugetlb"},
                    {CGROUP_RDMA, "rdma"}};
    struct str word;
    while (str_next(&offered, ' ', &word))
        for (size_t i = 0; i < ARRAY_LEN(v2_names); i++)
            if (str_eqz(str_trim(word), v2_names[i].name))
                h->tree_of[v2_names[i].c] = (int8_t)tree;
    h->tree_of[CGROUP_CORE] = (int8_t)tree;
}

/* True when one of ours is in it. */
static bool add_v1(struct cgroup_host *h, int tree, struct str super_options) {
    bool useful = false, daily = false;
    struct str word;
    size_t len = 0;
    char *list = h->trees[tree].controllers;
    while (str_next(&super_options, ',', &word)) {
        /* Where systemd looks whose a process is; there is a directory when systemd made one. */
        useful |= str_eqz(word, "name=systemd");
        for (int c = 0; c < CGROUP_COUNT; c++)
            if (c != CGROUP_CORE && str_eqz(word, names[c]) && h->tree_of[c] < 0) {
                h->tree_of[c] = (int8_t)tree;
                useful = true;
                daily |= c < CGROUP_CORE;
                len += (size_t)snprintf(list + len, sizeof(h->trees[tree].controllers) - len,
                                        "%s%s", len ? "," : "", names[c]);
            }
    }
    h->trees[tree].on_demand = !daily;
    return useful;
}

/* mountinfo: "id parent maj:min root point options [tags] - type source super-options". */
static bool parse_line(struct str line, struct str *ret_point, struct str *ret_type,
                       struct str *ret_super) {
    ssize_t dash = str_find_str(line, STR(" - "));
    if (dash < 0)
        return false;
    struct str head = str_sub(line, 0, (size_t)dash), tail = str_from(line, (size_t)dash + 3), f;
    for (int i = 0; i < 5; i++)
        if (!str_next(&head, ' ', &f))
            return false;
    *ret_point = f;
    struct str source;
    return str_next(&tail, ' ', ret_type) && str_next(&tail, ' ', &source) &&
           str_next(&tail, ' ', ret_super);
}

static void read_offered(struct cgroup_host *h, int tree) {
    char path[CGROUP_MOUNT_MAX + 32];
    CLEAN_BUF struct buf b = {0};
    snprintf(path, sizeof(path), "%s/cgroup.controllers", h->trees[tree].mount);
    /* A tree without that file offers nothing but its own files. */
    err_ignore(file_read(path, FILE_MAX, &b));
    add_v2(h, tree, str_trim(buf_str(&b)));
}

/* A controller that several mounts show is taken from the first. */
static void add_mount(struct cgroup_host *h, struct str point, struct str type, struct str super) {
    bool v2 = str_eqz(type, "cgroup2");
    if (!v2 && !str_eqz(type, "cgroup"))
        return;
    /* A backslash is an escaped blank: nobody mounts cgroups there. */
    if (h->trees_n == CGROUP_TREES_MAX || point.len >= CGROUP_MOUNT_MAX ||
        str_find(point, '\\') >= 0 || (v2 && h->tree_of[CGROUP_CORE] >= 0))
        return;
    int tree = (int)h->trees_n;
    struct cgroup_tree *t = &h->trees[tree];
    *t = (struct cgroup_tree){.v2 = v2};
    memcpy(t->mount, point.p, point.len);
    if (v2) {
        h->trees_n++;
        read_offered(h, tree);
    } else if (add_v1(h, tree, super)) {
        h->trees_n++;
    }
}

/* The cgroup2 tree freezes and kills by itself; a v1 freezer directory beside it would only cost.
 */
static void drop_tree(struct cgroup_host *h, int tree) {
    h->trees_n--;
    memmove(&h->trees[tree], &h->trees[tree + 1],
            (h->trees_n - (size_t)tree) * sizeof(h->trees[0]));
    for (int c = 0; c < CGROUP_COUNT; c++) {
        if (h->tree_of[c] == tree)
            h->tree_of[c] = -1;
        else if (h->tree_of[c] > tree)
            h->tree_of[c]--;
    }
}

static void prefer_core(struct cgroup_host *h) {
    int core = h->tree_of[CGROUP_CORE];
    if (core < 0)
        return;
    int freezer = h->tree_of[CGROUP_FREEZER];
    if (freezer >= 0 && strcmp(h->trees[freezer].controllers, names[CGROUP_FREEZER]) == 0)
        drop_tree(h, freezer);
    h->tree_of[CGROUP_FREEZER] = h->tree_of[CGROUP_CORE];
    if (h->tree_of[CGROUP_CPUACCT] < 0)
        h->tree_of[CGROUP_CPUACCT] = h->tree_of[CGROUP_CORE];
    if (h->tree_of[CGROUP_DEVICES] < 0)
        h->tree_of[CGROUP_DEVICES] = h->tree_of[CGROUP_CORE];
}

struct err cgroup_detect(struct cgroup_host *ret) {
    CLEAN_BUF struct buf text = {0};
    TRY(file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &text));
    struct cgroup_host h = {0};
    memset(h.tree_of, -1, sizeof(h.tree_of));
    struct str rest = buf_str(&text), line, point, type, super;
    while (str_next(&rest, '\n', &line))
        if (parse_line(line, &point, &type, &super))
            add_mount(&h, point, type, super);
    if (!h.trees_n)
        return err_new(ERR_UNSUPPORTED, "no cgroup hierarchy is mounted");
    prefer_core(&h);
    *ret = h;
    return OK;
}

/* A line of /proc/self/cgroup, "4:cpu,cpuacct:/a/b" or "0::/a/b", speaks of this tree. */
static bool line_is_of(const struct cgroup_tree *t, struct str list) {
    struct str all = str_of(t->controllers), word;
    if (t->v2 || !list.len)
        return t->v2 && !list.len;
    if (!all.len)
        return str_starts(list, STR("name="));
    str_next(&all, ',', &word);
    struct str one;
    while (str_next(&list, ',', &one))
        if (str_eq(one, word))
            return true;
    return false;
}

static bool is_confined(struct str text, const struct cgroup_tree *t) {
    struct str line, number, rest, list, path;
    while (str_next(&text, '\n', &line))
        if (str_cut(line, ':', &number, &rest) && str_cut(rest, ':', &list, &path) &&
            line_is_of(t, list))
            return !str_eqz(path, "/");
    return false;
}

struct err cgroup_keep_confining(struct cgroup_host *h) {
    CLEAN_BUF struct buf text = {0};
    TRY(file_read("/proc/self/cgroup", FILE_MAX, &text));
    for (size_t i = h->trees_n; i-- > 0;) {
        if (!is_confined(buf_str(&text), &h->trees[i]))
            drop_tree(h, (int)i);
        else
            h->trees[i].on_demand = false;
    }
    return OK;
}

void cgroup_demand(struct cgroup_host *h, enum cgroup_controller c) {
    if (h->tree_of[c] >= 0)
        h->trees[h->tree_of[c]].on_demand = false;
}

/* --- directories
 * ------------------------------------------------------------------------------------ */

void cgroup_init(struct cgroup *g, const struct cgroup_host *h) {
    g->host = *h;
    g->path[0] = '\0';
    for (size_t i = 0; i < CGROUP_TREES_MAX; i++)
        g->dirs[i] = -1;
}

void cgroup_done(struct cgroup *g) {
    for (size_t i = 0; i < g->host.trees_n; i++)
        g->dirs[i] = fd_close(g->dirs[i]);
}

struct err cgroup_check_path(const char *path) {
    struct str p = str_of(path), name;
    if (p.len < 2 || p.len >= CGROUP_PATH_MAX || p.p[0] != '/')
        return err_new(ERR_INVALID, "cgroup path '%s' must be absolute and have 2 to %d bytes",
                       path ? path : "", CGROUP_PATH_MAX - 1);
    p = str_from(p, 1);
    while (str_next(&p, '/', &name)) {
        bool bad = !name.len || name.len > 255 || name.p[0] == '.' ||
                   str_starts(name, STR("cgroup."));
        for (size_t i = 0; i < name.len; i++)
            bad |= (unsigned char)name.p[i] < 0x21 || name.p[i] == 0x7f || name.p[i] == '\\';
        if (bad)
            return err_new(ERR_INVALID, "cgroup path '%s' has an impossible component", path);
    }
    return OK;
}

static bool cpuset_is_empty(int dir) {
    CLEAN_BUF struct buf b = {0};
    struct err e = file_read_at(dir, "cpuset.cpus", FILE_MAX, &b);
    bool empty = !err_failed(e) && str_trim(buf_str(&b)).len == 0;
    err_ignore(e); /* what is wrong shows when the first process is attached */
    return empty;
}

/* A child cpuset starts empty and takes no process; with clone_children it inherits. The parent may
 * be one that somebody else is making at this moment (two first containers): then it is empty, too,
 * and filled first. Both write the same. */
static void prepare_cpuset(int parent, int dir) {
    static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
    if (cpuset_is_empty(parent)) {
        CLEAN_FD int above = openat(parent, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above >= 0 && faccessat(above, "cpuset.cpus", F_OK, 0) == 0)
            prepare_cpuset(above, parent);
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEAN_BUF struct buf b = {0};
        struct err e = file_read_at(parent, files[i], FILE_MAX, &b);
        if (!err_failed(e))
            e = file_write_at(dir, files[i], str_trim(buf_str(&b)));
        /* What is wrong shows, with its name, when the first process is attached. */
        err_ignore(e);
    }
    err_ignore(file_write_at(dir, "cgroup.clone_children", STR("1")));
}

/* The root of a cgroup namespace, when we run in a container, is not exempt from v2's rule that a
 * cgroup has either processes or children with controllers: its processes move below it, as a
 * container that runs an init system of its own does it. What is born meanwhile is moved by the
 * next round. */
static struct err make_way(int root) {
    static const char name[] = "corten-init";
    if (mkdirat(root, name, 0755) < 0 && errno != EEXIST)
        return err_errno(errno, "make cgroup '%s'", name);
    CLEAN_FD int below = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return err_errno(errno, "open cgroup '%s'", name);
    for (int round = 0; round < MAKE_TRIES; round++) {
        CLEAN_BUF struct buf pids = {0};
        TRY(file_read_at(root, "cgroup.procs", PROCS_MAX, &pids));
        struct str rest = str_trim(buf_str(&pids)), pid;
        if (rest.len == 0)
            return OK;
        while (str_next(&rest, '\n', &pid))
            err_ignore(file_write_at(below, "cgroup.procs", pid)); /* it has ended: fine */
    }
    return OK; /* whether it was enough shows when the controllers are enabled */
}

/* Controllers that the host has in this tree are handed down to dir's children. */
static struct err enable_controllers(const struct cgroup_host *h, int tree, int dir, bool root) {
    static const char *const v2_names[CGROUP_COUNT] = {
        [CGROUP_CPU] = "cpu",  [CGROUP_CPUSET] = "cpuset", [CGROUP_MEMORY] = "memory",
        [CGROUP_BLKIO] = "io", [CGROUP_PIDS] = "pids",     [CGROUP_HUGETLB] = "hugetlb",
        [CGROUP_RDMA] = "rdma"};
    CLEAN_BUF struct buf have = {0}, want = {0};
    TRY(file_read_at(dir, "cgroup.subtree_control", FILE_MAX, &have));
    for (int c = 0; c < CGROUP_COUNT; c++) {
        if (!v2_names[c] || h->tree_of[c] != tree)
            continue;
        struct str rest = str_trim(buf_str(&have)), word;
        bool enabled = false;
        while (str_next(&rest, ' ', &word))
            enabled |= str_eqz(word, v2_names[c]);
        if (!enabled)
            buf_addf(&want, "%s+%s", want.len ? " " : "", v2_names[c]);
    }
    if (!want.len)
        return OK;
    struct err e = file_write_at(dir, "cgroup.subtree_control", buf_str(&want));
    if (root && err_errnum(e) == EBUSY) {
        err_free(e);
        TRY(make_way(dir));
        e = file_write_at(dir, "cgroup.subtree_control", buf_str(&want));
    }
    return err_wrap(e, "enable cgroup controllers '%s'", buf_cstr(&want));
}

static int open_dir_at(int dir, const char *name) {
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Walks to the last component's parent and makes what is missing. */
static struct err open_parent(const struct cgroup_host *h, int tree, const char *path, int *ret_dir,
                              const char **ret_name) {
    const struct cgroup_tree *t = &h->trees[tree];
    CLEAN_FD int dir = open_dir_at(AT_FDCWD, t->mount);
    if (dir < 0)
        return err_errno(errno, "open cgroup hierarchy '%s'", t->mount);
    struct str rest = str_from(str_of(path), 1), name, tail;
    bool root = true;
    for (; str_cut(rest, '/', &name, &tail); root = false) {
        char text[256];
        snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
        if (t->v2)
            TRYF(enable_controllers(h, tree, dir, root), "%s", t->mount);
        bool made = mkdirat(dir, text, 0755) == 0;
        if (!made && errno != EEXIST)
            return err_errno(errno, "make cgroup '%s' in %s", text, t->mount);
        int next = open_dir_at(dir, text);
        if (next < 0)
            return err_errno(errno, "open cgroup '%s' in %s", text, t->mount);
        if (made && tree == h->tree_of[CGROUP_CPUSET] && !t->v2)
            prepare_cpuset(dir, next);
        fd_close(dir);
        dir = next;
        rest = tail;
    }
    if (t->v2)
        TRYF(enable_controllers(h, tree, dir, root), "%s", t->mount);
    *ret_dir = TAKE_FD(dir);
    *ret_name = path + (rest.p - path);
    return OK;
}

static int make_last(const struct cgroup_host *h, int tree, int parent, const char *name) {
    if (mkdirat(parent, name, 0755) < 0)
        return -errno;
    int dir = open_dir_at(parent, name);
    if (dir < 0)
        return -errno;
    /* The parent may be one that we did not make: without clone_children nothing was inherited. */
    if (tree == h->tree_of[CGROUP_CPUSET] && !h->trees[tree].v2) {
        if (cpuset_is_empty(dir) || cpuset_is_empty(parent))
            prepare_cpuset(parent, dir);
    }
    return dir;
}

/* The short way: the parent is there, as it is for every container but the first. */
static struct err make_in_tree(const struct cgroup_host *h, int tree, const char *path,
                               int *ret_dir) {
    char parent_path[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    const char *name = strrchr(path, '/') + 1;
    snprintf(parent_path, sizeof(parent_path), "%s%.*s", h->trees[tree].mount, (int)(name - path),
             path);
    for (int tries = 0; tries < MAKE_TRIES; tries++) {
        CLEAN_FD int parent = -1;
        if (name != path + 1 && tries == 0)
            parent = open_dir_at(AT_FDCWD, parent_path);
        if (parent < 0)
            TRY(open_parent(h, tree, path, &parent, &name));
        int dir = make_last(h, tree, parent, name);
        if (dir >= 0) {
            *ret_dir = dir;
            return OK;
        }
        if (dir != -ENOENT)
            return err_kind_errno(dir == -EEXIST ? ERR_CONFLICT : ERR_SYSTEM, dir,
                                  "make cgroup '%s' in %s", path, h->trees[tree].mount);
    }
    return err_errno(ENOENT, "make cgroup '%s' in %s", path, h->trees[tree].mount);
}

static void unmake(const struct cgroup *g, size_t trees_n, const bool *found) {
    char path[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    for (size_t i = 0; i < trees_n; i++) {
        snprintf(path, sizeof(path), "%s%s", g->host.trees[i].mount, g->path);
        if (!found[i])
            rmdir(path);
    }
}

static int open_in_tree(const struct cgroup_host *h, size_t tree, const char *path) {
    char full[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    snprintf(full, sizeof(full), "%s%s", h->trees[tree].mount, path);
    return open_dir_at(AT_FDCWD, full);
}

static struct err make(const struct cgroup_host *h, const char *path, bool adopt,
                       struct cgroup *ret) {
    TRY(cgroup_check_path(path));
    CLEAN_CGROUP struct cgroup g;
    bool found[CGROUP_TREES_MAX] = {0};
    cgroup_init(&g, h);
    snprintf(g.path, sizeof(g.path), "%s", path);
    for (size_t i = 0; i < h->trees_n; i++) {
        if (adopt)
            g.dirs[i] = open_in_tree(h, i, path);
        found[i] = g.dirs[i] >= 0;
        if (h->trees[i].on_demand || found[i])
            continue;
        struct err e = make_in_tree(h, (int)i, path, &g.dirs[i]);
        if (err_failed(e)) {
            unmake(&g, i, found);
            return e;
        }
    }
    *ret = g;
    cgroup_init(&g, h);
    return OK;
}

struct err cgroup_make(const struct cgroup_host *h, const char *path, struct cgroup *ret) {
    return make(h, path, false, ret);
}

struct err cgroup_adopt(const struct cgroup_host *h, const char *path, struct cgroup *ret) {
    return make(h, path, true, ret);
}

struct err cgroup_open(const struct cgroup_host *h, const char *path, struct cgroup *ret) {
    TRY(cgroup_check_path(path));
    char full[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
    CLEAN_CGROUP struct cgroup g;
    cgroup_init(&g, h);
    snprintf(g.path, sizeof(g.path), "%s", path);
    size_t found = 0;
    for (size_t i = 0; i < h->trees_n; i++) {
        snprintf(full, sizeof(full), "%s%s", h->trees[i].mount, path);
        g.dirs[i] = open_dir_at(AT_FDCWD, full);
        if (g.dirs[i] < 0 && errno != ENOENT)
            return err_errno(errno, "open cgroup '%s'", full);
        found += g.dirs[i] >= 0;
    }
    if (!found)
        return err_new(ERR_NOT_FOUND, "no cgroup '%s'", path);
    *ret = g;
    cgroup_init(&g, h);
    return OK;
}

/* --- files
 * -------------------------------------------------------------------------------------------- */

int cgroup_dir(const struct cgroup *g, enum cgroup_controller c) {
    int tree = g->host.tree_of[c];
    return tree < 0 ? -1 : g->dirs[tree];
}

static struct err need_dir(const struct cgroup *g, enum cgroup_controller c, int *ret_dir) {
    int dir = cgroup_dir(g, c);
    if (dir < 0)
        return err_new(ERR_UNSUPPORTED, "this host has no cgroup controller '%s'", names[c]);
    *ret_dir = dir;
    return OK;
}

struct err cgroup_write(const struct cgroup *g, enum cgroup_controller c, const char *file,
                        const char *text) {
    int dir;
    TRY(need_dir(g, c, &dir));
    return err_wrap(file_write_at(dir, file, str_of(text)), "set %s to '%s'", file, text);
}

struct err cgroup_write_i64(const struct cgroup *g, enum cgroup_controller c, const char *file,
                            int64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    return cgroup_write(g, c, file, text);
}

struct err cgroup_read(const struct cgroup *g, enum cgroup_controller c, const char *file,
                       struct buf *ret) {
    int dir;
    TRY(need_dir(g, c, &dir));
    return file_read_at(dir, file, FILE_MAX, ret);
}

struct err cgroup_read_u64(const struct cgroup *g, enum cgroup_controller c, const char *file,
                           uint64_t *ret) {
    CLEAN_BUF struct buf b = {0};
    TRY(cgroup_read(g, c, file, &b));
    struct str text = str_trim(buf_str(&b));
    if (str_eqz(text, "max")) {
        *ret = UINT64_MAX;
        return OK;
    }
    return err_wrap(str_to_u64(text, UINT64_MAX, ret), "%s", file);
}

struct err cgroup_read_key(const struct cgroup *g, enum cgroup_controller c, const char *file,
                           const char *key, uint64_t *ret) {
    CLEAN_BUF struct buf b = {0};
    TRY(cgroup_read(g, c, file, &b));
    struct str rest = buf_str(&b), line, word, value;
    while (str_next(&rest, '\n', &line))
        if (str_cut(line, ' ', &word, &value) && str_eqz(word, key))
            return err_wrap(str_to_u64(str_trim(value), UINT64_MAX, ret), "%s: %s", file, key);
    return err_new(ERR_NOT_FOUND, "%s has no '%s'", file, key);
}

void cgroup_look_u64(const struct cgroup *g, enum cgroup_controller c, const char *file,
                     uint64_t *ret) {
    if (cgroup_dir(g, c) >= 0)
        err_ignore(cgroup_read_u64(g, c, file, ret));
}

void cgroup_look_key(const struct cgroup *g, enum cgroup_controller c, const char *file,
                     const char *key, uint64_t *ret) {
    if (cgroup_dir(g, c) >= 0)
        err_ignore(cgroup_read_key(g, c, file, key, ret));
}
