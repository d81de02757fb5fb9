/* metadata: what an image and a container are, as docs/lifecycle.md tells it. */
#include "container/private.h"
#include <sys/utsname.h>

static const char *label(const struct container *c, const char *name) {
    const char *value = strmap_get(&c->config->labels, name);
    return value && strlen(value) <= LIFECYCLE_VALUE_MAX ? value : "";
}

/* What a label says, or whose connection it was. */
static char *deployer(const struct container *c, struct arena *a) {
    const char *said = label(c, CONTAINER_LABEL_BY);
    if (*said || c->deployed_by == 0)
        return arena_strz(a, said);
    return arena_printf(a, "uid %lld", (long long)c->deployed_by - 1);
}

static char *repo_digest(const struct image *i, struct arena *a) {
    LIST_FOR ((struct list *)(uintptr_t)&i->tags, n) {
        const struct image_tag *t = CONTAINER_OF(n, struct image_tag, link);
        char text[REFERENCE_TEXT_MAX];
        if (t->ref.tag[0])
            continue;
        const char *at = strchr(reference_familiar(&t->ref, text), '@');
        if (at)
            return arena_strz(a, at + 1);
    }
    return arena_strz(a, "");
}

static void tags_of(const struct image *i, struct arena *a, struct strs *ret) {
    LIST_FOR ((struct list *)(uintptr_t)&i->tags, n) {
        const struct image_tag *t = CONTAINER_OF(n, struct image_tag, link);
        char text[REFERENCE_TEXT_MAX];
        if (t->ref.tag[0])
            strs_add(ret, a, reference_familiar(&t->ref, text));
    }
}

static void describe(struct image *i, const struct strmap *labels, const char *name,
                     struct arena *a, struct lifecycle_metadata *ret) {
    struct strs tags = {0};
    char text[REFERENCE_TEXT_MAX];
    struct lifecycle_facts f = {.name = name, .tags = &tags};
    if (i) {
        tags_of(i, a, &tags);
        image_print_name(i, text);
        f.name = strncmp(text, "sha256:", 7) ? text : name;
        f.id = i->id_text;
        f.digest = repo_digest(i, a);
        f.created = image_config(i)->created;
        f.annotations = image_annotations(i);
    }
    lifecycle_describe(labels, &f, a, ret);
}

void container_image_metadata(struct image *i, struct arena *a, struct lifecycle_metadata *ret) {
    describe(i, &image_config(i)->config.labels, "", a, ret);
}

void container_metadata(const struct container *c, struct arena *a,
                        struct lifecycle_metadata *ret) {
    struct utsname host;
    struct lifecycle_container *v = arena_alloc(a, sizeof *v);
    describe(c->hold.image, &c->config->labels, c->image_ref, a, ret);
    *v = (struct lifecycle_container){
        .id = arena_strz(a, c->id),
        .name = arena_strz(a, c->name),
        .state = arena_strz(a, container_state_name(c->state)),
        .ready = container_ready(c),
        .created = c->created,
        .first_started = c->first_started_at,
        .started = c->started_at,
        .deployed_by = deployer(c, a),
        .cause = arena_strz(a, label(c, CONTAINER_LABEL_CAUSE)),
        .image = c->image_ref,
        .image_id = c->image_id,
        .image_digest = ret->image_digest,
        .node = arena_strz(a, uname(&host) == 0 ? host.nodename : ""),
        .restarts = c->restart_count,
    };
    container_last_results(c, a, &v->results);
    ret->container = v;
}
