#include "registry/pull_download.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "registry/pull_ranges.h"
#include "registry/registry.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_SIZE (1u << 20)
#define REPLAY_SIZE (256u << 10)

struct download {
    struct layer_task *task;
    struct sha256 *hash;
    int pipe;           /* to the unpacker */
    uint64_t skip;      /* bytes of this attempt that are there already */
    bool first;         /* nothing of this attempt has come */
    bool unpacker_gone; /* it has the error to tell */
    bool disk_full;
    const struct registry_answer *answer; /* of this attempt */
    int64_t began;                        /* ns, its first byte */
    int64_t stored;                       /* ns since then for what was done with the bytes */
    uint64_t start;                       /* got by then */
    bool slow;                            /* it was ended to go on by several connections */
};

/* --- bytes ------------------------------------------------------------------------------------ */
/* To the hash and the unpacker. */
static int pass_on(struct download *d, const void *p, size_t n) {
    sha256_add(d->hash, p, n);
    atomic_fetch_add(&d->task->got, n);
    if (d->pipe >= 0 && fd_write_all(d->pipe, p, n) < 0) {
        d->unpacker_gone = true;
        return -EPIPE;
    }
    return 0;
}

static int store(void *arg, const void *p, size_t n) {
    struct download *d = arg;
    uint64_t got = atomic_load(&d->task->got);
    if (n > d->task->l->blob_size - got)
        return -EFBIG;
    if (atomic_load(d->task->failed))
        return -ECANCELED;
    int r = fd_write_all(d->task->file, p, n);
    if (r < 0) {
        d->disk_full = r == -ENOSPC || r == -EDQUOT;
        return r;
    }
    fd_flush_on(d->task->file, got, got + n);
    return pass_on(d, p, n);
}

/* Would more connections bring the rest sooner? What disk and unpacker took does not count. */
static bool is_slow(const struct download *d) {
    uint64_t got = atomic_load(&d->task->got), size = d->task->l->blob_size;
    if (d->task->single || d->skip > 0 || size - got < RANGES_MIN ||
        atomic_load(d->task->lanes) < 2)
        return false;
    bool ranges = d->answer->accepts && strcmp(d->answer->accepts, "bytes") == 0;
    int64_t ns = time_monotonic() - d->began - d->stored;
    return (ranges || d->answer->status == 206) && ns >= RANGES_AFTER &&
           (got - d->start) * 1000 / (uint64_t)(ns / 1000000) < RANGES_RATE;
}

static int download_sink(void *arg, const void *data, size_t n, long status) {
    struct download *d = arg;
    const char *p = data;
    if (d->first && status == 206)
        d->skip = 0; /* the server goes on where we asked it to */
    if (d->first) {
        d->began = time_monotonic();
        d->stored = 0;
    }
    d->first = false;
    size_t skip = MIN(d->skip, n);
    d->skip -= skip;
    int64_t before = time_monotonic();
    int r = store(d, p + skip, n - skip);
    d->stored += time_monotonic() - before;
    d->slow = r == 0 && is_slow(d);
    return d->slow ? -ECANCELED : r;
}

/* As many connections as are left; 0: not enough. */
static unsigned take_lanes(_Atomic int *left) {
    unsigned n = 0;
    while (n < RANGES_LANES && atomic_fetch_sub(left, 1) > 0)
        n++;
    if (n < RANGES_LANES)
        atomic_fetch_add(left, 1); /* the one that was not there */
    if (n >= 2)
        return n;
    atomic_fetch_add(left, (int)n);
    return 0;
}

static struct err download_ranges(struct registry *r, struct download *d) {
    struct layer_task *t = d->task;
    struct ranges_fetch f = {.registry = r,
                             .url = t->url,
                             .from = atomic_load(&t->got),
                             .size = t->l->blob_size,
                             .lanes = take_lanes(t->lanes),
                             .abandon = t->failed,
                             .take = store,
                             .arg = d};
    t->single = true; /* whatever comes now, once is enough */
    if (f.lanes == 0)
        return err_new(ERR_UNAVAILABLE, "no connection is left");
    struct err e = ranges_fetch(&f);
    atomic_fetch_add(t->lanes, (int)f.lanes);
    return e;
}

