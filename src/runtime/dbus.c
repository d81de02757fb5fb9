#include "runtime/dbus.h"
#include "base/file.h"
#include "base/time.h"
#include "runtime/sync.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALL = 1, ANSWER = 2, FAILURE = 3, SIGNAL = 4 };
enum { PATH = 1, INTERFACE = 2, MEMBER = 3, ERROR_NAME = 4, REPLY_SERIAL = 5, DESTINATION = 6 };
#define SIGNATURE 8
#define HEAD 16 /* bytes before the header's fields */

void dbus_done(struct dbus *d) {
    d->fd = fd_close(d->fd);
    buf_done(&d->in);
}

/* --- writing ---------------------------------------------------------------------------------- */

void dbus_align(struct buf *b, size_t to) {
    while (b->len % to)
        buf_addc(b, '\0');
}

void dbus_u32(struct buf *b, uint32_t v) {
    dbus_align(b, 4);
    buf_add(b, &v, sizeof(v));
}

void dbus_u64(struct buf *b, uint64_t v) {
    dbus_align(b, 8);
    buf_add(b, &v, sizeof(v));
}

void dbus_text(struct buf *b, const char *z) {
    size_t n = strlen(z);
    dbus_u32(b, (uint32_t)n);
    buf_add(b, z, n + 1);
}

void dbus_signature(struct buf *b, const char *z) {
    size_t n = strlen(z);
    buf_addc(b, (char)n);
    buf_add(b, z, n + 1);
}

struct dbus_array dbus_array(struct buf *b, size_t element_align) {
    struct dbus_array a;
    dbus_u32(b, 0);
    a.length = b->len - sizeof(uint32_t);
    dbus_align(b, element_align);
    a.first = b->len;
    return a;
}

void dbus_array_end(struct buf *b, struct dbus_array a) {
    uint32_t n = (uint32_t)(b->len - a.first);
    memcpy(b->data + a.length, &n, sizeof(n));
}

static void header_field(struct buf *b, unsigned code, const char *type, const char *value) {
    if (!value)
        return;
    dbus_align(b, 8);
    buf_addc(b, (char)code);
    dbus_signature(b, type);
    if (type[0] == 'g')
        dbus_signature(b, value);
    else
        dbus_text(b, value);
}

static void compose(struct dbus *d, const struct dbus_call *c, struct buf *out) {
    const unsigned char head[4] = {'l', CALL, 0, 1};
    buf_add(out, head, sizeof(head));
    dbus_u32(out, c->body ? (uint32_t)c->body->len : 0);
    dbus_u32(out, ++d->serial);
    struct dbus_array fields = dbus_array(out, 8);
    header_field(out, PATH, "o", c->path);
    header_field(out, INTERFACE, "s", c->interface);
    header_field(out, MEMBER, "s", c->member);
    header_field(out, DESTINATION, "s", d->peer ? NULL : c->destination);
    header_field(out, SIGNATURE, "g", c->signature);
    dbus_array_end(out, fields);
    dbus_align(out, 8);
    if (c->body)
        buf_add(out, c->body->data, c->body->len);
}

/* --- reading ---------------------------------------------------------------------------------- */

bool dbus_read_u32(struct str body, size_t *at, uint32_t *ret) {
    size_t from = (*at + 3) & ~(size_t)3;
    if (from > body.len || body.len - from < sizeof(*ret))
        return false;
    memcpy(ret, body.p + from, sizeof(*ret));
    *at = from + sizeof(*ret);
    return true;
}

bool dbus_read_text(struct str body, size_t *at, struct str *ret) {
    uint32_t n;
    if (!dbus_read_u32(body, at, &n) || body.len - *at <= n || body.p[*at + n] != '\0')
        return false;
    *ret = str_n(body.p + *at, n);
    *at += (size_t)n + 1;
    return true;
}

static void keep(char *out, size_t size, struct str text) {
    snprintf(out, size, "%.*s", STR_ARG(text));
}

/* The header's fields that matter here are texts and one number; of others (g, h) the length is
 * known too. */
static bool read_fields(struct str fields, struct dbus_message *m) {
    size_t at = 0;
    while (at < fields.len) {
        at = (at + 7) & ~(size_t)7;
        if (fields.len - MIN(at, fields.len) < 4)
            return at >= fields.len;
        unsigned code = (unsigned char)fields.p[at], type = (unsigned char)fields.p[at + 2];
        struct str text;
        uint32_t number;
        if (fields.p[at + 1] != 1)
            return false;
        at += 4;
        if (type == 'g') {
            if (at >= fields.len)
                return false;
            at += (size_t)(unsigned char)fields.p[at] + 2;
        } else if (type == 'u' || type == 'h') {
            if (!dbus_read_u32(fields, &at, &number))
                return false;
            if (code == REPLY_SERIAL)
                m->reply_to = number;
        } else if (type == 's' || type == 'o') {
            if (!dbus_read_text(fields, &at, &text))
                return false;
            if (code == MEMBER)
                keep(m->member, sizeof(m->member), text);
            else if (code == ERROR_NAME)
                keep(m->error, sizeof(m->error), text);
        } else {
            return false;
        }
    }
    return true;
}

/* At least one byte. */
static struct err receive(struct dbus *d, int64_t deadline, char *out, size_t size, ssize_t *ret) {
    for (;;) {
        struct pollfd p = {.fd = d->fd, .events = POLLIN};
        int64_t left = (deadline - time_monotonic()) / NSEC_PER_MSEC;
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return err_new(ERR_TIMEOUT, "systemd does not answer");
        ssize_t n = read(d->fd, out, size);
        if (n == 0)
            return err_new(ERR_SYSTEM, "systemd closed the connection");
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(errno, "read");
        if (n > 0) {
            *ret = n;
            return OK;
        }
    }
}

