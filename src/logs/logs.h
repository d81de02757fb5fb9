/* logs.h - what a container said: written by its monitor, read by a worker.
 *
 * The door of logs/. Durable state: the log files in the container's directory, in the peer's
 * format, so that shippers read them: `<name>`, older ones `<name>.1` … `<name>.<max_file-1>`, one
 * record per line, {"log":"text\n","stream":"stdout","time":"RFC 3339 with nanoseconds"}. A line of
 * more than 16 KiB is split into records of 16,384 bytes, of which only the last one's text ends in
 * \n; bytes that are not UTF-8 become U+FFFD on disk (the format is JSON).
 *
 * Writer: single-threaded, in the monitor, never blocks: writes and rotation go through io_uring,
 * so a disk that hangs delays only the log. Where the kernel refuses io_uring they are plain calls
 * and such a disk holds the monitor (`logs_writer_async` tells). A write that fails (ENOSPC, EIO)
 * drops its records, counts them, and the next write that works is preceded by a record on stderr
 * that says how many are missing. Reader: blocking, in a worker process, one for running and
 * stopped containers. It follows rotation by inode, so no line is lost or repeated, and starts over
 * after an external truncation.
 *
 * With compress, older files are `<name>.N.gz`: gzip with an index of times and counts, so that the
 * last lines or those since a time are read without the rest (logs/packed.h). A program of its own
 * compresses, one file at a time, as long as the container runs; what its end interrupts is done in
 * the next run.
 *
 * The driver `local` is the same with the peer's smaller bounds, compressed unless that is switched
 * off, and without attributes: its files are the daemon's own business, so no path is told.
 *
 * Options labels, env and tag put "attrs" into every record, as the peer does. In the non-blocking
 * mode the writer is never full: what max-buffer-size does not hold is dropped and counted.
 * Tests: test/unit/logs, test/fuzz/log-record.c, test/kernel/monitor-log.c,
 * test/e2e/t5003-log-options.sh.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "spec/fields.h"

#define LOGS_PARTIAL_SIZE 16384u                /* longest text of one record, as the peer */
#define LOGS_MAX_SIZE (INT64_C(100) << 20)      /* default of max-size: bounded by default */
#define LOGS_MAX_FILE 10                        /* default of max-file */
#define LOGS_LOCAL_MAX_SIZE (INT64_C(20) << 20) /* those of the driver local: the peer's */
#define LOGS_LOCAL_MAX_FILE 5
#define LOGS_RECORD_MAX (1u << 20) /* a longer line in a file is not a record: skipped */

enum logs_stream { LOGS_STDOUT, LOGS_STDERR };

/* --- drivers and options ---------------------------------------------------------------------- */
#define LOGS_MAX_FILE_MOST 1000
#define LOGS_BUFFER (INT64_C(1) << 20) /* default of max-buffer-size */
#define LOGS_BUFFER_MOST (INT64_C(256) << 20)
#define LOGS_ATTRS_MAX 65536u /* bytes of a record's attributes */

struct logs_options { /* texts are borrowed */
    const char *driver;
    int64_t max_size; /* bytes per file; -1: unbounded */
    int max_file;
    bool compress;
    bool non_blocking; /* the container never waits for the log: what does not fit is dropped */
    int64_t max_buffer;
    const char *labels, *labels_regex, *env, *env_regex, *tag; /* NULL: not given */
};
/* NULL-terminated names. */
const char *const *logs_drivers(void);
/* ERR_UNSUPPORTED, with the remedy, for the peer's other drivers; ERR_INVALID for unknown names. */
struct err logs_check_driver(const char *driver);
/* As the API gives them ("max-size": "10m", "max-file": "3"). Errors name the option. */
struct err logs_options_parse(const char *driver, const struct strmap *given,
                              struct logs_options *ret);
struct err logs_parse_size(struct str text, int64_t *ret); /* "-1": -1 */
struct logs_subject {
    const char *id, *name; /* name without slash */
    const char *image_id, *image_name, *command, *host_name;
    const struct strs *env;
    const struct strmap *labels;
};
/* What the options labels, env and tag put into every record: a JSON object of strings, or nothing
 * when they ask for nothing. */
struct err logs_attributes(const struct logs_options *o, const struct logs_subject *s,
                           struct buf *ret);

/* --- writing ---------------------------------------------------------------------------------- */
struct logs_writer_options {
    const char *driver; /* of logs_drivers */
    int dir_fd;         /* borrowed, kept as a duplicate; -1 for none */
    const char *name;   /* file name in it */
    int64_t max_size;   /* bytes per file; -1: no rotation */
    int max_file;       /* files in all, at least 1 */
    struct str attrs;   /* logs_attributes; empty: none */
    int64_t max_buffer; /* > 0: non-blocking mode, bytes that wait at most */
    bool compress;      /* older files; needs max_file > 1 and a max_size */
    bool blocking;      /* do not use io_uring (tests) */
};
struct logs_writer;
/* Opens (creates, mode 0640) the file. */
struct err logs_writer_new(const struct logs_writer_options *o, struct logs_writer **ret);
struct logs_writer *
logs_writer_free(struct logs_writer *w); /* NULL allowed; drops what is pending */
bool logs_writer_async(const struct logs_writer *w);
/* Bytes of a stream as they came, with the time of the read (wall ns). Never blocks, never fails.
 */
