/* push_job.c - the job "registry-push": blobs that the registry lacks, then the manifest. */
#include "registry/jobs.h"
#include "registry/push_manifest.h"
#include "registry/registry.h"
#include "registry/upload.h"
#include "registry/upload_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_NS 100000000
#define PARALLEL 5 /* layers at a time, as the peer */

enum phase { PHASE_WAITING, PHASE_PUSHING, PHASE_EXISTS, PHASE_MOUNTED, PHASE_PUSHED };

struct task {
    const struct ingest_layer *l;
    const struct push_found *found; /* how the registry has it already */
    char id[13];
    _Atomic int phase;
    _Atomic uint64_t sent;
    struct err result;
    int shown_phase;
    uint64_t shown;
};

struct pushing {
    struct ingest *in;
    struct registry *registry;
    struct task *tasks;
    size_t n;
    _Atomic size_t next, left;
    _Atomic bool failed;
    int memory_fd;
};

/* --- one blob
 * ------------------------------------------------------------------------------------------- */
/* The repository on the same registry that has the blob already, or NULL. */
static const char *mount_source(const struct registry *r, const char *source) {
    size_t host = strlen(r->shown);
    if (!source || strncmp(source, r->shown, host) != 0 || source[host] != '/' ||
        strcmp(source + host + 1, r->path) == 0)
        return NULL;
    return source + host + 1;
}

static struct err push_one(struct pushing *p, struct registry *r, struct task *t) {
    static const enum phase phases[] = {[UPLOAD_EXISTED] = PHASE_EXISTS,
                                        [UPLOAD_MOUNTED] = PHASE_MOUNTED,
                                        [UPLOAD_SENT] = PHASE_PUSHED};
    CLEAN_FD
    int fd = -1;
    enum upload_how how;
    if (t->found->how != FOUND_NOT) {
        atomic_store(&t->phase, t->found->how == FOUND_EXISTS ? PHASE_EXISTS : PHASE_MOUNTED);
        return OK;
    }
    TRY(ingest_open_blob(p->in, &t->l->blob, &fd));
    struct upload u = {.digest = &t->l->blob,
                       .fd = fd,
                       .size = t->l->blob_size,
                       .from = mount_source(r, t->l->source),
                       .sent = &t->sent,
                       .abort = &p->failed,
                       .memory_fd = p->memory_fd};
    TRY(upload_blob(r, &u, &how));
    atomic_store(&t->phase, phases[how]);
    return OK;
}

static void *push_thread(void *arg) {
    struct pushing *p = arg;
    CLEAN_REGISTRY struct registry *r = registry_clone(p->registry);
    size_t i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->n) {
        struct task *t = &p->tasks[i];
        if (!atomic_load(&p->failed)) {
            atomic_store(&t->phase, PHASE_PUSHING);
            t->result = push_one(p, r, t);
        }
        if (err_failed(t->result))
            atomic_store(&p->failed, true);
        atomic_fetch_sub(&p->left, 1);
    }
    return NULL;
}

/* --- what the client sees
 * --------------------------------------------------------------------------------- */
static struct err show_task(struct pushing *p, struct task *t) {
    int phase = atomic_load(&t->phase);
    uint64_t sent = atomic_load(&t->sent);
    if ((phase == PHASE_PUSHING || phase == PHASE_PUSHED) && sent != t->shown) {
        t->shown = sent;
        TRY(answer_progress(p->in, t->id, "Pushing", sent, t->l->blob_size));
    }
    if (phase == t->shown_phase)
        return OK;
    t->shown_phase = phase;
    if (phase == PHASE_EXISTS)
        return answer_progress(p->in, t->id, "Layer already exists", 0, 0);
    if (phase == PHASE_MOUNTED) {
        const char *from = t->found->from ? t->found->from
                                          : mount_source(p->registry, t->l->source);
        CLEAN_FREE
        char *text = mem_printf("Mounted from %s", from);
        return answer_progress(p->in, t->id, text, 0, 0);
    }
    return phase == PHASE_PUSHED ? answer_progress(p->in, t->id, "Pushed", 0, 0) : OK;
}

