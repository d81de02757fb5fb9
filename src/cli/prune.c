/* prune, of each kind and of all. */
#include "base/time.h"
#include "cli/commands.h"
#include "spec/api_image.h"
#include "spec/api_network.h"
#include <stdio.h>
#include <string.h>

struct prune_options {
    bool all, force, volumes, dry_run;
    int64_t keep, reserved, max_used, min_free;
    struct strv filter;
};
#define P struct prune_options
#define FORCE FLAG(P, force, 'f', "force", "Do not ask")
#define ONLY                                                                              \
    OPTION_(P, filter, 0, "filter", "NAME=VALUE", "Only what matches (until=…, label=…)", \
            OPTION_FILTER)
static const struct option_row plain_rows[] = {FORCE, ONLY};
static const struct option_row image_rows[] = {
    FORCE, ONLY, FLAG(P, all, 'a', "all", "All that no container uses, not only nameless ones")};
static const struct option_row volume_rows[] = {FORCE, ONLY,
                                                FLAG(P, all, 'a', "all", "Those with a name, too")};
static const struct option_row builder_rows[] = {
    FORCE,
    ONLY,
    FLAG(P, all, 'a', "all", "What an image still uses, too"),
    BYTES(P, keep, 0, "keep-storage", "BYTES", NULL),
    BYTES(P, reserved, 0, "reserved-space", "BYTES", "So much may stay"),
    BYTES(P, max_used, 0, "max-used-space", "BYTES", "No more than that stays"),
    BYTES(P, min_free, 0, "min-free-space", "BYTES", "Until so much of the disk is free")};
static const struct option_row system_rows[] = {
    FORCE, ONLY, FLAG(P, all, 'a', "all", "All images that no container uses"),
    FLAG(P, volumes, 0, "volumes", "Volumes without a name, too"),
    FLAG(P, dry_run, 0, "dry-run", "Only say what would go")};
#undef P

struct pruned {
    uint64_t space;
    bool any;
};

static void list(const char *title, const struct strs *v, struct pruned *sum) {
    if (v->n == 0)
        return;
    printf("%s\n", title);
    for (size_t i = 0; i < v->n; i++)
        printf("%s\n", v->items[i]);
    printf("\n");
    sum->any = true;
}

static struct err target_of(const struct prune_options *o, const char *path, const char *extra,
                            struct buf *target) {
    CLEAN_STRV struct strv filters = {0};
    for (size_t i = 0; i < o->filter.n; i++)
        strv_add(&filters, o->filter.items[i]);
    if (extra)
        strv_add(&filters, extra);
    buf_adds(target, path);
    return filter_query(&filters, target);
}

static struct err containers(struct client *c, const struct prune_options *o, struct arena *a,
                             struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_containers_pruned p = {0};
    TRY(target_of(o, "/containers/prune", NULL, &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_containers_pruned_fields, &p, a));
    list("Deleted Containers:", &p.deleted, sum);
    sum->space += p.space_reclaimed;
    return OK;
}

static struct err volumes(struct client *c, const struct prune_options *o, bool all,
                          struct arena *a, struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_volume_pruned p = {0};
    TRY(target_of(o, "/volumes/prune", all ? "all=true" : NULL, &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_volume_pruned_fields, &p, a));
    list("Deleted Volumes:", &p.deleted, sum);
    sum->space += p.space_reclaimed;
    return OK;
}

static struct err networks(struct client *c, const struct prune_options *o, struct arena *a,
                           struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_network_pruned p = {0};
    TRY(target_of(o, "/networks/prune", NULL, &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_network_pruned_fields, &p, a));
    list("Deleted Networks:", &p.deleted, sum);
    return OK;
}

static struct err images(struct client *c, const struct prune_options *o, struct arena *a,
                         struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_images_pruned p = {0};
    TRY(target_of(o, "/images/prune", o->all ? "dangling=false" : "dangling=true", &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_images_pruned_fields, &p, a));
    const struct api_image_deleted *d = p.deleted.items;
    if (p.deleted.n)
        printf("Deleted Images:\n");
    for (size_t i = 0; i < p.deleted.n; i++)
        printf("%s: %s\n", d[i].untagged && *d[i].untagged ? "untagged" : "deleted",
               d[i].untagged && *d[i].untagged ? d[i].untagged : d[i].deleted);
    if (p.deleted.n)
        printf("\n");
    sum->any |= p.deleted.n > 0;
    sum->space += p.space_reclaimed;
    return OK;
}

