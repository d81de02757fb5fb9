/* manifest_list.h - lists of manifests that are kept here. Private to cli/. */
#pragma once
#include "cli/commands.h"
#include "spec/corten_manifest.h"

/* The whole reference: registry, repository, tag. */
const char *manifest_name(const char *text, struct arena *a);
/* ERR_NOT_FOUND: there is none of that name. */
struct err manifest_list_load(struct invocation *in, const char *name, struct manifest_list *ret);
/* The list as it is pushed. */
void manifest_list_text(const struct manifest_list *l, struct buf *out);
