/* top (of one container), port, update. */
#include "cli/create.h"
#include "cli/life.h"
#include "cli/live.h"
#include "spec/api_aliases.h"
#include "spec/api_ports.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- top -------------------------------------------------------------------------------------- */

static int top_one(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0}, ps = {0}, out = {0};
    struct api_top top = {0};
    if (!c)
        return 1;
    for (int i = 1; i < in->args_n; i++)
        buf_addf(&ps, "%s%s", i > 1 ? " " : "", in->args[i]);
    client_path(&target, "/containers/", in->args[0], "/top");
    client_query(&target, "ps_args", ps.len ? buf_cstr(&ps) : NULL);
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &api_top_fields,
                               .out = &top,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    if (in->json) {
        fields_print(&api_top_fields, &top, &out);
        printf("%s\n", buf_cstr(&out));
        return 0;
    }
    for (size_t i = 0; i < top.titles.n; i++)
        buf_addf(&out, "%s%s", i ? "\t" : "", top.titles.items[i]);
    buf_addc(&out, '\n');
    const struct strs *rows = top.processes.items;
    for (size_t i = 0; i < top.processes.n; i++) {
        for (size_t k = 0; k < rows[i].n; k++)
            buf_addf(&out, "%s%s", k ? "\t" : "", rows[i].items[k]);
        buf_addc(&out, '\n');
    }
    CLEAN_BUF struct buf aligned = {0};
    table_align_wide(buf_str(&out), 20, &aligned);
    printf("%s", buf_cstr(&aligned));
    return 0;
}

/* --- port ------------------------------------------------------------------------------------- */

/* "0.0.0.0:8080", and who may use it when not everybody may. */
static void add_binding(const struct api_port_binding *b, struct buf *out) {
    bool six = b->host_ip && strchr(b->host_ip, ':');
    buf_addf(out, "%s%s%s:%s", six ? "[" : "", b->host_ip ? b->host_ip : "", six ? "]" : "",
             b->host_port ? b->host_port : "");
    for (size_t i = 0; i < b->from.n; i++)
        buf_addf(out, "%s%s", i ? ", " : " from ", b->from.items[i]);
}

static void print_binding(const struct api_port_binding *b) {
    CLEAN_BUF struct buf line = {0};
    add_binding(b, &line);
    printf("%s\n", buf_cstr(&line));
}

static void binding_json(const char *port, const struct api_port_binding *b) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    jo_obj(&jo);
    jo_kstr(&jo, "port", port);
    jo_kstr(&jo, "host_ip", b->host_ip ? b->host_ip : "");
    jo_kstr(&jo, "host_port", b->host_port ? b->host_port : "");
    if (b->from.n) {
        jo_key(&jo, "from");
        jo_arr(&jo);
        for (size_t i = 0; i < b->from.n; i++)
            jo_strz(&jo, b->from.items[i]);
        jo_arr_end(&jo);
    }
    jo_obj_end(&jo);
    printf("%s\n", buf_cstr(&text));
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int port_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_STRV struct strv lines = {0};
    struct api_container k = {0};
    if (!c)
        return 1;
    TRYF_STATUS(client_container_inspect(c, in->args[0], &in->arena, &k));
    const struct objmap *ports = &k.network.ports;
    if (in->args_n > 1) {
        const char *wanted = strchr(in->args[1], '/')
                                 ? in->args[1]
                                 : arena_printf(&in->arena, "%s/tcp", in->args[1]);
        const struct objs *list = objmap_get(ports, wanted);
        if (!list || list->n == 0)
            return cli_fail(err_new(ERR_NOT_FOUND,
                                    "corten: Error: No public port '%s' published for %s", wanted,
                                    in->args[0]),
                            1);
        for (size_t i = 0; i < list->n; i++) {
            const struct api_port_binding *b = (const struct api_port_binding *)list->items + i;
            if (in->json)
                binding_json(wanted, b);
            else
                print_binding(b);
        }
        return 0;
    }
    for (size_t i = 0; i < ports->n; i++) {
        const struct objs *list = ports->items[i].value;
        for (size_t b = 0; list && b < list->n; b++) {
            const struct api_port_binding *x = (const struct api_port_binding *)list->items + b;
            CLEAN_BUF struct buf binding = {0};
            add_binding(x, &binding);
            if (in->json)
                binding_json(ports->items[i].key, x);
            else
                strv_addf(&lines, "%s -> %s", ports->items[i].key, buf_cstr(&binding));
        }
    }
    if (lines.n)
        qsort(lines.items, lines.n, sizeof *lines.items, compare_lines);
    for (size_t i = 0; i < lines.n; i++)
        printf("%s\n", lines.items[i]);
    return 0;
}

/* --- update ----------------------------------------------------------------------------------- */

