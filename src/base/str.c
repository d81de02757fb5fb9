#include "base/str.h"
#include "base/mem.h"

#include <assert.h>
#include <sys/auxv.h>

bool str_eq(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool str_eqz(struct str a, const char *z) {
    return str_eq(a, str_of(z));
}

static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b) {
    size_t n = MIN(a.len, b.len);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c < 0 ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix) {
    return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix) {
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

ssize_t str_find(struct str s, char c) {
    const char *at = s.len ? memchr(s.p, c, s.len) : NULL;
    return at ? at - s.p : -1;
}

ssize_t str_rfind(struct str s, char c) {
    const char *at = s.len ? memrchr(s.p, c, s.len) : NULL;
    return at ? at - s.p : -1;
}

ssize_t str_find_str(struct str s, struct str needle) {
    if (needle.len == 0)
        return 0;
    const char *at = s.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;
    return at ? at - s.p : -1;
}

struct str str_sub(struct str s, size_t from, size_t to) {
    to = MIN(to, s.len);
    from = MIN(from, to);
    /* No arithmetic on a NULL pointer, not even + 0. */
    return (struct str){from ? s.p + from : s.p, to - from};
}

struct str str_from(struct str s, size_t from) {
    return str_sub(s, from, s.len);
}

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s) {
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    while (s.len && is_blank(s.p[0]))
        s = str_from(s, 1);
    return s;
}

bool str_cut(struct str s, char c, struct str *ret_head, struct str *ret_tail) {
    ssize_t at = str_find(s, c);
    *ret_head = at < 0 ? s : str_sub(s, 0, (size_t)at);
    *ret_tail = at < 0 ? STR_NONE : str_from(s, (size_t)at + 1);
    return at >= 0;
}

/* Where rest points when one empty field is still to come ("a," after "a"): by this address it is
 * told apart from "nothing left", which also has length 0. */
static const char one_empty_field[1] = "";

bool str_next(struct str *rest, char c, struct str *ret_field) {
    if (rest->len == 0 && rest->p != one_empty_field)
        return false;
    bool more = str_cut(*rest, c, ret_field, rest);
    if (more && rest->len == 0)
        *rest = (struct str){one_empty_field, 0};
    return true;
}

char *str_dup(struct str s) {
    char *z = mem_alloc(s.len + 1);
    if (s.len)
        memcpy(z, s.p, s.len);
    z[s.len] = '\0';
    return z;
}

bool str_has_nul(struct str s) {
    return str_find(s, '\0') >= 0;
}

/* Length of the well-formed UTF-8 sequence at p (Unicode table 3-7), 0 when malformed. */
static size_t utf8_len(const unsigned char *p, size_t n) {
    if (p[0] < 0x80)
        return 1;
    unsigned char low = 0x80, high = 0xbf;
    size_t len;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;
        high = p[0] == 0xed ? 0x9f : high; /* no surrogates */
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        low = p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xf4 ? 0x8f : high;
    } else
        return 0;
    if (n < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

size_t str_utf8_len(struct str s) {
    return s.len ? utf8_len((const unsigned char *)s.p, s.len) : 0;
}

bool str_is_utf8(struct str s) {
    for (size_t i = 0; i < s.len;) {
        uint64_t eight;
        if (s.len - i >= sizeof eight) {
            memcpy(&eight, s.p + i, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof eight;
                continue;
            }
        }
        size_t n = utf8_len((const unsigned char *)s.p + i, s.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static uint64_t rotl(uint64_t x, int n) {
    return (x << n) | (x >> (64 - n));
}

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012), keyed with the 16 random bytes the kernel gives every
 * process (getauxval(3) AT_RANDOM): a secret seed that needs no global and no system call. */
uint64_t str_hash(struct str s) {
    const unsigned char *seed = (const unsigned char *)getauxval(AT_RANDOM);
    assert(seed);
    uint64_t k[2], m;
    memcpy(k, seed, sizeof(k));
    uint64_t v[4] = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
                     k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573};
    size_t i = 0;
    for (; s.len - i >= 8; i += 8) {
        memcpy(&m, s.p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    m = (uint64_t)s.len << 56;
    for (size_t shift = 0; i < s.len; i++, shift += 8)
        m |= (uint64_t)(unsigned char)s.p[i] << shift;
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
    v[2] ^= 0xff;
    for (int r = 0; r < 3; r++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct err str_to_u64(struct str s, uint64_t max, uint64_t *ret) {
    uint64_t v = 0;
    bool fits = true;
    if (s.len == 0)
        return err_new(ERR_INVALID, "'' is not a number");
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return err_new(ERR_INVALID, "'%.*s' is not a number", (int)MIN(s.len, 40u), s.p);
        fits = fits && !__builtin_mul_overflow(v, 10u, &v) &&
               !__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v);
    }
    if (!fits || v > max)
        return err_new(ERR_INVALID, "'%.*s' is out of range (at most %llu)", (int)MIN(s.len, 40u),
                       s.p, (unsigned long long)max);
    *ret = v;
    return OK;
}

struct err str_to_i64(struct str s, int64_t min, int64_t max, int64_t *ret) {
    bool negative = s.len > 0 && s.p[0] == '-';
    struct str digits = negative ? str_from(s, 1) : s;
    uint64_t bound = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t v;
    struct err e = str_to_u64(digits, UINT64_MAX, &v);
    bool is_number = !err_failed(e) || digits.len > 19;
    if (err_failed(e) && !is_number) {
        err_free(e);
        return err_new(ERR_INVALID, "'%.*s' is not a number", (int)MIN(s.len, 40u), s.p ? s.p : "");
    }
    bool fits = !err_failed(e) && v <= bound;
    err_free(e);
    int64_t n = fits ? (int64_t)(negative ? 0 - v : v) : 0;
    if (!fits || n < min || n > max)
        return err_new(ERR_INVALID, "'%.*s' is out of range (%lld to %lld)", (int)MIN(s.len, 40u),
                       s.p, (long long)min, (long long)max);
    *ret = n;
    return OK;
}
