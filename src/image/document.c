/* document.c - what was said about an image where it came from, kept as it came: its manifest, the
 * index that lists it, attestations with all that they consist of.
 *
 * Each is a blob (compression BLOB_DOCUMENT) that stays as long as an image keeps it. They are read
 * by jobs only: a push or save that finds them whole hands on the very bytes, so that digests stay
 * what they were. */
#include "base/json.h"
#include "base/log.h"
#include "image/facts.h"
#include "image/protocol.h"
#include <stdlib.h>

struct documents VEC_BODY(struct document);

static size_t find_document(const struct document *items, size_t n, const struct blob *b) {
    size_t i = 0;
    while (i < n && items[i].blob != b)
        i++;
    return i;
}

/* One that is reserved, or a layer's blob that is here, too. */
static bool can_document(const struct blob *b) {
    return b && b->state != ROW_REMOVING &&
           (b->compression == BLOB_DOCUMENT || b->state == ROW_PRESENT);
}

bool blob_resumes(const struct blob *b) {
    return b->compression != BLOB_DOCUMENT || b->size > DOCUMENT_RESUMES;
}

/* The documents of a question; one that was not reserved is left out. */
static void told_documents(const struct images *im, struct str body, struct documents *ret) {
    struct str value;
    uint16_t tag;
    while (msg_next(&body, &tag, &value)) {
        struct document_record r;
        if (tag != TAG_DOCUMENT)
            continue;
        memcpy(&r, value.p, sizeof(r));
        struct blob *b = map_get(&im->blobs, str_n(r.digest, SHA256_SIZE));
        if (!can_document(b) || find_document(ret->items, ret->n, b) < ret->n ||
            ret->n == IMAGE_DOCUMENTS_MAX)
            continue;
        vec_push(ret, ((struct document){b, (int)r.kind}));
    }
}

/* Those that the image keeps after the question, and how many of its old ones go. */
static size_t next_documents(const struct image_fact *known, const struct documents *told,
                             struct documents *ret_old) {
    for (size_t i = 0; known && i < known->documents.n; i++)
        if (find_document(told->items, told->n, known->documents.items[i].blob) == told->n)
            vec_push(ret_old, known->documents.items[i]);
    size_t all = ret_old->n + told->n;
    return all > IMAGE_DOCUMENTS_MAX ? all - IMAGE_DOCUMENTS_MAX : 0;
}

bool documents_have(const struct images *im, const struct image_fact *known, struct str body,
                    const struct digest *d) {
    struct documents told = {0};
    const struct blob *b = map_get(&im->blobs, digest_key(d));
    told_documents(im, body, &told);
    bool has = b && (find_document(told.items, told.n, b) < told.n ||
                     (known && find_document(known->documents.items, known->documents.n, b) <
                                   known->documents.n));
    vec_done(&told);
    return has;
}

/* An artifact is as large as what it is made of. */
static void count_size(struct image_fact *f) {
    if (!f->image.artifact)
        return;
    f->image.size = f->image.config_text.len;
    for (size_t i = 0; i < f->documents.n; i++)
        if (f->documents.items[i].kind == DOCUMENT_BLOB)
            f->image.size += f->documents.items[i].blob->size;
    image_changed(&f->image);
}

void documents_build(struct images *im, const struct image_fact *known, const struct digest *image,
                     struct str body, struct store_txn *t) {
    struct documents told = {0}, old = {0};
    told_documents(im, body, &told);
    size_t drop = next_documents(known, &told, &old);
    for (size_t i = 0; i < drop; i++)
        store_add(t, "DELETE FROM image_document WHERE image = ? AND digest = ?", "bb",
                  digest_key(image), digest_key(&old.items[i].blob->digest));
    for (size_t i = 0; i < told.n; i++) {
        const struct document *d = &told.items[i];
        store_add(t, "UPDATE blob SET state = 1 WHERE digest = ?", "b",
                  digest_key(&d->blob->digest));
        store_add(t, "INSERT OR REPLACE INTO image_document (image, digest, kind) VALUES (?, ?, ?)",
                  "bbi", digest_key(image), digest_key(&d->blob->digest), (int64_t)d->kind);
    }
    vec_done(&told);
    vec_done(&old);
}

void documents_apply(struct images *im, struct image_fact *f, struct str body) {
    struct documents told = {0}, old = {0};
    told_documents(im, body, &told);
    size_t drop = next_documents(f, &told, &old);
    documents_unlink(f);
    for (size_t i = drop; i < old.n; i++)
        vec_push(&f->documents, old.items[i]);
    for (size_t i = 0; i < told.n; i++) {
        told.items[i].blob->state = ROW_PRESENT;
        vec_push(&f->documents, told.items[i]);
    }
    for (size_t i = 0; i < f->documents.n; i++)
        f->documents.items[i].blob->docs++;
    count_size(f);
    vec_done(&told);
    vec_done(&old);
    if (drop > 0)
        images_collect(im);
}

void documents_unlink(struct image_fact *f) {
    for (size_t i = 0; i < f->documents.n; i++)
        f->documents.items[i].blob->docs--;
    vec_done(&f->documents);
}

void document_drop(struct images *im, struct blob *b, struct store_txn *t) {
    size_t it = 0;
    void *p;
    if (b->docs == 0)
        return;
    store_add(t, "DELETE FROM image_document WHERE digest = ?", "b", digest_key(&b->digest));
    while (b->docs > 0 && map_next(&im->by_id, &it, NULL, &p)) {
        struct image_fact *f = p;
        size_t i = find_document(f->documents.items, f->documents.n, b);
        if (i == f->documents.n)
            continue;
        vec_remove(&f->documents, i);
        b->docs--;
        count_size(f);
    }
}

struct err document_load(void *arg, struct store_row *r) {
    struct images *im = arg;
    struct image_fact *f = map_get(&im->by_id, row_blob(r, 0));
    struct blob *b = map_get(&im->blobs, row_blob(r, 1));
    if (!f || !b || b->state != ROW_PRESENT)
        return OK; /* set aside: the image is pushed with a manifest of our own */
    b->docs++;
    vec_push(&f->documents, ((struct document){b, (int)row_int(r, 2)}));
    count_size(f);
    return OK;
}

void documents_describe(struct json_out *o, const struct image_fact *f) {
    char text[DIGEST_TEXT_MAX];
    jo_arr(o);
    for (size_t i = 0; i < f->documents.n; i++) {
        const struct document *d = &f->documents.items[i];
        jo_obj(o);
        jo_kstr(o, "digest", digest_text(&d->blob->digest, text));
        jo_ki64(o, "size", (int64_t)d->blob->size);
        jo_ki64(o, "kind", d->kind);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}
