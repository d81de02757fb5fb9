/* builder ls, export, import: the build cache's steps, and the cache mounts of RUN steps, which are
 * volumes of the daemon. */
#include "base/time.h"
#include "cli/commands.h"
#include "spec/api_system.h"
#include "spec/api_volume.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cache_row {
    char *id, *type; /* "step", "mount" */
    char *volume;
    bool in_use, shared;
    int64_t size, created_at, last_used_at;
};
#define F(member, name, kind, ...) FIELD(struct cache_row, member, name, kind, ##__VA_ARGS__)
static const struct field cache_row_rows[] = {
    F(id, "ID", F_STR),
    F(type, "Type", F_STR),
    F(volume, "Volume", F_STR, .flags = OMIT_EMPTY),
    F(in_use, "InUse", F_BOOL),
    F(shared, "Shared", F_BOOL),
    F(size, "Size", F_I64),
    F(created_at, "CreatedAt", F_TIME),
    F(last_used_at, "LastUsedAt", F_TIME),
};
#undef F
static const struct fields cache_row_fields = {"cache", sizeof(struct cache_row), cache_row_rows,
                                               ARRAY_LEN(cache_row_rows)};

struct ls_options {
    bool quiet, no_trunc;
    const char *format;
};
static const struct option_row ls_rows[] = {
    FLAG(struct ls_options, quiet, 'q', "quiet", "Only IDs"),
    FLAG(struct ls_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FORMAT(struct ls_options, format),
};

static struct str id_of(const struct cache_row *r) {
    struct str s = str_of(r->id);
    return str_starts(s, STR("sha256:")) ? str_sub(str_from(s, 7), 0, 12) : s;
}
VIEW(v_id, struct cache_row, template_strz(arena_str(a, id_of(r))))
VIEW(v_type, struct cache_row, template_strz(r->type))
VIEW(v_use, struct cache_row, template_strz(r->in_use ? "in use" : r->shared ? "shared" : ""))
VIEW(v_volume, struct cache_row, template_strz(r->volume ? r->volume : ""))

GETTER(v_size) {
    struct buf out = {0};
    human_bytes((double)((const struct cache_row *)self)->size, 4, &out);
    *ret = view_take(a, &out);
    return OK;
}
GETTER(v_used) {
    const struct cache_row *r = self;
    struct buf out = {0};
    int64_t at = MAX(r->last_used_at, r->created_at);
    human_duration(time_now() - at, &out);
    buf_adds(&out, " ago");
    *ret = view_take(a, &out);
    return OK;
}

static const struct template_member members[] = {
    {"ID", v_id, 0, 0, "ID"},          {"Type", v_type, 0, 0, "TYPE"},
    {"Size", v_size, 0, 0, "SIZE"},    {"Used", v_used, 0, 0, "USED"},
    {"Use", v_use, 0, 0, "BY OTHERS"}, {"Volume", v_volume, 0, 0, "VOLUME"},
};
static const struct template_type row_type = {"*builder.cacheRow", members, ARRAY_LEN(members)};

static const char *cache_id(const struct api_volume *v) {
    return strmap_get(&v->labels, BUILD_CACHE_LABEL);
}

static void rows(const struct api_disk_usage *du, struct arena *a, struct objs *ret) {
    const struct api_build_cache *steps = du->build_cache.items;
    const struct api_volume *volumes = du->volumes.items;
    for (size_t i = 0; i < du->volumes.n; i++) {
        const struct api_volume *v = &volumes[i];
        if (!cache_id(v))
            continue;
        struct cache_row *r = objs_add(ret, a, sizeof(*r));
        *r = (struct cache_row){.id = arena_strz(a, cache_id(v)),
                                .type = arena_strz(a, "mount"),
                                .volume = v->name,
                                .in_use = v->usage && v->usage->ref_count > 0,
                                .size = v->usage ? v->usage->size : 0,
                                .created_at = v->created_at};
    }
    for (size_t i = 0; i < du->build_cache.n; i++) {
        struct cache_row *r = objs_add(ret, a, sizeof(*r));
        *r = (struct cache_row){.id = steps[i].id,
                                .type = arena_strz(a, "step"),
                                .in_use = steps[i].in_use,
                                .shared = steps[i].shared,
                                .size = steps[i].size,
                                .created_at = steps[i].created_at,
                                .last_used_at = steps[i].last_used_at};
    }
}

static int ls_run(struct invocation *in) {
    const struct ls_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_disk_usage du = {0};
    struct objs found = {0};
    if (!c)
        return 1;
    struct client_call call = {.method = "GET",
                               .target = "/system/df?type=build-cache&type=volume",
                               .out_fields = &api_disk_usage_fields,
                               .out = &du,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    rows(&du, &in->arena, &found);
    return cli_rows(
        in,
        &(struct cli_list){.fields = &cache_row_fields,
                           .format = o->format,
                           .otherwise = "{{.ID}}\t{{.Type}}\t{{.Size}}\t{{.Used}}\t{{.Use}}",
                           .quiet = o->quiet ? "{{.ID}}" : NULL,
                           .type = &row_type,
                           .whole = o->no_trunc},
        &found);
}

/* --- cache mounts as archives -------------------------------------------------------------------
 */
/* The volume of a cache; of a private one, the first. ERR_NOT_FOUND. */
static struct err find_volume(struct client *c, const char *id, struct arena *a,
                              const char **ret_name) {
    CLEAN_STRV struct strv filter = {0};
    CLEAN_BUF struct buf target = {0};
    struct api_volume_list list = {0};
    strv_addf(&filter, "label=" BUILD_CACHE_LABEL "=%s", id);
    buf_adds(&target, "/volumes");
    TRY(filter_query(&filter, &target));
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&target),
                               .out_fields = &api_volume_list_fields,
                               .out = &list,
                               .arena = a};
    TRY(client_do(c, &call));
    const struct api_volume *all = list.volumes.items;
    if (list.volumes.n == 0)
        return err_new(ERR_NOT_FOUND, "no such cache mount: %s", id);
    *ret_name = all[0].name;
    for (size_t i = 1; i < list.volumes.n; i++)
        if (strlen(all[i].name) < strlen(*ret_name))
            *ret_name = all[i].name;
    return OK;
}

