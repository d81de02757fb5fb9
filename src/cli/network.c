/* network create, ls, rm, connect, disconnect. */
#include "base/time.h"
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

struct network_ls_options {
    bool quiet, no_trunc;
    const char *format;
    struct strv filter;
};
static const struct option_row ls_rows[] = {
    FLAG(struct network_ls_options, quiet, 'q', "quiet", "Only IDs"),
    FLAG(struct network_ls_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FILTER(struct network_ls_options, filter),
    FORMAT(struct network_ls_options, format),
};

struct network_row {
    const struct api_network *n;
    bool cut;
};
VIEW(v_id, struct network_row, view_id(r->n->id, r->cut))
VIEW(v_name, struct network_row, template_strz(r->n->name))
VIEW(v_driver, struct network_row, template_strz(r->n->driver))
VIEW(v_scope, struct network_row, template_strz(r->n->scope))
VIEW(v_ipv4, struct network_row, template_strz(r->n->enable_ipv4 ? "true" : "false"))
VIEW(v_ipv6, struct network_row, template_strz(r->n->enable_ipv6 ? "true" : "false"))
VIEW(v_internal, struct network_row, template_strz(r->n->internal ? "true" : "false"))
VIEW(v_labels, struct network_row, view_labels(&r->n->labels, a))
VIEW(v_label, struct network_row, view_label(&r->n->labels, &args[0]))

/* Go's Time.String() with its fraction of a second. */
GETTER(v_created_at) {
    const struct network_row *r = self;
    char fixed[TIME_TEXT_MAX], day[32], zone[32];
    struct tm tm;
    time_t t = (time_t)(r->n->created / NSEC_PER_SEC);
    localtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z %Z", &tm);
    time_format(r->n->created, fixed);
    char *dot = strchr(fixed, '.');
    *ret = template_strz(
        arena_printf(a, "%s%.*s %s", day, dot ? (int)strcspn(dot, "Z") : 0, dot ? dot : "", zone));
    return OK;
}

static const struct template_member network_members[] = {
    {"ID", v_id, 0, 0, "NETWORK ID"},
    {"Name", v_name, 0, 0, "NAME"},
    {"Driver", v_driver, 0, 0, "DRIVER"},
    {"Scope", v_scope, 0, 0, "SCOPE"},
    {"IPv4", v_ipv4, 0, 0, "IPV4"},
    {"IPv6", v_ipv6, 0, 0, "IPV6"},
    {"Internal", v_internal, 0, 0, "INTERNAL"},
    {"Labels", v_labels, 0, 0, "LABELS"},
    {"Label", v_label, 1, 1, NULL},
    {"CreatedAt", v_created_at, 0, 0, "CREATED AT"},
};
TYPE_OF(network_type, "*network.networkContext", network_members);

static struct err network_row(struct listing *l, const void *element, struct invocation *in) {
    const struct network_ls_options *o = in->options;
    return listing_row(l, &(struct network_row){element, !o->no_trunc});
}

static int network_ls_run(struct invocation *in) {
    const struct network_ls_options *o = in->options;
    return cli_list(in, &(struct cli_list){.target = "/networks",
                                           .filter = &o->filter,
                                           .fields = &api_network_fields,
                                           .format = o->format,
                                           .config = "networksFormat",
                                           .otherwise = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t"
                                                        "{{.Scope}}",
                                           .quiet = o->quiet ? "{{.ID}}" : NULL,
                                           .type = &network_type,
                                           .sort_by = offsetof(struct api_network, name) + 1,
                                           .row = network_row});
}

/* --- create ----------------------------------------------------------------------------------- */

struct network_create_options {
    bool attachable, config_only, ingress, internal, ipv4, ipv6;
    const char *driver, *ipam_driver, *scope, *config_from;
    struct strv subnets, ranges, gateways, aux, options, ipam_options, labels;
};
#define O struct network_create_options
static const struct option_row create_rows[] = {
    FLAG(O, attachable, 0, "attachable", "Containers may be attached by hand"),
    FLAG(O, config_only, 0, "config-only", "Only settings for other networks"),
    FLAG(O, ingress, 0, "ingress", "Routing mesh of a Swarm"),
    FLAG(O, internal, 0, "internal", "No way out of the network"),
    FLAG_ON(O, ipv4, 0, "ipv4", "Addresses of IPv4"),
    FLAG(O, ipv6, 0, "ipv6", "Addresses of IPv6"),
    {.letter = 'd',
     .name = "driver",
     .argument = "NAME",
     .help = "Driver that makes it",
     .kind = OPTION_TEXT,
     .offset = offsetof(O, driver),
     .otherwise = "bridge"},
    {.name = "ipam-driver",
     .argument = "NAME",
     .help = "Driver that gives addresses",
     .kind = OPTION_TEXT,
     .offset = offsetof(O, ipam_driver),
     .otherwise = "default"},
    TEXT(O, scope, 0, "scope", "NAME", "Where it is valid"),
    TEXT(O, config_from, 0, "config-from", "NETWORK", "The network whose settings it takes"),
    COMMAS(O, subnets, 0, "subnet", "CIDR", "Range of addresses"),
    COMMAS(O, ranges, 0, "ip-range", "CIDR", "Part of the subnet that containers get"),
    COMMAS(O, gateways, 0, "gateway", "ADDRESS", "Gateway of a subnet"),
    LIST(O, aux, 0, "aux-address", "NAME=ADDRESS", "Addresses that others have"),
    LIST(O, options, 'o', "opt", "KEY=VALUE", "Options of the driver"),
    LIST(O, ipam_options, 0, "ipam-opt", "KEY=VALUE", "Options of the address driver"),
    LIST(O, labels, 0, "label", "KEY=VALUE", "Meta data"),
};

/* An address or a range belongs to the subnet whose first bits it shares; with one subnet only,
 * the daemon checks it. */
static struct api_ipam_pool *pool_of(struct objs *pools, const char *text) {
    struct api_ipam_pool *p = pools->items, *best = NULL;
    bool six = strchr(text, ':') != NULL;
    size_t most = 0;
    for (size_t i = 0; i < pools->n; i++) {
        if (!p[i].subnet || (strchr(p[i].subnet, ':') != NULL) != six)
            continue;
        size_t n = 0;
        while (text[n] && text[n] == p[i].subnet[n])
            n++;
        if (!best || n > most) {
            best = &p[i];
            most = n;
        }
    }
    return best;
}

static struct err add_pools(const O *o, struct objs *pools, struct arena *a) {
    for (size_t i = 0; i < o->subnets.n; i++)
        ((struct api_ipam_pool *)objs_add(pools, a, sizeof(struct api_ipam_pool)))->subnet =
            o->subnets.items[i];
    for (size_t i = 0; i < o->ranges.n; i++) {
        struct api_ipam_pool *p = pool_of(pools, o->ranges.items[i]);
        if (!p)
            return err_new(ERR_INVALID, "corten: no matching subnet for range %s",
                           o->ranges.items[i]);
        p->ip_range = o->ranges.items[i];
    }
    for (size_t i = 0; i < o->gateways.n; i++) {
        struct api_ipam_pool *p = pool_of(pools, o->gateways.items[i]);
        if (!p)
            return err_new(ERR_INVALID, "corten: no matching subnet for gateway %s",
                           o->gateways.items[i]);
        p->gateway = o->gateways.items[i];
    }
    for (size_t i = 0; i < o->aux.n; i++) {
        struct str name, address;
        str_cut(str_of(o->aux.items[i]), '=', &name, &address);
        struct api_ipam_pool *p = address.len ? pool_of(pools, address.p) : NULL;
        if (!p)
            return err_new(ERR_INVALID, "corten: no matching subnet for aux-address %s",
                           o->aux.items[i]);
        strmap_set(&p->auxiliary_addresses, a, arena_str(a, name), arena_str(a, address));
    }
    return OK;
}

static int network_create_run(struct invocation *in) {
    O *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_network_created made = {0};
    struct api_ipam ipam = {.driver = (char *)o->ipam_driver};
    struct api_config_from from = {.network = (char *)o->config_from};
    if (!c)
        return 1;
    struct api_network_create doc = {.name = in->args[0],
                                     .driver = (char *)o->driver,
                                     .scope = (char *)o->scope,
                                     .ipam = &ipam,
                                     .internal = o->internal,
                                     .attachable = o->attachable,
                                     .ingress = o->ingress,
                                     .config_only = o->config_only,
                                     .config_from = o->config_from ? &from : NULL,
                                     .enable_ipv4 = option_given(in, "ipv4") ? &o->ipv4 : NULL,
                                     .enable_ipv6 = option_given(in, "ipv6") ? &o->ipv6 : NULL};
    cli_pairs(&o->options, &doc.options, &in->arena);
    cli_pairs(&o->labels, &doc.labels, &in->arena);
    cli_pairs(&o->ipam_options, &ipam.options, &in->arena);
    TRYF_STATUS(add_pools(o, &ipam.config, &in->arena));
    TRYF_STATUS(cli_post_document(c, "/networks/create", &api_network_create_fields, &doc,
                                  &api_network_created_fields, &made, &in->arena));
    if (made.warning && *made.warning)
        fprintf(stderr, "WARNING: %s\n", made.warning);
    cli_say(in, "id", made.id);
    return 0;
}
#undef O

/* --- rm, connect, disconnect ------------------------------------------------------------------ */

struct network_rm_options {
    bool force;
};
static const struct option_row rm_rows[] = {
    FLAG(struct network_rm_options, force, 'f', "force", "No error for one that is not there"),
};

static int network_rm_run(struct invocation *in) {
    const struct network_rm_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        CLEAN_BUF struct buf target = {0};
        client_path(&target, "/networks/", in->args[i], "");
        struct err e = cli_delete(c, buf_cstr(&target));
        bool was_gone = o->force && err_kind(e) == ERR_NOT_FOUND;
        if (err_failed(e))
            status = cli_fail(e, was_gone ? status : 1);
        else
            cli_say(in, "name", in->args[i]);
    }
    return status;
}

