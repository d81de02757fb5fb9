/* why_name.c - `corten why name CONTAINER NAME`: why a name is not found from inside a container.
 *
 * Names of containers are answered on user-defined networks only, and only between containers that
 * share one and run (docs/networking.md); everything else goes to the name servers of the host or
 * of
 * --dns. */
#include "cli/why.h"
#include <stdio.h>
#include <string.h>

static const struct api_endpoint *endpoint(const struct api_container *k, const char *network) {
    return objmap_get(&k->network.networks, network);
}

/* Is that how others may call it on this network? */
static bool is_called(const struct api_container *k, const struct api_endpoint *e,
                      const char *name) {
    if (!strcmp(k->name + (*k->name == '/'), name) || !strncmp(k->id, name, 12))
        return true;
    for (size_t i = 0; e && i < e->aliases.n; i++)
        if (!strcmp(e->aliases.items[i], name))
            return true;
    for (size_t i = 0; e && i < e->dns_names.n; i++)
        if (!strcmp(e->dns_names.items[i], name))
            return true;
    return false;
}

static bool has_names(const char *network) {
    return strcmp(network, "bridge") != 0 && strcmp(network, "host") != 0 &&
           strcmp(network, "none") != 0;
}

static void own_networks(struct why *w, const struct api_container *k, size_t *ret_named) {
    *ret_named = 0;
    for (size_t i = 0; i < k->network.networks.n; i++) {
        const char *network = k->network.networks.items[i].key;
        *ret_named += has_names(network);
        why_fact(w, "%s is on network '%s'%s", w->of, network,
                 has_names(network) ? "" : ", where containers have no names");
    }
    if (k->network.networks.n == 0)
        why_fact(w, "%s is on no network", w->of);
}

/* The other container is there: what stands between them? */
static void between(struct why *w, const struct api_container *k, const struct api_container *other,
                    const char *name) {
    const char *shared = NULL;
    const struct objmap *theirs = &other->network.networks;
    for (size_t i = 0; i < theirs->n; i++) {
        why_fact(w, "%s is on network '%s'", name, theirs->items[i].key);
        if (endpoint(k, theirs->items[i].key) && (!shared || !has_names(shared)))
            shared = theirs->items[i].key;
    }
    if (!other->state.running) {
        why_cause(w, "%s does not run (%s): only running containers have a name", name,
                  other->state.status);
        why_next(w, "corten why dead %s", name);
    } else if (!shared) {
        why_cause(w, "%s and %s share no network", w->of, name);
        why_next(w, "corten network create shared");
        why_next(w, "corten network connect shared %s && corten network connect shared %s", w->of,
                 name);
    } else if (!has_names(shared)) {
        why_cause(w, "%s and %s share only '%s', where containers have no names", w->of, name,
                  shared);
        why_next(w,
                 "corten network create back && corten network connect back %s && corten "
                 "network connect back %s",
                 w->of, name);
    } else if (!is_called(other, endpoint(other, shared), name)) {
        why_cause(w, "'%s' is not what that container is called on network '%s'", name, shared);
        why_next(w, "corten network disconnect %s %s && corten network connect --alias %s %s %s",
                 shared, name, name, shared, name);
    } else {
        why_cause(w, "'%s' should be found from %s: both run on network '%s'", name, w->of, shared);
        why_next(w, "corten exec %s getent hosts %s   (what the container itself says)", w->of,
                 name);
    }
}

/* No container has that name: one that is nearly called so, an alias, or a name of the world. */
static struct err nobody(struct why *w, struct client *c, const struct api_container *k,
                         const char *name, size_t named, struct arena *a) {
    struct objs list = {0};
    TRY(cli_get_array(c, "/containers/json?all=1", &api_container_summary_fields, a, &list));
    const struct api_container_summary *s = list.items;
    const char *near = NULL;
    size_t least = 3;
    for (size_t i = 0; i < list.n; i++) {
        const struct objmap *nets = &s[i].network.networks;
        for (size_t n = 0; n < s[i].names.n; n++)
            name_nearer(name, s[i].names.items[n] + 1, &least, &near);
        for (size_t n = 0; n < nets->n; n++) {
            const struct api_endpoint *e = nets->items[n].value;
            for (size_t x = 0; e && x < e->aliases.n; x++)
                if (!strcmp(e->aliases.items[x], name) && !endpoint(k, nets->items[n].key)) {
                    why_cause(w,
                              "'%s' is another name of %s, but on network '%s', which %s is "
                              "not on",
                              name, s[i].names.items[0] + 1, nets->items[n].key, w->of);
                    why_next(w, "corten network connect %s %s", nets->items[n].key, w->of);
                }
        }
    }
    if (strchr(name, '.'))
        why_cause(w, "'%s' is no container: the name servers of %s are asked for it", name, w->of);
    else if (near)
        why_cause(w, "there is no container '%s'; is '%s' meant?", name, near);
    else
        why_cause(w, "there is no container '%s'%s", name,
                  named ? "" : ", and its networks have no names anyway");
    for (size_t i = 0; i < k->host->dns.n; i++)
        why_fact(w, "name server by --dns: %s", k->host->dns.items[i]);
    if (k->host->dns.n == 0)
        why_fact(w, "name servers: those of the host's /etc/resolv.conf");
    why_next(w, "corten exec %s cat /etc/resolv.conf", w->of);
    return OK;
}

static struct err explain(struct why *w, struct client *c, const char *name, struct arena *a) {
    struct api_container k = {0}, other = {0};
    size_t named;
    TRY(client_container_inspect(c, w->of, a, &k));
    if (!k.host || !k.name)
        return err_new(ERR_INVALID, "corten: the daemon's answer has no configuration");
    if (!k.state.running)
        why_cause(w, "%s itself does not run (%s)", w->of, k.state.status);
    own_networks(w, &k, &named);
    for (size_t i = 0; i < k.host->extra_hosts.n; i++) {
        struct str host, address;
        if (str_cut(str_of(k.host->extra_hosts.items[i]), ':', &host, &address) &&
            str_eqz(host, name))
            why_cause(w, "'%s' stands in /etc/hosts of %s as %.*s, by --add-host", name, w->of,
                      STR_ARG(address));
    }
    struct err e = client_container_inspect(c, name, a, &other);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return nobody(w, c, &k, name, named, a);
    }
    TRY(e);
    between(w, &k, &other, name);
    return OK;
}

static int name_run(struct invocation *in) {
    struct why w = {.in = in, .subject = "name", .of = in->args[0]};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? why_end(&w, explain(&w, c, in->args[1], &in->arena)) : 1;
}

const struct command command_why_name = {
    .name = "why name",
    .usage = "why name CONTAINER NAME",
    .summary = "Say why a container does not find a name",
    .examples = "corten why name web db\tweb cannot reach db by its name",
    .args_min = 2,
    .args_max = 2,
    .json = true,
    .names = "container",
    .run = name_run};
