/* pull_job.c - the job "registry-pull". */
#include "base/log.h"
#include "registry/jobs.h"
#include "registry/pull_artifact.h"
#include "registry/pull_documents.h"
#include "registry/pull_layers.h"
#include "registry/registry.h"
#include "spec/distribution.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define TAGS_MAX 10000
#define TAGS_BYTES_MAX (4u << 20)

const struct worker_job registry_jobs[] = {
    {"registry-pull", registry_pull_job},
    {"registry-push", registry_push_job},
    {"registry-login", registry_login_job},
    {"registry-inspect", registry_inspect_job},
    {"registry-referrers", registry_referrers_job},
    {"registry-list", registry_list_job},
    {"registry-search", registry_search_job},
    {"registry-import", registry_import_job},
    {NULL, NULL},
};

struct err job_settings_read(const struct ingest *in, struct job_settings *ret) {
    *ret = (struct job_settings){0};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_new(ERR_SYSTEM, "libcurl does not start");
    return settings_parse(json_get(in->args, "settings"), true, &ret->arena, &ret->settings);
}

void job_settings_done(struct job_settings *s) {
    arena_done(&s->arena);
}

struct err job_open_registry(const struct ingest *in, const struct job_settings *s,
                             const struct reference *ref, const char *actions, const char *mirror,
                             struct registry **ret) {
    struct registry_open o = {.ref = ref,
                              .mirror = mirror,
                              .actions = actions,
                              .auth = ingest_arg(in, "auth"),
                              .settings = &s->settings};
    return registry_open(&o, ret);
}

static bool has_tag(const struct ingest_image *image, const struct reference *ref) {
    char text[REFERENCE_TEXT_MAX];
    reference_text(ref, text);
    for (size_t i = 0; i < image->tags.n; i++)
        if (strcmp(image->tags.items[i], text) == 0)
            return true;
    return false;
}

/* Is it the image that has this name now? To tell "newer" from "up to date". */
static bool is_current(const struct ingest *in, const struct digest *id,
                       const struct reference *ref) {
    CLEAN_ARENA struct arena a = {0};
    for (size_t i = 0; i < ingest_images_n(in); i++) {
        struct ingest_image image;
        struct err e = ingest_image(in, i, &a, &image);
        bool same = !err_failed(e) && digest_eq(&image.id, id) &&
                    (ref->has_digest || has_tag(&image, ref));
        err_ignore(e); /* then it is not this one */
        if (same)
            return true;
    }
    return false;
}

/* What is nearest to the image is believed. */
static void annotations_of(const struct fetched *f, struct arena *a, struct oci_annotations *ret) {
    const struct oci_index *index = &f->named.index;
    const struct oci_descriptor *d = index->manifests.items;
    char chosen[DIGEST_TEXT_MAX];
    oci_annotations_add(ret, a, &f->manifest.annotations);
    if (!f->named.is_index)
        return;
    digest_text(&f->chosen.digest, chosen);
    for (size_t i = 0; i < index->manifests.n; i++)
        if (!strcmp(d[i].digest, chosen))
            oci_annotations_add(ret, a, &d[i].annotations);
    oci_annotations_add(ret, a, &index->annotations);
}

static struct err commit_pulled(struct ingest *in, const struct reference *ref, struct registry *r,
                                const struct fetched *f, const struct pulled *v,
                                const struct ingest_documents *docs) {
    char name[REFERENCE_TEXT_MAX];
    CLEAN_FREE
    char *source = mem_printf("%s/%s", r->shown, r->path);
    struct reference tags[2] = {*ref, *ref};
    tags[1].tag[0] = '\0'; /* the digest under which it was found */
    tags[1].has_digest = true;
    tags[1].digest = f->digest;
    bool by_tag = !ref->has_digest;
    CLEAN_ARENA struct arena a = {0};
    struct oci_annotations annotations = {0};
    annotations_of(f, &a, &annotations);
    struct ingest_commit c = {.config = buf_str(&f->config),
                              .layers = v->layers,
                              .layers_n = v->n,
                              .tags = by_tag ? tags : tags + 1,
                              .tags_n = by_tag ? 2 : 1,
                              .event = "pull",
                              .event_name = reference_familiar(ref, name),
                              .source = f->artifact ? NULL : source,
                              .documents = docs,
                              .artifact = f->artifact,
                              .annotations = &annotations};
    return ingest_commit(in, &c);
}

/* Layers, and the documents about them. */
static struct err pull_image(struct ingest *in, struct registry *r, const struct fetched *f,
                             bool here, struct pulled *v, struct ingest_documents *docs) {
    struct attestations *a = attestations_start(r, f);
    struct err e = pull_layers(in, r, f, here, v);
    if (!err_failed(e))
        e = attestations_end(a, in, f, docs);
    attestations_free(a);
    return err_failed(e) ? e : ingest_documents_place(in, docs);
}

/* What the client reads last. */
static struct err pull_status(struct ingest *in, bool newer, const char *shown) {
    return answer_status_line(in, NULL, "Status: %s for %s",
                              newer ? "Downloaded newer image" : "Image is up to date", shown);
}

