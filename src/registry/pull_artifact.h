/* pull_artifact.h - brings the blobs of an artifact: config and layers as they are, whatever their
 * types. Private to registry/; worker only. Tests: test/e2e/t1207-artifacts.sh.
 */
#pragma once
#include "registry/manifest.h"

#define ARTIFACT_BLOBS_MAX INGEST_DOCUMENTS_MAX

/* docs: placed, for the commit. here: the store has this very artifact already. */
struct err pull_artifact(struct ingest *in, struct registry *r, const struct fetched *f, bool here,
                         struct ingest_documents *docs);
