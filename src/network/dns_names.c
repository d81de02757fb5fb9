#include "network/dns_names.h"
#include "base/map.h"
#include "network/private.h"
#include <arpa/inet.h>

#define TXT_STRING_MAX 255 /* RFC 1035 section 3.3.14 */
#define FOUND_MAX 256      /* addresses of one name that are looked at */

struct place {
    struct member *member;
    struct net *net;
    const struct names_place *doc;
    struct in_addr four;
    struct in6_addr six;
    bool has_four, has_six;
};

struct bucket VEC_BODY(struct place *);

struct net {
    char *id, *name;
    size_t places;
    struct map names;     /* lower-case name → struct bucket */
    struct map addresses; /* 4 or 16 bytes → struct place */
};

struct member {
    struct arena arena;
    struct names_member doc;
    struct place *places;
    size_t places_n;
    bool stale;
};

struct dns_names {
    struct map members, nets; /* by id */
    struct map all;           /* every name of every network → count */
    unsigned turn;
};

/* --- names in and out ----------------------------------------------------------------------------
 */

static char *lower_name(struct arena *a, const char *name) {
    char *z = arena_strz(a, name);
    for (char *c = z; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    return z;
}

static void count(struct dns_names *n, const char *name, int by) {
    size_t now = (size_t)(uintptr_t)map_getz(&n->all, name) + (size_t)by;
    if (now)
        map_set(&n->all, str_of(name), (void *)(uintptr_t)now);
    else
        (void)map_del(&n->all, str_of(name));
}

static void index_name(struct dns_names *n, struct place *p, const char *name) {
    struct bucket *b = map_getz(&p->net->names, name);
    for (size_t i = 0; b && i < b->n; i++)
        if (b->items[i] == p)
            return;
    if (!b) {
        b = NEW(struct bucket);
        map_set(&p->net->names, str_of(name), b);
    }
    vec_push(b, p);
    count(n, name, 1);
}

static void unindex_name(struct dns_names *n, struct place *p, const char *name) {
    struct bucket *b = map_getz(&p->net->names, name);
    for (size_t i = 0; b && i < b->n; i++) {
        if (b->items[i] != p)
            continue;
        vec_remove(b, i);
        count(n, name, -1);
        break;
    }
    if (b && !b->n) {
        (void)map_del(&p->net->names, str_of(name));
        vec_done(b);
        free(b);
    }
}

/* Every name of a place, each once or more often. */
static void each_name(struct dns_names *n, struct place *p,
                      void (*fn)(struct dns_names *n, struct place *p, const char *name)) {
    const struct names_member *d = &p->member->doc;
    CLEAN_ARENA struct arena a = {0};
    char *id = arena_strz(&a, d->id);
    if (strlen(id) > 12)
        id[12] = '\0';
    fn(n, p, id);
    fn(n, p, lower_name(&a, d->name));
    if (d->hostname && *d->hostname)
        fn(n, p, lower_name(&a, d->hostname));
    for (size_t i = 0; i < p->doc->aliases.n; i++)
        fn(n, p, lower_name(&a, p->doc->aliases.items[i]));
}

static struct net *net_get(struct dns_names *n, const struct names_place *d) {
    struct net *w = map_getz(&n->nets, d->network);
    if (!w) {
        CLEAN_ARENA struct arena a = {0};
        w = NEW(struct net);
        w->id = mem_strdup(d->network);
        w->name = mem_strdup(lower_name(&a, d->network_name));
        map_set(&n->nets, str_of(w->id), w);
    }
    w->places++;
    return w;
}

static void net_put(struct dns_names *n, struct net *w) {
    if (--w->places)
        return;
    (void)map_del(&n->nets, str_of(w->id));
    map_done(&w->names);
    map_done(&w->addresses);
    free(w->id);
    free(w->name);
    free(w);
}

static void place_in(struct dns_names *n, struct place *p, struct member *m,
                     const struct names_place *d) {
    *p = (struct place){.member = m, .doc = d, .net = net_get(n, d)};
    p->has_four = d->address && inet_pton(AF_INET, d->address, &p->four) == 1;
    p->has_six = d->address6 && inet_pton(AF_INET6, d->address6, &p->six) == 1;
    if (p->has_four)
        map_set(&p->net->addresses, str_n(&p->four, 4), p);
    if (p->has_six)
        map_set(&p->net->addresses, str_n(&p->six, 16), p);
    if (d->user_defined)
        each_name(n, p, index_name);
}

static void place_out(struct dns_names *n, struct place *p) {
    if (p->doc->user_defined)
        each_name(n, p, unindex_name);
    if (p->has_four && map_get(&p->net->addresses, str_n(&p->four, 4)) == p)
        (void)map_del(&p->net->addresses, str_n(&p->four, 4));
    if (p->has_six && map_get(&p->net->addresses, str_n(&p->six, 16)) == p)
        (void)map_del(&p->net->addresses, str_n(&p->six, 16));
    net_put(n, p->net);
}

/* --- members -------------------------------------------------------------------------------------
 */

static void member_free(struct dns_names *n, struct member *m) {
    for (size_t i = 0; i < m->places_n; i++)
        place_out(n, &m->places[i]);
    arena_done(&m->arena);
    free(m);
}

static bool is_whole(const struct names_member *d) {
    const struct names_place *p = d->places.items;
    bool ok = d->id && d->name && strlen(d->id) >= 12;
    for (size_t i = 0; i < d->places.n; i++)
        ok = ok && p[i].network && p[i].network_name;
    return ok;
}

struct err dns_names_put(struct dns_names *n, struct str text) {
    struct member *m = NEW(struct member);
    struct err e = text.len <= NAMES_DOC_MAX
                       ? fields_decode(&names_member_fields, text, &m->arena, &m->doc)
                       : err_new(ERR_INVALID, "a member's document is too long");
    if (!err_failed(e) && !is_whole(&m->doc))
        e = err_new(ERR_INVALID, "a member's document lacks id, name or network");
    if (err_failed(e)) {
        member_free(n, m);
        return e;
    }
    dns_names_drop(n, m->doc.id);
    m->places = arena_array(&m->arena, m->doc.places.n + 1, sizeof(*m->places));
    for (; m->places_n < m->doc.places.n; m->places_n++)
        place_in(n, &m->places[m->places_n], m,
                 (const struct names_place *)m->doc.places.items + m->places_n);
    map_set(&n->members, str_of(m->doc.id), m);
    return OK;
}

void dns_names_drop(struct dns_names *n, const char *id) {
    struct member *m = map_getz(&n->members, id);
    if (!m)
        return;
    (void)map_del(&n->members, str_of(m->doc.id));
    member_free(n, m);
}

bool dns_names_known(const struct dns_names *n, const char *id) {
    return map_getz(&n->members, id) != NULL;
}

void dns_names_begin(struct dns_names *n) {
    size_t it = 0;
    void *m;
    while (map_next(&n->members, &it, NULL, &m))
        ((struct member *)m)->stale = true;
}

void dns_names_end(struct dns_names *n) {
    struct strv stale = {0};
    size_t it = 0;
    void *value;
    while (map_next(&n->members, &it, NULL, &value)) {
        const struct member *m = value;
        if (m->stale)
            strv_add(&stale, m->doc.id);
    }
    for (size_t i = 0; i < stale.n; i++)
        dns_names_drop(n, stale.items[i]);
    strv_done(&stale);
}

struct dns_names *dns_names_new(void) {
    return NEW(struct dns_names);
}

struct dns_names *dns_names_free(struct dns_names *n) {
    if (!n)
        return NULL;
    dns_names_begin(n);
    dns_names_end(n);
    map_done(&n->members);
    map_done(&n->nets);
    map_done(&n->all);
    free(n);
    return NULL;
}

const struct strs *dns_names_servers(const struct dns_names *n, const char *asker) {
    const struct member *m = map_getz(&n->members, asker);
    return m ? &m->doc.servers : NULL;
}

/* --- looking up ----------------------------------------------------------------------------------
 */

struct found {
    const struct place *items[FOUND_MAX];
    size_t n;
};

static void add_place(struct found *f, const struct member *asker, const struct place *p) {
    if (!p->member->doc.live && p->member != asker)
        return;
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i] == p)
            return;
    if (f->n < FOUND_MAX)
        f->items[f->n++] = p;
}

