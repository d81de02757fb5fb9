/* manifest inspect, plugin ls: what registries have, and that there are no managed plugins. */
#include "cli/commands.h"
#include <stdio.h>

/* --- manifest inspect ------------------------------------------------------------------------- */

struct manifest_options {
    bool insecure;
};
static const struct option_row manifest_rows[] = {
    FLAG(struct manifest_options, insecure, 0, "insecure", NULL),
};

/* The peer's indentation: a tab a level. */
static void print_indented(struct str json) {
    CLEAN_BUF struct buf text = {0};
    json_pretty(json, 0, 1, &text);
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line)) {
        size_t n = 0;
        for (; n < line.len && line.p[n] == ' '; n++)
            putchar('\t');
        printf("%.*s\n", STR_ARG(str_from(line, n)));
    }
}

/* Texts of registries may be indented already. */
static struct err flatten(const char *text, struct buf *ret) {
    CLEAN_JSON struct json *root = NULL;
    TRYF(json_parse(str_of(text), &root), "corten: the manifest");
    json_print(root, ret);
    return OK;
}

static int manifest_run(struct invocation *in) {
    const struct manifest_options *o = in->options;
    CLEAN_BUF struct buf target = {0}, flat = {0};
    struct api_manifest m = {0};
    const char *auth = "";
    if (o->insecure)
        return cli_usage(in, "--insecure is not supported: the settings of the daemon say which "
                             "registries need no TLS");
    TRYF_STATUS(config_auth(in->config, in->args[0], &in->arena, &auth));
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    buf_adds(&target, "/corten/manifest");
    client_query(&target, "name", cli_with_tag(in->args[0], &in->arena));
    struct client_call call = {
        .method = "GET",
        .target = buf_cstr(&target),
        .headers = *auth ? arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", auth) : NULL,
        .out_fields = &api_manifest_fields,
        .out = &m,
        .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    TRYF_STATUS(flatten(m.text, &flat));
    if (in->json)
        printf("%s\n", buf_cstr(&flat));
    else
        print_indented(buf_str(&flat));
    return 0;
}

const struct command command_manifest_inspect = {
    .name = "manifest inspect",
    .usage = "manifest inspect [OPTIONS] IMAGE",
    .summary = "Show the manifest, or list of manifests, that a registry has under a name",
    OPTIONS_OF(manifest_rows, struct manifest_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = manifest_run};

/* --- plugin ls -------------------------------------------------------------------------------- */

struct plugin_options {
    bool quiet, no_trunc;
    const char *format;
    struct strv filter;
};
static const struct option_row plugin_rows[] = {
    FLAG(struct plugin_options, quiet, 'q', "quiet", "Only IDs"),
    FLAG(struct plugin_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FILTER(struct plugin_options, filter),
    FORMAT(struct plugin_options, format),
};
struct plugin {
    char *id, *name;
    bool enabled;
    struct plugin_config {
        char *description;
    } config;
};
static const struct field config_rows[] = {
    FIELD(struct plugin_config, description, "Description", F_STR),
};
static const struct fields config_fields = {"plugin_config", sizeof(struct plugin_config),
                                            config_rows, ARRAY_LEN(config_rows)};
static const struct field plugin_field_rows[] = {
    FIELD(struct plugin, id, "Id", F_STR),
    FIELD(struct plugin, name, "Name", F_STR),
    FIELD(struct plugin, enabled, "Enabled", F_BOOL),
    FIELD(struct plugin, config, "Config", F_OBJ, .sub = &config_fields),
};
static const struct fields plugin_fields = {"plugin", sizeof(struct plugin), plugin_field_rows,
                                            ARRAY_LEN(plugin_field_rows)};
struct plugin_row {
    const struct plugin *p;
    bool cut;
};
VIEW(v_id, struct plugin_row, view_id(r->p->id, r->cut))
VIEW(v_name, struct plugin_row, template_strz(r->p->name))
VIEW(v_description, struct plugin_row,
     r->cut ? view_ellipsis(r->p->config.description, 45, a)
            : template_strz(r->p->config.description))
VIEW(v_enabled, struct plugin_row, template_bool(r->p->enabled))
static const struct template_member plugin_members[] = {
    {"ID", v_id, 0, 0, "ID"},
    {"Name", v_name, 0, 0, "NAME"},
    {"Description", v_description, 0, 0, "DESCRIPTION"},
    {"Enabled", v_enabled, 0, 0, "ENABLED"},
};
TYPE_OF(plugin_type, "*formatter.pluginContext", plugin_members);

static struct err plugin_row(struct listing *l, const void *element, struct invocation *in) {
    const struct plugin_options *o = in->options;
    return listing_row(l, &(struct plugin_row){element, !o->no_trunc});
}

static int plugin_run(struct invocation *in) {
    const struct plugin_options *o = in->options;
    return cli_list(in, &(struct cli_list){.target = "/plugins",
                                           .filter = &o->filter,
                                           .fields = &plugin_fields,
                                           .format = o->format,
                                           .config = "pluginsFormat",
                                           .otherwise = "{{.ID}}\t{{.Name}}\t{{.Description}}\t"
                                                        "{{.Enabled}}",
                                           .quiet = o->quiet ? "{{.ID}}" : NULL,
                                           .type = &plugin_type,
                                           .whole = o->no_trunc,
                                           .row = plugin_row});
}

const struct command command_plugin_ls = {.name = "plugin ls",
                                          .alias = "plugin list",
                                          .usage = "plugin ls [OPTIONS]",
                                          .summary = "List managed plugins",
                                          OPTIONS_OF(plugin_rows, struct plugin_options),
                                          .run = plugin_run};
