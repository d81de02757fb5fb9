/* create_network.c - --network and what belongs to its first one (--ip, --network-alias, --link …)
 * → the endpoints of a container to be made. Source: the documentation of the docker command line
 * ("docker run", --network). */
#include "cli/create.h"
#include <limits.h>
#include <string.h>

static void copy_list(const struct strv *from, struct strs *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++)
        strs_add(to, a, from->items[i]);
}

/* Neither a mode nor the default network: names and aliases mean something there. */
static bool is_user_defined(const char *name) {
    return strcmp(name, "default") != 0 && strcmp(name, "bridge") != 0 &&
           strcmp(name, "host") != 0 && strcmp(name, "none") != 0 &&
           strncmp(name, "container:", 10) != 0;
}

static struct api_endpoint_ipam *ipam_of(struct api_endpoint *e, struct arena *a) {
    if (!e->ipam_config)
        e->ipam_config = arena_alloc(a, sizeof *e->ipam_config);
    return e->ipam_config;
}

/* A name, or name=…,alias=…,ip=…,mac-address=…,driver-opt=… */
static struct err parse(const char *text, struct arena *a, const char **ret_name,
                        struct api_endpoint *e) {
    struct str rest = str_of(text), one, key, value;
    *ret_name = strchr(text, '=') ? "" : text;
    while (strchr(text, '=') && str_next(&rest, ',', &one)) {
        bool pair = str_cut(str_trim(one), '=', &key, &value);
        char *z = arena_str(a, value);
        if (!pair)
            return err_new(ERR_INVALID, "corten: --network: invalid field '%.*s'", STR_ARG(one));
        if (str_eqz(key, "name"))
            *ret_name = z;
        else if (str_eqz(key, "alias"))
            strs_add(&e->aliases, a, z);
        else if (str_eqz(key, "mac-address"))
            e->mac_address = z;
        else if (str_eqz(key, "gw-priority"))
            TRYF(str_to_i64(value, INT32_MIN, INT32_MAX, &e->gw_priority), "corten: --network");
        else if (str_eqz(key, "driver-opt"))
            cli_pairs(&(struct strv){.items = &z, .n = 1}, &e->driver_opts, a);
        else if (str_eqz(key, "ip"))
            ipam_of(e, a)->ipv4_address = z;
        else if (str_eqz(key, "ip6"))
            ipam_of(e, a)->ipv6_address = z;
        else if (str_eqz(key, "link-local-ip"))
            strs_add(&ipam_of(e, a)->link_local_ips, a, z);
        else
            return err_new(ERR_INVALID, "corten: --network: invalid field '%.*s'", STR_ARG(one));
    }
    return **ret_name ? OK
                      : err_new(ERR_INVALID, "corten: --network: network name/id is not specified");
}

static struct err twice(const char *option, const char *what) {
    return err_new(ERR_INVALID,
                   "corten: conflicting options: cannot specify both --%s and per-network %s",
                   option, what);
}

/* The options of their own belong to the first network. */
static struct err add_options(const struct run_options *o, const char *name, struct arena *a,
                              struct api_endpoint *e) {
    const struct api_endpoint_ipam *has = e->ipam_config;
    if (o->alias.n && e->aliases.n)
        return twice("network-alias", "alias");
    if (o->ip && has && has->ipv4_address)
        return twice("ip", "IPv4 address");
    if (o->ip6 && has && has->ipv6_address)
        return twice("ip6", "IPv6 address");
    if (o->link_local.n && has && has->link_local_ips.n)
        return twice("link-local-ip", "link-local IP addresses");
    if (o->mac_address && e->mac_address)
        return twice("mac-address", "MAC address");
    if (o->mac_address)
        e->mac_address = arena_strz(a, o->mac_address);
    copy_list(&o->alias, &e->aliases, a);
    if (is_user_defined(name))
        copy_list(&o->link, &e->links, a);
    if (o->ip)
        ipam_of(e, a)->ipv4_address = arena_strz(a, o->ip);
    if (o->ip6)
        ipam_of(e, a)->ipv6_address = arena_strz(a, o->ip6);
    if (o->link_local.n)
        copy_list(&o->link_local, &ipam_of(e, a)->link_local_ips, a);
    return OK;
}

static struct err add_network(const struct run_options *o, struct api_container_create *doc,
                              const char *text, bool first, struct arena *a) {
    struct api_endpoint e = {0};
    const char *name;
    TRY(parse(text, a, &name, &e));
    if (objmap_get(&doc->networking->endpoints, name))
        return err_new(ERR_INVALID, "corten: network \"%s\" is specified multiple times", name);
    if (first) {
        doc->host->network_mode = arena_strz(a, name);
        TRY(add_options(o, name, a, &e));
    }
    if (e.aliases.n && !is_user_defined(name))
        return err_new(ERR_INVALID, "corten: network-scoped aliases are only supported for "
                                    "user-defined networks");
    TRY(mac_check(e.mac_address));
    struct api_endpoint *to = objmap_add(&doc->networking->endpoints, a, name, sizeof *to);
    *to = e;
    return OK;
}

struct err create_networks(struct invocation *in, struct api_container_create *doc) {
    const struct run_options *o = in->options;
    struct arena *a = &in->arena;
    bool own = false, modes = false,
         special = o->ip || o->ip6 || o->mac_address || o->alias.n || o->link_local.n || o->link.n;
    for (size_t i = 0; i < o->network.n; i++)
        special |= strchr(o->network.items[i], '=') != NULL;
    doc->host->network_mode = arena_strz(a, o->network.n ? o->network.items[0] : "default");
    if (o->network.n <= 1 && !special)
        return OK;
    doc->networking = arena_alloc(a, sizeof *doc->networking);
    for (size_t i = 0; i < MAX(o->network.n, (size_t)1); i++)
        TRY(add_network(o, doc, o->network.n ? o->network.items[i] : "default", i == 0, a));
    for (size_t i = 0; i < doc->networking->endpoints.n; i++) {
        bool user = is_user_defined(doc->networking->endpoints.items[i].key);
        own |= user;
        modes |= !user;
    }
    if (own && modes)
        return err_new(ERR_INVALID, "corten: conflicting options: cannot attach both user-defined "
                                    "and non-user-defined network-modes");
    if (doc->networking->endpoints.n == 1 &&
        fields_empty(&api_endpoint_fields, doc->networking->endpoints.items[0].value))
        doc->networking = NULL;
    return OK;
}
