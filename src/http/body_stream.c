/* body_stream.c - a request's body as a source of a pipeline. */
#include "archive/stream.h"
#include "base/mem.h"
#include "http/body.h"
#include <errno.h>
#include <stdlib.h>

struct body_stream {
    struct stream s;
    struct http_body *body, *own;
};

static struct err body_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    ssize_t k = http_body_read(CONTAINER_OF(s, struct body_stream, s)->body, p, n);
    if (k == -EPROTO)
        return err_new(ERR_INVALID, "malformed request body");
    if (k < 0)
        return err_kind_errno(ERR_CANCELLED, (int)k, "read the request's body");
    *ret_n = (size_t)k;
    return OK;
}

static void body_stream_done(struct stream *s) {
    struct body_stream *b = CONTAINER_OF(s, struct body_stream, s);
    http_body_free(b->own);
    free(b);
}

struct stream *http_body_stream(struct http_body *body, bool own) {
    struct body_stream *b = NEW(struct body_stream);
    b->s = (struct stream){.read = body_stream_read, .done = body_stream_done};
    b->body = body;
    b->own = own ? body : NULL;
    return &b->s;
}
