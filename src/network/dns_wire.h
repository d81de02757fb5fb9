/* network/dns_wire.h - DNS messages as bytes: reading a question, writing an answer, looking
 * through an answer of somebody else. Private to network/.
 *
 * Everything read is hostile. Nothing here allocates, recurses or follows a compression pointer
 * that does not lead backwards; every walk is bounded by the message and by the named limits.
 * Sources: RFC 1035 (format), 2181 (names, TTLs), 2782 (SRV), 3596 (AAAA), 6891 (EDNS), 9210
 * section 5 (TCP). Tests: test/unit/network/dns.c (ldns reads what we write),
 * test/fuzz/dns-message.c.
 */
#pragma once
#include "base/str.h"

#define DNS_NAME_MAX 255 /* bytes on the wire, RFC 1035 section 2.3.4 */
#define DNS_TEXT_MAX 256 /* a name as text, with its NUL */
#define DNS_LABEL_MAX 63
#define DNS_HEADER 12
#define DNS_UDP_PLAIN 512   /* without EDNS */
#define DNS_UDP_MAX 4096    /* largest datagram that we send or take */
#define DNS_RECORDS_MAX 128 /* an answer with more records is not kept */

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_ANY = 255,
};
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16,
};

struct dns_query {
    uint16_t id, type, class;
    bool rd, cd, edns, dnssec_ok;
    bool odd;                /* the name has bytes that no name of ours has */
    uint16_t udp_size;       /* what the asker takes in one datagram, 512 to DNS_UDP_MAX */
    struct str question;     /* name, type, class as they came; borrowed from the message */
    char name[DNS_TEXT_MAX]; /* lower case, without the last dot; "" is the root */
};
/* Reads a query. -1: not one to answer at all (an answer, too short). Else the rcode to refuse it
 * with, DNS_NOERROR when it is good; *ret is filled as far as it was understood (id at least). */
int dns_query_read(struct str message, struct dns_query *ret);

/* An answer that is being written into p[0, cap). limit: bytes that the asker takes. */
struct dns_answer {
    uint8_t *p;
    size_t len, limit;
    uint16_t answers, additional;
    bool full; /* a record did not fit: the answer says so (TC) */
    const struct dns_query *query;
};
/* limit must not be larger than what p has room for, and at least DNS_UDP_PLAIN. */
void dns_answer_begin(struct dns_answer *a, uint8_t *p, size_t limit, const struct dns_query *q);
/* A record whose owner is the asked name. data as on the wire, without compression. */
void dns_answer_add(struct dns_answer *a, uint16_t type, uint32_t ttl, const void *data,
                    size_t len);
/* Writes header and OPT; gives the length. authoritative: the names are ours. */
size_t dns_answer_end(struct dns_answer *a, unsigned rcode, bool authoritative);

/* "a.b" → labels. 0: not a name (a label of 0 or more than 63 bytes, too long). */
size_t dns_name_write(const char *text, uint8_t out[DNS_NAME_MAX]);
/* "4.3.2.1.in-addr.arpa", "….ip6.arpa" → the address; family AF_INET or AF_INET6, or 0. ret has
 * room for 16 bytes. */
int dns_reverse_parse(const char *name, uint8_t ret[16]);

/* What a foreign answer is. */
struct dns_look {
    uint16_t id;
    unsigned rcode;
    bool truncated;
    uint32_t ttl; /* smallest of all records; of a negative answer as RFC 2308 says */
    uint16_t answers;
    size_t ttls_n;
    uint16_t ttls[DNS_RECORDS_MAX]; /* offsets of TTL fields, for ageing */
};
/* False: not an answer to this question, or malformed. The question is compared without case. */
bool dns_answer_look(struct str message, struct str question, struct dns_look *ret);
/* Subtracts `age` seconds from every TTL (not below 0). */
void dns_answer_age(uint8_t *message, size_t len, const struct dns_look *look, uint32_t age);
