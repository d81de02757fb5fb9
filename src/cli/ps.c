/* ps: the list of containers. */
#include "base/time.h"
#include "cli/commands.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps_options {
    bool all, quiet, no_trunc, latest, size;
    int64_t last;
    const char *format;
    struct strv filter;
};
static const struct option_row ps_rows[] = {
    FLAG(struct ps_options, all, 'a', "all", "Containers that do not run, too"),
    FLAG(struct ps_options, quiet, 'q', "quiet", "Only IDs"),
    FLAG(struct ps_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FLAG(struct ps_options, latest, 'l', "latest", "The one created last, whatever its state"),
    FLAG(struct ps_options, size, 's', "size", "Sizes of the files"),
    INT(struct ps_options, last, 'n', "last", "N", "The N created last, whatever their state"),
    FILTER(struct ps_options, filter),
    FORMAT(struct ps_options, format),
};

struct ps_row {
    const struct api_container_summary *k;
    bool cut;
};

/* --- ports ------------------------------------------------------------------------------------ */

static int compare_ports(const void *a, const void *b) {
    const struct api_port *x = a, *y = b;
    int ip = strcmp(x->ip ? x->ip : "", y->ip ? y->ip : "");
    return x->private_port != y->private_port ? x->private_port - y->private_port
           : ip                               ? ip
           : x->public_port != y->public_port ? x->public_port - y->public_port
                                              : strcmp(x->type, y->type);
}

struct port_run {
    const char *ip, *type;
    unsigned first, last;
};

static void print_address(const char *ip, struct buf *out) {
    buf_addf(out, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
}

static void print_run(const struct port_run *g, struct buf *out) {
    char range[32];
    buf_adds(out, out->len ? ", " : "");
    snprintf(range, sizeof range, g->first == g->last ? "%u" : "%u-%u", g->first, g->last);
    if (*g->ip) {
        print_address(g->ip, out);
        buf_addf(out, "%s->", range);
    }
    buf_addf(out, "%s/%s", range, g->type);
}

/* Neighbouring ports of one address are one range; ports that lie elsewhere on the host follow. */
static void print_ports(const struct objs *list, struct arena *a, struct buf *out) {
    struct api_port *p = arena_array(a, list->n + 1, sizeof *p);
    struct port_run *runs = arena_array(a, list->n + 1, sizeof *runs);
    CLEAN_BUF struct buf moved = {0};
    size_t runs_n = 0;
    if (list->n)
        memcpy(p, list->items, list->n * sizeof *p);
    qsort(p, list->n, sizeof *p, compare_ports);
    for (size_t i = 0; i < list->n; i++) {
        const char *ip = p[i].ip ? p[i].ip : "";
        if (*ip && p[i].public_port != p[i].private_port) {
            buf_adds(&moved, ", ");
            print_address(ip, &moved);
            buf_addf(&moved, "%u->%u/%s", p[i].public_port, p[i].private_port, p[i].type);
            continue;
        }
        size_t k = 0;
        while (k < runs_n && (strcmp(runs[k].ip, ip) != 0 || strcmp(runs[k].type, p[i].type) != 0))
            k++;
        if (k < runs_n && p[i].private_port == runs[k].last + 1) {
            runs[k].last = p[i].private_port;
            continue;
        }
        if (k < runs_n)
            print_run(&runs[k], out);
        runs[k] = (struct port_run){ip, p[i].type, p[i].private_port, p[i].private_port};
        runs_n = MAX(runs_n, k + 1);
    }
    for (size_t k = 0; k < runs_n; k++)
        print_run(&runs[k], out);
    buf_add_str(out, str_from(buf_str(&moved), out->len ? 0 : 2));
}

/* --- the view --------------------------------------------------------------------------------- */

VIEW(v_id, struct ps_row, view_id(r->k->id, r->cut))
VIEW(v_created_at, struct ps_row, view_time(r->k->created, a))
VIEW(v_running_for, struct ps_row, view_since(r->k->created, a))
VIEW(v_state, struct ps_row, template_strz(r->k->state))
VIEW(v_status, struct ps_row, template_strz(r->k->status))
VIEW(v_labels, struct ps_row, view_labels(&r->k->labels, a))
VIEW(v_label, struct ps_row, view_label(&r->k->labels, &args[0]))

GETTER(v_names) {
    const struct ps_row *r = self;
    struct buf out = {0};
    for (size_t i = 0; i < r->k->names.n; i++) {
        const char *name = r->k->names.items[i];
        name += *name == '/';
        if (!r->cut || !strchr(name, '/')) /* other containers' links are names, too */
            buf_addf(&out, "%s%s", out.len ? "," : "", name);
    }
    *ret = view_take(a, &out);
    return OK;
}

GETTER(v_image) {
    const struct ps_row *r = self;
    const char *image = r->k->image ? r->k->image : "", *at = strchr(image, '@');
    struct template_value id = view_id(r->k->image_id, true);
    if (!*image)
        *ret = template_strz("<no image>");
    else if (r->cut && str_eq(id.s, view_id(image, true).s))
        *ret = id;
    else if (r->cut && at)
        *ret = template_str(str_sub(str_of(image), 0, (size_t)(at - image)));
    else
        *ret = template_strz(image);
    return OK;
}

GETTER(v_command) {
    const struct ps_row *r = self;
    struct template_value text = r->cut ? view_ellipsis(r->k->command, 20, a)
                                        : template_strz(r->k->command);
    struct buf out = {0};
    buf_addc(&out, '"');
    for (size_t i = 0; i < text.s.len; i++) {
        char c = text.s.p[i];
        if (c == '"' || c == '\\')
            buf_addf(&out, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            buf_adds(&out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if ((unsigned char)c < 0x20 || c == 0x7f)
            buf_addf(&out, "\\x%02x", (unsigned char)c);
        else
            buf_addc(&out, c);
    }
    buf_addc(&out, '"');
    *ret = view_take(a, &out);
    return OK;
}

GETTER(v_ports) {
    struct buf out = {0};
    print_ports(&((const struct ps_row *)self)->k->ports, a, &out);
    *ret = view_take(a, &out);
    return OK;
}

/* No list of containers tells it yet. */
GETTER(v_platform) {
    (void)self;
    *ret = (struct template_value){.kind = TEMPLATE_NIL};
    return OK;
}

GETTER(v_size) {
    const struct api_container_summary *k = ((const struct ps_row *)self)->k;
    struct buf out = {0};
    human_size((double)k->size_rw, &out);
    if (k->size_root_fs > 0) {
        buf_adds(&out, " (virtual ");
        human_size((double)k->size_root_fs, &out);
        buf_addc(&out, ')');
    }
    *ret = view_take(a, &out);
    return OK;
}

GETTER(v_mounts) {
    const struct ps_row *r = self;
    const struct api_mount_point *m = r->k->mounts.items;
    struct buf out = {0};
    for (size_t i = 0; i < r->k->mounts.n; i++) {
        const char *name = m[i].name && *m[i].name ? m[i].name : m[i].source;
        struct template_value v = r->cut ? view_ellipsis(name, 15, a) : template_strz(name);
        buf_addf(&out, "%s%.*s", i ? "," : "", STR_ARG(v.s));
    }
    *ret = view_take(a, &out);
    return OK;
}

GETTER(v_local_volumes) {
    const struct ps_row *r = self;
    const struct api_mount_point *m = r->k->mounts.items;
    int n = 0;
    for (size_t i = 0; i < r->k->mounts.n; i++)
        n += m[i].driver && !strcmp(m[i].driver, "local");
    *ret = template_strz(arena_printf(a, "%d", n));
    return OK;
}

GETTER(v_networks) {
    const struct ps_row *r = self;
    const struct objmap *n = &r->k->network.networks;
    struct buf out = {0};
    for (size_t i = 0; i < n->n; i++)
        buf_addf(&out, "%s%s", i ? "," : "", n->items[i].key);
    *ret = view_take(a, &out);
    return OK;
}

static const struct template_member ps_members[] = {
    {"ID", v_id, 0, 0, "CONTAINER ID"},
    {"Names", v_names, 0, 0, "NAMES"},
    {"Image", v_image, 0, 0, "IMAGE"},
    {"Command", v_command, 0, 0, "COMMAND"},
    {"CreatedAt", v_created_at, 0, 0, "CREATED AT"},
    {"RunningFor", v_running_for, 0, 0, "CREATED"},
    {"Ports", v_ports, 0, 0, "PORTS"},
    {"State", v_state, 0, 0, "STATE"},
    {"Status", v_status, 0, 0, "STATUS"},
    {"Platform", v_platform, 0, 0, "PLATFORM"},
    {"Size", v_size, 0, 0, "SIZE"},
    {"Labels", v_labels, 0, 0, "LABELS"},
    {"Label", v_label, 1, 1, NULL},
    {"Mounts", v_mounts, 0, 0, "MOUNTS"},
    {"LocalVolumes", v_local_volumes, 0, 0, "LOCAL VOLUMES"},
    {"Networks", v_networks, 0, 0, "NETWORKS"},
};
TYPE_OF(ps_type, "*formatter.ContainerContext", ps_members);

static struct err container_row(struct listing *l, const void *element, struct invocation *in) {
    const struct ps_options *o = in->options;
    return listing_row(l, &(struct ps_row){element, !o->no_trunc});
}

#define COLUMNS \
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"

static int ps_run(struct invocation *in) {
    const struct ps_options *o = in->options;
    const char *configured = o->quiet ? NULL : config_text(in->config, "psFormat", &in->arena);
    const char *format = o->format ? o->format : configured;
    CLEAN_BUF struct buf target = {0};
    buf_adds(&target, "/containers/json");
    client_query_bool(&target, "all", o->all);
    if (o->latest || o->last > 0)
        client_query_i64(&target, "limit", o->latest ? 1 : o->last);
    bool by_format = !o->quiet && format && (strstr(format, ".Size") || strstr(format, "json .}"));
    client_query_bool(&target, "size", o->size || by_format);
    return cli_list(in, &(struct cli_list){.target = buf_cstr(&target),
                                           .filter = &o->filter,
                                           .fields = &api_container_summary_fields,
                                           .format = o->format,
                                           .config = "psFormat",
                                           .otherwise = o->size ? COLUMNS "\t{{.Size}}" : COLUMNS,
                                           .quiet = o->quiet ? "{{.ID}}" : NULL,
                                           .type = &ps_type,
                                           .whole = o->no_trunc,
                                           .row = container_row});
}

const struct command command_ps = {
    .name = "ps",
    .alias = "container ls, container list, container ps",
    .usage = "ps [OPTIONS]",
    .summary = "List containers",
    .examples = "corten ps -a\tall of them\n"
                "corten ps -f status=exited -q\tIDs of those that have ended\n"
                "corten ps --format 'table {{.Names}}\\t{{.Status}}'\ttwo columns",
    OPTIONS_OF(ps_rows, struct ps_options),
    .run = ps_run};
