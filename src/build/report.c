/* build/report.c - messages to the client. */
#include "build/report.h"
#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct err gone(int rc) {
    if (rc == 0)
        return OK;
    return err_new(ERR_CANCELLED, "the client is gone: %s", strerror(-rc));
}

/* Polls; *ret_ready: fd (or -1) can be read. */
static struct err look(const struct report *r, int fd, int timeout, bool *ret_ready) {
    struct pollfd p[] = {{.fd = fd, .events = POLLIN},
                         {.fd = r->socket, .events = POLLRDHUP},
                         {.fd = r->signals, .events = POLLIN}};
    while (poll(p, ARRAY_LEN(p), timeout) < 0)
        if (errno != EINTR)
            return err_errno(errno, "wait for output");
    if (p[1].revents)
        return err_new(ERR_CANCELLED, "the client is gone");
    if (p[2].revents)
        return err_new(ERR_CANCELLED, "stopped by a signal");
    *ret_ready = p[0].revents;
    return OK;
}

bool report_gone(const struct report *r) {
    bool ready;
    struct err e = look(r, -1, 0, &ready);
    bool gone_now = err_failed(e);
    err_free(e); /* the answer is yes or no */
    return gone_now;
}

struct err report_wait(const struct report *r, int fd) {
    bool ready = false;
    while (!ready)
        TRY(look(r, fd, -1, &ready));
    return OK;
}

static struct err send_line(struct report *r, struct buf *line) {
    if (!r->begun) {
        r->begun = true;
        TRY(gone(http_answer_begin(r->socket, 200, "application/json", NULL)));
    }
    buf_adds(line, "\r\n");
    return gone(http_answer_write(r->socket, buf_str(line)));
}

static struct err send_stream(struct report *r, struct str text) {
    CLEAN_BUF struct buf b = {0};
    struct json_out o = {.out = &b};
    jo_obj(&o);
    jo_key(&o, "stream");
    jo_str(&o, text);
    jo_obj_end(&o);
    return send_line(r, &b);
}

static struct err print(struct report *r, struct str text) {
    if (r->socket >= 0)
        return send_stream(r, text);
    return gone(fd_write_all(STDOUT_FILENO, text.p, text.len));
}

struct err report_text(struct report *r, const char *fmt, ...) {
    if (r->quiet)
        return OK;
    CLEAN_BUF struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    return print(r, buf_str(&b));
}

struct err report_bytes(struct report *r, struct str bytes) {
    return r->quiet ? OK : print(r, bytes);
}

struct err report_raw(struct report *r, struct str line) {
    if (r->quiet || r->socket < 0)
        return OK;
    CLEAN_BUF struct buf b = {0};
    buf_add_str(&b, line);
    return send_line(r, &b);
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
    return send_line(r, &b);
}

struct err report_image(struct report *r, const char *id, struct str tags_text) {
    if (r->socket >= 0)
        TRY(send_id(r, id));
    if (r->quiet) {
        CLEAN_BUF struct buf b = {0};
        buf_addf(&b, "%s\n", id);
        return print(r, buf_str(&b));
    }
    struct str hex = str_from(str_of(id), strlen("sha256:"));
    TRY(report_text(r, "Successfully built %.*s\n", STR_ARG(str_sub(hex, 0, 12))));
    return tags_text.len ? print(r, tags_text) : OK;
}

static int status_of(enum err_kind k) {
    return k == ERR_INVALID        ? 400
           : k == ERR_UNSUPPORTED  ? 501
           : k == ERR_NOT_FOUND    ? 404
           : k == ERR_UNAUTHORIZED ? 401
           : k == ERR_FORBIDDEN    ? 403
           : k == ERR_CONFLICT     ? 409
                                   : 500;
}

/* {"message"}: nothing was written yet, so it is an HTTP error. */
static void plain_error(struct report *r, struct err e) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_BUF struct buf answer = {0};
    struct json_out o = {.out = &body};
    jo_obj(&o);
    jo_kstr(&o, "message", err_msg(e));
    jo_obj_end(&o);
    buf_addc(&body, '\n');
    http_plain_answer(&answer, status_of(err_kind(e)), "application/json", buf_str(&body));
    (void)fd_write_all(r->socket, answer.data, answer.len);
}

static void stream_error(struct report *r, struct err e) {
    CLEAN_BUF struct buf b = {0};
    struct json_out o = {.out = &b};
    jo_obj(&o);
    jo_key(&o, "errorDetail");
    jo_obj(&o);
    jo_kstr(&o, "message", err_msg(e));
    jo_obj_end(&o);
    jo_kstr(&o, "error", err_msg(e));
    jo_obj_end(&o);
    struct err lost = send_line(r, &b);
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

void report_end(struct report *r, struct err e) {
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
