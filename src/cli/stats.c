/* stats: what containers use. */
#include "cli/commands.h"
#include "cli/sampler.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stats_options {
    bool all, no_stream, no_trunc;
    const char *format;
};
static const struct option_row stats_rows[] = {
    FLAG(struct stats_options, all, 'a', "all", "Containers that do not run, too"),
    FLAG(struct stats_options, no_stream, 0, "no-stream", "Once, then end"),
    FLAG(struct stats_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FORMAT(struct stats_options, format),
};

struct stats_row {
    const struct sample *x;
    bool cut;
};

static struct template_value two(double first, double second, bool binary, struct arena *a) {
    struct buf out = {0};
    if (binary) {
        human_bytes_binary(first, 4, &out);
        buf_adds(&out, " / ");
        human_bytes_binary(second, 4, &out);
    } else {
        human_bytes(first, 3, &out);
        buf_adds(&out, " / ");
        human_bytes(second, 3, &out);
    }
    return view_take(a, &out);
}

VIEW(v_container, struct stats_row, view_id(r->x->id, r->cut))
VIEW(v_id, struct stats_row, view_id(r->x->id, r->cut))
VIEW(v_name, struct stats_row, template_strz(r->x->name))
VIEW(v_cpu, struct stats_row, template_strz(arena_printf(a, "%.2f%%", MAX(r->x->cpu_percent, 0.0))))
VIEW(v_mem, struct stats_row, two((double)r->x->used, (double)r->x->limit, true, a))
VIEW(v_mem_perc, struct stats_row,
     template_strz(arena_printf(a, "%.2f%%",
                                r->x->limit ? (double)r->x->used / (double)r->x->limit * 100
                                            : 0.0)))
VIEW(v_net, struct stats_row, two((double)r->x->rx, (double)r->x->tx, false, a))
VIEW(v_block, struct stats_row, two((double)r->x->read, (double)r->x->written, false, a))
VIEW(v_pids, struct stats_row,
     template_strz(arena_printf(a, "%llu", (unsigned long long)r->x->pids)))

static const struct template_member stats_members[] = {
    {"Container", v_container, 0, 0, "CONTAINER"},
    {"Name", v_name, 0, 0, "NAME"},
    {"ID", v_id, 0, 0, "CONTAINER ID"},
    {"CPUPerc", v_cpu, 0, 0, "CPU %"},
    {"MemUsage", v_mem, 0, 0, "MEM USAGE / LIMIT"},
    {"MemPerc", v_mem_perc, 0, 0, "MEM %"},
    {"NetIO", v_net, 0, 0, "NET I/O"},
    {"BlockIO", v_block, 0, 0, "BLOCK I/O"},
    {"PIDs", v_pids, 0, 0, "PIDS"},
};
TYPE_OF(stats_type, "*formatter.statsContext", stats_members);

static int print_round(struct invocation *in, struct sampler *s, const char *configured) {
    const struct stats_options *o = in->options;
    struct listing l = {0};
    struct err e = listing_begin(&l, o->format, configured,
                                 "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
                                 "{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
                                 &stats_type);
    for (size_t i = 0; i < s->samples.n && !err_failed(e); i++)
        if (s->samples.items[i].fresh)
            e = listing_row(&l, &(struct stats_row){&s->samples.items[i], !o->no_trunc});
    return listing_end(&l, e);
}

static struct err round_of(struct invocation *in, struct sampler *s) {
    const struct stats_options *o = in->options;
    TRY(sampler_list(s, in->args, in->args_n, o->all));
    return sampler_take(s);
}

static int stats_run(struct invocation *in) {
    const struct stats_options *o = in->options;
    const char *configured = config_text(in->config, "statsFormat", &in->arena);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    OWN(sampler_done) struct sampler s = {.client = c};
    bool screen = isatty(1) && !o->no_stream;
    if (!c)
        return 1;
    TRYF_STATUS(round_of(in, &s));
    for (int wait = o->no_stream ? 500 : 1000;; wait = 1000) {
        sampler_pause(wait);
        TRYF_STATUS(round_of(in, &s));
        if (screen)
            printf("\033[H\033[J");
        int status = print_round(in, &s, configured);
        if (status || o->no_stream || fflush(stdout) != 0)
            return status;
    }
}

const struct command command_stats = {
    .name = "stats",
    .alias = "container stats",
    .usage = "stats [OPTIONS] [CONTAINER...]",
    .summary = "Show what containers use: CPU, memory, network, disk",
    .examples = "corten stats --no-stream\tonce\n"
                "corten stats --format '{{.Name}} {{.CPUPerc}}' web\tone of them, two facts",
    OPTIONS_OF(stats_rows, struct stats_options),
    .args_max = -1,
    .names = "container",
    .run = stats_run};
