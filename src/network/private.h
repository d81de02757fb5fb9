/* network/private.h - what the files of network/ share and nobody else sees. */
#pragma once
#include "base/map.h"
#include "kernel/netlink.h"
#include "kernel/nft.h"
#include "network/network.h"
#include <stdio.h>
#include <stdlib.h>

/* --- subnets: subnet.c -------------------------------------------------------------------------
 */

/* Addresses in host byte order: arithmetic is done on them. */
struct subnet {
    uint32_t base;
    unsigned prefix;
};
static inline uint32_t prefix_mask(unsigned prefix) {
    return prefix ? UINT32_MAX << (32 - prefix) : 0;
}
bool subnet_has(struct subnet s, uint32_t address);
bool subnet_overlap(struct subnet a, struct subnet b);
struct subnets VEC_BODY(struct subnet);
/* "10.1.0.0/24"; with ret_address the bits behind the prefix are allowed and handed over. */
struct err subnet_parse(const char *text, struct subnet *ret, uint32_t *ret_address);
struct err address_parse(const char *text, struct in_addr *ret);
char *address_format(struct in_addr a, char out[INET_ADDRSTRLEN]);
/* What the host routes somewhere, without default routes and without what leads to `bridge`. */
struct err subnet_host_routes(const char *bridge, struct subnets *ret);
/* Where subnets are cut from: each of `prefix` bits out of `base`. */
struct subnet_source {
    struct subnet base;
    unsigned prefix;
};
struct subnet_sources VEC_BODY(struct subnet_source);
/* Reads both forms of struct networks_config.pools; NULL: none. */
struct err subnet_sources_parse(const char *json, struct subnet_sources *to);
/* The first subnet of the sources (n == 0: the built-in ones) that overlaps none of `taken`; false:
 * all are taken. */
bool subnet_choose(const struct subnet_sources *from, const struct subnets *taken,
                   struct subnet *ret);

/* --- addresses of the host, sources: address.c -----------------------------------------------
 */

struct err host_address_parse(const char *text, struct host_address *ret);
struct err source_parse(const char *text, struct port_source *ret);
/* First and last address; IPv4: the first four bytes. */
void source_range(const struct port_source *s, uint8_t ret_first[16], uint8_t ret_last[16]);

/* --- IPv6: six.c -------------------------------------------------------------------------------
 */

bool six_is_set(const struct in6_addr *a); /* not :: */
bool six_within(const struct in6_addr *base, unsigned prefix, const struct in6_addr *a);
struct err six_parse(const char *text, struct in6_addr *ret);
struct err six_parse_subnet(const char *text, struct in6_addr *ret, unsigned *ret_prefix);
char *six_format(const struct in6_addr *a, char out[INET6_ADDRSTRLEN]);
/* The pool of a network: used when its `six` is set, else only kept. Texts may be NULL. */
struct six_pool {
    const char *subnet, *gateway, *range;
    const struct strmap *aux;
};
struct err six_configure(const struct networks *n, struct network *w, const struct six_pool *p);
/* The default bridge as the configuration says. */
struct err six_configure_default(const struct networks *n, struct network *w);
/* That a fixed address lies in the pool of a network whose pool is not used. */
struct err six_check_fixed(const struct network *w, const char *fixed);
/* An address that no endpoint of w has. CONFLICT, INVALID: the fixed one cannot be had. */
struct err six_take(const struct network *w, const char *fixed, struct in_addr four,
                    struct in6_addr *ret);

/* --- addresses of a network: pool.c ------------------------------------------------------------
 */

struct network_pool {
    uint32_t first, last; /* usable, host byte order */
    uint32_t next;        /* where the search goes on: rotation */
    struct map used;      /* 4 bytes of address → endpoint id (borrowed) */
};
struct network_pool *pool_new(struct subnet range, struct subnet subnet);
struct network_pool *pool_free(struct network_pool *p);
/* The next free address. ERR_SYSTEM when all are used. */
struct err pool_take(struct network_pool *p, const char *holder, uint32_t *ret);
/* This address. ERR_CONFLICT when used, ERR_INVALID outside the subnet. */
struct err pool_take_fixed(struct network_pool *p, uint32_t address, const char *holder);
void pool_give(struct network_pool *p, uint32_t address);

/* --- the registry ------------------------------------------------------------------------------
 */

/* One published port in the own table, for conflicts that name the holder. */
struct port_hold {
    struct port_hold *next; /* same protocol and port, other address */
    struct host_address ip;
    struct endpoint *endpoint;
};