struct update_options {
    int64_t blkio_weight, cpu_period, cpu_quota, rt_period, rt_runtime, cpu_shares, memory,
        memory_reservation, kernel_memory, pids_limit;
    const char *cpus, *cpuset_cpus, *cpuset_mems, *memory_swap, *restart;
    struct strv publish_add, publish_rm, alias_add, alias_rm, snapshot;
    bool dry_run;
};
#define U struct update_options
static const struct option_row update_rows[] = {
    INT(U, blkio_weight, 0, "blkio-weight", "N", "Weight of disk time, 10 to 1000; 0: none"),
    INT(U, cpu_period, 0, "cpu-period", "MICROSECONDS", "Period of CPU time"),
    INT(U, cpu_quota, 0, "cpu-quota", "MICROSECONDS", "CPU time in each period"),
    INT(U, rt_period, 0, "cpu-rt-period", "MICROSECONDS", "Period of real time"),
    INT(U, rt_runtime, 0, "cpu-rt-runtime", "MICROSECONDS", "Real time in each period"),
    INT(U, cpu_shares, 'c', "cpu-shares", "N", "Weight of CPU time"),
    TEXT(U, cpus, 0, "cpus", "NUMBER", "Number of CPUs (1.5)"),
    TEXT(U, cpuset_cpus, 0, "cpuset-cpus", "LIST", "Which CPUs (0-3, 0,1)"),
    TEXT(U, cpuset_mems, 0, "cpuset-mems", "LIST", "Which memory nodes (0-3, 0,1)"),
    BYTES(U, memory, 'm', "memory", "BYTES", "Limit of memory (512m, 2g)"),
    BYTES(U, memory_reservation, 0, "memory-reservation", "BYTES", "Soft limit of memory"),
    TEXT(U, memory_swap, 0, "memory-swap", "BYTES", "Memory and swap together; -1: no limit"),
    BYTES(U, kernel_memory, 0, "kernel-memory", "BYTES", NULL),
    INT(U, pids_limit, 0, "pids-limit", "N", "Limit of processes; -1: no limit"),
    TEXT(U, restart, 0, "restart", "POLICY", "no, on-failure[:N], always, unless-stopped"),
    LIST(U, publish_add, 0, "publish-add", "PORT", "Publish one more port, as run -p"),
    LIST(U, publish_rm, 0, "publish-rm", "PORT", "Publish a container's port no more (80/tcp)"),
    LIST(U, alias_add, 0, "alias-add", "[NETWORK:]NAME", "One more name on a network"),
    LIST(U, alias_rm, 0, "alias-rm", "[NETWORK:]NAME", "A name on a network less"),
    FLAG(U, dry_run, 0, "dry-run", "Of the update method: say what would be done"),
    LIST(U, snapshot, 0, "snapshot-volume", "VOLUME",
         "Of the update method: take this volume back as well when it fails; *: all"),
};
#undef U

/* Removals first, in a call of their own: a port may go and come back with other sources. */
static struct err change_ports(struct invocation *in, struct client *c, const char *name) {
    const struct update_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    struct api_ports_change less = {0}, more = {0};
    struct api_warnings w = {0};
    struct strs exposed = {0};
    for (size_t i = 0; i < o->publish_rm.n; i++)
        strs_add(&less.remove, &in->arena, o->publish_rm.items[i]);
    for (size_t i = 0; i < o->publish_add.n; i++)
        TRY(port_option(o->publish_add.items[i], &more.add, &exposed, &in->arena));
    client_path(&target, "/containers/", name, "/ports");
    if (less.remove.n)
        TRY(cli_post_document(c, buf_cstr(&target), &api_ports_change_fields, &less,
                              &api_warnings_fields, &w, &in->arena));
    if (!more.add.n)
        return OK;
    return cli_post_document(c, buf_cstr(&target), &api_ports_change_fields, &more,
                             &api_warnings_fields, &w, &in->arena);
}

static struct err change_alias(struct invocation *in, struct client *c, const char *name,
                               const char *text, bool add) {
    CLEAN_BUF struct buf target = {0};
    struct api_aliases_change doc = {0};
    struct api_warnings w = {0};
    struct str network, alias;
    if (!str_cut(str_of(text), ':', &network, &alias)) {
        alias = network;
        network = STR_NONE;
    }
    doc.network = arena_str(&in->arena, network);
    strs_add(add ? &doc.add : &doc.remove, &in->arena, arena_str(&in->arena, alias));
    client_path(&target, "/containers/", name, "/aliases");
    return cli_post_document(c, buf_cstr(&target), &api_aliases_change_fields, &doc,
                             &api_warnings_fields, &w, &in->arena);
}

