/* network/dns_names.h - corten-dns: who is called what, for whom. Private to network/.
 *
 * Facts come from the daemon, one document per container; every question is asked by a container
 * and sees the networks of that one. All on the one thread of corten-dns. Limits: NAMES_DOC_MAX a
 * document. Tests: test/unit/network/dns.c.
 */
#pragma once
#include "network/dns_wire.h"
#include "network/names.h"

#define DNS_TTL 10 /* seconds: containers come and go */

struct dns_names *dns_names_new(void);
struct dns_names *dns_names_free(struct dns_names *n);
/* Adds or replaces. ERR_INVALID: not such a document. */
struct err dns_names_put(struct dns_names *n, struct str text);
void dns_names_drop(struct dns_names *n, const char *id);
/* Between these two everything is named again; what is not is dropped by the second. */
void dns_names_begin(struct dns_names *n);
void dns_names_end(struct dns_names *n);
bool dns_names_known(const struct dns_names *n, const char *id);

enum dns_verdict {
    DNS_HERE,    /* written into the answer; *ret_rcode */
    DNS_FORWARD, /* not ours */
    DNS_CLOSED,  /* not ours, and this container has no outside */
};
enum dns_verdict dns_names_answer(struct dns_names *n, const char *asker, const struct dns_query *q,
                                  struct dns_answer *a, unsigned *ret_rcode);
/* Servers that this container's questions go to; NULL or n == 0: the host's. */
const struct strs *dns_names_servers(const struct dns_names *n, const char *asker);
