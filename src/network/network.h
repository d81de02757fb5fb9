/* network.h - the noun "network": who is connected where, with which address and which ports.
 *
 * The door of network/. Facts live in `struct networks` on the loop: networks, address pools,
 * endpoints (one container on one network) and the table of published ports. The kernel's side is
 * one bridge per network, one veth pair per endpoint, one nftables table per daemon (named after
 * the instance; src/network/ruleset.nft is the whole of it) and one map element per published port.
 *
 * State
 *   durable   row per network in the store (predefined ones too: their ids are stable)
 *   volatile  endpoints: addresses, ports, names of interfaces. The container's record keeps the
 * text of endpoint_encode under /run and hands it back after a daemon restart (endpoint_adopt).
 *   kernel    bridge, table and forwarding switch are made when the first endpoint needs them,
 * never before: a daemon that runs no bridged container leaves no trace on the host. They stay when
 * the daemon ends, so connections through published ports survive its restart; networks_settle
 * compares and mends, it never flushes.
 *
 * Threads: everything runs on the loop, but the functions marked *pool*: these block (netlink, one
 * exec of `nft` in the life of a table) and see only what they are given.
 *
 * Life of an endpoint (prepare, work, finish):
 *   endpoint_reserve (loop) → endpoint_up (pool) → endpoint_settle (loop) → … runs …
 *   → endpoint_down (pool) → endpoint_release (loop)
 * A failed endpoint_up leaves nothing in the kernel; then only endpoint_release remains to be
 * called. Interfaces are never deleted on this path (RTM_DELLINK waits for RCU under the lock that
 * everybody needs: 27 ms): they die with the network namespace, that is when the last process and
 * the last descriptor of it are gone. Addresses rotate through the subnet, so one is reused as late
 * as possible.
 *
 * Published ports: DNAT by one map lookup for new connections to local addresses, from other hosts,
 * from the host itself by any of its addresses and by 127.0.0.1, and from containers (hairpin). A
 * bound socket per port, held by the monitor, makes conflicts visible in both directions.
 * route_localnet is on for our bridges only, together with a rule that drops what a bridge sends to
 * 127.0.0.0/8.
 *
 * A container may have endpoints on several networks; one of them is its way out (default_route)
 * and publishes its ports.
 *
 * IPv6: a second table (ruleset_six.nft), with the first network that asks for it: containers reach
 * each other and the outside. Ports are published on IPv6 by translation where the container has
 * IPv6, else, and on ::1, by corten-relay ("the relay" below).
 *
 * macvlan, ipvlan: an interface of the container's own on one of the host's (option parent),
 * without bridge, rules or published ports; subnet and gateway are those of the network out there.
 * A VLAN of the parent ("eth0.10"), and a dummy where no parent was named, are made and taken away
 * by us.
 *
 * Not here: drivers other than bridge, macvlan, ipvlan, host, none: refused by name.
 * Limits: NETWORK_*_MAX below. Tests: test/unit/network, test/kernel/network-*.c (real traffic
 * between namespaces).
 */
#pragma once
#include "base/err.h"
#include "base/vec.h"
#include "loop/bus.h"
#include "loop/loop.h"
#include "spec/api_stats.h"
#include "spec/fields.h"
#include "store/store.h"
#include <net/if.h>
#include <netinet/in.h>

#define NETWORK_NAME_LEN_MAX 128
#define NETWORK_NAMES_MAX 1024 /* aliases, or links, of one endpoint */
#define NETWORK_PORTS_MAX 4096 /* published ports, or ranges of them, of one endpoint */
#define NETWORK_LINK_LOCALS_MAX 16
#define NETWORK_BOUND_MAX 256 /* ports of one range that are bound; longer ones are looked up */

/* --- ports --------------------------------------------------------------------------------- */

