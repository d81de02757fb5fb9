#include "api/container_view.h"
#include "base/time.h"
#include <arpa/inet.h>
#include <string.h>

static char *text_of_address(struct in_addr ip, struct arena *a) {
    char text[INET_ADDRSTRLEN];
    return arena_strz(a, inet_ntop(AF_INET, &ip, text, sizeof text));
}

/* --- network
 * ------------------------------------------------------------------------------------------------
 */

static bool names_here(const struct network *w) {
    return w && !w->predefined;
}

/* Names that are answered on this network: as the peer lists them. */
static void view_names(const struct container *c, const struct network *w, int minor,
                       struct arena *a, struct api_endpoint *ret) {
    const char *id = arena_printf(a, "%.12s", c->id);
    struct strs names = {.present = true};
    strs_add(&names, a, c->name);
    for (size_t i = 0; i < ret->aliases.n; i++)
        if (!strs_has(&names, ret->aliases.items[i]))
            strs_add(&names, a, ret->aliases.items[i]);
    if (!strs_has(&names, id))
        strs_add(&names, a, id);
    if (c->config->hostname && *c->config->hostname && !strs_has(&names, c->config->hostname))
        strs_add(&names, a, c->config->hostname);
    ret->dns_names = names;
    if (minor >= 45 || !names_here(w))
        return;
    struct strs aliases = {.present = true}; /* before 1.45 the short id was among them */
    for (size_t i = 0; i < ret->aliases.n; i++)
        strs_add(&aliases, a, ret->aliases.items[i]);
    if (!strs_has(&aliases, id))
        strs_add(&aliases, a, id);
    ret->aliases = aliases;
}

static struct api_endpoint *view_endpoint(const struct container *c, const char *name,
                                          const struct api_endpoint *given, int minor,
                                          struct arena *a) {
    struct api_endpoint *e = arena_alloc(a, sizeof *e);
    if (given) {
        e->ipam_config = given->ipam_config;
        e->gw_priority = given->gw_priority;
        e->aliases = given->aliases;
        e->links = given->links;
        e->driver_opts = given->driver_opts;
    }
    e->endpoint_id = e->gateway = e->ip_address = e->mac_address = e->network_id = arena_strz(a,
                                                                                              "");
    e->ipv6_gateway = e->global_ipv6_address = e->network_id;
    struct network *w = network_find(container_networks(c), name);
    const struct endpoint_plan *p = w ? container_endpoint_on(c, w->id) : NULL;
    if (w)
        e->network_id = w->id;
    if (names_here(w))
        view_names(c, w, minor, a, e);
    if (!p)
        return e;
    char mac[18];
    e->endpoint_id = arena_strz(a, p->endpoint_id);
    if (p->prefix) {
        e->gateway = text_of_address(p->gateway, a);
        e->ip_address = text_of_address(p->address, a);
        e->ip_prefix_len = p->prefix;
    }
    e->mac_address = arena_strz(a, mac_format(p->mac, mac));
    if (p->six) {
        char six[INET6_ADDRSTRLEN];
        e->global_ipv6_address = arena_strz(a, inet_ntop(AF_INET6, &p->address6, six, sizeof six));
        e->global_ipv6_prefix_len = p->prefix6;
        e->ipv6_gateway = arena_strz(a, inet_ntop(AF_INET6, &p->gateway6, six, sizeof six));
    }
    return e;
}

/* `host` and `none` have no endpoints of ours, but are shown as one. */
static void view_endpoints(const struct container *c, int minor, struct arena *a,
                           struct objmap *ret) {
    const struct objmap *given = c->networking ? &c->networking->endpoints : NULL;
    const char *mode = c->host->network_mode;
    size_t n = given ? given->n : 0;
    ret->present = true;
    ret->items = arena_array(a, n + 1, sizeof *ret->items);
    for (size_t i = 0; i < n; i++)
        ret->items[ret->n++] = (struct objmap_slot){
            given->items[i].key,
            view_endpoint(c, given->items[i].key, given->items[i].value, minor, a)};
    if (n == 0 && (!strcmp(mode, "host") || !strcmp(mode, "none")))
        ret->items[ret->n++] = (struct objmap_slot){c->host->network_mode,
                                                    view_endpoint(c, mode, NULL, minor, a)};
}

static char *text_of_host(const struct host_address *ip, struct arena *a) {
    char text[HOST_ADDRESS_LEN];
    return arena_strz(a, host_address_format(ip, text));
}

/* The list of a key "80/tcp", made when it is new; found by `index`: a range may be long. */
static struct objs *port_list(struct objmap *ret, struct map *index, const char *key,
                              struct arena *a) {
    struct objs *list = map_getz(index, key);
    if (!list) {
        list = objmap_add(ret, a, key, sizeof *list);
        map_set(index, str_of(key), list);
    }
    return list;
}

