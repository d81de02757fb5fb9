/* record.c - the exit record: how a container ended while no daemon was there to be told. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "monitor/keeper.h"
#include <stdlib.h>
#include <unistd.h>

#define RECORD_MAX (1u << 20)

struct err record_write(struct keeper *k) {
    CLEAN_BUF struct buf text = {0};
    char time[TIME_TEXT_MAX];
    struct json_out o = {.out = &text};
    jo_obj(&o);
    jo_ki64(&o, "code", k->exit.code);
    jo_kstr(&o, "finished_at", time_format_fixed(k->exit.finished_at, time));
    jo_kbool(&o, "oom", k->exit.oom_killed);
    jo_kstr(&o, "error", k->exit.error);
    jo_ki64(&o, "unhealthy", k->exit.unhealthy);
    jo_ki64(&o, "log_dropped", (int64_t)k->exit.log.dropped);
    jo_ki64(&o, "log_removed_files", (int64_t)k->exit.log.removed_files);
    jo_ki64(&o, "log_removed_bytes", (int64_t)k->exit.log.removed_bytes);
    jo_ki64(&o, "pid", k->facts.pid);
    jo_kstr(&o, "started_at", time_format_fixed(k->facts.started_at, time));
    jo_key(&o, "execs");
    jo_arr(&o);
    LIST_FOR (&k->execs, n) {
        struct exec *x = CONTAINER_OF(n, struct exec, link);
        if (x->running || x->acked || x->internal)
            continue;
        jo_obj(&o);
        jo_kstr(&o, "id", x->id);
        jo_ki64(&o, "pid", x->process.pid);
        jo_ki64(&o, "code", x->code);
        jo_obj_end(&o);
    }
    jo_arr_end(&o);
    jo_obj_end(&o);
    buf_addc(&text, '\n');
    /* Not durable: what ends with a power cut is known to have ended then. */
    return file_replace_at(k->run_dir_fd, PROTOCOL_RECORD, buf_str(&text), 0600, false);
}

static void read_execs(const struct json *execs, struct monitor_hello *h) {
    size_t n = MIN(json_len(execs), (size_t)PROTOCOL_EXECS_MAX);
    if (n == 0)
        return;
    h->execs = NEW_ARRAY(n, struct monitor_hello_exec);
    for (size_t i = 0; i < n; i++) {
        struct json *x = json_at(execs, i);
        int64_t code = 0, pid = 0;
        if (!json_i64(json_get(x, "code"), &code) || !json_i64(json_get(x, "pid"), &pid))
            continue;
        h->execs[h->execs_n++] = (struct monitor_hello_exec){
            .id = str_dup(json_str(json_get(x, "id"))), .pid = (pid_t)pid, .code = (int)code};
    }
}

static struct err parse(struct str text, struct monitor_hello *h) {
    CLEAN_JSON struct json *j = NULL;
    TRY(json_parse(text, &j));
    int64_t code, pid = 0;
    if (!json_i64(json_get(j, "code"), &code) || code < 0 || code > 255)
        return err_new(ERR_INVALID, "no code in it");
    TRY(time_parse(json_str(json_get(j, "finished_at")), &h->exit.finished_at));
    TRY(time_parse(json_str(json_get(j, "started_at")), &h->started.started_at));
    if (json_i64(json_get(j, "pid"), &pid))
        h->started.pid = (pid_t)pid;
    h->exited = true;
    h->exit.code = (int)code;
    h->exit.oom_killed = json_bool(json_get(j, "oom"), false);
    int64_t unhealthy = 0;
    if (json_i64(json_get(j, "unhealthy"), &unhealthy) && unhealthy > 0 &&
        unhealthy <= MONITOR_ACTION_KILL)
        h->exit.unhealthy = (enum monitor_action)unhealthy;
    json_u64(json_get(j, "log_dropped"), &h->exit.log.dropped); /* absent: 0 */
    json_u64(json_get(j, "log_removed_files"), &h->exit.log.removed_files);
    json_u64(json_get(j, "log_removed_bytes"), &h->exit.log.removed_bytes);
    h->exit.error = str_dup(json_str(json_get(j, "error")));
    read_execs(json_get(j, "execs"), h);
    return OK;
}

struct err monitor_read_exit(int run_dir_fd, struct monitor_hello *ret) {
    CLEAN_BUF struct buf text = {0};
    TRY(file_read_at(run_dir_fd, PROTOCOL_RECORD, RECORD_MAX, &text));
    struct monitor_hello h = {.started.conn = -1};
    struct err e = parse(buf_str(&text), &h);
    unlinkat(run_dir_fd, PROTOCOL_RECORD, 0);
    if (err_failed(e)) {
        monitor_hello_done(&h);
        return err_wrap(e, "exit record");
    }
    *ret = h;
    return OK;
}