static struct err cache(struct client *c, const struct prune_options *o, struct arena *a,
                        struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_build_pruned p = {0};
    TRY(target_of(o, "/build/prune", NULL, &target));
    client_query_bool(&target, "all", o->all);
    if (o->keep || o->reserved) {
        client_query_i64(&target, "keep-storage", o->keep ? o->keep : o->reserved);
        client_query_i64(&target, "reserved-space", o->keep ? o->keep : o->reserved);
    }
    if (o->max_used)
        client_query_i64(&target, "max-used-space", o->max_used);
    if (o->min_free)
        client_query_i64(&target, "min-free-space", o->min_free);
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_build_pruned_fields, &p, a));
    list("Deleted build cache objects:", &p.deleted, sum);
    sum->space += p.space_reclaimed;
    return OK;
}

static int done(struct err e, const struct pruned *sum, const char *words) {
    CLEAN_BUF struct buf size = {0};
    if (err_failed(e))
        return cli_fail(e, 1);
    human_bytes((double)sum->space, 4, &size);
    if (words)
        printf("%s%s\n", words, buf_cstr(&size));
    return 0;
}

#define RECLAIMED "Total reclaimed space: "

static int container_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    struct pruned sum = {0};
    if (!o->force && !cli_confirm("WARNING! This will remove all stopped containers.\nAre you "
                                  "sure you want to continue?"))
        return 0;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? done(containers(c, o, &in->arena, &sum), &sum, RECLAIMED) : 1;
}

static int image_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    struct pruned sum = {0};
    if (!o->force &&
        !cli_confirm(o->all ? "WARNING! This will remove all images without at least one container "
                              "associated to them.\nAre you sure you want to continue?"
                            : "WARNING! This will remove all dangling images.\nAre you sure you "
                              "want to continue?"))
        return 0;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? done(images(c, o, &in->arena, &sum), &sum, RECLAIMED) : 1;
}

static int network_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    struct pruned sum = {0};
    if (!o->force && !cli_confirm("WARNING! This will remove all custom networks not used by at "
                                  "least one container.\nAre you sure you want to continue?"))
        return 0;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? done(networks(c, o, &in->arena, &sum), &sum, NULL) : 1;
}

static int volume_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    struct pruned sum = {0};
    if (!o->force &&
        !cli_confirm(o->all ? "WARNING! This will remove all local volumes not used by at least "
                              "one container.\nAre you sure you want to continue?"
                            : "WARNING! This will remove anonymous local volumes not used by at "
                              "least one container.\nAre you sure you want to continue?"))
        return 0;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? done(volumes(c, o, o->all, &in->arena, &sum), &sum, RECLAIMED) : 1;
}

static int builder_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    struct pruned sum = {0};
    if (!o->force && !cli_confirm("WARNING! This will remove build cache that nothing uses.\nAre "
                                  "you sure you want to continue?"))
        return 0;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? done(cache(c, o, &in->arena, &sum), &sum, "Total:\t") : 1;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void would_go(const char *kind, size_t n, int64_t bytes) {
    CLEAN_BUF struct buf size = {0};
    human_bytes((double)MAX(bytes, INT64_C(0)), 4, &size);
    printf("  - %zu %s (%s)\n", n, kind, buf_cstr(&size));
}

static void announce_images(const struct api_disk_usage *d, bool all) {
    const struct api_image_summary *i = d->images.items;
    size_t n = 0;
    int64_t bytes = 0;
    for (size_t k = 0; k < d->images.n; k++)
        if (i[k].containers <= 0 && (all || i[k].repo_tags.n == 0)) {
            n++;
            bytes += i[k].size - MAX(i[k].shared_size, INT64_C(0));
        }
    would_go(all ? "images that no container uses" : "images without a name", n, bytes);
}

