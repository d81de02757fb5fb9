/* client/stream.c - the frames of a hijacked connection.
 *
 * Engine API, "Stream format": 8 bytes of header (stream 0 to 2, three zero bytes, length in big
 * endian), then that many bytes. With a tty there are no frames. */
#include "client/client.h"
#include <errno.h>
#include <unistd.h>

#define FRAME_HEAD 8

void client_stream_done(struct client_stream *s) {
    s->fd = fd_close(s->fd);
    buf_done(&s->in);
}

/* Reads more bytes into s->in. 0 at the end. */
static ssize_t fill(struct client_stream *s) {
    ssize_t n;
    do
        n = read(s->fd, buf_room(&s->in, 65536), 65536);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        buf_added(&s->in, (size_t)n);
    return n < 0 ? -errno : n;
}

/* Takes a frame's head. 1, 0 at the end between frames, -errno. */
static int frame_head(struct client_stream *s) {
    while (s->in.len < FRAME_HEAD) {
        ssize_t n = fill(s);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return s->in.len ? -EPROTO : 0;
    }
    const unsigned char *h = (const unsigned char *)s->in.data;
    if (h[0] > 3 || h[1] || h[2] || h[3])
        return -EPROTO;
    s->frame_stream = h[0] == 2 || h[0] == 3 ? 2 : 1;
    s->frame_left = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
    buf_drop(&s->in, FRAME_HEAD);
    return 1;
}

ssize_t client_stream_read(struct client_stream *s, void *p, size_t n, int *ret_stream) {
    while (!s->raw && s->frame_left == 0) {
        int more = frame_head(s);
        if (more <= 0)
            return more;
    }
    if (s->in.len == 0) {
        ssize_t got = fill(s);
        if (got < 0)
            return got;
        if (got == 0)
            return s->raw ? 0 : -EPROTO;
    }
    n = MIN(n, s->in.len);
    if (!s->raw)
        n = MIN(n, s->frame_left);
    memcpy(p, s->in.data, n);
    buf_drop(&s->in, n);
    s->frame_left -= s->raw ? 0 : n;
    *ret_stream = s->raw ? 1 : s->frame_stream;
    return (ssize_t)n;
}