void logs_write(struct logs_writer *w, enum logs_stream s, const void *p, size_t n, int64_t now);
/* True: more than 256 KiB wait for the disk; the caller stops reading its source. What is written
 * all the same is kept up to a limit and then dropped and counted. */
bool logs_writer_full(const struct logs_writer *w);
/* Readable when logs_writer_pump has something to do; -1 when writes are plain calls. */
int logs_writer_fd(const struct logs_writer *w);
/* Takes completions, starts what waits. Returns true when records reached the file since the last
 * call: readers want to be woken. */
bool logs_writer_pump(struct logs_writer *w);
/* An older file is to be compressed: the caller starts logs_pack with these in another process and
 * says logs_writer_packed when that has ended. False: there is none now. */
struct logs_pack {
    int source_fd;    /* the caller's */
    int dir_fd;       /* borrowed */
    const char *name; /* borrowed */
};
bool logs_writer_pack(struct logs_writer *w, struct logs_pack *ret);
void logs_writer_packed(struct logs_writer *w, bool done);
/* Compresses source into the new file `name` of dir, and syncs it. Blocks. */
struct err logs_pack(int source_fd, int dir_fd, const char *name);
/* The streams ended: a last line without \n becomes a record. */
void logs_writer_end(struct logs_writer *w, int64_t now);
/* Nothing waits and nothing is under way. */
bool logs_writer_idle(const struct logs_writer *w);
/* Gives buffer pages back to the kernel; for quiet moments. */
void logs_writer_trim(struct logs_writer *w);
/* What is missing of the log so far, in this run. */
struct logs_missing {
    uint64_t dropped;                      /* records that the disk did not take */
    uint64_t removed_files, removed_bytes; /* by rotation */
};
void logs_writer_missing(const struct logs_writer *w, struct logs_missing *ret);
/* Bytes of records so far: taken; written or dropped. What was taken before a moment is with the
 * readers once settled has reached what accepted was then. */
uint64_t logs_writer_accepted(const struct logs_writer *w);
uint64_t logs_writer_settled(const struct logs_writer *w);
/* The unfinished line of a stream. */
struct str logs_writer_unfinished(const struct logs_writer *w, enum logs_stream s);

/* --- records ---------------------------------------------------------------------------------- */
/* Appends one record in the peer's format; newline: the text gets "\n" at its end. */
void logs_format(struct buf *out, enum logs_stream s, struct str text, bool newline, int64_t time);
struct logs_record {
    enum logs_stream stream;
    struct str time;  /* as in the file; points into the text or into time_text */
    struct buf attrs; /* "key=value,…" sorted and percent-encoded, as `details` shows it */
    char time_text[64];
    struct buf raw_attrs; /* as in the last record: many share them */
};
void logs_record_done(struct logs_record *r);
/* Reads one record from the front of `text` and appends its unescaped log text to out. Returns the
 * bytes of the record with its newline; 0: no whole record there yet; negative: -n, the n bytes at
 * the front are no record and are to be skipped. out grows only in the first case. ret is zeroed by
 * the caller once, may be used again, and ends with logs_record_done. */
ssize_t logs_parse(struct str text, struct logs_record *ret, struct buf *out);

/* --- reading ---------------------------------------------------------------------------------- */
struct worker_ctx;
/* The job "logs-read" of the worker.
 * fds: the client's socket, the log directory, and with follow: the wake descriptor (readable when
 *   the log grew, EOF after the last line; monitor_follow_log). All are closed.
 * With "attach" ("upgrade" or "plain") the head is that of a hijacked stream and the frames follow
 * without chunks; the socket is left open for its next owner.
 * args: JSON {follow, stdout, stderr, timestamps, details, tty, name, since, until (wall ns or the
 *   API's text), tail (number, negative: all, or the API's text), content_type (optional)}.
 * Writes the whole HTTP answer, chunked. Ends at the end of the log, with follow at the container's
 * end or at `until`, and when the client goes away. Does not end with the daemon. */
struct err logs_read_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                         struct buf *ret_result);

/* The job "logs-serve": many followers in one process, which keep no memory while nothing comes. It
 * says LOGS_SERVE_READY once and LOGS_SERVE_ENDED for every client that is done; clients come by
 * worker_reply (seq 0): text of the container's id, a newline and the arguments of "logs-read";
 * descriptors as there. Without a daemon it ends with its last client. subscribe: as
 * monitor_follow_log. */
enum logs_serve_notice { LOGS_SERVE_READY = 100, LOGS_SERVE_ENDED = 101 };
struct err logs_serve(struct worker_ctx *ctx, struct err (*subscribe)(int run_dir_fd, int *ret_fd));
