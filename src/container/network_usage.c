/* What went through a network: the host's interface, and each container's. Of a pair, the end on
 * the host is read: all with one socket, and the container cannot rename it. Of macvlan and ipvlan,
 * there is only the interface in the container, so it is looked for there. */
#include "base/time.h"
#include "container/private.h"
#include <stdio.h>
#include <stdlib.h>

struct flow {
    char *container_id, *name, *endpoint_id, *interface;
    bool inside; /* no pair; the next two */
    pid_t pid;
    uint64_t start_time;
};
struct flow_job {
    struct arena arena;
    struct api_network_usage usage;
    VEC(struct flow) flows;
    VEC(struct network_counter) counters; /* a flow's is at its index; the host's is the last */
    void (*done)(void *arg, struct err e, struct api_network_usage *u);
    void *arg;
};

static void add_flow(struct flow_job *j, struct containers *cs, const struct endpoint *e) {
    struct container *c = NULL;
    struct err missing = container_find(cs, e->container_id, &c);
    const struct endpoint_plan *p = c ? container_endpoint_on(c, e->network->id) : NULL;
    err_ignore(missing); /* nothing of it is left to be read */
    if (!p || !container_is_alive(c))
        return;
    struct flow *f = vec_add(&j->flows);
    *f = (struct flow){.container_id = arena_strz(&j->arena, c->id),
                       .name = arena_strz(&j->arena, c->name),
                       .endpoint_id = arena_strz(&j->arena, e->id),
                       .interface = arena_strz(&j->arena, p->interface),
                       .inside = *p->parent.name != '\0',
                       .pid = c->pid,
                       .start_time = c->start_time};
    struct network_counter *n = vec_add(&j->counters);
    n->far_end = !f->inside;
    if (!f->inside)
        memcpy(n->interface, p->host_if, sizeof n->interface);
}

/* One that has ended meanwhile is left out. */
static void read_inside(const struct flow *f, struct network_counter *n) {
    CLEAN_FD int netns = -1;
    (void)snprintf(n->interface, sizeof n->interface, "%s", f->interface);
    struct err e = container_netns_open(f->pid, f->start_time, &netns);
    if (!err_failed(e))
        e = network_counters_read(netns, n, 1);
    err_ignore(e); /* found stays false */
}

static struct err flow_work(void *arg) {
    struct flow_job *j = arg;
    struct api_network_usage *u = &j->usage;
    TRY(network_counters_read(-1, j->counters.items, j->counters.n));
    u->read = time_now();
    for (size_t i = 0; i < j->flows.n; i++) {
        const struct flow *f = &j->flows.items[i];
        struct network_counter *n = &j->counters.items[i];
        if (f->inside)
            read_inside(f, n);
        if (!n->found)
            continue;
        struct api_network_flow *v = objmap_add(&u->containers, &j->arena, f->container_id,
                                                sizeof *v);
        *v = (struct api_network_flow){f->name, f->endpoint_id, f->interface, n->stats};
    }
    const struct network_counter *host = &j->counters.items[j->flows.n];
    if (!host->found)
        return OK;
    u->interface = arena_alloc(&j->arena, sizeof *u->interface);
    u->interface->name = arena_strz(&j->arena, host->interface);
    u->interface->stats = host->stats;
    return OK;
}

static void flow_done(void *arg, struct err e) {
    struct flow_job *j = arg;
    j->done(j->arg, e, &j->usage);
    vec_done(&j->flows);
    vec_done(&j->counters);
    arena_done(&j->arena);
    free(j);
}

void containers_network_usage(struct containers *cs, const struct network *w,
                              void (*done)(void *arg, struct err e, struct api_network_usage *u),
                              void *arg) {
    struct flow_job *j = NEW(struct flow_job);
    j->done = done;
    j->arg = arg;
    j->usage = (struct api_network_usage){
        .id = arena_strz(&j->arena, w->id),
        .name = arena_strz(&j->arena, w->name),
        .driver = arena_strz(&j->arena, network_driver_name(w->driver)),
    };
    LIST_FOR ((struct list *)(uintptr_t)&w->endpoints, n) {
        const struct endpoint *e = CONTAINER_OF(n, struct endpoint, link);
        if (e->live)
            add_flow(j, cs, e);
    }
    struct network_counter *host = vec_add(&j->counters);
    if (!network_host_interface(w, host->interface))
        *host->interface = '\0';
    job_submit(cs->config.loop, flow_work, flow_done, j);
}
