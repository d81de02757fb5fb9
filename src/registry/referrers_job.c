/* referrers_job.c - the job "registry-referrers": what a registry has that refers to an image
 * (signatures, SBOMs, …): manifests whose `subject` it is.
 *
 * OCI distribution-spec 1.1, "Listing Referrers": GET /v2/<name>/referrers/<digest>; where that
 * page is not known, the index under the tag that the digest gives ("Referrers Tag Schema"). */
#include "base/mem.h"
#include "registry/jobs.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include "spec/api_system.h"
#include <stdlib.h>
#include <string.h>

#define REFERRERS_MAX 4096

struct listing {
    struct arena *arena;
    struct str type; /* wanted; empty: all */
    size_t seen;     /* of any type */
    struct api_referrers out;
};

static struct err add_index(struct listing *l, struct str text, struct registry *r) {
    struct oci_index index;
    TRYF(oci_index_parse(text, l->arena, &index), "referrers at registry %s", r->shown);
    const struct oci_descriptor *d = index.manifests.items;
    for (size_t i = 0; i < index.manifests.n; i++) {
        if (++l->seen > REFERRERS_MAX)
            return err_new(ERR_INVALID, "more than %d referrers", REFERRERS_MAX);
        /* Whether the registry has filtered or not. */
        if (l->type.len && (!d[i].artifact_type || !str_eqz(l->type, d[i].artifact_type)))
            continue;
        *(struct oci_descriptor *)objs_add(&l->out.referrers, l->arena, sizeof(*d)) = d[i];
    }
    return OK;
}

static struct err get_index(struct registry *r, const char *url, struct registry_answer *answer) {
    struct registry_call c = {.method = "GET",
                              .url = url,
                              .accept = OCI_INDEX,
                              .body_fd = -1,
                              .max = OCI_MANIFEST_MAX,
                              .redirects = true};
    return registry_call(r, &c, answer);
}

/* *ret_known: the registry has that page. */
static struct err by_page(struct registry *r, const char *digest, struct listing *l,
                          bool *ret_known) {
    CLEAN_FREE char *url = mem_printf("referrers/%s", digest);
    *ret_known = false;
    while (url) {
        CLEAN_ANSWER struct registry_answer answer = {0};
        TRY(get_index(r, url, &answer));
        if (!*ret_known && answer.status == 404)
            return OK;
        if (answer.status != 200)
            return registry_error(r, &answer, "list referrers");
        *ret_known = true;
        size_t before = l->seen;
        TRY(add_index(l, buf_str(&answer.body), r));
        free(url);
        url = l->seen > before ? registry_next_page(&answer) : NULL;
    }
    return OK;
}

static struct err by_tag(struct registry *r, const char *digest, struct listing *l) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE char *url = mem_printf("manifests/%s", digest);
    *strchr(url, ':') = '-';
    TRY(get_index(r, url, &answer));
    if (answer.status == 404)
        return OK; /* nothing refers to it */
    if (answer.status != 200)
        return registry_error(r, &answer, "list referrers");
    return add_index(l, buf_str(&answer.body), r);
}

static struct err subject_digest(struct registry *r, const struct reference *ref, char *out) {
    CLEAN_DOCUMENT struct document d = {0};
    char shown[REFERENCE_TEXT_MAX];
    if (ref->has_digest) {
        digest_text(&ref->digest, out);
        return OK;
    }
    TRY(fetch_document(r, ref->tag, reference_familiar(ref, shown), &d));
    digest_text(&d.digest, out);
    return OK;
}

static struct err referrers_run(struct ingest *in) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_SETTINGS struct job_settings s = {0};
    CLEAN_REGISTRY struct registry *r = NULL;
    CLEAN_BUF struct buf out = {0};
    struct reference ref;
    char digest[DIGEST_TEXT_MAX];
    struct listing l = {.arena = &a, .type = ingest_arg(in, "type"), .out.referrers.present = true};
    TRY(reference_parse(ingest_arg(in, "ref"), &ref));
    reference_default_tag(&ref);
    TRY(job_settings_read(in, &s));
    TRY(job_open_registry(in, &s, &ref, "pull", NULL, &r));
    TRY(subject_digest(r, &ref, digest));
    l.out.subject = digest;
    TRY(by_page(r, digest, &l, &l.out.listed));
    if (!l.out.listed)
        TRY(by_tag(r, digest, &l));
    fields_print(&api_referrers_fields, &l.out, &out);
    buf_addc(&out, '\n');
    TRY(answer_begin(in, NULL));
    return answer_bytes(in, out.data, out.len);
}

struct err registry_referrers_job(struct worker_ctx *ctx, struct str args, const int *fds,
                                  size_t fds_n, struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* the client has it */
    TRY(ingest_open(ctx, args, fds, fds_n, true, &in));
    return ingest_end(&in, referrers_run(&in));
}
