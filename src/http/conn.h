/* http/conn.h - inside of http/: the server's connections and exchanges. For the files of this
 * folder only. A connection is idle or reading a head, or has one exchange; the exchange ends when
 * its answer is written and its body read, then the next pipelined request has its turn.
 *
 * Rule for frames: whoever enters from the loop holds conn->busy; a connection that ends while
 * frames of it are on the stack is freed by the last one (conn_leave).
 */
#pragma once
#include "http/chunk.h"
#include "http/parse.h"

#define HTTP_READ_SIZE (64u << 10)
#define HTTP_CONNECTIONS_MAX 8192u
#define HTTP_PENDING_MAX (1u << 20)   /* of a streamed answer: the writer should stall above */
#define HTTP_DRAIN_BELOW (256u << 10) /* on_drain is called when less than this is pending */
#define HTTP_UNREAD_MAX \
    (256u << 10) /* of an unread body is read and dropped to keep a connection */
#define HTTP_BODY_MIN_BYTES (30u << 10) /* that must come within each HTTP_WAIT_BODY */

/* Deadlines: one list per kind, each with one constant duration, so each list is sorted. */
enum http_wait {
    HTTP_WAIT_HEAD,   /* 10 s from its first byte to its last */
    HTTP_WAIT_IDLE,   /* 3 min without a request */
    HTTP_WAIT_BODY,   /* 30 s for HTTP_BODY_MIN_BYTES or the end of the body */
    HTTP_WAIT_WRITE,  /* 2 min without progress of a complete answer */
    HTTP_WAIT_LINGER, /* 1 s for the peer to read our last words */
    HTTP_WAITS,
    HTTP_WAIT_NONE = HTTP_WAITS,
};

enum http_phase {
    PHASE_HEAD,   /* idle or in a head */
    PHASE_ANSWER, /* the handler has the exchange */
    PHASE_BODY,   /* its body is being read for it */
    PHASE_FINISH, /* answered: flush, drop what is left of the body */
    PHASE_LINGER, /* we have shut down our side and drop what comes until the peer closes */
};

struct http_server {
    struct loop *loop;
    struct watch *watch;
    int fd;
    http_handler *fn;
    void *arg;
    const char *common;
    struct tls_server *tls;        /* NULL: plain */
    struct list waits[HTTP_WAITS]; /* connections by deadline */
    struct list unbound;           /* connections without a deadline */
    struct timer *timer;           /* for waits */
    int64_t timer_at;              /* 0: not armed */
    struct timer *accept_timer;    /* accepting is paused */
    struct timer *kick_timer;
    struct list kicked; /* connections to go on with in a round of their own */
    size_t connections;
    bool stopping, accept_paused;
    char date[40];
    int64_t date_sec;
    struct buf head;              /* of the answer that is being written */
    char scratch[HTTP_READ_SIZE]; /* shared read buffer: idle connections have none */
};

struct http_conn {
    struct list link, kick_link;
    struct http_server *server;
    struct watch *watch;
    struct http_exchange *x;
    struct buf in;  /* read, not used yet */
    struct buf out; /* written by us, not taken by the socket yet; out_off of it is */
    size_t out_off;
    struct http_scan scan;
    int64_t deadline;
    uint64_t progress; /* bytes since the deadline was set */
    int fd;
    uid_t uid;
    pid_t pid;
    uint8_t phase, wait;
    uint8_t busy; /* frames on the stack */
    bool dead;    /* to be freed */
    bool half;    /* the client will send no more */
    bool gone;    /* the client has closed, or the connection broke */
    bool said_gone;
};

struct http_exchange {
    struct http_conn *conn;
    struct http_request req;
    struct arena arena;
    struct http_chunk chunk;
    uint64_t left;    /* of a HTTP_BODY_LENGTH body */
    struct buf extra; /* added header lines */
    struct buf body;  /* collected by http_read_body */
    size_t dropped;   /* of an unread body */
    void (*body_done)(void *arg, struct http_exchange *x, struct str body);
    void *body_arg;
    void (*on_gone)(void *arg);
    void *gone_arg;
    void (*on_drain)(void *arg);
    void *drain_arg;
    bool head_request, upgrade;
    bool keep; /* the connection may serve another request after this one */
    bool expect_continue, continue_sent;
    bool body_read; /* to its end */
    bool begun;     /* the head of the answer is written */
    bool streaming, chunked;
    bool want_drain;
    bool over; /* the handler may not touch it any more */
};

/* conn.c */
/* local: the peer's credentials are those of the socket. */
void conn_new(struct http_server *s, int fd, bool local);
/* Closes and frees now or when the last frame of it leaves. */
void conn_end(struct http_conn *c);
void conn_leave(struct http_conn *c);
/* Goes on after anything changed; only from a frame that holds busy. */
void conn_advance(struct http_conn *c);
void conn_kick(struct http_conn *c);
void conn_wait(struct http_conn *c, enum http_wait wait);
void conn_watch(struct http_conn *c);
void conn_timeout(struct http_conn *c);
void conn_tell_gone(struct http_conn *c);
/* The connection has ended under whatever was going on. */
void conn_lost(struct http_conn *c);
/* The exchange ends with this status, whoever holds it. */
void conn_fail(struct http_conn *c, int status);
/* At the end of a call from outside: goes on, unless a frame of this connection will do so. The
 * next request never begins inside of that call. */
void conn_settle(struct http_conn *c);
/* Would a half-closed client count as gone? Only one that streams a GET: nothing else would ever
 * tell that nobody listens. Others may still want their answer. */
bool half_is_gone(const struct http_exchange *x);
/* Stops reading requests: our side is shut, what still comes is dropped for a moment. */
void conn_linger(struct http_conn *c);
void exchange_free(struct http_exchange *x);
/* body_in.c: uses what came of a request's body. data lies in c->in when kept is true; else what
 * follows the body is put there. */
void body_feed(struct http_conn *c, struct str data, bool kept);
/* answer.c */
/* Sends the parts or keeps what the socket does not take. */
void conn_write(struct http_conn *c, const struct str *parts, size_t n);
void conn_flush(struct http_conn *c);
size_t conn_pending(const struct http_conn *c);
/* A whole answer outside of an exchange, then linger. */
void conn_refuse(struct http_conn *c, int status);
/* server.c */
void server_arm(struct http_server *s, int64_t at);
const char *server_date(struct http_server *s);
void server_conn_closed(struct http_server *s);
int64_t http_now(void);
