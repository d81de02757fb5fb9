/* start.c - the daemon's side of pull and push: checks the request, starts the job. */
#include "base/mem.h"
#include "registry/import_url.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include <stdlib.h>
#include <string.h>

static void put_common(struct json_out *o, const struct registry_options *options,
                       const char *auth) {
    if (auth && auth[0])
        jo_kstr(o, "auth", auth);
    if (options && options->settings.len > 0) {
        jo_key(o, "settings");
        jo_raw(o, options->settings);
    }
}

struct pulled_names VEC_BODY(struct image *);

static struct err pull_reference(const struct registry_pull *p, struct reference *ret) {
    struct platform platform;
    TRY(platform_parse(str_of(p->platform ? p->platform : ""), &platform));
    TRY(platform_check_os(&platform));
    return reference_parse_with_tag(str_of(p->name), str_of(p->tag ? p->tag : ""), ret);
}

/* What the names that are pulled stand for now. */
static void current_images(struct images *im, const struct reference *ref,
                           struct pulled_names *ret) {
    char text[REFERENCE_TEXT_MAX], other[REFERENCE_TEXT_MAX];
    struct image *i = NULL;
    size_t it = 0;
    if (ref->tag[0] || ref->has_digest) {
        err_ignore(image_find(im, str_of(reference_text(ref, text)), &i)); /* there may be none */
        if (i)
            vec_push(ret, i);
        return;
    }
    reference_name(ref, text);
    while ((i = images_next(im, &it)) != NULL)
        LIST_FOR (&i->tags, l) {
            const struct image_tag *t = CONTAINER_OF(l, struct image_tag, link);
            if (t->ref.has_digest || strcmp(reference_name(&t->ref, other), text) != 0)
                continue;
            vec_push(ret, i);
            break;
        }
}

void registry_pull(struct images *im, const struct registry_options *o, struct http_taken *client,
                   const struct registry_pull *p, image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out j = {.out = &args};
    struct reference ref;
    struct pulled_names current = {0};
    char text[REFERENCE_TEXT_MAX];
    struct err e = pull_reference(p, &ref);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    jo_kstr(&j, "ref", reference_text(&ref, text));
    if (p->platform && p->platform[0])
        jo_kstr(&j, "platform", p->platform);
    put_common(&j, o, p->auth);
    current_images(im, &ref, &current);
    struct image_job_start s = {.job = "registry-pull",
                                .args = buf_str(&args),
                                .client = client,
                                .images = current.items,
                                .images_n = current.n,
                                .resumable = true,
                                .done = done,
                                .arg = arg};
    image_job_start(im, &s);
    vec_done(&current);
}

/* --- import
 * -------------------------------------------------------------------------------------------------
 */
static struct err import_args(const struct registry_options *o, const char *url,
                              const struct image_import *i, struct buf *ret) {
    struct image_import described = *i;
    struct json_out j = {.out = ret};
    CLEAN_IMPORT_URL struct import_url u = {0};
    CLEAN_FREE
    char *message = NULL;
    TRY(import_url_parse(str_of(url), &u));
    if (!i->message || !i->message[0])
        described.message = message = mem_printf("Imported from %s", u.url);
    jo_kstr(&j, "url", url);
    put_common(&j, o, NULL);
    buf_addc(ret, ',');
    return image_import_args(&described, ret);
}

void registry_import(struct images *im, const struct registry_options *o, struct http_taken *client,
                     const char *url, const struct image_import *i, image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct err e = import_args(o, url, i, &args);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    struct image_job_start s = {.job = "registry-import",
                                .args = buf_str(&args),
                                .client = client,
                                .done = done,
                                .arg = arg};
    image_job_start(im, &s);
}

/* --- questions
 * ----------------------------------------------------------------------------------------------
 */
static void ask(struct images *im, const struct registry_options *o, struct http_taken *client,
                const char *job, struct json_out *args, const char *auth, image_done *done,
                void *arg) {
    put_common(args, o, auth);
    struct image_job_start s = {
        .job = job, .args = buf_str(args->out), .client = client, .done = done, .arg = arg};
    image_job_start(im, &s);
}

