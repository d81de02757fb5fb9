/* spec/api_network.h - the documents of /networks and the endpoints of containers.
 *
 * Source: Engine API 1.51 (Network, NetworkCreateRequest, EndpointSettings, IPAM).
 */
#pragma once
#include "spec/fields.h"

struct api_endpoint_ipam {
    char *ipv4_address;
    char *ipv6_address;
    struct strs link_local_ips;
};
extern const struct fields api_endpoint_ipam_fields;

/* In create, connect and inspect; addresses are text without a prefix length. */
struct api_endpoint {
    struct api_endpoint_ipam *ipam_config;
    struct strs links;
    struct strs aliases;
    char *mac_address;
    struct strmap driver_opts;
    int64_t gw_priority;
    char *network_id;
    char *endpoint_id;
    char *gateway;
    char *ip_address;
    int64_t ip_prefix_len;
    char *ipv6_gateway;
    char *global_ipv6_address;
    int64_t global_ipv6_prefix_len;
    struct strs dns_names;
};
extern const struct fields api_endpoint_fields;

struct api_networking_config {
    struct objmap endpoints; /* struct api_endpoint; by network name or id; values may be NULL */
};
extern const struct fields api_networking_config_fields;

struct api_ipam_pool {
    char *subnet; /* CIDR */
    char *ip_range;
    char *gateway;
    struct strmap auxiliary_addresses;
};
extern const struct fields api_ipam_pool_fields;

struct api_ipam {
    char *driver;
    struct strmap options;
    struct objs config; /* struct api_ipam_pool */
};
extern const struct fields api_ipam_fields;

struct api_config_from {
    char *network;
};
extern const struct fields api_config_from_fields;

struct api_network_create {
    char *name;
    bool *check_duplicate; /* always done */
    char *driver;
    char *scope;
    bool *enable_ipv4; /* since 1.48 */
    bool *enable_ipv6;
    struct api_ipam *ipam;
    bool internal;
    bool attachable;
    bool ingress;
    bool config_only;
    struct api_config_from *config_from;
    struct strmap options;
    struct strmap labels;
};
extern const struct fields api_network_create_fields;

struct api_network_created {
    char *id;
    char *warning;
};
extern const struct fields api_network_created_fields;

/* An endpoint as seen from its network; addresses with prefix length. */
struct api_network_container {
    char *name;
    char *endpoint_id;
    char *mac_address;
    char *ipv4_address;
    char *ipv6_address;
};
extern const struct fields api_network_container_fields;

/* GET /networks/{id}; GET /networks is an array of the same with containers empty. */
struct api_network {
    char *name;
    char *id;
    int64_t created;
    char *scope;
    char *driver;
    bool enable_ipv4;
    bool enable_ipv6;
    struct api_ipam ipam;
    bool internal;
    bool attachable;
    bool ingress;
    struct api_config_from config_from;
    bool config_only;
    struct objmap containers; /* struct api_network_container; by container id */
    struct strmap options;
    struct strmap labels;
};
extern const struct fields api_network_fields;

struct api_network_connect {
    char *container;
    struct api_endpoint *endpoint;
};
extern const struct fields api_network_connect_fields;

struct api_network_disconnect {
    char *container;
    bool force;
};
extern const struct fields api_network_disconnect_fields;

struct api_network_pruned {
    struct strs deleted;
};
extern const struct fields api_network_pruned_fields;
