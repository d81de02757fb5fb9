/* The networks of one container: which it is to join, the endpoints of a start, and what the end
 * of a run gives back. connect.c changes them while it runs.
 *
 * One endpoint is the way out: the first by gateway priority, then those with an outside, then by
 * name. It has the default route and publishes the ports. It is plans.items[0] of a start and
 * marked `default_route` ever after. */
#include "base/file.h"
#include "container/private.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ENDPOINT_FILE "endpoint.json"
#define ENDPOINT_FILE_MAX (4u << 20)
#define JOIN_PREFIX "container:"

bool container_joins(const char *mode) {
    return mode && !strncmp(mode, JOIN_PREFIX, strlen(JOIN_PREFIX));
}

const char *container_joined_ref(const char *mode) {
    return mode + strlen(JOIN_PREFIX);
}

bool container_has_endpoints(const char *mode) {
    return !container_joins(mode) && strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0;
}

/* --- which networks ------------------------------------------------------------------------------
 */

/* A key of EndpointsConfig is a name, an id or a prefix of one; it becomes the name, when the
 * network is there already. */
static const char *canonical(const struct networks *n, const char *key) {
    if (!strcmp(key, "default"))
        return "bridge";
    struct network *w = network_find(n, key);
    return w ? w->name : key;
}

void container_networking_complete(const struct networks *n, const char *mode,
                                   const struct api_networking_config *given, struct arena *a,
                                   struct api_networking_config *ret) {
    *ret = (struct api_networking_config){.endpoints.present = true};
    if (!container_has_endpoints(mode))
        return;
    const char *first = canonical(n, mode);
    struct api_endpoint *e = objmap_add(&ret->endpoints, a, first, sizeof *e);
    for (size_t i = 0; given && i < given->endpoints.n; i++) {
        const struct objmap_slot *slot = &given->endpoints.items[i];
        const char *name = canonical(n, slot->key);
        struct api_endpoint *to = objmap_get(&ret->endpoints, name);
        if (!to)
            to = objmap_add(&ret->endpoints, a, name, sizeof *to);
        if (slot->value)
            *to = *(const struct api_endpoint *)slot->value;
    }
}

/* --- reserve -------------------------------------------------------------------------------------
 */

struct wanted {
    struct network *network;
    const struct api_endpoint *settings;
    unsigned index;
};
struct wanteds VEC_BODY(struct wanted);

static int64_t priority_of(const struct wanted *w) {
    return w->settings ? w->settings->gw_priority : 0;
}

static int by_way_out(const void *pa, const void *pb) {
    const struct wanted *a = pa, *b = pb;
    if (priority_of(a) != priority_of(b))
        return priority_of(a) > priority_of(b) ? -1 : 1;
    if (a->network->internal != b->network->internal)
        return a->network->internal ? 1 : -1;
    return strcmp(a->network->name, b->network->name);
}

static struct err find_wanted(const struct container *c, struct wanteds *ret) {
    struct networks *n = c->all->config.networks;
    const struct objmap *m = &c->networking->endpoints;
    for (size_t i = 0; i < m->n; i++) {
        struct network *w = NULL;
        TRY(network_get(n, m->items[i].key, &w));
        vec_push(ret, (struct wanted){w, m->items[i].value, (unsigned)i});
    }
    return OK;
}

static const char *text_or_null(const char *s) {
    return s && *s ? s : NULL;
}

struct err container_reserve_endpoint(struct container *c, struct network *w,
                                      const struct api_endpoint *e, unsigned index, bool way_out,
                                      bool publishes, struct arena *a, struct endpoint_plan **ret) {
    struct port_requests ports = {0};
    if (publishes)
        TRY(container_port_requests(c, w, a, &ports));
    bool of_mode = network_find(c->all->config.networks, c->host->network_mode) == w;
    struct endpoint_request r = {
        .container_id = c->id,
        .container_name = c->name,
        .ports = ports,
        .mac = text_or_null(e ? e->mac_address : NULL),
        .index = index,
        .default_route = way_out,
    };
    if (!r.mac && of_mode)
        r.mac = text_or_null(c->config->mac_address);
    struct strs links = {0};
    if (e) {
        r.ip = text_or_null(e->ipam_config ? e->ipam_config->ipv4_address : NULL);
        r.ip6 = text_or_null(e->ipam_config ? e->ipam_config->ipv6_address : NULL);
        r.aliases = &e->aliases;
        r.link_locals = e->ipam_config ? &e->ipam_config->link_local_ips : NULL;
        links = e->links;
        links.cap = 0; /* copied when it grows */
        struct endpoint_options options;
        TRY(endpoint_options_check(&e->driver_opts, &options));
        r.interface = options.interface;
        r.sysctls = options.sysctls;
    }
    if (of_mode && !w->predefined)
        container_links_names(c, a, &links);
    r.links = &links;
    return endpoint_reserve(c->all->config.networks, w, &r, ret);
}

