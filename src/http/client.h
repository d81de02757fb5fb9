/* http/client.h - blocking HTTP/1.1 client for a unix socket (and plain TCP): the CLI and the
 * builder speak to the daemon with it. Keep-alive; one request at a time. Answers are as hostile as
 * requests: the same strict parser, bounded heads. Not for registries (libcurl in the worker does
 * those). */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct http_client;
/* "unix:///path" or "tcp://host:port". ERR_UNAVAILABLE with the peer's words when nobody listens.
 */
struct err http_dial(const char *host, struct http_client **ret);
/* The same where connections come from a function (a program that speaks ssh or TLS): called with
 * host whenever one is needed. */
typedef struct err http_dialer(const char *host, int *ret_fd);
struct err http_dial_by(const char *host, http_dialer *dialer, struct http_client **ret);
void http_client_free(struct http_client *c);
void http_client_clean(struct http_client **c);

struct http_call {
    const char *method;
    const char *target;       /* path and query, already escaped */
    const char *content_type; /* of the body; NULL: none */
    struct str body;          /* whole body (Content-Length) … */
    ssize_t (*body_read)(void *arg, void *p,
                         size_t n); /* … or chunked from this; 0 ends, -errno aborts */
    void *body_arg;
    const char *headers; /* extra "Name: value\r\n" lines or NULL */
    bool upgrade;        /* ask for Connection: Upgrade, Upgrade: tcp */
};
struct http_answer {
    int status;
    char *content_type; /* owned, "" when absent */
    bool upgraded; /* 101, or 200 with a raw stream after an upgrade call: use http_client_hijack */
    struct buf head; /* the raw head, for http_answer_header */
};
void http_answer_done(struct http_answer *a);
struct str http_answer_header(const struct http_answer *a, const char *name);
/* Sends the request and reads the answer's head. A kept connection that the daemon has closed is
 * renewed first; one that it closes before any byte of the answer is renewed once for GET and HEAD.
 * The rest of an unread answer is given up. */
struct err http_call(struct http_client *c, const struct http_call *call, struct http_answer *ret);
/* Body of the answer: up to n bytes, 0 at its end, -errno. */
ssize_t http_call_read(struct http_client *c, void *p, size_t n);
/* Is there some of the body that was read already, so that poll need not tell? */
bool http_call_buffered(const struct http_client *c);
/* Whole body, bounded. */
struct err http_call_read_all(struct http_client *c, size_t max, struct buf *ret);
/* Takes the socket after an upgraded answer; *ret_early holds bytes already read. c is then empty.
 */
int http_client_hijack(struct http_client *c, struct buf *ret_early);
/* fn is called every quarter of a second while the head of an answer is waited for, with the time
 * since the wait began in ns, and, when it was called at all, once more with -1 when it is over.
 * NULL ends that. */
typedef void http_waiter(void *arg, int64_t waited);
void http_client_on_wait(struct http_client *c, http_waiter *fn, void *arg);
/* The socket, for poll while a streamed answer is being read; buffered bytes may exist. */
int http_client_fd(struct http_client *c);
