/* build/ahead.c - threads of copies. */
#include "build/ahead.h"
#include "build/lane.h"
#include <stdlib.h>

#define STACK_SIZE (1u << 20)

struct ahead {
    struct build build; /* its view: arena and client are its own */
    struct arena arena;
    struct stage *stage;
    const struct instr *instr;
    const char *parent;
    struct strs others; /* destinations of the copies before it */
    struct made made;
    bool good, joined;
    pthread_t thread;
};

static void *ahead_main(void *arg) {
    struct ahead *h = arg;
    struct build *b = &h->build;
    turn_take(b);
    struct err e = client_open_like(b->first_client, &b->client);
    if (!err_failed(e))
        e = step_copy_ahead(b, h->stage, h->instr, h->parent, &h->others, &h->made);
    h->good = !err_failed(e) && h->made.image;
    err_ignore(e); /* the step itself will say it */
    turn_leave(b);
    return NULL;
}

static void start(struct build *b, struct stage *stage, const struct instr *in,
                  const struct strs *others) {
    struct ahead *h = NEW(struct ahead);
    pthread_attr_t attr;
    *h = (struct ahead){.build = *b, .stage = stage, .instr = in, .parent = stage->state.layers};
    h->build.arena = &h->arena;
    h->build.client = NULL;
    for (size_t i = 0; i < others->n; i++)
        strs_add(&h->others, &h->arena, others->items[i]);
    int r = pthread_attr_init(&attr);
    if (r == 0) {
        r = pthread_attr_setstacksize(&attr, STACK_SIZE);
        if (r == 0)
            r = pthread_create(&h->thread, &attr, ahead_main, h);
        pthread_attr_destroy(&attr);
    }
    if (r != 0) {
        arena_done(&h->arena);
        free(h); /* then not */
        return;
    }
    vec_push(&b->lane->aheads, h);
}

static bool begun(const struct build *b, const struct instr *in) {
    for (size_t i = 0; i < b->lane->aheads.n; i++)
        if (b->lane->aheads.items[i]->instr == in)
            return true;
    return false;
}

static bool is_copy(const struct instr *in) {
    return in->kind == I_COPY || in->kind == I_ADD;
}

void ahead_begin(struct build *b, struct stage *stage, const struct instr *in) {
    const struct instr *end = stage->steps + stage->steps_n;
    struct strs others = {0};
    if (!b->lane || in < stage->steps || in >= end)
        return; /* a trigger */
    const char *dest = step_copy_dest(b, stage, in);
    for (unsigned n = 0; dest && n < AHEAD_MAX && ++in < end && is_copy(in); n++) {
        strs_add(&others, b->arena, dest);
        dest = step_copy_dest(b, stage, in);
        if (dest && !begun(b, in))
            start(b, stage, in, &others);
    }
}

static void join(const struct build *b, struct ahead *h) {
    if (h->joined)
        return;
    turn_leave(b);
    pthread_join(h->thread, NULL);
    turn_take(b);
    h->joined = true;
}

const struct made *ahead_wait(struct build *b, const struct instr *in) {
    for (size_t i = 0; b->lane && i < b->lane->aheads.n; i++) {
        struct ahead *h = b->lane->aheads.items[i];
        if (h->instr != in)
            continue;
        join(b, h);
        return h->good ? &h->made : NULL;
    }
    return NULL;
}

void ahead_end(struct build *b) {
    struct aheads *all = &b->lane->aheads;
    for (size_t i = 0; i < all->n; i++) {
        struct ahead *h = all->items[i];
        join(b, h);
        client_close(h->build.client);
        arena_done(&h->arena);
        free(h);
    }
    vec_done(all);
    *all = (struct aheads){0};
}
