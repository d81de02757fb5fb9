/* build/execute.c - stages in the order in which they are needed, and the final image. */
#include "build/execute.h"
#include "base/time.h"
#include "build/lane.h"
#include "build/named.h"
#include "build/provenance.h"
#include "build/reference.h"

static struct err lookup(struct build *b, const char *key, char **ret_image) {
    return AWAIT(b, daemon_cache_get(b->client, key, b->arena, ret_image));
}

/* Is the stage of this lane one that shall not use the cache? */
bool step_fresh(const struct build *b) {
    return b->request->no_cache || (b->lane && b->lane->stage->fresh);
}

struct err step_cached(struct build *b, const char *key, char **ret_image) {
    *ret_image = NULL;
    if (step_fresh(b))
        return OK;
    TRY(lookup(b, key, ret_image));
    if (!*ret_image)
        return OK;
    cache_note(b, key, *ret_image);
    return report_cached(b->report);
}

struct err step_done(struct build *b, struct state *s, const char *image, const char *created_by,
                     bool ran) {
    bool layer = strcmp(image, s->layers) != 0;
    state_history(s, created_by, ran, layer);
    s->layers = arena_strz(b->arena, image);
    return report_layer(b->report, image);
}

static struct err announce(struct build *b, const struct stage *st, const struct instr *in) {
    if (report_gone(b->report))
        return err_new(ERR_CANCELLED, "the client is gone");
    const char *stage = !st        ? ""
                        : st->name ? st->name
                                   : arena_printf(b->arena, "stage-%u", st->index);
    return report_step(b->report, in->number, (unsigned)b->plan->steps_n, stage,
                       str_trim(in->node->text));
}

static struct err step(struct build *b, struct stage *stage, const struct instr *in) {
    struct state *s = &stage->state;
    switch (in->kind) {
    case I_RUN:
        return step_run(b, stage, in);
    case I_COPY:
    case I_ADD:
        return step_copy(b, stage, in);
    case I_WORKDIR:
        return step_workdir(b, stage, in);
    default:
        TRY(state_apply(s, in));
        return report_layer(b->report, s->layers);
    }
}

/* The base image's ONBUILD instructions run first. They are a Dockerfile of their own: errors point
 * into their text. */
static struct err triggers(struct build *b, struct stage *stage) {
    struct state *s = &stage->state;
    if (s->onbuild_n)
        TRY(report_text(b->report, "# Executing %zu build trigger%s\n", s->onbuild_n,
                        s->onbuild_n == 1 ? "" : "s"));
    for (size_t i = 0; i < s->onbuild_n; i++) {
        struct dockerfile *f;
        struct instr in;
        TRY(dockerfile_parse(str_of(s->onbuild[i]), "ONBUILD", b->arena, &f));
        TRY(instruction_parse(f, f->nodes[0], b->arena, &in));
        if (f->n != 1 || in.kind == I_FROM || in.kind == I_ONBUILD)
            return err_new(ERR_INVALID, "ONBUILD trigger '%s' is not a single instruction",
                           s->onbuild[i]);
        in.on_build = true;
        s->file = f;
        struct err e = step(b, stage, &in);
        s->file = b->file;
        TRY(e);
    }
    return OK;
}

/* An image of the daemon may be of another platform: pulled so, or made elsewhere. */
static struct err platform_check(struct build *b, const struct stage *st) {
    const struct platform here = st->platform;
    const struct oci_image_config *c = &st->state.image;
    if (!c->os || !*c->os || !c->architecture || !*c->architecture ||
        (strcmp(c->os, here.os) == 0 && strcmp(c->architecture, here.arch) == 0) ||
        check_skips(&b->checks, "InvalidBaseImagePlatform"))
        return OK;
    char *words = arena_printf(b->arena,
                               "InvalidBaseImagePlatform: Base image %s was pulled with platform "
                               "\"%s/%s\", expected \"%s/%s\" for current build",
                               st->base, c->os, c->architecture, here.os, here.arch);
    return b->checks.error ? err_new(ERR_INVALID, "%s", words)
                           : report_text(b->report, "[Warning] %s\n", words);
}

/* The image; brought anew where the one that is here is for another machine than the stage. */
static struct err base_of(struct build *b, const struct stage *st, const char *name,
                          struct build_base *ret) {
    struct oci_image_config c = {0};
    b->platform = &st->platform;
    TRY(base_find(b, name, ret));
    TRYF(oci_image_config_parse(ret->config, b->arena, &c), "%s", name);
    if (platform_is_here(&st->platform) || !c.architecture ||
        strcmp(c.architecture, st->platform.arch) == 0)
        return OK;
    TRY(base_pull(b, name));
    return AWAIT(b, daemon_base(b->client, name, b->arena, ret));
}

static struct err stage_begin(struct build *b, struct stage *st) {
    struct state *s = &st->state;
    *s = (struct state){.arena = b->arena,
                        .file = b->file,
                        .request = b->request,
                        .globals = &b->plan->global_args};
    if (st->parent) {
        TRY(execute_stage(b, st->parent));
        state_stage(s, &st->parent->state);
        return OK;
    }
    if (strcmp(st->base, "scratch") == 0) {
        state_scratch(s, st->platform.os, st->platform.arch);
        if (*st->platform.variant)
            s->image.variant = arena_strz(b->arena, st->platform.variant);
        TRY(base_layers(b, "scratch", &s->layers));
        s->base_layers = s->layers;
        return OK;
    }
    if (st->context && context_is_dir(st->context))
        return stage_directory(b, st);
    struct build_base base = {0};
    const char *name = st->base;
    if (st->context)
        TRY(named_image(b, st->context, &name));
    TRY(base_of(b, st, name, &base));
    TRYF(state_base(s, base.config), "%s", name);
    s->base_name = st->context && str_starts(str_of(st->context), STR(CONTEXT_LAYOUT)) ? st->base
                                                                                       : name;
    s->base_id = base.image;
    TRY(platform_check(b, st));
    TRY(base_layers(b, base.image, &s->layers));
    s->base_layers = s->layers;
    return OK;
}

