#include "spec/api_network.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_endpoint_ipam, member, name, kind, ##__VA_ARGS__)
FIELDS(api_endpoint_ipam_fields, struct api_endpoint_ipam,
       F(ipv4_address, "IPv4Address", F_STR, .flags = OMIT_EMPTY),
       F(ipv6_address, "IPv6Address", F_STR, .flags = OMIT_EMPTY),
       F(link_local_ips, "LinkLocalIPs", F_STRS, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_endpoint, member, name, kind, ##__VA_ARGS__)
FIELDS(api_endpoint_fields, struct api_endpoint,
       F(ipam_config, "IPAMConfig", F_OBJPTR, .sub = &api_endpoint_ipam_fields),
       F(links, "Links", F_STRS, .flags = F_NULLABLE),
       F(aliases, "Aliases", F_STRS, .flags = F_NULLABLE),
       F(mac_address, "MacAddress", F_STR),
       F(driver_opts, "DriverOpts", F_STRMAP, .flags = F_NULLABLE),
       F(gw_priority, "GwPriority", F_I64),
       F(network_id, "NetworkID", F_STR),
       F(endpoint_id, "EndpointID", F_STR),
       F(gateway, "Gateway", F_STR),
       F(ip_address, "IPAddress", F_STR),
       F(ip_prefix_len, "IPPrefixLen", F_I64),
       F(ipv6_gateway, "IPv6Gateway", F_STR),
       F(global_ipv6_address, "GlobalIPv6Address", F_STR),
       F(global_ipv6_prefix_len, "GlobalIPv6PrefixLen", F_I64),
       F(dns_names, "DNSNames", F_STRS, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_networking_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_networking_config_fields, struct api_networking_config,
       F(endpoints, "EndpointsConfig", F_OBJMAP, .flags = F_NULLABLE, .sub = &api_endpoint_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_ipam_pool, member, name, kind, ##__VA_ARGS__)
FIELDS(api_ipam_pool_fields, struct api_ipam_pool,
       F(subnet, "Subnet", F_STR, .flags = OMIT_EMPTY),
       F(ip_range, "IPRange", F_STR, .flags = OMIT_EMPTY),
       F(gateway, "Gateway", F_STR, .flags = OMIT_EMPTY),
       F(auxiliary_addresses, "AuxiliaryAddresses", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_ipam, member, name, kind, ##__VA_ARGS__)
FIELDS(api_ipam_fields, struct api_ipam,
       F(driver, "Driver", F_STR),
       F(options, "Options", F_STRMAP, .flags = F_NULLABLE),
       F(config, "Config", F_ARRAY, .flags = F_NULLABLE, .sub = &api_ipam_pool_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_config_from, member, name, kind, ##__VA_ARGS__)
FIELDS(api_config_from_fields, struct api_config_from,
       F(network, "Network", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_create, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_create_fields, struct api_network_create,
       F(name, "Name", F_STR),
       F(check_duplicate, "CheckDuplicate", F_BOOLPTR, .flags = OMIT_EMPTY),
       F(driver, "Driver", F_STR),
       F(scope, "Scope", F_STR),
       F(enable_ipv4, "EnableIPv4", F_BOOLPTR, .flags = OMIT_EMPTY),
       F(enable_ipv6, "EnableIPv6", F_BOOLPTR, .flags = OMIT_EMPTY),
       F(ipam, "IPAM", F_OBJPTR, .sub = &api_ipam_fields),
       F(internal, "Internal", F_BOOL),
       F(attachable, "Attachable", F_BOOL),
       F(ingress, "Ingress", F_BOOL),
       F(config_only, "ConfigOnly", F_BOOL),
       F(config_from, "ConfigFrom", F_OBJPTR, .sub = &api_config_from_fields),
       F(options, "Options", F_STRMAP, .flags = F_NULLABLE),
       F(labels, "Labels", F_STRMAP, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_created, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_created_fields, struct api_network_created,
       F(id, "Id", F_STR),
       F(warning, "Warning", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_container, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_container_fields, struct api_network_container,
       F(name, "Name", F_STR),
       F(endpoint_id, "EndpointID", F_STR),
       F(mac_address, "MacAddress", F_STR),
       F(ipv4_address, "IPv4Address", F_STR),
       F(ipv6_address, "IPv6Address", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_fields, struct api_network,
       F(name, "Name", F_STR),
       F(id, "Id", F_STR),
       F(created, "Created", F_TIME),
       F(scope, "Scope", F_STR),
       F(driver, "Driver", F_STR),
       F(enable_ipv4, "EnableIPv4", F_BOOL),
       F(enable_ipv6, "EnableIPv6", F_BOOL),
       F(ipam, "IPAM", F_OBJ, .sub = &api_ipam_fields),
       F(internal, "Internal", F_BOOL),
       F(attachable, "Attachable", F_BOOL),
       F(ingress, "Ingress", F_BOOL),
       F(config_from, "ConfigFrom", F_OBJ, .sub = &api_config_from_fields),
       F(config_only, "ConfigOnly", F_BOOL),
       F(containers, "Containers", F_OBJMAP, .sub = &api_network_container_fields),
       F(options, "Options", F_STRMAP),
       F(labels, "Labels", F_STRMAP));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_connect, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_connect_fields, struct api_network_connect,
       F(container, "Container", F_STR, .flags = F_REQUIRED),
       F(endpoint, "EndpointConfig", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_endpoint_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_disconnect, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_disconnect_fields, struct api_network_disconnect,
       F(container, "Container", F_STR, .flags = F_REQUIRED),
       F(force, "Force", F_BOOL));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_pruned, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_pruned_fields, struct api_network_pruned,
       F(deleted, "NetworksDeleted", F_STRS, .flags = F_NULLABLE));
#undef F
