/* build/packed_own.h - what packed.c and packed_receive.c share. Theirs alone. */
#pragma once
#include "base/arena.h"
#include "build/packed.h"

struct packed {
    struct arena arena; /* inodes and their text */
    struct packed_inode *root;
    VEC(struct packed_dir *) dirs; /* all of them, also those that were replaced */
    uint64_t inodes, names_bytes;
    int spool;
};
/* A new inode without a name. */
struct packed_inode *packed_make(struct packed *p, enum tar_type type);
/* Gives it a name, in the place of what had it. */
void packed_put(struct packed *p, struct packed_inode *dir, const char *name,
                struct packed_inode *i);
/* packed_find; make: directories that are missing are made. */
struct err packed_walk(struct packed *p, const char *path, bool follow, bool make,
                       struct packed_inode **ret);
