/* build/cache_export.c - the steps of this build as an image. */
#include "archive/extract.h"
#include "base/file.h"
#include "base/map.h"
#include "build/auth.h"
#include "build/cache.h"
#include "build/lane.h"
#include "build/reference.h"
#include "build/tree_stream.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void cache_note(struct build *b, const char *key, const char *image) {
    struct cache_record r = {arena_strz(b->arena, key), arena_strz(b->arena, image)};
    if (b->lane && b->lane->records.n < CACHE_RECORDS_MAX)
        vec_push(&b->lane->records, r);
}

/* The diff ids of an image, lowest first. */
static struct err layers_of(struct build *b, const char *image, struct strs *ret) {
    struct build_base base = {0};
    struct oci_image_config c;
    TRY(daemon_base(b->client, image, b->arena, &base));
    TRY(oci_image_config_parse(base.config, b->arena, &c));
    *ret = c.rootfs.diff_ids;
    return OK;
}

/* Is it a stage of which the result's own layers come? */
static bool is_below_target(const struct build *b, const struct stage *s) {
    for (const struct stage *t = b->plan->target; t; t = t->parent)
        if (t == s)
            return true;
    return false;
}

struct collection {
    struct build *build;
    struct map numbers; /* diff id → number + 1 */
    size_t layers_n;    /* of them */
    const char *step;   /* with these layers; NULL: none yet */
    bool fixed;         /* inline: there are no others */
    struct map seen;    /* keys */
    struct buf label;
    unsigned steps, left_out;
};

static void collection_done(struct collection *k) {
    map_done(&k->numbers);
    map_done(&k->seen);
    buf_done(&k->label);
}

static void number_add(struct collection *k, const char *diff_id) {
    map_set(&k->numbers, str_of(diff_id), (void *)(uintptr_t)++k->layers_n);
}

/* The layers of `image` that the collection does not have yet go on top of it. */
static struct err stack_missing(struct collection *k, const char *image, const struct strs *ids) {
    struct build *b = k->build;
    struct cache_layers add = {0};
    for (size_t i = 0; i < ids->n; i++)
        if (!map_get(&k->numbers, str_of(ids->items[i])))
            add.numbers[add.n++] = (uint32_t)i;
    if (add.n == 0)
        return OK;
    char *step = NULL;
    TRY(daemon_stack(b->client, k->step ? k->step : "scratch", NULL, image, add.numbers, add.n,
                     b->arena, &step));
    k->step = step;
    for (size_t i = 0; i < add.n; i++)
        number_add(k, ids->items[add.numbers[i]]);
    return OK;
}

static bool fits(const struct collection *k, const struct strs *ids) {
    size_t missing = 0;
    for (size_t i = 0; i < ids->n; i++)
        missing += !map_get(&k->numbers, str_of(ids->items[i]));
    return missing == 0 || (!k->fixed && k->layers_n + missing <= CACHE_LAYERS_MAX);
}

static struct err collect_record(struct collection *k, const struct cache_record *r) {
    struct strs ids = {0};
    struct cache_layers layers = {0};
    if (map_set(&k->seen, str_of(r->key), (void *)r))
        return OK;
    struct err e = layers_of(k->build, r->image, &ids);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* cleaned up meanwhile */
        return OK;
    }
    TRY(e);
    if (ids.n == 0)
        return OK;
    if (!fits(k, &ids)) {
        k->left_out++;
        return OK;
    }
    TRY(stack_missing(k, r->image, &ids));
    for (size_t i = 0; i < ids.n; i++)
        layers.numbers[layers.n++] =
            (uint32_t)(uintptr_t)map_get(&k->numbers, str_of(ids.items[i])) - 1;
    buf_addf(&k->label, "%s%s:", k->steps++ ? " " : "", r->key);
    cache_layers_print(&layers, &k->label);
    return OK;
}

static struct err collect(struct collection *k, bool all_stages) {
    const struct lanes *lanes = k->build->all_lanes;
    for (size_t i = 0; i < lanes->n; i++) {
        const struct lane *l = &lanes->items[i];
        if (!l->stage || (!all_stages && !is_below_target(k->build, l->stage)))
            continue;
        for (size_t n = 0; n < l->records.n; n++)
            TRY(collect_record(k, &l->records.items[n]));
    }
    return OK;
}

