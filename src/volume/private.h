/* volume/private.h - what the files of volume/ share and nobody else sees. */
#pragma once
#include "volume/volume.h"
#include <stdio.h>
#include <stdlib.h>

struct volumes {
    struct store *store;
    struct loop *loop;
    char *root;                 /* <data-root>/volume */
    VEC(struct volume *) items; /* sorted by name */
    struct bus bus;
};

/* Who waits for a volume that is being created. */
struct volume_waiter {
    void (*done)(void *arg, struct err e, struct volume *x);
    void *arg;
};
struct volume_private {
    struct volumes *all;
    struct arena arena; /* labels */
    bool lazy;
    VEC(struct volume_waiter) waiters;
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

/* --- directories: pool --- */
struct err volume_make_dir(const char *mountpoint);
/* The volume's directory and all below; usage in bytes first when ret_bytes is not NULL. */
struct err volume_remove_dir(const char *root, const char *name, uint64_t *ret_bytes);
/* Everything in the directory, but not the directory. */
struct err volume_empty_dir(int dir_fd);