static struct err show_all(struct pushing *p) {
    for (size_t i = 0; i < p->n; i++)
        TRY(answer_progress(p->in, p->tasks[i].id, "Preparing", 0, 0));
    for (size_t i = PARALLEL; i < p->n; i++)
        TRY(answer_progress(p->in, p->tasks[i].id, "Waiting", 0, 0));
    for (bool finished = false; !finished;) {
        finished = atomic_load(&p->left) == 0;
        for (size_t i = 0; i < p->n; i++)
            TRY(show_task(p, &p->tasks[i]));
        if (!finished)
            nanosleep(&(struct timespec){0, TICK_NS}, NULL);
    }
    return OK;
}

static struct err push_all(struct pushing *p) {
    pthread_t threads[PARALLEL];
    size_t started = 0;
    atomic_store(&p->left, p->n);
    while (started < MIN(p->n, (size_t)PARALLEL) &&
           pthread_create(&threads[started], NULL, push_thread, p) == 0)
        started++;
    if (started == 0 && p->n > 0)
        return err_new(ERR_SYSTEM, "start a thread: Resource temporarily unavailable");
    struct err e = show_all(p);
    if (err_failed(e))
        atomic_store(&p->failed, true);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    for (size_t i = 0; i < p->n; i++) {
        if (err_failed(e))
            err_ignore(p->tasks[i].result); /* the first cause is told */
        else
            e = p->tasks[i].result;
    }
    return e;
}

static struct err add_task(struct pushing *p, struct ingest_layer *l,
                           const struct push_found *found) {
    char hex[65];
    if (!l->has_blob && found->how == FOUND_NOT)
        TRY(ingest_make_blob(p->in, l));
    for (size_t k = 0; k < p->n; k++)
        if (digest_eq(&p->tasks[k].l->diff_id, &l->diff_id))
            return OK;
    struct task *t = &p->tasks[p->n++];
    t->l = l;
    t->found = found;
    snprintf(t->id, sizeof(t->id), "%.12s", digest_hex(&l->diff_id, hex));
    return OK;
}

static struct err push_layers(struct ingest *in, struct registry *r, struct ingest_image *image,
                              const struct push_plan *plan) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_FD int memory = upload_memory_open(in->root_fd);
    struct pushing p = {.in = in, .registry = r, .memory_fd = memory};
    p.tasks = arena_array(&a, image->layers_n + 1, sizeof(*p.tasks));
    for (size_t i = image->layers_n; i-- > 0;) /* top first, as the peer lists them */
        TRY(add_task(&p, &image->layers[i], &plan->found[i]));
    return push_all(&p);
}

/* --- the end of it --------------------------------------------------------------------------- */
static struct err report(struct ingest *in, const char *tag, struct str manifest) {
    CLEAN_BUF struct buf aux = {0};
    struct json_out o = {.out = &aux};
    struct digest d;
    char text[DIGEST_TEXT_MAX];
    digest_of(manifest, &d);
    digest_text(&d, text);
    TRY(answer_status_line(in, NULL, "%s: digest: %s size: %zu", tag, text, manifest.len));
    jo_obj(&o);
    jo_kstr(&o, "Tag", tag);
    jo_kstr(&o, "Digest", text);
    jo_ki64(&o, "Size", (int64_t)manifest.len);
    jo_obj_end(&o);
    return answer_aux(in, buf_str(&aux));
}

/* Remembers the digest as one of the image's, and the repository as a source of its blobs; a
 * manifest that we made is kept, so that it stays the same from now on. */
