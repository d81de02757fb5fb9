#include "runtime/record.h"
#include "base/file.h"
#include "base/time.h"
#include "base/vec.h"
#include "kernel/pidfd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_MAX (1u << 20)

void record_done(struct record *r) {
    r->lock = fd_close(r->lock);
    r->dir = fd_close(r->dir);
    r->root = fd_close(r->root);
    arena_done(&r->arena);
}

struct err record_check_id(const char *id) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    size_t n = id ? strlen(id) : 0;
    if (!n || n > 255 || strspn(id, allowed) != n || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
        return err_new(ERR_INVALID, "'%s' is not a container id", id ? id : "");
    return OK;
}

static void prepare(struct record *r, const char *id) {
    *r = (struct record)RECORD_NONE;
    r->id = arena_strz(&r->arena, id);
}

/* Unknown members are ignored, as the specification demands of whoever reads a config.json
 * ("Extensibility"); every known one is honoured or refused by oci_config_check. */
static struct err decode_config(struct record *r, struct str text) {
    if (text.len > OCI_CONFIG_MAX)
        return err_new(ERR_INVALID, "config.json is larger than %u bytes", OCI_CONFIG_MAX);
    r->config_text = (struct str){arena_str(&r->arena, text), text.len};
    return err_wrap(fields_decode(&oci_config_fields, text, &r->arena, &r->config), "config.json");
}

struct err record_new(const char *root, const char *id, struct str config_text,
                      struct record *ret) {
    TRY(record_check_id(id));
    CLEAN_RECORD struct record r;
    prepare(&r, id);
    TRY(decode_config(&r, config_text));
    TRYF(dir_make(root, 0700), "state directory");
    TRY(dir_open(root, &r.root));
    if (mkdirat(r.root, id, 0700) < 0)
        return err_kind_errno(errno == EEXIST ? ERR_CONFLICT : ERR_SYSTEM, errno,
                              "container '%s': make %s/%s", id, root, id);
    r.dir = openat(r.root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (r.dir < 0)
        return err_errno(errno, "open %s/%s", root, id);
    struct err e = record_lock(&r);
    if (!err_failed(e))
        e = file_replace_at(r.dir, "config.json", config_text, 0600, false);
    if (err_failed(e)) {
        err_ignore(record_remove(&r)); /* e is the error to tell */
        return e;
    }
    *ret = r;
    prepare(&r, "");
    return OK;
}

/* Absent while a create is under way. */
static struct err read_kept(struct record *r) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read_at(r->dir, "status", STATUS_MAX, &text);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    TRY(fields_decode(&oci_kept_fields, buf_str(&text), &r->arena, &r->kept));
    r->has_kept = true;
    return OK;
}

static struct err read_all(struct record *r) {
    TRY(read_kept(r));
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read_at(r->dir, "config.json", OCI_CONFIG_MAX, &text);
    if (err_kind(e) == ERR_NOT_FOUND && !r->has_kept) {
        err_free(e);
        return OK;
    }
    TRY(e);
    return decode_config(r, buf_str(&text));
}

struct err record_open(const char *root, const char *id, struct record *ret) {
    TRY(record_check_id(id));
    CLEAN_RECORD struct record r;
    prepare(&r, id);
    r.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r.root >= 0)
        r.dir = openat(r.root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (r.dir < 0)
        return errno == ENOENT ? err_new(ERR_NOT_FOUND, "container '%s' does not exist", id)
                               : err_errno(errno, "open %s/%s", root, id);
    TRYF(read_all(&r), "state of container '%s'", id);
    *ret = r;
    prepare(&r, "");
    return OK;
}

/* A POSIX lock: it belongs to the process, so the container's first process, a fork of ours that
 * waits for its start, does not hold it on. */
struct err record_lock(struct record *r) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    r->lock = openat(r->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (r->lock < 0 && errno == ENOENT) /* its directory is gone */
        return err_new(ERR_NOT_FOUND, "container '%s' does not exist", r->id);
    if (r->lock < 0)
        return err_errno(errno, "lock the state of container '%s'", r->id);
    while (fcntl(r->lock, F_SETLKW, &whole) < 0)
        if (errno != EINTR)
            return err_errno(errno, "lock the state of container '%s'", r->id);
    struct stat st;
    if (fstat(r->dir, &st) < 0 || st.st_nlink == 0)
        return err_new(ERR_NOT_FOUND, "container '%s' does not exist", r->id);
    return OK;
}

