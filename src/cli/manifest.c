/* manifest inspect: what registries have. */
#include "cli/manifest_list.h"
#include <stdio.h>
#include <string.h>

/* --- manifest inspect ------------------------------------------------------------------------- */

struct manifest_options {
    bool insecure, verbose;
};
static const struct option_row manifest_rows[] = {
    FLAG(struct manifest_options, insecure, 0, "insecure", NULL),
    FLAG(struct manifest_options, verbose, 'v', "verbose", "Name and descriptor as well"),
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

/* What a name stands for at its registry. */
static struct err fetch(struct invocation *in, struct client *c, const char *name,
                        struct api_manifest *ret) {
    CLEAN_BUF struct buf target = {0};
    const char *auth = "";
    TRY(config_auth(in->config, name, &in->arena, &auth));
    buf_adds(&target, "/corten/manifest");
    client_query(&target, "name", cli_with_tag(name, &in->arena));
    struct client_call call = {
        .method = "GET",
        .target = buf_cstr(&target),
        .headers = *auth ? arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", auth) : NULL,
        .out_fields = &api_manifest_fields,
        .out = ret,
        .arena = &in->arena};
    return client_do(c, &call);
}

/* The peer's --verbose: the document between its name and its descriptor. */
static void add_names(const struct api_manifest *m, const char *name, struct buf *flat) {
    CLEAN_BUF struct buf out = {0};
    struct json_out jo = {.out = &out};
    bool oci = m->descriptor.media_type && strstr(m->descriptor.media_type, "oci.image");
    jo_obj(&jo);
    jo_kstr(&jo, "Ref", name);
    jo_key(&jo, "Descriptor");
    fields_encode(&oci_descriptor_fields, &m->descriptor, 0, &jo);
    jo_key(&jo, oci ? "OCIManifest" : "SchemaV2Manifest");
    jo_raw(&jo, buf_str(flat));
    jo_obj_end(&jo);
    buf_clear(flat);
    buf_add_str(flat, buf_str(&out));
}

/* A list that is kept here, or what it says of one of its manifests. */
static struct err from_here(struct invocation *in, const char *member, struct buf *flat,
                            const char **ret_source) {
    struct manifest_list l = {0};
    *ret_source = NULL;
    struct err e = manifest_list_load(in, in->args[0], &l);
    if (!member && err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* the registry is asked */
        return OK;
    }
    TRY(e);
    if (!member) {
        manifest_list_text(&l, flat);
        return OK;
    }
    const struct manifest_entry *entries = l.entries.items;
    for (size_t i = 0; i < l.entries.n; i++)
        if (!strcmp(entries[i].ref, manifest_name(member, &in->arena)))
            *ret_source = entries[i].source;
    return *ret_source
               ? OK
               : err_new(ERR_NOT_FOUND, "corten: manifest for image %s does not exist in %s",
                         member, in->args[0]);
}

static int manifest_run(struct invocation *in) {
    const struct manifest_options *o = in->options;
    CLEAN_BUF struct buf flat = {0};
    struct api_manifest m = {0};
    const char *source;
    if (o->insecure)
        return cli_usage(in, "--insecure is not supported: the settings of the daemon say which "
                             "registries need no TLS");
    TRYF_STATUS(from_here(in, in->args_n > 1 ? in->args[1] : NULL, &flat, &source));
    if (!flat.len) {
        const char *name = source ? source : in->args[0];
        CLEAN_CLIENT struct client *c = cli_connect(in);
        if (!c)
            return 1;
        TRYF_STATUS(fetch(in, c, name, &m));
        TRYF_STATUS(flatten(m.text, &flat));
        if (o->verbose)
            add_names(&m, manifest_name(name, &in->arena), &flat);
    }
    if (in->json)
        printf("%s\n", buf_cstr(&flat));
    else
        print_indented(buf_str(&flat));
    return 0;
}

const struct command command_manifest_inspect = {
    .name = "manifest inspect",
    .usage = "manifest inspect [OPTIONS] [MANIFEST_LIST] MANIFEST",
    .summary = "Show the manifest, or list of manifests, that a registry has under a name",
    OPTIONS_OF(manifest_rows, struct manifest_options),
    .args_min = 1,
    .args_max = 2,
    .json = true,
    .run = manifest_run};
