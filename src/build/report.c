/* build/report.c - messages to the client. */
#include "build/report.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "http/body.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MAX (64u << 20) /* bytes that one stage may have to wait */

static struct err gone(int rc) {
    if (rc == 0)
        return OK;
    return err_new(ERR_CANCELLED, "the client is gone: %s", strerror(-rc));
}

void report_done(struct report *r) {
    buf_done(&r->held);
}

/* Polls; *ret_ready: fd (or -1) can be read. */
static struct err look(const struct report_out *out, int fd, int timeout, bool *ret_ready) {
    struct pollfd p[] = {{.fd = fd, .events = POLLIN},
                         {.fd = out->socket, .events = POLLRDHUP},
                         {.fd = out->signals, .events = POLLIN},
                         {.fd = out->cancel, .events = POLLIN},
                         {.fd = out->lease, .events = POLLIN}};
    while (poll(p, ARRAY_LEN(p), timeout) < 0)
        if (errno != EINTR)
            return err_errno(errno, "wait for output");
    if (p[1].revents)
        return err_new(ERR_CANCELLED, "the client is gone");
    if (p[2].revents)
        return err_new(ERR_CANCELLED, "stopped by a signal");
    if (p[3].revents)
        return err_new(ERR_CANCELLED, "another stage failed");
    if (p[4].revents)
        return err_new(ERR_CANCELLED, "the daemon is gone");
    *ret_ready = p[0].revents;
    return OK;
}

bool report_gone(const struct report *r) {
    bool ready;
    struct err e = look(r->out, -1, 0, &ready);
    bool gone_now = err_failed(e);
    err_free(e); /* the answer is yes or no */
    return gone_now;
}

struct err report_wait(const struct report *r, int fd) {
    bool ready = false;
    while (!ready)
        TRY(look(r->out, fd, -1, &ready));
    return OK;
}

/* --- bytes to the client ------------------------------------------------------------------------
 */
static struct err write_out(struct report_out *out, struct str bytes) {
    if (bytes.len == 0)
        return OK;
    if (out->socket < 0)
        return gone(fd_write_all(STDOUT_FILENO, bytes.p, bytes.len));
    if (!out->begun) {
        out->begun = true;
        TRY(gone(http_answer_begin(out->socket, 200, "application/json", NULL)));
    }
    return gone(http_answer_write(out->socket, bytes));
}

static struct err put(struct report *r, struct str bytes) {
    struct report_out *out = r->out;
    if (out->events || !out->front || out->front == r)
        return write_out(out, bytes);
    r->held_full |= r->held.len + bytes.len > HELD_MAX;
    if (!r->held_full)
        buf_add_str(&r->held, bytes);
    return OK;
}

/* {"stream": text} */
static void stream_line(struct str text, struct buf *b) {
    struct json_out o = {.out = b};
    jo_obj(&o);
    jo_key(&o, "stream");
    jo_str(&o, text);
    jo_obj_end(&o);
    buf_adds(b, "\r\n");
}

static struct err print(struct report *r, struct str text) {
    if (r->out->socket < 0)
        return put(r, text);
    CLEAN_BUF struct buf b = {0};
    stream_line(text, &b);
    return put(r, buf_str(&b));
}

static struct err release(struct report *r, struct report *to) {
    if (r->held_full)
        buf_adds(&r->held, r->out->socket < 0 ? "[output left out]\n"
                                              : "{\"stream\":\"[output left out]\\n\"}\r\n");
    r->held_full = false;
    struct err e = put(to, buf_str(&r->held));
    buf_clear(&r->held);
    return e;
}

struct err report_front(struct report *r) {
    r->out->front = r;
    return release(r, r);
}

struct err report_absorb(struct report *r, struct report *from) {
    return from == r->out->front ? OK : release(from, r);
}

/* --- what is said -------------------------------------------------------------------------------
 */
static struct err event(struct report *r, struct build_event *e) {
    CLEAN_BUF struct buf b = {0};
    e->step = r->step;
    fields_print(&build_event_fields, e, &b);
    buf_addc(&b, '\n');
    return write_out(r->out, buf_str(&b));
}

struct err report_step(struct report *r, unsigned step, unsigned total, const char *stage,
                       struct str text) {
    r->step = step;
    r->total = total;
    r->stage = stage;
    r->began = time_monotonic();
    if (!r->out->events)
        return report_text(r, "Step %u/%u : %.*s\n", step, total, STR_ARG(text));
    CLEAN_FREE char *name = str_dup(text);
    struct build_event e = {
        .total = total, .stage = (char *)stage, .name = name, .state = (char *)"start"};
    return event(r, &e);
}

struct err report_cached(struct report *r) {
    if (!r->out->events)
        return report_text(r, " ---> Using cache\n");
    struct build_event e = {.state = (char *)"cached"};
    return event(r, &e);
}

struct err report_missed(struct report *r, const char *why) {
    if (!r->out->events)
        return OK;
    struct build_event e = {.state = (char *)"missed", .why = (char *)why};
    return event(r, &e);
}

struct err report_layer(struct report *r, const char *image) {
    struct str hex = str_from(str_of(image), strlen("sha256:"));
    if (!r->out->events)
        return report_text(r, " ---> %.*s\n", STR_ARG(str_sub(hex, 0, 12)));
    struct build_event e = {
        .state = (char *)"done", .image = (char *)image, .nanos = time_monotonic() - r->began};
    return event(r, &e);
}

