/* build/steps.c - COPY, ADD and WORKDIR. */
#include "base/path.h"
#include "build/ahead.h"
#include "build/explain.h"
#include "build/fetch.h"
#include "build/lane.h"
#include "build/named.h"
#include "build/trees.h"

/* Absolute; keeps what says that it is a directory. */
static const char *destination(struct state *s, const char *dest) {
    struct str d = str_of(dest);
    bool dir = d.len == 0 || str_ends(d, STR("/")) || str_eqz(d, ".") || str_eqz(d, "..") ||
               str_ends(d, STR("/.")) || str_ends(d, STR("/.."));
    const char *path = state_workdir(s, dest);
    return dir && path[1] ? arena_printf(s->arena, "%s/", path) : path;
}

/* The copy with everything expanded. */
struct step {
    struct build *build;
    struct stage *stage;
    const struct instr *instr;
    struct copy copy;
    char **sources;
    char **docs;
    char *dest_text;
    struct source_root *roots; /* of other stages' trees, one per source */
    struct ignore exclude;
    char *checksum;
};

static struct err expand_optional(struct state *s, const struct instr *in, const char *text,
                                  const char **ret) {
    char *x = NULL;
    if (text)
        TRY(state_expand(s, in, text, &x));
    *ret = x && *x ? x : NULL;
    return OK;
}

static struct err expand_all(struct step *t) {
    struct state *s = &t->stage->state;
    const struct copy_spec *spec = &t->instr->copy;
    t->sources = arena_array(s->arena, spec->sources_n + 1, sizeof(char *));
    t->docs = arena_array(s->arena, spec->docs_n + 1, sizeof(char *));
    for (size_t i = 0; i < spec->sources_n; i++)
        TRY(state_expand(s, t->instr, spec->sources[i], &t->sources[i]));
    for (size_t i = 0; i < spec->docs_n; i++) {
        t->docs[i] = spec->docs[i].content;
        if (spec->docs[i].expand)
            TRY(state_expand_doc(s, t->instr, spec->docs[i].content, &t->docs[i]));
    }
    for (size_t i = 0; i < spec->exclude.n; i++) {
        char *pattern;
        TRY(state_expand(s, t->instr, spec->exclude.items[i], &pattern));
        TRY(dockerfile_locate(s->file, t->instr->node,
                              err_wrap(ignore_add(&t->exclude, pattern), "--exclude")));
    }
    if (spec->checksum)
        TRY(state_expand(s, t->instr, spec->checksum, &t->checksum));
    TRY(state_expand(s, t->instr, spec->dest, &t->dest_text));
    TRY(expand_optional(s, t->instr, spec->chown, &t->copy.chown));
    TRY(expand_optional(s, t->instr, spec->chmod, &t->copy.chmod));
    t->copy.dest = destination(s, t->dest_text);
    return OK;
}

static char *created_by(const struct step *t) {
    CLEAN_BUF struct buf b = {0};
    const struct copy_spec *spec = &t->instr->copy;
    buf_adds(&b, instruction_name(t->instr->kind));
    if (spec->parents)
        buf_adds(&b, " --parents");
    if (t->copy.chown)
        buf_addf(&b, " --chown=%s", t->copy.chown);
    if (t->copy.chmod)
        buf_addf(&b, " --chmod=%s", t->copy.chmod);
    for (size_t i = 0; i < spec->sources_n; i++)
        buf_addf(&b, " %s", t->sources[i]);
    for (size_t i = 0; i < spec->docs_n; i++)
        buf_addf(&b, " <<%s", spec->docs[i].name);
    buf_addf(&b, " %s", t->dest_text);
    return arena_str(t->build->arena, buf_str(&b));
}

static void add_docs(struct step *t) {
    const struct copy_spec *spec = &t->instr->copy;
    for (size_t i = 0; i < spec->docs_n; i++)
        source_doc(spec->docs[i].name, str_of(t->docs[i]), t->build->arena, &t->copy.items);
}

static struct err not_found(struct err e, const char *path, const char *where) {
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return err_new(ERR_NOT_FOUND, "%s: %s", where, path);
}

/* Below this root: with or without the path's directories. */
static struct err find_below(struct step *t, const struct source_root *root, const char *path) {
    const bool parents = t->instr->copy.parents;
    struct source_items *items = &t->copy.items;
    size_t first = items->n;
    TRY(AWAIT(t->build,
              (parents ? source_find_parents : source_find)(root, path, t->build->arena, items)));
    source_exclude(items, first, &t->exclude);
    return OK;
}