/* What there is, counted, before the question. */
static struct err announce(struct client *c, const struct prune_options *o, struct arena *a) {
    struct api_disk_usage d = {0};
    struct client_call call = {.method = "GET",
                               .target = "/system/df",
                               .out_fields = &api_disk_usage_fields,
                               .out = &d,
                               .arena = a};
    TRY(client_do(c, &call));
    const struct api_container_summary *k = d.containers.items;
    const struct api_volume *v = d.volumes.items;
    const struct api_build_cache *b = d.build_cache.items;
    size_t n = 0;
    int64_t bytes = 0;
    printf("WARNING! This will remove:\n");
    for (size_t i = 0; i < d.containers.n; i++)
        if (strcmp(k[i].state, "running") != 0 && strcmp(k[i].state, "paused") != 0 &&
            strcmp(k[i].state, "restarting") != 0) {
            n++;
            bytes += k[i].size_rw;
        }
    would_go("containers that do not run", n, bytes);
    printf("  - networks that no container uses\n");
    announce_images(&d, o->all);
    n = 0;
    bytes = 0;
    for (size_t i = 0; o->volumes && i < d.volumes.n; i++)
        if (v[i].usage && v[i].usage->ref_count == 0) {
            n++;
            bytes += MAX(v[i].usage->size, INT64_C(0));
        }
    if (o->volumes)
        would_go("volumes that no container uses (those without a name)", n, bytes);
    n = 0;
    bytes = 0;
    for (size_t i = 0; i < d.build_cache.n; i++)
        if (!b[i].in_use) {
            n++;
            bytes += b[i].size;
        }
    would_go("entries of the build cache", n, bytes);
    if (o->filter.n)
        printf("as far as the filters match\n");
    printf("\n");
    return OK;
}

static struct err system_prune(struct client *c, const struct prune_options *o, struct arena *a,
                               struct pruned *sum) {
    TRY(containers(c, o, a, sum));
    TRY(networks(c, o, a, sum));
    if (o->volumes)
        TRY(volumes(c, o, false, a, sum));
    TRY(images(c, o, a, sum));
    struct err e = cache(c, o, a, sum);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* an engine without a build cache */
        return OK;
    }
    return e;
}

static int system_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    struct pruned sum = {0};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    for (size_t i = 0; i < o->filter.n; i++)
        if (o->volumes && !strncmp(o->filter.items[i], "until=", 6))
            return cli_usage(in, "The \"until\" filter is not supported with \"--volumes\"");
    if (!o->force || o->dry_run)
        TRYF_STATUS(announce(c, o, &in->arena));
    if (o->dry_run || (!o->force && !cli_confirm("Are you sure you want to continue?")))
        return 0;
    return done(system_prune(c, o, &in->arena, &sum), &sum, RECLAIMED);
}

const struct command command_container_prune = {.name = "container prune",
                                                .usage = "container prune [OPTIONS]",
                                                .summary = "Remove containers that do not run",
                                                OPTIONS_OF(plain_rows, struct prune_options),
                                                .run = container_run};
const struct command command_image_prune = {.name = "image prune",
                                            .usage = "image prune [OPTIONS]",
                                            .summary = "Remove images that nobody uses",
                                            OPTIONS_OF(image_rows, struct prune_options),
                                            .run = image_run};
const struct command command_network_prune = {.name = "network prune",
                                              .usage = "network prune [OPTIONS]",
                                              .summary = "Remove networks that nobody uses",
                                              OPTIONS_OF(plain_rows, struct prune_options),
                                              .run = network_run};
const struct command command_volume_prune = {.name = "volume prune",
                                             .usage = "volume prune [OPTIONS]",
                                             .summary = "Remove volumes that nobody uses",
                                             OPTIONS_OF(volume_rows, struct prune_options),
                                             .run = volume_run};
const struct command command_builder_prune = {.name = "builder prune",
                                              .usage = "builder prune [OPTIONS]",
                                              .summary = "Remove build cache",
                                              OPTIONS_OF(builder_rows, struct prune_options),
                                              .run = builder_run};
const struct command command_system_prune = {
    .name = "system prune",
    .usage = "system prune [OPTIONS]",
    .summary = "Remove all that nobody uses",
    .examples = "corten system prune --dry-run\tsay what would go\n"
                "corten system prune -af --volumes\tas much as can go, without asking",
    OPTIONS_OF(system_rows, struct prune_options),
    .run = system_run};
