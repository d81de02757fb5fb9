#include "network/dns_wire.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define FLAG_QR 0x8000u
#define FLAG_OPCODE 0x7800u
#define FLAG_AA 0x0400u
#define FLAG_TC 0x0200u
#define FLAG_RD 0x0100u
#define FLAG_RA 0x0080u
#define FLAG_CD 0x0010u
#define RECORD_FIXED 10 /* type, class, TTL, length */
#define OPT_SIZE (1 + RECORD_FIXED)
#define EDNS_DO 0x8000u
#define TTL_MAX (7 * 86400u)

static uint16_t u16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u32(const uint8_t *p) {
    return (uint32_t)u16(p) << 16 | u16(p + 2);
}

static void put16(uint8_t *p, unsigned v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v) {
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* --- reading -------------------------------------------------------------------------------------
 */

/* The name at `at`, not compressed, as text. The offset behind it, or 0. */
static size_t read_name(struct str m, size_t at, struct dns_query *q) {
    size_t n = 0;
    q->odd = false;
    for (size_t start = at; at < m.len;) {
        size_t len = (uint8_t)m.p[at++];
        if (len == 0) {
            q->name[n] = '\0';
            return at;
        }
        /* text: a dot before all but the first, and the NUL */
        if (len > DNS_LABEL_MAX || len > m.len - at || at + len - start >= DNS_NAME_MAX)
            return 0;
        if (n)
            q->name[n++] = '.';
        for (size_t i = 0; i < len; i++) {
            char c = lower(m.p[at + i]);
            q->odd |= c <= ' ' || c == '.' || c == '\\' || (unsigned char)c >= 0x7f;
            q->name[n++] = c ? c : '?';
        }
        at += len;
    }
    return 0;
}

/* Behind the name at `at`, compressed or not; 0: malformed. A pointer leads to an earlier name: who
 * is given the message cannot run in circles. */
static size_t skip_name(struct str m, size_t at) {
    for (size_t start = at; at < m.len && at - start < DNS_NAME_MAX;) {
        size_t len = (uint8_t)m.p[at];
        if (len == 0)
            return at + 1;
        if ((len & 0xc0) == 0xc0) {
            if (at + 2 > m.len)
                return 0;
            size_t to = u16((const uint8_t *)m.p + at) & 0x3fff;
            return to >= DNS_HEADER && to < start ? at + 2 : 0;
        }
        if (len & 0xc0)
            return 0;
        at += 1 + len;
    }
    return 0;
}

struct record {
    uint16_t type, class;
    uint32_t ttl;
    size_t ttl_at, data, len;
};

/* Data of the kinds that everybody reads are what they have to be. */
static bool is_sound(struct str m, const struct record *r) {
    switch (r->type) {
    case DNS_A:
        return r->len == 4;
    case DNS_AAAA:
        return r->len == 16;
    case DNS_CNAME:
    case DNS_NS:
    case DNS_PTR:
        return skip_name(m, r->data) == r->data + r->len;
    default:
        return true;
    }
}

static size_t read_record(struct str m, size_t at, struct record *r) {
    at = skip_name(m, at);
    if (!at || m.len - at < RECORD_FIXED)
        return 0;
    const uint8_t *p = (const uint8_t *)m.p + at;
    *r = (struct record){.type = u16(p),
                         .class = u16(p + 2),
                         .ttl = u32(p + 4),
                         .ttl_at = at + 4,
                         .data = at + RECORD_FIXED,
                         .len = u16(p + 8)};
    return r->len <= m.len - r->data && is_sound(m, r) ? r->data + r->len : 0;
}

static bool is_root(struct str m, size_t at) {
    return at < m.len && m.p[at] == 0;
}

/* The OPT record among the additional ones. */
static int read_edns(struct str m, size_t at, unsigned records, struct dns_query *q) {
    for (unsigned i = 0; i < records; i++) {
        struct record r;
        bool root = is_root(m, at);
        at = read_record(m, at, &r);
        if (!at)
            return DNS_FORMERR;
        if (r.type != DNS_OPT)
            continue;
        if (q->edns || !root)
            return DNS_FORMERR; /* RFC 6891 section 6.1.1 */
        q->edns = true;
        q->udp_size = (uint16_t)MIN(r.class < DNS_UDP_PLAIN ? DNS_UDP_PLAIN : r.class, DNS_UDP_MAX);
        q->dnssec_ok = r.ttl & EDNS_DO;
        if (r.ttl >> 16 & 0xff)
            return DNS_BADVERS;
    }
    return DNS_NOERROR;
}

int dns_query_read(struct str m, struct dns_query *ret) {
    memset(ret, 0, offsetof(struct dns_query, name));
    ret->name[0] = '\0';
    ret->udp_size = DNS_UDP_PLAIN;
    if (m.len < DNS_HEADER)
        return -1;
    const uint8_t *p = (const uint8_t *)m.p;
    unsigned flags = u16(p + 2);
    if (flags & FLAG_QR)
        return -1;
    ret->id = u16(p);
    ret->rd = flags & FLAG_RD;
    ret->cd = flags & FLAG_CD;
    if (flags & FLAG_OPCODE)
        return DNS_NOTIMP;
    unsigned additional = u16(p + 10);
    if (u16(p + 4) != 1 || u16(p + 6) != 0 || u16(p + 8) != 0 || additional > 8 ||
        (flags & FLAG_TC))
        return DNS_FORMERR;
    size_t at = read_name(m, DNS_HEADER, ret);
    if (!at || m.len - at < 4)
        return DNS_FORMERR;
    ret->type = u16(p + at);
    ret->class = u16(p + at + 2);
    ret->question = str_sub(m, DNS_HEADER, at + 4);
    return read_edns(m, at + 4, additional, ret);
}

/* --- writing -------------------------------------------------------------------------------------
 */

void dns_answer_begin(struct dns_answer *a, uint8_t *p, size_t limit, const struct dns_query *q) {
    assert(limit >= DNS_UDP_PLAIN);
    *a = (struct dns_answer){.p = p, .limit = limit, .query = q};
    memset(p, 0, DNS_HEADER);
    if (q->question.len)
        memcpy(p + DNS_HEADER, q->question.p, q->question.len);
    a->len = DNS_HEADER + q->question.len;
    if (q->edns)
        a->limit -= OPT_SIZE;
}

void dns_answer_add(struct dns_answer *a, uint16_t type, uint32_t ttl, const void *data,
                    size_t len) {
    size_t need = 2 + RECORD_FIXED + len;
    if (a->full || need > a->limit - a->len || len > UINT16_MAX) {
        a->full = true;
        return;
    }
    uint8_t *p = a->p + a->len;
    put16(p, 0xc000 | DNS_HEADER); /* the asked name */
    put16(p + 2, type);
    put16(p + 4, 1);
    put32(p + 6, ttl);
    put16(p + 10, (unsigned)len);
    memcpy(p + 12, data, len);
    a->len += need;
    a->answers++;
}

size_t dns_answer_end(struct dns_answer *a, unsigned rcode, bool authoritative) {
    const struct dns_query *q = a->query;
    unsigned flags = FLAG_QR | FLAG_RA | (q->rd ? FLAG_RD : 0) | (q->cd ? FLAG_CD : 0) |
                     (authoritative ? FLAG_AA : 0) | (a->full ? FLAG_TC : 0) | (rcode & 15);
    if (q->edns) {
        uint8_t *p = a->p + a->len;
        p[0] = 0;
        put16(p + 1, DNS_OPT);
        put16(p + 3, DNS_UDP_MAX);
        put32(p + 5, (uint32_t)(rcode >> 4) << 24 | (q->dnssec_ok ? EDNS_DO : 0));
        put16(p + 9, 0);
        a->len += OPT_SIZE;
        a->additional++;
    }
    put16(a->p, q->id);
    put16(a->p + 2, flags);
    put16(a->p + 4, q->question.len ? 1 : 0);
    put16(a->p + 6, a->answers);
    put16(a->p + 10, a->additional);
    return a->len;
}

size_t dns_name_write(const char *text, uint8_t out[DNS_NAME_MAX]) {
    size_t n = 0;
    struct str rest = str_of(text), label;
    while (str_next(&rest, '.', &label)) {
        if (label.len == 0 || label.len > DNS_LABEL_MAX || n + label.len + 2 > DNS_NAME_MAX)
            return 0;
        out[n++] = (uint8_t)label.len;
        memcpy(out + n, label.p, label.len);
        n += label.len;
    }
    out[n++] = 0;
    return n;
}

/* --- reverse names -------------------------------------------------------------------------------
 */

static bool reverse_four(struct str s, uint8_t ret[4]) {
    struct str part;
    for (int i = 3; i >= 0; i--) {
        unsigned v = 0;
        if (!str_next(&s, '.', &part) || part.len == 0 || part.len > 3)
            return false;
        for (size_t k = 0; k < part.len; k++) {
            if (part.p[k] < '0' || part.p[k] > '9')
                return false;
            v = v * 10 + (unsigned)(part.p[k] - '0');
        }
        if (v > 255)
            return false;
        ret[i] = (uint8_t)v;
    }
    return s.len == 0;
}

static bool reverse_six(struct str s, uint8_t ret[16]) {
    if (s.len != 63)
        return false;
    for (size_t i = 0; i < 32; i++) {
        char c = s.p[i * 2];
        int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v < 0 || (i < 31 && s.p[i * 2 + 1] != '.'))
            return false;
        uint8_t *to = &ret[15 - i / 2];
        *to = (uint8_t)(i % 2 ? *to | v << 4 : v);
    }
    return true;
}

