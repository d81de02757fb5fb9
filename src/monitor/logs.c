/* logs.c - the worker's log reader, with the monitor that wakes it. */
#include "logs/logs.h"
#include "base/json.h"
#include "monitor/monitor.h"

static bool wants_follow(struct str args) {
    CLEAN_JSON struct json *j = NULL;
    struct err e = json_parse(args, &j);
    bool follow = !err_failed(e) && json_bool(json_get(j, "follow"), false);
    err_ignore(e); /* the job says it */
    return follow;
}

struct err monitor_logs_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    int passed[3] = {-1, -1, -1};
    for (size_t i = 0; i < fds_n && i < 3; i++)
        passed[i] = fds[i];
    CLEAN_FD int run_dir = TAKE_FD(passed[2]);
    /* Before the first read: what is written in between wakes us. */
    if (run_dir >= 0 && wants_follow(args)) {
        struct err e = monitor_follow_log(run_dir, &passed[2]);
        if (err_failed(e))
            err_ignore(e); /* it has ended: the log is complete */
    } else if (run_dir >= 0) {
        monitor_settle_log(run_dir, passed[0]);
    }
    return logs_read_job(ctx, args, passed, passed[2] >= 0 ? 3 : MIN(fds_n, (size_t)2), ret_result);
}

struct err monitor_serve_logs_job(struct worker_ctx *ctx, struct str args UNUSED, const int *fds,
                                  size_t fds_n, struct buf *ret_result UNUSED) {
    for (size_t i = 0; i < fds_n; i++)
        fd_close(fds[i]);
    return logs_serve(ctx, monitor_follow_log);
}
