/* ask_job.c - the jobs that ask a registry something and bring no image: "registry-login",
 * "registry-inspect", "registry-search". Each writes one JSON document as the whole answer. */
#include "registry/jobs.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include "spec/api_system.h"
#include "spec/distribution.h"
#include <stdio.h>
#include <stdlib.h>

#define SEARCH_BYTES_MAX (4u << 20)

/* --- login ----------------------------------------------------------------------------------- */
/* Basic credentials are believed only once the registry took them. */
static struct err check_access(struct registry *r) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE
    char *url = mem_printf("%s://%s%s/v2/", r->scheme, r->authority, r->base);
    struct registry_call c = {
        .method = "GET", .url = url, .body_fd = -1, .max = REGISTRY_ERROR_MAX};
    TRY(registry_call(r, &c, &answer));
    if (answer.status == 200)
        return OK;
    CLEAN_FREE
    char *what = mem_printf("Get \"%s\"", url);
    return registry_error(r, &answer, what);
}

static struct err put_document(struct ingest *in, const struct fields *table, const void *doc) {
    CLEAN_BUF struct buf out = {0};
    fields_print(table, doc, &out);
    buf_addc(&out, '\n');
    TRY(answer_begin(in, NULL));
    return answer_bytes(in, out.data, out.len);
}

static struct err login_run(struct ingest *in) {
    CLEAN_SETTINGS struct job_settings s = {0};
    CLEAN_REGISTRY struct registry *r = NULL;
    struct reference ref = {0};
    TRY(job_settings_read(in, &s));
    snprintf(ref.domain, sizeof(ref.domain), "%.*s", STR_ARG(ingest_arg(in, "domain")));
    struct registry_open o = {.ref = &ref,
                              .actions = "",
                              .auth = ingest_arg(in, "auth"),
                              .settings = &s.settings,
                              .want_identity = true};
    TRY(registry_open(&o, &r));
    TRY(check_access(r));
    struct api_auth_status status = {.identity_token = r->granted ? r->granted : (char[]){""},
                                     .status = (char[]){"Login Succeeded"}};
    return put_document(in, &api_auth_status_fields, &status);
}

/* --- inspect -----------------------------------------------------------------------------------
 */
static struct err list_platforms(struct registry *r, const struct document *d, struct arena *a,
                                 struct objs *ret) {
    if (d->is_index) {
        const struct oci_descriptor *m = d->index.manifests.items;
        for (size_t i = 0; i < d->index.manifests.n; i++)
            if (m[i].platform)
                *(struct oci_platform *)objs_add(ret, a,
                                                 sizeof(struct oci_platform)) = *m[i].platform;
        return OK;
    }
    CLEAN_BUF struct buf text = {0};
    struct oci_image_config c;
    if (strcmp(d->manifest.config.media_type, OCI_CONFIG) != 0 &&
        strcmp(d->manifest.config.media_type, DOCKER_CONFIG) != 0)
        return OK; /* an artifact runs nowhere */
    TRY(fetch_config(r, &d->manifest, &text, a, &c));
    struct oci_platform *p = objs_add(ret, a, sizeof(*p));
    *p = (struct oci_platform){.architecture = c.architecture,
                               .os = c.os,
                               .os_version = c.os_version,
                               .os_features = c.os_features,
                               .variant = c.variant};
    return OK;
}

static struct err inspect_from(struct ingest *in, const struct job_settings *s,
                               const struct reference *ref, const char *mirror) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_DOCUMENT struct document d = {0};
    CLEAN_REGISTRY struct registry *r = NULL;
    struct api_distribution out = {0};
    char shown[REFERENCE_TEXT_MAX], digest[DIGEST_TEXT_MAX], wanted[DIGEST_TEXT_MAX];
    TRY(job_open_registry(in, s, ref, "pull", mirror, &r));
    reference_familiar(ref, shown);
    TRY(fetch_document(r, ref->has_digest ? digest_text(&ref->digest, wanted) : ref->tag, shown,
                       &d));
    out.descriptor =
        (struct oci_descriptor){.media_type = arena_strz(&a, oci_media_type_of(buf_str(&d.text))),
                                .digest = digest_text(&d.digest, digest),
                                .size = (int64_t)d.text.len};
    if (str_eqz(ingest_arg(in, "as"), "text")) {
        struct api_manifest whole = {.descriptor = out.descriptor,
                                     .text = arena_str(&a, buf_str(&d.text))};
        return put_document(in, &api_manifest_fields, &whole);
    }
    TRY(list_platforms(r, &d, &a, &out.platforms));
    return put_document(in, &api_distribution_fields, &out);
}

