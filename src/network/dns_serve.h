/* network/dns_serve.h - corten-dns: the sockets of containers and the questions on them. Private to
 * network/.
 *
 * A client is one container: a UDP and a listening TCP socket in its network namespace, made by
 * whoever made that, handed over by its monitor, closed when the monitor is gone. Questions are not
 * read before the daemon has said once who is called what. Limits below; a client over its limit is
 * refused, others do not notice. One thread. Tests: test/e2e/t3300-names.sh.
 */
#pragma once
#include "loop/msg.h"
#include "network/dns_forward.h"
#include "network/dns_names.h"

#define DNS_CLIENTS_MAX 20000
#define DNS_WAITING_MAX 256 /* forwarded questions of one container */
#define DNS_STREAMS_MAX 16  /* TCP connections of one container */
#define DNS_STREAM_IDLE 10  /* seconds */

struct dns_server;
struct dns_server *dns_server_new(struct loop *l);
struct dns_server *dns_server_free(struct dns_server *s);
struct dns_names *dns_server_names(struct dns_server *s);
/* dns_forward_domains. */
void dns_server_domains(struct dns_server *s, struct str lines);
/* From now on questions are answered. */
void dns_server_ready(struct dns_server *s);

struct dns_client;
/* Takes both sockets over. NULL: there are too many; they are closed. */
struct dns_client *dns_client_new(struct dns_server *s, struct str id, int udp, int tcp);
void dns_client_free(struct dns_client *c); /* NULL allowed */
