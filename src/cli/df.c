/* system df: what takes the disk's space. */
#include "base/time.h"
#include "cli/commands.h"
#include "cli/df_owner.h"
#include "spec/api_image.h"
#include <stdio.h>
#include <string.h>

struct df_options {
    bool verbose;
    const char *format, *by;
};
static const struct option_row df_rows[] = {
    FLAG(struct df_options, verbose, 'v', "verbose", "One by one"),
    TEXT(struct df_options, by, 0, "by", "OWNER",
         "What each project, image or container has for itself"),
    FORMAT(struct df_options, format),
};

struct df_row {
    const char *type;
    size_t total, active;
    int64_t size, reclaimable;
    bool percent;
};
VIEW(v_type, struct df_row, template_strz(r->type))
VIEW(v_total, struct df_row, template_strz(arena_printf(a, "%zu", r->total)))
VIEW(v_active, struct df_row, template_strz(arena_printf(a, "%zu", r->active)))

GETTER(v_size) {
    struct buf out = {0};
    human_bytes((double)((const struct df_row *)self)->size, 4, &out);
    *ret = view_take(a, &out);
    return OK;
}

GETTER(v_reclaimable) {
    const struct df_row *r = self;
    struct buf out = {0};
    human_bytes((double)r->reclaimable, 4, &out);
    if (r->percent && r->size > 0)
        buf_addf(&out, " (%lld%%)", (long long)(r->reclaimable * 100 / r->size));
    *ret = view_take(a, &out);
    return OK;
}

static const struct template_member df_members[] = {
    {"Type", v_type, 0, 0, "TYPE"},
    {"TotalCount", v_total, 0, 0, "TOTAL"},
    {"Active", v_active, 0, 0, "ACTIVE"},
    {"Size", v_size, 0, 0, "SIZE"},
    {"Reclaimable", v_reclaimable, 0, 0, "RECLAIMABLE"},
};
TYPE_OF(df_type, "*formatter.diskUsageContext", df_members);

static bool is_active(const struct api_container_summary *k) {
    return !strcmp(k->state, "running") || !strcmp(k->state, "paused") ||
           !strcmp(k->state, "restarting");
}

static struct df_row images_row(const struct api_disk_usage *d) {
    const struct api_image_summary *i = d->images.items;
    struct df_row r = {"Images", d->images.n, 0, d->layers_size, d->layers_size, true};
    for (size_t k = 0; k < d->images.n; k++) {
        if (i[k].containers <= 0)
            continue;
        r.active++;
        if (i[k].size >= 0 && i[k].shared_size >= 0)
            r.reclaimable -= i[k].size - i[k].shared_size;
    }
    return r;
}

static struct df_row containers_row(const struct api_disk_usage *d) {
    const struct api_container_summary *k = d->containers.items;
    struct df_row r = {"Containers", d->containers.n, 0, 0, 0, true};
    for (size_t i = 0; i < d->containers.n; i++) {
        r.size += k[i].size_rw;
        r.active += is_active(&k[i]);
        r.reclaimable += is_active(&k[i]) ? 0 : k[i].size_rw;
    }
    return r;
}

static struct df_row volumes_row(const struct api_disk_usage *d) {
    const struct api_volume *v = d->volumes.items;
    struct df_row r = {"Local Volumes", d->volumes.n, 0, 0, 0, true};
    for (size_t i = 0; i < d->volumes.n; i++) {
        int64_t size = v[i].usage && v[i].usage->size > 0 ? v[i].usage->size : 0;
        bool used = v[i].usage && v[i].usage->ref_count > 0;
        r.size += size;
        r.active += used;
        r.reclaimable += used ? 0 : size;
    }
    return r;
}

static struct df_row cache_row(const struct api_disk_usage *d) {
    const struct api_build_cache *b = d->build_cache.items;
    struct df_row r = {"Build Cache", d->build_cache.n, 0, 0, 0, false};
    for (size_t i = 0; i < d->build_cache.n; i++) {
        int64_t size = b[i].shared ? 0 : b[i].size;
        r.size += size;
        r.active += b[i].in_use;
        r.reclaimable += b[i].in_use ? 0 : size;
    }
    return r;
}

/* --- one by one ------------------------------------------------------------------------------- */

static void add_size(int64_t bytes, struct buf *out) {
    buf_addc(out, '\t');
    human_bytes((double)MAX(bytes, INT64_C(0)), 4, out);
}

static void verbose_images(const struct api_disk_usage *d, struct arena *a, struct buf *out) {
    const struct api_image_summary *i = d->images.items;
    buf_adds(out,
             "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\tSHARED SIZE\tUNIQUE SIZE\tCONTAINERS\n");
    for (size_t k = 0; k < d->images.n; k++) {
        const char *repo = "<none>", *tag = "<none>";
        if (i[k].repo_tags.n)
            cli_split_tag(i[k].repo_tags.items[0], a, &repo, &tag);
        buf_addf(out, "%s\t%s\t%.*s\t", repo, tag, STR_ARG(view_id(i[k].id, true).s));
        human_since(time_now() - i[k].created * NSEC_PER_SEC, out);
        add_size(i[k].size, out);
        add_size(i[k].shared_size, out);
        add_size(i[k].size - MAX(i[k].shared_size, INT64_C(0)), out);
        buf_addf(out, "\t%lld\n", (long long)MAX(i[k].containers, INT64_C(0)));
    }
}

