#include "registry/pull_documents.h"
#include "base/log.h"
#include "base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct text {
    enum document_kind kind;
    struct buf bytes;
};

struct attestations {
    struct registry *registry;
    const struct fetched *fetched;
    pthread_t thread;
    bool running;
    _Atomic bool stop;
    size_t bytes;
    VEC(struct text) texts; /* only whole attestations */
};

static bool is_attestation(const struct oci_descriptor *d, const char *of) {
    const char *type = strmap_get(&d->annotations, "vnd.docker.reference.type");
    const char *about = strmap_get(&d->annotations, "vnd.docker.reference.digest");
    return type && about && strcmp(type, "attestation-manifest") == 0 && strcmp(about, of) == 0 &&
           oci_is_manifest(d->media_type);
}

static struct err room_for(struct attestations *a, int64_t size) {
    if (size < 0 || (uint64_t)size > ATTESTATION_BYTES_MAX - a->bytes)
        return err_new(ERR_INVALID, "attestations are larger than %u bytes", ATTESTATION_BYTES_MAX);
    if (atomic_load(&a->stop))
        return err_new(ERR_CANCELLED, "the pull has ended");
    a->bytes += (size_t)size;
    return OK;
}

static void add_text(struct attestations *a, enum document_kind kind, struct str text) {
    struct text *t = vec_add(&a->texts);
    t->kind = kind;
    buf_add_str(&t->bytes, text);
}

static struct err fetch_part(struct attestations *a, const struct oci_descriptor *d) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct digest wanted, got;
    CLEAN_FREE
    char *url = mem_printf("blobs/%s", d->digest);
    TRY(digest_parse(str_of(d->digest), &wanted));
    TRY(room_for(a, d->size));
    struct registry_call c = {
        .method = "GET", .url = url, .body_fd = -1, .max = (size_t)d->size, .redirects = true};
    TRY(registry_call(a->registry, &c, &answer));
    if (answer.status != 200)
        return registry_error(a->registry, &answer, "attestation");
    digest_of(buf_str(&answer.body), &got);
    if (!digest_eq(&got, &wanted))
        return err_new(ERR_INVALID, "attestation has another digest than %s", d->digest);
    add_text(a, DOCUMENT_BLOB, buf_str(&answer.body));
    return OK;
}

static struct err fetch_parts(struct attestations *a, const struct oci_descriptor *entry) {
    CLEAN_DOCUMENT struct document d = {0};
    TRY(room_for(a, entry->size));
    TRY(fetch_document(a->registry, entry->digest, entry->digest, &d));
    if (d.is_index || d.text.len != (size_t)entry->size)
        return err_new(ERR_INVALID, "attestation %s is not what the index says", entry->digest);
    const struct oci_descriptor *layers = d.manifest.layers.items;
    TRY(fetch_part(a, &d.manifest.config));
    for (size_t i = 0; i < d.manifest.layers.n; i++)
        TRY(fetch_part(a, &layers[i]));
    add_text(a, DOCUMENT_MANIFEST, buf_str(&d.text));
    return OK;
}

/* One that is not whole leaves nothing. */
static void fetch_one(struct attestations *a, const struct oci_descriptor *entry) {
    size_t before = a->texts.n;
    struct err e = fetch_parts(a, entry);
    if (!err_failed(e))
        return;
    while (a->texts.n > before)
        buf_done(&a->texts.items[--a->texts.n].bytes);
    log_err(LOG_INFO, e, "attestation %s is left out", entry->digest);
}

static void *fetch_thread(void *arg) {
    struct attestations *a = arg;
    char chosen[DIGEST_TEXT_MAX];
    const struct oci_index *index = &a->fetched->named.index;
    const struct oci_descriptor *entries = index->manifests.items;
    size_t n = 0;
    digest_text(&a->fetched->chosen.digest, chosen);
    for (size_t i = 0; i < index->manifests.n && n < ATTESTATIONS_MAX; i++) {
        if (!is_attestation(&entries[i], chosen))
            continue;
        fetch_one(a, &entries[i]);
        n++;
    }
    return NULL;
}

struct attestations *attestations_start(const struct registry *r, const struct fetched *f) {
    char chosen[DIGEST_TEXT_MAX];
    bool any = false;
    const struct oci_descriptor *entries = f->named.index.manifests.items;
    if (!f->named.is_index)
        return NULL;
    digest_text(&f->chosen.digest, chosen);
    for (size_t i = 0; i < f->named.index.manifests.n; i++)
        any |= is_attestation(&entries[i], chosen);
    if (!any)
        return NULL;
    struct attestations *a = NEW(struct attestations);
    a->registry = registry_clone(r);
    a->fetched = f;
    a->running = pthread_create(&a->thread, NULL, fetch_thread, a) == 0;
    return a;
}

static void attestations_join(struct attestations *a) {
    if (a->running)
        pthread_join(a->thread, NULL);
    a->running = false;
}

struct err attestations_end(struct attestations *a, struct ingest *in, const struct fetched *f,
                            struct ingest_documents *docs) {
    if (a) {
        attestations_join(a);
        for (size_t i = 0; i < a->texts.n; i++)
            TRY(ingest_document_add(in, a->texts.items[i].kind, buf_str(&a->texts.items[i].bytes),
                                    docs));
    }
    const struct document *own = f->named.is_index ? &f->chosen : &f->named;
    TRY(ingest_document_add(in, DOCUMENT_MANIFEST, buf_str(&own->text), docs));
    if (f->named.is_index) /* last: the newest says what the image is */
        TRY(ingest_document_add(in, DOCUMENT_INDEX, buf_str(&f->named.text), docs));
    return OK;
}

void attestations_free(struct attestations *a) {
    if (!a)
        return;
    atomic_store(&a->stop, true);
    attestations_join(a);
    for (size_t i = 0; i < a->texts.n; i++)
        buf_done(&a->texts.items[i].bytes);
    vec_done(&a->texts);
    registry_free(a->registry);
    free(a);
}
