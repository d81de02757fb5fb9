#include "registry/manifest.h"
#include "base/mem.h"
#include "image/image.h"
#include <stdio.h>
#include <stdlib.h>

#define ACCEPT                                                        \
    OCI_INDEX ", " DOCKER_LIST ", " OCI_MANIFEST ", " DOCKER_MANIFEST \
              ", application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1"

void fetched_done(struct fetched *f) {
    arena_done(&f->arena);
    buf_done(&f->config);
    document_done(&f->named);
    document_done(&f->chosen);
}

static struct err check_digest(const struct registry *r, struct str text,
                               const struct digest *wanted, const char *what) {
    struct digest got;
    char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];
    digest_of(text, &got);
    if (!digest_eq(&got, wanted))
        return err_new(ERR_INVALID, "registry %s: %s has the digest %s, expected %s", r->shown,
                       what, digest_text(&got, a), digest_text(wanted, b));
    return OK;
}

/* "type; charset=…" without what follows the type. */
static struct str media_type(const char *content_type) {
    struct str type, rest;
    str_cut(str_of(content_type), ';', &type, &rest);
    return str_trim(type);
}

struct err manifest_check(struct str text, const char *content_type, struct arena *a,
                          bool *ret_index, struct oci_manifest *ret_manifest,
                          struct oci_index *ret_list) {
    struct str told = media_type(content_type);
    if (str_eqz(told, DOCKER_SCHEMA1) || str_eqz(told, DOCKER_SCHEMA1_SIGNED))
        return err_new(ERR_UNSUPPORTED, "manifest schema 1 is not supported");
    const char *type = oci_media_type_of(text);
    if (!type)
        return err_new(ERR_UNSUPPORTED, "not a manifest of schema 2 or OCI");
    bool generic = told.len == 0 || str_eqz(told, "application/json") ||
                   str_eqz(told, "application/octet-stream") || str_eqz(told, "text/plain");
    /* One document, one meaning: what the header says must be what the body is. */
    if (!generic && !str_eqz(told, type))
        return err_new(ERR_INVALID, "the manifest is %s but was sent as %.*s", type, STR_ARG(told));
    *ret_index = oci_is_index(type);
    return *ret_index ? oci_index_parse(text, a, ret_list)
                      : oci_manifest_parse(text, a, ret_manifest);
}

/* --- documents ------------------------------------------------------------------------------- */
static struct err get_document(struct registry *r, const char *reference, const char *shown,
                               struct registry_answer *answer) {
    CLEAN_FREE
    char *url = mem_printf("manifests/%s", reference);
    struct registry_call c = {.method = "GET",
                              .url = url,
                              .accept = ACCEPT,
                              .body_fd = -1,
                              .max = OCI_MANIFEST_MAX,
                              .redirects = true};
    TRY(registry_call(r, &c, answer));
    if (answer->status == 200)
        return OK;
    CLEAN_FREE
    char *what = answer->status == 404 ? mem_printf("manifest for %s not found", shown)
                 : answer->status == 401 || answer->status == 403
                     ? mem_printf("pull access denied for %s, repository does not exist or may "
                                  "require 'docker login'",
                                  shown)
                     : mem_printf("manifest of %s", shown);
    struct err e = registry_error(r, answer, what);
    /* The peer answers 404 for what may exist but is not shown. */
    return answer->status == 401 || answer->status == 403 ? err_as(e, ERR_NOT_FOUND) : e;
}

struct err fetch_config(struct registry *r, const struct oci_manifest *m, struct buf *ret,
                        struct arena *a, struct oci_image_config *ret_image) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    const struct oci_descriptor *d = &m->config;
    struct digest wanted;
    TRY(digest_parse(str_of(d->digest), &wanted));
    if (d->size < 0 || d->size > IMAGE_CONFIG_MAX)
        return err_new(ERR_INVALID, "image config is larger than %u bytes", IMAGE_CONFIG_MAX);
    const char *artifact = oci_artifact_type(m);
    if (artifact)
        return err_new(ERR_UNSUPPORTED, "the artifact is %.128s, not an image", artifact);
    CLEAN_FREE
    char *url = mem_printf("blobs/%s", d->digest);
    struct registry_call c = {
        .method = "GET", .url = url, .body_fd = -1, .max = (size_t)d->size, .redirects = true};
    TRY(registry_call(r, &c, &answer));
    if (answer.status != 200)
        return registry_error(r, &answer, "image config");
    TRY(check_digest(r, buf_str(&answer.body), &wanted, "the image config"));
    buf_add_str(ret, buf_str(&answer.body));
    TRYF(oci_image_config_parse(buf_str(ret), a, ret_image), "image config");
    return OK;
}

