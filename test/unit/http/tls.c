/* A client of OpenSSL's in a thread, the relay on the loop, and behind it an echo that reads the
 * plain end. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "http/tls.h"
#include "loop/loop.h"
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH (1u << 20)

struct world {
    char dir[32], cert[64], key[64];
    struct tls_server *server;
    struct loop *loop;
    int client; /* the client's end of the wire */
    /* the client's part */
    const char *own_cert, *own_key;
    bool garbage, connected;
    size_t sent, got;
    bool same;
    /* the echo's part */
    pthread_t echo;
    bool echoes;
};

static void make_certificate(struct world *w) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    FILE *f = fopen(w->cert, "w");
    assert_true(f && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
    f = fopen(w->key, "w");
    assert_true(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                fclose(f) == 0);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void *echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    CLEAN_BUF struct buf all = {0};
    char p[4096];
    ssize_t n;
    err_ignore(fd_set_nonblock(fd, false));
    while ((n = read(fd, p, sizeof(p))) > 0)
        buf_add(&all, p, (size_t)n);
    fd_write_all(fd, all.data, all.len);
    close(fd);
    return NULL;
}

static void ready(void *arg, int fd) {
    struct world *w = arg;
    w->echoes = pthread_create(&w->echo, NULL, echo, (void *)(intptr_t)fd) == 0;
}

static unsigned char byte_at(size_t i) {
    return (unsigned char)(i * 7 ^ i >> 11);
}

/* Sends everything, ends its side, reads the echo to its end. */
static void speak(struct world *w, SSL *ssl) {
    CLEAN_FREE unsigned char *p = mem_alloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        p[i] = byte_at(i);
    w->sent = SSL_write(ssl, p, MUCH) == (int)MUCH ? MUCH : 0;
    SSL_shutdown(ssl);
    w->same = true;
    for (int n; (n = SSL_read(ssl, p, MUCH)) > 0; w->got += (size_t)n)
        for (int i = 0; i < n; i++)
            w->same = w->same && p[i] == byte_at(w->got + (size_t)i);
}

static void stop(void *arg) {
    loop_stop(arg);
}

static void *client(void *arg) {
    struct world *w = arg;
    char c;
    if (w->garbage) {
        if (write(w->client, "GET / HTTP/1.1\r\n\r\n", 18) == 18)
            while (read(w->client, &c, 1) > 0) /* an alert, then the end */
                ;
    } else {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        if (w->own_cert) {
            SSL_CTX_use_certificate_file(ctx, w->own_cert, SSL_FILETYPE_PEM);
            SSL_CTX_use_PrivateKey_file(ctx, w->own_key, SSL_FILETYPE_PEM);
        }
        SSL *ssl = SSL_new(ctx);
        SSL_set_fd(ssl, w->client);
        w->connected = SSL_connect(ssl) == 1;
        if (w->connected)
            speak(w, ssl);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
    }
    close(w->client);
    loop_post(w->loop, stop, w->loop);
    return NULL;
}

static void world_new(struct world *w) {
    *w = (struct world){.dir = "/tmp/tls.XXXXXX"};
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->cert, sizeof(w->cert), "%s/cert.pem", w->dir);
    snprintf(w->key, sizeof(w->key), "%s/key.pem", w->dir);
    make_certificate(w);
}

static void world_run(struct world *w, bool verify) {
    int pair[2];
    pthread_t thread;
    assert_ok(tls_server_new(w->cert, w->key, verify ? w->cert : NULL, verify, &w->server));
    w->loop = loop_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_ok(fd_set_nonblock(pair[0], true));
    w->client = pair[1];
    tls_server_accept(w->server, w->loop, pair[0], ready, w);
    assert_int_equal(pthread_create(&thread, NULL, client, w), 0);
    loop_run(w->loop);
    pthread_join(thread, NULL);
    tls_server_free(w->server);
    if (w->echoes)
        pthread_join(w->echo, NULL);
    loop_free(w->loop);
}

static void world_done(struct world *w) {
    unlink(w->cert);
    unlink(w->key);
    rmdir(w->dir);
}

TEST(bytes_pass_both_ways_and_a_half_close_too) {
    struct world w;
    world_new(&w);
    world_run(&w, false);
    assert_true(w.connected);
    assert_int_equal(w.sent, MUCH);
    assert_int_equal(w.got, MUCH);
    assert_true(w.same);
    world_done(&w);
}

TEST(a_client_with_the_right_certificate_comes_in) {
    struct world w;
    world_new(&w);
    w.own_cert = w.cert;
    w.own_key = w.key;
    world_run(&w, true);
    assert_int_equal(w.got, MUCH);
    assert_true(w.same);
    world_done(&w);
}

/* TLS 1.3 tells the client only with its first read. */
TEST(a_client_without_a_certificate_gets_nothing) {
    struct world w;
    world_new(&w);
    world_run(&w, true);
    assert_false(w.echoes);
    assert_int_equal(w.got, 0);
    world_done(&w);
}

TEST(what_is_no_handshake_is_turned_away) {
    struct world w;
    world_new(&w);
    w.garbage = true;
    world_run(&w, false);
    assert_false(w.echoes);
    world_done(&w);
}

TEST(files_that_do_not_fit_are_named) {
    struct world w;
    struct tls_server *t = NULL;
    world_new(&w);
    struct err e = tls_server_new("/nowhere.pem", w.key, NULL, false, &t);
    assert_non_null(strstr(err_msg(e), "/nowhere.pem"));
    err_free(e);
    e = tls_server_new(w.cert, w.cert, NULL, false, &t);
    assert_non_null(strstr(err_msg(e), w.cert));
    err_free(e);
    assert_null(t);
    world_done(&w);
}