struct connect_options {
    const char *ip, *ip6;
    int64_t priority;
    struct strv alias, link, link_local, options;
};
static const struct option_row connect_rows[] = {
    TEXT(struct connect_options, ip, 0, "ip", "ADDRESS", "Its IPv4 address there"),
    TEXT(struct connect_options, ip6, 0, "ip6", "ADDRESS", "Its IPv6 address there"),
    INT(struct connect_options, priority, 0, "gw-priority", "N",
        "The network with the highest one gives the default gateway"),
    COMMAS(struct connect_options, alias, 0, "alias", "NAME", "One more name there"),
    LIST(struct connect_options, link, 0, "link", "CONTAINER[:NAME]", "A name for another one"),
    COMMAS(struct connect_options, link_local, 0, "link-local-ip", "ADDRESS",
           "A link-local address"),
    LIST(struct connect_options, options, 0, "driver-opt", "KEY=VALUE", "Options of the driver"),
};

static int network_connect_run(struct invocation *in) {
    const struct connect_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    struct arena *a = &in->arena;
    struct api_endpoint_ipam ipam = {.ipv4_address = (char *)o->ip, .ipv6_address = (char *)o->ip6};
    struct api_endpoint e = {.gw_priority = o->priority};
    struct api_network_connect doc = {.container = in->args[1], .endpoint = &e};
    if (!c)
        return 1;
    for (size_t i = 0; i < o->link_local.n; i++)
        strs_add(&ipam.link_local_ips, a, o->link_local.items[i]);
    for (size_t i = 0; i < o->alias.n; i++)
        strs_add(&e.aliases, a, o->alias.items[i]);
    for (size_t i = 0; i < o->link.n; i++)
        strs_add(&e.links, a, o->link.items[i]);
    cli_pairs(&o->options, &e.driver_opts, a);
    if (o->ip || o->ip6 || o->link_local.n)
        e.ipam_config = &ipam;
    client_path(&target, "/networks/", in->args[0], "/connect");
    TRYF_STATUS(
        cli_post_document(c, buf_cstr(&target), &api_network_connect_fields, &doc, NULL, NULL, a));
    if (in->json)
        cli_say(in, "name", in->args[0]);
    return 0;
}

