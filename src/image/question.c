/* question.c - answers what jobs ask: places for layers and blobs, and the commit of what is done.
 *
 * What a worker says is checked: counts, sizes, that layers and blobs were reserved by this very
 * job, and the config document, whose diff ids must be exactly such layers. */
#include "base/log.h"
#include "base/time.h"
#include "image/job.h"
#include "image/protocol.h"
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX 4096 /* layers and blobs in one question */

struct question {
    struct change change;
    struct image_job *job;
    struct worker *worker;
    uint64_t seq;
    struct buf body;
    struct buf answer;
    /* reserve */
    VEC(struct layer_fact *) new_layers;
    VEC(struct blob *) new_blobs;
    /* commit */
    struct digest id;
    bool has_image; /* id says which */
    struct oci_image_config config;
    const char *artifact; /* the type of one; then config says nothing */
    struct arena arena;
    VEC(struct layer_fact *) layers; /* of the image, bottom first */
    VEC(struct reference) tags;
    int64_t created, now;
};

static void question_free(struct question *q) {
    buf_done(&q->body);
    buf_done(&q->answer);
    vec_done(&q->new_layers);
    vec_done(&q->new_blobs);
    vec_done(&q->layers);
    vec_done(&q->tags);
    arena_done(&q->arena);
    free(q);
}

/* Answers and ends; consumes e. */
static void question_end(struct question *q, struct err e) {
    struct image_job *j = q->job;
    if (err_failed(e)) {
        buf_clear(&q->answer);
        msg_put_err(&q->answer, TAG_ERROR, e);
        err_free(e);
    }
    if (!j->ended)
        worker_reply(q->worker, q->seq, buf_str(&q->answer), NULL, 0);
    question_free(q);
    job_asked(j);
}

/* --- reserve
 * ------------------------------------------------------------------------------------------ */
static struct layer_fact *job_pending(struct image_job *j, struct str diff_id) {
    for (size_t i = 0; i < j->pending.n; i++)
        if (str_eq(digest_key(&j->pending.items[i]->layer.diff_id), diff_id))
            return j->pending.items[i];
    return NULL;
}

static void pin_layer(struct image_job *j, struct layer_fact *l) {
    l->pins++;
    vec_push(&j->pinned, l);
}

static void reserve_layer(struct question *q, struct str diff_id, struct store_txn *t) {
    struct images *im = q->change.images;
    struct image_job *j = q->job;
    struct layer_fact *l = map_get(&im->layers, diff_id);
    if (l) {
        pin_layer(j, l);
        msg_put(&q->answer, TAG_NAME, STR(""));
        return;
    }
    l = job_pending(j, diff_id);
    if (!l) {
        struct digest d;
        memcpy(d.bytes, diff_id.p, SHA256_SIZE);
        l = layer_fact_new(im->next_layer_row++, &d);
        vec_push(&j->pending, l);
        vec_push(&q->new_layers, l);
        store_add(t,
                  "INSERT INTO layer (id, diff_id, size, state, unsynced) VALUES (?, ?, 0, 0, ?)",
                  "ibs", l->row, diff_id, im->boot_id);
    }
    msg_putz(&q->answer, TAG_NAME, l->layer.name);
}

static void reserve_blob(struct question *q, const struct blob_record *r, struct store_txn *t) {
    struct images *im = q->change.images;
    struct blob *b = map_get(&im->blobs, str_n(r->digest, SHA256_SIZE));
    if (!b) {
        b = NEW(struct blob);
        memcpy(b->digest.bytes, r->digest, SHA256_SIZE);
        memcpy(b->diff_id.bytes, r->diff_id, SHA256_SIZE);
        b->size = r->size;
        b->compression = (int)r->compression;
        map_set(&im->blobs, digest_key(&b->digest), b);
        vec_push(&q->new_blobs, b);
        store_add(t,
                  "INSERT OR REPLACE INTO blob (digest, diff_id, size, compression, state) VALUES "
                  "(?, ?, ?, ?, 0)",
                  "bbii", digest_key(&b->digest), digest_key(&b->diff_id), (int64_t)b->size,
                  (int64_t)b->compression);
    }
    if (b->state == ROW_PARTIAL) {
        b->state = ROW_PENDING;
        if (b->pins == 0) { /* the part of a layer may be wanted for an artifact now */
            b->compression = (int)r->compression;
            memcpy(b->diff_id.bytes, r->diff_id, SHA256_SIZE);
        }
        store_add(t, "UPDATE blob SET state = 0, compression = ?, diff_id = ? WHERE digest = ?",
                  "ibb", (int64_t)b->compression, digest_key(&b->diff_id), digest_key(&b->digest));
    }
    b->resumable |= q->job->resumable && blob_resumes(b);
    b->pins++;
    vec_push(&q->job->blobs, b);
    msg_put_u64(&q->answer, TAG_HAVE, b->state == ROW_PRESENT);
}

