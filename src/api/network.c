/* /networks. */
#include "api/filter.h"
#include "api/handlers.h"
#include "spec/api_network.h"
#include <arpa/inet.h>
#include <string.h>

/* --- view ---------------------------------------------------------------------------------- */

static char *address_text(struct arena *a, struct in_addr ip, unsigned prefix) {
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &ip, text, sizeof(text));
    return prefix ? arena_printf(a, "%s/%u", text, prefix) : arena_strz(a, text);
}

static char *six_text(struct arena *a, const struct in6_addr *ip, unsigned prefix) {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, ip, text, sizeof(text));
    return prefix ? arena_printf(a, "%s/%u", text, prefix) : arena_strz(a, text);
}

/* What a network holds for others is shown as it was given. */
static void view_settings(const struct network *w, struct arena *a, struct api_ipam *ret) {
    const struct network_pools *p = w->settings;
    if (p->subnet)
        *(struct api_ipam_pool *)objs_add(&ret->config, a, sizeof(struct api_ipam_pool)) =
            (struct api_ipam_pool){p->subnet, p->ip_range, p->gateway, w->aux};
    if (p->subnet6)
        *(struct api_ipam_pool *)objs_add(&ret->config, a, sizeof(struct api_ipam_pool)) =
            (struct api_ipam_pool){p->subnet6, p->ip_range6, p->gateway6, w->aux6};
}

static void view_ipam(const struct network *w, struct arena *a, struct api_ipam *ret) {
    ret->driver = arena_strz(a, "default");
    if (w->settings)
        view_settings(w, a, ret);
    if (!network_has_endpoints(w))
        return;
    if (w->prefix) {
        struct api_ipam_pool *pool = objs_add(&ret->config, a, sizeof(*pool));
        pool->subnet = address_text(a, w->subnet, w->prefix);
        pool->gateway = address_text(a, w->gateway, 0);
        if (w->range_prefix != w->prefix)
            pool->ip_range = address_text(a, w->range, w->range_prefix);
        pool->auxiliary_addresses = w->aux;
    }
    if (!w->prefix6)
        return;
    struct api_ipam_pool *pool = objs_add(&ret->config, a, sizeof(*pool));
    pool->subnet = six_text(a, &w->subnet6, w->prefix6);
    pool->gateway = six_text(a, &w->gateway6, 0);
    if (w->range_prefix6 != w->prefix6)
        pool->ip_range = six_text(a, &w->range6, w->range_prefix6);
    pool->auxiliary_addresses = w->aux6;
}

static void view_containers(const struct network *w, struct arena *a, struct objmap *ret) {
    LIST_FOR ((struct list *)(uintptr_t)&w->endpoints, n) {
        const struct endpoint *e = CONTAINER_OF(n, struct endpoint, link);
        char mac[18];
        if (!e->live)
            continue;
        struct api_network_container *k = objmap_add(ret, a, e->container_id, sizeof(*k));
        k->name = e->container_name;
        k->endpoint_id = arena_strz(a, e->id);
        k->mac_address = arena_strz(a, mac_format(e->mac, mac));
        k->ipv4_address = w->prefix ? address_text(a, e->address, w->prefix) : arena_strz(a, "");
        if (w->six)
            k->ipv6_address = six_text(a, &e->address6, w->prefix6);
    }
}

static void view_network(const struct network *w, bool containers, struct arena *a,
                         struct api_network *ret) {
    *ret = (struct api_network){
        .name = w->name,
        .id = arena_strz(a, w->id),
        .created = w->created,
        .scope = arena_strz(a, "local"),
        .driver = arena_strz(a, network_driver_name(w->driver)),
        .enable_ipv4 = !w->no_four,
        .config_only = w->config_only,
        .config_from.network = w->config_from,
        .enable_ipv6 = w->six,
        .internal = w->internal,
        .attachable = w->attachable,
        .options = w->options,
        .labels = w->labels,
    };
    view_ipam(w, a, &ret->ipam);
    if (containers)
        view_containers(w, a, &ret->containers);
}

/* --- list, inspect ------------------------------------------------------------------------- */

static bool find(struct api_call *c, struct network **ret) {
    struct err e = network_get(c->api->networks, c->arg[0], ret);
    if (!err_failed(e))
        return true;
    api_reply_err(c, e);
    return false;
}

