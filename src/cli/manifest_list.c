/* manifest_list.c - manifest create, annotate, push, rm: lists of images for several platforms,
 * kept in <config>/corten-manifests/ until they are pushed by the daemon. */
#include "cli/manifest_list.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX (4u << 20)
#define DIR_NAME "corten-manifests"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define OCI_LIST "application/vnd.oci.image.index.v1+json"

struct list_options {
    bool amend, insecure, purge;
    const char *arch, *os, *os_version, *variant;
    struct strv os_features;
};
#define O struct list_options
#define INSECURE FLAG(O, insecure, 0, "insecure", NULL)
static const struct option_row create_rows[] = {
    FLAG(O, amend, 'a', "amend", "Add to a list that is there"),
    INSECURE,
};
static const struct option_row annotate_rows[] = {
    TEXT(O, arch, 0, "arch", "NAME", "Machine that it is for (arm64)"),
    TEXT(O, os, 0, "os", "NAME", "System that it is for (linux)"),
    COMMAS(O, os_features, 0, "os-features", "NAME", "What of the system it needs"),
    TEXT(O, os_version, 0, "os-version", "VERSION", "Version of the system"),
    TEXT(O, variant, 0, "variant", "NAME", "Variant of the machine (v8)"),
};
static const struct option_row push_rows[] = {
    INSECURE,
    FLAG(O, purge, 'p', "purge", "Forget the list here, once it is there"),
};
#undef O

/* --- names and files -------------------------------------------------------------------------- */

const char *manifest_name(const char *text, struct arena *a) {
    const char *name = cli_with_tag(text, a);
    ssize_t slash = str_find(str_of(name), '/');
    bool has_host = slash > 0 &&
                    (strcspn(name, ".:") < (size_t)slash || !strncmp(name, "localhost/", 10));
    return has_host ? name : arena_printf(a, "docker.io/%s%s", slash > 0 ? "" : "library/", name);
}

static char *path_of(const struct invocation *in, const char *name, struct arena *a) {
    char *path = arena_printf(a, "%s/" DIR_NAME "/%s.json", in->config->dir, name);
    for (char *p = path + strlen(in->config->dir) + strlen("/" DIR_NAME "/"); *p; p++)
        if (*p == '/' || *p == ':' || *p == '@')
            *p = '_';
    return path;
}

struct err manifest_list_load(struct invocation *in, const char *name, struct manifest_list *ret) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read(path_of(in, manifest_name(name, &in->arena), &in->arena), LIST_MAX,
                             &text);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "corten: No such manifest: %s",
                       manifest_name(name, &in->arena));
    }
    TRY(e);
    return err_wrap(fields_decode(&manifest_list_fields, buf_str(&text), &in->arena, ret),
                    "corten: the list '%s'", name);
}

static struct err save(struct invocation *in, const struct manifest_list *l) {
    CLEAN_BUF struct buf text = {0};
    const char *dir = arena_printf(&in->arena, "%s/" DIR_NAME, in->config->dir);
    if ((mkdir(in->config->dir, 0700) != 0 && errno != EEXIST) ||
        (mkdir(dir, 0700) != 0 && errno != EEXIST))
        return err_errno(errno, "corten: make directory '%s'", dir);
    fields_print(&manifest_list_fields, l, &text);
    return file_replace(path_of(in, l->name, &in->arena), buf_str(&text), 0644, false);
}

static struct err forget(struct invocation *in, const char *name) {
    if (unlink(path_of(in, manifest_name(name, &in->arena), &in->arena)) == 0)
        return OK;
    return errno == ENOENT ? err_new(ERR_NOT_FOUND, "corten: No such manifest: %s",
                                     manifest_name(name, &in->arena))
                           : err_errno(errno, "corten: forget '%s'", name);
}

static int no_insecure(const struct invocation *in) {
    return cli_usage(in, "--insecure is not supported: the settings of the daemon say which "
                         "registries need no TLS");
}

/* --- create ----------------------------------------------------------------------------------- */

struct platforms {
    struct objs platforms; /* struct oci_platform */
};
static const struct field platform_rows[] = {
    FIELD(struct platforms, platforms, "Platforms", F_ARRAY, .sub = &oci_platform_fields),
};
static const struct fields platforms_fields = {"distribution", sizeof(struct platforms),
                                               platform_rows, ARRAY_LEN(platform_rows)};

static struct err ask(struct invocation *in, struct client *c, const char *target, const char *name,
                      const struct fields *fields, void *ret) {
    const char *auth = "";
    TRY(config_auth(in->config, name, &in->arena, &auth));
    struct client_call call = {
        .method = "GET",
        .target = target,
        .headers = *auth ? arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", auth) : NULL,
        .out_fields = fields,
        .out = ret,
        .arena = &in->arena};
    return client_do(c, &call);
}

