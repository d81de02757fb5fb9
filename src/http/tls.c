/* The relay between a TLS client and a plain socket of ours. */
#include "http/tls.h"
#include "base/attr.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (16u << 10) /* a TLS record at most */
#define HANDSHAKE_NS (10 * INT64_C(1000000000))
#define RELAYS_MAX 4096u

struct tls_server {
    SSL_CTX *ctx;
    struct list relays;
    size_t relays_n;
};

/* Bytes on their way in one direction. */
struct lane {
    size_t from, to;
    bool ended; /* the source has no more */
    bool told;  /* and its end was passed on */
    char bytes[CHUNK];
};

struct relay {
    struct list link;
    struct tls_server *server;
    struct loop *loop;
    SSL *ssl;
    int net, app; /* app is -1 during the handshake */
    struct watch *net_watch, *app_watch;
    struct timer *deadline;
    void (*ready)(void *arg, int fd);
    void *arg;
    struct lane *in, *out; /* client → us, us → client */
    bool want_write;       /* the TLS layer waits for room in the socket */
};

/* --- context -----------------------------------------------------------------------------------
 */

static struct err tls_err(const char *what, const char *file) {
    unsigned long code = ERR_peek_last_error();
    char text[160];
    ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_new(ERR_INVALID, "%s '%s': %s", what, file, code ? text : "not usable");
}