struct disconnect_options {
    bool force;
};
static const struct option_row disconnect_rows[] = {
    FLAG(struct disconnect_options, force, 'f', "force", "Whatever state the container is in"),
};

static int network_disconnect_run(struct invocation *in) {
    const struct disconnect_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    struct api_network_disconnect doc = {.container = in->args[1], .force = o->force};
    if (!c)
        return 1;
    client_path(&target, "/networks/", in->args[0], "/disconnect");
    TRYF_STATUS(cli_post_document(c, buf_cstr(&target), &api_network_disconnect_fields, &doc, NULL,
                                  NULL, &in->arena));
    if (in->json)
        cli_say(in, "name", in->args[0]);
    return 0;
}

const struct command command_network_ls = {.name = "network ls",
                                           .alias = "network list",
                                           .usage = "network ls [OPTIONS]",
                                           .summary = "List networks",
                                           OPTIONS_OF(ls_rows, struct network_ls_options),
                                           .run = network_ls_run};
const struct command command_network_create = {
    .name = "network create",
    .usage = "network create [OPTIONS] NETWORK",
    .summary = "Create a network",
    .examples = "corten network create back\ta network whose containers find each other by name\n"
                "corten network create --subnet 10.9.0.0/24 --internal lab\twithout a way out",
    OPTIONS_OF(create_rows, struct network_create_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = network_create_run};
const struct command command_network_rm = {.name = "network rm",
                                           .waits = true,
                                           .alias = "network remove",
                                           .usage = "network rm [OPTIONS] NETWORK [NETWORK...]",
                                           .summary = "Remove networks",
                                           OPTIONS_OF(rm_rows, struct network_rm_options),
                                           .args_min = 1,
                                           .args_max = -1,
                                           .json = true,
                                           .names = "network",
                                           .run = network_rm_run};
const struct command command_network_connect = {
    .name = "network connect",
    .usage = "network connect [OPTIONS] NETWORK CONTAINER",
    .summary = "Connect a container to a network",
    OPTIONS_OF(connect_rows, struct connect_options),
    .args_min = 2,
    .args_max = 2,
    .json = true,
    .names = "network",
    .run = network_connect_run};
const struct command command_network_disconnect = {
    .name = "network disconnect",
    .usage = "network disconnect [OPTIONS] NETWORK CONTAINER",
    .summary = "Take a container from a network",
    OPTIONS_OF(disconnect_rows, struct disconnect_options),
    .args_min = 2,
    .args_max = 2,
    .json = true,
    .names = "network",
    .run = network_disconnect_run};