static struct err find_entry(struct invocation *in, struct client *c, const char *name,
                             struct manifest_entry *ret) {
    struct arena *a = &in->arena;
    CLEAN_BUF struct buf by_name = {0}, distribution = {0};
    CLEAN_JSON struct json *root = NULL;
    struct api_manifest m = {0};
    struct platforms p = {0};
    buf_adds(&by_name, "/corten/manifest");
    client_query(&by_name, "name", name);
    TRY(ask(in, c, buf_cstr(&by_name), name, &api_manifest_fields, &m));
    TRYF(json_parse(str_of(m.text), &root), "corten: the manifest");
    if (json_get(root, "manifests"))
        return err_new(ERR_INVALID, "corten: %s is a manifest list", name);
    client_path(&distribution, "/distribution/", name, "/json");
    TRY(ask(in, c, buf_cstr(&distribution), name, &platforms_fields, &p));
    const char *repo, *tag;
    cli_split_tag(name, a, &repo, &tag);
    struct str bare, digest;
    str_cut(str_of(repo), '@', &bare, &digest);
    *ret = (struct manifest_entry){
        .ref = arena_strz(a, name),
        .source = arena_printf(a, "%.*s@%s", STR_ARG(bare), m.descriptor.digest),
        .descriptor = m.descriptor};
    ret->descriptor.platform = p.platforms.n ? p.platforms.items : NULL;
    return OK;
}

static struct manifest_entry *entry_of(const struct manifest_list *l, const char *ref) {
    struct manifest_entry *e = l->entries.items;
    for (size_t i = 0; i < l->entries.n; i++)
        if (!strcmp(e[i].ref, ref))
            return &e[i];
    return NULL;
}

static struct str host_of(const char *name) {
    struct str host, rest;
    str_cut(str_of(name), '/', &host, &rest);
    return host;
}

static int create_run(struct invocation *in) {
    const struct list_options *o = in->options;
    struct arena *a = &in->arena;
    struct manifest_list l = {.name = (char *)manifest_name(in->args[0], a)}, old = {0};
    if (o->insecure)
        return no_insecure(in);
    struct err e = manifest_list_load(in, in->args[0], &old);
    bool exists = !err_failed(e);
    if (!exists && err_kind(e) != ERR_NOT_FOUND)
        return cli_fail(e, 1);
    err_free(e); /* there is none: it is made */
    if (exists && !o->amend)
        return cli_fail(err_new(ERR_CONFLICT, "corten: refusing to amend an existing manifest list "
                                              "with no --amend flag"),
                        1);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    const struct manifest_entry *was = old.entries.items;
    for (size_t i = 0; i < old.entries.n; i++)
        *(struct manifest_entry *)objs_add(&l.entries, a, sizeof *was) = was[i];
    for (int i = 1; i < in->args_n; i++) {
        const char *name = manifest_name(in->args[i], a);
        struct manifest_entry found;
        if (!str_eq(host_of(name), host_of(l.name)))
            return cli_fail(err_new(ERR_INVALID,
                                    "corten: cannot use source images from a different registry "
                                    "than the target image: %.*s != %.*s",
                                    STR_ARG(host_of(name)), STR_ARG(host_of(l.name))),
                            1);
        TRYF_STATUS(find_entry(in, c, name, &found));
        struct manifest_entry *to = entry_of(&l, name);
        *(to ? to : (struct manifest_entry *)objs_add(&l.entries, a, sizeof found)) = found;
    }
    TRYF_STATUS(save(in, &l));
    if (in->json)
        cli_say(in, "name", l.name);
    else
        printf("Created manifest list %s\n", l.name);
    return 0;
}

/* --- annotate --------------------------------------------------------------------------------- */

static int annotate_run(struct invocation *in) {
    const struct list_options *o = in->options;
    struct arena *a = &in->arena;
    struct manifest_list l = {0};
    TRYF_STATUS(manifest_list_load(in, in->args[0], &l));
    struct manifest_entry *e = entry_of(&l, manifest_name(in->args[1], a));
    if (!e)
        return cli_fail(err_new(ERR_NOT_FOUND, "corten: manifest for image %s does not exist in %s",
                                in->args[1], in->args[0]),
                        1);
    if (!e->descriptor.platform)
        e->descriptor.platform = arena_alloc(a, sizeof *e->descriptor.platform);
    struct oci_platform *p = e->descriptor.platform;
    if (o->arch)
        p->architecture = arena_strz(a, o->arch);
    if (o->os)
        p->os = arena_strz(a, o->os);
    if (o->variant)
        p->variant = arena_strz(a, o->variant);
    if (o->os_version)
        p->os_version = arena_strz(a, o->os_version);
    for (size_t i = 0; i < o->os_features.n; i++)
        if (!strs_has(&p->os_features, o->os_features.items[i]))
            strs_add(&p->os_features, a, o->os_features.items[i]);
    TRYF_STATUS(save(in, &l));
    if (in->json)
        cli_say(in, "name", l.name);
    return 0;
}

