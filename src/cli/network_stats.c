/* network stats: what goes through networks, in all and by container. */
#include "cli/commands.h"
#include "cli/sampler.h"
#include "spec/api_network.h"
#include "spec/api_network_stats.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct network_stats_options {
    bool no_stream, no_trunc;
    const char *format;
};
static const struct option_row stats_rows[] = {
    FLAG(struct network_stats_options, no_stream, 0, "no-stream", "Once, then end"),
    FLAG(struct network_stats_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FORMAT(struct network_stats_options, format),
};

struct flow_row {
    const struct api_network_usage *network;
    const char *container, *container_id, *interface; /* the host's interface: "-", "" */
    const struct api_network_stats *stats;
    bool cut;
};

static struct template_value bytes_of(const struct api_network_stats *s, struct arena *a) {
    struct buf out = {0};
    human_bytes((double)s->rx_bytes, 3, &out);
    buf_adds(&out, " / ");
    human_bytes((double)s->tx_bytes, 3, &out);
    return view_take(a, &out);
}

static struct template_value number(struct arena *a, uint64_t n) {
    return template_strz(arena_printf(a, "%llu", (unsigned long long)n));
}

static struct template_value pair(struct arena *a, uint64_t rx, uint64_t tx) {
    return template_strz(
        arena_printf(a, "%llu / %llu", (unsigned long long)rx, (unsigned long long)tx));
}

VIEW(v_network, struct flow_row, template_strz(r->network->name))
VIEW(v_id, struct flow_row, view_id(r->network->id, r->cut))
VIEW(v_driver, struct flow_row, template_strz(r->network->driver))
VIEW(v_container, struct flow_row, template_strz(r->container))
VIEW(v_container_id, struct flow_row, view_id(r->container_id, r->cut))
VIEW(v_interface, struct flow_row, template_strz(r->interface))
VIEW(v_io, struct flow_row, bytes_of(r->stats, a))
VIEW(v_packets, struct flow_row, pair(a, r->stats->rx_packets, r->stats->tx_packets))
VIEW(v_errors, struct flow_row, pair(a, r->stats->rx_errors, r->stats->tx_errors))
VIEW(v_drops, struct flow_row, pair(a, r->stats->rx_dropped, r->stats->tx_dropped))
VIEW(v_rx_bytes, struct flow_row, number(a, r->stats->rx_bytes))
VIEW(v_tx_bytes, struct flow_row, number(a, r->stats->tx_bytes))
VIEW(v_rx_packets, struct flow_row, number(a, r->stats->rx_packets))
VIEW(v_tx_packets, struct flow_row, number(a, r->stats->tx_packets))

static const struct template_member flow_members[] = {
    {"Network", v_network, 0, 0, "NETWORK"},
    {"ID", v_id, 0, 0, "NETWORK ID"},
    {"Driver", v_driver, 0, 0, "DRIVER"},
    {"Container", v_container, 0, 0, "CONTAINER"},
    {"ContainerID", v_container_id, 0, 0, "CONTAINER ID"},
    {"Interface", v_interface, 0, 0, "INTERFACE"},
    {"NetIO", v_io, 0, 0, "NET I/O"},
    {"Packets", v_packets, 0, 0, "PACKETS"},
    {"Errors", v_errors, 0, 0, "ERRORS"},
    {"Drops", v_drops, 0, 0, "DROPS"},
    {"RxBytes", v_rx_bytes, 0, 0, "RX BYTES"},
    {"TxBytes", v_tx_bytes, 0, 0, "TX BYTES"},
    {"RxPackets", v_rx_packets, 0, 0, "RX PACKETS"},
    {"TxPackets", v_tx_packets, 0, 0, "TX PACKETS"},
};
TYPE_OF(flow_type, "*formatter.networkStatsContext", flow_members);

static struct err print_usage(struct listing *l, const struct api_network_usage *u, bool cut) {
    if (u->interface)
        TRY(listing_row(l, &(struct flow_row){.network = u,
                                              .container = "-",
                                              .container_id = "",
                                              .interface = u->interface->name,
                                              .stats = &u->interface->stats,
                                              .cut = cut}));
    for (size_t i = 0; i < u->containers.n; i++) {
        const struct api_network_flow *f = u->containers.items[i].value;
        TRY(listing_row(l, &(struct flow_row){.network = u,
                                              .container = f->name,
                                              .container_id = u->containers.items[i].key,
                                              .interface = f->interface,
                                              .stats = &f->stats,
                                              .cut = cut}));
    }
    return OK;
}

/* Those that are named, or all: of these one may go meanwhile. */
static struct err names_of(struct client *c, const struct invocation *in, struct arena *a,
                           struct strs *ret) {
    struct objs list = {0};
    for (int i = 0; i < in->args_n; i++)
        strs_add(ret, a, in->args[i]);
    if (in->args_n > 0)
        return OK;
    TRY(cli_get_array(c, "/networks", &api_network_fields, a, &list));
    const struct api_network *n = list.items;
    for (size_t i = 0; i < list.n; i++)
        strs_add(ret, a, n[i].id);
    return OK;
}

static struct err ask(struct client *c, const char *name, struct arena *a,
                      struct api_network_usage *ret) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/networks/", name, "/stats?stream=0");
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &api_network_usage_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

static struct err print_rows(struct listing *l, struct client *c, const struct invocation *in,
                             struct arena *a) {
    const struct network_stats_options *o = in->options;
    struct strs names = {0};
    TRY(names_of(c, in, a, &names));
    for (size_t i = 0; i < names.n; i++) {
        struct api_network_usage u = {0};
        struct err e = ask(c, names.items[i], a, &u);
        if (in->args_n == 0 && err_kind(e) == ERR_NOT_FOUND) {
            err_free(e);
            continue;
        }
        TRY(e);
        TRY(print_usage(l, &u, !o->no_trunc));
    }
    return OK;
}

static int print_round(struct client *c, struct invocation *in, bool screen) {
    const struct network_stats_options *o = in->options;
    CLEAN_ARENA struct arena a = {0};
    struct listing l = {0};
    struct err e = listing_begin(&l, o->format, NULL,
                                 "{{.Network}}\t{{.Container}}\t{{.Interface}}\t{{.NetIO}}\t"
                                 "{{.Packets}}\t{{.Errors}}\t{{.Drops}}",
                                 &flow_type);
    if (!err_failed(e))
        e = print_rows(&l, c, in, &a);
    if (screen && !err_failed(e))
        printf("\033[H\033[J");
    return listing_end(&l, e);
}

static int network_stats_run(struct invocation *in) {
    const struct network_stats_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    bool screen = isatty(1) && !o->no_stream;
    if (!c)
        return 1;
    for (;;) {
        int status = print_round(c, in, screen);
        if (status || o->no_stream || fflush(stdout) != 0)
            return status;
        sampler_pause(1000);
    }
}

const struct command command_network_stats = {
    .name = "network stats",
    .usage = "network stats [OPTIONS] [NETWORK...]",
    .summary = "Show what goes through networks, in all and by container",
    .examples = "corten network stats --no-stream\tonce, all networks\n"
                "corten network stats --format '{{.Container}} {{.RxBytes}}' back\tone, two facts",
    OPTIONS_OF(stats_rows, struct network_stats_options),
    .args_max = -1,
    .names = "network",
    .run = network_stats_run};
