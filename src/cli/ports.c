/* ports.c - what -p, -P and --expose say. Source: the documentation of `docker run`. */
#include "base/map.h"
#include "cli/command.h"
#include <arpa/inet.h>
#include <string.h>

#define PORT_RANGE_MAX 65535

struct range {
    uint64_t first, last;
};

static struct err parse_range(struct str text, struct range *ret) {
    struct str a, b;
    bool has_last = str_cut(text, '-', &a, &b);
    TRY(str_to_u64(a, PORT_RANGE_MAX, &ret->first));
    ret->last = ret->first;
    if (has_last)
        TRY(str_to_u64(b, PORT_RANGE_MAX, &ret->last));
    if (ret->last < ret->first)
        return err_new(ERR_INVALID, "invalid range '%.*s'", STR_ARG(text));
    return OK;
}

/* [[ip:]host:]container[/proto]; ip may be in brackets. */
static void split(struct str text, struct str *ip, struct str *host, struct str *container) {
    *ip = *host = STR_NONE;
    *container = text;
    ssize_t colon = str_rfind(text, ':');
    if (colon < 0)
        return;
    *container = str_from(text, (size_t)colon + 1);
    text = str_sub(text, 0, (size_t)colon);
    *host = text;
    colon = str_rfind(text, ':');
    if (colon < 0)
        return;
    *host = str_from(text, (size_t)colon + 1);
    *ip = str_sub(text, 0, (size_t)colon);
    if (str_starts(*ip, STR("[")) && str_ends(*ip, STR("]")))
        *ip = str_sub(*ip, 1, ip->len - 1);
}

/* Keys of the bindings by text: a range has tens of thousands. */
static void index_keys(const struct objmap *bindings, const struct strs *exposed,
                       struct map *ret_bindings, struct map *ret_exposed) {
    for (size_t i = 0; i < bindings->n; i++)
        map_set(ret_bindings, str_of(bindings->items[i].key), bindings->items[i].value);
    for (size_t i = 0; i < exposed->n; i++)
        map_set(ret_exposed, str_of(exposed->items[i]), exposed->items[i]);
}

struct target {
    struct objmap *bindings;
    struct strs *exposed;
    struct map by_key, is_exposed;
    struct arena *arena;
    struct strs from;
    const char *ip;
};

static void add_binding(struct target *t, const char *key, const char *host_port) {
    struct objs *list = map_getz(&t->by_key, key);
    if (!list) {
        list = objmap_add(t->bindings, t->arena, key, sizeof *list);
        map_set(&t->by_key, str_of(key), list);
    }
    struct api_port_binding *b = objs_add(list, t->arena, sizeof *b);
    b->host_ip = arena_strz(t->arena, t->ip);
    b->host_port = arena_strz(t->arena, host_port);
    b->from = t->from;
    if (map_getz(&t->is_exposed, key))
        return;
    strs_add(t->exposed, t->arena, key);
    map_set(&t->is_exposed, str_of(key), t->exposed);
}

/* ",from=10.0.0.0/8,from=fd00::/8" behind it all. */
static struct err cut_sources(const char *text, struct str *rest, struct target *t) {
    struct str options, one, value;
    str_cut(*rest, ',', rest, &options);
    while (options.len) {
        str_cut(options, ',', &one, &options);
        if (!str_starts(one, STR("from=")))
            return err_new(ERR_INVALID, "corten: invalid port '%s': unknown option '%.*s'", text,
                           STR_ARG(one));
        value = str_from(one, strlen("from="));
        strs_add(&t->from, t->arena, arena_str(t->arena, value));
    }
    return OK;
}

static bool is_address(const char *text) {
    unsigned char a[16];
    return inet_pton(AF_INET, text, a) == 1 || inet_pton(AF_INET6, text, a) == 1;
}

