/* prune, of each kind and of all. */
#include "base/time.h"
#include "cli/commands.h"
#include "spec/api_image.h"
#include "spec/api_network.h"
#include <stdio.h>
#include <string.h>

struct prune_options {
    bool all, force, volumes, dry_run, system; /* system: of all kinds */
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
    struct json_out *json; /* NULL: for people */
};

static void list(const char *title, const char *key, const struct strs *v, struct pruned *sum) {
    if (sum->json) {
        jo_key(sum->json, key);
        jo_arr(sum->json);
        for (size_t i = 0; i < v->n; i++)
            jo_strz(sum->json, v->items[i]);
        jo_arr_end(sum->json);
        return;
    }
    if (v->n == 0)
        return;
    printf("%s\n", title);
    for (size_t i = 0; i < v->n; i++)
        printf("%s\n", v->items[i]);
    printf("\n");
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
    list("Deleted Containers:", "containers", &p.deleted, sum);
    sum->space += p.space_reclaimed;
    return OK;
}

static struct err volumes(struct client *c, const struct prune_options *o, struct arena *a,
                          struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_volume_pruned p = {0};
    TRY(target_of(o, "/volumes/prune", o->all && !o->system ? "all=true" : NULL, &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_volume_pruned_fields, &p, a));
    list("Deleted Volumes:", "volumes", &p.deleted, sum);
    sum->space += p.space_reclaimed;
    return OK;
}

static struct err networks(struct client *c, const struct prune_options *o, struct arena *a,
                           struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_network_pruned p = {0};
    TRY(target_of(o, "/networks/prune", NULL, &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_network_pruned_fields, &p, a));
    list("Deleted Networks:", "networks", &p.deleted, sum);
    return OK;
}

static struct err images(struct client *c, const struct prune_options *o, struct arena *a,
                         struct pruned *sum) {
    CLEAN_BUF struct buf target = {0};
    struct api_images_pruned p = {0};
    TRY(target_of(o, "/images/prune", o->all ? "dangling=false" : "dangling=true", &target));
    TRY(cli_post_document(c, buf_cstr(&target), NULL, NULL, &api_images_pruned_fields, &p, a));
    const struct api_image_deleted *d = p.deleted.items;
    sum->space += p.space_reclaimed;
    if (sum->json) {
        struct strs names = {0};
        for (size_t i = 0; i < p.deleted.n; i++)
            strs_add(&names, a, d[i].untagged && *d[i].untagged ? d[i].untagged : d[i].deleted);
        list("", "images", &names, sum);
        return OK;
    }
    if (p.deleted.n)
        printf("Deleted Images:\n");
    for (size_t i = 0; i < p.deleted.n; i++)
        printf("%s: %s\n", d[i].untagged && *d[i].untagged ? "untagged" : "deleted",
               d[i].untagged && *d[i].untagged ? d[i].untagged : d[i].deleted);
    if (p.deleted.n)
        printf("\n");
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
    list("Deleted build cache objects:", "build_cache", &p.deleted, sum);
    sum->space += p.space_reclaimed;
    return OK;
}

static int done(struct err e, const struct pruned *sum, const char *words) {
    CLEAN_BUF struct buf size = {0};
    if (err_failed(e))
        return cli_fail(e, 1);
    if (sum->json) {
        jo_ki64(sum->json, "reclaimed", (int64_t)sum->space);
        jo_obj_end(sum->json);
        printf("%s\n", buf_cstr(sum->json->out));
        return 0;
    }
    human_bytes((double)sum->space, 4, &size);
    if (words)
        printf("%s%s\n", words, buf_cstr(&size));
    return 0;
}

/* The question before one; false: no. */
static bool agreed(const struct invocation *in, const char *question) {
    const struct prune_options *o = in->options;
    if (o->force)
        return true;
    if (in->json) {
        fprintf(stderr, "corten: --json: only with --force, nobody answers a question\n");
        return false;
    }
    return cli_confirm(question);
}

