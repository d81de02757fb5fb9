/* pull_download.h - one layer: downloaded, hashed, kept and unpacked in one pass. Private to
 * registry/; worker only.
 *
 * The bytes go to the blob's file and through a pipe to a thread that inflates, hashes and
 * extracts. What an earlier job left of the blob (ingest_partial) is read first, the rest asked for
 * by Range; a part that turns out wrong is thrown away and the layer begun anew, once. After a
 * failure the file stays for the next job, unless the disk is full or the bytes are wrong.
 */
#pragma once
#include "image/image.h"
#include "registry/client.h"

enum layer_phase { LAYER_WAITING, LAYER_DOWNLOADING, LAYER_DOWNLOADED, LAYER_DONE };

struct layer_task {
    struct ingest *in;
    struct ingest_layer *l;
    const char *url;
    bool raw;                   /* a blob that is no layer: kept, not unpacked */
    char id[13];                /* of the blob, as the CLI shows it */
    int file;                   /* the blob's */
    uint64_t resumed;           /* bytes that were in it */
    _Atomic int *lanes;         /* the pull's: connections that are left (pull_ranges.h) */
    bool single;                /* one connection it stays */
    const _Atomic bool *failed; /* the pull's: ends this one as well */
    _Atomic int phase;
    _Atomic uint64_t got, taken; /* bytes of the blob: come, and unpacked */
    struct err result;
    bool started;
    /* printed already */
    int shown_phase;
    uint64_t shown, shown_taken;
};
struct err layer_pull(struct registry *r, struct layer_task *t);
