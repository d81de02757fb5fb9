/* volume.h - the noun "volume": directories that outlive containers.
 *
 * The door of volume/. Owns <data-root>/volume/<name>/_data (directories 0711/0755, made by us) and
 * the rows of the store that name them. A volume is registered durably before its directory is made
 * and unregistered after it is gone: a crash leaves at most a row without a directory, which the
 * next volume_open_dir makes again.
 * Which container uses which volume is held in memory only; container/ holds again while it
 * restores.
 *
 * A volume whose options name a file system (type, device, o) is mounted on first use, as a
 * detached tree that is the root of a mount namespace of its own (a "keep"): its descriptor is held
 * by the daemon while a container runs with it and by every such container's monitor, so it
 * outlives the daemon, is found again at the monitors, and ends with the last of them. Nothing of
 * it is in the host's mount table.
 *
 * A volume of another driver is a volume plugin's (a program on a unix socket): a worker asks it,
 * with a deadline, to make, mount, unmount and remove; what it mounts is kept as above.
 *
 * Thread: the loop, but for the functions marked *pool*. Callbacks run on the loop, and never
 * before the call that takes them returns. Limits: VOLUME_*_MAX. Tests: test/unit/volume,
 * test/kernel/volume-*.c.
 */
#pragma once
#include "base/err.h"
#include "base/time.h"
#include "base/vec.h"
#include "loop/bus.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "spec/fields.h"
#include "store/store.h"

#define VOLUME_NAME_LEN_MAX 255
#define VOLUME_COPY_DEPTH_MAX 512 /* directories below each other, copy-up */

struct volumes;
/* Loads the rows; data_root is copied. */
struct err volumes_open(struct store *s, struct loop *l, const char *data_root,
                        struct volumes **ret);
struct volumes *volumes_close(struct volumes *v); /* NULL allowed; returns NULL */
/* Where corten-worker lies (borrowed): what may hang (network file systems) is mounted there. */
void volumes_set_worker(struct volumes *v, const char *program);
/* Directories that plugins are looked for in: JSON array; NULL: the peer's. ERR_INVALID. */
struct err volumes_set_plugins(struct volumes *v, const char *dirs);

enum volume_state { VOLUME_CREATING, VOLUME_READY, VOLUME_REMOVING };
/* Read-only for others. Valid until it is removed: keep names, not pointers, over a job. */
struct volume {
    char *name;
    char *driver; /* "local", or a plugin's name */
    bool anonymous;
    int64_t created;       /* wall ns */
    struct strmap options; /* as the create call gave them */
    struct strmap labels;  /* an anonymous volume has com.docker.volume.anonymous="" too */
    char *mountpoint;      /* <data-root>/volume/<name>/_data */
    char *plugged_at;      /* where its plugin has mounted it; "": not, or driver local */
    struct strv holders;   /* ids of containers that use it, sorted by time */
    enum volume_state state;
    struct volume_private *own; /* private */
};

/* ERR_INVALID with the peer's words for a name that is not [a-zA-Z0-9][a-zA-Z0-9_.-]+. */
struct err volume_name_check(const char *name);
/* NULL: none. Volumes that are being created or removed are not found. */
struct volume *volume_find(const struct volumes *v, const char *name);
/* ERR_NOT_FOUND "get X: no such volume". */
struct err volume_get(const struct volumes *v, const char *name, struct volume **ret);
/* By name: `size_t it = 0; while ((x = volume_next(v, &it)))`; no changes in between. */
struct volume *volume_next(const struct volumes *v, size_t *it);

struct volume_request {
    const char *name;   /* NULL or "": anonymous, 64 hex digits */
    const char *driver; /* NULL, "": "local" */
    struct strmap labels, options;
    bool lazy;       /* belongs to an auto-removed container: no fsync */
    bool unfinished; /* of a snapshot */
};
/* A volume that exists already is success and comes back unchanged (as the peer does). */
void volume_create(struct volumes *v, const struct volume_request *r,
                   void (*done)(void *arg, struct err e, struct volume *x), void *arg);

/* While held a volume cannot be removed. Holding twice by one container counts once. */
struct err volume_hold(struct volumes *v, const char *name, const char *container_id);
/* Unknown names and containers are ignored. */
void volume_unhold(struct volumes *v, const char *name, const char *container_id);

/* --- what plugins have that was not made here (foreign.c) ----------------------------------------
 */
struct volume_plugged {
    const char *driver, *name, *mountpoint;
};
struct volume_foreign {
    struct arena arena;   /* private: all of it */
    struct objs items;    /* struct volume_plugged, as each plugin says; some may be ours as well */
    struct strs warnings; /* of plugins that do not answer, or not rightly */
};
/* Asks every plugin for volumes that is in its directories, all at once, each for at most ten
 * seconds. done comes once, later, on the loop; f is borrowed until it returns. */
void volumes_foreign(struct volumes *v, void (*done)(void *arg, const struct volume_foreign *f),
                     void *arg);

/* --- use: a container runs with it --------------------------------------------------------------
 */