static struct err reserve_build(struct change *c, struct store_txn *t) {
    struct question *q = CONTAINER_OF(c, struct question, change);
    struct str rest = buf_str(&q->body), value;
    uint16_t tag;
    while (msg_next(&rest, &tag, &value)) {
        if (tag == TAG_LAYER) {
            reserve_layer(q, value, t);
        } else if (tag == TAG_BLOB) {
            struct blob_record r;
            memcpy(&r, value.p, sizeof(r));
            reserve_blob(q, &r, t);
        }
    }
    return OK;
}

static void reserve_apply(struct change *c, struct err e) {
    struct question *q = CONTAINER_OF(c, struct question, change);
    struct image_job *j = q->job;
    if (err_failed(e)) { /* nothing of it is in the store */
        for (size_t i = 0; i < q->new_layers.n; i++) {
            for (size_t k = 0; k < j->pending.n; k++)
                if (j->pending.items[k] == q->new_layers.items[i])
                    vec_remove(&j->pending, k);
            free(q->new_layers.items[i]);
        }
        /* new blobs stay as pending and pinned facts; the job's end reaps them, which finds nothing
         */
    }
    question_end(q, e);
}

/* --- commit
 * ------------------------------------------------------------------------------------------- */
static struct err commit_config(struct question *q, struct str text) {
    if (text.len > IMAGE_CONFIG_MAX)
        return err_new(ERR_INVALID, "image config is larger than %u bytes", IMAGE_CONFIG_MAX);
    digest_of(text, &q->id);
    if (msg_has(buf_str(&q->body), TAG_ARTIFACT))
        return artifact_commit(q->change.images, text, buf_str(&q->body), &q->arena, &q->artifact,
                               &q->created);
    TRYF(oci_check_unique(text), "image config");
    TRYF(oci_image_config_parse(text, &q->arena, &q->config), "image config");
    if (q->config.rootfs.diff_ids.n > IMAGE_LAYERS_MAX)
        return err_new(ERR_INVALID, "image has %zu layers, more than %d",
                       q->config.rootfs.diff_ids.n, IMAGE_LAYERS_MAX);
    if (q->config.created && q->config.created[0]) {
        struct err e = time_parse(str_of(q->config.created), &q->created);
        err_ignore(e); /* a date that is none says nothing; 0 stays */
    }
    return OK;
}

static struct layer_fact *find_layer(struct question *q, struct str diff_id) {
    struct layer_fact *l = map_get(&q->change.images->layers, diff_id);
    return l ? l : job_pending(q->job, diff_id);
}

static struct err commit_layer(struct question *q, struct layer_fact *l,
                               const struct layer_record *r, struct store_txn *t) {
    struct str below = r->stacked ? str_n(r->base, SHA256_SIZE) : STR_NONE;
    struct layer_fact *base = r->stacked ? map_get(&q->change.images->layers, below) : NULL;
    if (r->stacked && (!base || base->base || base->suspect))
        return err_new(ERR_CONFLICT, "what the layer is stacked on is not there");
    l->layer.size = r->size;
    layer_fact_stack(l, base, r->own, r->stream);
    store_add(t, "UPDATE layer SET state = 1, size = ?, base = ?, own = ?, stream = ? WHERE id = ?",
              "ibiii", (int64_t)r->size, below, (int64_t)r->own, (int64_t)r->stream, l->row);
    return OK;
}

