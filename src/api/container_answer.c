#include "api/container_answer.h"
#include "api/container_view.h"
#include "api/older.h"
#include <stdlib.h>
#include <string.h>

#define AT_ONCE_MAX 256 /* ports of a container that are printed on the loop: some 0.5 ms */

enum hole { HOLE_PORTS, HOLE_BINDINGS, HOLE_EXPOSED, HOLES };

/* A container with holes in the text. */
struct gap {
    struct container_pin *pin;
    struct port_facts ports; /* items: our copy */
    const struct objmap *bindings;
    bool summary;
    struct json_hole holes[HOLES];
};
struct container_answer {
    struct api_call *c;
    int minor;
    struct buf text, whole;
    VEC(struct gap) gaps;
};

struct container_answer *container_answer_new(struct api_call *c) {
    struct container_answer *w = NEW(struct container_answer);
    w->c = c;
    w->minor = c->minor;
    return w;
}

struct buf *container_answer_text(struct container_answer *w) {
    return &w->text;
}

static bool is_long(const struct container *k, struct port_facts *ret) {
    *ret = port_facts_of(k);
    size_t n = ret->exposed->n + k->host->port_bindings.n;
    for (size_t i = 0; i < ret->n; i++)
        n += ret->items[i].count;
    return n > AT_ONCE_MAX;
}

static struct gap *add_gap(struct container_answer *w, struct container *k,
                           const struct port_facts *ports) {
    struct gap *g = vec_add(&w->gaps);
    g->pin = container_pin(k);
    g->ports = *ports;
    g->bindings = &k->host->port_bindings;
    if (ports->n > 0) {
        struct port_mapping *copy = mem_resize(NULL, ports->n, sizeof *copy);
        memcpy(copy, ports->items, ports->n * sizeof *copy);
        g->ports.items = copy;
    }
    return g;
}

void container_answer_inspect(struct container_answer *w, struct container *k,
                              const struct container_size *size) {
    struct arena *a = &w->c->arena;
    struct api_container doc;
    struct port_facts ports;
    struct json_out jo = {.out = &w->text};
    bool later = is_long(k, &ports);
    view_container(k, w->minor, !later, a, &doc);
    older_container(&doc, w->minor, a);
    if (size) {
        doc.size_rw = arena_alloc(a, sizeof *doc.size_rw);
        doc.size_root_fs = arena_alloc(a, sizeof *doc.size_root_fs);
        *doc.size_rw = size->bytes;
        *doc.size_root_fs = size->bytes + (k->hold.image ? (int64_t)k->hold.image->size : 0);
    }
    if (later) {
        struct gap *g = add_gap(w, k, &ports);
        g->holes[HOLE_PORTS].member = &doc.network.ports;
        g->holes[HOLE_BINDINGS].member = &doc.host->port_bindings;
        g->holes[HOLE_EXPOSED].member = &doc.config->exposed_ports;
        jo.holes = g->holes;
        jo.holes_n = HOLES;
    }
    fields_encode(&api_container_fields, &doc, w->minor, &jo);
}

void container_answer_summary(struct container_answer *w, struct container *k,
                              const struct container_size *size, struct json_out *jo) {
    CLEAN_ARENA struct arena a = {0};
    struct api_container_summary doc;
    struct port_facts ports;
    bool later = is_long(k, &ports);
    view_summary(k, w->minor, !later, &a, &doc);
    if (size) {
        doc.size_rw = size->bytes;
        doc.size_root_fs = size->bytes + (k->hold.image ? (int64_t)k->hold.image->size : 0);
    }
    if (later) {
        struct gap *g = add_gap(w, k, &ports);
        g->summary = true;
        g->holes[HOLE_PORTS].member = &doc.ports;
        jo->holes = g->holes;
        jo->holes_n = 1;
    }
    fields_encode(&api_container_summary_fields, &doc, w->minor, jo);
    jo->holes_n = 0;
}

/* --- the holes: pool ------------------------------------------------------------------------- */

static void fill(struct container_answer *w, const struct gap *g, enum hole which) {
    CLEAN_ARENA struct arena a = {0};
    struct objmap ports = {0};
    struct objs list = {0};
    const void *values[HOLES] = {g->summary ? (const void *)&list : &ports, g->bindings,
                                 g->ports.exposed};
    if (which == HOLE_PORTS && g->summary)
        view_port_list(&g->ports, &a, &list);
    else if (which == HOLE_PORTS)
        view_ports(&g->ports, &a, &ports);
    fields_encode_value(g->holes[which].field, values[which], w->minor,
                        &(struct json_out){.out = &w->whole});
}

/* The hole of this container that comes next in the text; HOLES: none. */
static enum hole next_hole(const struct gap *g, size_t from) {
    enum hole best = HOLES;
    for (enum hole h = 0; h < HOLES; h++)
        if (g->holes[h].field && g->holes[h].at >= from &&
            (best == HOLES || g->holes[h].at < g->holes[best].at))
            best = h;
    return best;
}

static struct err fill_all(void *arg) {
    struct container_answer *w = arg;
    size_t at = 0;
    for (size_t i = 0; i < w->gaps.n; i++) {
        const struct gap *g = &w->gaps.items[i];
        size_t from = at;
        for (enum hole h; (h = next_hole(g, from)) != HOLES; from = g->holes[h].at + 1) {
            buf_add(&w->whole, w->text.data + at, g->holes[h].at - at);
            at = g->holes[h].at;
            fill(w, g, h);
        }
    }
    buf_add(&w->whole, w->text.data + at, w->text.len - at);
    return OK;
}

static void send_whole(void *arg, struct err e) {
    struct container_answer *w = arg;
    err_ignore(e); /* there is none */
    api_reply_json(w->c, 200, buf_str(w->gaps.n ? &w->whole : &w->text));
    for (size_t i = 0; i < w->gaps.n; i++) {
        struct gap *g = &w->gaps.items[i];
        container_unpin(g->pin);
        if (g->ports.n > 0)
            free((void *)(uintptr_t)g->ports.items);
    }
    vec_done(&w->gaps);
    buf_done(&w->text);
    buf_done(&w->whole);
    free(w);
}

void container_answer_send(struct container_answer *w) {
    buf_addc(&w->text, '\n');
    if (w->gaps.n > 0)
        job_submit(w->c->api->loop, fill_all, send_whole, w);
    else
        send_whole(w, OK);
}
