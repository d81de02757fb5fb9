/* build/layer.c - entries to tar bytes, on demand. */
#include "build/layer.h"
#include "archive/tar_write.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (256u << 10)

void layer_done(struct layer *l) {
    vec_done(&l->entries);
    map_done(&l->by_path);
}

struct layer_entry *layer_get(const struct layer *l, const char *path) {
    return map_getz(&l->by_path, path);
}

struct layer_entry *layer_put(struct layer *l, struct arena *a, const char *path) {
    struct layer_entry *e = layer_get(l, path);
    if (!e) {
        e = arena_alloc(a, sizeof(*e));
        vec_push(&l->entries, e);
        map_set(&l->by_path, str_of(path), e);
    }
    *e = (struct layer_entry){.path = path};
    return e;
}

int layer_path_order(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    /* The end of a name comes before every byte of a longer one. */
    int x = *a == '/' ? 0 : (unsigned char)*a, y = *b == '/' ? 0 : (unsigned char)*b;
    return x != y ? x - y : (*a != '\0') - (*b != '\0');
}

static int entry_order(const void *a, const void *b) {
    return layer_path_order((*(struct layer_entry *const *)a)->path,
                            (*(struct layer_entry *const *)b)->path);
}

void layer_sort(struct layer *l) {
    size_t i = 1;
    while (i < l->entries.n && entry_order(&l->entries.items[i - 1], &l->entries.items[i]) < 0)
        i++;
    if (i < l->entries.n)
        qsort(l->entries.items, l->entries.n, sizeof(l->entries.items[0]), entry_order);
}

struct layer_reader {
    const struct layer *layer;
    struct arena arena; /* of the current entry */
    size_t next;
    struct buf out;          /* bytes of headers and data that wait to be read */
    size_t taken;            /* of out */
    struct source_data data; /* of the current file */
    uint64_t size;
    bool ended;
    struct err error;
};

struct layer_reader *layer_reader_new(const struct layer *l) {
    struct layer_reader *r = NEW(struct layer_reader);
    r->layer = l;
    r->data.fd = -1;
    return r;
}

void layer_reader_free(struct layer_reader *r) {
    if (!r)
        return;
    source_close(&r->data);
    buf_done(&r->out);
    arena_done(&r->arena);
    err_free(r->error);
    free(r);
}

void layer_reader_clean(struct layer_reader **r) {
    layer_reader_free(*r);
}

struct err layer_reader_error(struct layer_reader *r) {
    struct err e = r->error;
    r->error = OK;
    return e;
}

static struct err put(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return OK;
}

static void xattrs_free(struct tar_xattrs *v) {
    vec_done(v);
}

/* A hard link whose target was replaced by another source's file must bring its own data. */
static bool link_holds(const struct layer *l, const struct layer_entry *e) {
    const struct layer_entry *target = e->link ? layer_get(l, e->link) : NULL;
    return target && target->file == e->file->same && target->item == e->item;
}

static struct err begin(struct layer_reader *r, const struct layer_entry *e) {
    OWN(xattrs_free) struct tar_xattrs attrs = {0};
    const struct source_file *f = e->file;
    bool link = e->type == TAR_FILE && link_holds(r->layer, e);
    bool data = e->type == TAR_FILE && !link;
    struct tar_entry t = {.type = link ? TAR_LINK : e->type,
                          .path = e->path,
                          .target = link ? e->link
                                    : f  ? f->target
                                         : "",
                          .size = data ? f->size : 0,
                          .mode = e->mode,
                          .uid = e->uid,
                          .gid = e->gid,
                          .major = f ? f->major : 0,
                          .minor = f ? f->minor : 0,
                          .mtime = e->mtime};
    if (data && e->item->root) {
        TRY(source_open(e->item->root, f, &r->data));
        TRYF(source_xattrs(&r->data, &r->arena, &attrs), "'%s'", f->real);
        t.xattrs = attrs;
    }
    if (e->type == TAR_DIR)
        t.path = arena_printf(&r->arena, "%s/", e->path);
    struct tar_sink sink = {put, &r->out};
    TRY(tar_put_header(&sink, &t));
    r->size = t.size;
    if (data && !e->item->root) {
        TRY(tar_put_data(&sink, e->item->content.p, e->item->content.len));
        TRY(tar_put_padding(&sink, t.size));
    }
    return OK;
}

static struct err data(struct layer_reader *r) {
    size_t n = (size_t)MIN(r->data.left, (uint64_t)CHUNK);
    ssize_t got = source_read(&r->data, buf_room(&r->out, n), n);
    if (got <= 0)
        return got < 0 ? err_errno(errno, "read a file to copy")
                       : err_new(ERR_INVALID, "a file changed while it was copied");
    buf_added(&r->out, (size_t)got);
    if (r->data.left)
        return OK;
    source_close(&r->data);
    struct tar_sink sink = {put, &r->out};
    return tar_put_padding(&sink, r->size);
}

/* Makes more bytes. */
static struct err produce(struct layer_reader *r) {
    if (r->data.left)
        return data(r);
    source_close(&r->data);
    arena_done(&r->arena);
    r->arena = (struct arena){0};
    if (r->next < r->layer->entries.n)
        return begin(r, r->layer->entries.items[r->next++]);
    struct tar_sink sink = {put, &r->out};
    r->ended = true;
    return tar_put_end(&sink);
}

ssize_t layer_read(void *arg, void *p, size_t n) {
    struct layer_reader *r = arg;
    if (r->taken == r->out.len) {
        buf_clear(&r->out);
        r->taken = 0;
    }
    while (r->out.len < MIN(n, (size_t)CHUNK) && !r->ended) {
        r->error = produce(r);
        if (err_failed(r->error))
            return -ECANCELED;
    }
    n = MIN(n, r->out.len - r->taken);
    if (n)
        memcpy(p, r->out.data + r->taken, n);
    r->taken += n;
    return (ssize_t)n;
}