static struct err commit_layers(struct question *q, struct store_txn *t) {
    struct str rest = buf_str(&q->body), value;
    uint16_t tag;
    while (msg_next(&rest, &tag, &value)) {
        struct layer_record r;
        if (tag != TAG_LAYER_DONE)
            continue;
        memcpy(&r, value.p, sizeof(r));
        struct layer_fact *l = job_pending(q->job, str_n(r.diff_id, SHA256_SIZE));
        if (!l || map_get(&q->change.images->layers, str_n(r.diff_id, SHA256_SIZE)))
            continue; /* somebody else brought it meanwhile: this copy goes with the job */
        TRY(commit_layer(q, l, &r, t));
        vec_push(&q->new_layers, l);
    }
    for (size_t i = 0; i < q->config.rootfs.diff_ids.n; i++) {
        struct digest d;
        TRY(digest_parse(str_of(q->config.rootfs.diff_ids.items[i]), &d));
        struct layer_fact *l = find_layer(q, digest_key(&d));
        bool done = l && l->state == ROW_PRESENT;
        for (size_t k = 0; k < q->new_layers.n; k++)
            done |= q->new_layers.items[k] == l;
        if (!done)
            return err_new(ERR_INVALID, "layer %s of the image is missing",
                           q->config.rootfs.diff_ids.items[i]);
        vec_push(&q->layers, l);
    }
    return OK;
}

static void commit_blobs(struct question *q, struct store_txn *t) {
    struct str rest = buf_str(&q->body), value, source = msg_get(rest, TAG_SOURCE);
    uint16_t tag;
    while (msg_next(&rest, &tag, &value)) {
        if (tag != TAG_BLOB)
            continue;
        struct blob *b = map_get(&q->change.images->blobs, value);
        if (!b || b->state == ROW_REMOVING || b->compression == BLOB_DOCUMENT)
            continue;
        vec_push(&q->new_blobs, b);
        store_add(t, "UPDATE blob SET state = 1, source = COALESCE(?, source) WHERE digest = ?",
                  "tb", source, value);
    }
}

/* A digest alone is no tagging. */
static bool has_tag(const struct question *q) {
    for (size_t i = 0; i < q->tags.n; i++)
        if (!q->tags.items[i].has_digest)
            return true;
    return false;
}

static struct err commit_image(struct question *q, struct str config, struct store_txn *t) {
    struct images *im = q->change.images;
    struct image_fact *known = map_get(&im->by_id, digest_key(&q->id));
    struct str parent = msg_get(buf_str(&q->body), TAG_PARENT);
    CLEAN_BUF struct buf ids = {0};
    char text[REFERENCE_TEXT_MAX];
    q->has_image = true;
    for (size_t i = 0; i < q->layers.n; i++)
        buf_add_str(&ids, digest_key(&q->layers.items[i]->layer.diff_id));
    if (parent.len != SHA256_SIZE || !map_get(&im->by_id, parent) ||
        str_eq(parent, digest_key(&q->id)))
        parent = STR_NONE;
    if (known)
        store_add(t, "UPDATE image SET removed = 0, tagged_at = ? WHERE id = ?", "ib",
                  has_tag(q) ? q->now : known->image.tagged_at, digest_key(&q->id));
    else
        store_add(t,
                  "INSERT INTO image (id, config, layers, created, parent, tagged_at, removed, "
                  "used_at, artifact) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)",
                  "bbbibiis", digest_key(&q->id), config, buf_str(&ids), q->created, parent,
                  has_tag(q) ? q->now : INT64_C(0), q->now, q->artifact);
    documents_build(im, known, &q->id, buf_str(&q->body), t);
    TRY(annotations_build(&q->id, buf_str(&q->body), &q->arena, t));
    for (size_t i = 0; i < q->tags.n; i++)
        store_add(t, "INSERT OR REPLACE INTO image_tag (ref, image, tagged_at) VALUES (?, ?, ?)",
                  "sbi", reference_text(&q->tags.items[i], text), digest_key(&q->id), q->now);
    return OK;
}

/* The result is an image that is here already. */
static struct err commit_same(struct question *q, struct store_txn *t) {
    struct str id = msg_get(buf_str(&q->body), TAG_SAME);
    if (id.len == 0)
        return OK;
    struct image_fact *f = id.len == SHA256_SIZE ? map_get(&q->change.images->by_id, id) : NULL;
    if (!f || f->image.removed)
        return err_new(ERR_CONFLICT, "the image was removed meanwhile");
    q->id = f->image.id;
    q->has_image = true;
    documents_build(q->change.images, f, &q->id, buf_str(&q->body), t);
    return OK;
}

