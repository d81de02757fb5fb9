/* read.c - the job "logs-read": files of a log into an HTTP answer. Runs in a worker; blocks. */
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/time.h"
#include "http/body.h"
#include "logs/files.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BLOCK (256u << 10)
#define FLUSH_SIZE (256u << 10)
#define FRAME_HEADER 8 /* stream, 3 zero bytes, length: of the multiplexed stream */

struct reader {
    int client, dir_fd, wake;
    struct json *args;
    const char *name;
    bool attach; /* a hijacked stream that goes on elsewhere */
    bool follow, streams[2], timestamps, details, multiplexed;
    int64_t since, until; /* 0: none */
    struct file file;     /* being read */
    off_t offset;         /* of what goes into `in` next */
    off_t limit;          /* -1: to the end */
    struct buf in, out, text;
    struct logs_record record;
    bool past_until; /* a record after `until` was met: the end */
    bool gone;       /* the client */
};

static bool arg_bool(const struct reader *r, const char *key) {
    return json_bool(json_get(r->args, key), false);
}

/* Wall ns as a number, or the API's text. */
static struct err arg_time(const struct reader *r, const char *key, int64_t *ret) {
    struct json *j = json_get(r->args, key);
    *ret = 0;
    if (json_type(j) == JSON_INT && json_i64(j, ret))
        return OK;
    struct str s = json_str(j);
    if (s.len > 0)
        TRYF(time_parse_api(s, ret), "%s", key);
    return OK;
}

static struct err parse_args(struct reader *r, struct str args) {
    TRY(json_parse(args, &r->args));
    r->name = json_str(json_get(r->args, "name")).p;
    if (r->name == NULL || !path_is_name(str_of(r->name)))
        return err_new(ERR_INVALID, "logs: bad file name");
    r->follow = arg_bool(r, "follow");
    r->streams[LOGS_STDOUT] = arg_bool(r, "stdout");
    r->streams[LOGS_STDERR] = arg_bool(r, "stderr");
    r->timestamps = arg_bool(r, "timestamps");
    r->details = arg_bool(r, "details");
    r->multiplexed = !arg_bool(r, "tty");
    TRY(arg_time(r, "since", &r->since));
    return arg_time(r, "until", &r->until);
}

/* Records wanted from the end; UINT64_MAX: all, which is also what a text that is no number means
 * with the peer, and a negative number. */
static uint64_t tail_wanted(const struct reader *r) {
    struct json *j = json_get(r->args, "tail");
    int64_t number;
    if (json_i64(j, &number))
        return number < 0 ? UINT64_MAX : (uint64_t)number;
    uint64_t n;
    struct err e = str_to_u64(json_str(j), UINT64_MAX - 1, &n);
    if (err_failed(e)) {
        err_ignore(e);
        return UINT64_MAX;
    }
    return n;
}

