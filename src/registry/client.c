#include "registry/client.h"
#include "base/mem.h"
#include "base/random.h"
#include "registry/registry.h"
#include "spec/distribution.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 15
#define LOW_SPEED_BYTES 1024
#define LOW_SPEED_S 30
#define HEADER_LINES_MAX 128

/* What the callbacks of one transfer need. */
struct transfer {
    struct registry *registry;
    const struct registry_call *call;
    struct registry_answer *answer;
    enum registry_peer peer;
    uint64_t body_at;
    unsigned header_lines;
    bool refused_address, too_big, wrong_range, proxied;
    int sink_error;
};

/* --- callbacks
 * ------------------------------------------------------------------------------------------- */
static void take_header(struct str line, const char *name, char **ret) {
    struct str key, value;
    if (str_cut(line, ':', &key, &value) && str_eq_nocase(key, str_of(name))) {
        free(*ret);
        *ret = str_dup(str_trim(value));
    }
}

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    struct transfer *t = arg;
    struct str line = str_trim(str_n(p, size * n));
    if (++t->header_lines > HEADER_LINES_MAX || str_has_nul(line))
        return 0;
    take_header(line, "location", &t->answer->location);
    take_header(line, "content-type", &t->answer->content_type);
    take_header(line, "content-range", &t->answer->content_range);
    take_header(line, "link", &t->answer->link);
    take_header(line, "range", &t->answer->range);
    take_header(line, "docker-content-digest", &t->answer->digest);
    take_header(line, "www-authenticate", &t->answer->www);
    take_header(line, "accept-ranges", &t->answer->accepts);
    take_header(line, "oci-subject", &t->answer->subject);
    return size * n;
}

/* Content-Range: bytes <first>-<last>/<total> */
static bool range_is_wanted(const struct transfer *t) {
    char wanted[40];
    snprintf(wanted, sizeof(wanted), "bytes %llu-", (unsigned long long)t->call->range_from);
    return t->call->range_from > 0 && str_starts(str_of(t->answer->content_range), str_of(wanted));
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    struct transfer *t = arg;
    long status = 0;
    curl_easy_getinfo(t->registry->curl, CURLINFO_RESPONSE_CODE, &status);
    n *= size;
    if (status / 100 != 2) { /* only for the words of the error */
        t->answer->body.max = REGISTRY_ERROR_MAX;
        if (t->answer->body.len + n <= REGISTRY_ERROR_MAX)
            buf_add(&t->answer->body, p, n);
        return n;
    }
    if (status == 206 && !range_is_wanted(t)) {
        t->wrong_range = true;
        return 0;
    }
    if (t->call->sink) {
        t->sink_error = t->call->sink(t->call->sink_arg, p, n, status);
        return t->sink_error < 0 ? 0 : n;
    }
    if (t->answer->body.len + n > t->call->max) {
        t->too_big = true;
        return 0;
    }
    buf_add(&t->answer->body, p, n);
    return n;
}

static size_t on_upload(char *p, size_t size, size_t n, void *arg) {
    struct transfer *t = arg;
    const struct registry_call *c = t->call;
    n = MIN(size * n, c->body_size - t->body_at);
    if (c->abort && atomic_load(c->abort))
        return CURL_READFUNC_ABORT;
    ssize_t k = pread(c->body_fd, p, n, (off_t)(c->body_from + t->body_at));
    if (k < 0)
        return CURL_READFUNC_ABORT;
    t->body_at += (uint64_t)k;
    if (c->sent)
        atomic_store(c->sent, c->body_from + t->body_at);
    return (size_t)k;
}

