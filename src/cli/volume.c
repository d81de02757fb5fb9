/* volume create, ls, rm, update. */
#include "cli/commands.h"
#include "spec/api_volume.h"
#include <stdio.h>
#include <string.h>

struct volume_ls_options {
    bool quiet, cluster;
    const char *format;
    struct strv filter;
};
static const struct option_row ls_rows[] = {
    FLAG(struct volume_ls_options, quiet, 'q', "quiet", "Only names"),
    FLAG(struct volume_ls_options, cluster, 0, "cluster", "Cluster volumes"),
    FILTER(struct volume_ls_options, filter),
    FORMAT(struct volume_ls_options, format),
};

VIEW(v_name, struct api_volume, template_strz(r->name))
VIEW(v_driver, struct api_volume, template_strz(r->driver))
VIEW(v_scope, struct api_volume, template_strz(r->scope))
VIEW(v_mountpoint, struct api_volume, template_strz(r->mountpoint))
VIEW(v_labels, struct api_volume, view_labels(&r->labels, a))
VIEW(v_label, struct api_volume, view_label(&r->labels, &args[0]))

/* Cluster volumes have these; ours and other engines' local ones do not. */
GETTER(v_unknown) {
    (void)self;
    *ret = template_strz("N/A");
    return OK;
}

GETTER(v_links) {
    const struct api_volume *v = self;
    *ret = v->usage && v->usage->ref_count >= 0
               ? template_strz(arena_printf(a, "%lld", (long long)v->usage->ref_count))
               : template_strz("N/A");
    return OK;
}

GETTER(v_size) {
    const struct api_volume *v = self;
    struct buf out = {0};
    if (!v->usage || v->usage->size < 0) {
        *ret = template_strz("N/A");
        return OK;
    }
    human_bytes((double)v->usage->size, 4, &out);
    *ret = view_take(a, &out);
    return OK;
}

static const struct template_member volume_members[] = {
    {"Name", v_name, 0, 0, "VOLUME NAME"},
    {"Driver", v_driver, 0, 0, "DRIVER"},
    {"Scope", v_scope, 0, 0, "SCOPE"},
    {"Mountpoint", v_mountpoint, 0, 0, "MOUNTPOINT"},
    {"Labels", v_labels, 0, 0, "LABELS"},
    {"Label", v_label, 1, 1, NULL},
    {"Links", v_links, 0, 0, "LINKS"},
    {"Size", v_size, 0, 0, "SIZE"},
    {"Availability", v_unknown, 0, 0, "AVAILABILITY"},
    {"Group", v_unknown, 0, 0, "GROUP"},
    {"Status", v_unknown, 0, 0, "STATUS"},
};
const struct template_type cli_volume_type = {"*formatter.volumeContext", volume_members,
                                              ARRAY_LEN(volume_members)};

static int volume_ls_run(struct invocation *in) {
    const struct volume_ls_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_BUF struct buf target = {0};
    struct api_volume_list list = {0};
    if (o->cluster)
        return cli_usage(in, "--cluster is not supported: there is no Swarm");
    if (!(c = cli_connect(in)))
        return 1;
    buf_adds(&target, "/volumes");
    TRYF_STATUS(filter_query(&o->filter, &target));
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &api_volume_list_fields,
                               .out = &list,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    return cli_rows(in,
                    &(struct cli_list){.fields = &api_volume_fields,
                                       .format = o->format,
                                       .config = "volumesFormat",
                                       .otherwise = "{{.Driver}}\t{{.Name}}",
                                       .quiet = o->quiet ? "{{.Name}}" : NULL,
                                       .type = &cli_volume_type,
                                       .sort_by = offsetof(struct api_volume, name) + 1},
                    &list.volumes);
}

struct volume_create_options {
    const char *driver, *name;
    struct strv labels, options, cluster;
};
/* Of Swarm's cluster volumes: known, so that they are refused by name. */
#define CLUSTER(name_)                                             \
    {                                                              \
        .name = (name_), .argument = "VALUE", .kind = OPTION_LIST, \
        .offset = offsetof(struct volume_create_options, cluster)  \
    }
