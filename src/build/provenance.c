/* build/provenance.c - labels of the result. */
#include "build/provenance.h"
#include "base/time.h"
#include "build/lane.h"
#include "spec/lifecycle.h"

#define ANCESTORS "corten.build.ancestors"

/* --- the array ----------------------------------------------------------------------------------
 */
static bool travels(struct str label) {
    static const char *const prefixes[] = {LIFECYCLE_BUILD, LIFECYCLE_METHOD, LIFECYCLE_OCI};
    if (str_eqz(label, LIFECYCLE_ANCESTRY) || str_eqz(label, ANCESTORS))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(label, str_of(prefixes[i])))
            return true;
    return str_eqz(label, LIFECYCLE_METADATA);
}

static char *text_of(const char *z, struct arena *a) {
    return arena_strz(a, z ? z : "");
}

static struct lifecycle_ancestor entry(const struct ancestor *x, struct arena *a) {
    struct lifecycle_ancestor e = {.name = text_of(x->name, a),
                                   .id = text_of(x->id, a),
                                   .digest = text_of(x->digest, a),
                                   .created = text_of(x->created, a),
                                   .by = text_of(x->copied ? "copy" : "from", a)};
    for (size_t i = 0; x->labels && i < x->labels->n; i++) {
        const struct strpair *l = &x->labels->items[i];
        if (travels(str_of(l->key)) && strlen(l->value) <= LIFECYCLE_VALUE_MAX)
            strmap_set(&e.labels, a, l->key, l->value);
    }
    for (size_t i = 0; x->annotations && i < x->annotations->n; i++) {
        const struct strpair *l = &x->annotations->items[i];
        if (str_starts(str_of(l->key), STR(LIFECYCLE_OCI)) && !strmap_get(&e.labels, l->key))
            strmap_set(&e.labels, a, l->key, l->value);
    }
    return e;
}

static bool has_id(const struct objs *list, const char *id) {
    const struct lifecycle_ancestor *items = list->items;
    for (size_t i = 0; i < list->n; i++)
        if (items[i].id && *items[i].id && !strcmp(items[i].id, id))
            return true;
    return false;
}

/* What another stage's image is built on was taken over with its files. */
static void add_copied(const struct ancestor *x, struct arena *a, struct objs *list) {
    struct objs above = {0};
    struct strs problems = {0};
    if (x->labels)
        lifecycle_ancestors(x->labels, a, &above, &problems);
    const struct lifecycle_ancestor *items = above.items;
    for (size_t i = 0; i < above.n; i++) {
        if (items[i].id && has_id(list, items[i].id))
            continue;
        struct lifecycle_ancestor one = items[i];
        one.by = arena_strz(a, "copy");
        *(struct lifecycle_ancestor *)objs_add(list, a, sizeof one) = one;
    }
}

char *ancestry_text(const struct ancestor *all, size_t n, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    struct objs list = {0};
    struct strs problems = {0}; /* strangers' words: what is wrong with them is left out */
    if (n && all[n - 1].labels)
        lifecycle_ancestors(all[n - 1].labels, a, &list, &problems);
    for (size_t i = 0; i + 1 < n; i++)
        add_copied(&all[i], a, &list);
    for (size_t i = 0; i < n; i++)
        *(struct lifecycle_ancestor *)objs_add(&list, a, sizeof(struct lifecycle_ancestor)) =
            entry(&all[i], a);
    const struct lifecycle_ancestor *items = list.items;
    char **texts = arena_array(a, list.n + 1, sizeof(char *));
    size_t first = list.n, size = 2;
    while (first > 0 && list.n - first < LIFECYCLE_ANCESTORS_MAX) {
        CLEAN_BUF struct buf one = {0};
        fields_print(&lifecycle_ancestor_fields, &items[first - 1], &one);
        if (size + one.len + 1 > LIFECYCLE_ANCESTRY_MAX)
            break;
        size += one.len + 1;
        texts[--first] = arena_str(a, buf_str(&one));
    }
    buf_addc(&text, '[');
    for (size_t i = first; i < list.n; i++)
        buf_addf(&text, "%s%s", i > first ? "," : "", texts[i]);
    buf_addc(&text, ']');
    return arena_str(a, buf_str(&text));
}

char *ancestors_text(const struct ancestor *base, struct arena *a) {
    const char *above = strmap_get(base->labels, ANCESTORS);
    if (!base->name)
        return NULL;
    return above ? arena_printf(a, "%s %s@%s", above, base->name, base->id)
                 : arena_printf(a, "%s@%s", base->name, base->id);
}

/* --- the target ---------------------------------------------------------------------------------
 */