/* An address of this host, IPv4 or IPv6; the other field is zero. Network byte order. */
struct host_address {
    bool six;
    struct in_addr four;
    struct in6_addr v6;
};
#define HOST_ADDRESS_LEN (INET6_ADDRSTRLEN + 2)
/* "10.1.2.3", "fd00::1"; in messages with a port, IPv6 wears brackets ("[fd00::1]"). */
char *host_address_format(const struct host_address *a, char out[HOST_ADDRESS_LEN]);
char *host_address_bracket(const struct host_address *a, char out[HOST_ADDRESS_LEN]);
bool host_address_any(const struct host_address *a); /* 0.0.0.0 or :: */
bool host_address_loopback(const struct host_address *a);
bool host_address_equal(const struct host_address *a, const struct host_address *b);

/* Who may use a published port: networks of other hosts and containers. None: everybody. The host
 * itself always may: it reaches the container's own address as well. */
#define NETWORK_SOURCES_MAX 16
struct port_source {
    bool six;
    uint8_t prefix, base[16]; /* IPv4: the first four */
};
struct port_sources {
    uint8_t n;
    struct port_source items[NETWORK_SOURCES_MAX];
};
/* "10.0.0.0/8", "fd00::/8", "10.1.2.3". Networks within others are dropped. ERR_INVALID. */
struct err sources_parse(const struct strs *texts, struct port_sources *ret);
char *source_format(const struct port_source *s, char out[HOST_ADDRESS_LEN + 4]);
/* May this address (sockaddr_in or sockaddr_in6)? True when the list is empty. */
bool sources_allow(const struct port_sources *s, const struct host_address *a);

/* What a container asks for. Ports are in host order. */
struct port_request {
    uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP */
    bool routed;   /* set in network/: no port of the host */
    uint16_t container_port;
    uint16_t count;                 /* of consecutive ports, 1 or more; above 1 only fixed ones */
    struct host_address host_ip;    /* 0.0.0.0, ::: every local address */
    bool both;                      /* host_ip is 0.0.0.0, and :: is meant as well */
    uint16_t host_first, host_last; /* equal: that port; a range: the first free of it; 0,0: any */
    struct port_sources from;
};
struct port_requests VEC_BODY(struct port_request);
/* Consecutive fixed ports become one request: in place, the order changes. */
void port_requests_merge(struct port_requests *v);

/* What it has got: count ports from host_port lead to count ports from container_port. */
struct port_mapping {
    uint8_t proto;
    uint16_t container_port;
    struct host_address host_ip;
    uint16_t host_port, count; /* host_port 0: reached by the container's own address (routed) */
    struct port_sources from;
};
struct port_mappings VEC_BODY(struct port_mapping);

/* "80/tcp", "53/udp", "80" (tcp). ERR_INVALID names what is wrong; sctp is ERR_UNSUPPORTED. */
struct err port_parse(struct str text, uint8_t *ret_proto, uint16_t *ret_port);
/* One entry of HostConfig.PortBindings: key "80/tcp", HostIp ("": the default bind address, and
 * when that is 0.0.0.0, :: too), HostPort ("", "0": any; "8080"; "8000-8010"), From (may be NULL).
 */
struct err port_request_parse(const char *key, const char *host_ip, const char *host_port,
                              struct in_addr default_ip, const struct strs *from,
                              struct port_request *ret);
/* "tcp", "udp". */
const char *port_proto_name(uint8_t proto);

/* --- the registry -------------------------------------------------------------------------- */

