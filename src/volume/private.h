/* volume/private.h - what the files of volume/ share and nobody else sees. */
#pragma once
#include "kernel/mount.h"
#include "volume/volume.h"
#include <stdio.h>
#include <stdlib.h>

struct volumes {
    struct store *store;
    struct loop *loop;
    char *root;                 /* <data-root>/volume */
    const char *worker;         /* program; NULL: none */
    VEC(struct volume *) items; /* sorted by name */
    struct bus bus;
    struct arena arena;
    struct strs plugin_dirs;
    struct strv sweep; /* snapshots and removals that were cut short: removed at the start */
};

/* Who waits for a volume that is being created. */
struct volume_waiter {
    void (*done)(void *arg, struct err e, struct volume *x);
    void *arg;
};
struct volume_user_waiter { /* a container that waits for the mount */
    char *container_id;
    volume_acquired *done;
    void *arg;
};
struct volume_private {
    struct volumes *all;
    struct arena arena; /* labels, options, driver */
    bool lazy;
    bool unfinished; /* a snapshot on its way */
    bool removing;   /* its removal has begun: the next start goes on with it */
    char *was;       /* its directory may still have this name (rename); in arena */
    VEC(struct volume_waiter) waiters;
    char *mount_id; /* of the plugin's mount that is in use, or was last; in arena */
    int keep;       /* -1: not mounted */
    bool mounting;
    struct strv users; /* ids of containers that run with it */
    VEC(struct volume_user_waiter) mount_waiters;
};

struct volume *volume_new(struct volumes *v, const char *name);
struct volume *volume_free(struct volume *x);
void volumes_insert(struct volumes *v, struct volume *x);
void volumes_take_out(struct volumes *v, struct volume *x);
/* In any state. */
struct volume *volumes_lookup(const struct volumes *v, const char *name);
void volumes_publish(struct volumes *v, const char *action, const char *name);

void volume_row_put(struct store_txn *t, const struct volume *x);
void volume_row_delete(struct store_txn *t, const char *name);
struct err volume_rows_load(struct volumes *v);

/* --- options of driver local (options.c) --- */
/* The peer's words for what is wrong. */
struct err volume_options_check(const struct strmap *o);
/* Of options that were checked. */
struct volume_owner volume_options_owner(const struct strmap *o);
/* What `o` and `type` say to the kernel. Memory in a. */
struct volume_words {
    uint64_t attrs; /* MOUNT_ATTR_* */
    bool bind, recursive;
    struct mount_option *items;
    size_t n;
};
struct err volume_options_words(const char *o, struct arena *a, struct volume_words *ret);

/* --- plugins (plugin.c) --- */
struct plugin_call {
    struct strs dirs;
    char *driver, *call, *name, *id; /* call: "Create", … */
    struct strmap options;
};
extern const struct fields plugin_call_fields;
struct err volume_plugin_name_check(const char *name);
/* Worker. ret_mountpoint: owned, "" when the call gives none. */
struct err volume_plugin_call(const struct plugin_call *p, char **ret_mountpoint);
/* Worker. The same, the answer as it came. */
struct err volume_plugin_text(const struct plugin_call *p, struct buf *ret);
/* foreign.c: the worker's job "volume-list". */
struct err volume_list_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result);
struct err volume_plugin_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
/* Loop. done comes once, later. */
void volume_plugin_ask(struct volumes *v, const struct volume *x, const char *call,
                       void (*done)(void *arg, struct err e), void *arg);

/* --- mounting (mount.c) --- */
struct volume_mount {
    struct strs plugin_dirs;
    char *driver, *name, *id;      /* of a plugin; driver NULL: not one */
    char *type, *device, *options; /* as given */
    char *mountpoint;              /* for messages; a copy is marked beside it */
    struct strs layers;            /* of the image, below layers_fd */
    char *fill;                    /* path in the image; NULL: no copy */
};
extern const struct fields volume_mount_fields;
#define VOLUME_NOTICE_KEEP 100 /* of the worker: one descriptor */
bool volume_mount_is_local(const struct volume_mount *m);
/* Pool or worker. */
struct err volume_mount_make(const struct volume_mount *m, int layers_fd, int *ret_keep,
                             char **ret_at);

/* create.c: an answer that comes after the call has returned. name NULL: e failed. */
void volume_answer_later(struct volumes *v, struct err e, const char *name,
                         void (*done)(void *arg, struct err e, struct volume *x), void *arg);
/* copy.c. Pool or worker: everything below from (taken over), into the empty directory to. */
struct err volume_copy_tree(int from, int to);
/* change.c: the worker's job "volume-copy". */
struct err volume_copy_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result);
/* change.c: what an earlier daemon had begun. */
void volumes_finish_begun(struct volumes *v);

/* --- directories: pool --- */
struct err volume_make_dir(const char *mountpoint);
/* limit.c: "10m", powers of 1024. ERR_INVALID. */
struct err volume_size_parse(const char *text, uint64_t *ret);
/* Makes the directory, or finds it, and sees to it that no more than size bytes are in it. INVALID:
 * where the file system cannot count that. */
struct err volume_limit(const char *mountpoint, uint64_t size);
/* Of the directory that _data is in: gives back what counted. */
void volume_unlimit(int own);
/* Loop, at start: a crash may have come between row and limit. */
void volumes_limit_again(struct volumes *v);
/* The volume's directory and all below; usage in bytes first when ret_bytes is not NULL. */
struct err volume_remove_dir(const char *root, const char *name, uint64_t *ret_bytes);
/* Everything in the directory, but not the directory. */
struct err volume_empty_dir(int dir_fd);
