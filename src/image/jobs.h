/* jobs.h - the jobs of image/ that corten-worker runs. Private to image/, but for image_jobs. */
#pragma once
#include "loop/worker.h"

typedef struct err image_job_fn(struct worker_ctx *ctx, struct str args, const int *fds,
                                size_t fds_n, struct buf *ret_result);
image_job_fn image_load_job, image_save_job, image_import_job, image_commit_job, image_unpack_job,
    image_check_job, image_squash_job, image_manifests_job, image_attest_job;
