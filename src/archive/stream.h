/* stream.h - bytes that are read in order: the pipeline of the worker.
 *
 * A stream is pulled: each stage reads from the one before (descriptor → inflate → hash → tar). A
 * stage that shall run beside its reader is put behind stream_threaded(), which moves it to a
 * thread and joins the two by a small ring of buffers (two mebibytes) that needs no lock.
 *
 * Used in worker processes only (blocking). A stream is used by one thread at a time. Whoever makes
 * a stage gives it the stage before; stream_free frees the whole chain. Errors are final: a stream
 * that failed is only freed.
 * Tests: test/unit/archive/stream.c.
 */
#pragma once
#include "base/err.h"
#include "base/sha256.h"

struct stream {
    /* Reads at least one byte unless at the end (*ret_n = 0) or failing. */
    struct err (*read)(struct stream *s, void *p, size_t n, size_t *ret_n);
    void (*done)(struct stream *s); /* releases what the stage owns and the stage itself */
    struct stream *from;            /* the stage before, owned; NULL at the source */
};

struct err stream_read(struct stream *s, void *p, size_t n, size_t *ret_n);
/* Reads exactly n bytes; *ret_n < n only at the end of the stream. */
struct err stream_read_full(struct stream *s, void *p, size_t n, size_t *ret_n);
/* Reads to the end and forgets. */
struct err stream_drain(struct stream *s);
/* Reads n bytes and forgets; ERR_INVALID when the stream ends before. */
struct err stream_skip(struct stream *s, uint64_t n);
/* Copies everything to fd. */
struct err stream_copy_fd(struct stream *s, int fd, uint64_t *ret_n);
struct stream *stream_free(struct stream *s); /* NULL allowed; returns NULL */
void stream_clean(struct stream **s);
#define CLEAN_STREAM OWN(stream_clean)

/* Reads fd, borrowed. */
struct stream *stream_fd(int fd);
/* Reads memory, borrowed. */
struct stream *stream_mem(struct str bytes);
/* Passes on at most max bytes; one more is ERR_INVALID "<what> is larger than <max> bytes". */
struct stream *stream_limit(struct stream *from, uint64_t max, const char *what);
/* Passes on exactly n bytes of `from`, which is borrowed and can be read on afterwards. */
struct stream *stream_part(struct stream *from, uint64_t n);
/* A stage on top of a stream that is freed by somebody else. */
struct stream *stream_borrow(struct stream *from);
/* What was looked at goes first again: a copy of head, then `from`. */
struct stream *stream_after(struct str head, struct stream *from);
/* Hashes and counts what passes; the counters are borrowed and must outlive the stream. hash NULL:
 * counts only. */
struct stream *stream_tee(struct stream *from, struct sha256 *hash, uint64_t *count);
/* Runs `from` in a thread of its own. The thread ends when its reader frees this stream. */
struct err stream_threaded(struct stream *from, struct stream **ret);