static bool wanted(const struct network *w, const struct api_filters *f) {
    const struct strs *dangling = api_filter(f, "dangling"), *driver = api_filter(f, "driver");
    const struct strs *scope = api_filter(f, "scope"), *type = api_filter(f, "type");
    return api_filter_match(api_filter(f, "name"), w->name) &&
           api_filter_match(api_filter(f, "id"), w->id) &&
           (!driver || strs_has(driver, network_driver_name(w->driver))) &&
           (!scope || strs_has(scope, "local")) &&
           (!type || strs_has(type, w->predefined ? "builtin" : "custom")) &&
           (!dangling || api_filter_bool(dangling) == (!w->predefined && w->endpoints_n == 0)) &&
           api_filter_labels(api_filter(f, "label"), &w->labels);
}

static struct err check_filters(const struct api_filters *f) {
    const struct strs *type = api_filter(f, "type");
    for (size_t i = 0; type && i < type->n; i++)
        if (strcmp(type->items[i], "builtin") != 0 && strcmp(type->items[i], "custom") != 0)
            return err_new(ERR_INVALID, "invalid filter: 'type'='%s'", type->items[i]);
    return api_filter_check_bool(f, "dangling");
}

void api_network_list(struct api_call *c) {
    static const char *const filters[] = {"dangling", "driver", "id",   "label",
                                          "name",     "scope",  "type", NULL};
    struct api_filters f;
    struct objs docs = {0};
    CLEAN_BUF struct buf out = {0};
    struct err e = api_read_filters(c, filters, &f);
    if (!err_failed(e))
        e = check_filters(&f);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    size_t at = 0;
    struct network *w;
    while ((w = network_next(c->api->networks, &at)))
        if (wanted(w, &f)) /* who is connected is in the list of old versions only */
            view_network(w, c->minor < 28, &c->arena,
                         objs_add(&docs, &c->arena, sizeof(struct api_network)));
    fields_encode_objs(&api_network_fields, &docs, c->minor, &(struct json_out){.out = &out});
    buf_addc(&out, '\n');
    api_reply_json(c, 200, buf_str(&out));
}

void api_network_inspect(struct api_call *c) {
    struct network *w = NULL;
    struct api_network doc;
    const char *scope = api_query(c, "scope");
    if (scope && *scope && strcmp(scope, "local") != 0) {
        api_reply_err(c, err_new(ERR_NOT_FOUND, "network %s not found", c->arg[0]));
        return;
    }
    if (!find(c, &w))
        return;
    view_network(w, true, &c->arena, &doc);
    api_reply_doc(c, 200, &api_network_fields, &doc);
}

/* --- create -------------------------------------------------------------------------------- */

/* One pool of each family. */
static struct err check_pool(const struct api_ipam_pool *p, struct network_request *ret, bool *four,
                             bool *six) {
    bool is_six = (p->subnet && strchr(p->subnet, ':')) || (p->gateway && strchr(p->gateway, ':'));
    bool *seen = is_six ? six : four;
    if (*seen)
        return err_new(ERR_UNSUPPORTED, "a second pool of the same family is not supported");
    *seen = true;
    if (is_six) {
        ret->subnet6 = p->subnet;
        ret->gateway6 = p->gateway;
        ret->ip_range6 = p->ip_range;
        ret->aux6 = p->auxiliary_addresses;
        return OK;
    }
    ret->subnet = p->subnet;
    ret->gateway = p->gateway;
    ret->ip_range = p->ip_range;
    ret->aux = p->auxiliary_addresses;
    return OK;
}

static struct err check_ipam(const struct api_ipam *i, struct network_request *ret) {
    if (i->driver && *i->driver && strcmp(i->driver, "default") != 0)
        return err_new(ERR_UNSUPPORTED, "IPAM.Driver: '%s' is not supported", i->driver);
    if (i->options.n > 0)
        return err_new(ERR_UNSUPPORTED, "IPAM.Options: '%s' is not supported",
                       i->options.items[0].key);
    bool four = false, six = false;
    for (size_t k = 0; k < i->config.n; k++)
        TRYF(check_pool((const struct api_ipam_pool *)i->config.items + k, ret, &four, &six),
             "IPAM.Config[%zu]", k);
    return OK;
}

static struct err check_create(const struct api_network_create *doc, struct network_request *ret) {
    *ret = (struct network_request){
        .name = doc->name,
        .driver = doc->driver,
        .internal = doc->internal,
        .attachable = doc->attachable,
        .six = doc->enable_ipv6 && *doc->enable_ipv6,
        .no_four = doc->enable_ipv4 && !*doc->enable_ipv4,
        .config_only = doc->config_only,
        .config_from = doc->config_from ? doc->config_from->network : NULL,
        .labels = doc->labels,
        .options = doc->options,
    };
    if (doc->scope && *doc->scope && strcmp(doc->scope, "local") != 0)
        return err_new(ERR_UNSUPPORTED, "Scope: '%s' is not supported", doc->scope);
    if (doc->ingress)
        return err_new(ERR_UNSUPPORTED, "Ingress is not supported");
    return doc->ipam ? check_ipam(doc->ipam, ret) : OK;
}

