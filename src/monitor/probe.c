/* probe.c - asks a container once whether it is well. */
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/beneath.h"
#include "kernel/ns.h"
#include "monitor/health.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 8192 /* bytes of an answer that are looked at */

struct probe {
    struct keeper *keeper;
    struct health *health;
    const struct monitor_health *settings;
    bool over, posted;
    int code; /* once over */
    struct buf output;
    bool cut; /* more was said */
    /* EXEC */
    struct exec *exec;
    struct exec_own own;
    /* HTTP, TCP */
    int fd;
    struct watch *watch;
    bool connected;
    struct buf request, head;
    /* FILE */
    struct uring *ring;
    struct file_look *look;
};

/* A look at a file. It outlives its probe when the file system hangs: the kernel writes into it. */
struct file_look {
    int root, fd;
    struct open_how how;
    struct statx st;
    char path[]; /* relative, or "." */
};

/* --- the end ---------------------------------------------------------------------------------- */

static void report(void *arg) {
    struct probe *p = arg;
    p->posted = false;
    if (p->health == NULL) { /* cancelled meanwhile */
        probe_free(p);
        return;
    }
    CLEAN_BUF struct buf text = p->output;
    p->output = (struct buf){0};
    if (p->cut)
        buf_adds(&text, "...");
    health_probed(TAKE(p->health), p->code, buf_str(&text));
}

/* In a round of its own: whoever is called frees us. */
static void over(struct probe *p, int code) {
    if (p->over)
        return;
    p->over = p->posted = true;
    p->code = code;
    p->watch = watch_free(p->watch);
    p->fd = fd_close(p->fd);
    loop_post(p->keeper->loop, report, p);
}

static void add_output(struct probe *p, const char *bytes, size_t n) {
    size_t room = MONITOR_HEALTH_OUTPUT - p->output.len;
    buf_add(&p->output, bytes, MIN(n, room));
    p->cut |= n > room;
}

static void fail_errno(struct probe *p, const char *what, int errnum) {
    buf_addf(&p->output, "%s: %s", what, strerror(errnum));
    over(p, 1);
}

struct str probe_output(const struct probe *p) {
    return buf_str(&p->output);
}

/* --- EXEC ------------------------------------------------------------------------------------- */

static void exec_said(void *arg, const char *bytes, size_t n) {
    add_output(arg, bytes, n);
}

static void skip_later(void *arg) {
    struct probe *p = arg;
    p->posted = false;
    struct health *h = TAKE(p->health);
    if (h)
        health_skipped(h);
    else
        probe_free(p);
}

static void exec_over_own(void *arg, int code, struct err e) {
    struct probe *p = arg;
    p->exec = NULL;
    if (err_kind(e) == ERR_CONFLICT) {
        err_ignore(e);
        p->over = p->posted = true;
        loop_post(p->keeper->loop, skip_later, p);
        return;
    }
    if (err_failed(e))
        add_output(p, err_msg(e), strlen(err_msg(e)));
    err_free(e);
    over(p, code);
}

static void begin_exec(struct probe *p) {
    p->own = (struct exec_own){exec_said, exec_over_own, p};
    struct exec *x = exec_run(p->keeper, p->settings->process, "", &p->own);
    if (!p->over)
        p->exec = x;
}

/* --- HTTP, TCP -------------------------------------------------------------------------------- */

/* "HTTP/1.1 204 No Content" (RFC 9112 section 4). The answer is the container's: hostile. */
static bool read_status(struct probe *p, int *ret_status) {
    struct str head = buf_str(&p->head), line, rest;
    if (!str_cut(head, '\n', &line, &rest))
        return false;
    line = str_trim(line);
    uint64_t status = 0;
    bool known = line.len >= 12 && str_starts(line, STR("HTTP/1.")) && line.p[8] == ' ' &&
                 (line.len == 12 || line.p[12] == ' ');
    if (known) {
        struct err e = str_to_u64(str_sub(line, 9, 12), 599, &status);
        known = !err_failed(e) && status >= 100;
        err_ignore(e);
    }
    *ret_status = known ? (int)status : 0;
    add_output(p, line.p, line.len);
    return true;
}

