/* tree.h - jobs of corten-worker that look into an image for the builder. Descriptors: the client's
 * socket (blocking; the job writes the whole answer), the layers' directory. Arguments: {"layers":
 * names, top first; "path" | "query"}. What they answer is in spec/corten_build.h. Private to
 * image/. */
#pragma once
#include "loop/worker.h"

struct err image_tree_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                          struct buf *ret_result);
struct err image_explain_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
struct err image_stat_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                          struct buf *ret_result);
