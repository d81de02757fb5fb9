/* upload.h - one blob to a registry: found there, mounted from another repository, or sent.
 *
 * OCI distribution-spec 1.1, "Pushing blobs". A small blob goes in one PUT; a large one by PATCH,
 * whose failure leaves an upload that is asked how far it came and goes on from there (GET, then
 * PATCH with Content-Range); a registry that answers 413 gets smaller pieces. Starts over when the
 * registry has forgotten the upload. REGISTRY_ATTEMPTS failures without progress end it.
 * Private to registry/; worker only. Tests: test/e2e/t1203-registry-push.sh.
 */
#pragma once
#include "registry/client.h"

#define UPLOAD_WHOLE_MAX (8u << 20)   /* bytes that go in one PUT */
#define UPLOAD_PIECE_MIN (256u << 10) /* nobody's limit is smaller than that */

enum upload_how { UPLOAD_EXISTED, UPLOAD_MOUNTED, UPLOAD_SENT };
struct upload {
    const struct digest *digest;
    int fd; /* the bytes, from the file's start */
    uint64_t size;
    const char *from;          /* repository of the same registry that has it, or NULL */
    _Atomic uint64_t *sent;    /* or NULL */
    const _Atomic bool *abort; /* or NULL */
    int memory_fd;             /* upload_memory.h: it goes on after a worker's death; or -1 */
};
/* Is it there, or can it be mounted from there (NULL: only look)? Nothing is sent. */
struct err upload_find(struct registry *r, const struct digest *d, const char *from,
                       bool *ret_found, bool *ret_mounted);
struct err upload_blob(struct registry *r, const struct upload *u, enum upload_how *ret_how);
