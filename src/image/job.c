#include "image/job.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "http/body.h"
#include "image/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the end
 * ------------------------------------------------------------------------------------------ */
/* Returns whether it is a document that nobody keeps. */
static bool job_release_blob(struct images *im, struct blob *b) {
    if (--b->pins > 0)
        return false;
    if (b->state == ROW_PENDING && b->resumable &&
        !map_get(&im->blob_of, digest_key(&b->diff_id))) {
        partial_settle(im, b);
    } else if (b->state == ROW_PENDING) {
        b->state = ROW_REMOVING;
        reap_blob(im, b);
    } else if (b->state == ROW_PRESENT && b->resumable) {
        b->resumable = false;
        reap_partial(im, &b->digest);
    }
    return b->compression == BLOB_DOCUMENT && b->docs == 0 && b->state == ROW_PRESENT;
}

static void job_release_layers(struct image_job *j) {
    struct images *im = j->images;
    bool unused = false;
    for (size_t i = 0; i < j->pending.n; i++) {
        struct layer_fact *l = j->pending.items[i];
        l->state = ROW_REMOVING;
        reap_layer(im, l);
    }
    for (size_t i = 0; i < j->pinned.n; i++) {
        struct layer_fact *l = j->pinned.items[i];
        unused |= --l->pins == 0 && l->refs == 0;
    }
    for (size_t i = 0; i < j->blobs.n; i++)
        unused |= job_release_blob(im, j->blobs.items[i]);
    for (size_t i = 0; i < j->reads.n; i++) {
        struct image_fact *f = j->reads.items[i];
        if (--f->pins == 0 && f->image.removed && f->image.holds_n == 0)
            image_forget(f);
    }
    reap_ingest(im, j->name);
    if (unused)
        images_collect(im);
}

static void job_free(struct image_job *j) {
    list_remove(&j->link);
    watch_free(j->watch);
    fd_close(j->client);
    vec_done(&j->pending);
    vec_done(&j->pinned);
    vec_done(&j->blobs);
    vec_done(&j->reads);
    free(j);
}

static void job_finish(struct image_job *j, struct err e) {
    struct images *im = j->images;
    if (!im) {
        err_ignore(e); /* the daemon stops */
        for (size_t i = 0; i < j->pending.n; i++)
            free(j->pending.items[i]);
        job_free(j);
        return;
    }
    if (j->client >= 0 && (err_failed(e) || j->body) && err_kind(e) != ERR_CANCELLED) {
        struct http_taken client = {.fd = TAKE_FD(j->client)};
        j->watch = watch_free(j->watch);
        if (j->head_sent || !err_failed(e))
            http_taken_drain(im->loop, &client);
        else
            http_taken_refuse(im->loop, &client, e);
    }
    job_release_layers(j);
    image_done *done = j->done;
    void (*committed_fn)(void *, struct image *, struct err) = j->committed_fn;
    struct image_fact *f = j->committed ? map_get(&im->by_id, digest_key(&j->image)) : NULL;
    void *done_arg = j->arg;
    job_free(j);
    if (committed_fn)
        committed_fn(done_arg, f ? &f->image : NULL,
                     err_failed(e) || f ? e : err_new(ERR_SYSTEM, "the worker made no image"));
    else if (done)
        done(done_arg, e);
    else /* a client that left has its answer, or wants none */
        log_err(err_kind(e) == ERR_CANCELLED ? LOG_DEBUG : LOG_INFO, e, "image job");
}

static void job_done(void *arg, struct str result, struct err e) {
    struct image_job *j = arg;
    (void)result; /* everything was said by questions */
    j->ended = true;
    j->result = e;
    if (j->asking == 0)
        job_finish(j, e);
}

void job_asked(struct image_job *j) {
    if (--j->asking == 0 && j->ended)
        job_finish(j, j->result);
}

static void job_notice(void *arg, struct worker *w, struct msg *m) {
    struct image_job *j = arg;
    if (!j->images)
        return;
    if (m->type == IMAGE_HEAD)
        j->head_sent = true;
    else
        job_question(j, w, m);
}

/* The client hung up. Half a close of a client that still waits for the answer is none, except
 * where nothing can be told from it (TCP) and no body explains it. */
static void client_event(void *arg, unsigned events) {
    struct image_job *j = arg;
    struct pollfd p = {.fd = j->client, .events = POLLRDHUP};
    (void)events;
    if (poll(&p, 1, 0) <= 0)
        return;
    if ((p.revents & (POLLHUP | POLLERR)) || ((p.revents & POLLRDHUP) && !j->body)) {
        j->watch = watch_free(j->watch);
        worker_cancel(j->worker);
    } else if (p.revents & POLLRDHUP) {
        watch_set(j->watch, 0);
    }
}

void jobs_cancel(struct images *im) {
    while (!list_empty(&im->jobs)) {
        struct image_job *j = CONTAINER_OF(list_pop(&im->jobs), struct image_job, link);
        j->images = NULL;
        j->watch = watch_free(j->watch);
        worker_cancel(j->worker);
    }
}

/* --- the start
 * ---------------------------------------------------------------------------------------- */
