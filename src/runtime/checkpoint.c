/* What checkpoint and restore have in common: options, directories, ties to the host. */
#include "runtime/checkpoint.h"
#include "base/file.h"
#include "base/path.h"
#include "kernel/beneath.h"
#include "kernel/cgroup.h"
#include "kernel/ns.h"
#include "runtime/commands.h"
#include "runtime/mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STREAMS_MAX (64u << 10)
#define MOUNTINFO_MAX (16u << 20)

void checkpoint_init(struct checkpoint *c) {
    *c = (struct checkpoint){.image_path = "checkpoint", .joined = {-1, -1}};
    c->request = (struct criu_request){.images = -1, .work = -1, .cgroups = CRIU_CGROUPS_SOFT};
}

void checkpoint_done(struct checkpoint *c) {
    fd_close(c->request.images);
    fd_close(c->request.work);
    free(c->program);
    fd_close(c->joined[0]);
    fd_close(c->joined[1]);
    strv_done(&c->request.external);
    strv_done(&c->keys);
}

/* --- options ---------------------------------------------------------------------------------- */

static struct err set_mode(struct checkpoint *c, const char *name) {
    static const struct {
        const char *name;
        enum criu_cgroups mode;
    } modes[] = {{"soft", CRIU_CGROUPS_SOFT},
                 {"full", CRIU_CGROUPS_FULL},
                 {"strict", CRIU_CGROUPS_STRICT},
                 {"ignore", CRIU_CGROUPS_IGNORE}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(modes[i].name, name) == 0) {
            c->request.cgroups = modes[i].mode;
            return OK;
        }
    return err_new(ERR_INVALID, "--manage-cgroups-mode '%s' is not soft, full, strict or ignore",
                   name);
}

struct err checkpoint_option(struct checkpoint *c, int option, const char *value) {
    struct criu_request *r = &c->request;
    bool *const flags[] = {&r->tcp_established, &r->ext_unix_sk, &r->shell_job, &r->file_locks,
                           &r->auto_dedup};
    switch (option - CHECKPOINT_OPTION) {
    case 0:
        c->image_path = value;
        return OK;
    case 1:
        c->work_path = value;
        return OK;
    case 7:
        return set_mode(c, value);
    case 8:
        return err_new(ERR_UNSUPPORTED, "--lazy-pages is not supported");
    case 9:
        return err_new(ERR_UNSUPPORTED, "--empty-ns '%s' is not supported", value);
    default:
        *flags[option - CHECKPOINT_OPTION - 2] = true;
        return OK;
    }
}

static struct err open_place(const char *path, const char *option, bool make, int *ret_fd) {
    if (make)
        TRYF(dir_make(path, 0700), "%s", option);
    return err_wrap(dir_open(path, ret_fd), "%s", option);
}

struct err checkpoint_open(struct checkpoint *c, bool make) {
    TRY(open_place(c->image_path, "--image-path", make, &c->request.images));
    if (c->work_path)
        return open_place(c->work_path, "--work-path", true, &c->request.work);
    c->request.work = fcntl(c->request.images, F_DUPFD_CLOEXEC, 3);
    return c->request.work < 0 ? err_errno(errno, "duplicate descriptor") : OK;
}

/* --- mounts ----------------------------------------------------------------------------------- */

static void add_external(struct checkpoint *c, const char *inside, const char *outside) {
    CLEAN_FREE char *text = mem_printf("mnt[%s]:%s", inside, outside);
    strv_add(&c->request.external, text);
}

/* Where a destination really is, in the container: a part of it may be a link. */
static struct err find_inside(pid_t pid, const char *destination, char ret[PATH_MAX]) {
    char path[32], link[32];
    snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
    CLEAN_FD int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
    if (root < 0)
        return err_errno(errno, "open the container's root");
    TRY(beneath_open(root, destination, O_PATH, 0, &fd));
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, ret, PATH_MAX - 1);
    if (n < 0)
        return err_errno(errno, "find the mount '%s'", destination);
    ret[n] = '\0';
    return OK;
}