static void view_mapping(const struct port_mapping *m, struct objmap *ret, struct map *index,
                         struct arena *a) {
    char text[HOST_ADDRESS_LEN + 4];
    struct strs from = {0};
    char *ip = text_of_host(&m->host_ip, a);
    for (uint8_t i = 0; i < m->from.n; i++)
        strs_add(&from, a, arena_strz(a, source_format(&m->from.items[i], text)));
    for (unsigned i = 0; i < m->count; i++) {
        const char *key = arena_printf(a, "%u/%s", m->container_port + i,
                                       port_proto_name(m->proto));
        struct objs *list = port_list(ret, index, key, a);
        list->present = true;
        struct api_port_binding *b = objs_add(list, a, sizeof *b);
        b->host_ip = ip;
        b->host_port = m->host_port ? arena_printf(a, "%u", m->host_port + i) : arena_strz(a, "");
        b->from = from;
    }
}

struct port_facts port_facts_of(const struct container *c) {
    const struct endpoint_plan *p = container_endpoint(c);
    static const struct port_mapping none;
    return (struct port_facts){p && p->ports.n ? p->ports.items
                               : p             ? &none
                                               : NULL,
                               p ? p->ports.n : 0, &c->config->exposed_ports};
}

void view_ports(const struct port_facts *f, struct arena *a, struct objmap *ret) {
    CLEAN_MAP struct map index = {0};
    ret->present = true;
    if (!f->items)
        return;
    for (size_t i = 0; i < f->exposed->n; i++) {
        const char *port = f->exposed->items[i];
        const char *key = strchr(port, '/') ? port : arena_printf(a, "%s/tcp", port);
        (void)port_list(ret, &index, key, a);
    }
    for (size_t i = 0; i < f->n; i++)
        view_mapping(&f->items[i], ret, &index, a);
    for (size_t i = 0; i < ret->n; i++) /* exposed, not published */
        if (!((struct objs *)ret->items[i].value)->present)
            ret->items[i].value = NULL;
}

static void view_network(const struct container *c, int minor, bool ports, struct arena *a,
                         struct api_network_settings *ret) {
    struct port_facts facts = port_facts_of(c);
    ret->bridge = ret->link_local_ipv6_address = ret->ipv6_gateway = ret->global_ipv6_address =
        arena_strz(a, "");
    ret->sandbox_id = ret->sandbox_key = ret->bridge;
    ret->endpoint_id = ret->gateway = ret->ip_address = ret->mac_address = ret->bridge;
    if (c->pid) {
        ret->sandbox_id = arena_strz(a, c->id);
        ret->sandbox_key = arena_printf(a, "/proc/%d/ns/net", (int)c->pid);
    }
    if (ports)
        view_ports(&facts, a, &ret->ports);
    view_endpoints(c, minor, a, &ret->networks);
    const struct api_endpoint *e = objmap_get(&ret->networks, "bridge");
    if (e) {
        ret->endpoint_id = e->endpoint_id;
        ret->gateway = e->gateway;
        ret->ip_address = e->ip_address;
        ret->ip_prefix_len = e->ip_prefix_len;
        ret->mac_address = e->mac_address;
    }
}

/* --- mounts, state
 * -------------------------------------------------------------------------------------------- */

static const char *volume_driver(const struct container *c, const char *name) {
    const struct volume *v = volume_find(container_volumes(c), name);
    return v ? v->driver : "local";
}

static void view_mounts(const struct container *c, struct arena *a, struct objs *ret) {
    ret->present = true;
    for (size_t i = 0; i < c->mounts_n; i++) {
        const struct container_mount *m = &c->mounts[i];
        /* --tmpfs entries are shown in HostConfig.Tmpfs only, as the peer does. */
        if (!strcmp(m->type, "tmpfs") && strmap_get(&c->host->tmpfs, m->destination))
            continue;
        struct api_mount_point *p = objs_add(ret, a, sizeof *p);
        bool volume = !strcmp(m->type, "volume");
        *p = (struct api_mount_point){
            .type = m->type,
            .name = volume ? m->name : arena_strz(a, ""),
            .source = m->source ? m->source : arena_strz(a, ""),
            .destination = m->destination,
            .driver = arena_strz(a, volume ? volume_driver(c, m->name) : ""),
            .mode = m->mode,
            .rw = m->rw,
            .propagation = m->propagation,
        };
    }
}