struct cgroup;
struct networks_config {
    const char *instance; /* "": the default instance (bridge corten0, table corten); else up to 4
                             hex digits: bridge "corten-<hex>", table "corten-<hex>" */
    const char *bridge_name; /* NULL: by instance */
    const char *bip; /* "10.9.0.1/24": address and subnet of the default bridge; NULL: first free
                        pool of 172.17-31.0.0/16, then 192.168.0-240.0/20 */
    const char *fixed_cidr;       /* with bip: addresses of the default bridge are given from it */
    bool icc_off, masquerade_off; /* of the default bridge */
    bool six;                     /* of the default bridge; the next two need it */
    const char *bip6;             /* "fd00::1/64"; NULL: fixed_cidr6's first address, or, without
                                     that, a unique local subnet (RFC 4193) */
    const char *fixed_cidr6;      /* addresses are given from it */
    /* Options of new networks that do not say otherwise: a JSON array of "DRIVER=KEY=VALUE", and
     * {"DRIVER": {"KEY": "VALUE"}}; NULL: none. */
    const char *options[2];
    bool forward_off; /* never switch forwarding on */
    bool rules_off;   /* no packet filter: ports are corten-relay's, nothing is translated or kept
                         apart */
    bool rules6_off;  /* the same for IPv6 alone */
    bool relay_all; /* ports are published by corten-relay alone: the host's input policy decides */
    /* Where subnets come from instead: JSON arrays of "base=10.0.0.0/8,size=24" and of
     * {"base": "10.0.0.0/8", "size": 24}, IPv4; NULL: none. */
    const char *pools[2];
    /* JSON array of "DOMAIN=ADDRESS[,ADDRESS…]": names in that domain are asked there and nowhere
     * else, the longest domain wins; NULL: none. */
    const char *dns_forwards;
    bool default_names;          /* names are answered on the default network as well */
    const char *host_gateway;    /* address that host-gateway stands for; NULL: the gateway */
    const char *bind_ip;         /* default address for published ports; NULL: 0.0.0.0 */
    const char *run_dir;         /* <run-root>/network, made here (mode 0700) */
    unsigned mtu;                /* 0: 1500 */
    const char *nft_program;     /* NULL: /usr/sbin/nft */
    const struct cgroup *cgroup; /* where the two programs are born; NULL: where the caller is */
    const char *dns_program;     /* corten-dns; NULL: names are not answered */
    const char *relay_program;   /* corten-relay; NULL: ports are published by translation only */
};

struct networks;
/* Loads the rows, makes the predefined networks (bridge, host, none) on the first start. Touches
 * nothing in the kernel. Strings of config are copied. */
struct err networks_open(struct store *s, struct loop *l, const struct networks_config *config,
                         struct networks **ret);
/* Frees memory only; the kernel's side stays. NULL allowed; returns NULL. No ops may be under way.
 */
struct networks *networks_close(struct networks *n);

/* Compares the kernel with the adopted endpoints and mends the difference: removes map elements
 * that belong to no endpoint, adds missing ones, loads the table again when somebody flushed it. To
 * be called once after all endpoint_adopt calls. A job on the pool; done (may be NULL) on the loop.
 */
void networks_settle(struct networks *n, void (*done)(void *arg, struct err e), void *arg);

/* Facts for `info`: text lines of warnings ("table filter, chain FORWARD drops …"), collected by
 * the last job that touched the kernel; borrowed, valid until the next one. */
const struct strv *networks_warnings(const struct networks *n);
/* Did a corten daemon switch net.ipv4.ip_forward on since boot? */
bool networks_forwarding_ours(const struct networks *n);

/* --- networks ------------------------------------------------------------------------------ */

/* How a network and the outside reach each other, for each family
 * (com.docker.network.bridge.gateway_mode_ipv4 and _ipv6). */
enum gateway_mode {
    GATEWAY_NAT,         /* "nat": translated both ways; published ports are reached */
    GATEWAY_UNPROTECTED, /* "nat-unprotected": and every port, by who has a route to it */
    GATEWAY_ROUTED,      /* "routed": nothing is translated; published ports are reached by the
                            container's own address */
    GATEWAY_ISOLATED,    /* "isolated": the bridge has no address; internal networks only */
};

enum network_driver { NETWORK_BRIDGE, NETWORK_HOST, NETWORK_NONE, NETWORK_MACVLAN, NETWORK_IPVLAN };

