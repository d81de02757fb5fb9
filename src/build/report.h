/* build/report.h - what the client sees. Private to build/.
 *
 * POST /build: the HTTP answer on the client's socket, JSON messages as the classic builder writes
 * them ({"stream"}, {"aux"}, {"errorDetail", "error"}), so that the stock CLI shows them. The head
 * is written with the first message: an error before that is a plain HTTP error. `corten build`:
 * text on descriptor 1, the error on descriptor 2. With q only the image's id. When the client is
 * gone, writing gives ERR_CANCELLED and the build ends. */
#pragma once
#include "base/buf.h"

struct report {
    int socket;  /* -1: text on descriptor 1 */
    int signals; /* signalfd of SIGINT and SIGTERM: asked to stop */
    bool quiet;
    bool begun;
};
struct err report_text(struct report *r, const char *fmt, ...) PRINTF(2, 3);
/* Output of a step. */
struct err report_bytes(struct report *r, struct str bytes);
/* A message of a pull, as it came. */
struct err report_raw(struct report *r, struct str line);
struct err report_image(struct report *r, const char *id, struct str tags_text);
/* The end; consumes e (success allowed). */
void report_end(struct report *r, struct err e);
/* Is the client gone, or the builder asked to stop? */
bool report_gone(const struct report *r);
/* Waits until fd can be read; ERR_CANCELLED as soon as the client is gone. */
struct err report_wait(const struct report *r, int fd);