static int on_seek(void *arg, curl_off_t offset, int origin) {
    struct transfer *t = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->call->body_size)
        return CURL_SEEKFUNC_FAIL;
    t->body_at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Judges the address after the name was resolved, so that no name can lead inside. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a) {
    struct transfer *t = arg;
    struct registry *r = t->registry;
    enum address_class class = address_class(&a->addr);
    (void)purpose;
    if (t->peer == PEER_REGISTRY) {
        r->address = t->proxied ? ADDRESS_PUBLIC : class;
        r->address_known = true;
    } else if (!t->proxied && class != ADDRESS_PUBLIC &&
               !(r->address_known && r->address == class)) {
        t->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Told about once a second, however little comes. */
static int on_tick(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    const struct transfer *t = arg;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(t->call->abort);
}

/* --- one transfer
 * ------------------------------------------------------------------------------------------ */
static void set_method(CURL *c, struct transfer *t) {
    const struct registry_call *call = t->call;
    if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (call->body_fd >= 0) {
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(c, CURLOPT_READDATA, t);
        curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(c, CURLOPT_SEEKDATA, t);
        curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_size);
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
    } else if (strcmp(call->method, "GET") != 0) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->text.len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->text.p ? call->text.p : "");
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
    }
    if (call->range_from > 0) {
        char range[64]; /* not RESUME_FROM: that takes a server that sends all for a failure */
        snprintf(range, sizeof(range), "%llu-", (unsigned long long)call->range_from);
        if (call->range_to > 0)
            snprintf(range + strlen(range), sizeof(range) - strlen(range), "%llu",
                     (unsigned long long)call->range_to);
        curl_easy_setopt(c, CURLOPT_RANGE, range);
    }
}

static struct curl_slist *make_headers(const struct transfer *t) {
    const struct registry_call *call = t->call;
    struct curl_slist *h = NULL;
    CLEAN_FREE
    char *accept = call->accept ? mem_printf("Accept: %s", call->accept) : NULL;
    CLEAN_FREE
    char *type = mem_printf("Content-Type: %s", call->content_type ? call->content_type : "");
    if (accept)
        h = curl_slist_append(h, accept);
    if (call->content_type || strcmp(call->method, "GET") != 0)
        h = curl_slist_append(h, type);
    if (t->peer != PEER_FOREIGN && t->registry->authorization)
        h = curl_slist_append(h, t->registry->authorization);
    if (strcmp(call->method, "PATCH") == 0) {
        CLEAN_FREE
        char *range = mem_printf("Content-Range: %llu-%llu", (unsigned long long)call->body_from,
                                 (unsigned long long)(call->body_from + call->body_size - 1));
        h = curl_slist_append(h, range);
    }
    return curl_slist_append(h, "Expect:"); /* registries answer at once, no pause wanted */
}

/* A name behind a proxy is resolved by it; an address that is written out can be judged here. */
static bool literal_refused(const struct transfer *t, const char *url) {
    struct str scheme, authority, host;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    char z[64];
    if (t->peer == PEER_REGISTRY || !url_split(str_of(url), &scheme, &authority))
        return false;
    host = authority_host(authority);
    if (host.len > 2 && host.p[0] == '[')
        host = str_sub(host, 1, host.len - 1);
    snprintf(z, sizeof(z), "%.*s", STR_ARG(host));
    if (inet_pton(AF_INET, z, &v4.sin_addr) == 1)
        return address_class((const struct sockaddr *)&v4) != ADDRESS_PUBLIC;
    return inet_pton(AF_INET6, z, &v6.sin6_addr) == 1 &&
           address_class((const struct sockaddr *)&v6) != ADDRESS_PUBLIC;
}

/* The environment is not asked by libcurl itself: its rules differ in details, ours are tested. */
static struct err set_proxy(CURL *c, struct transfer *t, const char *url) {
    const char *proxy = settings_proxy(t->registry->settings, str_of(url));
    t->proxied = proxy != NULL;
    curl_easy_setopt(c, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(c, CURLOPT_NOPROXY, "");
    if (proxy && literal_refused(t, url))
        return err_new(ERR_FORBIDDEN, "%s %s leads to a private address", t->registry->noun,
                       t->registry->shown);
    return OK;
}

static struct err set_tls(CURL *c, struct transfer *t, const char *url) {
    const struct registry *r = t->registry;
    struct str scheme, authority;
    bool own = t->peer == PEER_REGISTRY;
    bool same = own ||
                (url_split(str_of(url), &scheme, &authority) &&
                 str_eq_nocase(authority_host(authority), authority_host(str_of(r->authority))));
    return registry_set_tls(r, own, r->insecure && same, c);
}

static struct err set_options(CURL *c, struct transfer *t, const char *url) {
    curl_easy_reset(c); /* keeps connections */
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* by hand: where to is judged first */
    curl_easy_setopt(c, CURLOPT_USERAGENT, "corten/" CORTEN_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)LOW_SPEED_BYTES);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)LOW_SPEED_S);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    if (t->call->abort) {
        curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
        curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    }
    set_method(c, t);
    TRY(set_proxy(c, t, url));
    return set_tls(c, t, url);
}

