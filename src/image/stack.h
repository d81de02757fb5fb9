/* image/stack.h - the worker's part of stacked layers (image.h; docs/decisions/0008). Private to
 * image/.
 *
 * A build's layer of many files leaves its tar in image/stream/<row>. A later layer that has all
 * its paths comes as an archive of what differs, and a list of which entries of that tar come in
 * between (spec/corten_build.h, "POST /corten/build/layer"). What it is as a whole is hashed; its
 * directory gets the entries that differ, and the directories above them.
 *
 * The kept tar is believed only when it has the diff id of its layer: a file that a power cut has
 * cut short, or that somebody wrote into, costs a build, never a layer. Everything that does not
 * fit is ERR_CONFLICT, after which the client sends the layer as a whole. Whiteouts and hard links
 * do not fit, nor does a path that is gone or has become (or was) a directory: overlay could not
 * say it without hiding what lower layers have there. Tests: test/unit/image/jobs.c,
 * test/e2e/t6025-stacked-layers.sh. */
#pragma once
#include "image/ingest.h"

#define STACK_STREAM_MAX (128u << 20) /* bytes of a tar that is kept */
#define STACK_ENTRIES_MIN 500u        /* entries of a layer that is worth it */
#define STACK_BODY_MAX (64u << 20)    /* bytes of what differs */

/* A stage that also writes what passes to a new file of the ingest directory, as long as it is not
 * larger than STACK_STREAM_MAX. A disk that is full only ends the writing. keep must outlive it. */
struct stack_keep {
    struct stream s;
    char file[32];
    int fd;
    uint64_t bytes;
    bool failed;
};
struct err stack_keep_begin(struct ingest *in, struct stack_keep *keep, struct stream *from);
/* After the stream was read to its end: the layer is worth keeping the file for, or it is removed.
 */
void stack_keep_end(struct ingest *in, struct stack_keep *keep, uint64_t entries,
                    struct ingest_layer *l);

/* The layer from args.base and the request's body: its own entries in INGEST_TREE. Fills diff_id,
 * size, base, base_id and own. */
struct err stack_fill(struct ingest *in, struct ingest_layer *l, uint64_t *ret_entries);
