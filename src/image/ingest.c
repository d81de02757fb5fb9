#include "image/ingest.h"
#include "base/file.h"
#include "base/mem.h"
#include "image/protocol.h"
#include "image/spread.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BODY_HEAD_MAX (4u << 20) /* state and early bytes of a request's body */

/* What unpacking needs: owners, devices, set-id bits, file capabilities, trusted.* attributes. */
static const int kept_capabilities[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER,   CAP_FSETID,
                                        CAP_MKNOD, CAP_SETFCAP,      CAP_SYS_ADMIN};

static int drop_capabilities(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2], keep[2] = {{0}};
    if (syscall(SYS_capget, &head, have) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LEN(kept_capabilities); i++) {
        int c = kept_capabilities[i];
        keep[c / 32].permitted |= have[c / 32].permitted & (1u << (c % 32));
        keep[c / 32].effective = keep[c / 32].permitted;
    }
    return syscall(SYS_capset, &head, keep) < 0 ? -errno : 0;
}

/* The process parses foreign bytes: it gives up what it does not need before the first of them. */
static struct err drop_privileges(bool network) {
    umask(0);
    if (!network && unshare(CLONE_NEWNET) < 0 && errno != EPERM)
        return err_errno(errno, "leave the network");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(errno, "set no_new_privs");
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    int r = drop_capabilities();
    return r < 0 ? err_errno(r, "drop capabilities") : OK;
}

static struct err open_dir(int dir, const char *name, int *ret_fd) {
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open image directory %s", name);
    *ret_fd = fd;
    return OK;
}

static struct err open_ingest_dir(struct ingest *in) {
    struct str name = ingest_arg(in, "ingest");
    CLEAN_FREE
    char *path = mem_printf("ingest/%.*s", STR_ARG(name));
    if (name.len == 0 || str_find(name, '/') >= 0 || str_find(name, '.') >= 0)
        return err_new(ERR_INVALID, "image job without an ingest directory");
    if (mkdirat(in->root_fd, path, 0700) < 0 && errno != EEXIST)
        return err_errno(errno, "make %s", path);
    TRY(open_dir(in->root_fd, path, &in->dir_fd));
    spread_inodes(in->dir_fd);
    return OK;
}

static struct err open_body(struct ingest *in, int fd) {
    CLEAN_BUF struct buf packed = {.max = BODY_HEAD_MAX};
    struct http_body_state state;
    struct str early;
    lseek(fd, 0, SEEK_SET);
    int r = fd_read_buf(fd, &packed);
    if (r < 0 || packed.overflow)
        return err_errno(r < 0 ? r : -E2BIG, "read the state of the request");
    TRY(http_body_unpack(buf_str(&packed), &state, &early));
    in->body = http_body_new(in->client, &state, early);
    return OK;
}

/* A job ends with the daemon that started it: the next one would not know what it writes. The lock,
 * given back by the kernel after the last write, is what that one waits for (open.c). */
static struct err die_with_the_daemon(struct ingest *in) {
    in->lock_fd = openat(in->root_fd, "ingest", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in->lock_fd < 0 || flock(in->lock_fd, LOCK_SH | LOCK_NB) < 0)
        return err_errno(errno, "lock directory image/ingest");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(errno, "ask to end with the daemon");
    return worker_orphaned(in->ctx) ? err_new(ERR_CANCELLED, "the daemon is gone") : OK;
}

static struct err open_all(struct ingest *in, const int *fds, size_t fds_n) {
    size_t next = 1;
    bool client = json_bool(json_get(in->args, "client"), false);
    bool body = json_bool(json_get(in->args, "body"), false);
    if (fds_n < 1 + (size_t)client + (size_t)body)
        return err_new(ERR_INVALID, "image job without its descriptors");
    in->root_fd = fds[0];
    if (client)
        in->client = fds[next++];
    if (body)
        TRY(open_body(in, fds[next++]));
    in->extra = fds + next;
    in->extra_n = fds_n - next;
    in->quiet = json_bool(json_get(in->args, "quiet"), false);
    TRY(die_with_the_daemon(in));
    TRY(open_dir(in->root_fd, "layer", &in->layer_fd));
    TRY(open_dir(in->root_fd, "blob/sha256", &in->blob_fd));
    return open_ingest_dir(in);
}

struct err ingest_open(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                       bool network, struct ingest *ret) {
    *ret = (struct ingest){.ctx = ctx,
                           .root_fd = -1,
                           .lock_fd = -1,
                           .layer_fd = -1,
                           .blob_fd = -1,
                           .dir_fd = -1,
                           .client = -1};
    TRYF(json_parse(args, &ret->args), "arguments of an image job");
    TRY(open_all(ret, fds, fds_n));
    return drop_privileges(network);
}

void ingest_done(struct ingest *in) {
    http_body_free(in->body);
    json_free(in->args);
    fd_close(in->layer_fd);
    fd_close(in->blob_fd);
    fd_close(in->dir_fd);
    fd_close(in->lock_fd);
    in->body = NULL;
    in->args = NULL;
    in->layer_fd = in->blob_fd = in->dir_fd = in->lock_fd = -1;
}

