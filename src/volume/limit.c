/* How much a volume may hold (option size of driver local): project quota of ext4 and xfs, quota
 * groups of btrfs. Pool. */
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "kernel/btrfs.h"
#include "kernel/quota.h"
#include "volume/private.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BTRFS_ROOT_INODE 256 /* of every subvolume (BTRFS_FIRST_FREE_OBJECTID) */
#define DATA "_data"

/* "10m", "10MiB", "1g", "4096": powers of 1024, as with the peer. */
struct err volume_size_parse(const char *text, uint64_t *ret) {
    static const char letters[] = "kmgtp";
    struct str digits = str_of(text), unit;
    uint64_t n = 0;
    size_t len = strspn(text, "0123456789");
    unsigned shift = 0;
    unit = str_from(digits, len);
    struct err e = str_to_u64(str_sub(digits, 0, len), UINT64_MAX, &n);
    bool right = !err_failed(e);
    err_free(e); /* the message below says it */
    const char *letter = unit.len ? strchr(letters, unit.p[0] | 0x20) : NULL;
    if (letter) {
        shift = 10 * (unsigned)(letter - letters + 1);
        unit = str_from(unit, 1);
        if (unit.len && (unit.p[0] | 0x20) == 'i')
            unit = str_from(unit, 1);
    }
    if (unit.len && (unit.p[0] | 0x20) == 'b')
        unit = str_from(unit, 1);
    if (!right || unit.len || !n || n > (uint64_t)INT64_MAX >> shift)
        return err_new(ERR_INVALID, "option size: invalid size: '%s'", text);
    *ret = n << shift;
    return OK;
}

static struct err no_quota(void) {
    return err_new(ERR_INVALID,
                   "quota size requested but no quota support: the data root is neither "
                   "on a btrfs with `btrfs quota enable` nor on ext4 or xfs mounted "
                   "with prjquota");
}

static bool is_limited(int dir) {
    struct fsxattr x;
    return ioctl(dir, FS_IOC_FSGETXATTR, &x) == 0 && x.fsx_projid &&
           (x.fsx_xflags & FS_XFLAG_PROJINHERIT);
}

/* A directory that is no subvolume was made when only the row had survived: it is empty, or stays.
 */
static struct err limit_subvolume(int parent, uint64_t size) {
    struct stat st;
    if (!btrfs_has_quota(parent))
        return no_quota();
    if (fstatat(parent, DATA, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino != BTRFS_ROOT_INODE)
        (void)unlinkat(parent, DATA, AT_REMOVEDIR);
    struct err e = btrfs_create(parent, DATA);
    if (err_failed(e) && err_errnum(e) == EEXIST) {
        err_free(e);
        e = OK;
    }
    TRY(e);
    CLEAN_FD int dir = openat(parent, DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return err_errno(errno, "open the volume");
    if (fchmod(dir, 0755) < 0)
        return err_errno(errno, "set the volume's mode");
    return btrfs_limit(dir, size);
}

static struct err limit(const char *mountpoint, const char *path, uint64_t size) {
    CLEAN_FD int parent = -1;
    CLEAN_FD int dir = -1;
    TRY(dir_open(path, &parent));
    if (btrfs_is(parent))
        return limit_subvolume(parent, size);
    if (!quota_has_projects(parent))
        return no_quota();
    TRY(volume_open_dir(mountpoint, &dir));
    if (is_limited(dir))
        return OK;
    return quota_project_limit(&dir, 1, (uint32_t)str_hash(str_of(mountpoint)), size);
}

struct err volume_limit(const char *mountpoint, uint64_t size) {
    CLEAN_FREE char *path = str_dup(path_dir(str_of(mountpoint)));
    TRY(dir_make(path, 0711));
    struct err e = limit(mountpoint, path, size);
    if (err_failed(e))
        (void)rmdir(path); /* what has something in it stays */
    return e;
}

void volume_unlimit(int own) {
    CLEAN_FD int dir = openat(own, DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (dir < 0 || fstat(dir, &st) < 0)
        return;
    if (!btrfs_is(dir))
        quota_project_drop(dir);
    else if (st.st_ino == BTRFS_ROOT_INODE)
        (void)btrfs_delete(own, DATA); /* else file by file */
}

/* --- after a crash -----------------------------------------------------------------------------
 */

struct limits {
    struct strv mountpoints;
    VEC(uint64_t) sizes;
};

static struct err limits_work(void *arg) {
    struct limits *l = arg;
    for (size_t i = 0; i < l->mountpoints.n; i++)
        TRYF(volume_limit(l->mountpoints.items[i], l->sizes.items[i]), "limit of volume '%s'",
             l->mountpoints.items[i]);
    return OK;
}

static void limits_done(void *arg, struct err e) {
    struct limits *l = arg;
    log_err(LOG_WARN, e, "volume");
    strv_done(&l->mountpoints);
    vec_done(&l->sizes);
    free(l);
}

void volumes_limit_again(struct volumes *v) {
    struct limits *l = NEW(struct limits);
    for (size_t i = 0; i < v->items.n; i++) {
        struct volume_owner o = volume_owner_of(v->items.items[i]);
        if (!o.size)
            continue;
        strv_add(&l->mountpoints, v->items.items[i]->mountpoint);
        vec_push(&l->sizes, o.size);
    }
    if (l->mountpoints.n)
        job_submit(v->loop, limits_work, limits_done, l);
    else
        limits_done(l, OK);
}
