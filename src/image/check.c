/* check.c - the daemon's side of a check: pins what is to be read, answers which paths are known,
 * and changes the facts by what was found. */
#include "base/log.h"
#include "image/facts.h"
#include "image/job.h"
#include "image/protocol.h"
#include "image/rootfs_driver.h"
#include "spec/corten_store.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct check {
    struct images *images; /* NULL once they are closed */
    struct worker *worker;
    char name[24]; /* of its ingest directory */
    bool repair;
    VEC(struct layer_fact *) layers; /* pinned */
    VEC(struct blob *) blobs;        /* pinned */
    size_t removing;                 /* images; and one while the problems are looked at */
    struct arena arena;              /* of doc */
    struct store_check doc;
    void (*done)(void *arg, const struct store_check *doc, struct err e);
    void *arg;
};

/* --- what is known
 * ----------------------------------------------------------------------------------- */
/* stream: its tar, not its directory. */
static bool layer_known(const struct images *im, const char *name, bool stream) {
    size_t it = 0;
    void *p;
    while (map_next(&im->layers, &it, NULL, &p)) {
        const struct layer_fact *l = p;
        if ((!stream || l->stream) && strcmp(l->layer.name, name) == 0)
            return true;
    }
    LIST_FOR ((struct list *)(uintptr_t)&im->jobs, n) {
        const struct image_job *j = CONTAINER_OF(n, struct image_job, link);
        for (size_t i = 0; i < j->pending.n; i++)
            if (strcmp(j->pending.items[i]->layer.name, name) == 0)
                return true;
    }
    return reaper_has(im, name, NULL) || (stream && reaper_has_stream(im, name));
}

static bool ingest_known(const struct images *im, const char *name) {
    LIST_FOR ((struct list *)(uintptr_t)&im->jobs, n)
        if (strcmp(CONTAINER_OF(n, struct image_job, link)->name, name) == 0)
            return true;
    return rebuild_has(im, name) || strcmp(im->check->name, name) == 0 ||
           reaper_has(im, NULL, name);
}

static bool path_known(const struct images *im, struct str path) {
    struct digest d;
    CLEAN_FREE char *name = str_dup(str_from(path, MIN(path.len, (size_t)6)));
    CLEAN_FREE char *base = str_dup(str_from(path, MIN(path.len, strlen("base/"))));
    if (str_starts(path, STR("layer/")))
        return layer_known(im, name, false);
    if (str_starts(path, STR("stream/")))
        return layer_known(im, name + 1, true);
    if (str_starts(path, STR("base/"))) /* the bases of a layer; they go with it */
        return layer_known(im, base, false);
    if (str_starts(path, STR("ingest/")))
        return ingest_known(im, name + 1);
    bool partial = str_starts(path, STR("blob/partial/")) &&
                   path.len == strlen("blob/partial/") + 64;
    if (!partial &&
        (!str_starts(path, STR("blob/sha256/")) || path.len != strlen("blob/sha256/xx/") + 64))
        return false;
    CLEAN_FREE char *text = mem_printf("sha256:%.*s", STR_ARG(str_from(path, path.len - 64)));
    struct err e = digest_parse(str_of(text), &d);
    bool is_digest = !err_failed(e);
    err_ignore(e); /* then nobody made it */
    return is_digest && map_get(&im->blobs, digest_key(&d));
}

static void check_notice(void *arg, struct worker *w, struct msg *m) {
    struct check *k = arg;
    CLEAN_BUF struct buf answer = {0};
    struct str rest = m->body, value;
    uint16_t tag;
    if (!k->images || m->type != IMAGE_KNOWN)
        return;
    while (msg_next(&rest, &tag, &value))
        if (tag == TAG_NAME)
            msg_put_u64(&answer, TAG_HAVE, path_known(k->images, value));
    worker_reply(w, m->seq, buf_str(&answer), NULL, 0);
}

/* --- what was found
 * ---------------------------------------------------------------------------------- */
static const char *drop_blob(struct images *im, const struct digest *d) {
    struct blob *b = map_get(&im->blobs, digest_key(d));
    if (!b || b->state != ROW_PRESENT || b->pins > 0)
        return "in use: check again later";
    struct layer_fact *l = map_get(&im->layers, digest_key(&b->diff_id));
    struct store_txn *t = store_txn_new();
    store_add(t, "UPDATE blob SET state = 2 WHERE digest = ?", "b", digest_key(d));
    document_drop(im, b, t);
    store_commit(im->store, t, STORE_DURABLE, NULL, NULL);
    if (l && l->blob == b) {
        l->blob = NULL;
        map_del(&im->blob_of, digest_key(&b->diff_id));
    }
    b->state = ROW_REMOVING;
    reap_blob(im, b);
    return "removed: pull the image again to have it back";
}

