/* build/copy.h - COPY and ADD: sources to a layer. Private to build/.
 *
 * Semantics are BuildKit's (Dockerfile reference, COPY and ADD): a directory gives its content; a
 * destination that ends in '/', exists as a directory or takes several sources is a directory;
 * links in the destination are followed inside the image; missing parents are made 0755 and owned
 * like the copied files; what exists as a directory is never replaced by a file, nor a link by a
 * directory. Tests: test/unit/build/copy.c, test/e2e/t60*.sh. */
#pragma once
#include "build/key.h"
#include "build/layer.h"
#include "build/owner.h"
#include "build/packed.h"
#include "build/stack.h"

struct made;
struct fds VEC_BODY(int);
struct packed_trees VEC_BODY(struct packed *);
struct copy {
    struct client *client;
    struct arena *arena;
    const char *parent;        /* step image */
    const char *dest;          /* absolute; a trailing '/' means something */
    const char *chown, *chmod; /* NULL: not given */
    bool add;                  /* ADD */
    int64_t latest;            /* no time is later, wall ns; INT64_MAX: any */
    bool link;                 /* nothing of the image is looked at: links, owners, kinds */
    bool fresh;                /* no layer that was made before is taken */
    const struct made *made;   /* but this one: build/ahead.h; NULL: none */
    const struct strs *others; /* it is made ahead of its turn, after copies to these; else NULL */
    char same[KEY_TEXT];       /* by copy_run: the key of its layer */
    char content[KEY_TEXT];    /* of the items and flags, whatever the parent; by copy_key */
    struct source_items items;
    bool stack; /* the layer may be stacked on `known`, or kept to be stacked on */
    const struct stack_known *known; /* what this copy made before; NULL: nothing is known */
    char *whole;                     /* by copy_run: the image, when the layer was sent whole … */
    struct stack_marks marks;        /* … and was kept: what it consists of */
    int temp_fd;                     /* directory for archives' data */
    unsigned *temp_serial;           /* names in it */
    struct fds opened;               /* roots of what was brought here, … */
    struct packed_trees packed;      /* … of archives, and of other stages */
};
/* Releases items, opened and packed. */
void copy_done(struct copy *c);
#define CLEAN_COPY OWN(copy_done)
/* ret: begun by this; its parts and its text. */
struct err copy_key(struct copy *c, struct key *ret);
/* Makes the layer and sends it. A layer of the same content for the same place that was made on
 * another parent is taken instead; ahead of its turn, *ret_image is NULL then. */
struct err copy_run(struct copy *c, const char *key, char **ret_image);
/* A layer that makes this directory (WORKDIR). *ret_image is the parent when it is there. */
struct err copy_make_dir(struct client *client, struct arena *a, const char *parent,
                         const char *path, const char *user, int64_t latest, const char *key,
                         char **ret_image);

/* The parts, for tests: entries for `items` below what the image says about the destination. */
struct place {
    const char *path;    /* resolved destination, absolute */
    const char *type;    /* of it; "" when missing */
    struct objs parents; /* struct build_stat: "/a", "/a/b" … of path, itself included */
    int64_t now;         /* mtime of what is made */
};
struct err copy_entries(const struct copy *c, const struct place *at, const struct owner *owner,
                        const struct mode_change *mode, struct layer *ret);