int dns_reverse_parse(const char *name, uint8_t ret[16]) {
    static const struct str four = {".in-addr.arpa", 13}, six = {".ip6.arpa", 9};
    struct str s = str_of(name);
    if (str_ends(s, four) && reverse_four(str_sub(s, 0, s.len - four.len), ret))
        return AF_INET;
    if (str_ends(s, six) && reverse_six(str_sub(s, 0, s.len - six.len), ret))
        return AF_INET6;
    return 0;
}

/* --- answers of others ---------------------------------------------------------------------------
 */

static bool same_question(struct str m, struct str question) {
    if (m.len - DNS_HEADER < question.len)
        return false;
    /* length bytes are below 'A', so lower() leaves them alone; type and class are compared as
     * they are */
    size_t name = question.len - 4;
    for (size_t i = 0; i < name; i++)
        if (lower(m.p[DNS_HEADER + i]) != lower(question.p[i]))
            return false;
    return memcmp(m.p + DNS_HEADER + name, question.p + name, 4) == 0;
}

/* How long the absence of something may be remembered: the smaller of the SOA's own TTL and its
 * last field. */
static uint32_t negative_ttl(struct str m, const struct record *r) {
    uint32_t minimum = r->len >= 4 ? u32((const uint8_t *)m.p + r->data + r->len - 4) : 0;
    return MIN(r->ttl, minimum);
}

