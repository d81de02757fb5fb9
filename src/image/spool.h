/* spool.h - the members of an image archive, written to the job's ingest directory. Private to
 * image/.
 *
 * The order of members in such archives says nothing, so all are kept before any is used: files
 * with their digest, links as links. Paths are cleaned; one that leads out is refused.
 */
#pragma once
#include "base/map.h"
#include "image/ingest.h"

#define SPOOL_MEMBERS_MAX 100000
#define SPOOL_LINKS_MAX 8

struct member {
    char *link;    /* cleaned path that it stands for; NULL: a file */
    char file[32]; /* in the ingest directory */
    uint64_t size;
    struct digest digest;
    /* A layer that was unpacked on the way (load_member.h): */
    bool unpacked; /* `tree` in the ingest directory has it */
    char tree[32];
    struct ingest_layer layer; /* diff_id, size, blob */
    struct err problem;        /* why it could not be */
};
struct spool {
    struct ingest *in;
    struct map members; /* cleaned path → struct member */
    /* Where manifest.json and the configs came before the layers: */
    bool described;
    struct map diff_ids; /* cleaned path of a layer → struct digest */
};
/* Reads the archive (plain, gzip or zstd; borrowed) to its end. */
struct err spool_read(struct ingest *in, struct stream *archive, struct spool *ret);
void spool_done(struct spool *s);
#define CLEAN_SPOOL OWN(spool_done)
/* Follows links. NULL: there is no such file. */
struct member *spool_find(const struct spool *s, const char *path);
/* The member's problem, when it has one; it is told once. */
struct err member_check(struct member *m);
/* blobs/sha256/<hex>, whose bytes must have that digest. */
struct err spool_blob(const struct spool *s, const char *digest, int64_t size, struct member **ret);
/* The same for a part of an artifact: its very bytes, whatever they are, in *ret_file, a file of
 * the ingest directory. */
struct err spool_part(const struct spool *s, const char *digest, int64_t size,
                      struct digest *ret_digest, char ret_file[32]);
/* The diff id of the layer at path, as far as the archive has told it already. NULL: it has not. */
const struct digest *spool_diff_id(struct spool *s, const char *path);
struct err spool_text(const struct spool *s, const struct member *m, size_t max, struct buf *ret);
struct err spool_open(const struct spool *s, const struct member *m, int *ret_fd);