/* ADD of a URL or a repository: brought here, then as local files. */
static struct err find_remote(struct step *t, const char *source) {
    struct build *b = t->build;
    const struct copy_spec *spec = &t->instr->copy;
    const char *path = "/", *commit;
    int fd;
    if (source_is_git(source)) {
        struct git_source git;
        TRY(git_source_parse(source, b->arena, &git));
        git.keep_git_dir |= spec->keep_git_dir;
        if (spec->checksum)
            git.checksum = t->checksum;
        TRY(AWAIT(b, fetch_git(b, &git, &fd, &commit)));
    } else {
        TRY(AWAIT(b, fetch_url(b, source, &fd, &path)));
        vec_push(&t->copy.opened, fd);
        if (spec->checksum)
            TRY(fetch_check(fd, path, t->checksum));
    }
    if (source_is_git(source))
        vec_push(&t->copy.opened, fd);
    struct source_root *root = arena_alloc(b->arena, sizeof(*root));
    *root = (struct source_root){.fd = fd};
    size_t first = t->copy.items.n;
    TRY(find_below(t, root, path));
    if (t->copy.items.n > first)
        t->copy.items.items[first].archive = spec->unpack;
    return OK;
}

static struct err find_in_context(struct step *t, const struct source_root *root) {
    const struct copy_spec *spec = &t->instr->copy;
    for (size_t i = 0; i < spec->sources_n; i++) {
        const char *source = t->sources[i];
        if (t->copy.add && (source_is_git(source) || source_is_url(source))) {
            TRY(find_remote(t, source));
            continue;
        }
        size_t first = t->copy.items.n;
        struct err e = find_below(t, root, source);
        TRY(not_found(e, source, "file not found in build context or excluded by .dockerignore"));
        for (size_t k = first; k < t->copy.items.n; k++)
            t->copy.items.items[k].archive = t->copy.add && (!spec->unpack_given || spec->unpack);
    }
    return OK;
}

/* Brings what one source names in another stage's image here: the directory in front of a pattern,
 * a directory, or a file. *ret_path is the source's path in the new root. */
static struct err fetch(struct step *t, const char *image, const char *source,
                        struct source_root *root, const char **ret_path) {
    struct build *b = t->build;
    CLEAN_FREE
    char *abs = path_join("/", source);
    CLEAN_FREE
    char *clean = path_clean(str_of(abs));
    struct str path = str_of(clean), rest = STR("");
    const char *place;
    while (glob_is_pattern(path)) {
        path = path_dir(path);
        rest = str_from(str_of(clean), path.len);
    }
    struct packed *tree = NULL;
    TRY(image_packed(b, image, arena_str(b->arena, path), &tree, &place));
    vec_push(&t->copy.packed, tree);
    root->packed = tree;
    *ret_path = rest.len ? arena_printf(b->arena, "%s/%.*s", place, STR_ARG(rest)) : place;
    return OK;
}

static struct err find_in_image(struct step *t, const char *image) {
    struct arena *a = t->build->arena;
    size_t n = t->instr->copy.sources_n;
    t->roots = arena_array(a, n + 1, sizeof(struct source_root));
    for (size_t i = 0; i < n; i++) {
        const char *path = NULL;
        t->roots[i] = (struct source_root){.fd = -1, .owners = true};
        struct err e = fetch(t, image, t->sources[i], &t->roots[i], &path);
        if (!err_failed(e))
            e = find_below(t, &t->roots[i], path);
        TRY(not_found(e, t->sources[i], "file not found in the source of --from"));
    }
    return OK;
}

/* A key without the files: the same paths of the same image. It saves fetching them. */
static void short_key(const struct step *t, const char *image, struct key *k) {
    char text[KEY_TEXT];
    key_begin(k, "copy-from", t->copy.parent);
    key_part(k, "the image or stage that it copies from");
    key_addz(k, image);
    key_part(k, "the destination");
    key_addz(k, t->copy.dest);
    key_part(k, "--chown");
    key_addz(k, t->copy.chown);
    key_part(k, "--chmod");
    key_addz(k, t->copy.chmod);
    key_part(k, "--link");
    key_addz(k, t->copy.link ? "link" : NULL);
    key_part(k, "SOURCE_DATE_EPOCH");
    key_add(k, str_n(&t->copy.latest, sizeof(t->copy.latest)));
    key_part(k, "--parents");
    key_addz(k, t->instr->copy.parents ? "parents" : NULL);
    key_part(k, "--exclude");
    key_add_list(k, &t->instr->copy.exclude);
    key_part(k, "the list of sources");
    for (size_t i = 0; i < t->instr->copy.sources_n; i++)
        key_addz(k, t->sources[i]);
    key_part(k, "a here-document");
    for (size_t i = 0; i < t->instr->copy.docs_n; i++) {
        key_addz(k, t->instr->copy.docs[i].name);
        key_addz(k, t->docs[i]);
    }
    key_end(k, text);
}

