/* tar_sparse.h - files with holes in archives: where the data of an entry belongs. Private to
 * archive/.
 *
 * Four ways to say it, all of GNU tar: type 'S' with the map in the header and in blocks after it;
 * in pax records "GNU.sparse.…" 0.0 (an offset and a length each) and 0.1 (one list); 1.0 (the list
 * as the first blocks of the data). Pieces must be in order, apart, inside of the size, and
 * together as long as the data that the archive has. Source: GNU tar manual, "Storing Sparse
 * Files". Tests: test/unit/archive/sparse.c. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

#define TAR_PIECES_MAX 65536

struct tar_piece {
    uint64_t at, len;
};
struct tar_sparse {
    bool on;
    VEC(struct tar_piece) pieces;
    uint64_t size; /* of the file */
    bool has_size;
    const char *name; /* of 0.1 and 1.0: the file's own, in the reader's arena */
    uint64_t major;   /* 1: the map is in the data */
    bool open;        /* 0.0: an offset has come, its length not yet */
    uint64_t pos;     /* of the reader, in the file */
    size_t next;      /* the piece that pos is in or before */
};
void tar_sparse_done(struct tar_sparse *s);
/* A record "GNU.sparse.<key>"; name is in the arena. */
struct err tar_sparse_record(struct tar_sparse *s, struct str key, struct str value,
                             const char *name);
struct err tar_sparse_add(struct tar_sparse *s, uint64_t at, uint64_t len);
/* Once all of it is known. data: bytes in the archive. */
struct err tar_sparse_check(const struct tar_sparse *s, uint64_t data);
/* Bytes of the hole at pos; 0: data or the end. */
uint64_t tar_sparse_hole(const struct tar_sparse *s);
/* Bytes of data from pos to the end of its piece. */
uint64_t tar_sparse_run(const struct tar_sparse *s);
void tar_sparse_advance(struct tar_sparse *s, uint64_t n);
