/* exec: facts of exec instances; the monitor runs them. An instance is forgotten when its container
 * stops, as with the peer. */
#include "base/file.h"
#include "base/random.h"
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXEC_CODES_MAX (256 << 10) /* bytes of kept codes: some 3,700 */
#define EXEC_MADE_MAX (1 << 20)    /* bytes of kept instances, before those that ran are left out */
#define EXECS_MAX 10000            /* kept per daemon; ended ones go first */

/* "exec_create: sh -c true": the command is part of the action. */
static void publish_command(const struct container_exec *x, const char *action) {
    CLEAN_BUF struct buf text = {0};
    buf_addf(&text, "%s:", action);
    for (size_t i = 0; i < x->config->cmd.n; i++)
        buf_addf(&text, " %s", x->config->cmd.items[i]);
    container_publish(x->container, buf_cstr(&text), "execID", x->id);
}

static void exec_drop(struct container_exec *x) {
    map_del(&x->container->all->execs, str_of(x->id));
    list_remove(&x->link);
    arena_done(&x->arena);
    free(x);
}

void container_execs_drop(struct container *c) {
    for (struct list *n; (n = list_pop(&c->execs));)
        exec_drop(CONTAINER_OF(n, struct container_exec, link));
}

static struct container_exec *exec_new(struct container *c, const char *id) {
    struct container_exec *x = NEW(struct container_exec);
    x->container = c;
    memcpy(x->id, id, 65);
    list_push(&c->execs, &x->link);
    map_set(&c->all->execs, str_of(x->id), x);
    return x;
}

/* The oldest ended instances make room. */
static struct err make_room(struct container *c) {
    if (c->all->execs.n < EXECS_MAX)
        return OK;
    LIST_FOR (&c->execs, n) {
        struct container_exec *x = CONTAINER_OF(n, struct container_exec, link);
        if (x->started && !x->running) {
            exec_drop(x);
            return OK;
        }
    }
    return err_new(ERR_UNAVAILABLE, "there are %d exec instances, the most this daemon keeps",
                   EXECS_MAX);
}

static struct err check_running(const struct container *c) {
    if (c->state == CONTAINER_PAUSED)
        return err_new(ERR_CONFLICT, "container %s is paused, unpause the container before exec",
                       c->name);
    if (c->state == CONTAINER_RESTARTING)
        return err_new(ERR_CONFLICT,
                       "container %s is restarting, wait until the container is running", c->id);
    if (!container_is_alive(c) || !c->monitor)
        return err_new(ERR_CONFLICT, "container %s is not running", c->id);
    return OK;
}

/* Instances are kept under the run root, lines of "id document": one that is made may be started
 * after this daemon's death, and one that runs keeps its face. */
static int open_made(const struct container *c, int flags) {
    char path[80];
    snprintf(path, sizeof path, "%s/execs-made", c->id);
    return openat(c->all->run_fd, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0600);
}

static void put_made(const struct container_exec *x, struct buf *out) {
    buf_addf(out, "%s ", x->id);
    fields_print(&api_exec_create_fields, x->config, out);
    buf_addc(out, '\n');
}

static void write_made(const struct container *c, int fd, const struct buf *text) {
    if (fd < 0 || write(fd, text->data, text->len) != (ssize_t)text->len)
        log_warn("container %s: keep its execs: %s", c->id, strerror(errno));
}

/* Without those that have ended. */
static void keep_made_anew(struct container *c) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_FD int fd = open_made(c, O_TRUNC);
    LIST_FOR (&c->execs, n) {
        struct container_exec *x = CONTAINER_OF(n, struct container_exec, link);
        if (!x->started || x->running)
            put_made(x, &text);
    }
    write_made(c, fd, &text);
}

static void keep_made(struct container *c, const struct container_exec *x) {
    struct stat st;
    CLEAN_BUF struct buf text = {0};
    CLEAN_FD int fd = open_made(c, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > EXEC_MADE_MAX) {
        keep_made_anew(c);
        return;
    }
    put_made(x, &text);
    write_made(c, fd, &text);
}