static bool send_raw(int fd, struct str data) {
    while (data.len > 0) {
        ssize_t n = send(fd, data.p, data.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data = str_from(data, (size_t)n);
    }
    return true;
}

static void flush(struct reader *r) {
    if (r->out.len > 0 && !r->gone)
        r->gone = r->attach ? !send_raw(r->client, buf_str(&r->out))
                            : http_answer_write(r->client, buf_str(&r->out)) < 0;
    buf_clear(&r->out);
}

/* Record's time against since and until. */
static bool in_time(struct reader *r) {
    if (r->since == 0 && r->until == 0)
        return true;
    int64_t t = 0;
    struct err e = time_parse(r->record.time, &t);
    if (err_failed(e)) {
        err_ignore(e); /* a record without a time is of all times */
        return true;
    }
    if (r->until != 0 && t > r->until) {
        r->past_until = true;
        return false;
    }
    return t >= r->since;
}

/* "2026-11-21T08:02:36.5Z" with nine digits, as `logs -t` prints it. */
static void put_time(struct buf *out, struct str time) {
    ssize_t dot = str_find(time, '.'), z = str_find(time, 'Z');
    if (z < 0) { /* foreign record with an offset: normalised */
        int64_t t = 0;
        char text[TIME_TEXT_MAX];
        err_ignore(time_parse(time, &t)); /* shows the zero time then */
        buf_adds(out, time_format_fixed(t, text));
        return;
    }
    buf_add(out, time.p, (size_t)(dot < 0 ? z : dot));
    buf_addc(out, '.');
    size_t digits = dot < 0 ? 0 : MIN((size_t)(z - dot - 1), (size_t)9);
    if (digits > 0)
        buf_add(out, time.p + dot + 1, digits);
    buf_add(out, "000000000Z", 9 - digits);
    buf_addc(out, 'Z');
}

static void set_header(char *p, enum logs_stream s, size_t n) {
    p[0] = (char)(s == LOGS_STDOUT ? 1 : 2);
    p[1] = p[2] = p[3] = 0;
    for (int i = 0; i < 4; i++)
        p[4 + i] = (char)(n >> (24 - 8 * i));
}

/* One record from the front of `text` into the answer; as logs_parse. */
static ssize_t emit(struct reader *r, struct str text) {
    static const char blank[FRAME_HEADER];
    size_t start = r->out.len, header = r->multiplexed ? FRAME_HEADER : 0;
    bool prefixed = r->timestamps || r->details;
    ssize_t used;
    buf_add(&r->out, blank, header);
    if (prefixed)
        buf_clear(&r->text);
    used = logs_parse(text, &r->record, prefixed ? &r->text : &r->out);
    if (used <= 0 || !r->streams[r->record.stream] || !in_time(r)) {
        buf_truncate(&r->out, start);
        return used;
    }
    if (r->timestamps) {
        put_time(&r->out, r->record.time);
        buf_addc(&r->out, ' ');
    }
    if (r->details) {
        buf_add_str(&r->out, buf_str(&r->record.attrs));
        buf_addc(&r->out, ' ');
    }
    if (prefixed)
        buf_add_str(&r->out, buf_str(&r->text));
    if (r->multiplexed)
        set_header(r->out.data + start, r->record.stream, r->out.len - start - header);
    return used;
}

/* All whole records of the input. */
static void emit_all(struct reader *r) {
    size_t at = 0;
    while (!r->gone && !r->past_until) {
        ssize_t used = emit(r, str_n(r->in.data + at, r->in.len - at));
        if (used == 0)
            break;
        at += (size_t)(used < 0 ? -used : used);
        if (r->out.len >= FLUSH_SIZE)
            flush(r);
    }
    buf_drop(&r->in, at);
}

static bool ended(const struct reader *r) {
    return r->gone || r->past_until;
}

/* Reads the file to its end (or the limit). */
static struct err read_file(struct reader *r) {
    struct stat st;
    if (fstat(r->file.fd, &st) == 0 && st.st_size < r->offset) { /* truncated from outside */
        r->offset = 0;
        buf_clear(&r->in);
    }
    while (!ended(r)) {
        size_t want = READ_BLOCK;
        if (r->limit >= 0)
            want = (size_t)MIN((off_t)want, MAX(r->limit - r->offset, (off_t)0));
        if (want == 0)
            return OK;
        ssize_t n = pread(r->file.fd, buf_room(&r->in, want), want, r->offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "read log '%s'", r->name);
        if (n == 0)
            return OK;
        buf_added(&r->in, (size_t)n);
        r->offset += n;
        emit_all(r);
    }
    return OK;
}

static void turn_to(struct reader *r, struct file f, off_t offset) {
    fd_close(r->file.fd);
    r->file = f;
    r->offset = offset;
    buf_clear(&r->in); /* a torn record at the end of the old file */
}

/* To who wants to see everything: that this is not all. */
static void tell_removed(struct reader *r) {
    static const char blank[FRAME_HEADER];
    int64_t files = 0, bytes = 0;
    if (!json_i64(json_get(r->args, "removed_files"), &files) ||
        !json_i64(json_get(r->args, "removed_bytes"), &bytes) || files <= 0 ||
        !r->streams[LOGS_STDERR] || !r->multiplexed || r->since != 0)
        return;
    size_t start = r->out.len;
    buf_add(&r->out, blank, FRAME_HEADER);
    buf_addf(&r->out, "corten: rotation has removed %lld older file%s of this log, %lld bytes\n",
             (long long)files, files == 1 ? "" : "s", (long long)bytes);
    set_header(r->out.data + start, LOGS_STDERR, r->out.len - start - FRAME_HEADER);
}

/* What exists now, from where `tail` says. */
static struct err read_existing(struct reader *r) {
    OWN(files_done) struct files files = {0};
    TRY(files_open(r->dir_fd, r->name, &files));
    size_t index = files.n ? files.n - 1 : 0;
    off_t offset = 0;
    uint64_t tail = tail_wanted(r);
    if (tail != UINT64_MAX)
        TRY(files_tail(&files, tail, &index, &offset));
    else
        tell_removed(r);
    for (size_t i = index + 1; i > 0 && files.n > 0 && !ended(r); i--) {
        struct file *x = &files.items[i - 1];
        turn_to(r, *x, i - 1 == index ? offset : 0);
        x->fd = -1;
        /* Without follow the end is where it was when we came: a flood is not chased. */
        r->limit = i == 1 && !r->follow ? x->size : -1;
        TRY(read_file(r));
    }
    return OK;
}

/* What was added, through any number of rotations. */
static struct err read_new(struct reader *r) {
    while (!ended(r)) {
        struct file next = {.fd = -1};
        TRY(files_next(r->dir_fd, r->name, &r->file, &next));
        /* Looked first, read after: once there is a newer file nothing is added to this one. */
        if (r->file.fd >= 0) {
            struct err e = read_file(r);
            if (err_failed(e)) {
                fd_close(next.fd);
                return e;
            }
        }
        if (next.fd < 0)
            return OK;
        turn_to(r, next, 0);
    }
    return OK;
}

static int poll_timeout(const struct reader *r) {
    if (r->until == 0)
        return -1;
    int64_t left = (r->until - time_now()) / NSEC_PER_MSEC + 1;
    return left < 0 ? 0 : (int)MIN(left, (int64_t)INT32_MAX);
}

/* Takes all waiting wake messages; false at the log's end. */
static bool drain_wake(struct reader *r) {
    char bytes[256];
    for (;;) {
        ssize_t n = recv(r->wake, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0 || (n < 0 && errno == EINTR))
            continue;
        return n < 0 && errno == EAGAIN;
    }
}

static struct err follow(struct reader *r) {
    bool more = r->wake >= 0;
    r->limit = -1;
    for (;;) {
        TRY(read_new(r));
        flush(r);
        if (!more || ended(r))
            return OK;
        struct pollfd p[2] = {{.fd = r->wake, .events = POLLIN},
                              {.fd = r->client, .events = POLLRDHUP}};
        int n = poll(p, 2, poll_timeout(r));
        if (n < 0 && errno != EINTR)
            return err_errno(errno, "poll");
        if (p[1].revents)
            r->gone = true;
        if (n == 0) /* `until` is now */
            more = false;
        if (n > 0 && p[0].revents)
            more = drain_wake(r) && more;
    }
}

static void refuse(struct reader *r, struct err e) {
    CLEAN_BUF struct buf body = {0}, answer = {0};
    struct json_out o = {.out = &body};
    jo_obj(&o);
    jo_kstr(&o, "message", err_msg(e));
    jo_obj_end(&o);
    buf_addc(&body, '\n');
    int status = err_kind(e) == ERR_INVALID ? 400 : 500;
    http_plain_answer(&answer, status, "application/json", buf_str(&body));
    (void)!fd_write_all(r->client, answer.data, answer.len); /* the client may be gone */
}

static struct err answer(struct reader *r) {
    const char *type = json_str(json_get(r->args, "content_type")).p;
    if (type == NULL || *type == '\0')
        type = r->multiplexed ? "application/vnd.docker.multiplexed-stream"
                              : "application/vnd.docker.raw-stream";
    struct str attach = json_str(json_get(r->args, "attach"));
    r->attach = attach.len > 0;
    if (r->attach)
        http_hijack_head(&r->out, str_eqz(attach, "upgrade"), type);
    else if (http_answer_begin(r->client, 200, type, NULL) < 0)
        return OK; /* gone already */
    TRY(read_existing(r));
    if (r->follow && !ended(r))
        TRY(follow(r));
    flush(r);
    if (!r->gone && !r->attach)
        (void)!http_answer_end(r->client); /* the client may be gone */
    return OK;
}

static void reader_done(struct reader *r) {
    json_free(r->args);
    buf_done(&r->in);
    buf_done(&r->out);
    buf_done(&r->text);
    logs_record_done(&r->record);
    fd_close(r->file.fd);
    fd_close(r->client);
    fd_close(r->dir_fd);
    fd_close(r->wake);
}

struct err logs_read_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                         struct buf *ret_result) {
    (void)ctx; /* a reader outlives the daemon: `logs -f` does not notice its restart */
    (void)ret_result;
    if (fds_n < 2)
        return err_new(ERR_INVALID, "logs-read: needs a client and a directory");
    OWN(reader_done) struct reader r = {.client = fds[0], .dir_fd = fds[1], .file = {.fd = -1}};
    r.wake = fds_n > 2 ? fds[2] : -1;
    r.limit = -1;
    TRY(fd_set_nonblock(r.client, false)); /* blocking: a slow reader hurts only itself */
    struct err e = parse_args(&r, args);
    if (err_failed(e)) {
        refuse(&r, e);
        return e;
    }
    return answer(&r);
}