/* One kind: asks, prunes, sums up. */
static int prune_one(struct invocation *in, const char *question, const char *words,
                     struct err (*fn)(struct client *c, const struct prune_options *o,
                                      struct arena *a, struct pruned *sum)) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    struct pruned sum = {.json = in->json ? &jo : NULL};
    if (!agreed(in, question))
        return in->json;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    if (in->json)
        jo_obj(&jo);
    return done(fn(c, in->options, &in->arena, &sum), &sum, words);
}

#define RECLAIMED "Total reclaimed space: "

#define SURE "\nAre you sure you want to continue?"

static int container_run(struct invocation *in) {
    return prune_one(in, "WARNING! This will remove all stopped containers." SURE, RECLAIMED,
                     containers);
}

static int image_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    return prune_one(in,
                     o->all ? "WARNING! This will remove all images without at least one container "
                              "associated to them." SURE
                            : "WARNING! This will remove all dangling images." SURE,
                     RECLAIMED, images);
}

static int network_run(struct invocation *in) {
    return prune_one(in,
                     "WARNING! This will remove all custom networks not used by at least one "
                     "container." SURE,
                     NULL, networks);
}

static int volume_run(struct invocation *in) {
    const struct prune_options *o = in->options;
    return prune_one(in,
                     o->all ? "WARNING! This will remove all local volumes not used by at least "
                              "one container." SURE
                            : "WARNING! This will remove anonymous local volumes not used by at "
                              "least one container." SURE,
                     RECLAIMED, volumes);
}

static int builder_run(struct invocation *in) {
    return prune_one(in, "WARNING! This will remove build cache that nothing uses." SURE,
                     "Total:\t", cache);
}

/* --- all of it -------------------------------------------------------------------------------- */

#define NAMES_SHOWN 8

/* What goes, counted and named. */
struct going {
    size_t n;
    int64_t bytes;
    struct buf names;
};

static void goes(struct going *g, const char *name, int64_t bytes) {
    if (g->n < NAMES_SHOWN)
        buf_addf(&g->names, "%s%s", g->n ? ", " : "", name);
    g->n++;
    g->bytes += MAX(bytes, INT64_C(0));
}

static void would_go(const char *kind, struct going *g) {
    CLEAN_BUF struct buf size = {0};
    human_bytes((double)g->bytes, 4, &size);
    printf("  - %zu %s (%s)%s%s", g->n, kind, buf_cstr(&size), g->n ? ": " : "",
           buf_cstr(&g->names));
    if (g->n > NAMES_SHOWN)
        printf(" and %zu more", g->n - NAMES_SHOWN);
    printf("\n");
    buf_done(&g->names);
    *g = (struct going){0};
}

static void announce_images(const struct api_disk_usage *d, bool all) {
    const struct api_image_summary *i = d->images.items;
    struct going g = {0};
    for (size_t k = 0; k < d->images.n; k++)
        if (i[k].containers <= 0 && (all || i[k].repo_tags.n == 0)) {
            CLEAN_FREE char *id = str_dup(view_id(i[k].id, true).s);
            goes(&g, i[k].repo_tags.n ? i[k].repo_tags.items[0] : id,
                 i[k].size - MAX(i[k].shared_size, INT64_C(0)));
        }
    would_go(all ? "images that no container uses" : "images without a name", &g);
}

static struct err announce_networks(struct client *c, struct arena *a) {
    struct objs list = {0};
    struct going g = {0};
    TRY(cli_get_array(c, "/networks?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D",
                      &api_network_fields, a, &list));
    const struct api_network *n = list.items;
    for (size_t i = 0; i < list.n; i++)
        goes(&g, n[i].name, 0);
    would_go("networks that no container uses", &g);
    return OK;
}

/* Volumes without a name have one of 64 hex digits; only those go. */
static bool is_anonymous(const struct api_volume *v) {
    return strlen(v->name) == 64 && strspn(v->name, "0123456789abcdef") == 64;
}