struct err container_exec_create(struct container *c, const struct api_exec_create *doc,
                                 struct container_exec **ret) {
    char id[65];
    TRY(check_running(c));
    if (doc->cmd.n == 0)
        return err_new(ERR_INVALID, "No exec command specified");
    if (doc->working_dir && *doc->working_dir && doc->working_dir[0] != '/')
        return err_new(ERR_INVALID,
                       "the working directory '%s' is invalid, it needs to be an absolute path",
                       doc->working_dir);
    TRY(monitor_check_detach_keys(doc->detach_keys));
    TRY(make_room(c));
    random_id(id);
    struct container_exec *x = exec_new(c, id);
    CLEAN_BUF struct buf text = {0};
    fields_print(&api_exec_create_fields, doc, &text);
    x->config = arena_alloc(&x->arena, sizeof *x->config);
    struct err e = fields_decode(&api_exec_create_fields, buf_str(&text), &x->arena, x->config);
    if (err_failed(e)) {
        exec_drop(x);
        return e;
    }
    keep_made(c, x);
    publish_command(x, "exec_create");
    *ret = x;
    return OK;
}

struct err container_exec_find(struct containers *cs, const char *id, struct container_exec **ret) {
    struct container_exec *x = map_getz(&cs->execs, id);
    if (!x)
        return err_new(ERR_NOT_FOUND, "No such exec instance: %s", id);
    *ret = x;
    return OK;
}

/* --- start
 * ------------------------------------------------------------------------------------------------
 */

struct exec_job {
    struct containers *cs;
    char id[65];
    container_done *done;
    void *arg;
};

static void exec_started(void *arg, struct err e, pid_t pid) {
    struct exec_job *j = arg;
    struct container_exec *x = map_getz(&j->cs->execs, j->id);
    if (x && err_failed(e)) {
        x->running = false;
        x->started = err_kind(e) != ERR_CONFLICT; /* paused: nothing has happened */
        x->exit_code = err_kind(e) == ERR_NOT_FOUND   ? 127
                       : err_kind(e) == ERR_FORBIDDEN ? 126
                                                      : 128;
    } else if (x) {
        x->pid = pid;
        publish_command(x, "exec_start");
    }
    if (err_kind(e) == ERR_NOT_FOUND || err_kind(e) == ERR_FORBIDDEN)
        e = err_as(e, ERR_INVALID);
    j->done(j->arg, e);
    free(j);
}

/* For clients that cannot say it themselves. */
static bool label_says_kill(const struct container *c) {
    const char *value = strmap_get(&c->config->labels, CONTAINER_LABEL_EXEC_KILL);
    return value && !strcmp(value, "true");
}

void container_exec_start(struct container_exec *x, bool tty, unsigned rows, unsigned columns,
                          const char *content_type, struct http_taken *taken, container_done *done,
                          void *arg) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf process = {0};
    struct container *c = x->container;
    struct err e = check_running(c);
    if (!err_failed(e) && x->started)
        e = err_new(ERR_CONFLICT, "exec instance %s has already run", x->id);
    if (!err_failed(e))
        e = container_exec_process(x, &a, &process);
    if (err_failed(e)) {
        done(arg, e);
        return;
    }
    struct exec_job *j = NEW(struct exec_job);
    *j = (struct exec_job){.cs = c->all, .done = done, .arg = arg};
    memcpy(j->id, x->id, sizeof j->id);
    x->started = x->running = true;
    const struct api_exec_create *config = x->config;
    struct monitor_exec m = {
        .id = x->id,
        .process = buf_str(&process),
        .user = config->user && *config->user ? config->user : c->config->user,
        .terminal = config->tty,
        .framed = config->tty && !tty,
        .in = config->attach_stdin,
        .out = config->attach_stdout,
        .err = config->attach_stderr,
        .detach_keys = config->detach_keys,
        .rows = rows,
        .columns = columns,
        .kill_with_client = config->kill_with_client || label_says_kill(c),
        .client = {.taken = taken, .content_type = content_type},
    };
    if (config->method) {
        m.method = config->method->name;
        m.trigger = config->method->trigger;
        m.timeout = config->method->timeout;
        m.reading = (unsigned)config->method->reading;
        m.follow = config->method->follow;
    }
    CLEAN_BUF struct buf printed = {0}, metadata = {0}, examine = {0};
    if (!strcmp(config->cmd.items[0], RUNTIME_OWN_NAME) && c->all->own_fd > 0) {
        struct lifecycle_metadata doc;
        container_metadata(c, &a, &doc);
        fields_print(&lifecycle_metadata_fields, &doc, &printed);
        lifecycle_escape_json(&metadata, buf_str(&printed));
        lifecycle_examine(&doc, &examine);
        m.own_fd = c->all->own_fd;
        m.metadata = buf_str(&metadata);
        m.examine = buf_str(&examine);
    }
    monitor_exec(c->monitor, &m, exec_started, j);
}

/* The code is kept under the run root before the monitor is told that we have it: a client asks for
 * it after its stream has ended, perhaps the next daemon. Lines of "id code", the newest last;
 * started anew when it grows. */
