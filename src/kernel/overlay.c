/* The two ways to an overlay of many layers as a detached mount; see kernel/mount.h. */
#include "base/buf.h"
#include "kernel/mount.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

/* mount(2) copies one page of options, with its final NUL. */
#define OPTIONS_MAX 4095
#define FD_PATH_MAX 32

/* What changes the meaning of a layer's bytes is set, not left to module parameters: a layer
 * written under one kernel's defaults must read the same under another's. */
static const struct mount_option fixed_options[] = {
    {"index", "off"},
    {"metacopy", "off"},
    {"redirect_dir", "off"},
};

static struct err check_layers(const struct mount_overlay *o) {
    if (o->layers_n == 0 || o->layers_n > MOUNT_LAYERS_MAX)
        return err_new(ERR_INVALID, "mount overlay: %zu layers, 1 to %d are possible", o->layers_n,
                       MOUNT_LAYERS_MAX);
    if ((o->upper_fd < 0) != (o->work_fd < 0))
        return err_new(ERR_INVALID, "mount overlay: upper without work directory");
    for (size_t i = 0; i < o->layers_n; i++) {
        struct str name = str_of(o->layers[i]);
        if (!name.len || name.len > MOUNT_LAYER_NAME_MAX || name.p[0] == '/' ||
            strpbrk(name.p, ":,\\"))
            return err_new(ERR_INVALID, "mount overlay: layer name '%s' cannot be used", name.p);
    }
    return OK;
}

static struct err fs_string(int fs, const char *key, const char *value) {
    if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0)
        return err_errno(errno, "mount overlay: %s=%s", key, value);
    return OK;
}

static struct err fs_fd(int fs, const char *key, int fd) {
    char path[FD_PATH_MAX];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return fs_string(fs, key, path);
}

static struct err set_layers(int fs, const struct mount_overlay *o) {
    char path[FD_PATH_MAX + MOUNT_LAYER_NAME_MAX + 1];
    for (size_t i = 0; i < o->layers_n; i++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", o->layers_fd, o->layers[i]);
        TRY(fs_string(fs, "lowerdir+", path));
    }
    return OK;
}

static struct err by_fsconfig(const struct mount_overlay *o, int *ret_fd) {
    CLEAN_FD int fs = fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0)
        return err_errno(errno, "mount overlay: not offered by this kernel");
    TRY(fs_string(fs, "source", "overlay"));
    for (size_t i = 0; i < ARRAY_LEN(fixed_options); i++)
        TRY(fs_string(fs, fixed_options[i].key, fixed_options[i].value));
    TRY(set_layers(fs, o));
    if (o->upper_fd >= 0) {
        TRY(fs_fd(fs, "upperdir", o->upper_fd));
        TRY(fs_fd(fs, "workdir", o->work_fd));
    }
    if (o->volatile_ && fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
        return err_errno(errno, "mount overlay: volatile");
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_errno(errno, "mount overlay of %zu layers", o->layers_n);
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)o->attrs);
    if (fd < 0)
        return err_errno(errno, "mount overlay: fsmount");
    *ret_fd = fd;
    return OK;
}

struct by_child {
    int layers_fd;
    const char *target, *options;
    int fd;
    const char *what;
};

/* In the child. The working directory is entered before unshare, which moves it into the new
 * namespace; a descriptor would still point into the old one, where we must not mount. */
static int mount_in_child(void *arg) {
    struct by_child *c = arg;
    c->what = "enter the layers' directory";
    if (fchdir(c->layers_fd) < 0)
        return -errno;
    c->what = "unshare";
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    c->what = "make mounts private";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    c->what = "mount";
    if (mount("overlay", c->target, "overlay", 0, c->options) < 0)
        return -errno;
    c->what = "clone mount";
    int fd = open_tree(AT_FDCWD, c->target, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0)
        return -errno;
    c->fd = fd;
    return 0;
}

/* By its path: in a namespace of its own the child must not use a descriptor's mount, which belongs
 * to the caller's namespace (Linux refuses to make an overlay of it). Commas and the like are
 * escaped as the file system undoes it. */
