/* network/dns_forward.h - corten-dns: questions that are not ours go to the host's or the
 * container's own servers. Private to network/.
 *
 * One flight per question and set of servers, however many wait for it (no birthday attack: one
 * outstanding query per name, each on a socket of its own with a random port and id, and only from
 * the address that was asked). All servers are asked at once. A positive answer of any of them
 * counts at once; "there is no such name" only from the first, or when the ones before have had
 * their time: of several servers the earlier knows the inside. The query is written anew: nothing
 * of the asker but the question, RD, CD, DO and its datagram size goes outside.
 *
 * Answers are cached below their TTLs (RFC 2308 for negative ones). Limits below; what is over a
 * limit fails (SERVFAIL), nothing queues without end. One thread. Tests: test/e2e/t3300-names.sh,
 * test/unit/network/dns.c.
 */
#pragma once
#include "loop/loop.h"
#include "network/dns_wire.h"
#include "spec/fields.h"

#define DNS_SERVERS_MAX 3
#define DNS_DOMAINS_MAX 256 /* with servers of their own */
#define DNS_FLIGHTS_MAX 1024
#define DNS_CACHE_MAX 4096         /* answers */
#define DNS_CACHE_BYTES (8u << 20) /* of them together */
#define DNS_CACHE_TTL 3600         /* seconds at most */
#define DNS_CACHE_NEGATIVE 30
#define DNS_FORWARD_TIMEOUT 4 /* seconds: below what resolvers wait */

struct dns_forward;
struct dns_forward *dns_forward_new(struct loop *l);
struct dns_forward *dns_forward_free(struct dns_forward *f); /* nobody may be waiting */

/* Names at and below these domains are asked of these servers, whatever else is configured: lines
 * "domain address…", lower case. The longest domain counts. Replaces what was said before. */
void dns_forward_domains(struct dns_forward *f, struct str lines);

/* answer: a whole message, its id to be set by the receiver and its question the asker's but for
 * case; STR_NONE: no server answered. Borrowed. */
typedef void dns_forward_fn(void *arg, struct str answer);
struct dns_wait;
/* servers NULL or empty: the host's (/etc/resolv.conf, looked at again when it changes). NULL: fn
 * was called already. */
struct dns_wait *dns_forward_ask(struct dns_forward *f, const struct strs *servers,
                                 const struct dns_query *q, bool stream, dns_forward_fn *fn,
                                 void *arg);
void dns_wait_cancel(struct dns_wait *w); /* NULL allowed */
