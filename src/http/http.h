/* http/http.h - HTTP/1.1, our side of every API socket (RFC 9110, 9112). Server.
 *
 * I/O-free strict parser (http/parse.h) + connection layer on loop/. Reject, never repair: one
 * Content-Length or exactly `chunked`, never both; no obs-fold, bare LF, spaces before colons.
 * No allocation per idle connection beyond ~512 bytes. Limits: head 1 MiB (grown on demand), head
 * deadline 10 s, 256 fields, idle keep-alive 3 min, body by the route. See reference/http.md.
 *
 * An *exchange* is one request and its answer; the handler gets it once the head is complete and
 * owns it until it answers, streams to the end, or takes the socket away. The client may vanish at
 * any time: `gone` is called (once) and the handler must then drop the exchange with http_abort.
 * Loop thread only. Tests: test/unit/http, test/fuzz/http-*.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "loop/loop.h"

struct http_server;
struct http_exchange;

struct http_header {
    struct str name, value;
};
enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_request {
    struct str method, target; /* target as sent */
    struct str path; /* decoded path without query; no "..", no NUL (else 400 before the handler) */
    struct str query; /* raw, after '?' */
    const struct http_header *headers;
    size_t headers_n;
    int minor; /* HTTP/1.minor */
    enum http_framing framing;
    uint64_t content_length;
    struct arena *arena; /* lives as long as the exchange */
    uid_t peer_uid;      /* SO_PEERCRED; (uid_t)-1 when unknown */
    pid_t peer_pid;
};
struct str http_header_get(const struct http_request *r, const char *name); /* STR_NONE: absent */
/* First value of a query parameter, percent-decoded into the arena; NULL when absent. */
const char *http_query(const struct http_request *r, const char *name);
/* n-th value of a repeated parameter; NULL past the end. */
const char *http_query_nth(const struct http_request *r, const char *name, size_t n);
/* Go-style bool of the peer: absent, "", "0", "no", "false", "none" are false. */
bool http_query_bool(const struct http_request *r, const char *name, bool otherwise);

typedef void http_handler(void *arg, struct http_exchange *x, const struct http_request *r);
/* Serves the listening socket (taken over). */
struct http_server *http_server_new(struct loop *l, int listen_fd, http_handler *fn, void *arg);
/* Stops accepting, closes idle connections; busy ones finish. */
void http_server_stop(struct http_server *s);
void http_server_free(struct http_server *s);
/* A line put into every answer's head ("Server: …\r\nApi-Version: …\r\n"); borrowed. */
void http_server_set_common_headers(struct http_server *s, const char *lines);
/* Clients speak TLS (http/tls.h); borrowed, must outlive the server. peer_uid is unknown then. */
struct tls_server;
void http_server_set_tls(struct http_server *s, struct tls_server *tls);
/* Binds and listens on a unix socket path (mode, group gid or (gid_t)-1). A stale socket of a dead
 * server is replaced; a live one is ERR_CONFLICT. */
struct err http_listen_unix(const char *path, int mode, gid_t gid, int *ret_fd);
/* address is numeric, NULL or "" for all of them; port a number. */
struct err http_listen_tcp(const char *address, const char *port, int *ret_fd, bool *ret_loopback);

const struct http_request *http_request_of(struct http_exchange *x);
struct loop *http_loop_of(struct http_exchange *x);
/* Called when the client disconnects before the answer is complete. A client that only half-closes
 * is gone when it streams a GET; others may still want their answer. */
void http_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg);

/* Whole body, at most max bytes (else 413 and the exchange is over). done gets the bytes (valid
 * until the exchange ends), perhaps before this returns: make it the last call of the handler.
 * Sends 100-continue when asked for. When the body cannot be completed (413, bad framing, too slow,
 * client gone) `gone` is called, if set, and the exchange is over. */
void http_read_body(struct http_exchange *x, size_t max,
                    void (*done)(void *arg, struct http_exchange *x, struct str body), void *arg);

/* --- answers: exactly one of these ways ------------------------------------------------------ */
/* Extra header for the answer to come ("Name", "value"). */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
/* Complete answer; body copied. content_type NULL: none. 204 and 304 have no body. HEAD: head only.
 * An unread request body is drained up to a limit, else the connection closes. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body);
/* Streamed answer: chunked (1.1) or until close (1.0). */
void http_stream_begin(struct http_exchange *x, int status, const char *content_type);
/* false when the client has more than 1 MiB pending: the writer stalls until on_drain, or cuts. */
bool http_stream_write(struct http_exchange *x, struct str data);
void http_stream_on_drain(struct http_exchange *x, void (*drain)(void *arg), void *arg);
size_t http_stream_pending(const struct http_exchange *x);
void http_stream_end(struct http_exchange *x);
/* Ends the exchange without (further) answer; closes the connection. */
void http_abort(struct http_exchange *x);

/* --- giving the socket away ------------------------------------------------------------------ */
/* State of a request body whose rest somebody else will read: enough for http/body.h in another
 * process to go on. */
struct http_body_state {
    enum http_framing framing;
    uint64_t remaining;      /* HTTP_BODY_LENGTH: bytes still to come (early bytes included) */
    unsigned char chunk[16]; /* HTTP_BODY_CHUNKED: state of the decoder */
    bool expects_continue;   /* the new owner must send "100 Continue" before reading */
};
struct http_taken {
    int fd;           /* owned by the receiver; in blocking mode */
    struct buf early; /* bytes that were already read past the head; owned by the receiver */
    struct http_body_state body;
    bool upgrade; /* client sent Connection: Upgrade + Upgrade: tcp → head is 101, else 200 */
    bool head_request;
};
/* Takes the connection out of the server: epoll entry gone, nothing written, exchange ended (its
 * arena dies with this call: copy what you need first). */
void http_take(struct http_exchange *x, struct http_taken *ret);
void http_taken_done(struct http_taken *t);
/* After an answer for which the rest of the request did not matter: ends our side and drops what
 * still comes until the client closes, at most HTTP_DRAIN_TIME or HTTP_DRAIN_MAX. Closed at once,
 * the client's system could throw the answer away unread, or its next write fail first. Consumes t;
 * what is left ends with the loop. Loop thread. */
#define HTTP_DRAIN_TIME (10 * NSEC_PER_SEC)
#define HTTP_DRAIN_MAX (UINT64_C(1) << 30) /* bytes */
void http_taken_drain(struct loop *l, struct http_taken *t);
/* Answers e, which stays the caller's, on a socket that was taken, then drains it. */
void http_taken_refuse(struct loop *l, struct http_taken *t, struct err e);
/* The head for a hijacked stream, as the peer writes it: "HTTP/1.1 101 UPGRADED\r\nContent-Type:
 * …\r\n Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" or "HTTP/1.1 200 OK\r\nContent-Type:
 * application/vnd.docker.raw-stream\r\n\r\n", whatever the type. The new owner writes it once it
 * knows that it can serve; before that errors are still HTTP errors. */
void http_hijack_head(struct buf *out, bool upgrade, const char *content_type);
/* A complete plain answer with Connection: close, for a new owner that must refuse. */
void http_plain_answer(struct buf *out, int status, const char *content_type, struct str body);
const char *http_status_text(int status);
/* What an error is to the client; the peer's statuses (API v1.51), 499 for a client that left. */
int http_error_status(enum err_kind kind);
/* {"message": …} and a newline. */
void http_error_body(struct buf *out, const char *message);
/* That as a complete plain answer. */
void http_error_answer(struct buf *out, int status, const char *message);
/* Percent-encodes for a path segment or query value. */
void http_escape(struct buf *out, struct str s);