static struct err reserve_joined(struct container *c, struct net_job *j) {
    struct container *other = NULL;
    TRY(container_find(c->all, container_joined_ref(c->host->network_mode), &other));
    if (other == c)
        return err_new(ERR_INVALID, "a container cannot join its own network");
    if (!container_is_alive(other) || !other->pid)
        return err_new(ERR_CONFLICT, "cannot join network of a non running container: %s",
                       other->id);
    j->joined_pid = other->pid;
    j->joined_start = other->start_time;
    memcpy(j->joined_id, other->id, sizeof j->joined_id);
    return OK;
}

struct err container_net_reserve(struct container *c, struct arena *a, struct net_job *j) {
    const char *mode = c->host->network_mode;
    j->driver = NETWORK_BRIDGE;
    if (container_joins(mode))
        return reserve_joined(c, j);
    if (!container_has_endpoints(mode)) {
        j->driver = strcmp(mode, "host") ? NETWORK_NONE : NETWORK_HOST;
        if (j->driver == NETWORK_NONE)
            j->spare = network_spare_take(c->all->config.networks);
        return OK;
    }
    if (!c->networking || !c->networking->endpoints.n) {
        /* All were disconnected: a start begins with the one of the create call again. */
        c->networking = arena_alloc(&c->arena, sizeof *c->networking);
        container_networking_complete(c->all->config.networks, mode, NULL, &c->arena,
                                      c->networking);
    }
    struct wanteds v = {0};
    struct err e = find_wanted(c, &v);
    if (!err_failed(e) && v.n > 1)
        qsort(v.items, v.n, sizeof *v.items, by_way_out);
    for (size_t i = 0; !err_failed(e) && i < v.n; i++) {
        struct endpoint_plan *p = NULL;
        const struct wanted *w = &v.items[i];
        e = container_reserve_endpoint(c, w->network, w->settings, w->index, i == 0, i == 0, a, &p);
        if (!err_failed(e))
            vec_push(&j->plans, p);
        if (!err_failed(e) && w->network->predefined)
            e = container_links_allow(c, p->endpoint_id);
    }
    vec_done(&v);
    if (err_failed(e)) {
        container_net_release(c, j);
        return e;
    }
    if (j->plans.n)
        j->plans.items[0]->spare = network_spare_take(c->all->config.networks);
    for (size_t i = 0; i < j->plans.n; i++)
        j->names |= j->plans.items[i]->user_defined;
    if (j->names) /* before the program runs: its first question is answered */
        container_names_tell(c, j->plans.items, j->plans.n, false);
    return OK;
}

void container_names_tell(struct container *c, struct endpoint_plan *const *plans, size_t n,
                          bool live) {
    struct network_member m = {
        .id = c->id,
        .name = c->name,
        .hostname = c->config->hostname,
        .live = live,
        .plans = plans,
        .plans_n = n,
        .servers = c->host->dns,
        .ports = c->config->exposed_ports,
        .labels = c->config->labels,
    };
    bool names = false;
    for (size_t i = 0; i < n; i++)
        names |= plans[i]->user_defined;
    if (names)
        network_member_put(c->all->config.networks, &m);
}

void container_net_release(struct container *c, struct net_job *j) {
    for (size_t i = 0; i < j->plans.n; i++) {
        endpoint_release(c->all->config.networks, j->plans.items[i]->endpoint_id);
        endpoint_plan_free(j->plans.items[i]);
    }
    vec_done(&j->plans);
    j->spare = network_spare_free(j->spare);
    if (j->names)
        network_member_drop(c->all->config.networks, c->id);
    j->names_fds[0] = fd_close(j->names_fds[0]);
    j->names_fds[1] = fd_close(j->names_fds[1]);
}

/* --- up and down: pool ---------------------------------------------------------------------------
 */

