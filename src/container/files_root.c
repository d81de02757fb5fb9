/* The root file system that a worker looks at. See files.h. */
#include "base/file.h"
#include "base/path.h"
#include "base/vec.h"
#include "container/files.h"
#include "kernel/beneath.h"
#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
#define OVERLAY_LAYERS_MAX (MOUNT_LAYERS_MAX + 1)

static struct err open_dir_at(int dir, const char *path, int *ret_fd) {
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open '%s'", path);
    *ret_fd = fd;
    return OK;
}

/* --- overlays
 * -------------------------------------------------------------------------------------- */

/* upper: "" for the image alone. dir >= 0: its directories "upper" and "work" are written to. */
static struct err overlay(const struct files_args *a, int layers_fd, const char *upper, int dir,
                          int *ret_fd) {
    const char *names[OVERLAY_LAYERS_MAX];
    size_t n = 0, layers = a->layers.n;
    CLEAN_FD int upper_fd = -1;
    CLEAN_FD int work_fd = -1;
    if (a->whole && dir >= 0 && !*upper)
        return mount_clone(dir, ROOTFS_WHOLE, false, ret_fd);
    if (*upper)
        names[n++] = upper;
    if (a->whole && *upper)
        layers = 0;
    if (layers > MOUNT_LAYERS_MAX - n)
        return err_new(ERR_UNSUPPORTED, "an image of %zu layers leaves no room for the container",
                       layers);
    for (size_t i = 0; i < layers; i++)
        names[n++] = a->layers.items[i];
    if (dir >= 0) {
        TRY(open_dir_at(dir, "upper", &upper_fd));
        TRY(open_dir_at(dir, "work", &work_fd));
    }
    if (n == 0) /* an image without layers: what the container wrote is all there is */
        return mount_clone(dir, "upper", false, ret_fd);
    struct mount_overlay o = {.layers_fd = layers_fd,
                              .layers = names,
                              .layers_n = n,
                              .upper_fd = upper_fd,
                              .work_fd = work_fd};
    return mount_overlay_detached(&o, ret_fd);
}

struct err files_open_image(const struct files_args *a, int layers_fd, int *ret_fd) {
    *ret_fd = -1;
    return a->layers.n ? overlay(a, layers_fd, "", -1, ret_fd) : OK;
}

/* --- a stopped container with its volumes
 * ---------------------------------------------------------- */

/* Missing places are made, as a start would. The overlay is ours alone when we only read. */
struct seen { /* what mounts may be made of */
    int layers;
    const int *keeps;
    size_t keeps_n;
};

static struct err image_tree(const struct files_mount *m, int layers, int *ret_fd) {
    struct mount_overlay o = {.layers_fd = layers,
                              .layers = (const char *const *)m->layers.items,
                              .layers_n = m->layers.n,
                              .upper_fd = -1,
                              .work_fd = -1};
    CLEAN_FD int whole = -1;
    CLEAN_FD int keep = -1;
    TRY(mount_overlay_detached(&o, &whole));
    if (!m->subpath || !*m->subpath) {
        *ret_fd = TAKE_FD(whole);
        return OK;
    }
    TRY(volume_keep_make(whole, &keep));
    return volume_keep_clone(keep, m->subpath, ret_fd);
}

/* -1: there is nothing to see, as with a bind source that has gone. */
static struct err open_mount(const struct seen *s, const struct files_mount *m, int *ret_fd) {
    const char *subpath = m->subpath ? m->subpath : "";
    CLEAN_FD int from = -1;
    *ret_fd = -1;
    if (m->keep && m->keep <= s->keeps_n)
        return volume_keep_clone(s->keeps[m->keep - 1], subpath, ret_fd);
    if (m->type) {
        TRY(volume_mount_once(m->type, m->device, m->option, m->source, &from));
        return volume_keep_clone(from, subpath, ret_fd);
    }
    if (m->layers.n)
        return image_tree(m, s->layers, ret_fd);
    if (access(m->source, F_OK) != 0)
        return OK;
    if (!*subpath)
        return mount_clone(AT_FDCWD, m->source, true, ret_fd);
    TRY(dir_open(m->source, &from));
    return volume_dir_clone(from, subpath, ret_fd);
}

static struct err attach_mount(int root, const struct seen *s, const struct files_mount *m) {
    CLEAN_FD int tree = -1;
    CLEAN_FD int target = -1;
    struct stat st;
    TRY(open_mount(s, m, &tree));
    if (tree < 0)
        return OK;
    if (fstat(tree, &st) != 0)
        return err_errno(errno, "stat '%s'", m->source);
    TRY(mount_set(tree, m->rw ? 0 : MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, true));
    TRY(S_ISDIR(st.st_mode) ? beneath_mkdirs(root, m->destination, 0755, &target)
                            : beneath_touch(root, m->destination, 0644, &target));
    return err_wrap(mount_attach(tree, target), "mount '%s'", m->destination);
}