/* Which copy of the Dockerfile it is, from one build to the next. */
static void copy_name(const struct step *t, char name[KEY_TEXT]) {
    CLEAN_KEY struct key k = {0};
    key_begin(&k, "stack", NULL);
    key_addz(&k, t->stage->name ? t->stage->name : "");
    key_add(&k, str_n(&t->stage->index, sizeof(t->stage->index)));
    key_addz(&k, created_by(t));
    key_end(&k, name);
}

static struct err run_copy(struct step *t, const char *key, char **ret_image) {
    struct stacks *stacks = t->build->context->stacks;
    struct copy *c = &t->copy;
    char name[KEY_TEXT];
    if (stacks) {
        copy_name(t, name);
        c->stack = true;
        c->known = stacks_find(stacks, name);
    }
    TRY(AWAIT(t->build, copy_run(c, key, ret_image)));
    if (stacks && c->whole)
        stacks_put(stacks, name, c->whole, &c->marks);
    return OK;
}

/* Items are there: by the content's key, or by doing it. *ret_hit: the cache had it. */
static struct err copy_items(struct step *t, bool explained, char **ret_image, bool *ret_hit) {
    CLEAN_KEY struct key k = {0};
    TRY(AWAIT(t->build, copy_key(&t->copy, &k)));
    TRY(step_cached(t->build, k.text, ret_image));
    *ret_hit = *ret_image;
    if (!explained)
        TRY(explain_step(t->build, t->stage, t->instr, &k, &t->copy.items, *ret_hit));
    if (*ret_image)
        return OK;
    ahead_begin(t->build, t->stage, t->instr);
    TRY(run_copy(t, k.text, ret_image));
    cache_note(t->build, k.text, *ret_image);
    return OK;
}

static struct err copy_from_image(struct step *t, char **ret_image) {
    CLEAN_KEY struct key k = {0};
    const char *image;
    bool hit;
    TRY(stage_or_image(t->build, t->stage, t->instr, t->instr->copy.from, &image));
    short_key(t, image, &k);
    TRY(step_cached(t->build, k.text, ret_image));
    if (*ret_image)
        return explain_step(t->build, t->stage, t->instr, &k, NULL, true);
    TRY(find_in_image(t, image));
    add_docs(t);
    TRY(copy_items(t, true, ret_image, &hit));
    TRY(explain_step(t->build, t->stage, t->instr, &k, NULL, hit));
    cache_note(t->build, k.text, *ret_image);
    return AWAIT(t->build, daemon_cache_put(t->build->client, k.text, *ret_image));
}

static struct err perform(struct step *t, char **ret_image) {
    const char *named = t->instr->copy.from ? plan_context(t->build->plan, t->instr->copy.from)
                                            : NULL;
    bool dir = named && context_is_dir(named);
    const struct source_root *root = &t->build->context->root;
    bool hit;
    if (t->instr->copy.from && !dir)
        return copy_from_image(t, ret_image);
    if (dir)
        TRY(named_root(t->build, named, &root));
    TRY(find_in_context(t, root));
    add_docs(t);
    return copy_items(t, false, ret_image, &hit);
}

static void step_free(struct step *t) {
    copy_done(&t->copy);
    ignore_done(&t->exclude);
}

static struct step step_begin(struct build *b, struct stage *stage, const struct instr *in) {
    struct step t = {.build = b, .stage = stage, .instr = in};
    t.copy = (struct copy){.client = b->client,
                           .arena = b->arena,
                           .parent = stage->state.layers,
                           .add = in->kind == I_ADD,
                           .latest = b->request->latest,
                           /* As the peer: a mode makes an ordinary copy of it. */
                           .link = in->copy.link && !in->copy.chmod,
                           .fresh = step_fresh(b),
                           .temp_fd = b->context->temp_fd,
                           .temp_serial = &b->context->serial};
    return t;
}