static struct err commit_pushed(struct ingest *in, const struct reference *ref,
                                const struct registry *r, const struct ingest_image *image,
                                struct str manifest, const struct ingest_documents *docs) {
    char name[REFERENCE_TEXT_MAX];
    CLEAN_FREE
    char *source = mem_printf("%s/%s", r->shown, r->path);
    struct reference digest = *ref;
    digest.tag[0] = '\0';
    digest.has_digest = true;
    digest_of(manifest, &digest.digest);
    struct ingest_commit c = {.config = image->config,
                              .layers = image->layers,
                              .layers_n = image->layers_n,
                              .tags = &digest,
                              .tags_n = 1,
                              .event = "push",
                              .event_name = reference_familiar(ref, name),
                              .source = source,
                              .documents = docs,
                              .artifact = image->artifact};
    return ingest_commit(in, &c);
}

/* The manifest as it came, after its blobs; what it speaks about learns of it. */
static struct err push_artifact(struct ingest *in, struct registry *r, struct ingest_image *image,
                                const struct reference *ref) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_manifest m;
    struct ingest_image blobs = *image;
    struct push_plan plan = {0};
    TRY(ingest_artifact(image, &a, &m, &blobs.layers, &blobs.layers_n));
    const char *source = push_source(r, image, &a);
    for (size_t i = 0; i < blobs.layers_n; i++)
        blobs.layers[i].source = source;
    plan.found = arena_array(&a, blobs.layers_n + 1, sizeof(*plan.found));
    TRY(push_layers(in, r, &blobs, &plan));
    TRY(push_referrer(r, ref->tag, image->config, &m));
    struct ingest_image bare = *image;
    bare.layers_n = 0;
    TRY(commit_pushed(in, ref, r, &bare, image->config, NULL));
    return report(in, ref->tag, image->config);
}

static struct err push_tag(struct ingest *in, struct registry *r, struct ingest_image *image,
                           const struct reference *ref) {
    CLEAN_BUF struct buf scratch = {0};
    CLEAN_PLAN struct push_plan plan = {0};
    struct ingest_documents docs = {0};
    struct str manifest;
    bool made;
    TRY(push_plan_make(in, r, image, ref, &plan));
    TRY(push_layers(in, r, image, &plan));
    TRY(push_documents(in, r, image, ref->tag, &plan, &scratch, &manifest, &made));
    struct err e = made ? ingest_document_add(in, DOCUMENT_MANIFEST, manifest, &docs) : OK;
    if (!err_failed(e))
        e = ingest_documents_place(in, &docs);
    if (!err_failed(e))
        e = commit_pushed(in, ref, r, image, manifest, &docs);
    vec_done(&docs);
    TRY(e);
    return report(in, ref->tag, manifest);
}

static struct err push_run(struct ingest *in) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_SETTINGS struct job_settings s = {0};
    CLEAN_REGISTRY struct registry *r = NULL;
    struct str refused = ingest_arg(in, "refused");
    if (refused.len > 0) {
        TRY(answer_status_line(in, NULL, "The push refers to repository [%.*s]",
                               STR_ARG(ingest_arg(in, "repository"))));
        return err_new(ERR_NOT_FOUND, "%.*s", STR_ARG(refused));
    }
    TRY(job_settings_read(in, &s));
    const struct json *refs = json_get(in->args, "refs"); /* one list for each image */
    for (size_t i = 0; i < ingest_images_n(in); i++) {
        struct ingest_image image;
        TRY(ingest_image(in, i, &a, &image));
        const struct json *own = json_at(refs, i);
        for (size_t k = 0; k < json_len(own); k++) {
            struct reference ref;
            char name[REFERENCE_TEXT_MAX];
            TRY(reference_parse(json_str(json_at(own, k)), &ref));
            if (!r) {
                /* First, as the peer does: a 401 instead would make the CLI ask for a password. */
                TRY(answer_status_line(in, NULL, "The push refers to repository [%s]",
                                       reference_name(&ref, name)));
                TRY(job_open_registry(in, &s, &ref, "pull,push", NULL, &r));
            }
            TRY(image.artifact ? push_artifact(in, r, &image, &ref)
                               : push_tag(in, r, &image, &ref));
        }
    }
    return OK;
}

struct err registry_push_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, true, &in));
    return ingest_end(&in, push_run(&in));
}