/* The registry that old and new clients mean by a server address. */
static struct err server_domain(struct str server, struct str *ret) {
    struct str path;
    ssize_t scheme = str_find_str(server, STR("://"));
    if (scheme >= 0)
        server = str_from(server, (size_t)scheme + 3);
    str_cut(server, '/', ret, &path);
    if (ret->len == 0 || str_eqz(*ret, "index.docker.io") || str_eqz(*ret, "registry-1.docker.io"))
        *ret = STR("docker.io");
    return reference_domain_valid(*ret)
               ? OK
               : err_new(ERR_INVALID, "invalid registry \"%.*s\"", STR_ARG(*ret));
}

void registry_login(struct images *im, const struct registry_options *o, struct http_taken *client,
                    const char *server, const char *auth, image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out j = {.out = &args};
    struct str domain;
    struct err e = server_domain(str_of(server ? server : ""), &domain);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    jo_key(&j, "domain");
    jo_str(&j, domain);
    ask(im, o, client, "registry-login", &j, auth, done, arg);
}

/* A question about a name; args: what else is said of it. */
static void ask_about(struct images *im, const struct registry_options *o,
                      struct http_taken *client, const char *job, const char *name, const char *key,
                      const char *value, const char *auth, image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out j = {.out = &args};
    struct reference ref;
    char text[REFERENCE_TEXT_MAX];
    struct err e = reference_parse(str_of(name), &ref);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
        return;
    }
    jo_kstr(&j, "ref", reference_text(&ref, text));
    if (value && *value)
        jo_kstr(&j, key, value);
    ask(im, o, client, job, &j, auth, done, arg);
}

void registry_inspect(struct images *im, const struct registry_options *o,
                      struct http_taken *client, const char *name, const char *auth,
                      image_done *done, void *arg) {
    ask_about(im, o, client, "registry-inspect", name, "as", NULL, auth, done, arg);
}

void registry_manifest(struct images *im, const struct registry_options *o,
                       struct http_taken *client, const char *name, const char *auth,
                       image_done *done, void *arg) {
    ask_about(im, o, client, "registry-inspect", name, "as", "text", auth, done, arg);
}

void registry_referrers(struct images *im, const struct registry_options *o,
                        struct http_taken *client, const char *name, const char *type,
                        const char *auth, image_done *done, void *arg) {
    ask_about(im, o, client, "registry-referrers", name, "type", type, auth, done, arg);
}

void registry_push_list(struct images *im, const struct registry_options *o,
                        struct http_taken *client, const char *name, const char *auth,
                        const char *list, const struct strs *sources) {
    CLEAN_BUF struct buf args = {0};
    struct json_out j = {.out = &args};
    struct reference ref;
    char text[REFERENCE_TEXT_MAX];
    struct err e = reference_parse(str_of(name), &ref);
    if (!err_failed(e) && ref.has_digest)
        e = err_new(ERR_INVALID, "cannot push a digest reference");
    if (err_failed(e)) {
        image_job_refuse(im, client, NULL, NULL, e);
        return;
    }
    jo_kstr(&j, "ref", reference_text(&ref, text));
    jo_kstr(&j, "list", list);
    jo_key(&j, "sources");
    jo_arr(&j);
    for (size_t i = 0; i < sources->n; i++)
        jo_strz(&j, sources->items[i]);
    jo_arr_end(&j);
    ask(im, o, client, "registry-list", &j, auth, NULL, NULL);
}

/* "host/words" asks that host. */
static void search_words(struct str term, struct str *ret_domain, struct str *ret_words) {
    struct str head, rest;
    *ret_domain = STR("docker.io");
    *ret_words = term;
    if (str_cut(term, '/', &head, &rest) &&
        (str_find(head, '.') >= 0 || str_find(head, ':') >= 0 || str_eqz(head, "localhost"))) {
        *ret_domain = head;
        *ret_words = rest;
    }
}

static void put_query(struct json_out *j, struct str words, int64_t limit) {
    CLEAN_BUF struct buf query = {0};
    buf_adds(&query, "q=");
    for (size_t i = 0; i < words.len; i++) {
        unsigned char c = (unsigned char)words.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                     (c && strchr("-_.~", c));
        if (plain)
            buf_addc(&query, (char)c);
        else
            buf_addf(&query, "%%%02X", c);
    }
    if (limit > 0)
        buf_addf(&query, "&n=%lld", (long long)limit);
    jo_key(j, "query");
    jo_str(j, buf_str(&query));
}

