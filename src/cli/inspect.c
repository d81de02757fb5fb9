/* inspect, of everything. */
#include "cli/commands.h"
#include "spec/api_volume.h"
#include <stdio.h>
#include <string.h>

struct inspect_options {
    bool size, verbose, quiet;
    const char *type, *format, *platform, *scope;
};
#define FORMAT_ROW(letter_)                                                                        \
    {                                                                                              \
        .letter = (letter_), .name = "format", .argument = "TEMPLATE",                             \
        .help = "Print each by this Go template, or as one line of 'json'", .kind = OPTION_FORMAT, \
        .offset = offsetof(struct inspect_options, format)                                         \
    }
static const struct option_row any_rows[] = {
    FORMAT_ROW('f'),
    FLAG(struct inspect_options, size, 's', "size", "Sizes of a container's files"),
    TEXT(struct inspect_options, type, 0, "type", "TYPE",
         "container, image, network, volume or plugin"),
};
static const struct option_row container_rows[] = {
    FORMAT_ROW('f'),
    FLAG(struct inspect_options, size, 's', "size", "Sizes of its files"),
};
static const struct option_row image_rows[] = {
    FORMAT_ROW('f'),
    TEXT(struct inspect_options, platform, 0, "platform", "OS/ARCH", "Of which platform"),
};
static const struct option_row network_rows[] = {
    FORMAT_ROW('f'),
    FLAG(struct inspect_options, verbose, 'v', "verbose", "More, for finding faults"),
    TEXT(struct inspect_options, scope, 0, "scope", "NAME", NULL),
};
static const struct option_row volume_rows[] = {
    FORMAT_ROW('f'),
};

/* Of what a daemon says about a plugin, only this is known to templates by the API's names; any
 * other key by its own. */
struct plugin_document {
    char *id, *name;
};
static const struct field plugin_rows[] = {
    FIELD(struct plugin_document, id, "Id", F_STR),
    FIELD(struct plugin_document, name, "Name", F_STR),
};
static const struct fields plugin_fields = {"plugin", sizeof(struct plugin_document), plugin_rows,
                                            ARRAY_LEN(plugin_rows)};

static const struct kind {
    const char *type, *before, *after;
    const struct fields *table;
} kinds[] = {
    {"container", "/containers/", "/json", &api_container_fields},
    {"image", "/images/", "/json", &api_image_fields},
    {"network", "/networks/", "", &api_network_fields},
    {"volume", "/volumes/", "", &api_volume_fields},
    {"plugin", "/plugins/", "/json", &plugin_fields},
};

static bool is_missing(struct err e, const char *type) {
    /* "No such container", not "page not found" and the like. */
    return err_kind(e) == ERR_NOT_FOUND &&
           (strcasestr(err_msg(e), "no such") || strstr(err_msg(e), "not found")) && type;
}

static struct err inspect_one(struct client *c, const struct inspect_options *o, const char *type,
                              const char *name, struct buf *ret, const struct kind **ret_kind) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEAN_BUF struct buf target = {0};
        if (type && *type && strcmp(type, kinds[i].type) != 0)
            continue;
        client_path(&target, kinds[i].before, name, kinds[i].after);
        client_query_bool(&target, "size", o->size && i == 0);
        client_query(&target, "platform", o->platform);
        client_query_bool(&target, "verbose", o->verbose);
        client_query(&target, "scope", o->scope);
        *ret_kind = &kinds[i];
        struct err e = cli_get_raw(c, buf_cstr(&target), ret);
        if (!is_missing(e, "any") || (type && *type))
            return e;
        err_free(e);
        buf_clear(ret);
    }
    return err_new(ERR_NOT_FOUND, "Error: No such object: %s", name);
}

