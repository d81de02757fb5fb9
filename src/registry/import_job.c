/* import_job.c - the job "registry-import": the tar at a URL becomes an image. */
#include "registry/import_download.h"
#include "registry/jobs.h"

static struct err import_run(struct ingest *in) {
    CLEAN_SETTINGS struct job_settings s = {0};
    CLEAN_IMPORT_URL struct import_url u = {0};
    CLEAN_STREAM struct stream *tar = NULL;
    TRY(import_url_parse(ingest_arg(in, "url"), &u));
    TRY(job_settings_read(in, &s));
    TRY(import_download(in, &s.settings, &u, &tar));
    TRY(answer_status_line(in, NULL, "Downloading from %s", u.url));
    return ingest_import(in, tar);
}

struct err registry_import_job(struct worker_ctx *ctx, struct str args, const int *fds,
                               size_t fds_n, struct buf *ret_result) {
    CLEAN_INGEST struct ingest in;
    (void)ret_result; /* everything was said by questions */
    TRY(ingest_open(ctx, args, fds, fds_n, true, &in));
    return ingest_end(&in, import_run(&in));
}