static struct err commit_build(struct change *c, struct store_txn *t) {
    struct question *q = CONTAINER_OF(c, struct question, change);
    struct str body = buf_str(&q->body), rest = body, value, config = msg_get(body, TAG_CONFIG);
    uint16_t tag;
    if (config.len > 0)
        TRY(commit_config(q, config));
    while (msg_next(&rest, &tag, &value)) {
        struct reference r;
        if (tag != TAG_TAG)
            continue;
        TRY(reference_parse(value, &r));
        if (r.has_digest)
            r.tag[0] = '\0';
        vec_push(&q->tags, r);
    }
    TRY(commit_layers(q, t));
    commit_blobs(q, t);
    if (config.len > 0)
        TRY(commit_image(q, config, t));
    else
        TRY(commit_same(q, t));
    struct str key = msg_get(body, TAG_CACHE_KEY);
    if (key.len > 0 && q->has_image)
        store_add(t, "INSERT OR REPLACE INTO build_cache (key, image, used_at) VALUES (?, ?, ?)",
                  "tbi", key, digest_key(&q->id), q->now);
    return OK;
}

static void apply_layers(struct question *q) {
    struct images *im = q->change.images;
    struct image_job *j = q->job;
    for (size_t i = 0; i < q->new_layers.n; i++) {
        struct layer_fact *l = q->new_layers.items[i];
        for (size_t k = 0; k < j->pending.n; k++)
            if (j->pending.items[k] == l)
                vec_remove(&j->pending, k);
        l->state = ROW_PRESENT;
        l->unsynced = true;
        layer_fact_hold_base(l);
        map_set(&im->layers, digest_key(&l->layer.diff_id), l);
        pin_layer(j, l);
    }
    if (q->new_layers.n)
        images_sync_later(im);
    struct str source = msg_get(buf_str(&q->body), TAG_SOURCE);
    for (size_t i = 0; i < q->new_blobs.n; i++) {
        struct blob *b = q->new_blobs.items[i];
        struct layer_fact *l = map_get(&im->layers, digest_key(&b->diff_id));
        if (source.len) {
            free(b->source);
            b->source = str_dup(source);
        }
        if (!l || (l->blob && l->blob != b))
            continue; /* the layer has its bytes already: these stay pending and go with the job */
        b->state = ROW_PRESENT;
        l->blob = b;
        map_set(&im->blob_of, digest_key(&b->diff_id), b);
    }
}

static struct image_fact *apply_image(struct question *q, struct str config) {
    struct images *im = q->change.images;
    struct image_fact *f = map_get(&im->by_id, digest_key(&q->id));
    if (!f) {
        struct layer *layers[IMAGE_LAYERS_MAX];
        for (size_t i = 0; i < q->layers.n; i++)
            layers[i] = &q->layers.items[i]->layer;
        f = image_fact_new(im, &q->id, str_dup(config), config.len, layers, q->layers.n);
        image_fact_artifact(f, q->artifact);
        f->image.created = q->created;
        struct image_fact *parent = map_get(&im->by_id, msg_get(buf_str(&q->body), TAG_PARENT));
        if (parent && parent != f && !parent->image.removed)
            image_set_parent(f, &parent->image);
        image_fact_index(im, f);
    } else if (f->image.removed) {
        f->image.removed = false;
        im->visible++;
    }
    documents_apply(im, f, buf_str(&q->body));
    annotations_apply(f, buf_str(&q->body));
    for (size_t i = 0; i < q->tags.n; i++)
        image_set_tag(im, &f->image, &q->tags.items[i], q->now);
    f->used_at = q->now;
    return f;
}

static void apply_event(struct question *q, struct image *i) {
    struct str action = msg_get(buf_str(&q->body), TAG_EVENT);
    struct str name = msg_get(buf_str(&q->body), TAG_EVENT_NAME);
    static const char *const actions[] = {"pull", "load", "import", "push", "save", "tag"};
    char text[REFERENCE_TEXT_MAX];
    for (size_t n = 0; n < ARRAY_LEN(actions); n++) {
        if (!str_eqz(action, actions[n]))
            continue;
        snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
        struct image_event e = {actions[n],
                                name.len ? text
                                : i      ? i->id_text
                                         : "",
                                name.len ? text
                                : i      ? i->id_text
                                         : "",
                                i};
        if ((n == 1 || n == 5) && i) /* load and tag speak about the image, others about a name */
            e.id = i->id_text;
        bus_publish(&q->change.images->events, &e);
    }
}