struct err container_netns_open(pid_t pid, uint64_t start_time, int *ret_fd) {
    CLEAN_FD int pidfd = -1;
    CLEAN_FD int fd = -1;
    /* Held while the namespace is opened: the number cannot have gone to somebody else. */
    TRY(pidfd_of_started(pid, start_time, &pidfd));
    TRY(ns_open(pid, "net", &fd));
    if (pidfd_ended(pidfd))
        return err_new(ERR_CONFLICT, "the container's program has ended");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

void container_net_take(struct container *c, struct endpoint_plans *plans) {
    for (size_t i = 0; i < c->endpoints.n; i++)
        endpoint_plan_free(c->endpoints.items[i]);
    vec_done(&c->endpoints);
    c->endpoints = (struct endpoint_plans){plans->items, plans->n, plans->cap};
    *plans = (struct endpoint_plans){0};
}

struct err container_net_write(const struct endpoint_plans *plans, int run_dir) {
    CLEAN_BUF struct buf text = {0};
    for (size_t i = 0; i < plans->n; i++) {
        endpoint_encode(plans->items[i], &text);
        buf_addc(&text, '\n');
    }
    return file_replace_at(run_dir, ENDPOINT_FILE, buf_str(&text), 0600, false);
}

static struct err up_more(struct net_job *j, struct endpoint_live *live) {
    for (size_t i = 1; i < j->plans.n; i++) {
        struct endpoint_live more = {.netns_fd = -1};
        TRY(endpoint_up(j->plans.items[i], live->netns_fd, &more));
        j->up = i + 1;
        endpoint_live_done(&more); /* only the way out publishes; the namespace is held by *live */
    }
    return OK;
}

struct err container_net_up(struct net_job *j, int run_dir, struct endpoint_live *live) {
    *live = (struct endpoint_live){.netns_fd = -1};
    if (j->joined_pid)
        return err_wrap(container_netns_open(j->joined_pid, j->joined_start, &live->netns_fd),
                        "join the network of container %s", j->joined_id);
    if (!j->plans
             .n) /* `none` has a loopback interface that works; the host's network is the host's */
        return j->driver == NETWORK_NONE ? network_none_up(TAKE(j->spare), &live->netns_fd) : OK;
    TRY(endpoint_up(j->plans.items[0], -1, live));
    j->up = 1;
    TRY(up_more(j, live));
    if (j->names)
        TRY(network_names_up(live->netns_fd, j->names_fds));
    return container_net_write(&j->plans, run_dir);
}

void container_net_down(struct net_job *j) {
    for (size_t i = 0; i < j->up; i++)
        err_ignore(endpoint_down(j->plans.items[i])); /* the start's own error is the one to tell */
}

void container_net_settle(struct container *c, struct net_job *j) {
    for (size_t i = 0; i < j->plans.n; i++) {
        endpoint_settle(c->all->config.networks, j->plans.items[i]);
        vec_push(&c->endpoints, j->plans.items[i]);
    }
    vec_done(&j->plans);
    if (c->endpoints.n || j->driver == NETWORK_NONE)
        network_spare_order(c->all->config.networks);
    j->names_fds[0] = fd_close(j->names_fds[0]); /* the monitor has them */
    j->names_fds[1] = fd_close(j->names_fds[1]);
    container_names_tell(c, c->endpoints.items, c->endpoints.n, true);
}

/* --- the end of a run ----------------------------------------------------------------------------
 */

struct err container_endpoints_down(const struct endpoint_plans *v) {
    struct err first = OK;
    for (size_t i = 0; i < v->n; i++) {
        struct err e = endpoint_down(v->items[i]);
        if (err_failed(first))
            err_ignore(e); /* the first is the one to tell */
        else
            first = e;
    }
    return first;
}

void container_endpoints_release(struct container *c) {
    for (size_t i = 0; i < c->endpoints.n; i++) {
        endpoint_release(c->all->config.networks, c->endpoints.items[i]->endpoint_id);
        endpoint_plan_free(c->endpoints.items[i]);
    }
    vec_done(&c->endpoints);
    network_member_drop(c->all->config.networks, c->id);
}

static struct err adopt_one(struct container *c, struct str line) {
    struct endpoint_plan *plan = NULL;
    TRY(endpoint_decode(line, &plan));
    struct err e = endpoint_adopt(c->all->config.networks, plan);
    if (err_failed(e)) {
        endpoint_plan_free(plan);
        return e;
    }
    free(plan->container_name); /* it may have been renamed since */
    plan->container_name = mem_strdup(c->name);
    vec_push(&c->endpoints, plan);
    return OK;
}

struct err container_endpoints_adopt(struct container *c, int run_dir) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read_at(run_dir, ENDPOINT_FILE, ENDPOINT_FILE_MAX, &text);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line))
        if (line.len)
            TRY(adopt_one(c, line));
    return OK;
}
