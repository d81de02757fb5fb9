/* list_job.c - the job "registry-list": a list of manifests (an index) goes to a registry under a
 * tag. What it names must be in that registry already, perhaps in another repository: then its
 * blobs are mounted from there and its manifest is put again, byte for byte. Source: OCI
 * distribution-spec 1.1, "Pushing Manifests", "Mounting a blob". Arguments: {"ref", "list": text,
 * "sources": [references with digest]}. The answer: {"digest"}. Tests: test/e2e/t8340-manifest.sh.
 */
#include "base/json.h"
#include "registry/jobs.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include "registry/upload.h"
#include <string.h>

#define SOURCES_MAX 256

static struct err mount(struct registry *to, const struct oci_descriptor *d,
                        const struct registry *from) {
    struct digest digest;
    bool found, mounted;
    TRYF(digest_parse(str_of(d->digest), &digest), "manifest");
    TRY(upload_find(to, &digest, from->path, &found, &mounted));
    return found ? OK
                 : err_new(ERR_CONFLICT,
                           "blob %s is in %s, and the registry does not mount it from there: push "
                           "that image to the list's repository first",
                           d->digest, from->path);
}

static struct err put_manifest(struct registry *r, const char *reference, struct str text) {
    CLEAN_ANSWER struct registry_answer answer = {0};
    CLEAN_FREE char *url = mem_printf("manifests/%s", reference);
    struct registry_call c = {.method = "PUT",
                              .url = url,
                              .content_type = oci_media_type_of(text),
                              .text = text,
                              .body_fd = -1,
                              .max = REGISTRY_ERROR_MAX};
    TRY(registry_call(r, &c, &answer));
    return answer.status == 201 ? OK : registry_error(r, &answer, url);
}

/* The manifest that a list names comes into the list's repository. */
static struct err bring(struct ingest *in, const struct job_settings *s, struct registry *to,
                        const struct reference *list, struct str text) {
    CLEAN_DOCUMENT struct document d = {0};
    CLEAN_REGISTRY struct registry *from = NULL;
    struct reference ref;
    char shown[REFERENCE_TEXT_MAX], digest[DIGEST_TEXT_MAX];
    TRY(reference_parse(text, &ref));
    if (!ref.has_digest)
        return err_new(ERR_INVALID, "'%.*s': want a digest", STR_ARG(text));
    if (strcmp(ref.domain, list->domain) != 0)
        return err_new(ERR_INVALID, "'%.*s' is in another registry than the list", STR_ARG(text));
    TRY(job_open_registry(in, s, &ref, "pull", NULL, &from));
    reference_familiar(&ref, shown);
    TRY(fetch_document(from, digest_text(&ref.digest, digest), shown, &d));
    if (d.is_index)
        return err_new(ERR_INVALID, "'%s' is a list itself", shown);
    if (strcmp(from->path, to->path) == 0)
        return OK;
    TRY(mount(to, &d.manifest.config, from));
    const struct oci_descriptor *l = d.manifest.layers.items;
    for (size_t i = 0; i < d.manifest.layers.n; i++)
        TRY(mount(to, &l[i], from));
    return put_manifest(to, digest, buf_str(&d.text));
}

static struct err list_run(struct ingest *in) {
    CLEAN_SETTINGS struct job_settings s = {0};
    CLEAN_REGISTRY struct registry *r = NULL;
    CLEAN_ARENA struct arena a = {0};
    struct reference ref;
    struct oci_manifest manifest;
    struct oci_index index;
    struct digest digest;
    bool is_index;
    char text[DIGEST_TEXT_MAX];
    const struct json *sources = json_get(in->args, "sources");
    struct str list = ingest_arg(in, "list");
    TRY(reference_parse(ingest_arg(in, "ref"), &ref));
    reference_default_tag(&ref);
    TRYF(manifest_check(list, "", &a, &is_index, &manifest, &index), "the list");
    if (!is_index || json_len(sources) != index.manifests.n || index.manifests.n > SOURCES_MAX)
        return err_new(ERR_INVALID, "want a list and a source for each of its manifests");
    TRY(job_settings_read(in, &s));
    TRY(job_open_registry(in, &s, &ref, "pull,push", NULL, &r));
    for (size_t i = 0; i < index.manifests.n; i++)
        TRY(bring(in, &s, r, &ref, json_str(json_at(sources, i))));
    TRY(put_manifest(r, ref.tag, list));
    digest_of(list, &digest);
    CLEAN_BUF struct buf out = {0};
    struct json_out jo = {.out = &out};
    jo_obj(&jo);
    jo_kstr(&jo, "digest", digest_text(&digest, text));
    jo_obj_end(&jo);
    buf_addc(&out, '\n');
    TRY(answer_begin(in, NULL));
    return answer_bytes(in, out.data, out.len);
}

struct err registry_list_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result UNUSED) {
    CLEAN_INGEST struct ingest in;
    TRY(ingest_open(ctx, args, fds, fds_n, true, &in));
    return ingest_end(&in, list_run(&in));
}
