/* reader.c - files of a log into an HTTP answer, one step after the other. */
#include "logs/reader.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "base/time.h"
#include "http/body.h"
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BLOCK (256u << 10)
#define FLUSH_SIZE (256u << 10)
#define STEPS 8        /* then others get their turn */
#define FRAME_HEADER 8 /* stream, 3 zero bytes, length: of the multiplexed stream */

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

/* --- sending ---------------------------------------------------------------------------------- */

/* A chunk's head has a fixed width: it is filled in when the chunk is complete. */
#define CHUNK_HEAD 10

static void open_chunk(struct reader *r) {
    if (r->out.len == 0 && !r->attach)
        buf_add(&r->out, "00000000\r\n", CHUNK_HEAD);
}

/* What was emitted is complete and goes out. */
static void seal(struct reader *r) {
    char head[CHUNK_HEAD + 1];
    r->sealed = true;
    if (r->attach || r->out.len <= CHUNK_HEAD) {
        if (!r->attach)
            buf_clear(&r->out); /* nothing: a chunk of that length would be the end */
        return;
    }
    snprintf(head, sizeof(head), "%08x\r\n", (unsigned)(r->out.len - CHUNK_HEAD));
    memcpy(r->out.data, head, CHUNK_HEAD);
    buf_adds(&r->out, "\r\n");
}

/* Sends what is sealed. False: the socket is full. */
static bool push(struct reader *r) {
    while (r->sealed && r->sent < r->out.len && !r->gone) {
        ssize_t n = send(r->client, r->out.data + r->sent, r->out.len - r->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0)
            r->gone = true;
        else
            r->sent += (size_t)n;
    }
    if (r->sealed) {
        buf_clear(&r->out);
        r->sent = 0;
        r->sealed = false;
    }
    return true;
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
    open_chunk(r);
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
    while (!r->past_until) {
        ssize_t used = emit(r, str_n(r->in.data + at, r->in.len - at));
        if (used == 0)
            break;
        at += (size_t)(used < 0 ? -used : used);
    }
    buf_drop(&r->in, at);
}

/* Reads one block of the file. *ret_end: there is no more (for now), or the limit is reached. */
static struct err read_block(struct reader *r, bool *ret_end) {
    struct stat st;
    if (!r->file.packed && fstat(r->file.fd, &st) == 0 &&
        st.st_size < r->offset) { /* truncated from outside */
        r->offset = 0;
        buf_clear(&r->in);
    }
    size_t want = READ_BLOCK;
    *ret_end = true;
    if (r->limit >= 0)
        want = (size_t)MIN((off_t)want, MAX(r->limit - r->offset, (off_t)0));
    if (want == 0)
        return OK;
    size_t n;
    TRYF(file_pread(&r->file, buf_room(&r->in, want), want, r->offset, &n), "'%s'", r->name);
    if (n == 0)
        return OK;
    buf_added(&r->in, n);
    r->offset += (off_t)n;
    emit_all(r);
    *ret_end = false;
    return OK;
}