/* Stages that this step needs are announced before it. */
static struct err sources_first(struct build *b, struct stage *st, const struct instr *in) {
    char *const *names;
    size_t n = instr_sources(in, &names);
    for (size_t i = 0; i < n; i++) {
        struct stage *other = NULL;
        TRY(plan_stage(b->plan, st, in, names[i], b->file, &other));
        if (other)
            TRY(execute_stage(b, other));
    }
    return OK;
}

struct err stage_run(struct build *b, struct stage *st) {
    if (st->parent)
        TRY(execute_stage(b, st->parent));
    TRY(announce(b, st, &st->from));
    TRY(dockerfile_locate(b->file, st->from.node, stage_begin(b, st)));
    TRY(report_layer(b->report, st->state.layers));
    TRY(triggers(b, st));
    for (size_t i = 0; i < st->steps_n; i++) {
        TRY(sources_first(b, st, &st->steps[i]));
        TRY(announce(b, st, &st->steps[i]));
        TRY(step(b, st, &st->steps[i]));
    }
    st->done = true;
    return OK;
}

static struct err image_make(struct build *b, struct state *s, const char *key, char **ret_image) {
    int64_t now = b->request->latest != INT64_MAX ? b->request->latest : time_now();
    char *layers = s->layers;
    if (b->request->squash)
        TRY(squash(b, s, &layers));
    state_times(s, now);
    provenance_time(b, now);
    TRY(daemon_result(b->client, layers, key, &b->job->annotations, &s->image, b->arena,
                      ret_image));
    return layers != s->layers ? image_forget(b, layers) : OK;
}

/* The image's config on the layers. The key leaves the times out: the same build gives the same
 * image again. */
static struct err finish(struct build *b, char **ret_image) {
    struct state *s = &b->plan->target->state;
    CLEAN_BUF struct buf document = {0};
    CLEAN_KEY struct key k = {0};
    char key[KEY_TEXT];
    state_labels(s);
    TRY(provenance_labels(b));
    TRY(cache_inline(b));
    fields_print(&oci_image_config_fields, &s->image, &document);
    key_begin(&k, "image", s->layers);
    key_add(&k, buf_str(&document));
    key_add(&k, str_n(&b->request->latest, sizeof(b->request->latest)));
    if (b->request->squash)
        key_addz(&k, "squash");
    const struct strmap *annotations = &b->job->annotations;
    for (size_t i = 0; i < annotations->n; i++) {
        key_addz(&k, annotations->items[i].key);
        key_addz(&k, annotations->items[i].value);
    }
    key_end(&k, key);
    if (!b->request->no_cache) {
        TRY(daemon_cache_get(b->client, key, b->arena, ret_image));
        if (*ret_image)
            return OK;
    }
    b->made = true;
    return image_make(b, s, key, ret_image);
}

static struct err tag_all(struct build *b, const char *image) {
    for (size_t i = 0; i < b->request->tags.n; i++) {
        struct str repo, tag;
        split_tag(b->request->tags.items[i], &repo, &tag);
        TRY(client_image_tag(b->client, image, arena_str(b->arena, repo),
                             arena_str(b->arena, tag)));
        b->request->tags.items[i] = arena_printf(b->arena, "%.*s:%.*s", STR_ARG(repo),
                                                 STR_ARG(tag));
    }
    return OK;
}

/* A name that is no reference fails before the work, not after it. */
static struct err check_tags(struct build *b) {
    for (size_t i = 0; i < b->request->tags.n; i++) {
        struct build_base base;
        struct err e = daemon_base(b->client, b->request->tags.items[i], b->arena, &base);
        if (err_kind(e) == ERR_NOT_FOUND) {
            err_free(e); /* free to be made */
            continue;
        }
        TRY(e);
    }
    return OK;
}

static struct err warn_unused(struct build *b) {
    static const char *const always[] = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
                                         "all_proxy"};
    CLEAN_BUF struct buf names = {0};
    for (size_t i = 0; i < b->request->args_n; i++) {
        const struct build_arg *arg = &b->request->args[i];
        bool known = arg->used;
        for (size_t j = 0; j < ARRAY_LEN(always); j++)
            known |= str_eq_nocase(str_of(arg->key), str_of(always[j]));
        if (!known)
            buf_addf(&names, "%s%s", names.len ? " " : "", arg->key);
    }
    if (names.len == 0)
        return OK;
    return report_text(b->report, "[Warning] One or more build-args [%s] were not consumed\n",
                       buf_cstr(&names));
}

struct err execute(struct build *b, char **ret_image) {
    TRY(check_tags(b));
    for (size_t i = 0; i < b->plan->globals_n; i++)
        TRY(announce(b, NULL, &b->plan->globals[i]));
    TRY(cache_import(b));
    TRY(lanes_run(b));
    TRY(warn_unused(b));
    TRY(finish(b, ret_image));
    TRY(tag_all(b, *ret_image));
    TRY(output_all(b, *ret_image));
    TRY(cache_export(b));
    TRY(advise(b, *ret_image));
    return report_image(b->report, *ret_image, (const char *const *)b->request->tags.items,
                        b->request->tags.n);
}