/* Read-only for others; changed only in network/. */
struct network {
    char id[65];
    char *name;
    enum network_driver driver; /* printed "bridge", "host", "null", "macvlan", "ipvlan" */
    bool predefined, internal, attachable;
    int64_t created; /* wall ns */
    /* Settings for other networks, and nothing else; printed "null". The texts are the user's. */
    bool config_only;
    struct network_pools *settings; /* config_only, else NULL; in the arena */
    char *config_from; /* the network that the settings are of, or NULL; in the arena */
    bool no_four;      /* IPv6 only: no subnet, prefix 0 */
    enum gateway_mode mode, mode6;
    bool inhibit_four;            /* the bridge has no IPv4 address: the gateway is somebody else */
    char if_prefix[IFNAMSIZ - 3]; /* of interface names in containers; "": "eth" */
    struct in_addr source; /* what the outside sees containers as; 0: as the kernel chooses */
    struct in6_addr source6;
    struct in_addr subnet;  /* bridge only; all in network byte order */
    struct in_addr gateway; /* address of the bridge itself */
    struct in_addr range;   /* addresses are given from range/range_prefix */
    unsigned prefix, range_prefix;
    bool six; /* IPv6 as well; the next three. Without: an IPv6 pool that is kept, but not used */
    struct in6_addr subnet6, gateway6;
    unsigned prefix6;       /* 0: no IPv6 pool */
    struct in6_addr range6; /* addresses are given from range6/range_prefix6 */
    unsigned range_prefix6;
    bool icc, masquerade;
    unsigned mtu;
    struct in_addr bind_ip; /* default address of published ports */
    char bridge[IFNAMSIZ];
    struct strmap labels, options; /* options as the user gave them */
    struct strmap aux, aux6;       /* addresses that are never given out, by name */
    struct list endpoints;         /* struct endpoint.link */
    size_t endpoints_n;
    struct network_pool *pool; /* private */
    struct arena arena;        /* private: labels, options */
    bool removing;             /* private, as the next two */
    bool fixed;                /* subnet asked for by the user or the configuration */
    bool host_ready;           /* this daemon has seen bridge and rules in the kernel */
};
const char *network_driver_name(enum network_driver d);
/* Addresses and endpoints: bridge, macvlan and ipvlan. */
bool network_has_endpoints(const struct network *w);
/* Containers of this network may have published ports: a bridge with an outside. */
bool network_publishes(const struct network *w);

/* By full id, name, or unique id prefix (in this order). NULL: none, or a prefix of several. */
struct network *network_find(const struct networks *n, const char *ref);
/* As network_find; ERR_NOT_FOUND "network X not found", ERR_INVALID for an ambiguous prefix. */
struct err network_get(const struct networks *n, const char *ref, struct network **ret);
/* In order of creation: `size_t it = 0; while ((w = network_next(n, &it)))`. */
struct network *network_next(const struct networks *n, size_t *it);

/* User-defined bridge network. Text fields as in POST /networks/create; NULL and zero: default. */
struct network_pools {
    char *subnet, *gateway, *ip_range, *subnet6, *gateway6, *ip_range6; /* NULL: not given */
};
struct network_request {
    const char *name, *driver;
    const char *subnet, *gateway, *ip_range; /* "10.1.0.0/24", "10.1.0.1", "10.1.0.128/25" */
    struct strmap aux;                       /* name → address in the subnet, never given out */
    /* NULL: with six a unique local one (RFC 4193). Without six, a pool that is kept and shown, and
     * that fixed addresses of endpoints are compared with; no address is given from it. */
    const char *subnet6, *gateway6, *ip_range6;
    struct strmap aux6;
    bool internal, attachable, six;
    bool no_four; /* IPv6 only; needs six */
    /* The network is to hold settings (pools, options, labels, families) for others; or it takes
     * them from that one, and then says nothing about them itself. */
    bool config_only;
    const char *config_from; /* name or id; NULL: none */
    struct strmap labels;
    /* macvlan: parent, macvlan_mode; ipvlan: parent, ipvlan_mode, ipvlan_flag. Bridge:
     * com.docker.network.bridge.name, .enable_icc, .enable_ip_masquerade, .host_binding_ipv4,
     * .gateway_mode_ipv4, .gateway_mode_ipv6, .inhibit_ipv4, com.docker.network.host_ipv4,
     * .host_ipv6, .container_iface_prefix, .driver.mtu; any other is ERR_UNSUPPORTED by name. */
    struct strmap options;
};
/* done on the loop, after the row is durable. Errors: INVALID (field named), CONFLICT (name,
 * bridge), FORBIDDEN (subnet overlaps, predefined name), UNSUPPORTED. Interfaces come with the
 * first endpoint. */
void network_create(struct networks *n, const struct network_request *r,
                    void (*done)(void *arg, struct err e, struct network *w), void *arg);