static struct err add_dir(struct buf *b, const char *key, int fd) {
    char link[FD_PATH_MAX], path[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path));
    if (n < 0)
        return err_errno(errno, "mount overlay: path of %s", key);
    if (n == (ssize_t)sizeof(path) || path[0] != '/')
        return err_new(ERR_INVALID, "mount overlay: path of %s cannot be used", key);
    buf_addf(b, "%s=", key);
    for (ssize_t i = 0; i < n; i++) {
        if (strchr("\\,:", path[i]))
            buf_addc(b, '\\');
        buf_addc(b, path[i]);
    }
    buf_addc(b, ',');
    return OK;
}

static struct err overlay_options(const struct mount_overlay *o, struct buf *b) {
    for (size_t i = 0; i < ARRAY_LEN(fixed_options); i++)
        buf_addf(b, "%s=%s,", fixed_options[i].key, fixed_options[i].value);
    if (o->upper_fd >= 0) {
        TRY(add_dir(b, "upperdir", o->upper_fd));
        TRY(add_dir(b, "workdir", o->work_fd));
    }
    if (o->volatile_)
        buf_adds(b, "volatile,");
    buf_adds(b, "lowerdir=");
    for (size_t i = 0; i < o->layers_n; i++)
        buf_addf(b, "%s%s", i ? ":" : "", o->layers[i]);
    return OK;
}

static struct err by_child(const struct mount_overlay *o, int *ret_fd) {
    CLEAN_BUF struct buf options = {0};
    TRY(overlay_options(o, &options));
    if (options.len > OPTIONS_MAX)
        return err_new(ERR_INVALID, "mount overlay: names of %zu layers take %zu bytes, %d fit",
                       o->layers_n, options.len, OPTIONS_MAX);
    struct by_child c = {
        .layers_fd = o->layers_fd,
        .target = o->layers[0], /* the child's own namespace: covers nothing of anybody else */
        .options = options.data,
        .fd = -1,
        .what = "clone",
    };
    int r = spawn_call(0, mount_in_child, &c);
    if (r < 0)
        return err_errno(r, "mount overlay of %zu layers: %s", o->layers_n, c.what);
    CLEAN_FD int fd = c.fd;
    if (o->attrs)
        TRY(mount_set(fd, o->attrs, 0, 0, false));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* The kernel refuses a read-only overlay of one layer; a clone of the directory is the same. */
static struct err single_layer(const struct mount_overlay *o, int *ret_fd) {
    CLEAN_FD int fd = -1;
    TRY(mount_clone(o->layers_fd, o->layers[0], false, &fd));
    TRY(mount_set(fd, o->attrs | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, false));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* An overlay from before the new mount interface takes every word and refuses it only when the
 * mount is made; one that refuses nonsense at once and takes "lowerdir+" means it. */
static enum mount_way ask_overlay(void) {
    CLEAN_FD int fs = fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, "no-such-option", NULL, 0) == 0)
        return MOUNT_WAY_CHILD;
    return fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "/", 0) == 0 ? MOUNT_WAY_FSCONFIG
                                                                       : MOUNT_WAY_CHILD;
}

/* Asking makes the kernel wait for every processor when the layer "/" is let go again: where the
 * version tells already, it is not asked. */
enum mount_way mount_overlay_probe(void) {
    struct utsname host;
    unsigned major = 0, minor = 0;
    if (uname(&host) == 0 && sscanf(host.release, "%u.%u", &major, &minor) == 2 &&
        (major > 6 || (major == 6 && minor >= 7)))
        return MOUNT_WAY_FSCONFIG;
    return ask_overlay();
}

struct err mount_overlay_detached(const struct mount_overlay *o, int *ret_fd) {
    TRY(check_layers(o));
    if (o->upper_fd < 0 && o->layers_n == 1)
        return single_layer(o, ret_fd);
    enum mount_way way = o->way == MOUNT_WAY_AUTO ? mount_overlay_probe() : o->way;
    int fd = -1;
    TRY(way == MOUNT_WAY_CHILD ? by_child(o, &fd) : by_fsconfig(o, &fd));
    *ret_fd = fd;
    return OK;
}