/* In a mount namespace of our own: a scratch file system on a->place, with the root in it. */
static struct err stopped_with_mounts(const struct files_args *a, int layers_fd,
                                      const struct seen *seen, bool write, int *ret_fd) {
    CLEAN_FD int place = -1;
    CLEAN_FD int scratch = -1;
    CLEAN_FD int layers = -1;
    CLEAN_FD int own = -1;
    CLEAN_FD int tree = -1;
    CLEAN_FD int target = -1;
    char link[40], layers_path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", layers_fd);
    ssize_t n = readlink(link, layers_path, sizeof layers_path - 1);
    if (n <= 0)
        return err_errno(errno, "find the layers' directory");
    layers_path[n] = '\0';
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return err_errno(errno, "make a mount namespace");
    /* Descriptors from before belong to the other namespace and cannot be mounted from. */
    TRY(dir_open(layers_path, &layers));
    TRY(dir_open(a->directory, &own));
    TRY(dir_open(a->place, &place));
    TRY(mount_new_fs("tmpfs", "corten", NULL, 0, 0, TMPFS_MAGIC, &scratch));
    TRY(mount_attach(scratch, place));
    if (mkdirat(scratch, "root", 0755) != 0 || mkdirat(scratch, "upper", 0755) != 0 ||
        mkdirat(scratch, "work", 0700) != 0)
        return err_errno(errno, "make scratch directories");
    TRY(write ? overlay(a, layers, "", own, &tree) : overlay(a, layers, a->upper, scratch, &tree));
    target = openat(scratch, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        return err_errno(errno, "open the scratch directory");
    TRY(mount_attach(tree, target));
    const struct files_mount *m = a->mounts.items;
    for (size_t i = 0; i < a->mounts.n; i++)
        TRY(attach_mount(tree, &(struct seen){layers, seen->keeps, seen->keeps_n}, &m[i]));
    *ret_fd = TAKE_FD(tree);
    return OK;
}

/* --- which one
 * --------------------------------------------------------------------------------------- */

static struct err running(const struct files_args *a, int *ret_fd) {
    char path[48];
    uint64_t start_time = 0;
    snprintf(path, sizeof path, "/proc/%lld/root", (long long)a->pid);
    CLEAN_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int errnum = errno;
    CLEAN_ERR struct err e = pidfd_start_time((pid_t)a->pid, &start_time);
    if (fd < 0 || err_failed(e) || start_time != a->start_time)
        return err_kind_errno(ERR_CONFLICT, fd < 0 ? errnum : ESRCH,
                              "container %s has just stopped", a->name);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err volume_root(const struct files_args *a, const struct seen *seen, int *ret_fd) {
    CLEAN_FD int tree = -1;
    if (a->mounts.n != 1)
        return err_new(ERR_INVALID, "a volume is one mount");
    const struct files_mount *m = a->mounts.items;
    if (!m->keep && !m->type)
        return volume_open_dir(m->source, ret_fd);
    TRY(open_mount(seen, m, &tree));
    return open_dir_at(tree, ".", ret_fd);
}

struct err files_open_root(const struct files_args *a, int layers_fd, const int *keeps,
                           size_t keeps_n, int *ret_fd) {
    struct seen seen = {layers_fd, keeps, keeps_n};
    bool write = a->what == FILES_PUT;
    if (a->volume)
        return volume_root(a, &seen, ret_fd);
    if (a->pid)
        return running(a, ret_fd);
    if (a->mounts.n)
        return stopped_with_mounts(a, layers_fd, &seen, write, ret_fd);
    if (!write)
        return overlay(a, layers_fd, a->upper, -1, ret_fd);
    CLEAN_FD int own = -1;
    TRY(dir_open(a->directory, &own));
    return overlay(a, layers_fd, "", own, ret_fd);
}

/* --- where a path leads
 * ------------------------------------------------------------------------------ */

char *files_resolve(int root, const char *path) {
    CLEAN_FREE char *done = mem_strdup("");
    CLEAN_FREE char *todo = mem_strdup(path);
    for (int links = 0; *todo;) {
        struct str part, rest;
        str_cut(str_of(todo), '/', &part, &rest);
        CLEAN_FREE char *next = str_dup(rest);
        CLEAN_FREE char *here = NULL;
        CLEAN_BUF struct buf target = {0};
        if (part.len == 0 || str_eqz(part, ".")) {
            here = mem_strdup(done);
        } else if (str_eqz(part, "..")) {
            here = str_dup(path_dir(str_of(done)));
        } else {
            here = mem_printf("%s/%.*s", done, STR_ARG(part));
            struct err e = beneath_readlink(root, here, &target);
            bool is_link = !err_failed(e) && links < LINKS_MAX;
            err_ignore(e); /* no link, or nothing there */
            if (is_link) {
                links++;
                char *whole = mem_printf("%s/%s", buf_cstr(&target), next);
                free(next);
                next = whole;
                free(here);
                here = mem_strdup(buf_cstr(&target)[0] == '/' ? "" : done);
            }
        }
        free(done);
        free(todo);
        done = strcmp(here, "/") == 0 || strcmp(here, ".") == 0 ? mem_strdup("") : TAKE(here);
        todo = TAKE(next);
    }
    return *done ? TAKE(done) : mem_strdup("/");
}