static void add_named(struct found *f, const struct member *asker, const struct net *w,
                      struct str name) {
    const struct bucket *b = map_get(&w->names, name);
    for (size_t i = 0; b && i < b->n; i++)
        add_place(f, asker, b->items[i]);
}

static void add_linked(struct found *f, const struct place *from, struct str name) {
    for (size_t i = 0; i < from->doc->links.n; i++) {
        struct str target, alias;
        str_cut(str_of(from->doc->links.items[i]), ':', &target, &alias);
        if (!str_eq_nocase(alias, name))
            continue;
        CLEAN_ARENA struct arena a = {0};
        add_named(f, from->member, from->net, str_of(lower_name(&a, arena_str(&a, target))));
    }
}

/* "web" and "web.network". */
static void find(const struct member *asker, struct str name, struct found *ret) {
    for (size_t i = 0; i < asker->places_n; i++) {
        const struct place *p = &asker->places[i];
        struct str network = str_of(p->net->name);
        add_linked(ret, p, name);
        add_named(ret, asker, p->net, name);
        if (name.len > network.len + 1 && str_ends(name, network) &&
            name.p[name.len - network.len - 1] == '.')
            add_named(ret, asker, p->net, str_sub(name, 0, name.len - network.len - 1));
    }
}

/* Ours, though nobody is called so now, or not for this asker: it must not be asked outside. */
static bool is_internal(const struct dns_names *n, const struct member *asker, struct str name) {
    if (map_get(&n->all, name))
        return true;
    for (size_t i = 0; i < asker->places_n; i++) {
        struct str network = str_of(asker->places[i].net->name);
        bool domain = true; /* could be the end of a public name */
        for (size_t k = 0; k < network.len; k++)
            domain = domain && network.p[k] >= 'a' && network.p[k] <= 'z';
        if (!domain && name.len > network.len + 1 && str_ends(name, network) &&
            name.p[name.len - network.len - 1] == '.')
            return true;
    }
    return false;
}