/* Of a plugin, which alone knows where it is while no container runs with it. */
bool volume_is_plugged(const struct volume *x);
/* It has to be acquired before a container starts with it; others are just directories. */
bool volume_is_mounted(const struct volume *x);
/* What an empty volume shows at first; all borrowed, copied by the call that takes it. */
struct volume_fill {
    int layers_fd; /* must stay open until the answer */
    const char *const *layers;
    size_t layers_n;
    const char *path; /* in the image; NULL: nothing is copied */
};
/* keep: borrowed, valid until this container releases it. */
typedef void volume_acquired(void *arg, struct err e, int keep);
/* Mounts it unless that has been done. Once per container counts. fill may be NULL. Local file
 * systems are mounted by a pool thread, others by a worker that is given VOLUME_MOUNT_TIMEOUT. */
void volume_acquire(struct volumes *v, const char *name, const char *container_id,
                    const struct volume_fill *fill, volume_acquired *done, void *arg);
/* The container has ended, or has not begun. The last one's release unmounts. Unknown: ignored. */
void volume_release(struct volumes *v, const char *name, const char *container_id);
/* A container that still runs after a restart of the daemon: keep came from its monitor (taken
 * over). */
void volume_adopt(struct volumes *v, const char *name, const char *container_id, int keep);
/* All who still run have adopted theirs: what plugins have mounted for others is given back. */
void volumes_restored(struct volumes *v);
/* -1: nobody runs with it. Borrowed. */
int volume_keep(const struct volume *x);
#define VOLUME_MOUNT_TIMEOUT (60 * NSEC_PER_SEC)

/* *Pool*. A keep for a detached tree (kernel/mount.h); tree stays the caller's, attached there. */
struct err volume_keep_make(int tree, int *ret_keep);
/* *Pool*. A detached clone of what subpath ("" for all of it) is in the keep: links lead nowhere
 * out of it. ERR_NOT_FOUND: no such subpath. */
struct err volume_keep_clone(int keep, const char *subpath, int *ret_tree);
/* *Pool or worker*. A keep of a mount that nobody else sees. */
struct err volume_mount_once(const char *type, const char *device, const char *options,
                             const char *mountpoint, int *ret_keep);
/* *Pool*. The same below a directory that is in our own mount namespace. */
struct err volume_dir_clone(int dir_fd, const char *subpath, int *ret_tree);

/* A new name for a volume that no container has. ERR_CONFLICT: one has it, or the name is taken. */
void volume_rename(struct volumes *v, const char *name, const char *to,
                   void (*done)(void *arg, struct err e, struct volume *x), void *arg);
/* A new plain volume with what is in this one now (shared blocks where the file system can), and
 * its labels. ERR_CONFLICT: the name is taken. to "": anonymous. A copy that a crash cut short is
 * removed by the next start. */
void volume_snapshot(struct volumes *v, const char *name, const char *to,
                     void (*done)(void *arg, struct err e, struct volume *x), void *arg);
/* Replaces the labels. */
void volume_relabel(struct volumes *v, const char *name, const struct strmap *labels,
                    void (*done)(void *arg, struct err e, struct volume *x), void *arg);

/* ERR_CONFLICT "remove X: volume is in use - [id, id]". Deletes the data in a job. */
void volume_remove(struct volumes *v, const char *name, void (*done)(void *arg, struct err e),
                   void *arg);
/* Removes every local volume that nobody holds and that `wanted` (NULL: all) accepts. bytes is what
 * `du` said of the removed data. The first failure stops and is handed over together with what was
 * done.
 */
void volumes_prune(struct volumes *v, bool (*wanted)(void *arg, const struct volume *x),
                   void (*done)(void *arg, struct err e, const struct strv *removed,
                                uint64_t bytes),
                   void *arg);

/* Who is to own a plain volume's directory: options uid, gid, mode of driver local; -1: not said;
 * and how many bytes it may hold: size, 0: as many as there are. */
struct volume_owner {
    int64_t uid, gid, mode;
    uint64_t size;
};
struct volume_owner volume_owner_of(const struct volume *x);
/* *Pool*. Owner and mode; the size is seen to when the volume is made. */
struct err volume_give(int dir_fd, const struct volume_owner *to);
/* *Pool*. Opens the data directory (mountpoint), making it again when only the row survived. */
struct err volume_open_dir(const char *mountpoint, int *ret_fd);
/* *Pool*. Bytes on disk (st_blocks, each inode once) below the directory. */
struct err volume_usage(int dir_fd, uint64_t *ret_bytes);

/* *Pool or worker*. What an empty volume shows when it is first mounted over `path` of an image:
 * copies the directory's content with owners, modes, times, xattrs, links and hard links, and gives
 * the volume's root the owner and mode of the image's directory. Does nothing (*ret_copied false)
 * when the volume is not empty or path is missing or no directory. rootfs_fd is the root of a
 * mounted root file system; path is resolved inside it with openat2, links never lead out. mark_fd:
 * the directory that the volume's _data lies in, where an unfinished copy is marked. */
struct err volume_copy_up(int rootfs_fd, const char *path, int volume_fd, int mark_fd,
                          bool *ret_copied);

/* Jobs for corten-worker; the last one is all NULL. */
extern const struct worker_job volume_jobs[];

struct volume_event {
    const char *action; /* create destroy prune */
    const char *name;
};
/* Payload: struct volume_event. */
struct bus *volumes_bus(struct volumes *v);
