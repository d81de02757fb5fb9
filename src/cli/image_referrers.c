/* image referrers: signatures, SBOMs and the like that a registry has about an image. */
#include "cli/commands.h"
#include "spec/api_system.h"
#include <stdio.h>

struct referrers_options {
    const char *type;
};
static const struct option_row rows[] = {
    TEXT(struct referrers_options, type, 0, "type", "TYPE", "Of this artifact type alone"),
};

static int referrers_run(struct invocation *in) {
    const struct referrers_options *o = in->options;
    CLEAN_BUF struct buf target = {0}, text = {0};
    struct api_referrers doc = {0};
    const char *auth = "";
    TRYF_STATUS(config_auth(in->config, in->args[0], &in->arena, &auth));
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    buf_adds(&target, "/corten/referrers");
    client_query(&target, "name", in->args[0]);
    client_query(&target, "artifactType", o->type);
    struct client_call call = {
        .method = "GET",
        .target = buf_cstr(&target),
        .headers = *auth ? arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", auth) : NULL,
        .out_fields = &api_referrers_fields,
        .out = &doc,
        .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    const struct oci_descriptor *d = doc.referrers.items;
    if (in->json) {
        fields_print(&api_referrers_fields, &doc, &text);
        printf("%s\n", buf_cstr(&text));
        return 0;
    }
    for (size_t i = 0; i < doc.referrers.n; i++)
        printf("%s  %s\n", d[i].digest, d[i].artifact_type ? d[i].artifact_type : "");
    return 0;
}

const struct command command_image_referrers = {
    .name = "image referrers",
    .usage = "image referrers [OPTIONS] IMAGE",
    .summary = "List what a registry has that refers to an image: signatures, SBOMs, …",
    OPTIONS_OF(rows, struct referrers_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = referrers_run};