static int export_run(struct invocation *in) {
    const char *name = NULL;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(find_volume(c, in->args[0], &in->arena, &name));
    char *args[] = {(char *)(uintptr_t)name, NULL};
    struct invocation volume = *in;
    volume.args = args;
    volume.args_n = 1;
    int status = cli_export(&volume, "/corten/volumes/");
    in->arena = volume.arena;
    return status;
}

/* A cache that is not there yet is made, as the first RUN that wants it would. */
static struct err make_volume(struct client *c, const char *id, struct arena *a,
                              const char **ret_name) {
    struct err e = find_volume(c, id, a, ret_name);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e); /* made now */
    char *hex = NULL;
    struct api_volume_create doc = {0};
    struct api_volume made = {0};
    TRY(cli_hash(id, a, &hex));
    doc.name = arena_printf(a, BUILD_CACHE_VOLUME "%.16s", hex);
    strmap_set(&doc.labels, a, BUILD_CACHE_LABEL, id);
    TRY(cli_post_document(c, "/volumes/create", &api_volume_create_fields, &doc, &api_volume_fields,
                          &made, a));
    *ret_name = made.name;
    return OK;
}

static int import_run(struct invocation *in) {
    CLEAN_BUF struct buf target = {0};
    const char *from = in->args_n > 1 ? in->args[1] : "-", *name = NULL;
    CLEAN_FD int fd = strcmp(from, "-") != 0 ? open(from, O_RDONLY | O_CLOEXEC)
                                             : fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return cli_fail(err_errno(errno, "corten: open %s", from), 1);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(make_volume(c, in->args[0], &in->arena, &name));
    client_path(&target, "/corten/volumes/", name, "/archive");
    client_query(&target, "path", "/");
    struct client_call call = {.method = "PUT",
                               .target = buf_cstr(&target),
                               .content_type = "application/x-tar",
                               .body_read = cli_read_fd,
                               .body_arg = &fd};
    TRYF_STATUS(client_do(c, &call));
    cli_say(in, "name", name);
    return 0;
}

const struct command command_builder_ls = {.name = "builder ls",
                                           .alias = "builder du",
                                           .usage = "builder ls [OPTIONS]",
                                           .summary = "List build cache: steps and cache mounts",
                                           OPTIONS_OF(ls_rows, struct ls_options),
                                           .json = true,
                                           .run = ls_run};
const struct command command_builder_export = {
    .name = "builder export",
    .usage = "builder export [OPTIONS] CACHE",
    .summary = "Write a cache mount as a tar archive (steps: build --cache-to)",
    .examples = "corten builder export /root/.cache -o cache.tar\tof RUN "
                "--mount=type=cache,target=/root/.cache",
    OPTIONS_OF(export_rows, struct export_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = export_run};
const struct command command_builder_import = {
    .name = "builder import",
    .waits = true,
    .usage = "builder import CACHE [FILE|-]",
    .summary = "Fill a cache mount from a tar archive (steps: build --cache-from)",
    .args_min = 1,
    .args_max = 2,
    .json = true,
    .run = import_run};
