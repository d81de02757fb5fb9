/* spec/api_aliases.h - POST /containers/{id}/aliases, an extension: names of a container on one
 * network are taken away, then others are added, also while it runs. */
#pragma once
#include "spec/fields.h"

struct api_aliases_change {
    char *network; /* name or id; "": the one of HostConfig.NetworkMode */
    struct strs add, remove;
};
extern const struct fields api_aliases_change_fields;