static void on_answer(struct probe *p) {
    int status;
    ssize_t n = recv(p->fd, buf_room(&p->head, HEAD_MAX), HEAD_MAX - p->head.len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail_errno(p, "read the answer", errno);
        return;
    }
    buf_added(&p->head, (size_t)n);
    if (read_status(p, &status)) {
        over(p, status >= 200 && status < 400 ? 0 : 1);
    } else if (n == 0 || p->head.len >= HEAD_MAX) {
        buf_adds(&p->output, "the answer is not HTTP");
        over(p, 1);
    }
}

static void send_request(struct probe *p) {
    ssize_t n = send(p->fd, p->request.data, p->request.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail_errno(p, "send the request", errno);
        return;
    }
    buf_drop(&p->request, (size_t)n);
    if (p->request.len == 0)
        watch_set(p->watch, WATCH_READ);
}

static void on_connected(struct probe *p) {
    int errnum = 0;
    socklen_t n = sizeof(errnum);
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &errnum, &n) < 0)
        errnum = errno;
    if (errnum != 0) {
        CLEAN_FREE
        char *what = mem_printf("connect to %s port %u", p->settings->address, p->settings->port);
        fail_errno(p, what, errnum);
        return;
    }
    p->connected = true;
    if (p->settings->probe == MONITOR_PROBE_TCP)
        over(p, 0);
    else
        send_request(p);
}

static void on_socket(void *arg, unsigned events) {
    (void)events;
    struct probe *p = arg;
    if (!p->connected)
        on_connected(p);
    else if (p->request.len > 0)
        send_request(p);
    else
        on_answer(p);
}

static socklen_t socket_address(const struct monitor_health *s, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, s->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)s->port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, s->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)s->port);
        return sizeof(*v6);
    }
    return 0;
}

static struct err open_socket(const struct probe *p, int domain, int *ret_fd) {
    CLEAN_FD
    int ns = -1;
    TRY(ns_open(p->keeper->facts.pid, "net", &ns));
    return ns_socket(ns, domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fd);
}

static void begin_socket(struct probe *p) {
    const struct monitor_health *s = p->settings;
    struct sockaddr_storage a;
    socklen_t len = socket_address(s, &a);
    struct err e = len ? open_socket(p, a.ss_family, &p->fd)
                       : err_new(ERR_INVALID, "'%s' is no address", s->address);
    if (err_failed(e)) {
        add_output(p, err_msg(e), strlen(err_msg(e)));
        err_free(e);
        over(p, -1);
        return;
    }
    bool v6 = a.ss_family == AF_INET6;
    buf_addf(&p->request,
             "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: corten-health\r\nAccept: */*\r\n"
             "Connection: close\r\n\r\n",
             s->path, v6 ? "[" : "", s->address, v6 ? "]" : "", s->port);
    p->watch = watch_new(p->keeper->loop, p->fd, WATCH_WRITE, on_socket, p);
    if (connect(p->fd, (struct sockaddr *)&a, len) < 0 && errno != EINPROGRESS) {
        CLEAN_FREE
        char *what = mem_printf("connect to %s port %u", s->address, s->port);
        fail_errno(p, what, errno);
    }
}

/* --- FILE ------------------------------------------------------------------------------------- */

static void look_free(struct file_look *k) {
    if (k == NULL)
        return;
    fd_close(k->root);
    fd_close(k->fd);
    free(k);
}

static void file_age(struct probe *p) {
    const struct statx *st = &p->look->st;
    int64_t changed = st->stx_mtime.tv_sec * NSEC_PER_SEC + st->stx_mtime.tv_nsec;
    int64_t age = time_now() - changed, max = p->settings->max_age;
    if (max > 0 && age > max) {
        buf_addf(&p->output, "%s: last changed %lld.%03lld s ago", p->settings->path,
                 (long long)(age / NSEC_PER_SEC), (long long)(age / NSEC_PER_MSEC % 1000));
        over(p, 1);
    } else {
        over(p, 0);
    }
}