/* What an earlier job left; the file's position is behind it afterwards. */
static struct err replay(struct download *d) {
    CLEAN_FREE
    char *p = mem_alloc(REPLAY_SIZE);
    uint64_t left = d->task->resumed;
    if (lseek(d->task->file, 0, SEEK_SET) < 0)
        return err_errno(errno, "read a part of a layer");
    while (left > 0) {
        if (atomic_load(d->task->failed))
            return err_new(ERR_CANCELLED, "another layer failed");
        ssize_t n = fd_read_all(d->task->file, p, MIN(left, (uint64_t)REPLAY_SIZE));
        if (n <= 0)
            return err_errno(n < 0 ? (int)n : -EIO, "read a part of a layer");
        left -= (uint64_t)n;
        int r = pass_on(d, p, (size_t)n);
        if (r < 0)
            return err_errno(r, "unpack a part of a layer");
    }
    return OK;
}

static struct err download_once(struct registry *r, struct download *d, bool *ret_again) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    uint64_t got = atomic_load(&d->task->got);
    struct registry_call c = {.method = "GET",
                              .url = d->task->url,
                              .body_fd = -1,
                              .redirects = true,
                              .once = true,
                              .range_from = got,
                              .sink = download_sink,
                              .sink_arg = d};
    d->skip = got;
    d->first = true;
    d->start = got;
    d->answer = &answer;
    d->slow = false;
    struct err e = registry_call(r, &c, &answer);
    if (d->slow) {
        err_ignore(e); /* we ended it */
        e = download_ranges(r, d);
        *ret_again = !d->disk_full && !d->unpacker_gone;
        return e;
    }
    *ret_again = registry_again(e, &answer);
    TRY(e);
    if (answer.status != 200 && answer.status != 206)
        return registry_error(r, &answer, "layer");
    if (atomic_load(&d->task->got) == d->task->l->blob_size)
        return OK;
    *ret_again = true;
    return err_new(ERR_UNAVAILABLE, "registry %s sent %llu of %llu bytes", r->shown,
                   (unsigned long long)atomic_load(&d->task->got),
                   (unsigned long long)d->task->l->blob_size);
}

static void pause_before(int attempt) {
    nanosleep(&(struct timespec){(1 << attempt) / 2, attempt == 0 ? 500000000 : 0}, NULL);
}

static struct err download(struct registry *r, struct download *d) {
    TRY(replay(d));
    if (d->task->resumed == d->task->l->blob_size && d->task->resumed > 0)
        return OK; /* all was there */
    for (int attempt = 0;; attempt++) {
        bool again = false;
        uint64_t before = atomic_load(&d->task->got);
        struct err e = download_once(r, d, &again);
        if (!err_failed(e))
            return OK;
        if (!again || attempt + 1 >= REGISTRY_ATTEMPTS || atomic_load(d->task->failed))
            return e;
        err_ignore(e); /* tried again, from where it stopped */
        if (atomic_load(&d->task->got) > before)
            attempt = 0; /* it moves */
        pause_before(attempt);
    }
}

/* --- unpacking -------------------------------------------------------------------------------- */
struct unpacking {
    struct layer_task *task;
    int pipe;
    struct err result;
};

/* Counts what the unpacker has taken, for the bar. */
struct meter {
    struct stream s;
    struct layer_task *task;
};

static struct err meter_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    size_t k;
    TRY(stream_read(s->from, p, n, &k));
    atomic_fetch_add(&CONTAINER_OF(s, struct meter, s)->task->taken, k);
    *ret_n = k;
    return OK;
}

static void meter_done(struct stream *s) {
    free(CONTAINER_OF(s, struct meter, s));
}

