/* build/explain.c - steps compared with those of last time. */
#include "build/explain.h"
#include "build/lane.h"
#include "build/memory.h"
#include <stdlib.h>

static void files_done(struct memory_files *v) {
    vec_done(v);
}

static int path_order(const void *a, const void *b) {
    return strcmp(((const struct memory_file *)a)->path, ((const struct memory_file *)b)->path);
}

/* Their digests are known by now: source_hash has just asked for them. */
static struct err collect_files(const struct source_items *items, struct memory_files *ret) {
    for (size_t i = 0; i < items->n; i++) {
        const struct source_item *item = &items->items[i];
        for (size_t n = 0; n < item->files.n; n++) {
            struct source_marks marks;
            const struct source_file *f = item->files.items[n];
            const char *name = item->root ? f->real : item->name;
            if (!*name)
                continue; /* the context itself */
            TRY(source_marks(item, f, &marks));
            struct memory_file out = {name, marks.attributes, marks.content};
            vec_push(ret, out);
        }
    }
    if (ret->n)
        qsort(ret->items, ret->n, sizeof(ret->items[0]), path_order);
    return OK;
}

static void reason(const struct build *b, const struct memory_step *was,
                   const struct memory_step *is, struct buf *out) {
    const struct lane *l = b->lane;
    if (b->request->no_cache)
        buf_adds(out, "--no-cache");
    else if (l->stage->fresh)
        buf_adds(out, "--no-cache-filter");
    else if (!was)
        buf_adds(out, "nothing is known of it: it was not built from this context before");
    else
        memory_compare(was, is, l->missed, out);
}

struct err explain_step(struct build *b, const struct stage *s, const struct instr *in,
                        const struct key *k, const struct source_items *items, bool hit) {
    struct memory *m = b->context->memory;
    OWN(files_done) struct memory_files files = {0};
    CLEAN_BUF struct buf why = {0};
    if (!m)
        return OK;
    struct memory_step is = {.dockerfile = in->on_build ? "ONBUILD" : b->request->dockerfile,
                             .stage = s->name ? s->name : arena_printf(b->arena, "%u", s->index),
                             .text = arena_str(b->arena, str_trim(in->node->text)),
                             .place = in->on_build ? UINT32_MAX : (uint32_t)(in - s->steps),
                             .key = k->text,
                             .parent = s->state.layers,
                             .why = "",
                             .parts = k->parts};
    const struct memory_step *was = memory_find(m, &is);
    bool same = was && strcmp(was->key, is.key) == 0;
    if (hit && same) {
        memory_cached(m, &is);
        return OK;
    }
    if (items)
        TRY(AWAIT(b, collect_files(items, &files)));
    is.files = files;
    was = memory_find(m, &is); /* other lanes had the turn */
    if (!hit) {
        reason(b, was, &is, &why);
        is.why = buf_cstr(&why);
        b->lane->missed = true;
    }
    memory_put(m, &is);
    return hit || !b->job->explain ? OK : report_missed(b->report, buf_cstr(&why));
}
