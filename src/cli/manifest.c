/* manifest inspect: what registries have. */
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
