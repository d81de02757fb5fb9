/* logs: a worker reads the files and answers on the client's socket; the monitor wakes it. */
#include "base/path.h"
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct err container_logs_check(const struct container *c) {
    const char *driver = c->host->log_config.type;
    if (driver && !strcmp(driver, "none"))
        return err_new(ERR_UNSUPPORTED, "configured logging driver does not support reading");
    return OK;
}

static char *command_text(const struct container *c, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    const struct strs *parts[] = {&c->config->entrypoint, &c->config->cmd};
    for (size_t k = 0; k < ARRAY_LEN(parts); k++)
        for (size_t i = 0; i < parts[k]->n; i++)
            buf_addf(&text, "%s%s", text.len ? " " : "", parts[k]->items[i]);
    return arena_str(a, buf_str(&text));
}

/* It is installed beside the monitor. */
static const char *packer_path(const struct container *c, struct arena *a) {
    const char *monitor = c->all->config.monitor_program, *slash = strrchr(monitor, '/');
    return arena_printf(a, "%.*s/corten-compress", (int)(slash ? slash - monitor : 0), monitor);
}

struct err container_log_settings(const struct container *c, struct arena *a,
                                  struct monitor_start *ret) {
    const struct api_log_config *log = &c->host->log_config;
    struct logs_options o;
    CLEAN_BUF struct buf attrs = {0};
    TRY(logs_options_parse(log->type, &log->config, &o));
    struct logs_subject subject = {
        .id = c->id,
        .name = c->name,
        .image_id = c->image_id,
        .image_name = c->image_ref,
        .command = command_text(c, a),
        .host_name = c->config->hostname,
        .env = &c->config->env,
        .labels = &c->config->labels,
    };
    TRY(logs_attributes(&o, &subject, &attrs));
    ret->log_driver = arena_strz(a, o.driver);
    ret->log_max_size = o.max_size;
    ret->log_max_file = o.max_file;
    ret->log_max_buffer = o.non_blocking ? o.max_buffer : 0;
    if (o.compress)
        ret->log_packer = packer_path(c, a);
    ret->log_attrs = str_of(arena_str(a, buf_str(&attrs)));
    return OK;
}

void container_log_missing(const struct container *c, struct logs_missing *ret) {
    *ret = (struct logs_missing){
        .dropped = c->log_before.dropped + c->log_now.dropped,
        .removed_files = c->log_before.removed_files + c->log_now.removed_files,
        .removed_bytes = c->log_before.removed_bytes + c->log_now.removed_bytes,
    };
}

const char *container_log_name(const struct container *c, struct arena *a) {
    return arena_printf(a, "%s-json.log", c->id);
}

struct logs_call {
    struct loop *loop;
    struct http_taken taken; /* until the worker has it */
};

static void logs_begun(void *arg, struct err e) {
    struct logs_call *call = arg;
    if (err_failed(e))
        http_taken_refuse(call->loop, &call->taken, e);
    else
        http_taken_done(&call->taken);
}

static void logs_done(void *arg, struct str result UNUSED, struct err e) {
    free(arg);
    if (err_kind(e) == ERR_CANCELLED)
        err_ignore(e); /* the client left */
    else
        log_err(LOG_WARN, e, "read logs");
}

/* Unix seconds with nine digits, as the API says times; 0: unbounded, left out. */
static void put_time(struct json_out *jo, const char *key, int64_t t) {
    char text[40];
    if (t == 0)
        return;
    snprintf(text, sizeof text, "%lld.%09lld", (long long)(t / NSEC_PER_SEC),
             (long long)(t % NSEC_PER_SEC));
    jo_kstr(jo, key, text);
}