static void created(void *arg, struct err e, struct network *w) {
    struct api_call *c = arg;
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct api_network_created doc = {.id = w->id};
    if (w->prefix6 && !w->six)
        doc.warning = arena_strz(&c->arena, "EnableIPv6 is not set: the IPv6 pool is kept, but no "
                                            "address is given from it");
    api_reply_doc(c, 201, &api_network_created_fields, &doc);
}

static void create_body(struct api_call *c, void *arg) {
    struct api_network_create *doc = arg;
    struct network_request r;
    if (c->minor < 48)
        doc->enable_ipv4 = NULL; /* not a member before 1.48 */
    struct err e = check_create(doc, &r);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        network_create(c->api->networks, &r, created, c);
}

void api_network_create(struct api_call *c) {
    api_read_json(c, &api_network_create_fields, create_body);
}

/* --- connect, disconnect ----------------------------------------------------------------------
 */

static void changed(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 200);
}

static bool find_both(struct api_call *c, const char *ref, struct container **ret) {
    struct network *w = NULL;
    if (!find(c, &w))
        return false;
    struct err e = container_find(c->api->containers, ref, ret);
    if (!err_failed(e))
        return true;
    api_reply_err(c, e);
    return false;
}

static void connect_body(struct api_call *c, void *arg) {
    const struct api_network_connect *doc = arg;
    struct container *k = NULL;
    if (find_both(c, doc->container, &k))
        container_connect(k, c->arg[0], doc->endpoint, changed, c);
}

void api_network_connect(struct api_call *c) {
    api_read_json(c, &api_network_connect_fields, connect_body);
}

static void disconnect_body(struct api_call *c, void *arg) {
    const struct api_network_disconnect *doc = arg;
    struct container *k = NULL;
    if (find_both(c, doc->container, &k))
        container_disconnect(k, c->arg[0], changed, c);
}

void api_network_disconnect(struct api_call *c) {
    api_read_json(c, &api_network_disconnect_fields, disconnect_body);
}

/* --- remove, prune ------------------------------------------------------------------------- */

static void removed(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

void api_network_remove(struct api_call *c) {
    struct network *w = NULL;
    if (find(c, &w))
        network_remove(c->api->networks, w, removed, c);
}

/* The names are taken down first and removed one after the other: meanwhile any of them may change.
 */
struct prune {
    struct strs names;
    size_t at;
    struct api_network_pruned doc;
};

static void prune_next(struct api_call *c);

static void prune_one_done(void *arg, struct err e) {
    struct api_call *c = arg;
    struct prune *p = c->state;
    bool in_use = err_kind(e) == ERR_FORBIDDEN || err_kind(e) == ERR_NOT_FOUND;
    if (!err_failed(e))
        strs_add(&p->doc.deleted, &c->arena, p->names.items[p->at]);
    if (err_failed(e) && !in_use) {
        api_reply_err(c, e);
        return;
    }
    err_ignore(e); /* taken into use, or removed by somebody else, in the meantime */
    p->at++;
    prune_next(c);
}

static void prune_next(struct api_call *c) {
    struct prune *p = c->state;
    struct network *w = NULL;
    while (p->at < p->names.n && !w) {
        w = network_find(c->api->networks, p->names.items[p->at]);
        p->at += !w;
    }
    if (w)
        network_remove(c->api->networks, w, prune_one_done, c);
    else
        api_reply_doc(c, 200, &api_network_pruned_fields, &p->doc);
}

void api_network_prune(struct api_call *c) {
    static const char *const filters[] = {"until", "label", "label!", NULL};
    struct prune *p = arena_alloc(&c->arena, sizeof(*p));
    struct api_filters f;
    int64_t until = INT64_MAX;
    struct err e = api_read_filters(c, filters, &f);
    if (!err_failed(e))
        e = api_filter_until(&f, &until);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    size_t at = 0;
    struct network *w;
    while ((w = network_next(c->api->networks, &at)))
        if (!w->predefined && !w->config_only && w->endpoints_n == 0 && w->created < until &&
            api_filter_labels(api_filter(&f, "label"), &w->labels) &&
            !api_filter_any_label(api_filter(&f, "label!"), &w->labels))
            strs_add(&p->names, &c->arena, w->name);
    c->state = p;
    prune_next(c);
}