struct networks {
    struct store *store;
    struct loop *loop;
    char *instance, *nft_program, *run_dir;
    const struct cgroup *cgroup; /* of the programs beside the daemon */
    char table[32], bridge[IFNAMSIZ];
    struct in_addr bind_ip;
    struct subnet bip; /* prefix 0: not given */
    uint32_t bip_address;
    struct subnet fixed; /* --fixed-cidr; prefix 0: none */
    struct subnet_sources sources;
    bool six;
    char *bip6, *fixed6;    /* or NULL */
    struct strmap defaults; /* "DRIVER=KEY" → value; in the arena */
    struct arena arena;
    bool icc, masquerade, forward;
    unsigned mtu;
    struct network **items; /* in order of creation */
    size_t items_n, items_cap;
    struct map by_id, by_name, endpoints; /* endpoints by id */
    struct map ports;                     /* {proto, port} → struct port_hold, the first */
    struct bus bus;
    struct strv warnings;
    char *dns_forwards; /* lines "domain address…", or NULL */
    char *host_gateway;
    bool default_names, rules, rules6, relay_all;
    bool forwarding_ours;
    struct nft_sockets *sockets;
    struct names *names;
    struct relay_host *relay; /* NULL: not configured */
    struct settle *settling;  /* the job that is under way, or NULL */
    struct spares *spares;
};

/* Namespaces made ahead: spare.c. */
struct network_spare {
    int netns_fd;
    struct netlink in; /* a socket inside */
};
struct spares *spares_new(struct networks *n);
struct spares *spares_free(struct spares *s);
/* Pool. A new namespace: lo up, IPv6 off for all but lo. proc: a procfs to do it by; -1: /proc.
 * Written only on success. */
struct err network_empty(int proc, struct netlink *ret_in, int *ret_fd);

/* The daemon's end of corten-dns: names.c. */
struct names *names_new(struct networks *n, const char *program);
struct names *names_free(struct names *n);
/* Lines "domain address…" from the configuration's JSON (NULL: *ret is NULL). ERR_INVALID. */
struct err names_forwards_parse(const char *json, char **ret);
/* The daemon's end of corten-relay: relay_host.c. NULL program: NULL. */
struct relay_host *relay_new(struct networks *n, const char *program);
struct relay_host *relay_free(struct relay_host *h);
/* A port may have been published on IPv6. */
void relay_need(struct networks *n);
/* The rules of links as the endpoints have them now: settle.c. */
struct err settle_links(struct networks *n);
/* The registry goes away under a job of networks_settle: settle.c. */
void settle_forget(struct networks *n);
/* Pairs that no endpoint knows: stray.c. Pool: those that hang on these bridges. Loop: removes the
 * ones among them that nobody has, by a job of its own. */
struct err strays_look(const struct strv *bridges, struct strv *ret);
void strays_remove(struct networks *n, const struct strv *pairs, const struct strv *parents);
struct network *network_new(void);
struct network *network_free(struct network *w);
void networks_insert(struct networks *n, struct network *w);
void networks_take_out(struct networks *n, struct network *w);
/* Sets subnet, gateway, pool. gateway 0: the first address. range.prefix 0: the subnet. */
void network_set_subnet(struct network *w, struct subnet s, uint32_t gateway, struct subnet range);
/* Takes the auxiliary addresses out of the pool. INVALID: no address of the subnet, or given twice.
 */
struct err network_reserve_aux(struct network *w);
/* Chooses a subnet that is free on this host and among our networks. */
struct err network_choose_subnet(struct networks *n, struct network *w);
void networks_publish(struct networks *n, const char *action, const struct network *w,
                      const char *container_id);

/* endpoint_options.c. Pool: sets them; the caller is in the container's namespace. */
struct err endpoint_sysctls_set(const char *sysctls, const char *interface);
/* link_local.c. INVALID: one of IPv6, and the network has none. list may be NULL. */
struct err link_locals_fit(const struct network *w, const struct strs *list);
struct netlink;
/* Gives the container's interface what it was asked to have beside its addresses. */
struct err link_locals_up(const struct endpoint_plan *p, struct netlink *inside);
/* Interface names as the kernel takes them. */
bool is_interface_name(const char *name);
/* "02:42:ac:11:00:02"; group addresses are refused. */
struct err mac_parse(const char *text, uint8_t ret[6]);