static void commit_apply(struct change *c, struct err e) {
    struct question *q = CONTAINER_OF(c, struct question, change);
    struct str config = msg_get(buf_str(&q->body), TAG_CONFIG);
    if (!err_failed(e)) {
        struct image_fact *f = NULL;
        apply_layers(q);
        if (config.len > 0)
            f = apply_image(q, config);
        else if (q->has_image && (f = map_get(&c->images->by_id, digest_key(&q->id))))
            documents_apply(c->images, f, buf_str(&q->body));
        struct str key = msg_get(buf_str(&q->body), TAG_CACHE_KEY);
        if (f && key.len > 0)
            cache_link(c->images, key, f);
        q->job->committed |= f != NULL;
        q->job->image = q->id;
        apply_event(q, f ? &f->image : NULL);
    }
    question_end(q, e);
}

/* --- arrival
 * ------------------------------------------------------------------------------------------ */
static struct err check_records(struct str body) {
    struct str value;
    uint16_t tag;
    size_t n = 0;
    while (msg_next(&body, &tag, &value)) {
        size_t wanted = tag == TAG_LAYER        ? SHA256_SIZE
                        : tag == TAG_LAYER_DONE ? sizeof(struct layer_record)
                        : tag == TAG_DOCUMENT   ? sizeof(struct document_record)
                                                : value.len;
        if (value.len != wanted || ++n > RECORDS_MAX)
            return err_new(ERR_INVALID, "malformed question of a worker");
    }
    return OK;
}

static bool wants_blob_being_removed(struct images *im, struct str body) {
    struct str value;
    uint16_t tag;
    while (msg_next(&body, &tag, &value)) {
        struct blob *b;
        if (tag == TAG_BLOB && value.len == sizeof(struct blob_record) &&
            (b = map_get(&im->blobs, str_sub(value, 0, SHA256_SIZE))) != NULL &&
            b->state == ROW_REMOVING)
            return true;
    }
    return false;
}

static bool blob_records_whole(struct str body, size_t wanted) {
    struct str value;
    uint16_t tag;
    while (msg_next(&body, &tag, &value))
        if (tag == TAG_BLOB && value.len != wanted)
            return false;
    return true;
}

static void question_run(void *arg) {
    struct question *q = arg;
    struct images *im = q->job->images;
    if (!im || q->job->ended) {
        question_end(q, OK);
        return;
    }
    if (q->change.build == reserve_build && wants_blob_being_removed(im, buf_str(&q->body))) {
        after_reaping(im, question_run, q);
        return;
    }
    change_start(im, &q->change);
}

/* Needs no change, so it is answered at once. */
static void answer_has(struct images *im, struct worker *w, const struct msg *m) {
    CLEAN_BUF struct buf answer = {0};
    struct str id = msg_get(m->body, TAG_SAME);
    const struct image_fact *f = im && id.len == SHA256_SIZE ? map_get(&im->by_id, id) : NULL;
    msg_put_u64(&answer, TAG_HAVE, f && !f->image.removed);
    worker_reply(w, m->seq, buf_str(&answer), NULL, 0);
}

void job_question(struct image_job *j, struct worker *w, struct msg *m) {
    if (m->type == IMAGE_HAS) {
        answer_has(j->images, w, m);
        return;
    }
    struct question *q = NEW(struct question);
    q->job = j;
    q->worker = w;
    q->seq = m->seq;
    q->now = time_now();
    buf_add_str(&q->body, m->body);
    j->asking++;
    bool reserve = m->type == IMAGE_RESERVE;
    q->change = (struct change){.mode = j->lazy ? STORE_LAZY : STORE_DURABLE,
                                .build = reserve ? reserve_build : commit_build,
                                .apply = reserve ? reserve_apply : commit_apply};
    struct err e = check_records(m->body);
    if (!err_failed(e) &&
        ((m->type != IMAGE_RESERVE && m->type != IMAGE_COMMIT) ||
         !blob_records_whole(m->body, reserve ? sizeof(struct blob_record) : SHA256_SIZE)))
        e = err_new(ERR_INVALID, "malformed question of a worker");
    if (err_failed(e))
        question_end(q, e);
    else
        question_run(q);
}