/* What there is, before the question. */
static struct err announce(struct client *c, const struct prune_options *o, struct arena *a) {
    struct api_disk_usage d = {0};
    struct going g = {0};
    struct client_call call = {.method = "GET",
                               .target = "/system/df",
                               .out_fields = &api_disk_usage_fields,
                               .out = &d,
                               .arena = a};
    TRY(client_do(c, &call));
    const struct api_container_summary *k = d.containers.items;
    const struct api_volume *v = d.volumes.items;
    const struct api_build_cache *b = d.build_cache.items;
    printf("WARNING! This will remove:\n");
    for (size_t i = 0; i < d.containers.n; i++)
        if (strcmp(k[i].state, "running") != 0 && strcmp(k[i].state, "paused") != 0 &&
            strcmp(k[i].state, "restarting") != 0)
            goes(&g, k[i].names.n ? k[i].names.items[0] + 1 : k[i].id, k[i].size_rw);
    would_go("containers that do not run", &g);
    TRY(announce_networks(c, a));
    announce_images(&d, o->all);
    for (size_t i = 0; o->volumes && i < d.volumes.n; i++)
        if (v[i].usage && v[i].usage->ref_count == 0 && is_anonymous(&v[i]))
            goes(&g, arena_str(a, view_id(v[i].name, true).s), v[i].usage->size);
    if (o->volumes)
        would_go("volumes without a name that no container uses", &g);
    for (size_t i = 0; i < d.build_cache.n; i++)
        if (!b[i].in_use)
            goes(&g, arena_str(a, view_id(b[i].id, true).s), b[i].shared ? 0 : b[i].size);
    would_go("entries of the build cache", &g);
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
        TRY(volumes(c, o, a, sum));
    TRY(images(c, o, a, sum));
    for (size_t i = 0; i < o->filter.n; i++)
        if (!strncmp(o->filter.items[i], "label=", 6)) {
            /* Its entries have no labels, and engines of others prune all of them then. */
            list("", "build_cache", &(struct strs){0}, sum);
            return OK;
        }
    struct err e = cache(c, o, a, sum);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* an engine without a build cache */
        return OK;
    }
    return e;
}

static int system_run(struct invocation *in) {
    struct prune_options *o = in->options;
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    struct pruned sum = {.json = in->json ? &jo : NULL};
    o->system = true;
    if (in->json && (!o->force || o->dry_run))
        return !agreed(in, "") || cli_usage(in, "--json and --dry-run exclude each other");
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    if (in->json)
        jo_obj(&jo);
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
                                                .waits = true,
                                                .usage = "container prune [OPTIONS]",
                                                .summary = "Remove containers that do not run",
                                                OPTIONS_OF(plain_rows, struct prune_options),
                                                .json = true,
                                                .run = container_run};
const struct command command_image_prune = {.name = "image prune",
                                            .waits = true,
                                            .usage = "image prune [OPTIONS]",
                                            .summary = "Remove images that nobody uses",
                                            OPTIONS_OF(image_rows, struct prune_options),
                                            .json = true,
                                            .run = image_run};
const struct command command_network_prune = {.name = "network prune",
                                              .waits = true,
                                              .usage = "network prune [OPTIONS]",
                                              .summary = "Remove networks that nobody uses",
                                              OPTIONS_OF(plain_rows, struct prune_options),
                                              .json = true,
                                              .run = network_run};
const struct command command_volume_prune = {.name = "volume prune",
                                             .waits = true,
                                             .usage = "volume prune [OPTIONS]",
                                             .summary = "Remove volumes that nobody uses",
                                             OPTIONS_OF(volume_rows, struct prune_options),
                                             .json = true,
                                             .run = volume_run};
const struct command command_builder_prune = {.name = "builder prune",
                                              .waits = true,
                                              .usage = "builder prune [OPTIONS]",
                                              .summary = "Remove build cache",
                                              OPTIONS_OF(builder_rows, struct prune_options),
                                              .json = true,
                                              .run = builder_run};
const struct command command_system_prune = {
    .name = "system prune",
    .waits = true,
    .usage = "system prune [OPTIONS]",
    .summary = "Remove all that nobody uses",
    .examples = "corten system prune --dry-run\tsay what would go\n"
                "corten system prune -af --volumes\tas much as can go, without asking",
    OPTIONS_OF(system_rows, struct prune_options),
    .json = true,
    .run = system_run};