struct str ingest_arg(const struct ingest *in, const char *key) {
    return json_str(json_get(in->args, key));
}

struct stream *ingest_body(struct ingest *in) {
    return in->body ? http_body_stream(in->body, false) : stream_mem(STR_NONE);
}

/* --- questions
 * ----------------------------------------------------------------------------------------- */
static struct err ask(struct ingest *in, uint32_t type, const struct buf *body, struct msg *ret) {
    TRY(worker_ask(in->ctx, type, buf_str(body), ret));
    struct err e = msg_get_err(ret->body, TAG_ERROR);
    if (err_failed(e))
        msg_done(ret);
    return e;
}

struct err ingest_has_image(struct ingest *in, const struct digest *id, bool *ret) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_MSG struct msg m = {0};
    msg_put(&body, TAG_SAME, str_n((const char *)id->bytes, SHA256_SIZE));
    TRY(ask(in, IMAGE_HAS, &body, &m));
    *ret = msg_get_u64(m.body, TAG_HAVE) == 1;
    return OK;
}

static void put_document_record(struct buf *body, const struct ingest_document *d) {
    struct blob_record r = {.size = d->size, .compression = BLOB_DOCUMENT};
    memcpy(r.digest, d->digest.bytes, sizeof(r.digest));
    memcpy(r.diff_id, d->digest.bytes, sizeof(r.diff_id));
    msg_put(body, TAG_BLOB, str_n(&r, sizeof(r)));
}

struct err ingest_documents_reserve(struct ingest *in, struct ingest_documents *docs) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_MSG struct msg m = {0};
    if (docs->n == 0)
        return OK;
    for (size_t i = 0; i < docs->n; i++)
        put_document_record(&body, &docs->items[i]);
    TRY(ask(in, IMAGE_RESERVE, &body, &m));
    struct str rest = m.body, value;
    uint16_t tag;
    size_t at = 0;
    while (msg_next(&rest, &tag, &value)) {
        uint64_t have;
        if (tag != TAG_HAVE || value.len != sizeof(have) || at == docs->n)
            continue;
        memcpy(&have, value.p, sizeof(have));
        docs->items[at++].have = have != 0;
    }
    return at == docs->n ? OK : err_new(ERR_SYSTEM, "the daemon's answer is too short");
}

struct err ingest_documents_place(struct ingest *in, struct ingest_documents *docs) {
    TRY(ingest_documents_reserve(in, docs));
    return ingest_place_documents(in, docs);
}

static void put_documents(struct buf *body, const struct ingest_documents *docs) {
    for (size_t i = 0; docs && i < docs->n; i++) {
        struct document_record r = {.kind = docs->items[i].kind};
        memcpy(r.digest, docs->items[i].digest.bytes, sizeof(r.digest));
        msg_put(body, TAG_DOCUMENT, str_n(&r, sizeof(r)));
    }
}

static void put_annotations(struct buf *body, const struct oci_annotations *x) {
    CLEAN_BUF struct buf text = {0};
    if (x && x->all.n)
        fields_print(&oci_annotations_fields, x, &text);
    if (x)
        msg_put(body, TAG_ANNOTATIONS, buf_str(&text));
}

static void put_blob_record(struct buf *body, const struct ingest_layer *l) {
    struct blob_record r = {.size = l->blob_size, .compression = (uint64_t)l->compression};
    memcpy(r.digest, l->blob.bytes, sizeof(r.digest));
    memcpy(r.diff_id, l->diff_id.bytes, sizeof(r.diff_id));
    msg_put(body, TAG_BLOB, str_n(&r, sizeof(r)));
}

struct err ingest_reserve(struct ingest *in, struct ingest_layer *layers, size_t n) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_MSG struct msg m = {0};
    for (size_t i = 0; i < n; i++) {
        msg_put(&body, TAG_LAYER, str_n(layers[i].diff_id.bytes, SHA256_SIZE));
        if (layers[i].has_blob)
            put_blob_record(&body, &layers[i]);
    }
    TRY(ask(in, IMAGE_RESERVE, &body, &m));
    struct str rest = m.body, value;
    uint16_t tag;
    size_t at = 0, blob_at = 0;
    while (msg_next(&rest, &tag, &value)) {
        if (tag == TAG_NAME && at < n) {
            struct ingest_layer *l = &layers[at++];
            l->have = value.len == 0;
            snprintf(l->name, sizeof(l->name), "%.*s", STR_ARG(value));
        } else if (tag == TAG_HAVE && value.len == sizeof(uint64_t)) {
            while (blob_at < n && !layers[blob_at].has_blob)
                blob_at++;
            uint64_t have;
            memcpy(&have, value.p, sizeof(have));
            if (blob_at < n)
                layers[blob_at++].have_blob = have != 0;
        }
    }
    return at == n ? OK : err_new(ERR_SYSTEM, "the daemon's answer is too short");
}