/* A step has ended: first the open, then the look. */
static void file_step(struct probe *p, int result) {
    struct file_look *k = p->look;
    if (result < 0) {
        fail_errno(p, p->settings->path, -result);
        return;
    }
    if (k->fd >= 0) {
        file_age(p);
        return;
    }
    k->fd = result;
    if (uring_statx(p->ring, k->fd, &k->st) != 0)
        fail_errno(p, p->settings->path, EIO);
}

static void on_ring(void *arg, unsigned events) {
    (void)events;
    struct probe *p = arg;
    int result;
    while (!p->over && uring_result(p->ring, &result))
        file_step(p, result);
}

/* Where the kernel refuses io_uring. */
static void look_plainly(struct probe *p) {
    struct stat st;
    struct err e = beneath_stat(p->look->root, p->settings->path, true, &st);
    if (err_failed(e)) {
        fail_errno(p, p->settings->path, err_errnum(e) ? err_errnum(e) : EIO);
        err_ignore(e);
        return;
    }
    p->look->st.stx_mtime.tv_sec = st.st_mtim.tv_sec;
    p->look->st.stx_mtime.tv_nsec = (uint32_t)st.st_mtim.tv_nsec;
    file_age(p);
}

static void begin_file(struct probe *p, struct uring **ring) {
    char root[64];
    const char *path = p->settings->path;
    int result;
    if (*ring && uring_busy(*ring)) { /* an earlier one hung */
        if (!uring_result(*ring, &result)) {
            buf_adds(&p->output, "the file system does not answer");
            over(p, -1);
            return;
        }
        if (result > 2)
            close(result); /* of an open; a look ends with 0 */
    }
    if (*ring == NULL)
        *ring = uring_new();
    size_t n = strlen(path) + 1;
    struct file_look *k = p->look = mem_alloc(sizeof(*k) + n);
    *k = (struct file_look){.fd = -1};
    memcpy(k->path, path, n);
    snprintf(root, sizeof(root), "/proc/%d/root", (int)p->keeper->facts.pid);
    k->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (k->root < 0) {
        fail_errno(p, "open the container's root", errno);
        return;
    }
    if (*ring == NULL) {
        look_plainly(p);
        return;
    }
    k->how = (struct open_how){.flags = O_PATH | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (uring_open_how(*ring, k->root, k->path, &k->how) != 0) {
        look_plainly(p);
        return;
    }
    p->ring = *ring;
    p->watch = watch_new(p->keeper->loop, uring_fd(*ring), WATCH_READ, on_ring, p);
}

/* --- life ------------------------------------------------------------------------------------- */

struct probe *probe_new(struct keeper *k, struct health *h, const struct monitor_health *s,
                        struct uring **ring) {
    struct probe *p = NEW(struct probe);
    p->keeper = k;
    p->health = h;
    p->settings = s;
    p->fd = -1;
    if (s->probe == MONITOR_PROBE_EXEC)
        begin_exec(p);
    else if (s->probe == MONITOR_PROBE_FILE)
        begin_file(p, ring);
    else
        begin_socket(p);
    return p;
}

struct probe *probe_free(struct probe *p) {
    if (p == NULL)
        return NULL;
    p->health = NULL;
    if (p->exec)
        exec_cancel(TAKE(p->exec));
    p->watch = watch_free(p->watch);
    p->fd = fd_close(p->fd);
    if (p->posted)
        return NULL; /* freed by what was posted */
    if (p->ring == NULL || !uring_busy(p->ring))
        look_free(p->look); /* else the kernel still writes there: a few hundred bytes stay */
    buf_done(&p->request);
    buf_done(&p->head);
    buf_done(&p->output);
    free(p);
    return NULL;
}
