/* import_job.c - the job "image-import": a tar of a whole root file system becomes an image. That
 * from a URL is registry/'s. */
#include "archive/decode.h"
#include "base/time.h"
#include "image/compose.h"
#include "image/ingest.h"
#include "image/jobs.h"
#include <stdio.h>

static struct err import_layer(struct ingest *in, struct stream *body, struct ingest_layer *l) {
    CLEAN_STREAM struct stream *plain = NULL;
    uint64_t entries;
    TRY(decode_open(stream_borrow(body), &plain));
    TRY(ingest_fill_unknown(in, l, INGEST_TREE, plain, true, &entries));
    TRY(ingest_reserve(in, l, 1));
    TRY(ingest_adopt(in, l, in->dir_fd, INGEST_TREE));
    return ingest_place_blobs(in, l, 1);
}

struct err ingest_import(struct ingest *in, struct stream *tar) {
    CLEAN_BUF struct buf config = {0};
    CLEAN_BUF struct buf comment = {0}, architecture = {0}, variant = {0};
    struct ingest_layer l = {0};
    struct reference tag;
    struct digest id;
    char text[DIGEST_TEXT_MAX], name[REFERENCE_TEXT_MAX];
    struct str ref = ingest_arg(in, "ref");
    bool tagged = ref.len > 0;
    if (tagged)
        TRY(reference_parse(ref, &tag));
    TRY(import_layer(in, tar, &l));
    buf_add_str(&comment, ingest_arg(in, "comment"));
    buf_add_str(&architecture, ingest_arg(in, "architecture"));
    buf_add_str(&variant, ingest_arg(in, "variant"));
    struct compose c = {.config = ingest_arg(in, "config"),
                        .layers = &l.diff_id,
                        .layers_n = 1,
                        .comment = buf_cstr(&comment),
                        .architecture = buf_cstr(&architecture),
                        .variant = buf_cstr(&variant),
                        .created = time_now()};
    TRY(compose_config(&c, &config));
    digest_of(buf_str(&config), &id);
    digest_text(&id, text);
    struct ingest_commit commit = {.config = buf_str(&config),
                                   .layers = &l,
                                   .layers_n = 1,
                                   .tags = &tag,
                                   .tags_n = tagged,
                                   .event = "import",
                                   .event_name = tagged ? reference_familiar(&tag, name) : text};
    TRY(ingest_commit(in, &commit));
    return answer_status_line(in, NULL, "%s", text);
}

struct err image_import_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    CLEAN_STREAM struct stream *body = ingest_body(&in);
    return ingest_end(&in, ingest_import(&in, body));
}