static struct err transfer_error(const struct transfer *t, CURLcode code, const char *why) {
    const char *noun = t->registry->noun, *host = t->registry->shown;
    if (t->refused_address)
        return err_new(ERR_FORBIDDEN, "%s %s leads to a private address", noun, host);
    if (t->too_big)
        return err_new(ERR_INVALID, "%s %s: the answer is larger than %zu bytes", noun, host,
                       t->call->max);
    if (t->wrong_range)
        return err_new(ERR_INVALID, "%s %s sent another range than it was asked for", noun, host);
    if (t->sink_error < 0)
        return err_errno(t->sink_error, "%s %s: store the answer", noun, host);
    t->answer->transport = true;
    bool untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
    if (untrusted || code == CURLE_SSL_CERTPROBLEM)
        t->answer->transport = false;
    return err_new(ERR_UNAVAILABLE, "%s %s: %s", noun, host,
                   why[0] ? why : curl_easy_strerror(code));
}

struct err registry_transfer(struct registry *r, const struct registry_call *c, const char *url,
                             enum registry_peer peer, struct registry_answer *ret) {
    struct transfer t = {.registry = r, .call = c, .answer = ret, .peer = peer};
    char why[CURL_ERROR_SIZE] = "";
    registry_answer_done(ret);
    if (!r->curl && !(r->curl = curl_easy_init()))
        return err_new(ERR_SYSTEM, "libcurl does not start");
    TRY(set_options(r->curl, &t, url));
    struct curl_slist *headers = make_headers(&t);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, why);
    CURLcode code = curl_easy_perform(r->curl);
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_off_t after = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RETRY_AFTER, &after);
    ret->retry_after = (long)MIN(after, (curl_off_t)INT32_MAX);
    curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return code == CURLE_OK ? OK : transfer_error(&t, code, why);
}

void registry_answer_done(struct registry_answer *a) {
    buf_done(&a->body);
    free(a->location);
    free(a->content_type);
    free(a->content_range);
    free(a->digest);
    free(a->link);
    free(a->range);
    free(a->www);
    free(a->subject);
    free(a->accepts);
    *a = (struct registry_answer){0};
}

/* --- calls
 * ---------------------------------------------------------------------------------------------------
 */
enum registry_peer registry_peer_of(const struct registry *r, const char *url) {
    struct str scheme, authority;
    bool own = url_split(str_of(url), &scheme, &authority) && str_eqz(scheme, r->scheme) &&
               str_eqz(authority, r->authority);
    return own ? PEER_REGISTRY : PEER_FOREIGN;
}

static char *make_url(const struct registry *r, const char *url) {
    if (strstr(url, "://"))
        return mem_strdup(url);
    if (url[0] == '/') /* a Location without a host */
        return mem_printf("%s://%s%s", r->scheme, r->authority, url);
    return mem_printf("%s://%s%s/v2/%s/%s", r->scheme, r->authority, r->base, r->path, url);
}

static bool is_redirect(const struct registry_answer *a) {
    return a->location && (a->status == 301 || a->status == 302 || a->status == 303 ||
                           a->status == 307 || a->status == 308);
}

static struct err follow(struct registry *r, const struct registry_call *c,
                         struct registry_answer *ret) {
    for (int i = 0; is_redirect(ret); i++) {
        CLEAN_FREE
        char *url = make_url(r, ret->location);
        if (i == REGISTRY_REDIRECTS_MAX)
            return err_new(ERR_INVALID, "registry %s redirects too often", r->shown);
        if (!redirect_allowed(str_of(url), str_of(r->authority), r->insecure))
            return err_new(ERR_FORBIDDEN, "registry %s redirects to where it may not", r->shown);
        TRY(registry_transfer(r, c, url, registry_peer_of(r, url), ret));
    }
    return OK;
}

