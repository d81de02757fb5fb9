/* ps, inspect, volume and network lists, version, info. */
#include "base/time.h"
#include "cli/commands.h"
#include "spec/api_volume.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_ID 12

/* --- ps
 * ----------------------------------------------------------------------------------------------------------------
 */

struct ps_options {
    bool all, quiet, no_trunc, latest;
    int64_t last;
    struct strv filter;
};
static const struct option_row ps_rows[] = {
    FLAG(struct ps_options, all, 'a', "all", "Show all containers (default shows just running)"),
    FLAG(struct ps_options, quiet, 'q', "quiet", "Only display container IDs"),
    FLAG(struct ps_options, no_trunc, 0, "no-trunc", "Don't truncate output"),
    FLAG(struct ps_options, latest, 'l', "latest", "Show the latest created container"),
    INT(struct ps_options, last, 'n', "last", "N", "Show N last created containers"),
    LIST(struct ps_options, filter, 'f', "filter", "NAME=VALUE",
         "Filter output based on conditions"),
};

struct err filter_query(const struct strv *filters, struct buf *target) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (filters->n == 0)
        return OK;
    jo_obj(&jo);
    for (size_t i = 0; i < filters->n; i++) {
        struct str key, value, k2, v2;
        if (!str_cut(str_of(filters->items[i]), '=', &key, &value))
            return err_new(ERR_INVALID, "corten: invalid filter '%s': expected NAME=VALUE",
                           filters->items[i]);
        bool seen = false;
        for (size_t k = 0; k < i; k++) {
            str_cut(str_of(filters->items[k]), '=', &k2, &v2);
            seen |= str_eq(key, k2);
        }
        if (seen)
            continue;
        jo_keys(&jo, key);
        jo_arr(&jo);
        for (size_t k = i; k < filters->n; k++) {
            str_cut(str_of(filters->items[k]), '=', &k2, &v2);
            if (str_eq(key, k2))
                jo_str(&jo, v2);
        }
        jo_arr_end(&jo);
    }
    jo_obj_end(&jo);
    client_query(target, "filters", buf_cstr(&text));
    return OK;
}

static void print_ports(const struct api_container_summary *k, struct buf *out) {
    const struct api_port *p = k->ports.items;
    for (size_t i = 0; i < k->ports.n; i++) {
        buf_adds(out, i ? ", " : "");
        if (p[i].public_port)
            buf_addf(out, "%s:%u->", p[i].ip ? p[i].ip : "", p[i].public_port);
        buf_addf(out, "%u/%s", p[i].private_port, p[i].type);
    }
}

static void print_row(const struct api_container_summary *k, bool no_trunc, struct buf *out) {
    int id = no_trunc ? 64 : SHORT_ID;
    const char *image = k->image;
    buf_addf(out, "%.*s\t%s\t\"", id, k->id, image);
    size_t n = strlen(k->command);
    if (!no_trunc && n > 20)
        buf_addf(out, "%.19s\xe2\x80\xa6\"\t", k->command);
    else
        buf_addf(out, "%s\"\t", k->command);
    human_since(time_now() - k->created * NSEC_PER_SEC, out);
    buf_addf(out, "\t%s\t", k->status);
    print_ports(k, out);
    buf_addf(out, "\t%s\n", k->names.n ? k->names.items[0] + 1 : "");
}

static int ps_run(struct invocation *in) {
    const struct ps_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0}, out = {0};
    struct objs list;
    if (!c)
        return 1;
    buf_adds(&target, "/containers/json");
    client_query_bool(&target, "all", o->all);
    if (o->latest || o->last > 0)
        client_query_i64(&target, "limit", o->latest ? 1 : o->last);
    struct err e = filter_query(&o->filter, &target);
    if (!err_failed(e))
        e = cli_get_array(c, buf_cstr(&target), &api_container_summary_fields, &in->arena, &list);
    if (err_failed(e))
        return cli_fail(e, 1);
    const struct api_container_summary *k = list.items;
    if (!o->quiet)
        buf_adds(&out, "CONTAINER ID\tIMAGE\tCOMMAND\tCREATED\tSTATUS\tPORTS\tNAMES\n");
    for (size_t i = 0; i < list.n; i++) {
        if (o->quiet)
            buf_addf(&out, "%.*s\n", o->no_trunc ? 64 : SHORT_ID, k[i].id);
        else
            print_row(&k[i], o->no_trunc, &out);
    }
    table_print(buf_str(&out));
    return 0;
}

/* --- inspect
 * -------------------------------------------------------------------------------------------------------------
 */

struct inspect_options {
    const char *type;
};
static const struct option_row inspect_rows[] = {
    TEXT(struct inspect_options, type, 0, "type", "TYPE", "container, image, network or volume"),
};