static struct err check_config(const struct fetched *f, const struct platform *p, bool must_fit,
                               const char *shown) {
    const struct oci_image_config *c = &f->image;
    char wanted[PLATFORM_TEXT_MAX], actual[PLATFORM_TEXT_MAX];
    if (c->os && c->os[0] && strcmp(c->os, "linux") != 0)
        return err_new(ERR_UNSUPPORTED,
                       "image operating system \"%s\" cannot be used on this platform", c->os);
    /* What an index chose is taken by its word; a lone manifest has only its config to say it. */
    if (must_fit && platform_distance(p, c->os, c->architecture, c->variant) < 0)
        return err_new(ERR_NOT_FOUND,
                       "image with reference %s was found but does not match the specified "
                       "platform: wanted %s, actual: %s",
                       shown, platform_text(p, wanted),
                       platform_format(c->os, c->architecture, c->variant, actual));
    if (c->rootfs.diff_ids.n != f->manifest.layers.n || f->manifest.layers.n > IMAGE_LAYERS_MAX)
        return err_new(ERR_INVALID, "manifest has %zu layers, its config %zu", f->manifest.layers.n,
                       c->rootfs.diff_ids.n);
    return OK;
}

void document_done(struct document *d) {
    buf_done(&d->text);
    arena_done(&d->arena);
}

struct err fetch_document(struct registry *r, const char *reference, const char *shown,
                          struct document *ret) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct digest wanted;
    TRY(get_document(r, reference, shown, &answer));
    struct str text = buf_str(&answer.body);
    digest_of(text, &ret->digest);
    if (strchr(reference, ':')) {
        TRY(digest_parse(str_of(reference), &wanted));
        TRY(check_digest(r, text, &wanted, "the manifest"));
    } else if (answer.digest && str_starts(str_of(answer.digest), STR("sha256:"))) {
        TRYF(digest_parse(str_of(answer.digest), &wanted), "Docker-Content-Digest");
        TRY(check_digest(r, text, &wanted, "the manifest"));
    }
    TRYF(manifest_check(text, answer.content_type ? answer.content_type : "", &ret->arena,
                        &ret->is_index, &ret->manifest, &ret->index),
         "manifest of %s", shown);
    buf_add_str(&ret->text, text);
    return OK;
}

/* The manifest that an index chose. */
static struct err fetch_chosen(struct registry *r, const struct oci_index *list, const char *shown,
                               const struct platform *p, struct document *ret) {
    const struct oci_descriptor *d = oci_index_choose(list, p);
    char text[PLATFORM_TEXT_MAX];
    if (!d)
        return err_new(ERR_NOT_FOUND,
                       "no matching manifest for %s in the manifest list entries of %s",
                       platform_text(p, text), shown);
    TRY(fetch_document(r, d->digest, shown, ret));
    if (ret->text.len != (size_t)d->size)
        return err_new(ERR_INVALID, "manifest %s has %zu bytes, the index says %lld", d->digest,
                       ret->text.len, (long long)d->size);
    return ret->is_index ? err_new(ERR_INVALID, "an index inside of the index of %s", shown) : OK;
}

struct err fetch_manifest(struct registry *r, const char *reference, const char *shown,
                          const struct platform *p, bool asked, struct fetched *ret) {
    TRY(fetch_document(r, reference, shown, &ret->named));
    ret->digest = ret->named.digest;
    bool is_index = ret->named.is_index;
    if (is_index)
        TRY(fetch_chosen(r, &ret->named.index, shown, p, &ret->chosen));
    ret->manifest = is_index ? ret->chosen.manifest : ret->named.manifest;
    ret->artifact = oci_artifact_type(&ret->manifest);
    if (ret->artifact) {
        buf_add_str(&ret->config, buf_str(is_index ? &ret->chosen.text : &ret->named.text));
        return OK;
    }
    TRY(fetch_config(r, &ret->manifest, &ret->config, &ret->arena, &ret->image));
    return check_config(ret, p, asked && !is_index, shown);
}
