/* criu swrk: requests, notifications, answers. */
#include "runtime/criu.h"
#include "base/file.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "runtime/sync.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_MAX (64u << 20)
#define SOCKET_NUMBER 3   /* criu's */
#define INHERIT_NUMBER 10 /* the first of those that restored processes get */

/* --- protocol buffers: varints and bytes are all that is needed --------------------------------
 */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_varint(struct buf *b, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        buf_addc(b, (char)(v | 0x80));
    buf_addc(b, (char)v);
}

static void put_u64(struct buf *b, unsigned field, uint64_t v) {
    put_varint(b, field << 3 | VARINT);
    put_varint(b, v);
}

static void put_flag(struct buf *b, unsigned field, bool v) {
    if (v)
        put_u64(b, field, 1);
}

static void put_bytes(struct buf *b, unsigned field, struct str s) {
    put_varint(b, field << 3 | BYTES);
    put_varint(b, s.len);
    buf_add(b, s.p, s.len);
}

static void put_text(struct buf *b, unsigned field, const char *z) {
    if (z && z[0])
        put_bytes(b, field, str_of(z));
}

static bool get_varint(struct str *s, uint64_t *ret) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && s->len; shift += 7) {
        uint8_t c = (uint8_t)*s->p;
        *s = str_n(s->p + 1, s->len - 1);
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

struct part {
    unsigned field;
    uint64_t number;  /* of a varint */
    struct str bytes; /* of the others */
};

/* False at the end, and at bytes that are none of that. */
static bool next_part(struct str *s, struct part *ret) {
    uint64_t key, n = 0;
    if (!s->len || !get_varint(s, &key) || key >> 3 > INT32_MAX)
        return false;
    unsigned wire = key & 7;
    *ret = (struct part){.field = (unsigned)(key >> 3)};
    if (wire == VARINT)
        return get_varint(s, &ret->number);
    if (wire == BYTES && !get_varint(s, &n))
        return false;
    n = wire == FIXED64 ? 8 : wire == FIXED32 ? 4 : n;
    if ((wire != BYTES && n == 0) || n > s->len)
        return false;
    ret->bytes = str_n(s->p, (size_t)n);
    *s = str_n(s->p + n, s->len - (size_t)n);
    return true;
}

/* --- requests --------------------------------------------------------------------------------- */

static void put_pairs(struct buf *o, const struct criu_request *r) {
    for (size_t i = 0; i < r->external.n; i++)
        put_text(o, 37, r->external.items[i]);
    for (size_t i = 0; i < r->inherit_n; i++) {
        CLEAN_BUF struct buf one = {0};
        put_text(&one, 1, r->inherit[i].key);
        put_u64(&one, 2, INHERIT_NUMBER + i);
        put_bytes(o, 27, buf_str(&one));
    }
    if (r->cgroup) {
        CLEAN_BUF struct buf one = {0};
        put_text(&one, 2, r->cgroup);
        put_bytes(o, 25, buf_str(&one));
    }
}

static const char *log_name(const struct criu_request *r) {
    return r->type == CRIU_RESTORE ? "restore.log" : "dump.log";
}

/* Field numbers of criu_opts. */
static void put_options(struct buf *o, const struct criu_request *r) {
    bool restores = r->type == CRIU_RESTORE;
    put_u64(o, 1, (uint64_t)r->images); /* criu opens it through our /proc/PID/fd */
    if (!restores)
        put_u64(o, 2, (uint64_t)r->pid);
    put_flag(o, 3, r->leave_running);
    put_flag(o, 4, r->ext_unix_sk);
    put_flag(o, 5, r->tcp_established);
    put_flag(o, 6, true); /* devices that have moved are found by their numbers */
    put_flag(o, 7, r->shell_job);
    put_flag(o, 8, r->file_locks);
    put_u64(o, 9, 4);
    put_text(o, 10, log_name(r));
    put_flag(o, 12, true);
    put_text(o, 13, r->root);
    put_text(o, 14, r->parent);
    put_flag(o, 15, r->track_memory);
    put_flag(o, 16, r->auto_dedup);
    put_u64(o, 17, (uint64_t)r->work);
    put_flag(o, 18, true); /* a file without a name any more gets one for the meantime */
    put_flag(o, 24, r->cgroups != CRIU_CGROUPS_IGNORE);
    put_flag(o, 26, restores);
    put_u64(o, 34, r->cgroups);
    put_text(o, 44, r->freezer);
    put_flag(o, 50, true);
    put_text(o, 53, r->lsm_profile);
    put_text(o, 63, r->lsm_mount_context);
    if (r->network_lock)
        put_u64(o, 64, r->network_lock);
    put_pairs(o, r);
}

static struct err send_request(int sock, struct str request) {
    ssize_t n;
    while ((n = send(sock, request.p, request.len, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n < 0 ? err_errno(errno, "ask criu") : OK;
}

static struct err ask(int sock, const struct criu_request *r) {
    CLEAN_BUF struct buf options = {0}, request = {0};
    put_options(&options, r);
    put_u64(&request, 1, r->type);
    put_bytes(&request, 2, buf_str(&options));
    if (request.len > CRIU_MESSAGE_MAX)
        return err_new(ERR_INVALID, "the request to criu is larger than %u bytes",
                       CRIU_MESSAGE_MAX);
    return send_request(sock, buf_str(&request));
}

/* --- answers ---------------------------------------------------------------------------------- */

enum { NOTIFY = 6 };

struct answer {
    uint64_t type;
    bool success;
    struct str script; /* of a notification; valid until the next message */
    pid_t pid;         /* of a notification or of a restore */
    struct str message;
};

static void take_inner(struct part p, struct answer *ret) {
    struct part inner;
    /* criu_notify has the script first and the pid second, criu_restore_resp the pid first. */
    while (next_part(&p.bytes, &inner)) {
        if (p.field == 5 && inner.field == 1)
            ret->script = inner.bytes;
        else if ((p.field == 5 && inner.field == 2) || (p.field == 4 && inner.field == 1))
            ret->pid = inner.number <= INT32_MAX ? (pid_t)inner.number : 0;
    }
}

static void decode(struct str s, struct answer *ret) {
    struct part p;
    *ret = (struct answer){0};
    while (next_part(&s, &p)) {
        if (p.field == 1)
            ret->type = p.number;
        else if (p.field == 2)
            ret->success = p.number;
        else if (p.field == 4 || p.field == 5)
            take_inner(p, ret);
        else if (p.field == 9)
            ret->message = p.bytes;
    }
}

static struct err receive(int sock, char *room, struct answer *ret, int *ret_fd) {
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {.iov_base = room, .iov_len = CRIU_MESSAGE_MAX};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;
    while ((n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return err_errno(errno, "hear criu");
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    *ret_fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    if (n == 0 || h.msg_flags & MSG_TRUNC)
        return err_new(ERR_SYSTEM, n ? "criu says too much" : "criu ended without an answer");
    decode(str_n(room, (size_t)n), ret);
    return OK;
}

static struct err handle(const struct criu_events *ev, const struct answer *a, int *fd) {
    if (!ev)
        return OK;
    if (str_eqz(a->script, "setup-namespaces") && ev->namespaces_made)
        return ev->namespaces_made(ev->arg, a->pid);
    if (str_eqz(a->script, "orphan-pts-master") && ev->terminal && *fd >= 0)
        return ev->terminal(ev->arg, TAKE_FD(*fd));
    return OK;
}

static struct err converse(int sock, const struct criu_events *ev, char *room, struct answer *ret) {
    struct err failed = OK;
    for (;;) {
        CLEAN_FD int fd = -1;
        struct err e = receive(sock, room, ret, &fd);
        if (err_failed(e) || ret->type != NOTIFY)
            return err_failed(failed) ? (err_free(e), failed) : e;
        e = handle(ev, ret, &fd);
        CLEAN_BUF struct buf reply = {0};
        put_u64(&reply, 1, NOTIFY);
        put_u64(&reply, 3, !err_failed(e));
        struct err sent = send_request(sock, buf_str(&reply));
        /* The first failure is the reason for what follows. */
        if (err_failed(failed))
            err_free(e);
        else
            failed = e;
        if (err_failed(sent))
            return err_failed(failed) ? (err_free(sent), failed) : sent;
    }
}

/* --- errors ----------------------------------------------------------------------------------- */

/* "(00.000123) Error (criu/mount.c:1): text": the last such line's text. */
static struct str last_error(struct str log) {
    struct str line, found = {0};
    while (str_next(&log, '\n', &line)) {
        const char *at = memmem(line.p, line.len, "Error (", 7);
        const char *text = at ? memmem(at, line.len - (size_t)(at - line.p), "): ", 3) : NULL;
        if (!text)
            continue;
        text += 3;
        struct str s = str_n(text, line.len - (size_t)(text - line.p));
        /* What it says at the end of every failure tells nothing. */
        if (memmem(s.p, s.len, "FAILED", 6) == NULL)
            found = s;
    }
    return found;
}

/* It may quote names of files. */
static char *printable(struct str s) {
    char *z = mem_printf("%.*s", STR_ARG(s));
    for (char *c = z; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return z;
}

static struct err refused(const struct criu_request *r, const struct answer *a) {
    CLEAN_BUF struct buf log = {0};
    err_ignore(file_read_at(r->work, log_name(r), LOG_MAX, &log)); /* then without its words */
    struct str why = last_error(a->message.len ? a->message : buf_str(&log));
    CLEAN_FREE char *safe = printable(why.len ? why : STR("failed"));
    return err_new(ERR_SYSTEM, "criu: %s", safe);
}

/* --- the program ------------------------------------------------------------------------------ */

static struct err start(const char *program, const struct criu_request *r, int sock,
                        struct spawned *ret) {
    struct spawn_fd fds[4 + CRIU_INHERIT_MAX] = {{0, 0}, {1, 1}, {2, 2}, {sock, SOCKET_NUMBER}};
    size_t n = 4;
    for (size_t i = 0; i < r->inherit_n; i++)
        fds[n++] = (struct spawn_fd){r->inherit[i].fd, (int)(INHERIT_NUMBER + i)};
    char *argv[] = {(char *)"criu", (char *)"swrk", (char *)"3", NULL};
    struct spawn s = {.program = program, .argv = argv, .env = environ, .fds = fds, .fds_n = n};
    return err_wrap(spawn(&s, ret), "start criu");
}

struct err criu_run(const char *program, const struct criu_request *r,
                    const struct criu_events *events, pid_t *ret_pid) {
    int pair[2];
    TRY(sync_pair(pair));
    CLEAN_FD int ours = pair[0], theirs = pair[1];
    struct spawned child;
    TRY(start(program, r, theirs, &child));
    CLEAN_FD int pidfd = child.pidfd;
    theirs = fd_close(theirs);
    CLEAN_BUF struct buf message = {0};
    char *room = buf_room(&message, CRIU_MESSAGE_MAX);
    struct answer a = {0};
    struct err e = ask(ours, r);
    if (!err_failed(e))
        e = converse(ours, events, room, &a);
    ours = fd_close(ours); /* it ends */
    struct pidfd_exit x;
    struct err reaped = pidfd_reap(pidfd, &x);
    if (err_failed(e) || !a.success) {
        err_free(reaped);
        return err_failed(e) ? e : refused(r, &a);
    }
    TRY(reaped);
    if (r->type == CRIU_RESTORE && a.pid <= 0)
        return err_new(ERR_SYSTEM, "criu does not say what it restored");
    if (ret_pid)
        *ret_pid = a.pid;
    return OK;
}