/* FORBIDDEN for predefined ones and for networks with endpoints. Takes bridge and rules away. */
void network_remove(struct networks *n, struct network *w, void (*done)(void *arg, struct err e),
                    void *arg);

/* --- endpoints ----------------------------------------------------------------------------- */

/* What a container may reach of another one where nobody may talk to anybody (icc off). */
#define NETWORK_LINK_RULES_MAX 4096
struct link_rule {
    struct in_addr to;
    uint8_t proto;
    uint16_t port;
};
struct link_rules VEC_BODY(struct link_rule);

struct endpoint {
    struct list link; /* network.endpoints */
    struct network *network;
    char id[65], container_id[65];
    char *container_name;
    struct in_addr address;
    struct in6_addr address6; /* ::, when the network has no IPv6 */
    uint8_t mac[6];
    struct port_mappings ports;   /* final, after endpoint_settle */
    struct strv aliases, links;   /* names on this network; links: "container:alias" */
    struct link_rules link_rules; /* endpoint_links_set */
    bool relayed;                 /* its ports are corten-relay's, not the rules' */
    bool relayed6;                /* the same for those of IPv6 */
    bool live;                    /* between endpoint_settle/adopt and release */
};
struct endpoint_request {
    const char *container_id, *container_name;
    struct port_requests ports; /* borrowed */
    const char *ip6;            /* as ip; without effect where the IPv6 pool is not used */
    const char *ip;             /* fixed address; NULL: from the pool. User-defined networks only */
    const char *mac;            /* NULL: derived from the address, 02:42:…; ipvlan: none */
    unsigned index;             /* interface name in the container: eth<index> */
    const char *interface;      /* another name for it; NULL: eth<index> */
    const char *sysctls; /* of the interface, as endpoint_options_check gives them; or NULL */
    bool default_route;  /* through this network's gateway, unless it is internal */
    const struct strs *aliases, *links; /* NULL: none. User-defined networks only */
    const struct strs *link_locals;     /* as link_locals_check has found them good; NULL: none */
};
/* Addresses of 169.254.0.0/16 and fe80::/10, at most NETWORK_LINK_LOCALS_MAX; INVALID by name. */
struct err link_locals_check(const struct strs *list);
/* What driver options ask for; both may be NULL. sysctls: "net.ipv4.conf.IFNAME.forwarding=0,…",
 * IFNAME stands for the interface, and nothing but settings of an interface is allowed. Any option
 * that is not known is ERR_UNSUPPORTED by name. */
struct endpoint_options {
    const char *interface, *sysctls; /* borrowed */
};
struct err endpoint_options_check(const struct strmap *options, struct endpoint_options *ret);

/* The host's interface that a macvlan or ipvlan network is on. */
struct network_parent {
    char name[IFNAMSIZ];
    bool ipvlan;
    bool dummy;     /* none was named: one of our own, and no way to the outside */
    bool direct;    /* ipvlan l3, l3s: the default route has no gateway */
    uint32_t mode;  /* MACVLAN_MODE_…, IPVLAN_MODE_… */
    uint16_t flags; /* IPVLAN_F_… */
};

/* The self-contained job of endpoint_up and endpoint_down. Opaque text but for what is shown here.
 */
