/* curl.c - libcurl, loaded when the first transfer wants it: it brings 27 more libraries, which
 * cost 5 ms at every start of a worker that moves no bytes to or from a registry. The functions
 * have libcurl's own names and pass on what they are called with; the header's promises hold.
 *
 * curl_global_init loads the library; nothing else may be called before it has succeeded. */
#include "base/log.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

/* The header wraps some of them in macros that check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

/* RTLD_NEXT: not the function of this file. */
static void *real(const char *name) {
    void *p = dlsym(RTLD_NEXT, name);
    if (!p) {
        log_error("libcurl.so.4 lacks %s", name);
        abort();
    }
    return p;
}

CURLcode curl_global_init(long flags) {
    if (!dlopen("libcurl.so.4", RTLD_NOW | RTLD_GLOBAL)) {
        log_error("registries need libcurl: %s", dlerror());
        return CURLE_FAILED_INIT;
    }
    return ((CURLcode(*)(long))real(__func__))(flags);
}

CURL *curl_easy_init(void) {
    return ((CURL * (*)(void)) real(__func__))();
}

CURLcode curl_easy_perform(CURL *c) {
    return ((CURLcode(*)(CURL *))real(__func__))(c);
}

void curl_easy_cleanup(CURL *c) {
    ((void (*)(CURL *))real(__func__))(c);
}

void curl_easy_reset(CURL *c) {
    ((void (*)(CURL *))real(__func__))(c);
}

const char *curl_easy_strerror(CURLcode code) {
    return ((const char *(*)(CURLcode))real(__func__))(code);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text) {
    return ((struct curl_slist * (*)(struct curl_slist *, const char *)) real(__func__))(list,
                                                                                         text);
}

void curl_slist_free_all(struct curl_slist *list) {
    ((void (*)(struct curl_slist *))real(__func__))(list);
}

/* The option says what its argument is (curl/curl.h, CURLOPTTYPE_*). */
CURLcode curl_easy_setopt(CURL *c, CURLoption option, ...) {
    CURLcode (*set)(CURL *, CURLoption, ...) = (CURLcode(*)(CURL *, CURLoption, ...))real(__func__);
    CURLcode code;
    va_list ap;
    va_start(ap, option);
    if ((int)option < CURLOPTTYPE_OBJECTPOINT)
        code = set(c, option, va_arg(ap, long));
    else if ((int)option >= CURLOPTTYPE_OFF_T && (int)option < CURLOPTTYPE_BLOB)
        code = set(c, option, va_arg(ap, curl_off_t));
    else
        code = set(c, option, va_arg(ap, void *));
    va_end(ap);
    return code;
}

CURLcode curl_easy_getinfo(CURL *c, CURLINFO info, ...) {
    CURLcode (*get)(CURL *, CURLINFO, ...) = (CURLcode(*)(CURL *, CURLINFO, ...))real(__func__);
    va_list ap;
    va_start(ap, info);
    CURLcode code = get(c, info, va_arg(ap, void *));
    va_end(ap);
    return code;
}
