#include "cli/bolt.h"
#include <string.h>

#define MAGIC 0xed0cdaedu
#define VERSION 2
#define PAGE_HEADER 16
#define ELEMENT 16
#define DEPTH_MAX 32
#define PAGES_MAX 1000000u

enum { BRANCH = 1, LEAF = 2 };
#define IS_BUCKET 1 /* flag of a leaf's element */

struct walk {
    struct str file;
    uint64_t page_size;
    size_t pages; /* looked at */
    const char *bucket;
    struct str found; /* value of the bucket that is looked for */
    bolt_fn *fn;      /* NULL: the bucket is looked for */
    void *arg;
};

static uint64_t number(struct str s, size_t at, size_t bytes) {
    uint64_t v = 0;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | (unsigned char)s.p[at + i];
    return v;
}

static struct err damaged(const char *what) {
    return err_new(ERR_INVALID, "damaged database: %s", what);
}

/* A page with what overflows of it. */
static struct err page_at(struct walk *w, uint64_t id, struct str *ret) {
    if (id >= w->file.len / w->page_size || ++w->pages > PAGES_MAX)
        return damaged("a page is not in the file");
    size_t at = (size_t)(id * w->page_size);
    uint64_t size = (number(w->file, at + 12, 4) + 1) * w->page_size;
    if (size > w->file.len - at)
        return damaged("a page is longer than the file");
    *ret = str_n(w->file.p + at, (size_t)size);
    return OK;
}

static struct err leaf(struct walk *w, struct str page, size_t element) {
    uint64_t flags = number(page, element, 4), at = element + number(page, element + 4, 4);
    uint64_t key = number(page, element + 8, 4), value = number(page, element + 12, 4);
    if (at > page.len || key > page.len - at || value > page.len - at - key)
        return damaged("a value is not in its page");
    struct str k = str_n(page.p + at, (size_t)key), v = str_n(k.p + k.len, (size_t)value);
    if (w->fn)
        return flags & IS_BUCKET ? OK : w->fn(w->arg, k, v);
    if ((flags & IS_BUCKET) && str_eqz(k, w->bucket))
        w->found = v;
    return OK;
}

static struct err walk_page(struct walk *w, struct str page, unsigned depth) {
    if (page.len < PAGE_HEADER || depth > DEPTH_MAX)
        return damaged("too deep");
    uint64_t flags = number(page, 8, 2), count = number(page, 10, 2);
    if (count > (page.len - PAGE_HEADER) / ELEMENT || (flags != BRANCH && flags != LEAF))
        return damaged("a page is neither branch nor leaf");
    for (size_t i = 0; i < count; i++) {
        size_t element = PAGE_HEADER + i * ELEMENT;
        if (flags == LEAF) {
            TRY(leaf(w, page, element));
            continue;
        }
        struct str child;
        TRY(page_at(w, number(page, element + 8, 8), &child));
        TRY(walk_page(w, child, depth + 1));
    }
    return OK;
}

/* The newer of the two headers that is whole enough to be one. */
static struct err find_root(struct walk *w, uint64_t *ret) {
    uint64_t newest = 0;
    bool any = false;
    w->page_size = w->file.len >= PAGE_HEADER + 64 ? number(w->file, PAGE_HEADER + 8, 4) : 0;
    if (w->page_size < 512 || w->page_size > 65536 || w->page_size > w->file.len / 2)
        return err_new(ERR_INVALID, "no bbolt database");
    for (size_t i = 0; i < 2; i++) {
        size_t at = (size_t)(i * w->page_size) + PAGE_HEADER;
        if (number(w->file, at, 4) != MAGIC || number(w->file, at + 4, 4) != VERSION)
            continue;
        uint64_t transaction = number(w->file, at + 48, 8);
        if (!any || transaction > newest) {
            *ret = number(w->file, at + 16, 8);
            newest = transaction;
        }
        any = true;
    }
    return any ? OK : err_new(ERR_INVALID, "no bbolt database");
}

struct err bolt_each(struct str file, const char *bucket, bolt_fn *fn, void *arg) {
    struct walk w = {.file = file, .bucket = bucket};
    struct str page;
    uint64_t root = 0;
    TRY(find_root(&w, &root));
    TRY(page_at(&w, root, &page));
    TRY(walk_page(&w, page, 0));
    if (w.found.p == NULL)
        return OK;
    if (w.found.len < 16)
        return damaged("a bucket is too short");
    w.fn = fn;
    w.arg = arg;
    root = number(w.found, 0, 8);
    if (root == 0) /* so small that it lies in its parent */
        return walk_page(&w, str_from(w.found, 16), 0);
    TRY(page_at(&w, root, &page));
    return walk_page(&w, page, 0);
}
