/* rootfs_drivers.c - overlay2, btrfs and vfs. See rootfs.h. */
#include "base/file.h"
#include "base/random.h"
#include "base/sha256.h"
#include "image/image.h"
#include "image/rootfs_driver.h"
#include "kernel/btrfs.h"
#include "kernel/quota.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNFINISHED ".root" /* becomes ROOTFS_WHOLE when all of it is there */

static struct err make_dir(int dir, const char *name, mode_t mode) {
    if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
        return err_errno(errno, "make directory '%s'", name);
    return OK;
}

static struct err open_dir(int dir, const char *name, int *ret_fd) {
    *ret_fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open directory '%s'", name) : OK;
}

/* --- limits by project quota -------------------------------------------------------------------
 */

static struct err project_probe(int data_root_fd) {
    if (quota_has_projects(data_root_fd))
        return OK;
    return err_new(ERR_UNSUPPORTED,
                   "--storage-opt size= needs project quota under overlay2 and vfs: ext4 or xfs "
                   "below the data root, mounted with prjquota (or btrfs with `btrfs quota enable` "
                   "and the driver btrfs)");
}

static uint32_t seed_of(const char *id) {
    char digits[9] = "";
    snprintf(digits, sizeof digits, "%.8s", id ? id : "");
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* --- overlay2 ----------------------------------------------------------------------------------
 */

static struct err overlay_probe(int data_root_fd UNUSED) {
    return OK; /* what the kernel does not take it says at the first mount */
}

static struct err overlay_make(const struct rootfs *r) {
    TRY(make_dir(r->dir_fd, ROOTFS_UPPER, 0755));
    TRY(make_dir(r->dir_fd, "work", 0700));
    if (!r->size)
        return OK;
    CLEAN_FD int upper = -1, work = -1;
    TRY(open_dir(r->dir_fd, ROOTFS_UPPER, &upper));
    TRY(open_dir(r->dir_fd, "work", &work));
    int both[] = {upper, work};
    return quota_project_limit(both, 2, seed_of(r->id), r->size);
}

const struct rootfs_driver rootfs_overlay = {"overlay2", false, overlay_probe, project_probe,
                                             overlay_make};

/* --- vfs ---------------------------------------------------------------------------------------
 */

/* What was made has its name only when it is all there; on the disk, too, before that. */
static struct err finish(const struct rootfs *r, int root) {
    if (!r->brief && syncfs(root) < 0)
        return err_errno(errno, "syncfs");
    if (renameat(r->dir_fd, UNFINISHED, r->dir_fd, ROOTFS_WHOLE) < 0)
        return err_errno(errno, "rename the root file system into place");
    return OK;
}

static struct err vfs_make(const struct rootfs *r) {
    CLEAN_FD int root = -1;
    TRY(dir_remove(r->dir_fd, UNFINISHED));
    TRY(make_dir(r->dir_fd, UNFINISHED, 0755));
    TRY(open_dir(r->dir_fd, UNFINISHED, &root));
    if (r->size)
        TRY(quota_project_limit(&root, 1, seed_of(r->id), r->size));
    TRYF(flatten(r->layers_fd, r->layers, r->layers_n, false, root), "copy the image");
    return finish(r, root);
}

const struct rootfs_driver rootfs_vfs = {"vfs", true, overlay_probe, project_probe, vfs_make};

/* --- btrfs -------------------------------------------------------------------------------------
 */

static struct err btrfs_probe(int data_root_fd) {
    if (btrfs_is(data_root_fd))
        return OK;
    return err_new(ERR_UNSUPPORTED, "'btrfs' needs a data root on a btrfs file system");
}

static struct err btrfs_probe_size(int data_root_fd) {
    if (btrfs_has_quota(data_root_fd))
        return OK;
    return err_new(ERR_UNSUPPORTED, "--storage-opt size= needs `btrfs quota enable` on the file "
                                    "system of the data root");
}

/* A base has the name of these very layers. */
static void base_name(const char *const *layers, size_t n, char out[17]) {
    unsigned char digest[SHA256_SIZE];
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    for (size_t i = 0; i < n; i++)
        sha256_add(h, layers[i], strlen(layers[i]) + 1);
    sha256_end(h, digest);
    for (size_t i = 0; i < 8; i++)
        snprintf(out + i * 2, 3, "%02x", digest[i]);
}

void rootfs_base_path(const char *const *layers, size_t n, char out[ROOTFS_BASE_MAX]) {
    char name[17];
    base_name(layers, n, name);
    snprintf(out, ROOTFS_BASE_MAX, "base/%s/%s", layers[0], name);
}

static int open_base(const struct rootfs *r, size_t top) {
    char name[17], path[64];
    base_name(r->layers + top, r->layers_n - top, name);
    snprintf(path, sizeof path, "../base/%s/%s", r->layers[top], name);
    return openat(r->layers_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* On top of the highest base of the image's lower layers that is there. */
static struct err build_base(const struct rootfs *r, int dir, const char *name) {
    CLEAN_FD int below = -1;
    CLEAN_FD int root = -1;
    size_t k = 1;
    while (k < r->layers_n && (below = open_base(r, k)) < 0)
        k++;
    TRY(below >= 0 ? btrfs_snapshot(below, dir, name) : btrfs_create(dir, name));
    TRY(open_dir(dir, name, &root));
    TRYF(flatten(r->layers_fd, r->layers, k, false, root), "make the base of the image");
    return syncfs(root) < 0 ? err_errno(errno, "syncfs") : OK;
}

static struct err base_of(const struct rootfs *r, int *ret_fd) {
    char name[17], fresh[24];
    CLEAN_FD int bases = -1;
    CLEAN_FD int dir = -1;
    if ((*ret_fd = open_base(r, 0)) >= 0)
        return OK;
    TRY(make_dir(r->layers_fd, "../base", 0700));
    TRY(open_dir(r->layers_fd, "../base", &bases));
    TRY(make_dir(bases, r->layers[0], 0700));
    TRY(open_dir(bases, r->layers[0], &dir));
    base_name(r->layers, r->layers_n, name);
    snprintf(fresh, sizeof fresh, ".%016llx", (unsigned long long)random_u64());
    struct err e = build_base(r, dir, fresh);
    /* Two containers of a new image may each make one: the first that is ready stays. */
    bool there = !err_failed(e) && renameat2(dir, fresh, dir, name, RENAME_NOREPLACE) < 0;
    if (there && errno != EEXIST)
        e = err_errno(errno, "rename the base of the image into place");
    if ((err_failed(e) || there) && !btrfs_delete(dir, fresh))
        err_ignore(dir_remove(dir, fresh)); /* it goes with the layer at the latest */
    TRY(e);
    *ret_fd = open_base(r, 0);
    return *ret_fd < 0 ? err_errno(errno, "open the base of the image") : OK;
}

struct err rootfs_drop_bases(int layers_fd, const char *layer) {
    char path[32];
    snprintf(path, sizeof path, "../base/%s", layer);
    int fd = openat(layers_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return OK;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        struct err e = err_errno(errno, "open '%s'", path);
        fd_close(fd);
        return e;
    }
    const struct dirent *x;
    while ((x = readdir(d)) != NULL)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            (void)btrfs_delete(fd, x->d_name); /* else file by file, below */
    closedir(d);
    return dir_remove(layers_fd, path);
}

static struct err btrfs_make(const struct rootfs *r) {
    CLEAN_FD int base = -1;
    CLEAN_FD int root = -1;
    if (!btrfs_delete(r->dir_fd, UNFINISHED))
        TRY(dir_remove(r->dir_fd, UNFINISHED));
    if (r->layers_n)
        TRY(base_of(r, &base));
    TRY(base >= 0 ? btrfs_snapshot(base, r->dir_fd, UNFINISHED)
                  : btrfs_create(r->dir_fd, UNFINISHED));
    TRY(open_dir(r->dir_fd, UNFINISHED, &root));
    if (r->size)
        TRY(btrfs_limit(root, r->size));
    if (renameat(r->dir_fd, UNFINISHED, r->dir_fd, ROOTFS_WHOLE) < 0)
        return err_errno(errno, "rename the root file system into place");
    return OK;
}

const struct rootfs_driver rootfs_btrfs = {"btrfs", true, btrfs_probe, btrfs_probe_size,
                                           btrfs_make};