void record_resolve_sources(struct record *r, const char *bundle) {
    struct oci_mount *m = r->config.mounts.items;
    for (size_t i = 0; i < r->config.mounts.n; i++) {
        bool bind = m[i].type && strcmp(m[i].type, "bind") == 0;
        bind |= strs_has(&m[i].options, "bind") || strs_has(&m[i].options, "rbind");
        if (bind && m[i].source && m[i].source[0] && m[i].source[0] != '/')
            m[i].source = arena_printf(&r->arena, "%s/%s", bundle, m[i].source);
    }
}

struct err record_save(const struct record *r) {
    CLEAN_BUF struct buf text = {0};
    fields_print(&oci_kept_fields, &r->kept, &text);
    return err_wrap(file_replace_at(r->dir, "status", buf_str(&text), 0600, false),
                    "state of container '%s'", r->id);
}

/* --- the start socket ------------------------------------------------------------------------- */

/* By the directory's descriptor: a root may be longer than a socket's name. */
static struct err make_socket(const struct record *r, struct sockaddr_un *a, int *ret_fd) {
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/start", r->dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(errno, "make a socket");
    *ret_fd = fd;
    return OK;
}

struct err record_listen(const struct record *r, int *ret_fd) {
    CLEAN_FD int fd = -1;
    struct sockaddr_un a;
    TRY(make_socket(r, &a, &fd));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
        return err_errno(errno, "start socket of container '%s'", r->id);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err record_dial(const struct record *r, int *ret_fd) {
    CLEAN_FD int fd = -1;
    struct sockaddr_un a;
    TRY(make_socket(r, &a, &fd));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return err_kind_errno(ERR_CONFLICT, errno, "container '%s' does not wait for a start",
                              r->id);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

void record_unlisten(const struct record *r) {
    unlinkat(r->dir, "start", 0);
}

struct err record_remove(struct record *r) {
    return err_wrap(dir_remove(r->root, r->id), "remove the state of container '%s'", r->id);
}

/* --- what it is doing ------------------------------------------------------------------------- */

enum record_status record_status(const struct record *r) {
    if (!r->has_kept)
        return RECORD_CREATING;
    CLEAN_FD int pidfd = -1;
    struct err e = pidfd_of_started((pid_t)r->kept.pid, r->kept.start_time, &pidfd);
    bool gone = err_failed(e) || pidfd_ended(pidfd);
    err_ignore(e); /* whatever keeps us from seeing it: it is not there for us */
    if (gone)
        return RECORD_STOPPED;
    if (r->kept.waits && faccessat(r->dir, "start", F_OK, 0) == 0)
        return RECORD_CREATED;
    bool frozen = false;
    if (r->kept.cgroup_path && r->kept.cgroup_path[0])
        err_ignore(runtime_cgroup_frozen(r->kept.cgroup_path, &frozen));
    return frozen ? RECORD_PAUSED : RECORD_RUNNING;
}

const char *record_status_name(enum record_status s) {
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};
    return names[s];
}

void record_state(const struct record *r, struct oci_state *ret) {
    enum record_status s = record_status(r);
    const struct oci_kept *k = &r->kept;
    *ret = (struct oci_state){
        .oci_version = k->oci_version,
        .id = (char *)r->id,
        .status = (char *)record_status_name(s),
        .pid = s == RECORD_STOPPED ? 0 : k->pid,
        .bundle = k->bundle,
        .rootfs = k->rootfs,
        .created = k->created,
        .owner = k->owner,
        .annotations = r->config.annotations,
    };
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct err record_list(const char *root, struct strv *ret) {
    DIR *d = opendir(root);
    if (!d)
        return errno == ENOENT ? OK : err_errno(errno, "list '%s'", root);
    for (struct dirent *x; (x = readdir(d));)
        if (x->d_name[0] != '.')
            strv_add(ret, x->d_name);
    closedir(d);
    if (ret->n)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
    return OK;
}

/* An annotation of crun's that podman sets; it takes nothing away from anybody. */
static bool says_keep_groups(const struct record *r) {
    const char *text = strmap_get(&r->config.annotations, "run.oci.keep_original_groups");
    return text && strcmp(text, "1") == 0;
}

struct runtime_create_options record_options(const struct record *r) {
    return (struct runtime_create_options){
        .id = r->id,
        .config = &r->config,
        .rootfs_fd = -1,
        .netns_fd = -1,
        .seccomp_fd = -1,
        .bundle = r->kept.bundle,
        .keep_groups = says_keep_groups(r),
        .no_new_keyring = r->kept.no_new_keyring,
        .cgroup_path = r->kept.systemd_unit && r->kept.systemd_unit[0] ? r->kept.cgroup_path : NULL,
    };
}