void report_failed(struct report *r) {
    if (!r->out->events || !r->step)
        return;
    struct build_event e = {.state = (char *)"error", .nanos = time_monotonic() - r->began};
    err_ignore(event(r, &e)); /* the error itself is what counts */
}

struct err report_text(struct report *r, const char *fmt, ...) {
    if (r->out->quiet)
        return OK;
    CLEAN_BUF struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    return report_bytes(r, buf_str(&b));
}

/* Output may be any bytes; a JSON string is UTF-8. */
static char *printable(struct str bytes) {
    CLEAN_BUF struct buf b = {0};
    while (bytes.len) {
        size_t n = str_utf8_len(bytes);
        if (n == 0 || *bytes.p == '\0')
            buf_adds(&b, "\xef\xbf\xbd");
        else
            buf_add(&b, bytes.p, n);
        bytes = str_from(bytes, MAX(n, (size_t)1));
    }
    return str_dup(buf_str(&b));
}

struct err report_bytes(struct report *r, struct str bytes) {
    if (r->out->quiet)
        return OK;
    if (!r->out->events)
        return print(r, bytes);
    CLEAN_FREE char *text = printable(bytes);
    struct build_event e = {.log = text};
    return event(r, &e);
}

struct err report_stderr(struct report *r, struct str bytes) {
    if (r->out->quiet || r->out->events || r->out->socket < 0)
        return report_bytes(r, bytes);
    CLEAN_BUF struct buf b = {0};
    buf_adds(&b, "\x1b[91m");
    buf_add_str(&b, bytes);
    buf_adds(&b, "\x1b[0m");
    return print(r, buf_str(&b));
}

struct err report_raw(struct report *r, struct str line) {
    if (r->out->quiet || r->out->socket < 0)
        return OK;
    CLEAN_BUF struct buf b = {0};
    buf_add_str(&b, line);
    buf_adds(&b, "\r\n");
    return put(r, buf_str(&b));
}

static struct err send_id(struct report *r, const char *id) {
    CLEAN_BUF struct buf b = {0};
    struct json_out o = {.out = &b};
    jo_obj(&o);
    jo_key(&o, "aux");
    jo_obj(&o);
    jo_kstr(&o, "ID", id);
    jo_obj_end(&o);
    jo_obj_end(&o);
    buf_adds(&b, "\r\n");
    return put(r, buf_str(&b));
}

struct err report_image(struct report *r, const char *id, const char *const *tags, size_t tags_n) {
    if (r->out->events) {
        struct build_event e = {.state = (char *)"built",
                                .image = (char *)id,
                                .tags = {.items = (char **)tags, .n = tags_n}};
        return event(r, &e);
    }
    if (r->out->socket >= 0)
        TRY(send_id(r, id));
    if (r->out->quiet) {
        CLEAN_BUF struct buf b = {0};
        buf_addf(&b, "%s\n", id);
        return print(r, buf_str(&b));
    }
    struct str hex = str_from(str_of(id), strlen("sha256:"));
    TRY(report_text(r, "Successfully built %.*s\n", STR_ARG(str_sub(hex, 0, 12))));
    for (size_t i = 0; i < tags_n; i++)
        TRY(report_text(r, "Successfully tagged %s\n", tags[i]));
    return OK;
}

/* {"message"}: nothing was written yet, so it is an HTTP error. */
static void plain_error(struct report_out *r, struct err e) {
    CLEAN_BUF struct buf answer = {0};
    http_error_answer(&answer, http_error_status(err_kind(e)), err_msg(e));
    (void)fd_write_all(r->socket, answer.data, answer.len);
}

static void stream_error(struct report_out *r, struct err e) {
    CLEAN_BUF struct buf b = {0};
    struct json_out o = {.out = &b};
    jo_obj(&o);
    jo_key(&o, "errorDetail");
    jo_obj(&o);
    if (r->code)
        jo_ki64(&o, "code", r->code);
    jo_kstr(&o, "message", err_msg(e));
    jo_obj_end(&o);
    jo_kstr(&o, "error", err_msg(e));
    jo_obj_end(&o);
    buf_adds(&b, "\r\n");
    struct err lost = write_out(r, buf_str(&b));
    err_free(lost); /* the client is gone, and with it whom to tell */
}

/* The client may still be sending; closing with unread bytes would reset the connection and take
 * the answer with it. What comes is read for a moment. */
static void drain(int fd) {
    char p[65536];
    struct pollfd w = {.fd = fd, .events = POLLIN};
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 1024 && poll(&w, 1, 500) > 0; i++)
        if (read(fd, p, sizeof(p)) <= 0)
            return;
}

void report_end(struct report_out *r, struct err e) {
    bool failed = err_failed(e);
    if (r->socket < 0) {
        if (failed)
            dprintf(STDERR_FILENO, "%s\n", err_msg(e));
    } else if (failed && !r->begun) {
        plain_error(r, e);
    } else {
        if (failed)
            stream_error(r, e);
        (void)http_answer_end(r->socket);
    }
    if (r->socket >= 0)
        drain(r->socket);
    err_free(e);
}
