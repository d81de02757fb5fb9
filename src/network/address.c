/* Addresses of the host that ports are published on, and the networks that may use them. */
#include "network/private.h"
#include <arpa/inet.h>

char *host_address_format(const struct host_address *a, char out[HOST_ADDRESS_LEN]) {
    /* Cannot fail: the buffer has room for either family. */
    (void)inet_ntop(a->six ? AF_INET6 : AF_INET,
                    a->six ? (const void *)&a->v6 : (const void *)&a->four, out, HOST_ADDRESS_LEN);
    return out;
}

char *host_address_bracket(const struct host_address *a, char out[HOST_ADDRESS_LEN]) {
    char text[HOST_ADDRESS_LEN];
    (void)snprintf(out, HOST_ADDRESS_LEN, a->six ? "[%.*s]" : "%.*s", HOST_ADDRESS_LEN - 3,
                   host_address_format(a, text));
    return out;
}

bool host_address_any(const struct host_address *a) {
    return a->six ? !six_is_set(&a->v6) : a->four.s_addr == INADDR_ANY;
}

bool host_address_loopback(const struct host_address *a) {
    return a->six ? IN6_IS_ADDR_LOOPBACK(&a->v6) : ntohl(a->four.s_addr) >> 24 == 127;
}

bool host_address_equal(const struct host_address *a, const struct host_address *b) {
    return a->six == b->six && a->four.s_addr == b->four.s_addr &&
           memcmp(&a->v6, &b->v6, sizeof(a->v6)) == 0;
}

struct err host_address_parse(const char *text, struct host_address *ret) {
    struct host_address a = {0};
    if (inet_pton(AF_INET6, text, &a.v6) == 1)
        a.six = true;
    else if (inet_pton(AF_INET, text, &a.four) != 1)
        return err_new(ERR_INVALID, "invalid IP address: %s", text);
    /* "::ffff:10.1.2.3" is that IPv4 address, for the kernel too. */
    if (a.six && IN6_IS_ADDR_V4MAPPED(&a.v6)) {
        struct host_address four = {0};
        memcpy(&four.four, a.v6.s6_addr + 12, sizeof(four.four));
        a = four;
    }
    *ret = a;
    return OK;
}

/* --- sources -----------------------------------------------------------------------------------
 */

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (!rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool within(const struct port_source *inner, const struct port_source *outer) {
    return inner->six == outer->six && inner->prefix >= outer->prefix &&
           bits_equal(inner->base, outer->base, outer->prefix);
}

struct err source_parse(const char *text, struct port_source *ret) {
    struct str head, tail;
    struct host_address a = {0};
    bool cut = str_cut(str_of(text), '/', &head, &tail);
    CLEAN_FREE char *address = str_dup(head);
    TRYF(host_address_parse(address, &a), "source '%s'", text);
    uint64_t most = a.six ? 128 : 32, prefix = most;
    if (cut)
        TRYF(str_to_u64(tail, most, &prefix), "source '%s'", text);
    struct port_source s = {.six = a.six, .prefix = (uint8_t)prefix};
    memcpy(s.base, a.six ? (const void *)&a.v6 : (const void *)&a.four,
           a.six ? sizeof(a.v6) : sizeof(a.four));
    struct port_source zero = s;
    for (unsigned i = (unsigned)prefix; i < most; i++)
        zero.base[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
    if (memcmp(zero.base, s.base, sizeof(s.base)) != 0)
        return err_new(ERR_INVALID, "source '%s': host bits are set", text);
    *ret = s;
    return OK;
}

/* Elements of an interval set must not overlap: what lies within another one says nothing new. */
static void add_source(struct port_sources *list, const struct port_source *s) {
    for (uint8_t i = 0; i < list->n; i++)
        if (within(s, &list->items[i]))
            return;
    uint8_t kept = 0;
    for (uint8_t i = 0; i < list->n; i++)
        if (!within(&list->items[i], s))
            list->items[kept++] = list->items[i];
    list->items[kept] = *s;
    list->n = kept + 1;
}

struct err sources_parse(const struct strs *texts, struct port_sources *ret) {
    struct port_sources list = {0};
    for (size_t i = 0; texts && i < texts->n; i++) {
        struct port_source s;
        TRY(source_parse(texts->items[i], &s));
        if (list.n == NETWORK_SOURCES_MAX)
            return err_new(ERR_INVALID, "more than %d sources for one port", NETWORK_SOURCES_MAX);
        add_source(&list, &s);
    }
    *ret = list;
    return OK;
}

char *source_format(const struct port_source *s, char out[HOST_ADDRESS_LEN + 4]) {
    char text[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(s->six ? AF_INET6 : AF_INET, s->base, text, sizeof(text));
    (void)snprintf(out, HOST_ADDRESS_LEN + 4, "%s/%u", text, s->prefix);
    return out;
}

bool sources_allow(const struct port_sources *list, const struct host_address *a) {
    struct port_source one = {.six = a->six, .prefix = a->six ? 128 : 32};
    memcpy(one.base, a->six ? (const void *)&a->v6 : (const void *)&a->four,
           a->six ? sizeof(a->v6) : sizeof(a->four));
    for (uint8_t i = 0; i < list->n; i++)
        if (within(&one, &list->items[i]))
            return true;
    return list->n == 0;
}

void source_range(const struct port_source *s, uint8_t ret_first[16], uint8_t ret_last[16]) {
    unsigned bits = s->six ? 128 : 32;
    memcpy(ret_first, s->base, 16);
    memcpy(ret_last, s->base, 16);
    for (unsigned i = s->prefix; i < bits; i++)
        ret_last[i / 8] |= (uint8_t)(0x80 >> i % 8);
}