struct err cache_inline(struct build *b) {
    OWN(collection_done) struct collection k = {.build = b, .fixed = true};
    struct state *s = &b->plan->target->state;
    struct strs ids = {0};
    bool wanted = b->request->inline_cache;
    const struct build_cache *to = b->job->cache_to.items;
    for (size_t i = 0; i < b->job->cache_to.n; i++)
        wanted |= strcmp(to[i].type, "inline") == 0;
    if (!wanted)
        return OK;
    if (b->request->squash)
        return err_new(ERR_UNSUPPORTED, "an image of one layer cannot have the build cache in it: "
                                        "squash or inline cache");
    TRY(layers_of(b, s->layers, &ids));
    for (size_t i = 0; i < ids.n; i++)
        number_add(&k, ids.items[i]);
    TRY(collect(&k, true));
    if (k.steps)
        strmap_set(&s->image.config.labels, b->arena, CACHE_STEPS_LABEL,
                   arena_str(b->arena, buf_str(&k.label)));
    return OK;
}

/* --- to where it is kept ------------------------------------------------------------------------
 */
static struct err cache_image(struct build *b, bool all_stages, char **ret_image) {
    OWN(collection_done) struct collection k = {.build = b};
    struct platform here = platform_here();
    struct oci_image_config c = {.os = arena_strz(b->arena, here.os),
                                 .architecture = arena_strz(b->arena, here.arch)};
    TRY(collect(&k, all_stages));
    *ret_image = NULL;
    if (k.left_out)
        TRY(report_text(b->report,
                        "[Warning] %u steps are not in the cache: it would have more than %u "
                        "layers\n",
                        k.left_out, CACHE_LAYERS_MAX));
    if (!k.step)
        return report_text(b->report, "no step to be kept in a cache\n");
    strmap_set(&c.config.labels, b->arena, CACHE_STEPS_LABEL,
               arena_str(b->arena, buf_str(&k.label)));
    TRY(daemon_image(b->client, k.step, NULL, false, &c, b->arena, ret_image));
    return report_text(b->report, "cache of %u steps: %s\n", k.steps, *ret_image);
}

/* What an earlier export has left there goes, when it is one. */
static struct err save_layout(struct build *b, const char *image, const char *dest) {
    CLEAN_FD int dir = -1;
    CLEAN_BUF struct buf t = {0};
    struct extracted done;
    TRY(dir_make(dest, 0755));
    TRY(dir_open(dest, &dir));
    if (faccessat(dir, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        TRY(dir_remove(dir, "blobs"));
    buf_adds(&t, "/images/get");
    client_query(&t, "names", image);
    struct client_call call = {.method = "GET", .target = buf_cstr(&t)};
    TRY(client_begin(b->client, &call));
    CLEAN_STREAM struct stream *in = tree_stream(b->client);
    return extract(in, dir, 0, &extract_default_limits, &done);
}

static struct err ignore_message(void *arg UNUSED, const struct api_message *m UNUSED) {
    return OK;
}

static struct err push(struct build *b, const char *repo, const char *tag) {
    CLEAN_BUF struct buf t = {0};
    char *auth;
    TRY(auth_for_image(b->job->registry_config, repo, b->arena, &auth));
    client_path(&t, "/images/", repo, "/push");
    client_query(&t, "tag", tag);
    struct client_call call = {
        .method = "POST",
        .target = buf_cstr(&t),
        .headers = arena_printf(b->arena, "X-Registry-Auth: %s\r\n", auth ? auth : "e30=")};
    TRY(client_begin(b->client, &call));
    return client_messages(b->client, ignore_message, NULL);
}

static struct err save_registry(struct build *b, const char *image, const char *ref) {
    struct loan loan;
    TRY(loan_take(b, ref, &loan));
    struct err e = client_image_tag(b->client, image, loan.repo, loan.tag);
    if (!err_failed(e))
        e = push(b, loan.repo, loan.tag);
    struct err back = loan_return(b, &loan);
    if (!err_failed(e))
        return back;
    err_ignore(back); /* the first counts */
    return e;
}

struct err cache_export(struct build *b) {
    const struct build_cache *to = b->job->cache_to.items;
    for (size_t i = 0; i < b->job->cache_to.n; i++) {
        char *image = NULL;
        if (strcmp(to[i].type, "inline") == 0)
            continue;
        TRY(cache_image(b, to[i].all_stages, &image));
        if (!image)
            continue;
        struct err e = strcmp(to[i].type, "local") == 0 ? save_layout(b, image, to[i].name)
                                                        : save_registry(b, image, to[i].name);
        struct err gone = image_forget(b, image);
        if (err_failed(e)) {
            err_ignore(gone); /* the first counts */
            return err_wrap(e, "cache to %s", to[i].name);
        }
        TRY(gone);
    }
    return OK;
}