static void view_state(const struct container *c, struct arena *a,
                       struct api_container_state *ret) {
    ret->status = arena_strz(a, container_state_name(c->state));
    ret->running = c->state == CONTAINER_RUNNING || c->state == CONTAINER_PAUSED ||
                   c->state == CONTAINER_RESTARTING;
    ret->paused = c->state == CONTAINER_PAUSED;
    ret->restarting = c->state == CONTAINER_RESTARTING;
    ret->dead = c->state == CONTAINER_DEAD;
    ret->oom_killed = c->oom_killed;
    ret->pid = c->pid;
    ret->exit_code = c->exit_code;
    ret->error = c->error;
    ret->started_at = c->started_at;
    ret->finished_at = c->finished_at;
    ret->health = container_health_view(c, a);
}

static void view_execs(const struct container *c, struct arena *a, struct strs *ret) {
    LIST_FOR ((struct list *)&c->execs, n) {
        struct container_exec *x = CONTAINER_OF(n, struct container_exec, link);
        if (x->running)
            strs_add(ret, a, x->id);
    }
}

/* --- inspect
 * ----------------------------------------------------------------------------------------------------
 */

/* Bounded by default, which is ours: shown as if it had been asked for. */
static void bound_log(struct arena *a, struct api_log_config *log) {
    struct strmap shown = {.present = true};
    bool local = !strcmp(log->type, "local");
    if (!local && strcmp(log->type, "json-file") != 0)
        return;
    int64_t size = local ? LOGS_LOCAL_MAX_SIZE : LOGS_MAX_SIZE;
    for (size_t i = 0; i < log->config.n; i++)
        strmap_set(&shown, a, log->config.items[i].key, log->config.items[i].value);
    if (!strmap_get(&shown, "max-size"))
        strmap_set(&shown, a, "max-size", arena_printf(a, "%dm", (int)(size >> 20)));
    if (!strmap_get(&shown, "max-file"))
        strmap_set(&shown, a, "max-file",
                   arena_printf(a, "%d", local ? LOGS_LOCAL_MAX_FILE : LOGS_MAX_FILE));
    log->config = shown;
}

static struct api_log_missing *view_missing(const struct container *c, struct arena *a) {
    struct logs_missing m;
    container_log_missing(c, &m);
    if (m.dropped + m.removed_files == 0)
        return NULL;
    struct api_log_missing *v = arena_alloc(a, sizeof *v);
    *v = (struct api_log_missing){(int64_t)m.dropped, (int64_t)m.removed_files,
                                  (int64_t)m.removed_bytes};
    return v;
}

/* What the peer prints for values that were not given. */
static void fill_host(const struct container *c, struct arena *a, struct api_container *ret) {
    struct api_host_config *h = arena_alloc(a, sizeof *h);
    *h = *c->host;
    char **texts[] = {&h->restart_policy.name, &h->ipc_mode, &h->cgroupns_mode, &h->runtime};
    const char *defaults[] = {"no", "private", "private", "corten"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!*texts[i] || !**texts[i])
            *texts[i] = arena_strz(a, defaults[i]);
    if (!h->shm_size)
        h->shm_size = 64 << 20;
    for (size_t i = 0; !h->masked_paths.present && runtime_masked_paths[i]; i++)
        strs_add(&h->masked_paths, a, runtime_masked_paths[i]);
    for (size_t i = 0; !h->readonly_paths.present && runtime_readonly_paths[i]; i++)
        strs_add(&h->readonly_paths, a, runtime_readonly_paths[i]);
    bound_log(a, &h->log_config);
    h->links = (struct strs){.present = c->host->links.present};
    for (size_t i = 0; i < c->host->links.n; i++) {
        struct str alias;
        const struct container *other = container_link_target(c, i, &alias);
        if (other)
            strs_add(&h->links, a,
                     arena_printf(a, "/%s:/%s/%.*s", other->name, c->name, STR_ARG(alias)));
    }
    ret->host = h;
}

/* A whole root has no parts to tell of. */
static void view_graph(const struct container *c, struct arena *a, struct api_container *ret) {
    struct strmap *data = &ret->graph_driver.data;
    ret->graph_driver.name = ret->driver;
    if (strcmp(ret->driver, rootfs_driver_name(&rootfs_overlay)) != 0)
        return;
    if (c->hold.image)
        strmap_set(data, a, "LowerDir", image_layer_paths(c->hold.image, 0, a));
    strmap_set(data, a, "UpperDir", arena_printf(a, "%s/upper", c->directory));
    strmap_set(data, a, "WorkDir", arena_printf(a, "%s/work", c->directory));
}

