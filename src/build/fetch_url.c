/* build/fetch_url.c - one file by HTTP. */
#include "base/file.h"
#include "base/path.h"
#include "build/fetch.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define REDIRECTS_MAX 10L
#define CONNECT_TIMEOUT_S 30L
#define STALL_TIMEOUT_S 60L

struct err fetch_dir(struct build *b, int *ret_fd, const char **ret_path) {
    struct context *c = b->context;
    char *name = arena_printf(b->arena, "%u", context_serial(c));
    if (mkdirat(c->temp_fd, name, 0755) != 0)
        return err_errno(errno, "make a temporary directory");
    int fd = openat(c->temp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open a temporary directory");
    *ret_fd = fd;
    *ret_path = arena_printf(b->arena, "%s/%s", c->temp_path, name);
    return OK;
}

/* The part of libcurl that is used. */
struct curl {
    void *library;
    CURL *(*init)(void);
    CURLcode (*setopt)(CURL *, CURLoption, ...);
    CURLcode (*perform)(CURL *);
    CURLcode (*getinfo)(CURL *, CURLINFO, ...);
    void (*cleanup)(CURL *);
    const char *(*text)(CURLcode);
};

static void *symbol(void *library, const char *name, bool *ok) {
    void *p = dlsym(library, name);
    *ok &= p != NULL;
    return p;
}

static struct err curl_load(struct curl *ret) {
    void *l = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!l)
        return err_new(ERR_UNSUPPORTED, "downloads need libcurl: %s", dlerror());
    bool ok = true;
    *ret = (struct curl){.library = l};
    ret->init = (CURL * (*)(void)) symbol(l, "curl_easy_init", &ok);
    ret->setopt = (CURLcode(*)(CURL *, CURLoption, ...))symbol(l, "curl_easy_setopt", &ok);
    ret->perform = (CURLcode(*)(CURL *))symbol(l, "curl_easy_perform", &ok);
    ret->getinfo = (CURLcode(*)(CURL *, CURLINFO, ...))symbol(l, "curl_easy_getinfo", &ok);
    ret->cleanup = (void (*)(CURL *))symbol(l, "curl_easy_cleanup", &ok);
    ret->text = (const char *(*)(CURLcode))symbol(l, "curl_easy_strerror", &ok);
    if (ok)
        return OK;
    dlclose(l);
    return err_new(ERR_UNSUPPORTED, "libcurl.so.4 lacks a function of version 7");
}

struct download {
    struct build *build;
    int fd;
    uint64_t size;
    int failed; /* -errno of writing */
};

static size_t on_body(char *p, size_t one, size_t n, void *arg) {
    struct download *d = arg;
    n *= one;
    if (d->size + n > FETCH_MAX)
        d->failed = -EFBIG;
    else
        d->failed = fd_write_all(d->fd, p, n);
    d->size += n;
    return d->failed < 0 ? 0 : n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    (void)a, (void)b, (void)c, (void)d;
    const struct download *dl = arg;
    return report_gone(dl->build->report);
}

static void options(const struct curl *c, CURL *h, struct download *d, const char *url,
                    char why[CURL_ERROR_SIZE]) {
    c->setopt(h, CURLOPT_URL, url);
    c->setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    c->setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    c->setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
    c->setopt(h, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    c->setopt(h, CURLOPT_FAILONERROR, 1L);
    c->setopt(h, CURLOPT_NOSIGNAL, 1L);
    c->setopt(h, CURLOPT_FILETIME, 1L);
    c->setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    c->setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    c->setopt(h, CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
    c->setopt(h, CURLOPT_USERAGENT, "corten/" CORTEN_VERSION);
    c->setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    c->setopt(h, CURLOPT_WRITEDATA, d);
    c->setopt(h, CURLOPT_NOPROGRESS, 0L);
    c->setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    c->setopt(h, CURLOPT_XFERINFODATA, d);
    c->setopt(h, CURLOPT_ERRORBUFFER, why);
}

static struct err outcome(const struct curl *c, const struct download *d, CURLcode rc,
                          const char *why, const char *url) {
    if (rc == CURLE_OK)
        return OK;
    if (d->failed == -EFBIG)
        return err_new(ERR_INVALID, "%s: larger than %llu bytes", url,
                       (unsigned long long)FETCH_MAX);
    if (d->failed < 0)
        return err_errno(d->failed, "write the content of %s", url);
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return err_new(ERR_CANCELLED, "the client is gone");
    return err_new(ERR_UNAVAILABLE, "%s: %s", url, *why ? why : c->text(rc));
}

static struct err perform(const struct curl *c, struct download *d, const char *url) {
    char why[CURL_ERROR_SIZE] = "";
    long filetime = -1;
    CURL *h = c->init();
    if (!h)
        return err_new(ERR_SYSTEM, "libcurl does not start");
    options(c, h, d, url, why);
    CURLcode rc = c->perform(h);
    if (rc == CURLE_OK)
        c->getinfo(h, CURLINFO_FILETIME, &filetime);
    struct err e = outcome(c, d, rc, why, url);
    c->cleanup(h);
    if (!err_failed(e) && filetime >= 0) {
        struct timespec t[] = {{.tv_sec = filetime}, {.tv_sec = filetime}};
        if (futimens(d->fd, t) != 0)
            return err_errno(errno, "set the time of a download");
    }
    return e;
}

/* The last part of the URL's path, as the peer names the file. */
static const char *name_of(const char *url, struct arena *a) {
    struct str s = str_of(url), rest;
    str_cut(s, '#', &s, &rest);
    str_cut(s, '?', &s, &rest);
    s = str_from(s, (size_t)str_find_str(s, STR("://")) + 3);
    ssize_t slash = str_find(s, '/');
    struct str base = slash < 0 ? STR("") : path_base(str_from(s, (size_t)slash));
    return path_is_name(base) ? arena_str(a, base) : "__unnamed__";
}

struct err fetch_url(struct build *b, const char *url, int *ret_root, const char **ret_name) {
    CLEAN_FD
    int root = -1;
    const char *path;
    struct curl c = {0};
    TRY(curl_load(&c));
    struct err e = fetch_dir(b, &root, &path);
    const char *name = name_of(url, b->arena);
    struct download d = {.build = b, .fd = -1};
    if (!err_failed(e)) {
        d.fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        e = d.fd < 0 ? err_errno(errno, "make a file for %s", url) : perform(&c, &d, url);
        fd_close(d.fd);
    }
    dlclose(c.library);
    TRY(e);
    *ret_root = TAKE_FD(root);
    *ret_name = name;
    return OK;
}

struct err fetch_check(int root, const char *name, const char *checksum) {
    struct digest want, got;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_FREE
    char *p = mem_alloc(1u << 16);
    char text[DIGEST_TEXT_MAX];
    TRYF(digest_parse(str_of(checksum), &want), "--checksum");
    CLEAN_FD
    int fd = openat(root, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open the download");
    for (;;) {
        ssize_t n = read(fd, p, 1u << 16);
        if (n < 0)
            return err_errno(errno, "read the download");
        if (n == 0)
            break;
        sha256_add(h, p, (size_t)n);
    }
    sha256_end(h, got.bytes);
    if (digest_eq(&want, &got))
        return OK;
    return err_new(ERR_INVALID, "digest mismatch %s: %s", digest_text(&got, text), checksum);
}