static void put_layer_done(struct buf *body, const struct ingest_layer *l) {
    struct layer_record r = {
        .size = l->size, .stacked = l->base[0] != '\0', .own = l->own, .stream = l->stream};
    memcpy(r.diff_id, l->diff_id.bytes, sizeof(r.diff_id));
    memcpy(r.base, l->base_id.bytes, sizeof(r.base));
    msg_put(body, TAG_LAYER_DONE, str_n(&r, sizeof(r)));
}

struct err ingest_commit(struct ingest *in, const struct ingest_commit *c) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_MSG struct msg m = {0};
    char text[REFERENCE_TEXT_MAX];
    for (size_t i = 0; i < c->layers_n; i++) {
        const struct ingest_layer *l = &c->layers[i];
        if (!l->have)
            put_layer_done(&body, l);
        if (l->has_blob && (!l->have_blob || c->source))
            msg_put(&body, TAG_BLOB, str_n(l->blob.bytes, SHA256_SIZE));
    }
    if (c->config.len > 0)
        msg_put(&body, TAG_CONFIG, c->config);
    if (c->artifact)
        msg_put(&body, TAG_ARTIFACT, STR(""));
    if (c->parent)
        msg_put(&body, TAG_PARENT, str_n(c->parent->bytes, SHA256_SIZE));
    for (size_t i = 0; i < c->tags_n; i++)
        msg_putz(&body, TAG_TAG, reference_text(&c->tags[i], text));
    put_documents(&body, c->documents);
    put_annotations(&body, c->annotations);
    msg_putz(&body, TAG_EVENT, c->event);
    msg_putz(&body, TAG_EVENT_NAME, c->event_name);
    msg_putz(&body, TAG_SOURCE, c->source);
    msg_putz(&body, TAG_CACHE_KEY, c->cache_key);
    if (c->same)
        msg_put(&body, TAG_SAME, str_n(c->same->bytes, SHA256_SIZE));
    return ask(in, IMAGE_COMMIT, &body, &m);
}

/* --- described images
 * ----------------------------------------------------------------------------------- */
size_t ingest_images_n(const struct ingest *in) {
    return json_len(json_get(in->args, "images"));
}

static struct err described_layer(const struct json *j, struct arena *a, struct ingest_layer *ret) {
    uint64_t compression = 0;
    TRY(digest_parse(json_str(json_get(j, "diff_id")), &ret->diff_id));
    struct str name = json_str(json_get(j, "name")), blob = json_str(json_get(j, "blob"));
    struct str source = json_str(json_get(j, "source"));
    struct str base = json_str(json_get(j, "base"));
    snprintf(ret->name, sizeof(ret->name), "%.*s", STR_ARG(name));
    snprintf(ret->base, sizeof(ret->base), "%.*s", STR_ARG(base));
    ret->have = true;
    json_u64(json_get(j, "size"), &ret->size);
    if (blob.len == 0)
        return OK;
    ret->has_blob = ret->have_blob = true;
    json_u64(json_get(j, "blob_size"), &ret->blob_size);
    json_u64(json_get(j, "compression"), &compression);
    ret->compression = (enum compression)compression;
    ret->source = source.len ? arena_str(a, source) : NULL;
    return digest_parse(blob, &ret->blob);
}

static struct err described_documents(const struct json *j, struct arena *a,
                                      struct ingest_image *ret) {
    size_t n = json_len(j);
    struct ingest_document *d = arena_array(a, n + 1, sizeof(*d));
    for (size_t i = 0; i < n; i++) {
        int64_t kind = 0;
        TRY(digest_parse(json_str(json_get(json_at(j, i), "digest")), &d[i].digest));
        json_u64(json_get(json_at(j, i), "size"), &d[i].size);
        json_i64(json_get(json_at(j, i), "kind"), &kind);
        d[i].kind = (enum document_kind)kind;
        d[i].have = true;
    }
    ret->documents = d;
    ret->documents_n = n;
    return OK;
}

struct err ingest_image(const struct ingest *in, size_t i, struct arena *a,
                        struct ingest_image *ret) {
    const struct json *j = json_at(json_get(in->args, "images"), i);
    const struct json *layers = json_get(j, "layers"), *tags = json_get(j, "tags");
    *ret = (struct ingest_image){.config = json_str(json_get(j, "config"))};
    TRY(digest_parse(json_str(json_get(j, "id")), &ret->id));
    ret->artifact = json_bool(json_get(j, "artifact"), false);
    ret->layers_n = json_len(layers);
    ret->layers = arena_array(a, ret->layers_n + 1, sizeof(*ret->layers));
    for (size_t n = 0; n < ret->layers_n; n++)
        TRY(described_layer(json_at(layers, n), a, &ret->layers[n]));
    struct str annotations = json_str(json_get(j, "annotations"));
    if (annotations.len)
        TRY(oci_annotations_parse(annotations, a, &ret->annotations));
    TRY(described_documents(json_get(j, "documents"), a, ret));
    for (size_t n = 0; n < json_len(tags); n++)
        strs_add(&ret->tags, a, arena_str(a, json_str(json_at(tags, n))));
    return OK;
}