static struct err read_raw(struct client *c, const char *target, struct buf *ret) {
    struct client_call call = {.method = "GET", .target = target};
    TRY(client_begin(c, &call));
    ret->max = CLIENT_BODY_MAX;
    for (;;) {
        ssize_t n = client_read(c, buf_room(ret, 65536), 65536);
        if (n < 0)
            return err_errno((int)-n, "corten: read the answer");
        if (n == 0)
            return OK;
        buf_added(ret, (size_t)n);
    }
}

/* JSON with four blanks of indentation, as the peer prints it. Strings are passed over whole. */
static void pretty(struct str json, struct buf *out) {
    int depth = 1;
    for (size_t i = 0; i < json.len; i++) {
        char ch = json.p[i];
        if (ch == '"') {
            size_t from = i++;
            while (i < json.len && json.p[i] != '"')
                i += json.p[i] == '\\' ? 2 : 1;
            buf_add_str(out, str_sub(json, from, i + 1));
        } else if ((ch == '{' || ch == '[') && i + 1 < json.len && json.p[i + 1] == ch + 2) {
            buf_add_str(out, str_sub(json, i, i + 2));
            i++;
        } else if (ch == '{' || ch == '[' || ch == ',') {
            depth += ch != ',';
            buf_addf(out, "%c\n%*s", ch, depth * 4, "");
        } else if (ch == '}' || ch == ']') {
            depth--;
            buf_addf(out, "\n%*s%c", depth * 4, "", ch);
        } else if (ch == ':') {
            buf_adds(out, ": ");
        } else if (ch != ' ' && ch != '\n') {
            buf_addc(out, ch);
        }
    }
}

static const struct {
    const char *type, *before, *after;
} kinds[] = {{"container", "/containers/", "/json"},
             {"image", "/images/", "/json"},
             {"network", "/networks/", ""},
             {"volume", "/volumes/", ""}};

static struct err inspect_one(struct client *c, const char *name, const char *type,
                              struct buf *ret) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEAN_BUF struct buf target = {0};
        if (type && strcmp(type, kinds[i].type) != 0)
            continue;
        client_path(&target, kinds[i].before, name, kinds[i].after);
        struct err e = read_raw(c, buf_cstr(&target), ret);
        if (err_kind(e) != ERR_NOT_FOUND || type)
            return e;
        err_free(e);
        buf_clear(ret);
    }
    return err_new(ERR_NOT_FOUND, "corten: no such %s: %s", type ? type : "object", name);
}

static int inspect_run(struct invocation *in) {
    const struct inspect_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf out = {0};
    int status = 0;
    size_t shown = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        CLEAN_BUF struct buf raw = {0};
        struct err e = inspect_one(c, in->args[i], o->type, &raw);
        if (err_failed(e)) {
            status = cli_fail(e, 1);
            continue;
        }
        buf_adds(&out, shown++ ? ",\n    " : "\n    ");
        pretty(str_trim(buf_str(&raw)), &out);
    }
    printf("[%s%s]\n", buf_cstr(&out), shown ? "\n" : "");
    return status;
}

/* --- volumes, networks
 * ----------------------------------------------------------------------------------------------------
 */

static int volume_ls_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf out = {0};
    struct api_volume_list list;
    if (!c)
        return 1;
    struct client_call call = {.method = "GET",
                               .target = "/volumes",
                               .out_fields = &api_volume_list_fields,
                               .out = &list,
                               .arena = &in->arena};
    struct err e = client_do(c, &call);
    if (err_failed(e))
        return cli_fail(e, 1);
    buf_adds(&out, "DRIVER\tVOLUME NAME\n");
    const struct api_volume *v = list.volumes.items;
    for (size_t i = 0; i < list.volumes.n; i++)
        buf_addf(&out, "%s\t%s\n", v[i].driver, v[i].name);
    table_print(buf_str(&out));
    return 0;
}

static int volume_create_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_volume_create doc = {.name = in->args_n ? in->args[0] : NULL};
    struct api_volume made;
    if (!c)
        return 1;
    struct client_call call = {.method = "POST",
                               .target = "/volumes/create",
                               .in_fields = &api_volume_create_fields,
                               .in = &doc,
                               .out_fields = &api_volume_fields,
                               .out = &made,
                               .arena = &in->arena};
    struct err e = client_do(c, &call);
    if (err_failed(e))
        return cli_fail(e, 1);
    printf("%s\n", made.name);
    return 0;
}

static struct err volume_rm_one(struct client *c, struct invocation *in UNUSED, const char *name) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/volumes/", name, "");
    struct client_call call = {.method = "DELETE", .target = buf_cstr(&target)};
    return client_do(c, &call);
}

static int volume_rm_run(struct invocation *in) {
    return cli_for_each(in, volume_rm_one);
}