struct endpoint_plan {
    char endpoint_id[65], container_id[65], network_id[65];
    char *container_name;
    struct in_addr address, gateway, subnet; /* prefix 0: no IPv4 */
    bool six;                                /* the next two */
    struct in6_addr address6, gateway6;
    unsigned prefix6;
    unsigned prefix, mtu, index;
    uint8_t mac[6];
    bool internal, icc, masquerade;
    enum gateway_mode mode, mode6;
    bool inhibit_four;
    struct in_addr source;
    struct in6_addr source6;
    char *sysctls;            /* or NULL */
    struct strv link_locals;  /* more addresses in the container */
    bool rules6;              /* the packet filter is used for IPv6 */
    bool forward;             /* forwarding may be switched on */
    bool relay;               /* corten-relay serves published ports on IPv6 */
    bool relayed;             /* and all others: nothing is translated */
    bool relayed6;            /* nothing of IPv6 is */
    bool rules;               /* the packet filter is used */
    bool default_route;       /* the container's way out */
    bool user_defined;        /* names are answered here */
    char interface[IFNAMSIZ]; /* in the container */
    struct strv aliases, links;
    struct network_parent parent; /* its name is "" for a bridge */
    bool check_host;              /* the bridge may not be there yet: make it */
    char bridge[IFNAMSIZ], host_if[IFNAMSIZ];
    char table[32];
    char *nft_program, *run_dir;
    struct nft_sockets *sockets; /* borrowed from struct networks; NULL: none */
    struct network_spare *spare; /* the namespace for endpoint_up; NULL: made there */
    struct port_requests requests;
    struct port_mappings ports; /* filled by endpoint_up */
    struct strv warnings;       /* filled by endpoint_up */
    bool host_checked;          /* filled by endpoint_up */
    bool table_loaded;          /* filled by endpoint_up: the table was missing */
};
struct endpoint_plan *endpoint_plan_free(struct endpoint_plan *p); /* NULL allowed; returns NULL */

/* Loop. Takes an address and the asked ports from the own tables. w must be a bridge network;
 * `none` and `host` have no endpoints: the caller gives the container an empty namespace, or the
 * host's. A port that another endpoint of ours has is ERR_SYSTEM "Bind for 0.0.0.0:8080 failed:
 * port is already allocated (by container web)": 500, as the peer answers. */
struct err endpoint_reserve(struct networks *n, struct network *w, const struct endpoint_request *r,
                            struct endpoint_plan **ret);

/* Loop. From now on this container may reach these, and nothing else of its neighbours (a network
 * with icc off; where it is on this is nothing). Copied. Ends with the endpoint. */
struct err endpoint_links_set(struct networks *n, const char *endpoint_id,
                              const struct link_rules *rules);

struct endpoint_live {
    int netns_fd;  /* the container's network namespace; pass to monitor_start.netns_fd */
    int *held_fds; /* bound sockets; pass to monitor_start.held_fds, then close */
    size_t held_n;
    int *relay_fds; /* IPv6 sockets for corten-relay; pass to monitor_start.relay_fds, then close */
    size_t relay_n;
    struct buf relay_lines; /* a line for each: see "the relay" */
};
void endpoint_live_done(struct endpoint_live *l);
#define CLEAN_ENDPOINT_LIVE OWN(endpoint_live_done)
/* *Pool*, blocks about a millisecond. netns_fd -1: makes a new network namespace (lo up, IPv6 off
 * for all but lo, no router advertisements); else connects to that one (borrowed; *ret's is a
 * copy). A port that another program has is ERR_SYSTEM "listen tcp4 0.0.0.0:8080: bind: address
 * already in use", as the peer. ret holds descriptors until endpoint_live_done. */
struct err endpoint_up(struct endpoint_plan *p, int netns_fd, struct endpoint_live *ret);
/* A network namespace with lo up and nothing else, for network `none`. *Pool*. spare: NULL or one
 * that is used up. */
struct err network_none_up(struct network_spare *spare, int *ret_netns_fd);

/* Namespaces made ahead (spare.c). *Loop*. One for a start, or NULL; a plan's `spare` takes it. */
struct network_spare;
struct network_spare *network_spare_take(struct networks *n);
struct network_spare *network_spare_free(struct network_spare *s);
/* A start has gone well: the next one is to find one ready. */
void network_spare_order(struct networks *n);
/* Loop, after a successful endpoint_up: the facts become visible (inspect, port list), event
 * connect. */
const struct endpoint *endpoint_settle(struct networks *n, const struct endpoint_plan *p);
/* *Pool*. Removes the map elements; the rest dies with the namespace. A missing one is no error. */
struct err endpoint_down(const struct endpoint_plan *p);
/* *Pool*. As endpoint_down, and takes the interface out of a container that goes on running in
 * netns_fd (network disconnect). Slow: the kernel waits for RCU. */
struct err endpoint_disconnect(const struct endpoint_plan *p, int netns_fd);
/* *Pool*. Makes p the container's way out and moves what `from` publishes (NULL: nothing) to p's
 * address: another network has become the first one. Both plans are changed accordingly; p NULL:
 * the route is taken away and the ports are not published any more. */
