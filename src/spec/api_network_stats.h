/* spec/api_network_stats.h - GET /networks/{id}/stats, an extension: what went through a network
 * since its interfaces were made. Bytes, packets.
 *
 * Of a container, rx is what it received. Of the host's interface, rx is what came to the host
 * there: of a bridge, what containers sent to the host and to the outside (what they send each
 * other is in none of its counts); of a parent, all that the interface carries.
 */
#pragma once
#include "spec/api_stats.h"

struct api_network_flow {
    char *name; /* of the container */
    char *endpoint_id;
    char *interface; /* in the container */
    struct api_network_stats stats;
};
extern const struct fields api_network_flow_fields;

struct api_network_interface {
    char *name;
    struct api_network_stats stats;
};
extern const struct fields api_network_interface_fields;

struct api_network_usage {
    char *id, *name, *driver;
    int64_t read;                            /* wall ns */
    struct api_network_interface *interface; /* of the host; NULL: there is none (yet) */
    struct objmap containers;                /* struct api_network_flow, by container id */
};
extern const struct fields api_network_usage_fields;