static bool look_records(struct str m, size_t at, unsigned n, struct dns_look *ret) {
    for (unsigned i = 0; i < n; i++) {
        struct record r;
        at = read_record(m, at, &r);
        if (!at)
            return false;
        if (r.type == DNS_OPT)
            continue;
        if (r.ttl > TTL_MAX)
            r.ttl = r.ttl >> 31 ? 0 : TTL_MAX; /* RFC 2181 section 8 */
        uint32_t ttl = r.type == DNS_SOA && !ret->answers ? negative_ttl(m, &r) : r.ttl;
        ret->ttl = MIN(ret->ttl, ttl);
        if (ret->ttls_n == DNS_RECORDS_MAX)
            ret->ttl = 0;
        else
            ret->ttls[ret->ttls_n++] = (uint16_t)r.ttl_at;
    }
    return true;
}

bool dns_answer_look(struct str m, struct str question, struct dns_look *ret) {
    if (m.len < DNS_HEADER || m.len > UINT16_MAX || question.len < 5)
        return false;
    const uint8_t *p = (const uint8_t *)m.p;
    unsigned flags = u16(p + 2);
    if (!(flags & FLAG_QR) || (flags & FLAG_OPCODE) || u16(p + 4) != 1 ||
        !same_question(m, question))
        return false;
    ret->id = u16(p);
    ret->rcode = flags & 15;
    ret->truncated = flags & FLAG_TC;
    ret->ttl = TTL_MAX;
    ret->answers = u16(p + 6);
    ret->ttls_n = 0;
    unsigned records = (unsigned)u16(p + 6) + u16(p + 8) + u16(p + 10);
    if (!look_records(m, DNS_HEADER + question.len, records, ret))
        return ret->truncated; /* what is cut may end anywhere */
    if (!ret->ttls_n)
        ret->ttl = 0;
    return true;
}

void dns_answer_age(uint8_t *message, size_t len, const struct dns_look *look, uint32_t age) {
    for (size_t i = 0; i < look->ttls_n; i++) {
        if ((size_t)look->ttls[i] + 4 > len)
            return;
        uint8_t *p = message + look->ttls[i];
        uint32_t ttl = u32(p);
        put32(p, ttl > age ? ttl - age : 0);
    }
}