/* networks on an interface of the host: parent.c */
bool network_has_parent(const struct network *w);
/* Networks that hold settings for others: settings.c. */
struct err settings_make(struct network *w, const struct network_request *r);
/* r with the settings of the network it names; *ret borrows from both. INVALID: r says something
 * about them itself. */
struct err settings_apply(const struct networks *n, const struct network_request *r,
                          struct network *w, struct network_request *ret);
/* Reads struct networks_config.options. */
struct err settings_defaults(struct networks *n, const char *const texts[2]);
/* The defaults of w's driver that the request does not speak of, into w->options. */
void settings_complete(const struct networks *n, struct network *w);
bool settings_used(const struct networks *n, const struct network *w);
const char *gateway_mode_name(enum gateway_mode m);
/* Is this an option of its driver that parent_of reads? */
bool parent_option(const struct network *w, const char *key);
/* From driver, id and options. INVALID: the option named. */
struct err parent_of(const struct network *w, struct network_parent *ret);
/* Loop: as parent_of; FORBIDDEN: another network of ours has the interface in a way that does not
 * go together with this one. */
struct err parent_check(const struct networks *n, const struct network *w,
                        struct network_parent *ret);
/* Loop: another network of ours is on the same interface. */
bool parent_shared(const struct networks *n, const struct network *w);

/* rows: row.c */
void network_row_put(struct store_txn *t, const struct network *w);
void network_row_delete(struct store_txn *t, const struct network *w);
struct err network_rows_load(struct networks *n);

/* the table of published ports: holds.c */
struct port_hold *hold_find(const struct networks *n, uint8_t proto, const struct host_address *ip,
                            uint16_t port);
void hold_add(struct networks *n, struct endpoint *e, const struct port_mapping *m);
void hold_drop_all(struct networks *n, struct endpoint *e);

/* --- pool thread: host.c, link.c, bind.c, rules.c ----------------------------------------------
 */

/* What the kernel's side of one network needs; part of a plan, or built by settle and remove. */
struct host_plan {
    const char *bridge, *table, *nft_program, *run_dir;
    struct in_addr subnet, gateway;
    unsigned prefix, mtu;
    bool internal, icc, masquerade;
    enum gateway_mode mode, mode6;
    bool inhibit_four;
    struct in_addr source;
    struct in6_addr source6;
    bool forward; /* forwarding may be switched on */
    bool rules;   /* the packet filter is used */
    bool rules6;  /* for IPv6 as well */
    bool six;
    struct in6_addr gateway6;
    unsigned prefix6;
};
/* Strings are borrowed from both. */
struct host_plan host_plan_for(const struct networks *n, const struct network *w);
/* Makes bridge, rules and forwarding switch, or what is missing of them. Safe to run twice at once.
 */
struct err host_prepare(const struct host_plan *h, bool *ret_table_loaded);
struct err host_remove(const struct host_plan *h);
struct err host_warnings(const char *table, struct strv *ret);
bool host_forwarding_ours(const char *run_dir);

unsigned link_index(const char *name); /* 0: there is none */
struct err link_bridge(struct netlink *nl, const struct host_plan *h);
void bridge_mac(const struct host_plan *h, uint8_t ret[6]);
/* One that is gone is success. */
struct err link_remove(struct netlink *nl, const char *name);
struct veth {
    const char *host_name, *name; /* in the host, in the container */
    int netns_fd;
    unsigned bridge_index, mtu;
    const uint8_t *mac;
    bool closed; /* may reach the host only: ruleset_bridge.nft */
};
struct err link_veth(struct netlink *nl, const struct veth *v);
/* Makes the interface when it is a VLAN or a dummy that is not there. INVALID: there is no such
 * interface; UNSUPPORTED: this kernel has no such driver, by name. */
struct err parent_prepare(const struct network_parent *p, const char *table);
/* Takes it away again, when it was this daemon's. */
struct err parent_remove(const struct network_parent *p, const char *table);
/* The interfaces that bear this daemon's mark. */
struct err parents_look(const char *table, struct strv *ret);
struct on_parent {
    const struct network_parent *parent;
    const char *name;
    int netns_fd;
    unsigned mtu;
    const uint8_t *mac;
};
struct err link_on_parent(struct netlink *nl, const struct on_parent *v);
struct err link_set_mac(struct netlink *inside, const char *name, const uint8_t mac[6]);
/* Waits, shortly, until the kernel has noticed that the interface has a carrier. It does so in a
 * work item of its own; until then queue and bridge port drop every packet, and a first ARP request
 * that is lost costs a second. (Since Linux 6.8 the question itself makes it notice.) */
