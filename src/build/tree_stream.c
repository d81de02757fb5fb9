/* build/tree_stream.c - answers as streams. */
#include "build/tree_stream.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>

struct tree_stream {
    struct stream base;
    struct client *client;
};

static struct err tree_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    ssize_t got = client_read(CONTAINER_OF(s, struct tree_stream, base)->client, p, n);
    if (got == -EPROTO)
        return err_new(ERR_INVALID, "bad framing of the answer");
    if (got == -ECONNRESET)
        return err_new(ERR_CANCELLED, "the connection ended within the answer");
    if (got < 0)
        return err_errno((int)got, "read the daemon's answer");
    *ret_n = (size_t)got;
    return OK;
}

static void tree_done(struct stream *s) {
    free(CONTAINER_OF(s, struct tree_stream, base));
}

struct stream *tree_stream(struct client *c) {
    struct tree_stream *t = NEW(struct tree_stream);
    t->base = (struct stream){.read = tree_read, .done = tree_done};
    t->client = c;
    return &t->base;
}

struct read_stream {
    struct stream base;
    struct layer_reader *reader;
};

static struct err layer_stream_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    ssize_t got = layer_read(CONTAINER_OF(s, struct read_stream, base)->reader, p, n);
    if (got < 0)
        return err_errno((int)got, "read files");
    *ret_n = (size_t)got;
    return OK;
}

static void layer_stream_done(struct stream *s) {
    free(CONTAINER_OF(s, struct read_stream, base));
}

struct stream *layer_stream(struct layer_reader *r) {
    struct read_stream *t = NEW(struct read_stream);
    t->base = (struct stream){.read = layer_stream_read, .done = layer_stream_done};
    t->reader = r;
    return &t->base;
}