static struct stream *metered(struct layer_task *t, struct stream *from) {
    struct meter *m = NEW(struct meter);
    m->s = (struct stream){meter_read, meter_done, from};
    m->task = t;
    return &m->s;
}

static void *unpack_thread(void *arg) {
    struct unpacking *u = arg;
    struct layer_task *t = u->task;
    struct stream *plain = NULL;
    enum compression kind = COMPRESSION_NONE;
    u->result = inflate_open(metered(t, stream_fd(u->pipe)), 0, &plain, &kind);
    if (!err_failed(u->result)) {
        u->result = ingest_fill(t->in, t->l, plain, true, -1);
        t->l->compression = kind;
    }
    stream_free(plain);
    u->pipe = fd_close(u->pipe); /* a downloader that still writes sees it */
    return NULL;
}

/* --- both ------------------------------------------------------------------------------------- */
static struct err check_blob(struct download *d) {
    struct digest got;
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
    sha256_end(d->hash, got.bytes);
    if (!digest_eq(&got, &d->task->l->blob))
        return err_new(ERR_INVALID, "layer has the digest %s, expected %s", digest_text(&got, a),
                       digest_text(&d->task->l->blob, b));
    return OK;
}

/* Which of the two errors is the cause. */
static struct err first_cause(struct download *d, struct err downloaded, struct err unpacked) {
    if (err_failed(downloaded) && !d->unpacker_gone) {
        err_ignore(unpacked); /* it saw half a stream */
        return downloaded;
    }
    err_ignore(downloaded); /* it saw a closed pipe */
    return unpacked;
}

static struct err fetch(struct registry *r, struct download *d) {
    atomic_store(&d->task->phase, LAYER_DOWNLOADING);
    TRY(download(r, d));
    TRY(check_blob(d));
    atomic_store(&d->task->phase, LAYER_DOWNLOADED);
    return OK;
}

static bool is_full(const struct download *d, struct err e) {
    return d->disk_full || err_errnum(e) == ENOSPC || err_errnum(e) == EDQUOT;
}

static struct err pull_once(struct registry *r, struct layer_task *t, bool *ret_disk_full) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    if (t->raw) {
        struct download d = {.task = t, .hash = h, .pipe = -1};
        struct err e = fetch(r, &d);
        *ret_disk_full = is_full(&d, e);
        return e;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
    struct download d = {.task = t, .hash = h, .pipe = ends[1]};
    struct unpacking u = {.task = t, .pipe = ends[0]};
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, unpack_thread, &u);
    if (rc != 0) {
        fd_close(ends[0]);
        fd_close(ends[1]);
        return err_errno(rc, "start a thread");
    }
    struct err e = fetch(r, &d);
    fd_close(ends[1]);
    pthread_join(thread, NULL);
    e = first_cause(&d, e, u.result);
    *ret_disk_full = is_full(&d, e);
    return e;
}

/* Wrong bytes are no use to anybody, and a full disk needs the room. */
static void forget_bytes(struct layer_task *t) {
    if (ftruncate(t->file, 0) == 0)
        lseek(t->file, 0, SEEK_SET);
    t->resumed = 0;
    atomic_store(&t->got, 0);
    atomic_store(&t->taken, 0);
}

struct err layer_pull(struct registry *r, struct layer_task *t) {
    bool full = false, resumed = t->resumed > 0;
    struct err e = pull_once(r, t, &full);
    if (!err_failed(e))
        return OK;
    bool wrong = err_kind(e) == ERR_INVALID || err_kind(e) == ERR_UNSUPPORTED;
    if (full || wrong)
        forget_bytes(t);
    if (!resumed || !wrong)
        return e;
    err_ignore(e); /* the part of an earlier job was to blame, or this try tells again */
    if (!t->raw)
        TRY(ingest_discard(t->in, t->l));
    e = pull_once(r, t, &full);
    if (full || err_kind(e) == ERR_INVALID)
        forget_bytes(t);
    return e;
}