struct err link_wait_up(struct netlink *nl, const char *name);
struct inside {
    const char *name;
    struct in_addr address, gateway; /* gateway 0: no default route, unless */
    bool direct;                     /* it leads to the interface alone */
    unsigned prefix;
};
/* Through a socket that lives in the container's namespace. */
struct err link_inside(struct netlink *nl, const struct inside *in);
/* The interface's IPv6 address. */
/* One more IPv4 address of this link. */
struct err link_inside_more(struct netlink *nl, const char *name, struct in_addr address,
                            unsigned prefix);
struct err link_inside_six(struct netlink *nl, const char *name, const struct in6_addr *address,
                           unsigned prefix);
/* The default route; ::, it leads to the interface alone. */
struct err link_inside_six_route(struct netlink *nl, const char *name,
                                 const struct in6_addr *gateway);
/* The bridge's own IPv6 address. One that it has is success. */
struct err link_bridge_six(struct netlink *nl, const struct host_plan *h);
/* The same: the default route leads through this gateway, or, 0, to the interface alone. */
struct err link_default_route(struct netlink *nl, const char *name, struct in_addr gateway);
struct err link_no_default_route(struct netlink *nl);
struct err link_lo_up(struct netlink *nl);

/* How a network publishes: of a network, or of a plan of one of its endpoints. ports_adapt.c */
struct publishing {
    const char *name; /* of the network, in errors; NULL: unknown */
    bool parent, internal, four, six, relay, relayed6;
    enum gateway_mode mode, mode6;
};
struct publishing publishing_of(const struct networks *n, const struct network *w);
struct publishing publishing_of_plan(const struct endpoint_plan *p);
/* The requests as this network can serve them, for each family: appended to *to. Internal, macvlan
 * and ipvlan networks publish nothing, as with the peer. UNSUPPORTED by name: an address of IPv4
 * for what has IPv6 only, where corten-relay cannot help; sources of a routed port. */
struct err ports_adapt(const struct publishing *how, const struct port_requests *from,
                       struct port_requests *to);

/* Binds the asked ports; fills ports (owned by the caller) and the sockets and lines of l.
 * by.relay: corten-relay serves what the kernel cannot translate, or all. After an error l holds no
 * sockets.
 */
struct port_server {
    bool relay, all;
    bool mapped; /* corten-relay serves IPv4 too: all, or a container that has IPv6 only */
};
struct err ports_bind(const struct port_requests *requests, struct port_server by,
                      struct port_mappings *ports, struct endpoint_live *l);

/* Loads the table when it is missing. foreign_drop: see ruleset.nft. */
struct err rules_load(const struct host_plan *h, bool foreign_drop, bool *ret_loaded);
struct err rules_load_six(const struct host_plan *h, bool foreign_drop);
/* For networks whose containers may not talk to each other: ruleset_bridge.nft. */
struct err rules_load_bridge(const struct host_plan *h);
/* Elements that make the network known to the rules. */
struct err rules_add_network(const struct host_plan *h);
struct err rules_remove_network(const struct host_plan *h);
/* elements.c: where published ports lead to, and what that is to the rules. */
struct port_target {
    struct in_addr address;   /* 0: none */
    struct in6_addr address6; /* ::, none */
    bool routed, routed6;     /* reached by these addresses themselves */
};
typedef void port_element_fn(void *arg, bool six, const char *set, const struct nft_element *e);
void port_elements(const struct port_mappings *ports, const struct port_target *to,
                   port_element_fn *fn, void *arg);
void link_elements(const struct endpoint *e, port_element_fn *fn, void *arg);
/* Sockets to nf_tables that are kept: sockets.c. All three take NULL: nothing is kept. */
struct nft_sockets *nft_sockets_new(void);
struct nft_sockets *nft_sockets_free(struct nft_sockets *s);
struct err nft_socket_take(struct nft_sockets *s, struct netlink *ret);
/* A socket that has failed is to be closed (netlink_done), not given back. */
void nft_socket_give(struct nft_sockets *s, struct netlink *nl);

struct published {
    bool relayed; /* nothing is to be done */
    const char *table;
    const struct port_mappings *ports;
    struct port_target to;
    struct nft_sockets *sockets;
};
/* steal: an element that leads elsewhere is replaced; else it is ERR_CONFLICT. */
struct err rules_publish(const struct published *p, bool steal);
struct err rules_unpublish(const struct published *p);