static struct err inspect_run(struct ingest *in) {
    CLEAN_SETTINGS struct job_settings s = {0};
    struct reference ref;
    char name[REFERENCE_TEXT_MAX];
    TRY(reference_parse(ingest_arg(in, "ref"), &ref));
    reference_default_tag(&ref);
    TRY(job_settings_read(in, &s));
    const struct registry_rule *rule = settings_rule(&s.settings,
                                                     str_of(reference_name(&ref, name)));
    for (size_t i = 0; rule && i < rule->mirrors.n; i++) {
        struct err e = inspect_from(in, &s, &ref, rule->mirrors.items[i]);
        if (!err_failed(e) || in->head_sent || (i + 1 == rule->mirrors.n && !rule->fallback))
            return e;
        err_ignore(e); /* the next place says what is wrong */
    }
    return inspect_from(in, &s, &ref, NULL);
}

/* --- search ------------------------------------------------------------------------------------
 */
/* Does "yes" or "no" of a filter fit? "" fits all. */
static bool fits(struct str wanted, bool is) {
    return wanted.len == 0 || str_eqz(wanted, is ? "true" : "false");
}

static void put_result(struct json_out *o, const struct dist_search_result *s) {
    jo_obj(o);
    jo_kstr(o, "description", s->description ? s->description : "");
    jo_kbool(o, "is_automated", false); /* as the peer answers since 1.44 */
    jo_kbool(o, "is_official", s->is_official);
    jo_kstr(o, "name", s->name);
    jo_ki64(o, "star_count", s->star_count);
    jo_obj_end(o);
}

static struct err search_answer(struct ingest *in, struct str text) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct json_out o = {.out = &out};
    struct dist_search found;
    int64_t stars = 0;
    TRYF(fields_decode(&dist_search_fields, text, &a, &found), "answer to the search");
    json_i64(json_get(in->args, "stars"), &stars);
    const struct dist_search_result *r = found.results.items;
    jo_arr(&o);
    for (size_t i = 0; i < found.results.n; i++)
        if (r[i].name && r[i].star_count >= stars &&
            fits(ingest_arg(in, "official"), r[i].is_official) &&
            fits(ingest_arg(in, "automated"), false))
            put_result(&o, &r[i]);
    jo_arr_end(&o);
    buf_addc(&out, '\n');
    TRY(answer_begin(in, NULL));
    return answer_bytes(in, out.data, out.len);
}

/* Searching is no part of the distribution protocol: the endpoint is the one of the first version,
 * which the hub and some others still serve. */
static struct err search_run(struct ingest *in) {
    CLEAN_SETTINGS struct job_settings s = {0};
    CLEAN_REGISTRY struct registry *r = NULL;
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct reference ref = {0};
    TRY(job_settings_read(in, &s));
    snprintf(ref.domain, sizeof(ref.domain), "%.*s", STR_ARG(ingest_arg(in, "domain")));
    struct registry_open o = {.ref = &ref,
                              .service = REGISTRY_SEARCH,
                              .actions = "",
                              .auth = ingest_arg(in, "auth"),
                              .settings = &s.settings};
    TRY(registry_open(&o, &r));
    CLEAN_FREE
    char *url = mem_printf("/v1/search?%.*s", STR_ARG(ingest_arg(in, "query")));
    struct registry_call c = {
        .method = "GET", .url = url, .body_fd = -1, .max = SEARCH_BYTES_MAX, .redirects = true};
    TRY(registry_call(r, &c, &answer));
    if (answer.status == 404)
        return err_new(ERR_UNSUPPORTED, "registry %s offers no search", r->shown);
    if (answer.status != 200)
        return registry_error(r, &answer, "search");
    return search_answer(in, buf_str(&answer.body));
}

/* --- jobs --------------------------------------------------------------------------------------
 */
static struct err run(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                      struct err (*fn)(struct ingest *in)) {
    CLEAN_INGEST struct ingest in;
    TRY(ingest_open(ctx, args, fds, fds_n, true, &in));
    return ingest_end(&in, fn(&in));
}

struct err registry_login_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                              struct buf *ret_result) {
    (void)ret_result; /* the client has it */
    return run(ctx, args, fds, fds_n, login_run);
}

struct err registry_inspect_job(struct worker_ctx *ctx, struct str args, const int *fds,
                                size_t fds_n, struct buf *ret_result) {
    (void)ret_result; /* the client has it */
    return run(ctx, args, fds, fds_n, inspect_run);
}

struct err registry_search_job(struct worker_ctx *ctx, struct str args, const int *fds,
                               size_t fds_n, struct buf *ret_result) {
    (void)ret_result; /* the client has it */
    return run(ctx, args, fds, fds_n, search_run);
}