static struct err pull_tag(struct ingest *in, struct registry *r, const struct reference *ref,
                           char shown[REFERENCE_TEXT_MAX], bool *ret_newer) {
    CLEAN_FETCHED struct fetched f = {0};
    struct pulled v = {0};
    struct digest id;
    char digest[DIGEST_TEXT_MAX];
    struct reference named = *ref;
    if (ref->has_digest)
        named.tag[0] = '\0';
    reference_familiar(&named, shown);
    const char *what = ref->has_digest ? digest_text(&ref->digest, digest) : ref->tag;
    struct platform platform;
    TRY(platform_parse(ingest_arg(in, "platform"), &platform));
    bool asked = ingest_arg(in, "platform").len > 0;
    TRY(fetch_manifest(r, what, shown, &platform, asked, &f));
    TRY(answer_status_line(in, what, "Pulling from %s", ref->path));
    digest_of(buf_str(&f.config), &id);
    bool current = is_current(in, &id, &named), here = current;
    if (!current)
        TRY(ingest_has_image(in, &id, &here));
    struct ingest_documents docs = {0};
    struct err e = f.artifact ? pull_artifact(in, r, &f, here, &docs)
                              : pull_image(in, r, &f, here, &v, &docs);
    if (!err_failed(e))
        e = commit_pulled(in, &named, r, &f, &v, &docs);
    vec_done(&docs);
    free(v.layers);
    TRY(e);
    *ret_newer = !current;
    return answer_status_line(in, NULL, "Digest: %s", digest_text(&f.digest, digest));
}

static struct err list_tags(struct registry *r, struct strv *ret) {
    CLEAN_FREE
    char *url = mem_strdup("tags/list?n=1000");
    while (url) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_ANSWER struct registry_answer answer = {0};
        struct dist_tags page;
        struct registry_call c = {
            .method = "GET", .url = url, .body_fd = -1, .max = TAGS_BYTES_MAX};
        TRY(registry_call(r, &c, &answer));
        if (answer.status != 200)
            return registry_error(r, &answer, "tags of the repository");
        TRYF(fields_decode(&dist_tags_fields, buf_str(&answer.body), &a, &page),
             "tags of the repository");
        if (ret->n + page.tags.n > TAGS_MAX)
            return err_new(ERR_INVALID, "the repository has more than %d tags", TAGS_MAX);
        for (size_t i = 0; i < page.tags.n; i++)
            strv_add(ret, page.tags.items[i]);
        free(url);
        url = page.tags.n > 0 ? registry_next_page(&answer) : NULL; /* an empty page ends it, too */
    }
    return OK;
}

static struct err pull_all_tags(struct ingest *in, struct registry *r,
                                const struct reference *ref) {
    CLEAN_STRV struct strv tags = {0};
    char shown[REFERENCE_TEXT_MAX];
    bool any = false, newer;
    TRY(list_tags(r, &tags));
    for (size_t i = 0; i < tags.n; i++) {
        struct reference one = *ref;
        if (!reference_tag_valid(str_of(tags.items[i])))
            return err_new(ERR_INVALID, "the registry has a tag that is none");
        snprintf(one.tag, sizeof(one.tag), "%s", tags.items[i]);
        TRY(pull_tag(in, r, &one, shown, &newer));
        any |= newer;
    }
    return pull_status(in, any, reference_familiar_name(ref, shown));
}

static struct err pull_from(struct ingest *in, const struct job_settings *s,
                            const struct reference *ref, const char *mirror) {
    CLEAN_REGISTRY struct registry *r = NULL;
    TRY(job_open_registry(in, s, ref, "pull", mirror, &r));
    if (ref->tag[0] == '\0' && !ref->has_digest)
        return pull_all_tags(in, r, ref);
    char shown[REFERENCE_TEXT_MAX];
    bool newer;
    TRY(pull_tag(in, r, ref, shown, &newer));
    return pull_status(in, newer, shown);
}

/* The mirrors of the name's rule in order, then the registry itself. What a mirror brought before
 * it failed is kept. */
static struct err pull_run(struct ingest *in) {
    CLEAN_SETTINGS struct job_settings s = {0};
    struct reference ref;
    char name[REFERENCE_TEXT_MAX];
    TRY(reference_parse(ingest_arg(in, "ref"), &ref));
    TRY(job_settings_read(in, &s));
    const struct registry_rule *rule = settings_rule(&s.settings,
                                                     str_of(reference_name(&ref, name)));
    for (size_t i = 0; rule && i < rule->mirrors.n; i++) {
        struct err e = pull_from(in, &s, &ref, rule->mirrors.items[i]);
        if (!err_failed(e) || err_kind(e) == ERR_CANCELLED ||
            (i + 1 == rule->mirrors.n && !rule->fallback))
            return e;
        log_err(LOG_INFO, e, "mirror %s of %s", rule->mirrors.items[i], rule->prefix);
    }
    return pull_from(in, &s, &ref, NULL);
}

struct err registry_pull_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, true, &in));
    struct err e = pull_run(&in);
    /* A 401 would make the CLI ask for a password of its own accord; the peer answers 500. */
    return ingest_end(&in, err_kind(e) == ERR_UNAUTHORIZED ? err_as(e, ERR_SYSTEM) : e);
}