static struct str lower(struct str text, struct arena *a) {
    char *z = arena_str(a, text);
    for (char *p = z; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return str_of(z);
}

static struct err add_ports(const char *text, struct str port, struct target *t) {
    struct str ip, host, container, proto;
    struct range from, to = {0, 0};
    struct arena *a = t->arena;
    split(port, &ip, &host, &container);
    t->ip = arena_str(a, ip);
    if (ip.len && !is_address(t->ip))
        return err_new(ERR_INVALID, "corten: invalid port '%s': invalid IP address: %s", text,
                       t->ip);
    if (!str_cut(container, '/', &container, &proto))
        proto = STR("tcp");
    proto = lower(proto, a);
    if (!container.len)
        return err_new(ERR_INVALID, "corten: invalid port '%s': no port specified", text);
    if (!str_eqz(proto, "tcp") && !str_eqz(proto, "udp") && !str_eqz(proto, "sctp"))
        return err_new(ERR_INVALID, "corten: invalid port '%s': unknown protocol '%.*s'", text,
                       STR_ARG(proto));
    TRYF(parse_range(container, &from), "corten: invalid containerPort in '%s'", text);
    if (host.len)
        TRYF(parse_range(host, &to), "corten: invalid hostPort in '%s'", text);
    bool one_of_range = host.len && from.first == from.last && to.first != to.last;
    if (host.len && !one_of_range && to.last - to.first != from.last - from.first)
        return err_new(ERR_INVALID,
                       "corten: invalid ranges specified for container and host Ports: '%s'", text);
    for (uint64_t i = 0; i <= from.last - from.first; i++) {
        const char *key = arena_printf(a, "%llu/%.*s", (unsigned long long)(from.first + i),
                                       STR_ARG(proto));
        const char *number = !host.len ? ""
                             : one_of_range
                                 ? arena_str(a, host)
                                 : arena_printf(a, "%llu", (unsigned long long)(to.first + i));
        add_binding(t, key, number);
    }
    return OK;
}

/* target=80,published=8080,protocol=udp,mode=host,from=… as published:target/protocol. */
static struct err long_form(const char *text, struct target *t, struct str *ret) {
    struct str rest = str_of(text), one, key, value, target = STR_NONE, published = STR_NONE,
               protocol = STR("tcp");
    while (str_next(&rest, ',', &one)) {
        if (!str_cut(one, '=', &key, &value) || !key.len)
            return err_new(ERR_INVALID, "corten: invalid port '%s': want NAME=VALUE, not '%.*s'",
                           text, STR_ARG(one));
        if (str_eqz(key, "target"))
            target = value;
        else if (str_eqz(key, "published"))
            published = value;
        else if (str_eqz(key, "protocol"))
            protocol = value;
        else if (str_eqz(key, "from"))
            strs_add(&t->from, t->arena, arena_str(t->arena, value));
        else if (!str_eqz(key, "mode") || (!str_eqz(value, "host") && !str_eqz(value, "ingress")))
            return err_new(ERR_INVALID, "corten: invalid port '%s': unknown option '%.*s'", text,
                           STR_ARG(one));
    }
    *ret = str_of(arena_printf(t->arena, "%.*s:%.*s/%.*s", STR_ARG(published), STR_ARG(target),
                               STR_ARG(protocol)));
    return OK;
}

struct err port_option(const char *text, struct objmap *bindings, struct strs *exposed,
                       struct arena *a) {
    struct target t = {.bindings = bindings, .exposed = exposed, .arena = a};
    struct str rest = str_of(text);
    index_keys(bindings, exposed, &t.by_key, &t.is_exposed);
    bool is_long = strcspn(text, "=") < strcspn(text, ",:");
    struct err e = is_long ? long_form(text, &t, &rest) : cut_sources(text, &rest, &t);
    if (!err_failed(e))
        e = add_ports(text, rest, &t);
    map_done(&t.by_key);
    map_done(&t.is_exposed);
    return e;
}

struct err expose_option(const char *text, struct strs *exposed, struct arena *a) {
    struct str ports, proto;
    struct range r;
    if (!str_cut(str_of(text), '/', &ports, &proto))
        proto = STR("tcp");
    TRYF(parse_range(ports, &r), "corten: invalid range format for --expose: %s", text);
    for (uint64_t i = r.first; i <= r.last; i++) {
        const char *key = arena_printf(a, "%llu/%.*s", (unsigned long long)i, STR_ARG(proto));
        if (!strs_has(exposed, key))
            strs_add(exposed, a, key);
    }
    return OK;
}
