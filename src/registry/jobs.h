/* jobs.h - the jobs of registry/ in corten-worker. Private to registry/. */
#pragma once
#include "loop/worker.h"
#include "registry/client.h"

struct err registry_pull_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
struct err registry_import_job(struct worker_ctx *ctx, struct str args, const int *fds,
                               size_t fds_n, struct buf *ret_result);
struct err registry_push_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
struct err registry_login_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                              struct buf *ret_result);
struct err registry_inspect_job(struct worker_ctx *ctx, struct str args, const int *fds,
                                size_t fds_n, struct buf *ret_result);
struct err registry_referrers_job(struct worker_ctx *ctx, struct str args, const int *fds,
                                  size_t fds_n, struct buf *ret_result);
struct err registry_list_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                             struct buf *ret_result);
struct err registry_search_job(struct worker_ctx *ctx, struct str args, const int *fds,
                               size_t fds_n, struct buf *ret_result);
/* What the daemon said about registries; lives as long as the job. */
struct job_settings {
    struct arena arena;
    struct registry_settings settings;
};
struct ingest;
struct err job_settings_read(const struct ingest *in, struct job_settings *ret);
void job_settings_done(struct job_settings *s);
#define CLEAN_SETTINGS OWN(job_settings_done)
/* Opens the registry of ref, with the credentials of the arguments, or the mirror (a URL or NULL).
 */
struct err job_open_registry(const struct ingest *in, const struct job_settings *s,
                             const struct reference *ref, const char *actions, const char *mirror,
                             struct registry **ret);