static struct err call_once(struct registry *r, const struct registry_call *c,
                            struct registry_answer *ret) {
    CLEAN_FREE
    char *url = make_url(r, c->url);
    enum registry_peer peer = registry_peer_of(r, url);
    if (peer == PEER_FOREIGN && !redirect_allowed(str_of(url), str_of(r->authority), r->insecure))
        return err_new(ERR_FORBIDDEN, "registry %s leads to where it may not", r->shown);
    TRY(registry_transfer(r, c, url, peer, ret));
    if (ret->status == 401 && ret->www && peer == PEER_REGISTRY) {
        CLEAN_FREE
        char *www = TAKE(ret->www);
        TRY(registry_authenticate(r, str_of(www)));
        TRY(registry_transfer(r, c, url, peer, ret));
    }
    return c->redirects ? follow(r, c, ret) : OK;
}

bool registry_again(struct err e, const struct registry_answer *a) {
    if (a->retry_after > REGISTRY_RETRY_AFTER_MAX)
        return false;
    return err_failed(e) ? a->transport
                         : a->status == 408 || a->status == 429 || a->status == 500 ||
                               (a->status >= 502 && a->status <= 504);
}

void registry_pause(int attempt, const struct registry_answer *a) {
    int64_t ms = a->retry_after > 0 ? a->retry_after * INT64_C(1000) : INT64_C(500) << attempt;
    uint32_t spread; /* so that many clients of one busy server do not come back together */
    random_bytes(&spread, sizeof(spread));
    ms += spread % (ms / 4 + 1);
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

struct err registry_call(struct registry *r, const struct registry_call *c,
                         struct registry_answer *ret) {
    for (int attempt = 0;; attempt++) {
        struct err e = call_once(r, c, ret);
        if (c->once || attempt + 1 >= REGISTRY_ATTEMPTS || !registry_again(e, ret))
            return e;
        err_ignore(e); /* the next attempt has its own */
        registry_pause(attempt, ret);
    }
}

enum err_kind registry_status_kind(long status) {
    switch (status) {
    case 400:
        return ERR_INVALID;
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return ERR_NOT_FOUND;
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
        return ERR_UNAVAILABLE;
    default:
        return ERR_SYSTEM;
    }
}

/* "code: message" of the answer's JSON. What is no registry may answer anything. */
static void error_words(const struct registry *r, const struct registry_answer *a,
                        struct buf *out) {
    CLEAN_ARENA struct arena arena = {0};
    struct dist_errors errors = {0};
    struct err e = fields_decode(&dist_errors_fields, buf_str(&a->body), &arena, &errors);
    err_ignore(e); /* then the status has to do */
    const struct dist_error *first = errors.errors.n ? errors.errors.items : NULL;
    if (!first || !first->code) {
        buf_addf(out, "registry %s answered %ld", r->shown, a->status);
        return;
    }
    for (const char *p = first->code; *p && p < first->code + 200; p++)
        buf_addc(out, *p == '_' ? ' ' : *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p);
    buf_addf(out, ": %.1000s", first->message ? first->message : "");
}

struct err registry_error(const struct registry *r, const struct registry_answer *a,
                          const char *what) {
    CLEAN_BUF struct buf words = {0};
    error_words(r, a, &words);
    if (a->retry_after > 0)
        buf_addf(&words, " (the registry says to try again in %ld s)", a->retry_after);
    return err_new(registry_status_kind(a->status), "%s: %s", what, buf_cstr(&words));
}

char *registry_next_page(const struct registry_answer *a) {
    struct str link = str_of(a->link);
    ssize_t begin = str_find(link, '<'), end = str_find(link, '>');
    if (begin < 0 || end < begin || str_find_str(link, STR("next")) < end)
        return NULL;
    return str_dup(str_sub(link, (size_t)begin + 1, (size_t)end));
}