struct err endpoint_make_default(struct endpoint_plan *p, struct endpoint_plan *from, int netns_fd);
/* Loop: may p publish these as well? Errors as of endpoint_reserve. */
struct err endpoint_ports_check(const struct networks *n, const struct endpoint_plan *p,
                                const struct port_requests *requests);
/* *Pool*. Publishes more ports of a container that runs; ret holds the sockets. After an error
 * nothing has changed. */
struct err endpoint_publish(struct endpoint_plan *p, const struct port_requests *requests,
                            struct endpoint_live *ret);
/* *Pool*. This port of the container is published nowhere any more; one that is not is no error.
 * lines: sockets to be closed, for monitor_release. */
struct err endpoint_unpublish(struct endpoint_plan *p, uint8_t proto, uint16_t port,
                              struct buf *lines);
/* Loop, after that: the facts follow. Both may be NULL. */
void endpoint_ports_moved(struct networks *n, const struct endpoint_plan *p,
                          const struct endpoint_plan *from);
/* Loop: address and ports are free again (also after a failed endpoint_up), event disconnect when
 * it was settled. Unknown ids are ignored. */
void endpoint_release(struct networks *n, const char *endpoint_id);

/* The plan as JSON text for the container's record under /run, and back. */
void endpoint_encode(const struct endpoint_plan *p, struct buf *out);
struct err endpoint_decode(struct str text, struct endpoint_plan **ret);
/* Loop, at start: a container that still runs has this endpoint. ERR_NOT_FOUND when the network is
 * gone, ERR_CONFLICT when the address is taken. */
struct err endpoint_adopt(struct networks *n, struct endpoint_plan *p);

/* Endpoint by id, or the endpoint of a container on a network. NULL: none. */
struct endpoint *endpoint_find(const struct networks *n, const char *endpoint_id);
struct endpoint *endpoint_of(const struct network *w, const char *container_id);
/* The names of a plan that is live, as they are now. */
void endpoint_aliases_set(struct networks *n, const struct endpoint_plan *p);
/* The container's name in messages and inspect. */
void endpoint_renamed(struct networks *n, const char *container_id, const char *name);
/* "02:42:ac:11:00:02"; "" when there is none of its own (ipvlan) */
char *mac_format(const uint8_t mac[6], char out[18]);

/* --- counters ------------------------------------------------------------------------------- */

/* The host's interface that a network is on: its bridge or its parent, which need not be there yet.
 * false: it has none. */
bool network_host_interface(const struct network *w, char ret[IFNAMSIZ]);
struct network_counter {
    char interface[IFNAMSIZ]; /* "": none, nothing is asked */
    bool far_end; /* a pair's end on the host: what the container receives, this one has sent */
    bool found;   /* filled, as stats; false: there is no such interface */
    struct api_network_stats stats;
};
/* *Pool*. What interfaces of that namespace (-1: the host's) have counted. Each is one question to
 * the kernel, of a few microseconds. */
struct err network_counters_read(int netns_fd, struct network_counter *items, size_t n);

/* --- events -------------------------------------------------------------------------------- */
struct network_event {
    const char *action; /* create destroy connect disconnect */
    const struct network *network;
    const char *container_id; /* connect, disconnect; else NULL */
};
/* Payload: struct network_event. */
struct bus *networks_bus(struct networks *n);

/* --- names ---------------------------------------------------------------------------------- */

/* corten-dns answers on 127.0.0.11:53 in every container that is on a user-defined network. Its
 * sockets are made with the container's network (network_names_up), held by the monitor, which
 * hands copies to corten-dns over a connection of its own: message NAMES_SOCKETS of loop/msg.h on
 * networks_names_socket, container id in NAMES_TAG_TEXT, UDP and TCP socket. The monitor dials
 * again when the connection ends. What corten-dns knows comes from the daemon, below; it answers on
 * while the daemon is away, and without root's rights. */
#define NAMES_SOCKETS 10
#define NAMES_TAG_TEXT 1
#define NAMES_ADDRESS "127.0.0.11"
/* *Pool*. Both sockets, on a high port of 127.0.0.11 in that namespace, and the rules that lead
 * port 53 there: the container may bind 0.0.0.0:53 itself. ret: owned; both -1 when the namespace
 * has them already. */
