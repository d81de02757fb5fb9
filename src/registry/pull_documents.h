/* pull_documents.h - what a registry says about an image beside its layers, kept as it came: the
 * manifest, the index that it was chosen from, and the attestations of that index that speak about
 * it (annotations vnd.docker.reference.type and .digest, as BuildKit writes them). Private to
 * registry/; worker only. Tests: test/e2e/t1210-exchange.sh.
 */
#pragma once
#include "image/image.h"
#include "registry/manifest.h"

#define ATTESTATIONS_MAX 8
#define ATTESTATION_BYTES_MAX (16u << 20) /* of all, with what they consist of */

/* Fetches attestations while the layers come; one that cannot be had is left out. */
struct attestations;
struct attestations *attestations_start(const struct registry *r, const struct fetched *f);
/* Waits for them (at once when abandon) and adds everything that f and they hold to docs. NULL:
 * none was begun. */
struct err attestations_end(struct attestations *a, struct ingest *in, const struct fetched *f,
                            struct ingest_documents *docs);
void attestations_free(struct attestations *a);