/* --- records -------------------------------------------------------------------------------------
 */

static void add_addresses(struct dns_answer *a, const struct found *f, unsigned turn,
                          uint16_t type) {
    for (size_t i = 0; i < f->n; i++) {
        const struct place *p = f->items[(i + turn) % f->n];
        if (p->has_four && (type == DNS_A || type == DNS_ANY))
            dns_answer_add(a, DNS_A, DNS_TTL, &p->four, 4);
        if (p->has_six && (type == DNS_AAAA || type == DNS_ANY))
            dns_answer_add(a, DNS_AAAA, DNS_TTL, &p->six, 16);
    }
}

static size_t place_name(const struct place *p, uint8_t out[DNS_NAME_MAX]) {
    char text[NETWORK_NAME_LEN_MAX + 512];
    (void)snprintf(text, sizeof(text), "%s.%s", p->member->doc.name, p->net->name);
    return dns_name_write(text, out);
}

static void add_txt(struct dns_answer *a, const struct place *p) {
    const struct strmap *labels = &p->member->doc.labels;
    for (size_t i = 0; i < labels->n && !a->full; i++) {
        uint8_t data[TXT_STRING_MAX + 1];
        int n = snprintf((char *)data + 1, TXT_STRING_MAX, "%s=%s", labels->items[i].key,
                         labels->items[i].value);
        data[0] = (uint8_t)MIN(n, TXT_STRING_MAX - 1);
        dns_answer_add(a, DNS_TXT, DNS_TTL, data, data[0] + 1u);
    }
}

/* "80/tcp", "53", "20000-39999/udp". */
static bool read_ports(struct str text, struct str *ret_proto, uint64_t *ret_first,
                       uint64_t *ret_last) {
    struct str numbers, a, b;
    str_cut(text, '/', &numbers, ret_proto);
    if (ret_proto->len == 0)
        *ret_proto = STR("tcp");
    bool range = str_cut(numbers, '-', &a, &b);
    struct err e = str_to_u64(a, UINT16_MAX, ret_first);
    if (!err_failed(e))
        e = str_to_u64(range ? b : a, UINT16_MAX, ret_last);
    bool good = !err_failed(e);
    err_free(e);
    return good;
}

/* proto, port: empty or what "_80._tcp" asks for. */
static void add_srv(struct dns_answer *a, const struct place *p, struct str port,
                    struct str proto) {
    uint8_t data[6 + DNS_NAME_MAX] = {0};
    size_t len = place_name(p, data + 6);
    uint64_t wanted = 0, first, last;
    struct str kind;
    if (port.len)
        err_ignore(str_to_u64(port, UINT16_MAX, &wanted)); /* no number: 0, which nobody has */
    for (size_t i = 0; len && i < p->member->doc.ports.n; i++) {
        if (!read_ports(str_of(p->member->doc.ports.items[i]), &kind, &first, &last) ||
            (proto.len && !str_eq(proto, kind)))
            continue;
        if (port.len && (wanted < first || wanted > last))
            continue;
        for (uint64_t v = port.len ? wanted : first; v <= (port.len ? wanted : last) && !a->full;
             v++) {
            data[4] = (uint8_t)(v >> 8);
            data[5] = (uint8_t)v;
            dns_answer_add(a, DNS_SRV, DNS_TTL, data, 6 + len);
        }
    }
}

static void add_records(struct dns_names *n, struct dns_answer *a, const struct found *f,
                        const struct dns_query *q) {
    unsigned turn = n->turn++;
    add_addresses(a, f, turn, q->type);
    for (size_t i = 0; i < f->n; i++) {
        const struct place *p = f->items[(i + turn) % f->n];
        if (q->type == DNS_TXT)
            add_txt(a, p);
        if (q->type == DNS_SRV)
            add_srv(a, p, STR_NONE, STR_NONE);
    }
}

