/* container_view.h - a container as the API shows it. Private to api/. All memory in the arena. */
#pragma once
#include "api/call.h"

/* Where the published and exposed ports of a container are told of. */
struct port_facts {
    const struct port_mapping *items; /* NULL: it has no network now, nothing is published */
    size_t n;
    const struct strs *exposed;
};
/* Borrowed from the container; exposed is what a pin of it keeps. */
struct port_facts port_facts_of(const struct container *c);
void view_ports(const struct port_facts *f, struct arena *a, struct objmap *ret);
void view_port_list(const struct port_facts *f, struct arena *a, struct objs *ret);

/* ports false: they are left empty. */
void view_container(const struct container *c, int minor, bool ports, struct arena *a,
                    struct api_container *ret);
void view_summary(const struct container *c, int minor, bool ports, struct arena *a,
                  struct api_container_summary *ret);
