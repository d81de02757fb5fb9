/* build/state.c - a stage's variables, history and beginnings. */
#include "build/state.h"
#include "base/path.h"
#include "base/time.h"
#include "build/expand.h"

/* Vars that hold no value of their own yet. */
static const char *lookup(void *arg, struct str name) {
    const struct state *s = arg;
    for (size_t i = 0; i < s->vars.n; i++)
        if (str_eqz(name, s->vars.items[i].key))
            return s->vars.items[i].value;
    return NULL;
}

static struct err expand(struct state *s, const struct instr *in, struct expand *x,
                         const char *text, char **ret) {
    CLEAN_BUF struct buf b = {.max = EXPAND_RESULT_MAX};
    x->get = lookup;
    x->arg = s;
    TRY(dockerfile_locate(s->file, in->node, expand_word(x, str_of(text), &b)));
    *ret = arena_str(s->arena, buf_str(&b));
    return OK;
}

struct err state_expand(struct state *s, const struct instr *in, const char *text, char **ret) {
    struct expand x = {.escape = s->file->escape};
    return expand(s, in, &x, text, ret);
}

struct err state_expand_doc(struct state *s, const struct instr *in, const char *text, char **ret) {
    struct expand x = {.escape = '\\', .ignore_quotes = true};
    return expand(s, in, &x, text, ret);
}

void state_history(struct state *s, const char *created_by, bool ran, bool layer) {
    struct oci_history *h = objs_add(&s->image.history, s->arena, sizeof(*h));
    h->created_by = arena_printf(s->arena, "%s%s", created_by, ran ? " # buildkit" : "");
    h->comment = arena_strz(s->arena, "buildkit.dockerfile.v0");
    h->empty_layer = !layer;
}

/* The image's env are the first variables. */
static void vars_from_env(struct state *s) {
    const struct strs *env = &s->image.config.env;
    for (size_t i = 0; i < env->n; i++) {
        struct str k, v;
        str_cut(str_of(env->items[i]), '=', &k, &v);
        strmap_set(&s->vars, s->arena, arena_str(s->arena, k), arena_str(s->arena, v));
    }
}

void state_scratch(struct state *s, const char *os, const char *architecture) {
    struct oci_image_config *i = &s->image;
    i->os = arena_strz(s->arena, os);
    i->architecture = arena_strz(s->arena, architecture);
    i->config.working_dir = arena_strz(s->arena, "/");
    strs_add(&i->config.env, s->arena, "PATH=" BUILD_PATH);
    vars_from_env(s);
}

static bool has_path(const struct strs *env) {
    for (size_t i = 0; i < env->n; i++)
        if (str_starts(str_of(env->items[i]), STR("PATH=")))
            return true;
    return false;
}

/* What the base image says about its own build is not about this one. */
static void inherit_labels(const struct strmap *from, struct arena *a, struct strmap *ret) {
    *ret = (struct strmap){.present = from->present};
    for (size_t i = 0; i < from->n; i++)
        if (!str_starts(str_of(from->items[i].key), STR("corten.build.")))
            strmap_set(ret, a, from->items[i].key, from->items[i].value);
}

struct err state_base(struct state *s, struct str config) {
    TRYF(oci_image_config_parse(config, s->arena, &s->image), "the base image's config");
    struct oci_image_config *i = &s->image;
    s->base_created = i->created;
    s->base_labels = i->config.labels;
    inherit_labels(&s->base_labels, s->arena, &i->config.labels);
    i->created = i->parent = i->container = i->comment = i->docker_version = NULL;
    i->container_config = NULL;
    i->rootfs = (struct oci_rootfs){0};
    s->history_from = i->history.n;
    s->onbuild = i->config.on_build.items;
    s->onbuild_n = i->config.on_build.n;
    if (!has_path(&i->config.env)) /* as the peer */
        strs_add(&i->config.env, s->arena, "PATH=" BUILD_PATH);
    i->config.on_build = (struct strs){0};
    i->config.image = NULL;
    i->config.hostname = NULL;
    i->config.domainname = NULL;
    vars_from_env(s);
    return OK;
}

void state_stage(struct state *s, const struct state *from) {
    CLEAN_BUF struct buf b = {0};
    /* A copy through the document: the stages must not share arrays that grow. */
    fields_print(&oci_image_config_fields, &from->image, &b);
    struct err e = fields_decode(&oci_image_config_fields, buf_str(&b), s->arena, &s->image);
    if (err_failed(e))
        err_free(e); /* our own text is well-formed: not reached */
    s->layers = from->layers;
    s->history_from = from->history_from;
    s->base_name = from->base_name;
    s->base_id = from->base_id;
    s->base_created = from->base_created;
    s->base_layers = from->base_layers;
    s->base_labels = from->base_labels;
    for (size_t i = 0; i < from->labelled.n; i++)
        strmap_set(&s->labelled, s->arena, from->labelled.items[i].key, "");
    s->onbuild = s->image.config.on_build.items;
    s->onbuild_n = s->image.config.on_build.n;
    s->image.config.on_build = (struct strs){0};
    for (size_t i = 0; i < from->vars.n; i++)
        strmap_set(&s->vars, s->arena, from->vars.items[i].key, from->vars.items[i].value);
    for (size_t i = 0; i < from->args.n; i++)
        strmap_set(&s->args, s->arena, from->args.items[i].key, from->args.items[i].value);
}

struct strs state_command(struct state *s, const struct command *c) {
    struct strs out = {.present = true};
    if (!c->shell) {
        for (size_t i = 0; i < c->n; i++)
            strs_add(&out, s->arena, c->words[i]);
        return out;
    }
    const struct strs *shell = &s->image.config.shell;
    for (size_t i = 0; i < shell->n; i++)
        strs_add(&out, s->arena, shell->items[i]);
    if (shell->n == 0) {
        strs_add(&out, s->arena, "/bin/sh");
        strs_add(&out, s->arena, "-c");
    }
    CLEAN_BUF struct buf line = {0};
    for (size_t i = 0; i < c->n; i++) {
        buf_adds(&line, i ? " " : "");
        buf_adds(&line, c->words[i]);
    }
    strs_add(&out, s->arena, buf_cstr(&line));
    return out;
}

char *state_workdir(struct state *s, const char *path) {
    const char *old = s->image.config.working_dir;
    const char *base = *path == '/' || !old || !*old ? "/" : old;
    CLEAN_FREE
    char *joined = path_join(base, path);
    CLEAN_FREE
    char *clean = path_clean(str_of(joined));
    return arena_strz(s->arena, clean);
}

void state_times(struct state *s, int64_t now) {
    char text[TIME_TEXT_MAX];
    char *created = arena_strz(s->arena, time_format(now, text));
    struct oci_history *h = s->image.history.items;
    for (size_t i = s->history_from; i < s->image.history.n; i++)
        h[i].created = created;
    s->image.created = created;
}

void state_labels(struct state *s) {
    const struct strmap *l = &s->request->labels;
    for (size_t i = 0; i < l->n; i++)
        state_label(s, l->items[i].key, l->items[i].value);
}

void state_label(struct state *s, const char *key, const char *value) {
    strmap_set(&s->image.config.labels, s->arena, key, value);
    strmap_set(&s->labelled, s->arena, key, "");
}