/* The digest by which a registry knows the image, and what its manifest said. NULL: none. */
static struct err registry_says(struct build *b, const char *id, struct ancestor *ret) {
    struct api_image i = {0};
    struct err e = client_image_inspect(b->client, id, b->arena, &i);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* removed meanwhile */
        return OK;
    }
    TRY(e);
    if (i.repo_digests.n) {
        const char *at = strchr(i.repo_digests.items[0], '@');
        ret->digest = at ? at + 1 : NULL;
    }
    struct strmap *said = arena_alloc(b->arena, sizeof *said);
    *said = i.annotations;
    ret->annotations = said;
    return OK;
}

static struct err describe(struct build *b, const struct state *s, bool copied,
                           struct ancestor *ret) {
    *ret = (struct ancestor){.name = s->base_name,
                             .id = s->base_id,
                             .created = s->base_created,
                             .labels = &s->base_labels,
                             .copied = copied};
    return registry_says(b, s->base_id, ret);
}

static bool is_listed(const struct ancestor *all, size_t n, const char *id) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].id, id) == 0)
            return true;
    return false;
}

/* Images of the other stages that were needed, then the base of the target. */
static struct err find_ancestors(struct build *b, struct ancestor **ret, size_t *ret_n) {
    const struct state *target = &b->plan->target->state;
    struct ancestor *all = arena_array(b->arena, b->plan->stages_n + 1, sizeof(*all));
    size_t n = 0;
    for (size_t i = 0; i < b->plan->stages_n; i++) {
        const struct stage *st = &b->plan->stages[i];
        bool other = st->needed && st->done && !st->parent && st->state.base_id &&
                     (!target->base_id || strcmp(st->state.base_id, target->base_id) != 0) &&
                     !is_listed(all, n, st->state.base_id);
        if (other)
            TRY(describe(b, &st->state, true, &all[n++]));
    }
    if (target->base_id)
        TRY(describe(b, target, false, &all[n++]));
    *ret = all;
    *ret_n = n;
    return OK;
}

/* What the user has labelled stays. */
static void set(struct build *b, const char *label, const char *value) {
    struct state *s = &b->plan->target->state;
    if (value && *value && !strmap_get(&s->labelled, label))
        strmap_set(&s->image.config.labels, b->arena, label, value);
}

/* The base image's labels about its own source are not about this one. */
static void inherited(struct state *s) {
    static const char *const own[] = {
        "org.opencontainers.image.source", "org.opencontainers.image.revision",
        "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"};
    struct strmap *labels = &s->image.config.labels;
    size_t kept = 0;
    for (size_t i = 0; i < labels->n; i++) {
        bool drop = false;
        for (size_t k = 0; k < ARRAY_LEN(own); k++)
            drop |= strcmp(labels->items[i].key, own[k]) == 0;
        if (!drop || strmap_get(&s->labelled, labels->items[i].key))
            labels->items[kept++] = labels->items[i];
    }
    labels->n = kept;
}

/* A client that knows nothing of it (POST /build) does not break a chain that is there. */
static struct err chain_only(struct build *b, struct state *s) {
    bool caller = b->job->context && *b->job->context; /* did not want it */
    struct ancestor *all;
    size_t n;
    if (caller || !s->base_name || !strmap_get(&s->base_labels, LIFECYCLE_ANCESTRY))
        return OK;
    TRY(find_ancestors(b, &all, &n));
    set(b, LIFECYCLE_ANCESTRY, ancestry_text(all, n, b->arena));
    set(b, ANCESTORS, ancestors_text(&all[n - 1], b->arena));
    return OK;
}

struct err provenance_labels(struct build *b) {
    const struct strmap *l = &b->job->provenance;
    struct state *s = &b->plan->target->state;
    struct ancestor *all;
    size_t n;
    if (l->n == 0)
        return chain_only(b, s);
    inherited(s);
    for (size_t i = 0; i < l->n; i++)
        set(b, l->items[i].key, l->items[i].value);
    TRY(find_ancestors(b, &all, &n));
    if (n)
        set(b, LIFECYCLE_ANCESTRY, ancestry_text(all, n, b->arena));
    if (!s->base_name)
        return OK;
    set(b, ANCESTORS, ancestors_text(&all[n - 1], b->arena));
    set(b, "corten.build.base.id", s->base_id);
    set(b, "org.opencontainers.image.base.name", s->base_name);
    set(b, "org.opencontainers.image.base.digest", all[n - 1].digest);
    return OK;
}

void provenance_time(struct build *b, int64_t now) {
    char text[TIME_TEXT_MAX], stamp[16];
    size_t n = 0;
    if (b->job->provenance.n == 0)
        return;
    time_format(now - now % NSEC_PER_SEC, text);
    for (const char *p = text; *p && n < 14; p++)
        if (*p >= '0' && *p <= '9')
            stamp[n++] = *p;
    stamp[n] = '\0';
    set(b, "corten.build.time", text);
    set(b, "corten.build.stamp", stamp);
}