static void write_args(const struct container *c, const struct container_logs *o, struct arena *a,
                       struct json_out *out) {
    struct json_out jo = *out;
    jo_obj(&jo);
    jo_kstr(&jo, "name", container_log_name(c, a));
    jo_kbool(&jo, "follow", o->follow && container_is_alive(c));
    jo_kbool(&jo, "stdout", o->out);
    jo_kbool(&jo, "stderr", o->err);
    jo_kbool(&jo, "timestamps", o->timestamps);
    jo_kbool(&jo, "details", o->details);
    jo_kbool(&jo, "tty", c->config->tty);
    put_time(&jo, "since", o->since);
    put_time(&jo, "until", o->until);
    struct logs_missing missing;
    container_log_missing(c, &missing);
    jo_ki64(&jo, "removed_files", (int64_t)missing.removed_files);
    jo_ki64(&jo, "removed_bytes", (int64_t)missing.removed_bytes);
    jo_kstr(&jo, "tail", o->tail < 0 ? "all" : arena_printf(a, "%lld", (long long)o->tail));
    *out = jo;
}

static void read_once(struct container *c, struct http_taken *taken, struct str args,
                      const int *fds, size_t fds_n) {
    struct logs_call *call = NEW(struct logs_call);
    *call = (struct logs_call){c->all->config.loop, *taken};
    *taken = (struct http_taken){.fd = -1};
    struct worker_start s = {
        .program = c->all->config.worker_program,
        .job = "logs-read",
        .args = args,
        .fds = fds,
        .fds_n = fds_n,
        .begun = logs_begun,
        .done = logs_done,
        .arg = call,
    };
    worker_start(c->all->config.loop, &s);
}

/* run: -1 when its run directory is gone, with the monitor. */
static struct err open_directories(const struct container *c, int *ret_log, int *ret_run) {
    CLEAN_FD int log_fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (log_fd < 0)
        return err_errno(errno, "open '%s'", c->directory);
    *ret_run = openat(c->all->run_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_run < 0 && errno != ENOENT)
        return err_errno(errno, "open the run directory");
    *ret_log = TAKE_FD(log_fd);
    return OK;
}

void container_logs(struct container *c, const struct container_logs *o, struct http_taken *taken) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf args = {0};
    CLEAN_FD int log_fd = -1, run_fd = -1;
    CLEAN_ERR struct err e = open_directories(c, &log_fd, &run_fd);
    struct json_out jo = {.out = &args};
    write_args(c, o, &a, &jo);
    jo_kstr(&jo, "content_type", o->content_type);
    jo_obj_end(&jo);
    const int fds[3] = {taken->fd, log_fd, run_fd};
    size_t fds_n = run_fd >= 0 ? 3 : 2;
    if (!err_failed(e) && o->follow && container_is_alive(c))
        e = container_follow_logs(c->all, c->id, buf_str(&args), fds, fds_n);
    else if (!err_failed(e))
        read_once(c, taken, buf_str(&args), fds, fds_n);
    if (err_failed(e))
        http_taken_refuse(c->all->config.loop, taken, e);
    else
        http_taken_done(taken);
}

struct attach_call {
    container_done *done;
    void *arg;
};

static void attach_read(void *arg, struct str result UNUSED, struct err e) {
    struct attach_call *call = arg;
    call->done(call->arg, e);
    free(call);
}

void container_logs_attach(struct container *c, const struct container_logs *o,
                           const char *content_type, const struct http_taken *taken, int gate,
                           container_done *done, void *arg) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf args = {0};
    CLEAN_FD int log_fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct json_out jo = {.out = &args};
    write_args(c, o, &a, &jo);
    jo_kstr(&jo, "attach", taken->upgrade ? "upgrade" : "plain");
    jo_kstr(&jo, "content_type", content_type);
    jo_obj_end(&jo);
    if (log_fd < 0) {
        done(arg, err_errno(errno, "open '%s'", c->directory));
        return;
    }
    struct attach_call *call = NEW(struct attach_call);
    *call = (struct attach_call){done, arg};
    int fds[3] = {taken->fd, log_fd, gate};
    struct worker_start s = {
        .program = c->all->config.worker_program,
        .job = "logs-read",
        .args = buf_str(&args),
        .fds = fds,
        .fds_n = gate >= 0 ? 3 : 2,
        .done = attach_read,
        .arg = call,
    };
    worker_start(c->all->config.loop, &s);
}
