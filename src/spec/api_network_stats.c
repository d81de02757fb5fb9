#include "spec/api_network_stats.h"

#define F(member, name, kind, ...) FIELD(struct api_network_flow, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_flow_fields, struct api_network_flow, F(name, "name", F_STR),
       F(endpoint_id, "endpoint_id", F_STR), F(interface, "interface", F_STR),
       F(stats, "stats", F_OBJ, .sub = &api_network_stats_fields));
#undef F

#define F(member, name, kind, ...) \
    FIELD(struct api_network_interface, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_interface_fields, struct api_network_interface, F(name, "name", F_STR),
       F(stats, "stats", F_OBJ, .sub = &api_network_stats_fields));
#undef F

#define F(member, name, kind, ...) \
    FIELD(struct api_network_usage, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_usage_fields, struct api_network_usage, F(id, "id", F_STR),
       F(name, "name", F_STR), F(driver, "driver", F_STR), F(read, "read", F_TIME),
       F(interface, "interface", F_OBJPTR, .flags = OMIT_EMPTY,
         .sub = &api_network_interface_fields),
       F(containers, "containers", F_OBJMAP, .sub = &api_network_flow_fields));
#undef F
