/* attest_job.c - the job "image-attest": one more document for an image that is here. */
#include "image/ingest.h"
#include "image/jobs.h"
#include <stdlib.h>

static struct err attest(struct ingest *in, struct ingest_documents *docs) {
    CLEAN_ARENA struct arena a = {0};
    struct ingest_image image;
    if (ingest_images_n(in) != 1)
        return err_new(ERR_INVALID, "image attest without its image");
    TRY(ingest_image(in, 0, &a, &image));
    TRY(ingest_document_add(in, DOCUMENT_BLOB, ingest_arg(in, "statement"), docs));
    TRY(ingest_documents_place(in, docs));
    /* Not its config: an image that is being removed does not come back. */
    struct ingest_commit c = {.same = &image.id, .documents = docs};
    return ingest_commit(in, &c);
}

struct err image_attest_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    struct ingest_documents docs = {0};
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    struct err e = ingest_end(&in, attest(&in, &docs));
    vec_done(&docs);
    return e;
}