static struct err change_aliases(struct invocation *in, struct client *c, const char *name) {
    const struct update_options *o = in->options;
    for (size_t i = 0; i < o->alias_rm.n; i++)
        TRY(change_alias(in, c, name, o->alias_rm.items[i], false));
    for (size_t i = 0; i < o->alias_add.n; i++)
        TRY(change_alias(in, c, name, o->alias_add.items[i], true));
    return OK;
}

static struct err update_document(struct invocation *in, struct api_update *doc) {
    const struct update_options *o = in->options;
    struct api_resources *r = &doc->resources;
    struct arena *a = &in->arena;
    if (o->blkio_weight < 0 || o->blkio_weight > 1000)
        return err_new(ERR_INVALID, "corten: --blkio-weight is 10 to 1000, or 0 for none");
    r->blkio_weight = (uint16_t)o->blkio_weight;
    r->cpu_period = o->cpu_period;
    r->cpu_quota = o->cpu_quota;
    r->cpu_realtime_period = o->rt_period;
    r->cpu_realtime_runtime = o->rt_runtime;
    r->cpu_shares = o->cpu_shares;
    r->cpuset_cpus = arena_strz(a, o->cpuset_cpus);
    r->cpuset_mems = arena_strz(a, o->cpuset_mems);
    r->memory = o->memory;
    r->memory_reservation = o->memory_reservation;
    r->kernel_memory = o->kernel_memory;
    if (o->cpus)
        TRY(cpus_option(o->cpus, &r->nano_cpus));
    if (o->memory_swap && !strcmp(o->memory_swap, "-1"))
        r->memory_swap = -1;
    else if (o->memory_swap)
        TRYF(size_option(o->memory_swap, &r->memory_swap), "corten: --memory-swap");
    if (option_given(in, "pids-limit"))
        r->pids_limit = cli_copy(a, &o->pids_limit, sizeof o->pids_limit);
    return o->restart ? restart_option(o->restart, &doc->restart_policy, a) : OK;
}

static int update_run(struct invocation *in) {
    struct api_update doc = {0};
    const struct update_options *o = in->options;
    bool limits = false, method = o->dry_run || o->snapshot.n;
    int status = 0;
    for (size_t i = 0; i < in->command->options_n; i++)
        limits |= in->given[i] && strcmp(in->command->options[i].name, "dry-run") != 0 &&
                  strcmp(in->command->options[i].name, "snapshot-volume") != 0;
    if (limits && method)
        return cli_usage(in, "limits and the options of the update method exclude each other");
    if (!limits)
        return life_update(in, &o->snapshot, o->dry_run);
    TRYF_STATUS(update_document(in, &doc));
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        CLEAN_BUF struct buf target = {0};
        struct api_warnings w = {0};
        client_path(&target, "/containers/", in->args[i], "/update");
        struct err e = cli_post_document(c, buf_cstr(&target), &api_update_fields, &doc,
                                         &api_warnings_fields, &w, &in->arena);
        if (!err_failed(e))
            e = change_ports(in, c, in->args[i]);
        if (!err_failed(e))
            e = change_aliases(in, c, in->args[i]);
        if (err_failed(e)) {
            status = cli_fail(e, 1);
            continue;
        }
        cli_say(in, "name", in->args[i]);
        for (size_t k = 0; k < w.warnings.n; k++)
            fprintf(stderr, "%s\n", w.warnings.items[k]);
    }
    return status;
}

static int top_run(struct invocation *in) {
    return in->args_n ? top_one(in) : live_run(in);
}

const struct command command_top = {
    .name = "top",
    .alias = "container top",
    .usage = "top [CONTAINER [PS OPTIONS]]",
    .summary = "Show the processes of a container, or all containers at work",
    .examples = "corten top\tall containers, live: sort, filter, graphs, logs, a shell\n"
                "corten top --json\tthe same once, for scripts\n"
                "corten top web -o pid,comm\tprocesses of one, as ps shows them",
    .args_max = -1,
    .stop_at_args = true,
    .json = true,
    .names = "container",
    .run = top_run};
const struct command command_port = {.name = "port",
                                     .alias = "container port",
                                     .usage = "port CONTAINER [PORT[/PROTO]]",
                                     .summary = "Show where a container's ports are published",
                                     .args_min = 1,
                                     .args_max = 2,
                                     .json = true,
                                     .names = "container",
                                     .run = port_run};
const struct command command_update = {
    .name = "update",
    .alias = "container update",
    .usage = "update [OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Change the limits of containers, or update them by their own method",
    .examples =
        "corten update -m 1g --memory-swap 1g web\tmore memory, at once\n"
        "corten update dns1 dns2\tnew content by the method of their image, kept or taken back",
    OPTIONS_OF(update_rows, struct update_options),
    .args_min = 1,
    .args_max = -1,
    .json = true,
    .names = "container",
    .run = update_run};
