/* check_base.c - the trees of whole images that btrfs makes snapshots of: each must be what its
 * layers give when they are applied one after the other. A damaged one can go at any time: no
 * container needs it any more, the next one makes it again. */
#include "base/file.h"
#include "image/check_tree.h"
#include "image/rootfs_driver.h"
#include "kernel/mount.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The layers applied to INGEST_TREE. */
static struct err make_reference(struct check *k, const struct json *layers) {
    const char *names[MOUNT_LAYERS_MAX];
    size_t n = json_len(layers);
    CLEAN_FD int to = -1;
    if (n > MOUNT_LAYERS_MAX)
        return err_new(ERR_INVALID, "base of too many layers");
    for (size_t i = 0; i < n; i++)
        names[i] = arena_str(&k->arena, json_str(json_at(layers, i)));
    if (mkdirat(k->in.dir_fd, INGEST_TREE, 0755) < 0)
        return err_errno(errno, "make a directory in image/ingest");
    to = openat(k->in.dir_fd, INGEST_TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return err_errno(errno, "open a directory in image/ingest");
    return flatten(k->in.layer_fd, names, n, false, to);
}

static struct err compare(struct check *k, const struct json *layers, const char *path,
                          bool *ret_same) {
    struct digest want, got;
    struct stat want_root, got_root;
    bool there, reference;
    *ret_same = true;
    TRY(make_reference(k, layers));
    TRY(check_tree_digest(k, k->in.dir_fd, INGEST_TREE, "", &want, &want_root, &reference));
    CLEAN_ERR struct err e = check_tree_digest(k, k->in.root_fd, path, "", &got, &got_root, &there);
    *ret_same = !err_failed(e) && (!there || digest_eq(&want, &got));
    return OK;
}

struct err check_base(struct check *k, const struct json *j) {
    const char *path = arena_str(&k->arena, json_str(json_get(j, "path")));
    bool same = true;
    if (faccessat(k->in.root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return OK; /* no container was made of that image */
    struct err e = compare(k, json_get(j, "layers"), path, &same);
    struct err gone = dir_remove(k->in.dir_fd, INGEST_TREE);
    if (err_failed(e)) {
        err_ignore(gone); /* the job's directory goes in any case */
        return e;
    }
    TRY(gone);
    if (same)
        return OK;
    struct store_problem *p =
        check_problem(k, "base-damaged", path,
                      arena_printf(&k->arena, "image/%s is not what its layers give", path));
    if (k->repair) {
        TRYF(dir_remove(k->in.root_fd, path), "remove %s", path);
        p->repair = arena_strz(&k->arena, "removed: the next container makes it again");
    }
    return OK;
}
