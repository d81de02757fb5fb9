/* build/ports.c - EXPOSE's port specifications. */
#include "build/state.h"

static struct err port_number(struct str s, uint64_t *ret) {
    return str_to_u64(s, 65535, ret);
}

struct err expose_ports(struct str spec, struct arena *a, struct strs *ret) {
    struct str ports, proto, first, last;
    bool has_proto = str_cut(spec, '/', &ports, &proto);
    if (!has_proto)
        proto = STR("tcp");
    static const char *const known[] = {"tcp", "udp", "sctp"};
    const char *name = NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq_nocase(proto, str_of(known[i])))
            name = known[i];
    if (!name)
        return err_new(ERR_INVALID, "invalid port: \"%.*s\": invalid proto: %.*s", STR_ARG(spec),
                       STR_ARG(proto));
    /* A host port or address in front (as in -p) says nothing here; the peer takes it, too. */
    ssize_t colon = str_rfind(ports, ':');
    if (colon >= 0)
        ports = str_from(ports, (size_t)colon + 1);
    uint64_t from, to;
    bool range = str_cut(ports, '-', &first, &last);
    struct err e = port_number(first, &from);
    if (!err_failed(e))
        e = port_number(range ? last : first, &to);
    bool bad = err_failed(e) || to < from;
    err_free(e); /* the port is named below */
    if (bad)
        return err_new(ERR_INVALID, "invalid containerPort: %.*s", STR_ARG(spec));
    for (uint64_t p = from; p <= to; p++)
        strs_add(ret, a, arena_printf(a, "%u/%s", (unsigned)p, name));
    return OK;
}
