/* build/report.h - what the client sees. Private to build/.
 *
 * POST /build: the HTTP answer on the client's socket, JSON messages as the classic builder writes
 * them ({"stream"}, {"aux"}, {"errorDetail", "error"}), so that the stock CLI shows them. The head
 * is written with the first message: an error before that is a plain HTTP error. `corten build`:
 * events (spec/corten_build.h) or text on descriptor 1, the error on descriptor 2. With q only the
 * image's id. When the client is gone, writing gives ERR_CANCELLED and the build ends.
 *
 * Stages run side by side (build/lane.h), each with a report of its own. A text has one order all
 * the same, that of a build step by step: what is not at the front is held back until its turn
 * comes. Events name their step and are never held.
 *
 * Functions are called with the turn (build/lane.h), but for report_gone and report_wait. */
#pragma once
#include "base/buf.h"

struct report_out {
    int socket;  /* -1: descriptor 1 */
    int signals; /* signalfd of SIGINT and SIGTERM: asked to stop */
    int cancel;  /* eventfd, readable as soon as a stage has failed; -1: none */
    int lease;   /* connection that ends with the daemon; -1: none yet */
    bool quiet, events;
    bool begun;
    int64_t code;         /* exit status of the RUN that failed; 0: none */
    struct report *front; /* whose text is shown now; NULL: everybody's */
};
struct report {
    struct report_out *out;
    struct buf held;
    bool held_full; /* something was left out */
    /* The step that runs. */
    unsigned step, total;
    const char *stage;
    int64_t began; /* ns */
};
void report_done(struct report *r);

/* A step begins; text is its instruction. */
struct err report_step(struct report *r, unsigned step, unsigned total, const char *stage,
                       struct str text);
struct err report_cached(struct report *r);
/* Why the step was not in the cache; only an event. */
struct err report_missed(struct report *r, const char *why);
/* It has ended: with the step image. */
struct err report_layer(struct report *r, const char *image);
struct err report_text(struct report *r, const char *fmt, ...) PRINTF(2, 3);
/* Output of a step. */
struct err report_bytes(struct report *r, struct str bytes);
/* The same from its descriptor 2: the stock CLI is told to show it in red, as the peer does. */
struct err report_stderr(struct report *r, struct str bytes);
/* A message of a pull, as it came. */
struct err report_raw(struct report *r, struct str line);
struct err report_image(struct report *r, const char *id, const char *const *tags, size_t tags_n);
/* The step has failed. Only an event: the error is the build's. */
void report_failed(struct report *r);

/* From now on `r` is at the front; what it held is shown. */
struct err report_front(struct report *r);
/* What `from` holds belongs before what `r` says next. */
struct err report_absorb(struct report *r, struct report *from);

/* The end; consumes e (success allowed). */
void report_end(struct report_out *out, struct err e);
/* Is the client gone, the builder asked to stop, or another stage failed? */
bool report_gone(const struct report *r);
/* Waits until fd can be read; ERR_CANCELLED as soon as the build is over. */
struct err report_wait(const struct report *r, int fd);
