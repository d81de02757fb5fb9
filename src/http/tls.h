/* http/tls.h - TLS in front of an HTTP server (RFC 8446, 5246; OpenSSL inside, seen nowhere else).
 *
 * A client that comes over TLS is met by a relay: once the handshake is done, the server gets one
 * end of a socket pair as its connection, and the relay moves bytes between the other end and the
 * client. So everything behind sees an ordinary socket that can be handed over (attach, exec,
 * logs); such a stream ends with this process, because the relay is in it. TLS 1.2 at least;
 * handshakes have 10 s. Bounded: 16 KiB each way, and a side is read only when the other takes what
 * was read. Loop thread only. Tests: test/unit/http/tls.c, test/e2e/t0300-listeners.sh.
 */
#pragma once
#include "base/err.h"
#include "loop/loop.h"

struct tls_server;

/* PEM files: the certificate with its chain, its key, and, when verify is true, the certificates
 * that a client's must be signed by. Errors name the file. */
struct err tls_server_new(const char *cert, const char *key, const char *ca, bool verify,
                          struct tls_server **ret);
/* Ends every relay. NULL allowed. */
struct tls_server *tls_server_free(struct tls_server *t);
/* Takes the accepted socket over; ready gets the plain end when the handshake is done. */
void tls_server_accept(struct tls_server *t, struct loop *l, int fd,
                       void (*ready)(void *arg, int fd), void *arg);
