/* plugin_ls.c - the plugins that a daemon manages. Ours has none; others do. */
#include "cli/commands.h"

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

static int ls_run(struct invocation *in) {
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
                                          .run = ls_run};