const char *step_copy_dest(struct build *b, struct stage *stage, const struct instr *in) {
    const struct copy_spec *spec = &in->copy;
    OWN(step_free) struct step t = step_begin(b, stage, in);
    if (spec->from || spec->docs_n)
        return NULL;
    struct err e = expand_all(&t);
    bool good = !err_failed(e);
    err_ignore(e); /* the step itself says it */
    for (size_t i = 0; good && i < spec->sources_n; i++)
        good = !source_is_git(t.sources[i]) && !source_is_url(t.sources[i]);
    CLEAN_FREE char *clean = good ? path_clean(str_of(t.copy.dest)) : NULL;
    return arena_strz(b->arena, clean);
}

struct err step_copy_ahead(struct build *b, struct stage *stage, const struct instr *in,
                           const char *parent, const struct strs *others, struct made *ret) {
    OWN(step_free) struct step t = step_begin(b, stage, in);
    CLEAN_KEY struct key k = {0};
    char *image = NULL;
    t.copy.parent = parent;
    t.copy.others = others;
    TRY(expand_all(&t));
    TRY(find_in_context(&t, &b->context->root));
    TRY(AWAIT(b, copy_key(&t.copy, &k)));
    TRY(run_copy(&t, k.text, &image));
    memcpy(ret->same, t.copy.same, KEY_TEXT);
    ret->image = image;
    return OK;
}

struct err step_copy(struct build *b, struct stage *stage, const struct instr *in) {
    struct state *s = &stage->state;
    const struct made *made = ahead_wait(b, in);
    OWN(step_free) struct step t = step_begin(b, stage, in);
    char *image = NULL;
    t.copy.made = made;
    TRY(expand_all(&t));
    struct err e = perform(&t, &image);
    TRY(dockerfile_locate(s->file, in->node, err_wrap(e, "%s failed", instruction_name(in->kind))));
    return step_done(b, s, image, created_by(&t), true);
}

struct err stage_directory(struct build *b, struct stage *stage) {
    struct state *s = &stage->state;
    const struct source_root *root;
    CLEAN_KEY struct key k = {0};
    CLEAN_COPY struct copy c = {.client = b->client,
                                .arena = b->arena,
                                .dest = "/",
                                .latest = b->request->latest,
                                .fresh = step_fresh(b)};
    char *image = NULL;
    state_scratch(s, stage->platform.os, stage->platform.arch);
    TRY(base_layers(b, "scratch", &s->layers));
    s->base_layers = s->layers;
    c.parent = s->layers;
    TRY(named_root(b, stage->context, &root));
    TRY(AWAIT(b, source_find(root, "/", b->arena, &c.items)));
    TRY(AWAIT(b, copy_key(&c, &k)));
    TRY(step_cached(b, k.text, &image));
    if (!image)
        TRY(AWAIT(b, copy_run(&c, k.text, &image)));
    cache_note(b, k.text, image);
    return step_done(b, s, image, arena_printf(b->arena, "FROM context %s", stage->base), true);
}

struct err step_workdir(struct build *b, struct stage *stage, const struct instr *in) {
    struct state *s = &stage->state;
    char *given, *image = NULL;
    TRY(state_expand(s, in, in->list.items[0], &given));
    char *path = state_workdir(s, given);
    const char *user = s->image.config.user;
    char key[KEY_TEXT];
    CLEAN_KEY struct key k = {0};
    s->image.config.working_dir = path;
    char *text = arena_printf(s->arena, "WORKDIR %s", path);
    if (strcmp(path, "/") == 0)
        return step_done(b, s, s->layers, text, false);
    key_begin(&k, "workdir", s->layers);
    key_part(&k, "the path");
    key_addz(&k, path);
    key_part(&k, "the user");
    key_addz(&k, user);
    key_part(&k, "SOURCE_DATE_EPOCH");
    key_add(&k, str_n(&b->request->latest, sizeof(b->request->latest)));
    key_end(&k, key);
    TRY(step_cached(b, key, &image));
    TRY(explain_step(b, stage, in, &k, NULL, image));
    if (!image)
        TRY(dockerfile_locate(s->file, in->node,
                              AWAIT(b, copy_make_dir(b->client, s->arena, s->layers, path, user,
                                                     b->request->latest, key, &image))));
    cache_note(b, key, image);
    return step_done(b, s, image, text, false);
}