#define CLUSTER_ROWS                                                                              \
    CLUSTER("availability"), CLUSTER("group"), CLUSTER("limit-bytes"), CLUSTER("required-bytes"), \
        CLUSTER("scope"), CLUSTER("secret"), CLUSTER("sharing"), CLUSTER("topology-preferred"),   \
        CLUSTER("topology-required"), CLUSTER("type")
static const struct option_row create_rows[] = {
    {.letter = 'd',
     .name = "driver",
     .argument = "NAME",
     .help = "Driver that keeps it",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct volume_create_options, driver),
     .otherwise = "local"},
    TEXT(struct volume_create_options, name, 0, "name", "NAME", NULL),
    LIST(struct volume_create_options, labels, 0, "label", "KEY=VALUE", "Meta data"),
    LIST(struct volume_create_options, options, 'o', "opt", "KEY=VALUE", "Options of the driver"),
    CLUSTER_ROWS,
};

void cli_pairs(const struct strv *from, struct strmap *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++) {
        struct str key, value;
        str_cut(str_of(from->items[i]), '=', &key, &value);
        strmap_set(to, a, arena_str(a, key), arena_str(a, value));
    }
}

static int volume_create_run(struct invocation *in) {
    const struct volume_create_options *o = in->options;
    struct api_volume_create doc = {.name = (char *)o->name, .driver = (char *)o->driver};
    struct api_volume made = {0};
    if (o->cluster.n)
        return cli_usage(in, "options of cluster volumes are not supported: there is no Swarm");
    if (in->args_n && o->name)
        return cli_usage(in, "conflicting options: cannot specify a volume-name through both "
                             "--name and as a positional arg");
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    if (in->args_n)
        doc.name = in->args[0];
    cli_pairs(&o->labels, &doc.labels, &in->arena);
    cli_pairs(&o->options, &doc.driver_opts, &in->arena);
    TRYF_STATUS(cli_post_document(c, "/volumes/create", &api_volume_create_fields, &doc,
                                  &api_volume_fields, &made, &in->arena));
    cli_say(in, "name", made.name);
    return 0;
}

struct volume_rm_options {
    bool force;
};
static const struct option_row rm_rows[] = {
    FLAG(struct volume_rm_options, force, 'f', "force", "No error for one that is not there"),
};

static struct err volume_rm_one(struct client *c, struct invocation *in, const char *name) {
    const struct volume_rm_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/volumes/", name, "");
    client_query_bool(&target, "force", o->force);
    return cli_delete(c, buf_cstr(&target));
}

static int volume_rm_run(struct invocation *in) {
    return cli_for_each(in, volume_rm_one);
}

const struct command command_volume_ls = {.name = "volume ls",
                                          .alias = "volume list",
                                          .usage = "volume ls [OPTIONS]",
                                          .summary = "List volumes",
                                          OPTIONS_OF(ls_rows, struct volume_ls_options),
                                          .run = volume_ls_run};
const struct command command_volume_create = {
    .name = "volume create",
    .usage = "volume create [OPTIONS] [VOLUME]",
    .summary = "Create a volume",
    .examples = "corten volume create data\ta volume with a name\n"
                "corten volume create -o type=tmpfs -o device=tmpfs -o o=size=64m fast\tin memory",
    OPTIONS_OF(create_rows, struct volume_create_options),
    .args_max = 1,
    .json = true,
    .run = volume_create_run};
const struct command command_volume_rm = {.name = "volume rm",
                                          .waits = true,
                                          .alias = "volume remove",
                                          .usage = "volume rm [OPTIONS] VOLUME [VOLUME...]",
                                          .summary = "Remove volumes that nobody uses",
                                          OPTIONS_OF(rm_rows, struct volume_rm_options),
                                          .args_min = 1,
                                          .args_max = -1,
                                          .json = true,
                                          .names = "volume",
                                          .run = volume_rm_run};