struct err network_names_up(int netns_fd, int ret_udp_tcp[2]);
/* Absolute path; borrowed. */
const char *networks_names_socket(const struct networks *n);

/* One container as others may ask for it. */
struct network_member {
    const char *id, *name, *hostname;
    bool live; /* before that it sees others, and itself, but nobody sees it */
    struct endpoint_plan *const *plans;
    size_t plans_n;
    struct strs servers; /* HostConfig.Dns */
    struct strs ports;   /* "80/tcp" */
    struct strmap labels;
};
/* Loop. Everything about it, again after each change; and its end. */
void network_member_put(struct networks *n, const struct network_member *m);
void network_member_drop(struct networks *n, const char *container_id);

/* The program corten-dns (src/bin/corten-dns.c). Exit status of main. */
int dns_main(void);

/* --- the relay -------------------------------------------------------------------------------- */

/* The kernel translates a published port of IPv4, and of IPv6 to a container that has IPv6. What
 * remains is ::1, and IPv6 to containers without: one program, corten-relay, carries the bytes of
 * all of them. The sockets are made with the container's ports (endpoint_live.relay_fds), held by
 * the monitor, which hands copies over on a connection of its own (networks_relay_socket) and says
 * where they lead. They listen while corten-relay is away; a daemon that is away is not missed.
 *   RELAY_SOCKETS  up to MSG_FDS_MAX descriptors, RELAY_TAG_LINES: a line for each:
 *                  "tcp 80 10.0.0.0/8,fd00::/8": protocol, port in the container, sources
 *   RELAY_ADDRESS  RELAY_TAG_ADDRESS: IPv4 address of the container; "": nowhere to lead to. First.
 *   RELAY_RELEASE  RELAY_TAG_LINES: "tcp :: 8080" of those that are given back
 * The end of the connection is the end of the sockets and of what goes through them. */
#define RELAY_SOCKETS 20
#define RELAY_ADDRESS 21
#define RELAY_RELEASE 22
#define RELAY_TAG_ADDRESS 2
#define RELAY_TAG_LINES 3
/* Absolute path; borrowed. NULL: no relay is configured. */
const char *networks_relay_socket(const struct networks *n);
/* The program corten-relay (src/bin/corten-relay.c). Exit status of main. */
int relay_main(void);

/* --- files in the container ------------------------------------------------------------------ */

/* What the configuration says that host-gateway stands for; NULL: nothing. Borrowed. */
const char *networks_host_gateway(const struct networks *n);
/* One --add-host value "name:ip" ("name=ip" too); ip may be "host-gateway". ERR_INVALID as the
 * peer. */
struct err network_extra_host_check(const char *text);
struct network_files {
    const char *hostname, *domainname; /* domainname may be NULL or "" */
    enum network_driver driver;
    const struct in_addr *addresses; /* of the container itself */
    size_t addresses_n;
    const struct in6_addr *addresses6;
    size_t addresses6_n;
    /* What host-gateway stands for: the first of these that is not 0. */
    const char *host_gateway; /* networks_host_gateway; NULL: not set */
    struct in_addr gateway;
    struct in6_addr gateway6;
    bool names; /* corten-dns answers: resolv.conf names it */
    struct strs dns, dns_search, dns_options, extra_hosts;
    const char *host_resolv; /* text of the host's /etc/resolv.conf; NULL: none */
    const char *host_hosts;  /* text of the host's /etc/hosts, used with driver host; NULL: none */
};
/* Appends the file's text. ERR_INVALID: host-gateway, and there is no way to the host. */
struct err network_hosts(const struct network_files *f, struct buf *out);
void network_resolv(const struct network_files *f, struct buf *out);
void network_hostname(const struct network_files *f, struct buf *out);
/* Reads /etc/resolv.conf (or systemd-resolved's upstream list when only 127.0.0.53 is in it) and
 * /etc/hosts of this host. Small local files; missing ones give "". */
struct err network_host_files(char **ret_resolv, char **ret_hosts);