static void turn_to(struct reader *r, struct file f, off_t offset) {
    file_done(&r->file);
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
    open_chunk(r);
    size_t start = r->out.len;
    buf_add(&r->out, blank, FRAME_HEADER);
    buf_addf(&r->out, "corten: rotation has removed %lld older file%s of this log, %lld bytes\n",
             (long long)files, files == 1 ? "" : "s", (long long)bytes);
    set_header(r->out.data + start, LOGS_STDERR, r->out.len - start - FRAME_HEADER);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Clients that read the head through a buffer lose what one read takes beyond it (see
 * monitor/stream.c): what follows waits until it was taken, a tenth of a second at most. */
static void send_head(struct reader *r) {
    int held = 0;
    if (fd_write_all(r->client, r->out.data, r->out.len) < 0)
        r->gone = true;
    buf_truncate(&r->out, 0);
    for (int i = 0; i < 100 && !r->gone; i++) {
        if (ioctl(r->client, SIOCOUTQ, &held) != 0 || held == 0)
            return;
        poll(NULL, 0, 1);
    }
}

static struct err begin(struct reader *r) {
    const char *type = json_str(json_get(r->args, "content_type")).p;
    if (type == NULL || *type == '\0')
        type = r->multiplexed ? "application/vnd.docker.multiplexed-stream"
                              : "application/vnd.docker.raw-stream";
    struct str attach = json_str(json_get(r->args, "attach"));
    r->attach = attach.len > 0;
    if (r->attach) {
        http_hijack_head(&r->out, str_eqz(attach, "upgrade"), type);
        send_head(r);
    } else if (http_answer_begin(r->client, 200, type, NULL) < 0) {
        r->gone = true;
    }
    TRY(files_open(r->dir_fd, r->name, &r->files));
    size_t index = r->files.n ? r->files.n - 1 : 0;
    off_t offset = 0;
    uint64_t tail = tail_wanted(r);
    if (tail != UINT64_MAX)
        TRY(files_tail(&r->files, tail, &index, &offset));
    else
        tell_removed(r);
    r->left = r->files.n ? index + 1 : 0;
    r->first_offset = offset;
    r->phase = READER_EXISTING;
    return OK;
}

/* What exists now, oldest first, from where `tail` says. */
static struct err step_existing(struct reader *r) {
    bool end = true;
    if (r->file.fd >= 0)
        TRY(read_block(r, &end));
    if (!end && !r->past_until)
        return OK;
    if (r->left > 0 && !r->past_until) {
        struct file *x = &r->files.items[--r->left];
        off_t offset = r->first_offset;
        r->first_offset = 0;
        if (r->left > 0 && r->since != 0 && file_before(x, r->since))
            return OK;
        if (x->packed && r->since != 0)
            offset = MAX(offset, (off_t)packed_since(x->packed, r->since));
        turn_to(r, *x, offset);
        /* Without follow the end is where it was when we came: a flood is not chased. */
        r->limit = r->left == 0 && !r->follow && !x->packed ? x->size : -1;
        *x = (struct file){.fd = -1};
        return OK;
    }
    files_done(&r->files);
    r->limit = -1;
    r->phase = r->follow && !r->past_until ? READER_LOOK : READER_END;
    return OK;
}

/* Looked first, read after: once there is a newer file nothing is added to this one. */
static struct err step_look(struct reader *r) {
    TRY(files_next(r->dir_fd, r->name, &r->file, &r->next));
    r->phase = READER_ADDED;
    return OK;
}

/* What was added, through any number of rotations. */
static struct err step_added(struct reader *r) {
    bool end = true;
    if (r->file.fd >= 0)
        TRY(read_block(r, &end));
    if (r->past_until)
        r->phase = READER_END;
    if (!end || r->past_until)
        return OK;
    if (r->next.fd >= 0) {
        turn_to(r, r->next, 0);
        r->next = (struct file){.fd = -1};
        r->phase = READER_LOOK;
    } else {
        r->phase = r->log_ended ? READER_END : READER_WAIT;
    }
    return OK;
}

static void step_end(struct reader *r) {
    if (r->attach) {
        r->phase = READER_OVER;
        return;
    }
    buf_clear(&r->out);
    buf_adds(&r->out, "0\r\n\r\n");
    r->sealed = true;
    r->phase = READER_OVER;
}

static struct err step(struct reader *r) {
    switch (r->phase) {
    case READER_BEGIN:
        return begin(r);
    case READER_EXISTING:
        return step_existing(r);
    case READER_LOOK:
        return step_look(r);
    case READER_ADDED:
        return step_added(r);
    case READER_END:
        step_end(r);
        return OK;
    case READER_WAIT:
    case READER_OVER:
        break;
    }
    return OK;
}

struct err reader_step(struct reader *r, enum reader_wants *ret) {
    *ret = READER_WANTS_WRITE;
    if (!push(r))
        return OK;
    for (int turns = 0; turns < STEPS && !r->gone && !r->sealed; turns++) {
        enum reader_phase before = r->phase;
        if (before == READER_WAIT || before == READER_OVER)
            break;
        TRY(step(r));
        bool pause = r->phase == READER_WAIT || r->phase == READER_END || r->phase == READER_OVER;
        if (!r->sealed && (r->out.len >= FLUSH_SIZE || pause))
            seal(r);
        if (!push(r))
            return OK;
    }
    if (r->gone || (r->phase == READER_OVER && r->out.len == 0)) {
        *ret = READER_WANTS_NOTHING;
        return OK;
    }
    if (r->phase != READER_WAIT) {
        *ret = READER_WANTS_TURN;
        return OK;
    }
    /* Many wait for long: they keep no memory. */
    buf_done(&r->out);
    buf_done(&r->text);
    if (r->in.len == 0)
        buf_done(&r->in);
    *ret = READER_WANTS_WAKE;
    return OK;
}

void reader_woken(struct reader *r, bool log_ended) {
    r->log_ended |= log_ended;
    if (r->phase == READER_WAIT)
        r->phase = READER_LOOK;
}

int reader_timeout(const struct reader *r) {
    if (r->until == 0)
        return -1;
    int64_t left = (r->until - time_now()) / NSEC_PER_MSEC + 1;
    return left < 0 ? 0 : (int)MIN(left, (int64_t)INT32_MAX);
}

/* --- life ------------------------------------------------------------------------------------- */

static void refuse(struct reader *r, struct err e) {
    CLEAN_BUF struct buf answer = {0};
    http_error_answer(&answer, http_error_status(err_kind(e)), err_msg(e));
    /* A few hundred bytes into an empty socket; the client may be gone. */
    (void)!send(r->client, answer.data, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct err reader_init(struct reader *r, int client, int dir_fd, struct str args) {
    *r = (struct reader){
        .client = client, .dir_fd = dir_fd, .file = {.fd = -1}, .next = {.fd = -1}, .limit = -1};
    struct err e = parse_args(r, args);
    if (err_failed(e))
        refuse(r, e);
    return e;
}

void reader_done(struct reader *r) {
    json_free(r->args);
    buf_done(&r->in);
    buf_done(&r->out);
    buf_done(&r->text);
    logs_record_done(&r->record);
    files_done(&r->files);
    file_done(&r->file);
    file_done(&r->next);
    fd_close(r->client);
    fd_close(r->dir_fd);
}