static void keep_code(struct container *c, const char *exec_id, int code) {
    char path[80], line[80];
    struct stat st;
    snprintf(path, sizeof path, "%s/execs", c->id);
    CLEAN_FD int fd = openat(c->all->run_fd, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int n = snprintf(line, sizeof line, "%s %d\n", exec_id, code);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > EXEC_CODES_MAX) {
        if (ftruncate(fd, 0) != 0)
            return;
        keep_made_anew(c); /* what has lost its code must not look as if it had never run */
    }
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        log_warn("container %s: keep the code of exec %s: %s", c->id, exec_id, strerror(errno));
}

/* The monitor has said what runs, the codes what has ended: the rest has not been started. */
static void restore_made(struct container *c, int run_dir) {
    CLEAN_BUF struct buf text = {0};
    err_ignore(
        file_read_at(run_dir, "execs-made", EXEC_MADE_MAX * 8, &text)); /* or none was made */
    struct str rest = buf_str(&text), line, id, doc;
    while (str_next(&rest, '\n', &line)) {
        if (!str_cut(line, ' ', &id, &doc) || id.len != 64)
            continue;
        CLEAN_FREE char *name = str_dup(id);
        struct container_exec *x = map_getz(&c->all->execs, name);
        if (!x)
            x = exec_new(c, name);
        x->config = arena_alloc(&x->arena, sizeof *x->config);
        struct err e = fields_decode(&api_exec_create_fields, doc, &x->arena, x->config);
        if (err_failed(e)) {
            log_err(LOG_WARN, e, "exec %s of an earlier daemon cannot be read", name);
            exec_drop(x);
        }
    }
}

void container_execs_restore(struct container *c, int run_dir) {
    CLEAN_BUF struct buf text = {0};
    err_ignore(file_read_at(run_dir, "execs", EXEC_CODES_MAX * 2, &text)); /* or none has ended */
    struct str rest = buf_str(&text), line, id, code;
    while (str_next(&rest, '\n', &line)) {
        int64_t n;
        if (!str_cut(line, ' ', &id, &code) || id.len != 64)
            continue;
        CLEAN_FREE char *name = str_dup(id);
        CLEAN_ERR struct err bad = str_to_i64(code, 0, 255, &n);
        struct monitor_hello_exec ended = {.id = name, .code = (int)n};
        if (!err_failed(bad))
            container_exec_adopt(c, &ended);
    }
    restore_made(c, run_dir);
}

void container_exec_ended(struct container *c, const char *exec_id, int code) {
    keep_code(c, exec_id, code);
    struct container_exec *x = map_getz(&c->all->execs, exec_id);
    if (!x)
        return;
    char text[16];
    snprintf(text, sizeof text, "%d", code);
    x->running = false;
    x->exit_code = code;
    x->pid = 0;
    container_publish_two(c, "exec_die", "execID", x->id, "exitCode", text);
}

/* An instance that an earlier daemon started. */
void container_exec_adopt(struct container *c, const struct monitor_hello_exec *h) {
    if (!h->id || strlen(h->id) != 64 || map_getz(&c->all->execs, h->id))
        return;
    struct container_exec *x = exec_new(c, h->id);
    x->config = arena_alloc(&x->arena, sizeof *x->config);
    x->started = true;
    x->running = h->running;
    x->exit_code = h->code;
    x->pid = h->pid;
}

/* --- signal, resize
 * -----------------------------------------------------------------------------------------------
 */

struct resize_job {
    container_done *done;
    void *arg;
};

static void resized(void *arg, struct err e) {
    struct resize_job *j = arg;
    j->done(j->arg, e);
    free(j);
}

void container_exec_signal(struct container_exec *x, int signo, container_done *done, void *arg) {
    if (!x->running || !x->container->monitor) {
        done(arg, err_new(ERR_CONFLICT, "exec instance %s is not running", x->id));
        return;
    }
    struct resize_job *j = NEW(struct resize_job);
    *j = (struct resize_job){done, arg};
    monitor_exec_signal(x->container->monitor, x->id, signo, resized, j);
}

void container_exec_resize(struct container_exec *x, unsigned rows, unsigned columns,
                           container_done *done, void *arg) {
    if (!x->running || !x->container->monitor) {
        done(arg, err_new(ERR_CONFLICT, "exec instance %s is not running", x->id));
        return;
    }
    struct resize_job *j = NEW(struct resize_job);
    *j = (struct resize_job){done, arg};
    monitor_resize(x->container->monitor, x->id, rows, columns, resized, j);
}