static struct err fill(struct dbus *d, size_t n, int64_t deadline) {
    char bytes[4096];
    while (d->in.len < n) {
        ssize_t r;
        TRY(receive(d, deadline, bytes, MIN(sizeof(bytes), n - d->in.len), &r));
        buf_add(&d->in, bytes, (size_t)r);
    }
    return OK;
}

static uint32_t number_at(const struct buf *b, size_t at) {
    uint32_t v;
    memcpy(&v, b->data + at, sizeof(v));
    return v;
}

static struct err next_message(struct dbus *d, int64_t deadline, struct dbus_message *ret) {
    struct dbus_message m = {0};
    buf_clear(&d->in);
    TRY(fill(d, HEAD, deadline));
    uint32_t body = number_at(&d->in, 4), fields = number_at(&d->in, 12);
    if (d->in.data[0] != 'l' || body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
        return err_new(ERR_SYSTEM, "an answer that is no D-Bus message");
    size_t head = (HEAD + (size_t)fields + 7) & ~(size_t)7;
    TRY(fill(d, head + body, deadline));
    m.type = (unsigned char)d->in.data[1];
    if (!read_fields(str_n(d->in.data + HEAD, fields), &m))
        return err_new(ERR_SYSTEM, "a malformed D-Bus message");
    m.body = str_n(d->in.data + head, body);
    *ret = m;
    return OK;
}

/* --- calls ------------------------------------------------------------------------------------ */

static int64_t deadline_now(void) {
    return time_monotonic() + DBUS_TIMEOUT_MS * NSEC_PER_MSEC;
}

static struct err failure(const struct dbus_call *c, const struct dbus_message *m) {
    struct str text = STR_NONE;
    size_t at = 0;
    dbus_read_text(m->body, &at, &text); /* an error without words has its name */
    bool missing = strstr(m->error, "NoSuchUnit") || strstr(m->error, "NotLoaded");
    return err_new(missing ? ERR_NOT_FOUND : ERR_SYSTEM, "%s: %s: %.*s", c->member, m->error,
                   STR_ARG(text));
}

struct err dbus_call(struct dbus *d, const struct dbus_call *c, char *ret, size_t size) {
    CLEAN_BUF struct buf out = {0};
    compose(d, c, &out);
    int r = fd_write_all(d->fd, out.data, out.len);
    if (r < 0)
        return err_errno(r, "%s: send", c->member);
    int64_t deadline = deadline_now();
    for (;;) {
        struct dbus_message m;
        TRYF(next_message(d, deadline, &m), "%s", c->member);
        if (m.reply_to != d->serial || (m.type != ANSWER && m.type != FAILURE))
            continue;
        if (m.type == FAILURE)
            return failure(c, &m);
        struct str text = STR_NONE;
        size_t at = 0;
        if (size && !dbus_read_text(m.body, &at, &text))
            text = STR_NONE;
        if (size)
            keep(ret, size, text);
        return OK;
    }
}

struct err dbus_await_signal(struct dbus *d, const char *member, struct dbus_message *ret) {
    int64_t deadline = deadline_now();
    for (;;) {
        TRYF(next_message(d, deadline, ret), "wait for %s", member);
        if (ret->type == SIGNAL && strcmp(ret->member, member) == 0)
            return OK;
    }
}

/* --- connection ------------------------------------------------------------------------------- */

/* A line that ends with CR LF; nothing follows it before we have said more. */
static struct err read_line(struct dbus *d, int64_t deadline) {
    char bytes[256];
    buf_clear(&d->in);
    while (d->in.len < 2 || memcmp(d->in.data + d->in.len - 2, "\r\n", 2) != 0) {
        ssize_t n;
        if (d->in.len > 512)
            return err_new(ERR_SYSTEM, "authentication: an answer without end");
        TRY(receive(d, deadline, bytes, sizeof(bytes), &n));
        buf_add(&d->in, bytes, (size_t)n);
    }
    return OK;
}

/* Who we are is told by the socket; the text says it again, in digits in hexadecimal. BEGIN goes
 * along, as sd-bus does it: a systemd that reads it together with the first message leaves that
 * message lying until more comes. */
static struct err authenticate(struct dbus *d) {
    char id[16];
    CLEAN_BUF struct buf line = {0};
    snprintf(id, sizeof(id), "%u", (unsigned)geteuid());
    buf_addc(&line, '\0');
    buf_adds(&line, "AUTH EXTERNAL ");
    for (const char *p = id; *p; p++)
        buf_addf(&line, "%02x", (unsigned char)*p);
    buf_adds(&line, "\r\nBEGIN\r\n");
    if (fd_write_all(d->fd, line.data, line.len) < 0)
        return err_errno(errno, "authentication");
    TRY(read_line(d, deadline_now()));
    if (!str_starts(buf_str(&d->in), STR("OK ")))
        return err_new(ERR_FORBIDDEN, "authentication: %.*s", STR_ARG(str_trim(buf_str(&d->in))));
    return OK;
}

struct err dbus_open(const char *path, bool peer, struct dbus *ret) {
    CLEAN_DBUS struct dbus d = {.fd = -1, .peer = peer};
    TRY(sync_dial(path, &d.fd));
    TRY(authenticate(&d));
    if (!peer) {
        static const struct dbus_call hello = {.destination = "org.freedesktop.DBus",
                                               .path = "/org/freedesktop/DBus",
                                               .interface = "org.freedesktop.DBus",
                                               .member = "Hello"};
        TRY(dbus_call(&d, &hello, NULL, 0));
    }
    *ret = d;
    d = (struct dbus)DBUS_NONE;
    return OK;
}
