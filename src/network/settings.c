/* Networks that only hold settings (--config-only), and those that take theirs from one
 * (--config-from): pools, families, options and labels. */
#include "base/json.h"
#include "network/private.h"

static char *copy(struct arena *a, const char *text) {
    return text && *text ? arena_strz(a, text) : NULL;
}

static void copy_map(struct strmap *to, struct arena *a, const struct strmap *from) {
    for (size_t i = 0; i < from->n; i++)
        strmap_set(to, a, from->items[i].key, from->items[i].value);
    to->present = true;
}

/* Texts that nobody could use are refused now and not by their first user. */
static struct err check_pools(const struct network_request *r) {
    struct subnet s;
    struct in6_addr six;
    unsigned prefix;
    if (r->subnet && *r->subnet)
        TRYF(subnet_parse(r->subnet, &s, NULL), "subnet");
    if (r->subnet6 && *r->subnet6)
        TRYF(six_parse_subnet(r->subnet6, &six, &prefix), "subnet");
    return OK;
}

struct err settings_make(struct network *w, const struct network_request *r) {
    if (r->config_from && *r->config_from)
        return err_new(ERR_INVALID, "a configuration network cannot depend on another one");
    bool said = r->driver && *r->driver && strcmp(r->driver, "null") != 0;
    if (said && strcmp(r->driver, "bridge") != 0) /* that the stock client always says */
        return err_new(ERR_INVALID,
                       "a configuration network has no driver: '%s' is said where it is used",
                       r->driver);
    if (r->internal || r->attachable)
        return err_new(ERR_INVALID,
                       "configuration networks can only contain network specific settings: %s is "
                       "none",
                       r->internal ? "internal" : "attachable");
    TRY(check_pools(r));
    struct arena *a = &w->arena;
    w->driver = NETWORK_NONE;
    w->config_only = true;
    w->six = r->six;
    w->no_four = r->no_four;
    w->settings = arena_alloc(a, sizeof(*w->settings));
    *w->settings = (struct network_pools){
        .subnet = copy(a, r->subnet),
        .gateway = copy(a, r->gateway),
        .ip_range = copy(a, r->ip_range),
        .subnet6 = copy(a, r->subnet6),
        .gateway6 = copy(a, r->gateway6),
        .ip_range6 = copy(a, r->ip_range6),
    };
    copy_map(&w->aux, a, &r->aux);
    copy_map(&w->aux6, a, &r->aux6);
    copy_map(&w->options, a, &r->options);
    copy_map(&w->labels, a, &r->labels);
    return OK;
}

struct err settings_apply(const struct networks *n, const struct network_request *r,
                          struct network *w, struct network_request *ret) {
    *ret = *r;
    if (!r->config_from || !*r->config_from)
        return OK;
    struct network *from = NULL;
    TRY(network_get(n, r->config_from, &from));
    if (!from->config_only || from->removing)
        return err_new(ERR_FORBIDDEN, "configuration network %s is not a configuration network",
                       from->name);
    if (r->subnet || r->subnet6 || r->gateway || r->gateway6 || r->ip_range || r->ip_range6 ||
        r->aux.n || r->aux6.n || r->six || r->no_four || r->options.n)
        return err_new(ERR_FORBIDDEN, "user supplied configurations are not supported if the "
                                      "network depends on a configuration network");
    const struct network_pools *p = from->settings;
    ret->subnet = p->subnet;
    ret->gateway = p->gateway;
    ret->ip_range = p->ip_range;
    ret->subnet6 = p->subnet6;
    ret->gateway6 = p->gateway6;
    ret->ip_range6 = p->ip_range6;
    ret->aux = from->aux;
    ret->aux6 = from->aux6;
    ret->six = from->six;
    ret->no_four = from->no_four;
    ret->options = from->options;
    ret->labels = (struct strmap){0};
    copy_map(&ret->labels, &w->arena, &from->labels);
    for (size_t i = 0; i < r->labels.n; i++)
        strmap_set(&ret->labels, &w->arena, r->labels.items[i].key, r->labels.items[i].value);
    w->config_from = arena_strz(&w->arena, from->name);
    return OK;
}

/* --- defaults of the daemon ----------------------------------------------------------------------
 */

static struct err add_default(struct networks *n, struct str driver, struct str key,
                              struct str value) {
    if (!str_eqz(driver, "bridge") && !str_eqz(driver, "macvlan") && !str_eqz(driver, "ipvlan"))
        return err_new(ERR_INVALID, "driver '%.*s' is none of ours", STR_ARG(driver));
    if (!key.len || str_has_nul(key) || str_has_nul(value))
        return err_new(ERR_INVALID, "an option without a name");
    const char *name = arena_printf(&n->arena, "%.*s=%.*s", STR_ARG(driver), STR_ARG(key));
    strmap_set(&n->defaults, &n->arena, name, arena_str(&n->arena, value));
    return OK;
}

static struct err read_defaults(struct networks *n, const struct json *list,
                                const struct json *objects) {
    for (size_t i = 0; i < json_len(list); i++) {
        struct str driver, key, value, rest;
        struct str text = json_str(json_at(list, i));
        if (!str_cut(text, '=', &driver, &rest) || !str_cut(rest, '=', &key, &value))
            return err_new(ERR_INVALID, "'%.*s' is not DRIVER=KEY=VALUE", STR_ARG(text));
        TRY(add_default(n, driver, key, value));
    }
    struct json_iter d = {0};
    while (objects && json_each(objects, &d)) {
        struct json_iter o = {0};
        if (json_type(d.value) != JSON_OBJECT)
            return err_new(ERR_INVALID, "'%.*s': expected an object", STR_ARG(d.key));
        while (json_each(d.value, &o)) {
            if (json_type(o.value) != JSON_STRING)
                return err_new(ERR_INVALID, "'%.*s': expected a string", STR_ARG(o.key));
            TRY(add_default(n, d.key, o.key, json_str(o.value)));
        }
    }
    return OK;
}

struct err settings_defaults(struct networks *n, const char *const texts[2]) {
    CLEAN_JSON struct json *list = NULL;
    CLEAN_JSON struct json *objects = NULL;
    if (texts[0])
        TRYF(json_parse(str_of(texts[0]), &list), "default-network-opt");
    if (texts[1])
        TRYF(json_parse(str_of(texts[1]), &objects), "default-network-opts");
    if (objects && json_type(objects) != JSON_OBJECT)
        return err_new(ERR_INVALID, "default-network-opts: expected an object");
    return err_wrap(read_defaults(n, list, objects), "default-network-opts");
}

void settings_complete(const struct networks *n, struct network *w) {
    const char *driver = network_driver_name(w->driver);
    size_t len = strlen(driver);
    for (size_t i = 0; i < n->defaults.n; i++) {
        const struct strpair *d = &n->defaults.items[i];
        if (strncmp(d->key, driver, len) == 0 && d->key[len] == '=' &&
            !strmap_get(&w->options, d->key + len + 1))
            strmap_set(&w->options, &w->arena, d->key + len + 1, d->value);
    }
}

bool settings_used(const struct networks *n, const struct network *w) {
    for (size_t i = 0; i < n->items_n; i++)
        if (n->items[i]->config_from && strcmp(n->items[i]->config_from, w->name) == 0)
            return true;
    return false;
}
