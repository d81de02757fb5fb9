/* build/context.h - the build's own directory, and the context's files. Private to build/.
 *
 * TempDir/<Id> (0700) holds what a build has of its own: the data of the context of a POST /build,
 * of trees of other stages and archives of ADD (build/packed.h), trees that a RUN mounts. It is
 * removed by context_done; when the builder is killed, by the daemon; when that was killed, too, by
 * the next daemon or, in a caller's own TempDir, by his next build (sweep.c). Thread: the builder's
 * only one. The process has umask 0. */
#pragma once
#include "build/memory.h"
#include "build/source.h"
#include "build/stack.h"
#include "http/body.h"
#include "spec/corten_build.h"

struct named_dirs VEC_BODY(struct named_dir *);
struct bound_trees VEC_BODY(struct bound_tree *);
struct context {
    char *temp_path; /* TempDir/<Id> */
    int temp_parent; /* TempDir */
    char *id;
    int temp_fd;
    unsigned serial;          /* names below temp_fd: context_serial */
    int root_fd;              /* the context, or … */
    struct packed *packed;    /* … this */
    struct bound_trees bound; /* what RUN --mount has unpacked: build/trees.h */
    struct ignore ignore;
    struct source_root root;
    struct named_dirs named; /* build/named.h */
    struct strmap layouts;   /* the same: value → image */
    struct memory *memory;   /* of its builds (build/memory.h); NULL: none */
    struct stacks *stacks;   /* of its copies (build/stack.h); NULL: none */
    struct digests *digests; /* of a caller's directory; NULL: none */
};
#define CLEAN_CONTEXT OWN(context_done)
void context_done(struct context *c);
/* The next name. Any thread. */
static inline unsigned context_serial(struct context *c) {
    return __atomic_fetch_add(&c->serial, 1, __ATOMIC_RELAXED);
}
/* Makes the directory; everything else is empty yet. */
struct err context_open(const struct build_job *job, struct context *ret);
/* sweep.c: says that the directory is a living builder's. */
struct err sweep_mark(const struct context *c);
/* Removes what builders of this user have left in parent that were killed together with their
 * daemon. Test: test/e2e/t6011-build-lease.sh. */
struct err sweep_left(int parent);
/* Reads the request's body. */
struct err context_receive(struct context *c, struct http_body *body);
/* A file that was downloaded: an archive is the context, any other text its Dockerfile. */
struct err context_downloaded(struct context *c, int dir, const char *name, const char *dockerfile);
/* The caller's directory. */
struct err context_local(struct context *c, const char *path);
/* The Dockerfile's text and the ignore rules for it ("<Dockerfile>.dockerignore", else
 * ".dockerignore"). path is relative to the context. */
struct err context_read(struct context *c, const char *dockerfile, struct buf *ret_text);
/* The same when the text came another way: the ignore rules only. */
struct err context_rules(struct context *c, const char *dockerfile);
/* An archive, or a Dockerfile alone, from descriptor 0. */
struct err context_stdin(struct context *c, const char *dockerfile);
