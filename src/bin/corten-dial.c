/* corten-dial HOST PORT CA CERT KEY - stdin and stdout, one socket, joined with a TLS connection.
 * CA "": who answers is not checked; CERT and KEY "": we show none. OpenSSL lives here, so that the
 * command line starts without it. */
#include "base/file.h"
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int complain(const char *what, const char *why) {
    char text[256];
    if (!why) {
        ERR_error_string_n(ERR_get_error(), text, sizeof text);
        why = text;
    }
    fprintf(stderr, "corten: %s: %s\n", what, why);
    return 1;
}

static int dial(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list), fd = -1, errnum = 0;
    if (rc != 0) {
        complain(host, gai_strerror(rc));
        return -1;
    }
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            break;
        errnum = errno;
        fd = fd_close(fd);
    }
    freeaddrinfo(list);
    if (fd < 0)
        complain(host, strerror(errnum));
    return fd;
}

static SSL_CTX *configure(char **argv) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
    bool ok = true;
    if (*argv[3]) {
        ok = SSL_CTX_load_verify_locations(ctx, argv[3], NULL) == 1;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    if (ok && *argv[4])
        ok = SSL_CTX_use_certificate_chain_file(ctx, argv[4]) == 1 &&
             SSL_CTX_use_PrivateKey_file(ctx, argv[5], SSL_FILETYPE_PEM) == 1;
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* The name or address that the certificate must be for. */
static bool expect(SSL *ssl, const char *host) {
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1)
        return true;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && X509_VERIFY_PARAM_set1_host(p, host, 0) == 1;
}

/* Both ways until theirs ends; the end of ours is handed on. */
static int relay(SSL *ssl, int fd) {
    char bytes[16384];
    bool in_open = true;
    for (;;) {
        struct pollfd p[2] = {{fd, POLLIN, 0}, {in_open ? 0 : -1, POLLIN, 0}};
        bool waiting = SSL_pending(ssl) > 0;
        if (poll(p, 2, waiting ? 0 : -1) < 0 && errno != EINTR)
            return complain("poll", strerror(errno));
        if (p[1].revents) {
            ssize_t n = read(0, bytes, sizeof bytes);
            if (n > 0 && SSL_write(ssl, bytes, (int)n) <= 0)
                return complain("write", NULL);
            if (n == 0 || (n < 0 && errno != EINTR)) {
                in_open = false;
                SSL_shutdown(ssl);
            }
        }
        if (waiting || p[0].revents) {
            int n = SSL_read(ssl, bytes, sizeof bytes);
            if (n <= 0)
                return SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN || !in_open ? 0 : 1;
            if (fd_write_all(1, bytes, (size_t)n) < 0)
                return 0;
        }
    }
}

int main(int argc, char **argv) {
    fd_sanitize_std();
    signal(SIGPIPE, SIG_IGN);
    if (argc != 6)
        return complain("usage", "corten-dial HOST PORT CA CERT KEY");
    SSL_CTX *ctx = configure(argv);
    if (!ctx)
        return complain("certificates", NULL);
    int fd = dial(argv[1], argv[2]);
    SSL *ssl = fd >= 0 ? SSL_new(ctx) : NULL;
    if (!ssl)
        return 1;
    if (!expect(ssl, argv[1]) || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        return complain("TLS", SSL_get_verify_result(ssl) == X509_V_OK
                                   ? NULL
                                   : X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    return relay(ssl, fd);
}