static int network_ls_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf out = {0};
    struct objs list;
    if (!c)
        return 1;
    struct err e = cli_get_array(c, "/networks", &api_network_fields, &in->arena, &list);
    if (err_failed(e))
        return cli_fail(e, 1);
    buf_adds(&out, "NETWORK ID\tNAME\tDRIVER\tSCOPE\n");
    const struct api_network *w = list.items;
    for (size_t i = 0; i < list.n; i++)
        buf_addf(&out, "%.*s\t%s\t%s\t%s\n", SHORT_ID, w[i].id, w[i].name, w[i].driver, w[i].scope);
    table_print(buf_str(&out));
    return 0;
}

/* --- version, info
 * ----------------------------------------------------------------------------------------------------------
 */

static int version_run(struct invocation *in) {
    struct api_version v;
    printf("Client: corten\n Version:      %s\n API version:  1.%d\n\n", CORTEN_VERSION,
           CLIENT_MINOR);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    struct err e = client_version(c, &in->arena, &v);
    if (err_failed(e))
        return cli_fail(e, 1);
    printf("Server: %s\n Version:      %s\n API version:  %s (minimum version %s)\n OS/Arch:      "
           "%s/%s\n Kernel:       %s\n",
           v.platform.name ? v.platform.name : "", v.version, v.api_version, v.min_api_version,
           v.os, v.arch, v.kernel_version);
    return 0;
}

static int info_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_info i;
    if (!c)
        return 1;
    struct client_call call = {.method = "GET",
                               .target = "/info",
                               .out_fields = &api_info_fields,
                               .out = &i,
                               .arena = &in->arena};
    struct err e = client_do(c, &call);
    if (err_failed(e))
        return cli_fail(e, 1);
    CLEAN_BUF struct buf memory = {0};
    human_size((double)i.mem_total, &memory);
    printf("Server Version: %s\nContainers: %lld\n Running: %lld\n Paused: %lld\n Stopped: "
           "%lld\nImages: %lld\n"
           "Storage Driver: %s\nLogging Driver: %s\nCgroup Driver: %s\nCgroup Version: %s\nKernel "
           "Version: %s\n"
           "Operating System: %s\nArchitecture: %s\nCPUs: %lld\nTotal Memory: %s\nName: %s\nID: "
           "%s\nData Root: %s\n",
           i.server_version, (long long)i.containers, (long long)i.containers_running,
           (long long)i.containers_paused, (long long)i.containers_stopped, (long long)i.images,
           i.driver, i.logging_driver, i.cgroup_driver, i.cgroup_version, i.kernel_version,
           i.operating_system, i.architecture, (long long)i.n_cpu, buf_cstr(&memory), i.name, i.id,
           i.docker_root_dir);
    for (size_t k = 0; k < i.security_options.n; k++)
        printf("Security Option: %s\n", i.security_options.items[k]);
    for (size_t k = 0; k < i.warnings.n; k++)
        fprintf(stderr, "WARNING: %s\n", i.warnings.items[k]);
    return 0;
}

const struct command command_ps = {.name = "ps",
                                   .alias = "container ls, container list, container ps",
                                   .usage = "ps [OPTIONS]",
                                   .summary = "List containers",
                                   OPTIONS_OF(ps_rows, struct ps_options),
                                   .run = ps_run};
const struct command command_inspect = {
    .name = "inspect",
    .alias = "container inspect, image inspect, volume inspect, network inspect",
    .usage = "inspect [OPTIONS] NAME|ID [NAME|ID...]",
    .summary = "Return low-level information on objects",
    OPTIONS_OF(inspect_rows, struct inspect_options),
    .args_min = 1,
    .args_max = -1,
    .run = inspect_run};
const struct command command_volume_ls = {
    .name = "volume ls", .usage = "volume ls", .summary = "List volumes", .run = volume_ls_run};
const struct command command_volume_create = {.name = "volume create",
                                              .usage = "volume create [VOLUME]",
                                              .summary = "Create a volume",
                                              .args_max = 1,
                                              .run = volume_create_run};
const struct command command_volume_rm = {.name = "volume rm",
                                          .usage = "volume rm VOLUME [VOLUME...]",
                                          .summary = "Remove one or more volumes",
                                          .args_min = 1,
                                          .args_max = -1,
                                          .run = volume_rm_run};
const struct command command_network_ls = {
    .name = "network ls", .usage = "network ls", .summary = "List networks", .run = network_ls_run};
const struct command command_version = {.name = "version",
                                        .usage = "version",
                                        .summary = "Show the version of client and daemon",
                                        .run = version_run};
const struct command command_info = {.name = "info",
                                     .alias = "system info",
                                     .usage = "info",
                                     .summary = "Display system-wide information",
                                     .run = info_run};