static void verbose_containers(const struct api_disk_usage *d, struct arena *a, struct buf *out) {
    const struct api_container_summary *k = d->containers.items;
    buf_adds(out, "CONTAINER ID\tIMAGE\tCOMMAND\tLOCAL VOLUMES\tSIZE\tCREATED\tSTATUS\tNAMES\n");
    for (size_t i = 0; i < d->containers.n; i++) {
        buf_addf(out, "%.*s\t%s\t\"%.*s\"\t%zu", STR_ARG(view_id(k[i].id, true).s), k[i].image,
                 STR_ARG(view_ellipsis(k[i].command, 20, a).s), k[i].mounts.n);
        add_size(k[i].size_rw, out);
        buf_addc(out, '\t');
        human_since(time_now() - k[i].created * NSEC_PER_SEC, out);
        buf_addf(out, "\t%s\t%s\n", k[i].status, k[i].names.n ? k[i].names.items[0] + 1 : "");
    }
}

static void verbose_volumes(const struct api_disk_usage *d, struct buf *out) {
    const struct api_volume *v = d->volumes.items;
    buf_adds(out, "VOLUME NAME\tLINKS\tSIZE\n");
    for (size_t i = 0; i < d->volumes.n; i++) {
        buf_addf(out, "%s\t%lld", v[i].name, v[i].usage ? (long long)v[i].usage->ref_count : 0LL);
        add_size(v[i].usage ? v[i].usage->size : 0, out);
        buf_addc(out, '\n');
    }
}

static void verbose_cache(const struct api_disk_usage *d, struct buf *out) {
    const struct api_build_cache *b = d->build_cache.items;
    buf_adds(out, "CACHE ID\tCACHE TYPE\tSIZE\tCREATED\tLAST USED\tUSAGE\tSHARED\n");
    for (size_t i = 0; i < d->build_cache.n; i++) {
        buf_addf(out, "%.12s\t%s", b[i].id, b[i].type);
        add_size(b[i].size, out);
        buf_addc(out, '\t');
        human_since(time_now() - b[i].created_at, out);
        buf_addc(out, '\t');
        if (b[i].last_used_at)
            human_since(time_now() - b[i].last_used_at, out);
        buf_addf(out, "\t%lld\t%s\n", (long long)b[i].usage_count, b[i].shared ? "true" : "false");
    }
}

static void verbose(const struct api_disk_usage *d, struct arena *a) {
    static const char *const titles[] = {"Images space usage:", "Containers space usage:",
                                         "Local Volumes space usage:", "Build cache usage:"};
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        CLEAN_BUF struct buf out = {0};
        if (i == 0)
            verbose_images(d, a, &out);
        else if (i == 1)
            verbose_containers(d, a, &out);
        else if (i == 2)
            verbose_volumes(d, &out);
        else
            verbose_cache(d, &out);
        printf("%s%s\n\n", i ? "\n" : "", titles[i]);
        table_print(buf_str(&out), true);
    }
}

struct err cli_disk_usage(struct client *c, struct arena *a, struct api_disk_usage *ret) {
    struct client_call call = {.method = "GET",
                               .target = "/system/df",
                               .out_fields = &api_disk_usage_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

static int df_run(struct invocation *in) {
    const struct df_options *o = in->options;
    if (o->by && strcmp(o->by, "project") != 0 && strcmp(o->by, "image") != 0 &&
        strcmp(o->by, "container") != 0)
        return cli_usage(in, "--by '%s': want project, image or container", o->by);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_disk_usage d = {0};
    struct listing l = {0};
    if (!c)
        return 1;
    TRYF_STATUS(cli_disk_usage(c, &in->arena, &d));
    if (o->by)
        return df_by_owner(in, &d, o->by, o->format);
    if (o->verbose && o->format)
        return cli_usage(in, "--verbose and --format exclude each other");
    if (o->verbose) {
        verbose(&d, &in->arena);
        return 0;
    }
    const struct df_row rows[] = {images_row(&d), containers_row(&d), volumes_row(&d),
                                  cache_row(&d)};
    struct err e = listing_begin(
        &l, o->format, NULL, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
        &df_type);
    for (size_t i = 0; i < ARRAY_LEN(rows) && !err_failed(e); i++)
        e = listing_row(&l, &rows[i]);
    return listing_end(&l, e);
}

const struct command command_system_df = {.name = "system df",
                                          .waits = true,
                                          .usage = "system df [OPTIONS]",
                                          .summary = "Show what takes space on the disk",
                                          .examples =
                                              "corten system df --by project\twhat each compose "
                                              "project has for itself",
                                          OPTIONS_OF(df_rows, struct df_options),
                                          .run = df_run};