/* --- the list as a document, push, rm --------------------------------------------------------- */

/* One of the peer's kind when all manifests are, else the OCI's. */
void manifest_list_text(const struct manifest_list *l, struct buf *out) {
    const struct manifest_entry *e = l->entries.items;
    struct json_out jo = {.out = out};
    bool peers = true;
    for (size_t i = 0; i < l->entries.n; i++)
        peers &= !strcmp(e[i].descriptor.media_type, DOCKER_MANIFEST);
    jo_obj(&jo);
    jo_ki64(&jo, "schemaVersion", 2);
    jo_kstr(&jo, "mediaType", peers ? DOCKER_LIST : OCI_LIST);
    jo_key(&jo, "manifests");
    jo_arr(&jo);
    for (size_t i = 0; i < l->entries.n; i++)
        fields_encode(&oci_descriptor_fields, &e[i].descriptor, 0, &jo);
    jo_arr_end(&jo);
    jo_obj_end(&jo);
}

static int push_run(struct invocation *in) {
    const struct list_options *o = in->options;
    struct manifest_list l = {0};
    CLEAN_BUF struct buf text = {0}, target = {0};
    struct manifest_list_push doc = {0};
    struct manifest_list_pushed done = {0};
    const char *auth = "";
    if (o->insecure)
        return no_insecure(in);
    TRYF_STATUS(manifest_list_load(in, in->args[0], &l));
    const struct manifest_entry *e = l.entries.items;
    for (size_t i = 0; i < l.entries.n; i++) {
        const struct oci_platform *p = e[i].descriptor.platform;
        if (!p || !p->os || !*p->os || !p->architecture || !*p->architecture)
            return cli_fail(err_new(ERR_INVALID,
                                    "corten: manifest %s must have an OS and Architecture to be "
                                    "pushed to a registry: 'corten manifest annotate'",
                                    e[i].ref),
                            1);
        strs_add(&doc.sources, &in->arena, e[i].source);
    }
    manifest_list_text(&l, &text);
    doc.list = text.data;
    TRYF_STATUS(config_auth(in->config, l.name, &in->arena, &auth));
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    buf_adds(&target, "/corten/manifest");
    client_query(&target, "name", l.name);
    buf_cstr(&text);
    struct client_call call = {
        .method = "POST",
        .target = buf_cstr(&target),
        .headers = *auth ? arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", auth) : NULL,
        .in_fields = &manifest_list_push_fields,
        .in = &doc,
        .out_fields = &manifest_list_pushed_fields,
        .out = &done,
        .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    cli_say(in, "digest", done.digest);
    if (o->purge)
        TRYF_STATUS(forget(in, in->args[0]));
    return 0;
}

static int rm_run(struct invocation *in) {
    int status = 0;
    for (int i = 0; i < in->args_n; i++) {
        struct err e = forget(in, in->args[i]);
        if (err_failed(e))
            status = cli_fail(e, 1);
        else if (in->json)
            cli_say(in, "name", in->args[i]);
    }
    return status;
}

#define LIST_COMMAND(var, name_, usage_, summary_, rows, min, max, fn) \
    const struct command var = {.name = name_,                         \
                                .usage = name_ " " usage_,             \
                                .summary = summary_,                   \
                                OPTIONS_OF(rows, struct list_options), \
                                .args_min = (min),                     \
                                .args_max = (max),                     \
                                .json = true,                          \
                                .run = (fn)}
LIST_COMMAND(command_manifest_create, "manifest create",
             "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
             "Make a list of images for several platforms, here", create_rows, 2, -1, create_run);
LIST_COMMAND(command_manifest_annotate, "manifest annotate", "[OPTIONS] MANIFEST_LIST MANIFEST",
             "Say which platform an image of a list is for", annotate_rows, 2, 2, annotate_run);
LIST_COMMAND(command_manifest_push, "manifest push", "[OPTIONS] MANIFEST_LIST",
             "Upload a list to its registry", push_rows, 1, 1, push_run);
const struct command command_manifest_rm = {.name = "manifest rm",
                                            .usage = "manifest rm MANIFEST_LIST [MANIFEST_LIST...]",
                                            .summary = "Forget lists that are kept here",
                                            .args_min = 1,
                                            .args_max = -1,
                                            .json = true,
                                            .run = rm_run};
