/* jobs.h - the jobs of registry/ in corten-worker. Private to registry/. */
#pragma once
#include "loop/worker.h"
#include "registry/client.h"

struct err registry_pull_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
struct err registry_push_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
/* Opens the registry of args: ref, auth, certs_dirs. */
struct ingest;
struct err job_open_registry(const struct ingest *in, const struct reference *ref,
                             const char *actions, struct registry **ret);
