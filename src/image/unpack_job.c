/* unpack_job.c - the job "image-unpack": makes layers whole again (rebuild.c says when and why). */
#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "image/ingest.h"
#include "image/jobs.h"
#include "image/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err hash_write(void *arg, const void *p, size_t n) {
    sha256_add(arg, p, n);
    return OK;
}

static struct err verify(struct ingest *in, const struct ingest_layer *l) {
    CLEAN_FD
    int dir = -1;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    struct tar_sink sink = {hash_write, h};
    struct layer_tar t;
    struct digest got;
    TRY(ingest_open_layer(in, l->name, l->base, &dir));
    TRY(layer_tar(dir, 0, &sink, &t));
    sha256_end(h, got.bytes);
    return digest_eq(&got, &l->diff_id) ? OK : err_new(ERR_INVALID, "the layer is damaged");
}

/* The whole tree, also of one that is stacked: what lies below changes nothing then. */
static struct err unpack_again(struct ingest *in, struct ingest_layer *l) {
    CLEAN_FD
    int fd = -1;
    CLEAN_STREAM struct stream *plain = NULL;
    enum compression kind;
    TRY(dir_remove(in->layer_fd, l->name));
    TRY(ingest_open_blob(in, &l->blob, &fd));
    TRY(inflate_open(stream_fd(fd), 0, &plain, &kind));
    return ingest_fill(in, l, plain, true, -1);
}

static struct err restore(struct ingest *in, const struct json *j) {
    struct ingest_layer l = {0};
    struct str name = json_str(json_get(j, "name")), blob = json_str(json_get(j, "blob"));
    if (!path_is_name(name) || name.len >= sizeof(l.name))
        return err_new(ERR_INVALID, "layer without a name");
    snprintf(l.name, sizeof(l.name), "%.*s", STR_ARG(name));
    struct str base = json_str(json_get(j, "base"));
    snprintf(l.base, sizeof(l.base), "%.*s", STR_ARG(base));
    TRY(digest_parse(json_str(json_get(j, "diff_id")), &l.diff_id));
    if (blob.len == 0)
        return verify(in, &l);
    TRY(digest_parse(blob, &l.blob));
    return unpack_again(in, &l);
}

/* Wrong bytes, or none: trying again will not help. */
static char verdict(struct err e) {
    if (!err_failed(e))
        return REBUILD_WHOLE;
    bool lost = err_kind(e) == ERR_INVALID || err_kind(e) == ERR_UNSUPPORTED ||
                err_kind(e) == ERR_NOT_FOUND || err_errnum(e) == ENOENT;
    return lost ? REBUILD_LOST : REBUILD_LATER;
}

struct err image_unpack_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    TRY(ingest_open(ctx, args, fds, fds_n, false, &in));
    const struct json *layers = json_get(in.args, "layers");
    for (size_t i = 0; i < json_len(layers); i++) {
        struct err e = restore(&in, json_at(layers, i));
        buf_addc(ret_result, verdict(e));
        log_err(LOG_ERROR, e, "restore layer %zu", i);
    }
    return OK;
}