void registry_search(struct images *im, const struct registry_options *o, struct http_taken *client,
                     const struct registry_search *s, image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out j = {.out = &args};
    struct str domain, words;
    search_words(str_of(s->term), &domain, &words);
    if (words.len == 0 || !reference_domain_valid(domain)) {
        image_job_refuse(im, client, done, arg,
                         err_new(ERR_INVALID, "invalid search term \"%s\"", s->term));
        return;
    }
    jo_key(&j, "domain");
    jo_str(&j, domain);
    put_query(&j, words, s->limit);
    jo_kstr(&j, "official", s->official);
    jo_kstr(&j, "automated", s->automated);
    jo_ki64(&j, "stars", s->stars);
    ask(im, o, client, "registry-search", &j, s->auth, done, arg);
}

/* --- push
 * ---------------------------------------------------------------------------------------------------
 */
struct push_list {
    VEC(struct image *) images;
    struct buf refs; /* JSON: one array of references for each image */
    struct json_out out;
    bool repository; /* an image of it is here, under whatever tag */
};

/* Tags of i that the push means; adds i when there are any. */
static void list_image(struct push_list *l, struct image *i, const struct reference *wanted) {
    char a[REFERENCE_TEXT_MAX], b[REFERENCE_TEXT_MAX];
    bool any = false;
    LIST_FOR (&i->tags, n) {
        const struct image_tag *t = CONTAINER_OF(n, struct image_tag, link);
        if (strcmp(reference_name(&t->ref, a), reference_name(wanted, b)) != 0)
            continue;
        l->repository = true;
        if (t->ref.has_digest || (wanted->tag[0] && strcmp(wanted->tag, t->ref.tag) != 0))
            continue;
        if (!any)
            jo_arr(&l->out);
        any = true;
        jo_strz(&l->out, reference_text(&t->ref, a));
    }
    if (any) {
        jo_arr_end(&l->out);
        vec_push(&l->images, i);
    }
}

static struct err list_images(struct images *im, const struct registry_push *p,
                              struct push_list *l) {
    struct reference wanted;
    char text[REFERENCE_TEXT_MAX];
    size_t it = 0;
    struct image *i;
    TRY(reference_parse_with_tag(str_of(p->name), str_of(p->tag ? p->tag : ""), &wanted));
    if (wanted.has_digest)
        return err_new(ERR_INVALID, "cannot push a digest reference");
    l->out = (struct json_out){.out = &l->refs};
    jo_key(&l->out, "refs");
    jo_arr(&l->out);
    while ((i = images_next(im, &it)) != NULL)
        list_image(l, i, &wanted);
    jo_arr_end(&l->out);
    if (l->images.n > 0)
        return OK;
    /* The peer says it inside of the answer, so the worker does. */
    CLEAN_FREE
    char *refused = l->repository && wanted.tag[0]
                        ? mem_printf("tag does not exist: %s", reference_familiar(&wanted, text))
                        : mem_printf("An image does not exist locally with the tag: %s",
                                     reference_familiar_name(&wanted, text));
    jo_kstr(&l->out, "refused", refused);
    jo_kstr(&l->out, "repository", reference_name(&wanted, text));
    return OK;
}

void registry_push(struct images *im, const struct registry_options *o, struct http_taken *client,
                   const struct registry_push *p, image_done *done, void *arg) {
    struct push_list l = {0};
    struct err e = list_images(im, p, &l);
    if (err_failed(e)) {
        image_job_refuse(im, client, done, arg, e);
    } else {
        put_common(&l.out, o, p->auth);
        struct image_job_start s = {.job = "registry-push",
                                    .args = buf_str(&l.refs),
                                    .client = client,
                                    .images = l.images.items,
                                    .images_n = l.images.n,
                                    .done = done,
                                    .arg = arg};
        image_job_start(im, &s);
    }
    vec_done(&l.images);
    buf_done(&l.refs);
}