static void check_end(struct check *k, struct err e) {
    k->done(k->arg, &k->doc, e);
    vec_done(&k->layers);
    vec_done(&k->blobs);
    arena_done(&k->arena);
    free(k);
}

/* Who hears of a repair finds it done. */
static void one_done(struct check *k) {
    if (--k->removing == 0)
        check_end(k, OK);
}

static void image_gone(void *arg, const struct image_removals *r UNUSED, struct err e) {
    err_ignore(e); /* with another layer of it, or by somebody else */
    one_done(arg);
}

static void apply_problem(struct check *k, struct store_problem *p, struct arena *a) {
    struct images *im = k->images;
    struct digest d;
    const char *done = NULL;
    struct err e = digest_parse(str_of(p->name), &d);
    bool is_digest = !err_failed(e);
    err_ignore(e); /* a path, then */
    if (!k->repair || !is_digest || *p->repair)
        return;
    struct layer_fact *l = map_get(&im->layers, digest_key(&d));
    if (str_starts(str_of(p->kind), STR("blob-"))) {
        done = drop_blob(im, &d);
    } else if (l && strcmp(p->kind, "layer-unproved") == 0) {
        done = "kept as it is";
    } else if (l && !l->blob) {
        k->removing += drop_images_of(im, l, "has a damaged layer", image_gone, k);
        done = "its images are removed";
    }
    if (done)
        p->repair = arena_strz(a, done);
}

/* A layer whose blob goes away is known by its tree from now on. */
static void apply_trees(struct images *im, const struct store_check *doc) {
    struct store_txn *t = store_txn_new();
    const struct store_tree *tree = doc->trees.items;
    for (size_t i = 0; i < doc->trees.n; i++) {
        struct digest diff_id, d;
        struct err e = digest_parse(str_of(tree[i].diff_id), &diff_id);
        if (!err_failed(e))
            e = digest_parse(str_of(tree[i].tree), &d);
        struct layer_fact *l = err_failed(e) ? NULL : map_get(&im->layers, digest_key(&diff_id));
        log_err(LOG_WARN, e, "image check");
        if (!l || (l->has_tree && digest_eq(&l->tree, &d)))
            continue;
        l->has_tree = true;
        l->tree = d;
        store_add(t, "UPDATE layer SET tree = ? WHERE id = ?", "bi", digest_key(&d), l->row);
    }
    store_commit(im->store, t, STORE_LAZY, NULL, NULL);
}

static void unpin(struct check *k) {
    struct images *im = k->images;
    bool unused = false;
    for (size_t i = 0; i < k->layers.n; i++)
        unused |= --k->layers.items[i]->pins == 0 && k->layers.items[i]->refs == 0;
    for (size_t i = 0; i < k->blobs.n; i++)
        k->blobs.items[i]->pins--;
    reap_ingest(im, k->name);
    if (unused)
        images_collect(im);
}

static void check_done(void *arg, struct str result, struct err e) {
    struct check *k = arg;
    struct images *im = k->images;
    if (!im) {
        err_ignore(e); /* the daemon stops: nobody waits */
        vec_done(&k->layers);
        vec_done(&k->blobs);
        free(k);
        return;
    }
    im->check = NULL;
    unpin(k);
    if (!err_failed(e))
        e = fields_decode(&store_check_fields, result, &k->arena, &k->doc);
    if (err_failed(e)) {
        check_end(k, e);
        return;
    }
    struct store_problem *p = k->doc.problems.items;
    k->removing = 1;
    apply_trees(im, &k->doc);
    for (size_t i = 0; i < k->doc.problems.n; i++) {
        apply_problem(k, &p[i], &k->arena);
        log_warn("image check: %s %s: %s%s%s", p[i].kind, p[i].name, p[i].what,
                 *p[i].repair ? "; " : "", p[i].repair);
    }
    k->doc.trees = (struct objs){0};
    one_done(k);
}

/* --- the start
 * --------------------------------------------------------------------------------------- */
