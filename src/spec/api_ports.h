/* spec/api_ports.h - POST /containers/{id}/ports, an extension: published ports of a container that
 * may be running are taken away, then others are added. */
#pragma once
#include "spec/api_host.h"

struct api_ports_change {
    struct objmap add;  /* as HostConfig.PortBindings */
    struct strs remove; /* ports in the container: "80/tcp" */
};
extern const struct fields api_ports_change_fields;
