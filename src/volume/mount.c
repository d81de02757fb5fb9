/* Mounting a volume that is a file system: in a pool thread when it is made of this host's memory
 * or directories, else in a worker, which may hang and be killed. */
#include "base/file.h"
#include "base/path.h"
#include "spec/volume_plugin.h"
#include "volume/private.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
#define F(member, name, kind, ...) FIELD(struct volume_mount, member, name, kind, ##__VA_ARGS__)
FIELDS(volume_mount_fields, struct volume_mount,
       F(plugin_dirs, "PluginDirs", F_STRS, .flags = OMIT_EMPTY),
       F(driver, "Driver", F_STR, .flags = OMIT_EMPTY),
       F(name, "Name", F_STR, .flags = OMIT_EMPTY),
       F(id, "ID", F_STR, .flags = OMIT_EMPTY),
       F(type, "Type", F_STR),
       F(device, "Device", F_STR),
       F(options, "Options", F_STR),
       F(mountpoint, "Mountpoint", F_STR),
       F(layers, "Layers", F_STRS),
       F(fill, "Fill", F_STR, .flags = OMIT_EMPTY));
#undef F
/* clang-format on */

bool volume_mount_is_local(const struct volume_mount *m) {
    CLEAN_ARENA struct arena a = {0};
    struct volume_words w = {0};
    if (m->driver)
        return false;
    err_ignore(volume_options_words(m->options, &a, &w)); /* it was checked when it was made */
    return w.bind || !strcmp(m->type, "tmpfs");
}

/* --- the tree ----------------------------------------------------------------------------------
 */

/* The kernel wants a number where the user may give a name. */
static struct err resolve_address(struct volume_words *w, struct arena *a) {
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->items[i].key, "addr") != 0 || !w->items[i].value)
            continue;
        struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
        char text[NI_MAXHOST];
        int r = getaddrinfo(w->items[i].value, NULL, &hints, &found);
        if (r == 0)
            r = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
                            NI_NUMERICHOST);
        if (found)
            freeaddrinfo(found);
        if (r != 0)
            return err_new(ERR_SYSTEM,
                           "error resolving passed in network volume address: lookup %s: %s",
                           w->items[i].value, gai_strerror(r));
        w->items[i].value = arena_strz(a, text);
    }
    return OK;
}

static struct err bind_tree(const struct volume_mount *m, const struct volume_words *w,
                            int *ret_fd) {
    CLEAN_FD int fd = -1;
    struct stat st;
    if (m->device[0] != '/')
        return err_new(ERR_INVALID, "'%s' is not an absolute path", m->device);
    TRY(mount_clone(AT_FDCWD, m->device, w->recursive, &fd));
    if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_kind_errno(ERR_SYSTEM, ENOTDIR, "'%s'", m->device);
    if (w->attrs)
        TRY(mount_set(fd, w->attrs, 0, 0, false));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err plugin_tree(const struct volume_mount *m, int *ret_fd, char **ret_at) {
    struct plugin_call call = {.dirs = m->plugin_dirs,
                               .driver = m->driver,
                               .call = (char *)(uintptr_t) "Mount",
                               .name = m->name,
                               .id = m->id};
    CLEAN_FREE char *at = NULL;
    TRY(volume_plugin_call(&call, &at));
    struct volume_mount there = {.device = at};
    struct volume_words whole = {.recursive = true};
    TRYF(bind_tree(&there, &whole, ret_fd), "what plugin \"%s\" has mounted", m->driver);
    *ret_at = TAKE(at);
    return OK;
}

static struct err make_tree(const struct volume_mount *m, int *ret_fd) {
    CLEAN_ARENA struct arena a = {0};
    struct volume_words w;
    TRY(volume_options_words(m->options, &a, &w));
    if (w.bind)
        return bind_tree(m, &w, ret_fd);
    if (!strncmp(m->type, "nfs", 3) || !strcmp(m->type, "cifs") || !strcmp(m->type, "smb3"))
        TRY(resolve_address(&w, &a));
    return mount_new_fs(m->type, m->device, w.items, w.n, w.attrs, 0, ret_fd);
}

/* --- the copy ----------------------------------------------------------------------------------
 */

static struct err fill(const struct volume_mount *m, int layers_fd, int keep) {
    CLEAN_FD int rootfs = -1, tree = -1, volume = -1, mark = -1;
    struct mount_overlay o = {.layers_fd = layers_fd,
                              .layers = (const char *const *)m->layers.items,
                              .layers_n = m->layers.n,
                              .upper_fd = -1,
                              .work_fd = -1};
    CLEAN_FREE char *beside = str_dup(path_dir(str_of(m->mountpoint)));
    TRY(mount_overlay_detached(&o, &rootfs));
    TRY(volume_keep_clone(keep, "", &tree));
    volume = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (volume < 0)
        return err_errno(errno, "open the volume");
    TRY(dir_open(beside, &mark));
    bool copied;
    struct err e = volume_copy_up(rootfs, m->fill, volume, mark, &copied);
    if (err_errnum(e) == EROFS) {
        err_free(e); /* a file system that is read-only shows what it has */
        return OK;
    }
    return e;
}

struct err volume_mount_make(const struct volume_mount *m, int layers_fd, int *ret_keep,
                             char **ret_at) {
    CLEAN_FD int tree = -1, keep = -1;
    struct err e = m->driver ? plugin_tree(m, &tree, ret_at) : make_tree(m, &tree);
    if (err_failed(e) && m->driver)
        return err_wrap(err_as(e, ERR_SYSTEM), "error while mounting volume '%s'", m->name);
    if (err_failed(e))
        return err_wrap(err_as(e, ERR_SYSTEM),
                        "error while mounting volume '%s': failed to mount local volume: mount "
                        "%s:%s, data: %s",
                        m->mountpoint, m->device, m->mountpoint, m->options);
    TRY(volume_keep_make(tree, &keep));
    if (m->fill && m->layers.n)
        TRYF(fill(m, layers_fd, keep), "fill volume '%s'", m->mountpoint);
    *ret_keep = TAKE_FD(keep);
    return OK;
}

/* --- the worker's side -------------------------------------------------------------------------
 */

static struct err mount_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                            struct buf *ret_result) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_FREE char *at = NULL;
    CLEAN_FD int keep = -1;
    struct volume_mount m;
    TRY(fields_decode(&volume_mount_fields, args, &a, &m));
    TRY(volume_mount_make(&m, fds_n ? fds[0] : -1, &keep, &at));
    worker_notice(ctx, VOLUME_NOTICE_KEEP, STR_NONE, &keep, 1);
    struct volume_plugin_answer answer = {.mountpoint = at};
    fields_print(&volume_plugin_answer_fields, &answer, ret_result);
    return OK;
}

const struct worker_job volume_jobs[] = {{"volume-mount", mount_job},
                                         {"volume-copy", volume_copy_job},
                                         {"volume-plugin", volume_plugin_job},
                                         {"volume-list", volume_list_job},
                                         {NULL, NULL}};

struct err volume_mount_once(const char *type, const char *device, const char *options,
                             const char *mountpoint, int *ret_keep) {
    CLEAN_ARENA struct arena a = {0};
    struct volume_mount m = {
        .type = arena_strz(&a, type),
        .device = arena_strz(&a, device ? device : ""),
        .options = arena_strz(&a, options ? options : ""),
        .mountpoint = arena_strz(&a, mountpoint),
    };
    return volume_mount_make(&m, -1, ret_keep, NULL);
}