void view_container(const struct container *c, int minor, bool ports, struct arena *a,
                    struct api_container *ret) {
    *ret = (struct api_container){0};
    const struct strs *entry = &c->config->entrypoint, *cmd = &c->config->cmd;
    const char *run = arena_printf(a, "%s/container/%s", container_run_root(c), c->id);
    ret->id = arena_strz(a, c->id);
    ret->created = c->created;
    ret->args.present = true;
    for (size_t i = 0; i < entry->n + cmd->n; i++) {
        char *word = i < entry->n ? entry->items[i] : cmd->items[i - entry->n];
        if (i == 0)
            ret->path = word;
        else
            strs_add(&ret->args, a, word);
    }
    view_state(c, a, &ret->state);
    ret->image = c->image_id;
    ret->resolv_conf_path = arena_printf(a, "%s/resolv.conf", run);
    ret->hostname_path = arena_printf(a, "%s/hostname", run);
    ret->hosts_path = arena_printf(a, "%s/hosts", run);
    const char *driver = c->host->log_config.type;
    bool logs = !driver || !strcmp(driver, "json-file");
    ret->log_path = logs ? arena_printf(a, "%s/%s", c->directory, container_log_name(c, a))
                         : arena_strz(a, "");
    ret->log_missing = view_missing(c, a);
    ret->name = arena_printf(a, "/%s", c->name);
    ret->restart_count = c->restart_count;
    ret->driver = arena_strz(a, container_driver(c));
    ret->platform = arena_strz(a, "linux");
    ret->mount_label = ret->process_label = ret->apparmor_profile = arena_strz(a, "");
    view_execs(c, a, &ret->exec_ids);
    fill_host(c, a, ret);
    view_graph(c, a, ret);
    view_mounts(c, a, &ret->mounts);
    ret->config = c->config;
    ret->lifecycle = container_life_view(c, a);
    view_network(c, minor, ports, a, &ret->network);
}

/* --- list
 * --------------------------------------------------------------------------------------------------------
 */

static char *view_command(const struct container *c, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    const struct strs *entry = &c->config->entrypoint, *cmd = &c->config->cmd;
    for (size_t i = 0; i < entry->n + cmd->n; i++) {
        const char *word = i < entry->n ? entry->items[i] : cmd->items[i - entry->n];
        if (i)
            buf_addc(&text, ' ');
        bool plain = *word && !strpbrk(word, " \t\n'\"\\");
        buf_adds(&text, plain || i == 0 ? "" : "'");
        buf_adds(&text, word);
        buf_adds(&text, plain || i == 0 ? "" : "'");
    }
    return arena_str(a, buf_str(&text));
}

static bool is_published(const struct port_facts *f, uint8_t proto, uint16_t port) {
    for (size_t i = 0; i < f->n; i++) {
        const struct port_mapping *m = &f->items[i];
        if (m->proto == proto && port >= m->container_port && port - m->container_port < m->count)
            return true;
    }
    return false;
}

void view_port_list(const struct port_facts *f, struct arena *a, struct objs *ret) {
    ret->present = true;
    for (size_t i = 0; i < f->n; i++) {
        const struct port_mapping *m = &f->items[i];
        char *ip = text_of_host(&m->host_ip, a);
        char *type = arena_strz(a, port_proto_name(m->proto));
        for (unsigned k = 0; k < m->count; k++) {
            struct api_port *port = objs_add(ret, a, sizeof *port);
            *port =
                (struct api_port){.ip = ip,
                                  .private_port = (uint16_t)(m->container_port + k),
                                  .public_port = (uint16_t)(m->host_port ? m->host_port + k : 0),
                                  .type = type};
        }
    }
    for (size_t i = 0; f->items && i < f->exposed->n; i++) {
        uint8_t proto = 0;
        uint16_t number = 0;
        struct err e = port_parse(str_of(f->exposed->items[i]), &proto, &number);
        bool skip = err_failed(e) || is_published(f, proto, number);
        err_ignore(e); /* checked at create */
        if (skip)
            continue;
        struct api_port *port = objs_add(ret, a, sizeof *port);
        port->private_port = number;
        port->type = arena_strz(a, port_proto_name(proto));
    }
}

void view_summary(const struct container *c, int minor, bool ports, struct arena *a,
                  struct api_container_summary *ret) {
    struct port_facts facts = port_facts_of(c);
    *ret = (struct api_container_summary){0};
    CLEAN_BUF struct buf status = {0};
    container_status_text(c, &status);
    ret->id = arena_strz(a, c->id);
    strs_add(&ret->names, a, arena_printf(a, "/%s", c->name));
    ret->image = c->image_ref;
    ret->image_id = c->image_id;
    ret->command = view_command(c, a);
    ret->created = c->created / NSEC_PER_SEC;
    if (ports)
        view_port_list(&facts, a, &ret->ports);
    ret->labels = c->config->labels;
    ret->labels.present = true;
    ret->state = arena_strz(a, container_state_name(c->state));
    ret->status = arena_str(a, buf_str(&status));
    ret->host.network_mode = c->host->network_mode;
    ret->host.annotations = c->host->annotations;
    view_endpoints(c, minor, a, &ret->network.networks);
    view_mounts(c, a, &ret->mounts);
}
