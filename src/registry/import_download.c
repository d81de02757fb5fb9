#include "registry/import_download.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "registry/client.h"
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_SIZE (1u << 20)
#define TICK_NS 100000000
#define WORDS_MAX 1000 /* bytes of an error's body that are told */

struct download {
    struct stream s;
    struct ingest *in;
    struct registry *registry; /* the thread's until it is joined, as all down to result */
    const char *url;           /* borrowed */
    int to;
    uint64_t stored;
    struct err result;
    _Atomic uint64_t total; /* 0: not said */
    _Atomic bool left;      /* the reader wants no more */
    pthread_t thread;
    bool started;
    int from;
    uint64_t got;
    int64_t told; /* when, ns */
};

/* --- the thread ------------------------------------------------------------------------------- */
static int on_bytes(void *arg, const void *p, size_t n, long status) {
    struct download *d = arg;
    curl_off_t total = 0;
    (void)status;
    if (d->stored == 0)
        curl_easy_getinfo(d->registry->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &total);
    if (total > 0)
        atomic_store(&d->total, (uint64_t)total);
    d->stored += n;
    if (d->stored > IMPORT_BYTES_MAX || (uint64_t)MAX(total, (curl_off_t)0) > IMPORT_BYTES_MAX)
        return -EFBIG;
    return fd_write_all(d->to, p, n);
}

static bool is_redirect(const struct registry_answer *a) {
    return a->location && (a->status == 301 || a->status == 302 || a->status == 303 ||
                           a->status == 307 || a->status == 308);
}

/* The answer's own words follow where they can be shown. */
static struct err refusal(const char *url, const struct registry_answer *a) {
    struct str words = str_trim(str_n(a->body.data, MIN(a->body.len, (size_t)WORDS_MAX)));
    for (size_t i = 0; i < words.len; i++)
        if ((unsigned char)words.p[i] < ' ' && !strchr("\r\n\t", words.p[i]))
            words.len = 0;
    if (!str_is_utf8(words) || str_has_nul(words))
        words.len = 0;
    return err_new(registry_status_kind(a->status), "failed to GET %s with status %ld%s%.*s", url,
                   a->status, words.len ? ": " : "", STR_ARG(words));
}

/* Where an answer leads to. Its host is judged when it is connected to. */
static struct err next_url(struct registry *r, char **url, enum registry_peer *ret_peer) {
    char *next = NULL;
    struct str old, scheme, authority, next_authority;
    curl_easy_getinfo(r->curl, CURLINFO_REDIRECT_URL, &next);
    if (!next || strlen(next) > IMPORT_URL_MAX ||
        !url_split(str_of(next), &scheme, &next_authority) ||
        !(str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("https"))))
        return err_new(ERR_FORBIDDEN, "GET %s: it redirects to where it may not", *url);
    url_split(str_of(*url), &old, &authority);
    if (str_eq_nocase(old, STR("https")) && !str_eq_nocase(scheme, STR("https")))
        return err_new(ERR_FORBIDDEN, "GET %s: it redirects from https to http", *url);
    free(*url);
    *url = mem_strdup(next);
    *ret_peer = registry_peer_of(r, *url);
    CLEAN_FREE
    char *place = str_dup(next_authority);
    free(r->certs_dir);
    r->certs_dir = registry_find_certs(r->settings, place);
    return OK;
}

static struct err get(struct download *d) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE
    char *url = mem_strdup(d->url);
    struct registry *r = d->registry;
    enum registry_peer peer = PEER_REGISTRY;
    struct registry_call call = {
        .method = "GET", .body_fd = -1, .sink = on_bytes, .sink_arg = d, .abort = &d->left};
    for (int i = 0;; i++) {
        free(r->shown);
        r->shown = mem_strdup(url);
        TRY(registry_transfer(r, &call, url, peer, &answer));
        if (!is_redirect(&answer))
            break;
        if (i == IMPORT_REDIRECTS_MAX)
            return err_new(ERR_INVALID, "GET %s: stopped after %d redirects", d->url, i);
        TRY(next_url(r, &url, &peer));
    }
    return answer.status / 100 == 2 ? OK : refusal(url, &answer);
}

static void *download_main(void *arg) {
    struct download *d = arg;
    d->result = get(d);
    d->to = fd_close(d->to);
    return NULL;
}

/* --- its reader ------------------------------------------------------------------------------- */
static struct err download_end(struct download *d) {
    if (d->started)
        pthread_join(d->thread, NULL);
    d->started = false;
    struct err e = d->result;
    d->result = OK;
    return e;
}

static struct err tell(struct download *d, bool last) {
    int64_t now = time_monotonic();
    if (!last && now - d->told < TICK_NS)
        return OK;
    d->told = now;
    return answer_progress(d->in, NULL, "Importing", d->got, atomic_load(&d->total));
}

static struct err download_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct download *d = CONTAINER_OF(s, struct download, s);
    ssize_t k;
    *ret_n = 0;
    if (d->from < 0)
        return OK;
    while ((k = read(d->from, p, n)) < 0 && errno == EINTR)
        ;
    if (k < 0)
        return err_errno(errno, "read a download");
    if (k == 0) {
        d->from = fd_close(d->from);
        TRY(download_end(d));
        return tell(d, true);
    }
    d->got += (uint64_t)k;
    *ret_n = (size_t)k;
    return tell(d, false);
}

static void download_done(struct stream *s) {
    struct download *d = CONTAINER_OF(s, struct download, s);
    atomic_store(&d->left, true);
    fd_close(d->from);           /* a thread that writes ends now, one that waits within a second */
    err_ignore(download_end(d)); /* the reader gave up before the end */
    fd_close(d->to);
    registry_free(d->registry);
    free(d);
}

static struct err download_start(struct download *d) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    d->from = ends[0];
    d->to = ends[1];
    fcntl(d->to, F_SETPIPE_SZ, PIPE_SIZE); /* only for speed */
    int r = pthread_create(&d->thread, NULL, download_main, d);
    d->started = r == 0;
    return r == 0 ? OK : err_errno(r, "start a thread");
}

/* Something came, or it has ended without anything. */
static struct err await_bytes(struct download *d) {
    struct pollfd p = {.fd = d->from, .events = POLLIN};
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    return p.revents & POLLIN ? OK : download_end(d);
}

struct err import_download(struct ingest *in, const struct registry_settings *settings,
                           const struct import_url *u, struct stream **ret) {
    struct download *d = NEW(struct download);
    CLEAN_STREAM struct stream *s = &d->s;
    d->s = (struct stream){download_read, download_done, NULL};
    d->in = in;
    d->url = u->url;
    d->from = d->to = -1;
    d->registry = registry_at(settings, u->url, u->basic);
    TRY(download_start(d));
    TRY(await_bytes(d));
    *ret = TAKE(s);
    return OK;
}
