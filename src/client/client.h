/* client/client.h - typed calls to the daemon's API: what corten, corten-build and compose speak.
 * The folder's door.
 *
 * A client is one connection (http/client.h: keep-alive, one request at a time, blocking). It owns
 * nothing but the socket. The version is negotiated once at client_open: the lower of what we speak
 * and what the daemon's /_ping answers, never below CLIENT_MINOR_MIN; every path then carries it.
 *
 * Answers are as hostile as requests: bodies are bounded (CLIENT_BODY_MAX), documents decoded by
 * the tables of spec/. An answer of 304 or >= 400 becomes a struct err whose kind follows the
 * status and whose message is the body's {"message"}, which is what the peer's CLI prints after
 * "Error response from daemon: ".
 *
 * A thread that waits for one answer and wants to ask something else opens a second client.
 * Tests: test/unit/client/client.c (against a scripted peer).
 */
#pragma once
#include "http/client.h"
#include "spec/api_container.h"
#include "spec/api_image.h"
#include "spec/api_system.h"

#define CLIENT_MINOR 51     /* newest API 1.N that we speak */
#define CLIENT_MINOR_MIN 24 /* oldest */
#define CLIENT_BODY_MAX (64u << 20)
#define CLIENT_LINE_MAX (4u << 20) /* one line of a progress stream */

struct client;
/* host: "unix:///path", "tcp://host:port", "ssh://[user@]host[:port][/socket]", or with TLS
 * "tls://host:port?ca=FILE&cert=FILE&key=FILE" (client/dial.h). ERR_UNAVAILABLE with the peer's
 * words when nobody listens there. */
struct err client_open(const char *host, struct client **ret);
/* The same with this version ("1.47", as $DOCKER_API_VERSION has it) and no question asked. */
struct err client_open_version(const char *host, const char *version, struct client **ret);
/* A second connection to the same daemon, same version, without asking again. */
struct err client_open_like(const struct client *c, struct client **ret);
void client_close(struct client *c); /* NULL allowed */
void client_clean(struct client **c);
#define CLEAN_CLIENT OWN(client_clean)
int client_minor(const struct client *c);
/* "Name: value\r\n" lines for every call from now on, those of client_open_like, too; copied. */
void client_set_headers(struct client *c, const char *lines);
/* Every call is named on stderr. */
void client_set_trace(struct client *c, bool on);
/* Who wants to know how long an answer is waited for (http_client_on_wait); not those of
 * client_open_like. */
void client_on_wait(struct client *c, http_waiter *fn, void *arg);
/* The socket, to watch for hang-up while waiting; -1 after a hijack. */
int client_fd(const struct client *c);

/* --- calls ----------------------------------------------------------------------------------- */
/* Targets: client_path(&b, "/containers/", id, "/start") escapes the middle part; then queries. */
void client_path(struct buf *b, const char *before, const char *name, const char *after);
/* Adds "?key=value" or "&key=value", escaped; value NULL adds nothing. */
void client_query(struct buf *b, const char *key, const char *value);
void client_query_bool(struct buf *b, const char *key, bool on); /* adds nothing when off */
void client_query_i64(struct buf *b, const char *key, int64_t v);

struct client_call {
    const char *method;
    const char *target; /* without the version; "/_ping" style paths work with it, too */
    /* The body: a document … */
    const struct fields *in_fields;
    const void *in;
    /* … or bytes, or a source of bytes (http/client.h). */
    struct str body;
    const char *content_type; /* of bytes; documents are application/json */
    ssize_t (*body_read)(void *arg, void *p, size_t n);
    void *body_arg;
    const char *headers; /* extra "Name: value\r\n" lines or NULL */
    bool upgrade;
    /* The answer's document; NULL: the body is read and dropped. */
    const struct fields *out_fields;
    void *out;
    struct arena *arena;
};
/* The whole exchange. */
struct err client_do(struct client *c, const struct client_call *call);
/* Only up to the answer's head; the body is then read by client_read (to its end, before the next
 * call) or client_lines. */
struct err client_begin(struct client *c, const struct client_call *call);
/* A header of the answer that was begun last; borrowed until the next call. */
struct str client_header(const struct client *c, const char *name);
ssize_t client_read(struct client *c, void *p, size_t n);
/* Has client_read bytes that poll(2) of client_fd does not tell of? */
bool client_buffered(const struct client *c);
/* Calls fn for every line of the body (without the newline) until it ends or fn fails. */
struct err client_lines(struct client *c, struct err (*fn)(void *arg, struct str line), void *arg);

/* --- streams: attach, exec, logs ---------------------------------------------------------------
 */
/* A hijacked connection. The other direction ends with shutdown(fd, SHUT_WR). */
struct client_stream {
    int fd;
    bool raw;      /* a tty: no frames */
    struct buf in; /* bytes read and not yet used */
    size_t frame_left;
    int frame_stream;
};
void client_stream_done(struct client_stream *s);
#define CLEAN_STREAM_CLIENT OWN(client_stream_done)
/* Some bytes of output, at most n. *ret_stream: 1 stdout, 2 stderr. Returns 0 at the end, -errno;
 * -EPROTO for a frame that is none. */
ssize_t client_stream_read(struct client_stream *s, void *p, size_t n, int *ret_stream);
/* After client_begin with upgrade: takes the socket; c can then only be closed. */
struct err client_hijack(struct client *c, bool tty, struct client_stream *ret);

/* --- containers ------------------------------------------------------------------------------ */
/* name, platform: NULL for none. */
struct err client_container_create(struct client *c, const char *name, const char *platform,
                                   const struct api_container_create *in, struct arena *a,
                                   struct api_container_created *ret);
/* One that runs already is no error. */
struct err client_container_start(struct client *c, const char *id, const char *detach_keys);
struct client_attach {
    bool in, out, err, logs, tty;
    const char *detach_keys; /* NULL: the daemon's default */
};
struct err client_container_attach(struct client *c, const char *id, const struct client_attach *w,
                                   struct client_stream *ret);
/* condition: "not-running", "next-exit", "removed". A container's own error becomes an err. */
struct err client_container_wait(struct client *c, const char *id, const char *condition,
                                 int64_t *ret_status);
struct err client_container_remove(struct client *c, const char *id, bool force, bool volumes);
struct err client_container_inspect(struct client *c, const char *id, struct arena *a,
                                    struct api_container *ret);

/* --- images, system -------------------------------------------------------------------------- */
struct err client_version(struct client *c, struct arena *a, struct api_version *ret);
struct err client_image_inspect(struct client *c, const char *name, struct arena *a,
                                struct api_image *ret);
/* One message of a progress stream (pull, push, load, build). Returning an error stops it. */
typedef struct err client_progress(void *arg, const struct api_message *m);
/* auth: X-Registry-Auth or NULL; platform NULL: the daemon's. The error in the stream is the
 * result. */
struct err client_image_pull(struct client *c, const char *ref, const char *auth,
                             const char *platform, client_progress *fn, void *arg);
struct err client_image_tag(struct client *c, const char *image, const char *repo, const char *tag);
/* Reads a progress stream after client_begin. */
struct err client_messages(struct client *c, client_progress *fn, void *arg);
