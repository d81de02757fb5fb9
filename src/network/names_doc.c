/* The document of one container for corten-dns. */
#include "network/names.h"

#define P(member, name, kind) FIELD(struct names_place, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(names_place_fields, struct names_place, P(network, "network", F_STR),
       P(network_name, "name", F_STR), P(address, "address", F_STR), P(subnet, "subnet", F_STR),
       P(address6, "address6", F_STR), P(subnet6, "subnet6", F_STR),
       P(internal, "internal", F_BOOL), P(user_defined, "shared", F_BOOL),
       P(aliases, "aliases", F_STRS), P(links, "links", F_STRS));

#define M(member, name, kind, ...) \
    FIELD(struct names_member, member, name, kind, .flags = OMIT_EMPTY, ##__VA_ARGS__)
FIELDS(names_member_fields, struct names_member, M(id, "id", F_STR), M(name, "name", F_STR),
       M(hostname, "hostname", F_STR), M(live, "live", F_BOOL),
       M(places, "places", F_ARRAY, .sub = &names_place_fields), M(servers, "servers", F_STRS),
       M(ports, "ports", F_STRS), M(labels, "labels", F_STRMAP));

#define ONE_BY_ONE_MAX 64

static void add_runs(const bool *has, const char *proto, struct strs *ret, struct arena *a) {
    for (unsigned first = 1; first <= UINT16_MAX; first++) {
        unsigned last = first;
        if (!has[first])
            continue;
        while (last < UINT16_MAX && has[last + 1])
            last++;
        strs_add(ret, a,
                 first == last ? arena_printf(a, "%u/%s", first, proto)
                               : arena_printf(a, "%u-%u/%s", first, last, proto));
        first = last;
    }
}

struct strs names_ports(const struct strs *ports, struct arena *a) {
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
    struct strs runs = {0};
    if (ports->n <= ONE_BY_ONE_MAX)
        return *ports;
    bool *has[ARRAY_LEN(protos)];
    for (size_t k = 0; k < ARRAY_LEN(protos); k++)
        has[k] = arena_array(a, UINT16_MAX + 1, sizeof(bool));
    for (size_t i = 0; i < ports->n; i++) {
        uint8_t proto = 0;
        uint16_t port = 0;
        err_ignore(port_parse(str_of(ports->items[i]), &proto, &port)); /* checked at create */
        for (size_t k = 0; k < ARRAY_LEN(protos); k++)
            has[k][port] |= proto == protos[k];
    }
    for (size_t k = 0; k < ARRAY_LEN(protos); k++)
        add_runs(has[k], port_proto_name(protos[k]), &runs, a);
    return runs;
}
