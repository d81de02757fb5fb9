/* runtime/dbus.h - as much of D-Bus as it takes to call methods of systemd: one connection, one
 * call at a time, signals that come meanwhile. Source: the D-Bus specification 0.41 ("Message
 * Protocol", "Authentication Protocol": EXTERNAL). Little-endian on the way out; an answer in the
 * other order is refused, as no service on the same machine sends one. Private to runtime/, not in
 * the monitor.
 *
 * Bounds: a message has at most DBUS_MESSAGE_MAX bytes, an answer comes within
 * DBUS_TIMEOUT_MS. Tests: test/e2e/t8104-systemd-cgroup.sh against a bus that records,
 * test/vm/systemd.sh against the real one.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define DBUS_MESSAGE_MAX (1u << 20)
#define DBUS_TIMEOUT_MS 30000

struct dbus {
    int fd;
    uint32_t serial;
    struct buf in;
    bool peer; /* directly the service: no bus in between, nothing is named as destination */
};
#define DBUS_NONE \
    { .fd = -1 }
void dbus_done(struct dbus *d);
#define CLEAN_DBUS OWN(dbus_done)

/* peer: no Hello is said. */
struct err dbus_open(const char *path, bool peer, struct dbus *ret);

/* --- bodies ----------------------------------------------------------------------------------- */

void dbus_align(struct buf *b, size_t to);
void dbus_u32(struct buf *b, uint32_t v);
void dbus_u64(struct buf *b, uint64_t v);
void dbus_text(struct buf *b, const char *z);      /* s, o */
void dbus_signature(struct buf *b, const char *z); /* g */
/* An array of elements that are aligned so; what dbus_array gives is for dbus_array_end. */
struct dbus_array {
    size_t length, first;
};
struct dbus_array dbus_array(struct buf *b, size_t element_align);
void dbus_array_end(struct buf *b, struct dbus_array a);

/* --- calls ------------------------------------------------------------------------------------ */

struct dbus_call {
    const char *destination, *path, *interface, *member;
    const char *signature; /* NULL: no body */
    const struct buf *body;
};
struct dbus_message {
    unsigned type;     /* 2 answer, 3 error, 4 signal */
    uint32_t reply_to; /* serial */
    char member[64], error[128];
    struct str body; /* borrowed from the connection until the next call */
};
/* The first text of the answer's body (a job's path) goes into ret, "" when it has none. An error's
 * kind: ERR_NOT_FOUND for a unit that is not there, else ERR_SYSTEM; the message is the service's.
 */
struct err dbus_call(struct dbus *d, const struct dbus_call *c, char *ret, size_t size);
/* The next signal of this name. */
struct err dbus_await_signal(struct dbus *d, const char *member, struct dbus_message *ret);
/* Reads u32 or text at *at in a body and moves on; false: malformed. */
bool dbus_read_u32(struct str body, size_t *at, uint32_t *ret);
bool dbus_read_text(struct str body, size_t *at, struct str *ret);