static int inspect_all(struct invocation *in, const char *type) {
    const struct inspect_options *o = in->options;
    CLEAN_BUF struct buf out = {0};
    CLEAN_STRV struct strv failures = {0};
    struct err e = OK;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    size_t shown = 0;
    CLEAN_TEMPLATE struct template *t = NULL;
    if (o->format)
        e = template_parse("", str_of(o->format), NULL, 0, &t);
    if (err_failed(e))
        return cli_fail(err_wrap(e, "corten: template parsing error"), TEMPLATE_STATUS);
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        CLEAN_BUF struct buf raw = {0};
        const struct kind *kind = NULL;
        e = inspect_one(c, o, type, in->args[i], &raw, &kind);
        if (!err_failed(e) && o->format && *o->format) {
            size_t before = out.len;
            e = document_print(o->format, str_trim(buf_str(&raw)), kind->table, &out);
            if (err_failed(e)) { /* the peer prints the end of the line, nothing else */
                buf_truncate(&out, before);
                buf_addc(&out, '\n');
            }
        } else if (!err_failed(e)) {
            buf_adds(&out, shown++ ? ",\n    " : "\n    ");
            json_pretty(str_trim(buf_str(&raw)), 1, 4, &out);
        }
        if (err_failed(e)) {
            bool ours = !strncmp(err_msg(e), "corten: ", 8) || !strncmp(err_msg(e), "Error: ", 7);
            strv_addf(&failures, "%s%s", ours ? "" : "Error response from daemon: ", err_msg(e));
            err_free(e);
        }
    }
    if (o->format && *o->format)
        printf("%s", buf_cstr(&out));
    else
        printf("[%s%s]\n", buf_cstr(&out), shown ? "\n" : "");
    fflush(stdout);
    for (size_t i = 0; i < failures.n; i++)
        fprintf(stderr, "%s\n", failures.items[i]);
    return failures.n > 0;
}

static int inspect_run(struct invocation *in) {
    const struct inspect_options *o = in->options;
    bool known = !o->type || !*o->type;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        known |= o->type && !strcmp(o->type, kinds[i].type);
    if (!known)
        return cli_usage(in,
                         "\"%s\" is not a valid value for --type: one of container, image, "
                         "network, volume, plugin",
                         o->type);
    return inspect_all(in, o->type);
}

static int container_run(struct invocation *in) {
    return inspect_all(in, "container");
}
static int image_run(struct invocation *in) {
    return inspect_all(in, "image");
}
static int network_run(struct invocation *in) {
    return inspect_all(in, "network");
}
static int volume_run(struct invocation *in) {
    return inspect_all(in, "volume");
}
static int plugin_run(struct invocation *in) {
    return inspect_all(in, "plugin");
}

#define INSPECT .args_min = 1, .args_max = -1
const struct command command_inspect = {
    .name = "inspect",
    .usage = "inspect [OPTIONS] NAME|ID [NAME|ID...]",
    .summary = "Show all that is known about containers, images, networks, volumes",
    .examples = "corten inspect web\tas JSON\n"
                "corten inspect -f '{{.State.Status}}' web\tone fact",
    OPTIONS_OF(any_rows, struct inspect_options),
    INSPECT,
    .names = "container",
    .run = inspect_run};
const struct command command_container_inspect = {
    .name = "container inspect",
    .usage = "container inspect [OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Show all that is known about containers",
    OPTIONS_OF(container_rows, struct inspect_options),
    INSPECT,
    .names = "container",
    .run = container_run};
const struct command command_image_inspect = {.name = "image inspect",
                                              .usage = "image inspect [OPTIONS] IMAGE [IMAGE...]",
                                              .summary = "Show all that is known about images",
                                              OPTIONS_OF(image_rows, struct inspect_options),
                                              INSPECT,
                                              .names = "image",
                                              .run = image_run};
const struct command command_network_inspect = {
    .name = "network inspect",
    .usage = "network inspect [OPTIONS] NETWORK [NETWORK...]",
    .summary = "Show all that is known about networks",
    OPTIONS_OF(network_rows, struct inspect_options),
    INSPECT,
    .names = "network",
    .run = network_run};
const struct command command_volume_inspect = {
    .name = "volume inspect",
    .usage = "volume inspect [OPTIONS] VOLUME [VOLUME...]",
    .summary = "Show all that is known about volumes",
    OPTIONS_OF(volume_rows, struct inspect_options),
    INSPECT,
    .names = "volume",
    .run = volume_run};
const struct command command_plugin_inspect = {
    .name = "plugin inspect",
    .usage = "plugin inspect [OPTIONS] PLUGIN [PLUGIN...]",
    .summary = "Show all that is known about plugins",
    OPTIONS_OF(volume_rows, struct inspect_options),
    INSPECT,
    .run = plugin_run};