/* The container's directory in the one hierarchy that there is. */
static struct err cgroup_source(const struct record *r, const char *destination,
                                char ret[PATH_MAX]) {
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    if (host.trees_n != 1 || !host.trees[0].v2)
        return err_new(ERR_UNSUPPORTED,
                       "mount '%s': a view of cgroups of version 1 cannot be carried over",
                       destination);
    snprintf(ret, PATH_MAX, "%s%s", host.trees[0].mount, r->kept.cgroup_path);
    return OK;
}

/* dump: where in the container, under which name; restore: by which name, what of the host. */
static struct err tie_mount(struct checkpoint *c, const struct record *r,
                            const struct mount_plan *p, pid_t pid) {
    const char *destination = p->mount->destination;
    char other[PATH_MAX];
    bool binds = p->kind == KIND_BIND;
    if (!binds && p->kind != KIND_CGROUP)
        return OK;
    if (p->recursive)
        return err_new(ERR_UNSUPPORTED, "mount '%s': rbind cannot be carried over", destination);
    CLEAN_FREE char *clean = path_clean(str_of(destination));
    if (!binds)
        TRY(cgroup_source(r, destination, other));
    if (pid) {
        TRY(find_inside(pid, clean, other));
        add_external(c, other, clean);
    } else {
        add_external(c, clean, binds ? p->mount->source : other);
    }
    return OK;
}

static struct err tie_mounts(struct checkpoint *c, const struct record *r, pid_t pid) {
    const struct runtime_create_options o = record_options(r);
    CLEAN_MOUNT_PLANS struct mount_plans plans = {0};
    TRY(mounts_plan(&o, &plans));
    for (size_t i = 0; i < plans.n; i++)
        TRY(tie_mount(c, r, &plans.items[i], pid));
    return OK;
}

/* --- namespaces ------------------------------------------------------------------------------- */

static void inherit(struct checkpoint *c, const char *key, int fd) {
    struct criu_request *r = &c->request;
    strv_add(&c->keys, key);
    r->inherit[r->inherit_n++] = (struct criu_inherit){c->keys.items[c->keys.n - 1], fd};
}

static struct err tie_namespace(struct checkpoint *c, const char *type, const char *path,
                                pid_t pid) {
    bool net = strcmp(type, "network") == 0;
    if (!net && strcmp(type, "pid") != 0)
        return err_new(ERR_UNSUPPORTED,
                       "linux.namespaces: a joined %s namespace cannot be carried over", type);
    const char *key = net ? "extRootNetNS" : "extRootPidNS";
    if (!pid) {
        TRYF(ns_open_path(path, net ? CLONE_NEWNET : CLONE_NEWPID, &c->joined[!net]),
             "linux.namespaces: %s", type);
        inherit(c, key, c->joined[!net]);
        return OK;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(errno, "linux.namespaces: %s: '%s'", type, path);
    CLEAN_FREE char *text = mem_printf("%s[%llu]:%s", net ? "net" : "pid",
                                       (unsigned long long)st.st_ino, key);
    strv_add(&c->request.external, text);
    return OK;
}

static struct err tie_namespaces(struct checkpoint *c, const struct oci_config *config, pid_t pid) {
    static const char *const types[] = {"pid",  "network", "ipc",    "uts",
                                        "user", "mount",   "cgroup", "time"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const char *path = NULL;
        if (!oci_namespace(config, types[i], &path))
            continue;
        if (strcmp(types[i], "user") == 0)
            return err_new(ERR_UNSUPPORTED, "linux.namespaces: a container with a user namespace "
                                            "cannot be checkpointed or restored");
        if (path && path[0])
            TRY(tie_namespace(c, types[i], path, pid));
    }
    return OK;
}

struct err checkpoint_ties(struct checkpoint *c, const struct record *r, pid_t pid) {
    TRY(tie_namespaces(c, &r->config, pid));
    TRY(tie_mounts(c, r, pid));
    CLEAN_FREE char *inside = notify_inside(r);
    if (pid && inside)
        add_external(c, inside, inside);
    return OK;
}

/* --- standard streams ------------------------------------------------------------------------- */

/* mountinfo's first column is the mount's number. */
static bool has_mount(struct str mountinfo, uint64_t number) {
    struct str line;
    while (str_next(&mountinfo, '\n', &line)) {
        uint64_t n = 0;
        size_t digits = 0;
        while (digits < line.len && line.p[digits] >= '0' && line.p[digits] <= '9')
            n = n * 10 + (uint64_t)(line.p[digits++] - '0');
        if (n == number)
            return true;
    }
    return false;
}

static struct err mount_number(pid_t pid, int fd, uint64_t *ret) {
    char path[64];
    CLEAN_BUF struct buf text = {0};
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
    TRY(file_read(path, 4096, &text));
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line))
        if (str_starts(line, STR("mnt_id:")))
            return str_to_u64(str_trim(str_n(line.p + 7, line.len - 7)), INT32_MAX, ret);
    return err_new(ERR_SYSTEM, "'%s' names no mount", path);
}

