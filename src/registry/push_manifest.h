/* push_manifest.h - what is sent for an image: the very documents that it came with where
 * everything that they name is at hand or at the registry already, else a manifest of our own.
 * Artifacts: the manifest as it came.
 * Private to registry/; worker only.
 *
 * Order of choice: the index that a build here has made, when nothing newer came; the document by
 * which the image is known in the repository that is pushed to; then the newest. An index goes only when the registry gets or has all that it lists; otherwise
 * the image's own manifest goes alone. Tests: test/e2e/t1210-exchange.sh, t1207-artifacts.sh.
 */
#pragma once
#include "image/image.h"
#include "registry/client.h"

struct push_plan {
    struct kept_documents kept;
    const struct kept_document *top; /* what the tag names; NULL: manifest is ours to make */
    const struct kept_document *own; /* the image's manifest: top, or from it */
    /* One for each layer of the image: how it got there without a file of ours. */
    struct push_found {
        enum { FOUND_NOT, FOUND_EXISTS, FOUND_MOUNTED } how;
        const char *from; /* repository; in the plan */
    } * found;
};
/* Asks the registry what it has where our own blobs differ from the manifest's. */
struct err push_plan_make(const struct ingest *in, struct registry *r,
                          const struct ingest_image *image, const struct reference *ref,
                          struct push_plan *ret);
void push_plan_done(struct push_plan *p);
#define CLEAN_PLAN OWN(push_plan_done)

/* A repository of this registry where the image was seen, as "host/repository"; NULL: none. */
const char *push_source(const struct registry *r, const struct ingest_image *image,
                        struct arena *a);
/* Puts an artifact's manifest. Where it has a subject and the registry does not list referrers by
 * itself (no OCI-Subject in its answer), also adds it to the index under the tag of the subject's
 * digest (distribution-spec 1.1, "Referrers Tag Schema"). */
struct err push_referrer(struct registry *r, const char *tag, struct str text,
                         const struct oci_manifest *m);
/* One manifest or index. *ret_subject: the registry lists it below its subject. Any pointer but
 * text's may be NULL. */
struct err push_put_manifest(struct registry *r, const char *reference, struct str text,
                             long *ret_status, bool *ret_subject);
/* After the layers: config, the index's other manifests, the manifest, the tag. *ret_text is what
 * the tag names now (in the plan or in scratch); *ret_made: we made it. */
struct err push_documents(struct ingest *in, struct registry *r, const struct ingest_image *image,
                          const char *tag, struct push_plan *p, struct buf *scratch,
                          struct str *ret_text, bool *ret_made);