static struct err load(SSL_CTX *ctx, const char *cert, const char *key, const char *ca) {
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return tls_err("TLS certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return tls_err("TLS key", key);
    if (!ca)
        return OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
    if (!names || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_err("TLS CA", ca);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return OK;
}

/* We speak HTTP/1.1 only, and say so to who asks (RFC 7301). */
static int choose_protocol(SSL *ssl UNUSED, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *arg UNUSED) {
    static const unsigned char ours[] = "\x08http/1.1";
    return SSL_select_next_proto((unsigned char **)(uintptr_t)ret, ret_len, ours, sizeof(ours) - 1,
                                 offered, offered_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

struct err tls_server_new(const char *cert, const char *key, const char *ca, bool verify,
                          struct tls_server **ret) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return err_new(ERR_SYSTEM, "TLS cannot be set up");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    static const unsigned char session_context[] = "corten";
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
    struct err e = load(ctx, cert, key, verify ? ca : NULL);
    if (err_failed(e)) {
        SSL_CTX_free(ctx);
        return e;
    }
    struct tls_server *t = NEW(struct tls_server);
    t->ctx = ctx;
    list_init(&t->relays);
    *ret = t;
    return OK;
}

/* --- one relay ---------------------------------------------------------------------------------
 */

static void relay_free(struct relay *r) {
    r->server->relays_n--;
    list_remove(&r->link);
    watch_free(r->net_watch);
    watch_free(r->app_watch);
    timer_free(r->deadline);
    SSL_free(r->ssl);
    fd_close(r->net);
    if (r->app >= 0)
        fd_close(r->app);
    free(r->in);
    free(r->out);
    free(r);
}

struct tls_server *tls_server_free(struct tls_server *t) {
    if (!t)
        return NULL;
    while (!list_empty(&t->relays))
        relay_free(CONTAINER_OF(t->relays.next, struct relay, link));
    SSL_CTX_free(t->ctx);
    free(t);
    return NULL;
}

/* What the TLS layer said: go on later (0), or it is over (-1). */
static int later(struct relay *r, int result) {
    int why = SSL_get_error(r->ssl, result);
    ERR_clear_error();
    r->want_write |= why == SSL_ERROR_WANT_WRITE;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Client → us. False when the connection is broken. */
static bool pump_in(struct relay *r) {
    struct lane *l = r->in;
    for (;;) {
        while (l->from < l->to) {
            ssize_t n = send(r->app, l->bytes + l->from, l->to - l->from, MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0)
                return errno == EAGAIN;
            l->from += (size_t)n;
        }
        l->from = l->to = 0;
        if (l->ended) {
            if (!l->told)
                shutdown(r->app, SHUT_WR);
            l->told = true;
            return true;
        }
        int n = SSL_read(r->ssl, l->bytes, CHUNK);
        if (n > 0) {
            l->to = (size_t)n;
            continue;
        }
        if (SSL_get_shutdown(r->ssl) & SSL_RECEIVED_SHUTDOWN)
            l->ended = true;
        else
            return later(r, n) == 0;
    }
}

/* Us → client. */
static bool pump_out(struct relay *r) {
    struct lane *l = r->out;
    for (;;) {
        while (l->from < l->to) {
            int n = SSL_write(r->ssl, l->bytes + l->from, (int)(l->to - l->from));
            if (n <= 0)
                return later(r, n) == 0;
            l->from += (size_t)n;
        }
        l->from = l->to = 0;
        if (l->ended) {
            if (!l->told)
                SSL_shutdown(r->ssl); /* our close_notify; the client may go on sending */
            l->told = true;
            return true;
        }
        ssize_t n = recv(r->app, l->bytes, CHUNK, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        l->to = (size_t)n;
        l->ended = n == 0;
    }
}

static void relay_watch(struct relay *r) {
    bool in_full = r->in->from < r->in->to, out_full = r->out->from < r->out->to;
    watch_set(r->net_watch,
              (in_full || r->in->ended ? 0u : WATCH_READ) | (r->want_write ? WATCH_WRITE : 0u));
    /* Our own side shows its half-close as something to read; its close only matters after that,
     * and asking for it earlier would spin while the client is slow. */
    watch_set(r->app_watch, (out_full || r->out->ended ? 0u : WATCH_READ) |
                                (in_full ? WATCH_WRITE : 0u) | (r->out->told ? WATCH_CLOSED : 0u));
}

static void relay_turn(struct relay *r, bool closed) {
    r->want_write = false;
    bool alive = pump_in(r) && pump_out(r);
    if (!alive || (r->out->told && (r->in->told || closed)))
        relay_free(r);
    else
        relay_watch(r);
}

static void on_relay(void *arg, unsigned events) {
    relay_turn(arg, events & WATCH_CLOSED);
}

/* --- handshake ---------------------------------------------------------------------------------
 */

static void on_deadline(void *arg) {
    relay_free(arg);
}

static void established(struct relay *r) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        log_warn("TLS: a client is turned away: %m");
        relay_free(r);
        return;
    }
    r->deadline = timer_free(r->deadline);
    r->in = NEW(struct lane);
    r->out = NEW(struct lane);
    r->app = pair[0];
    r->net_watch = watch_free(r->net_watch);
    r->net_watch = watch_new(r->loop, r->net, WATCH_READ, on_relay, r);
    r->app_watch = watch_new(r->loop, r->app, WATCH_READ, on_relay, r);
    r->ready(r->arg, pair[1]);
    relay_turn(r, false); /* the client's first bytes may have come with the handshake's last */
}

static void on_handshake(void *arg, unsigned events UNUSED) {
    struct relay *r = arg;
    int n = SSL_accept(r->ssl);
    if (n == 1) {
        established(r);
        return;
    }
    r->want_write = false;
    if (later(r, n) < 0) {
        log_debug("TLS: a handshake failed");
        relay_free(r);
        return;
    }
    watch_set(r->net_watch, r->want_write ? WATCH_WRITE : WATCH_READ);
}

void tls_server_accept(struct tls_server *t, struct loop *l, int fd,
                       void (*ready)(void *arg, int fd), void *arg) {
    SSL *ssl = t->relays_n < RELAYS_MAX ? SSL_new(t->ctx) : NULL;
    if (!ssl || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        fd_close(fd);
        return;
    }
    struct relay *r = NEW(struct relay);
    *r = (struct relay){
        .server = t, .loop = l, .ssl = ssl, .net = fd, .app = -1, .ready = ready, .arg = arg};
    t->relays_n++;
    list_push(&t->relays, &r->link);
    r->deadline = timer_new(l, HANDSHAKE_NS, 0, on_deadline, r);
    r->net_watch = watch_new(l, fd, WATCH_READ, on_handshake, r);
}