/* criu's name for a stream that comes from outside. A terminal is --shell-job's business. */
static struct err name_stream(struct checkpoint *c, pid_t pid, int fd, struct str mountinfo,
                              char ret[PATH_MAX]) {
    char path[64];
    struct stat st;
    uint64_t number;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, ret, PATH_MAX - 1);
    if (n < 0 && errno == ENOENT) {
        ret[0] = '\0';
        return OK; /* closed by the program */
    }
    if (n < 0 || stat(path, &st) < 0)
        return err_errno(errno, "look at '%s'", path);
    ret[n] = '\0';
    if (strncmp(ret, "pipe:[", 6) == 0)
        return OK;
    bool tty = S_ISCHR(st.st_mode) && (major(st.st_rdev) == 136 || major(st.st_rdev) == 4);
    TRY(mount_number(pid, fd, &number));
    if (tty || S_ISSOCK(st.st_mode) || has_mount(mountinfo, number)) {
        ret[0] = '\0';
        return OK;
    }
    snprintf(ret, PATH_MAX, "file[%llx:%llx]", (unsigned long long)number,
             (unsigned long long)st.st_ino);
    strv_add(&c->request.external, ret);
    return OK;
}

struct err checkpoint_streams_keep(struct checkpoint *c, pid_t pid) {
    char path[32], name[PATH_MAX];
    CLEAN_BUF struct buf mountinfo = {0}, text = {0};
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
    TRY(file_read(path, MOUNTINFO_MAX, &mountinfo));
    struct json_out out = {.out = &text};
    jo_arr(&out);
    for (int fd = 0; fd < 3; fd++) {
        TRY(name_stream(c, pid, fd, buf_str(&mountinfo), name));
        jo_str(&out, str_of(name));
    }
    jo_arr_end(&out);
    return err_wrap(
        file_replace_at(c->request.images, CHECKPOINT_STREAMS, buf_str(&text), 0600, false),
        "--image-path");
}

static bool is_tie(struct str s) {
    return str_starts(s, STR("pipe:[")) || str_starts(s, STR("file["));
}

struct err checkpoint_streams_give(struct checkpoint *c) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_JSON struct json *names = NULL;
    TRYF(file_read_at(c->request.images, CHECKPOINT_STREAMS, STREAMS_MAX, &text), "--image-path");
    TRYF(json_parse(buf_str(&text), &names), CHECKPOINT_STREAMS);
    for (int i = 0; i < 3; i++) {
        struct str name = json_str(json_at(names, (size_t)i));
        if (!is_tie(name))
            continue;
        CLEAN_FREE char *key = mem_printf("%.*s", STR_ARG(name));
        inherit(c, key, i);
    }
    return OK;
}
