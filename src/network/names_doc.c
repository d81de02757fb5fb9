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
