/* Published ports of a container change, also while it runs: rules and sockets first, then the row,
 * then the facts. A container that does not run only changes its record. */
#include "container/private.h"
#include "spec/api_ports.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct port_job {
    struct container *c;
    struct arena arena;
    struct api_ports_change *doc; /* in the arena */
    struct api_host_config host;  /* as it will be */
    struct port_requests add;
    struct endpoint_plans plans; /* copies of all endpoints; empty: it does not run */
    struct endpoint_plan *way_out;
    struct endpoint_live live;
    struct buf released;
    container_done *done;
    void *arg;
    struct op_run *run;
};

/* --- prepare -------------------------------------------------------------------------------------
 */

static struct err check_removals(const struct port_job *j) {
    const struct strs *v = &j->doc->remove;
    for (size_t i = 0; i < v->n; i++) {
        uint8_t proto;
        uint16_t port;
        TRY(port_parse(str_of(v->items[i]), &proto, &port));
    }
    return OK;
}

static bool is_removed(const struct strs *remove, const char *key) {
    uint8_t proto = 0, p;
    uint16_t port = 0, n;
    err_ignore(port_parse(str_of(key), &proto, &port)); /* checked at create */
    for (size_t i = 0; i < remove->n; i++) {
        err_ignore(port_parse(str_of(remove->items[i]), &p, &n)); /* checked before */
        if (p == proto && n == port)
            return true;
    }
    return false;
}

/* The bindings as they will be; `index` finds a key's list: a range may have tens of thousands. */
struct bindings {
    struct objmap to;
    struct map index;
    struct arena *arena;
};

static void add_list(struct bindings *b, const char *key, const struct objs *from) {
    struct objs *list = map_getz(&b->index, key);
    if (!list) {
        list = objmap_add(&b->to, b->arena, key, sizeof *list);
        map_set(&b->index, str_of(key), list);
    }
    for (size_t i = 0; from && i < from->n; i++) {
        struct api_port_binding *one = objs_add(list, b->arena, sizeof *one);
        *one = ((const struct api_port_binding *)from->items)[i];
    }
}

static void merge(struct port_job *j) {
    const struct objmap *now = &j->c->host->port_bindings;
    struct bindings b = {.to.present = true, .arena = &j->arena};
    for (size_t i = 0; i < now->n; i++)
        if (!is_removed(&j->doc->remove, now->items[i].key))
            add_list(&b, now->items[i].key, now->items[i].value);
    for (size_t i = 0; i < j->doc->add.n; i++)
        add_list(&b, j->doc->add.items[i].key, j->doc->add.items[i].value);
    j->host = *j->c->host;
    j->host.port_bindings = b.to;
    map_done(&b.index);
}

static struct err prepare_live(struct port_job *j) {
    struct container *c = j->c;
    for (size_t i = 0; i < c->endpoints.n; i++) {
        struct endpoint_plan *copy = container_plan_copy(c->endpoints.items[i]);
        vec_push(&j->plans, copy);
        if (copy->default_route)
            j->way_out = copy;
    }
    if (!j->way_out)
        return err_new(ERR_CONFLICT,
                       "container %s has no network that publishes ports while it runs", c->name);
    return endpoint_ports_check(container_networks(c), j->way_out, &j->add);
}

static struct err prepare(void *job) {
    struct port_job *j = job;
    struct container *c = j->c;
    struct in_addr any = {0};
    if (c->gone || c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD)
        return err_new(ERR_CONFLICT, "container %s is marked for removal", c->id);
    TRY(check_removals(j));
    struct network *w = NULL;
    for (size_t i = 0; i < c->endpoints.n; i++)
        if (c->endpoints.items[i]->default_route)
            w = network_find(container_networks(c), c->endpoints.items[i]->network_id);
    TRY(container_bindings_requests(&j->doc->add, w ? w->bind_ip : any, &j->arena, &j->add));
    port_requests_merge(&j->add);
    merge(j);
    return container_is_alive(c) ? prepare_live(j) : OK;
}

/* --- work ----------------------------------------------------------------------------------------
 */

static struct err work(void *job) {
    struct port_job *j = job;
    struct container *c = j->c;
    if (!j->way_out)
        return OK;
    CLEAN_FD int run_dir = openat(c->all->run_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run_dir < 0)
        return err_errno(errno, "open the run directory");
    for (size_t i = 0; i < j->doc->remove.n; i++) {
        uint8_t proto = 0;
        uint16_t port = 0;
        TRY(port_parse(str_of(j->doc->remove.items[i]), &proto, &port));
        TRY(endpoint_unpublish(j->way_out, proto, port, &j->released));
    }
    TRY(endpoint_publish(j->way_out, &j->add, &j->live));
    return container_net_write(&j->plans, run_dir);
}

/* --- finish --------------------------------------------------------------------------------------
 */

static void end(struct port_job *j, struct err e) {
    j->done(j->arg, e);
    op_end(j->run);
    for (size_t i = 0; i < j->plans.n; i++)
        endpoint_plan_free(j->plans.items[i]);
    vec_done(&j->plans);
    endpoint_live_done(&j->live);
    buf_done(&j->released);
    arena_done(&j->arena);
    free(j);
}

static void told(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "hand over published ports");
}

static void tell_monitor(struct port_job *j) {
    struct container *c = j->c;
    char address[INET6_ADDRSTRLEN];
    if (!c->monitor)
        return;
    if (j->released.len)
        monitor_release(c->monitor, buf_str(&j->released), told, NULL);
    struct monitor_ports p = container_ports_held(c, &j->live, j->way_out, address);
    if (p.held_n || p.relay_n)
        monitor_hold(c->monitor, &p, told, NULL);
}

static void take_over(struct port_job *j) {
    struct container *c = j->c;
    if (!j->way_out)
        return;
    container_net_take(c, &j->plans);
    endpoint_ports_moved(container_networks(c), j->way_out, NULL);
    tell_monitor(j);
}

static void recorded(void *arg, struct err e) {
    struct port_job *j = arg;
    if (!err_failed(e)) {
        container_host_replace(j->c, &j->host);
        container_publish(j->c, "update", NULL, NULL);
    }
    end(j, e);
}

static void finish(void *job, struct err e, struct op_run *run) {
    struct port_job *j = job;
    struct container *c = j->c;
    j->run = run;
    if (err_failed(e)) {
        end(j, e);
        return;
    }
    take_over(j);
    container_host_record(c, &j->host, recorded, j);
}

static const struct op ports_op = {"container ports", prepare, work, finish};

void container_ports_change(struct container *c, const struct api_ports_change *doc,
                            container_done *done, void *arg) {
    struct port_job *j = NEW(struct port_job);
    CLEAN_BUF struct buf text = {0};
    j->c = c;
    j->done = done;
    j->arg = arg;
    j->live.netns_fd = -1;
    fields_print(&api_ports_change_fields, doc, &text);
    j->doc = arena_alloc(&j->arena, sizeof *j->doc);
    struct err e = fields_decode(&api_ports_change_fields, buf_str(&text), &j->arena, j->doc);
    assert(!err_failed(e)); /* it was printed from the same table */
    op_start(c->all->config.loop, &c->queue, &ports_op, j);
}