static void describe_layer(struct json_out *o, const struct layer *layer) {
    const struct layer_fact *l = CONTAINER_OF(layer, struct layer_fact, layer);
    char text[DIGEST_TEXT_MAX];
    jo_obj(o);
    jo_kstr(o, "diff_id", digest_text(&layer->diff_id, text));
    jo_kstr(o, "name", layer->name);
    if (layer->base)
        jo_kstr(o, "base", layer->base);
    jo_ki64(o, "size", (int64_t)layer->size);
    if (l->blob) {
        jo_kstr(o, "blob", digest_text(&l->blob->digest, text));
        jo_ki64(o, "blob_size", (int64_t)l->blob->size);
        jo_ki64(o, "compression", l->blob->compression);
        if (l->blob->source)
            jo_kstr(o, "source", l->blob->source);
    }
    jo_obj_end(o);
}

static void describe_image(struct json_out *o, const struct image *i) {
    char text[REFERENCE_TEXT_MAX];
    jo_obj(o);
    jo_kstr(o, "id", i->id_text);
    jo_key(o, "config");
    jo_str(o, i->config_text);
    jo_kbool(o, "artifact", i->artifact != NULL);
    if (fact_of_const(i)->annotations_text)
        jo_kstr(o, "annotations", fact_of_const(i)->annotations_text);
    jo_key(o, "layers");
    jo_arr(o);
    for (size_t n = 0; n < i->layers_n; n++)
        describe_layer(o, i->layers[n]);
    jo_arr_end(o);
    jo_key(o, "documents");
    documents_describe(o, fact_of_const(i));
    jo_key(o, "tags");
    jo_arr(o);
    LIST_FOR (&i->tags, l)
        jo_strz(o, reference_text(&CONTAINER_OF(l, struct image_tag, link)->ref, text));
    jo_arr_end(o);
    jo_obj_end(o);
}

static void build_args(struct image_job *j, const struct image_job_new *n, struct buf *out) {
    struct json_out o = {.out = out};
    jo_obj(&o);
    jo_kstr(&o, "ingest", j->name);
    jo_kbool(&o, "client", n->client != NULL);
    jo_kbool(&o, "body", n->client && n->body);
    jo_key(&o, "images");
    jo_arr(&o);
    for (size_t i = 0; i < n->images_n; i++)
        describe_image(&o, n->images[i]);
    jo_arr_end(&o);
    if (n->args.len > 0) {
        buf_addc(out, ',');
        buf_add_str(out, n->args);
    }
    jo_obj_end(&o);
}

/* The state of the request's body and what was read of it, for the worker. */
static struct err pack_body(const struct http_taken *t, int *ret_fd) {
    CLEAN_BUF struct buf packed = {0};
    http_body_pack(&t->body, buf_str(&t->early), &packed);
    CLEAN_FD
    int fd = memfd_create("corten-body", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, packed.data, packed.len, 0) != (ssize_t)packed.len)
        return err_errno(errno, "pass the request's body on");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err take_client(struct image_job *j, const struct image_job_new *n, int *ret_body) {
    if (!n->client)
        return OK;
    j->client = TAKE_FD(n->client->fd);
    TRY(fd_set_nonblock(j->client, false));
    return n->body ? pack_body(n->client, ret_body) : OK;
}

static void run_worker(struct image_job *j, const struct image_job_new *n, int body) {
    CLEAN_BUF struct buf args = {0};
    build_args(j, n, &args);
    int fds[MSG_FDS_MAX];
    size_t fds_n = 0;
    fds[fds_n++] = j->images->root_fd;
    if (j->client >= 0)
        fds[fds_n++] = j->client;
    if (body >= 0)
        fds[fds_n++] = body;
    for (size_t i = 0; i < n->fds_n && fds_n < MSG_FDS_MAX; i++)
        fds[fds_n++] = n->fds[i];
    struct worker_start s = {
        .program = j->images->worker_program,
        .job = n->job,
        .args = buf_str(&args),
        .fds = fds,
        .fds_n = fds_n,
        .notice = job_notice,
        .done = job_done,
        .arg = j,
    };
    j->worker = worker_start(j->images->loop, &s);
}

void job_start(struct images *im, const struct image_job_new *n) {
    struct image_job *j = NEW(struct image_job);
    j->images = im;
    j->client = -1;
    j->body = n->body;
    j->resumable = n->resumable;
    j->lazy = n->lazy;
    j->done = n->done;
    j->committed_fn = n->committed_fn;
    j->arg = n->arg;
    snprintf(j->name, sizeof(j->name), "%llu", (unsigned long long)++im->next_job);
    list_push(&im->jobs, &j->link);
    for (size_t i = 0; i < n->images_n; i++) {
        fact_of(n->images[i])->pins++;
        vec_push(&j->reads, fact_of(n->images[i]));
    }
    CLEAN_FD
    int body = -1;
    struct err e = take_client(j, n, &body);
    if (n->client)
        http_taken_done(n->client);
    if (err_failed(e)) {
        job_done(j, STR_NONE, e);
        return;
    }
    run_worker(j, n, body);
    if (j->client >= 0)
        j->watch = watch_new(im->loop, j->client, WATCH_HANGUP, client_event, j);
}

void image_job_refuse(struct images *im, struct http_taken *client, image_done *done, void *arg,
                      struct err e) {
    if (client)
        http_taken_refuse(im->loop, client, e);
    if (done)
        done(arg, e);
    else
        err_ignore(e); /* the client has it */
}

void image_job_start(struct images *im, const struct image_job_start *s) {
    struct image_job_new n = {.job = s->job,
                              .args = s->args,
                              .client = s->client,
                              .body = s->body,
                              .resumable = s->resumable,
                              .images = s->images,
                              .images_n = s->images_n,
                              .done = s->done,
                              .arg = s->arg};
    job_start(im, &n);
}