/* "_80._tcp.web": false: not of this form. */
static bool answer_service(const struct member *asker, const struct dns_query *q,
                           struct dns_answer *a) {
    struct str port, proto, rest = str_of(q->name);
    if (!str_cut(rest, '.', &port, &rest) || !str_cut(rest, '.', &proto, &rest) || port.len < 2 ||
        proto.len < 2 || port.p[0] != '_' || proto.p[0] != '_')
        return false;
    struct found f = {.n = 0};
    find(asker, rest, &f);
    for (size_t i = 0; i < f.n && q->type == DNS_SRV; i++)
        add_srv(a, f.items[i], str_from(port, 1), str_from(proto, 1));
    return f.n > 0;
}

static bool in_subnet(const char *subnet, int family, const uint8_t *address) {
    char text[INET6_ADDRSTRLEN];
    uint8_t base[16];
    struct str head, tail;
    uint64_t prefix = 0;
    if (!subnet || !str_cut(str_of(subnet), '/', &head, &tail) || head.len >= sizeof(text))
        return false;
    memcpy(text, head.p, head.len);
    text[head.len] = '\0';
    struct err e = str_to_u64(tail, family == AF_INET ? 32 : 128, &prefix);
    bool ok = !err_failed(e) && inet_pton(family, text, base) == 1;
    err_free(e);
    for (size_t i = 0; ok && i < prefix; i++)
        ok = !((base[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1);
    return ok;
}

/* An address of one of the asker's networks is ours to answer, whether somebody has it or not. */
static enum dns_verdict answer_reverse(const struct member *asker, const struct dns_query *q,
                                       struct dns_answer *a, unsigned *ret_rcode) {
    uint8_t address[16];
    int family = dns_reverse_parse(q->name, address);
    bool ours = false;
    for (size_t i = 0; family && i < asker->places_n; i++) {
        const struct place *mine = &asker->places[i];
        size_t len = family == AF_INET ? 4 : 16;
        const struct place *p = map_get(&mine->net->addresses, str_n(address, len));
        uint8_t name[DNS_NAME_MAX];
        ours |= in_subnet(family == AF_INET ? mine->doc->subnet : mine->doc->subnet6, family,
                          address);
        size_t n = p && mine->doc->user_defined ? place_name(p, name) : 0;
        if (!n)
            continue;
        if (q->type == DNS_PTR || q->type == DNS_ANY)
            dns_answer_add(a, DNS_PTR, DNS_TTL, name, n);
        *ret_rcode = DNS_NOERROR;
        return DNS_HERE;
    }
    *ret_rcode = DNS_NXDOMAIN;
    return ours ? DNS_HERE : DNS_FORWARD;
}

static bool answer_localhost(const struct dns_query *q, struct dns_answer *a) {
    struct str name = str_of(q->name);
    if (!str_eqz(name, "localhost") && !str_ends(name, STR(".localhost")))
        return false;
    uint32_t four = htonl(INADDR_LOOPBACK);
    if (q->type == DNS_A)
        dns_answer_add(a, DNS_A, DNS_TTL, &four, 4);
    if (q->type == DNS_AAAA)
        dns_answer_add(a, DNS_AAAA, DNS_TTL, &in6addr_loopback, 16);
    return true;
}

static enum dns_verdict outside(const struct member *asker) {
    for (size_t i = 0; i < asker->places_n; i++)
        if (!asker->places[i].doc->internal)
            return DNS_FORWARD;
    return DNS_CLOSED;
}

enum dns_verdict dns_names_answer(struct dns_names *n, const char *id, const struct dns_query *q,
                                  struct dns_answer *a, unsigned *ret_rcode) {
    const struct member *asker = map_getz(&n->members, id);
    *ret_rcode = DNS_NOERROR;
    if (!asker)
        return DNS_CLOSED;
    if (q->class != 1) {
        *ret_rcode = DNS_REFUSED;
        return DNS_HERE;
    }
    if (q->odd || !*q->name)
        return outside(asker);
    if (answer_localhost(q, a))
        return DNS_HERE;
    struct found f = {.n = 0};
    find(asker, str_of(q->name), &f);
    if (f.n) {
        add_records(n, a, &f, q);
        return DNS_HERE;
    }
    if (answer_service(asker, q, a))
        return DNS_HERE;
    if (answer_reverse(asker, q, a, ret_rcode) == DNS_HERE)
        return DNS_HERE;
    if (is_internal(n, asker, str_of(q->name))) {
        *ret_rcode = DNS_NXDOMAIN;
        return DNS_HERE;
    }
    return outside(asker);
}