static void put_digest(struct json_out *o, const char *key, const struct digest *d) {
    char text[DIGEST_TEXT_MAX];
    jo_kstr(o, key, digest_text(d, text));
}

/* Layers that are below the root of a running container: their directories must stay. */
static void find_used(const struct images *im, struct map *ret) {
    size_t it = 0;
    void *p;
    while (map_next(&im->by_id, &it, NULL, &p)) {
        struct image *i = &((struct image_fact *)p)->image;
        bool running = false;
        LIST_FOR (&i->holds, n)
            running |= CONTAINER_OF(n, struct image_hold, link)->running;
        for (size_t k = 0; running && k < i->layers_n; k++)
            map_set(ret, digest_key(&i->layers[k]->diff_id), i);
    }
}

static void put_layers(struct check *k, struct json_out *o) {
    CLEAN_MAP struct map used = {0};
    size_t it = 0;
    void *p;
    find_used(k->images, &used);
    jo_key(o, "layers");
    jo_arr(o);
    while (map_next(&k->images->layers, &it, NULL, &p)) {
        struct layer_fact *l = p;
        if (layer_suspect(l)) /* is unpacked again at this moment */
            continue;
        l->pins++;
        vec_push(&k->layers, l);
        jo_obj(o);
        put_digest(o, "diff_id", &l->layer.diff_id);
        jo_kstr(o, "name", l->layer.name);
        if (l->layer.base)
            jo_kstr(o, "base", l->layer.base);
        if (l->blob)
            put_digest(o, "blob", &l->blob->digest);
        if (l->has_tree)
            put_digest(o, "tree", &l->tree);
        jo_kbool(o, "stream", l->stream != 0);
        jo_kbool(o, "used", map_get(&used, digest_key(&l->layer.diff_id)) != NULL);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}

/* Where btrfs makes snapshots, the trees that it makes them of: layers top first. */
static void put_bases(struct check *k, struct json_out *o) {
    size_t it = 0;
    struct image *i;
    jo_key(o, "bases");
    jo_arr(o);
    while (faccessat(k->images->root_fd, "base", F_OK, 0) == 0 &&
           (i = images_next(k->images, &it)) != NULL) {
        const char *names[LAYER_DIRS_MAX];
        char path[ROOTFS_BASE_MAX];
        size_t dirs = layer_dirs(i, names);
        if (dirs == 0)
            continue;
        rootfs_base_path(names, dirs, path);
        jo_obj(o);
        jo_kstr(o, "path", path);
        jo_key(o, "layers");
        jo_arr(o);
        for (size_t n = 0; n < dirs; n++)
            jo_strz(o, names[n]);
        jo_arr_end(o);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}

static void put_blobs(struct check *k, struct json_out *o) {
    size_t it = 0;
    void *p;
    jo_key(o, "blobs");
    jo_arr(o);
    while (map_next(&k->images->blobs, &it, NULL, &p)) {
        struct blob *b = p;
        if (b->state != ROW_PRESENT)
            continue;
        b->pins++;
        vec_push(&k->blobs, b);
        jo_obj(o);
        put_digest(o, "digest", &b->digest);
        jo_ki64(o, "size", (int64_t)b->size);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}

void images_check(struct images *im, bool repair,
                  void (*done)(void *arg, const struct store_check *doc, struct err e), void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out o = {.out = &args};
    if (im->check) {
        done(arg, NULL, err_new(ERR_CONFLICT, "a check of the image store is already running"));
        return;
    }
    struct check *k = im->check = NEW(struct check);
    *k = (struct check){.images = im, .repair = repair, .done = done, .arg = arg};
    snprintf(k->name, sizeof(k->name), "%llu", (unsigned long long)++im->next_job);
    jo_obj(&o);
    jo_kstr(&o, "ingest", k->name);
    jo_kbool(&o, "repair", repair);
    put_layers(k, &o);
    put_blobs(k, &o);
    put_bases(k, &o);
    jo_obj_end(&o);
    struct worker_start s = {.program = im->worker_program,
                             .job = "image-check",
                             .args = buf_str(&args),
                             .fds = &im->root_fd,
                             .fds_n = 1,
                             .notice = check_notice,
                             .done = check_done,
                             .arg = k};
    k->worker = worker_start(im->loop, &s);
}

void check_detach(struct images *im) {
    if (im->check) {
        im->check->images = NULL;
        worker_cancel(im->check->worker);
        im->check = NULL;
    }
}
