/* build/cache_mount.c - caches of RUN steps: volumes of the daemon. */
#include "archive/extract.h"
#include "base/file.h"
#include "base/sha256.h"
#include "build/lane.h"
#include "build/run_mounts.h"
#include "build/tree_stream.h"
#include "build/trees.h"
#include "spec/api_volume.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTANCES_MAX 1000 /* of one private cache */
#define LOCK_POLL_MS 50

static struct err volume_make(struct build *b, const char *id, const char *name,
                              struct api_volume *ret) {
    struct api_volume_create in = {.name = arena_strz(b->arena, name)};
    strmap_set(&in.labels, b->arena, BUILD_CACHE_LABEL, id);
    struct client_call call = {.method = "POST",
                               .target = "/volumes/create",
                               .in_fields = &api_volume_create_fields,
                               .in = &in,
                               .out_fields = &api_volume_fields,
                               .out = ret,
                               .arena = b->arena};
    return client_do(b->client, &call);
}

/* What a cache is filled with when it is new: a tree of an image. */
static struct err fill(struct build *b, const struct step_mount *s, int dir) {
    struct extracted done;
    TRY(daemon_tree(b->client, s->image, s->source));
    CLEAN_STREAM struct stream *in = tree_stream(b->client);
    return extract(in, dir, 0, &extract_default_limits, &done);
}

static void dir_close(DIR **d) {
    if (*d)
        closedir(*d);
}

static struct err is_empty(int fd, bool *ret) {
    CLEAN_FD
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OWN(dir_close) DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d)
        return err_errno(errno, "open the cache");
    copy = -1; /* the stream's */
    *ret = true;
    for (struct dirent *e; (e = readdir(d));)
        *ret &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    return OK;
}

/* Content, owner and mode are given to a cache while it is empty. */
static struct err settle(struct build *b, const struct step_mount *s, int dir) {
    const struct run_mount *m = &s->m;
    bool empty;
    TRY(is_empty(dir, &empty));
    if (!empty)
        return OK;
    if (s->image)
        TRY(fill(b, s, dir));
    if ((m->uid || m->gid) && fchown(dir, m->uid, m->gid) != 0)
        return err_errno(errno, "set the owner of the cache");
    if (m->mode_given && fchmod(dir, m->mode & 07777) != 0)
        return err_errno(errno, "set the mode of the cache");
    return OK;
}

/* Waits for a lock; ends with the build. */
static struct err lock_wait(struct build *b, int fd, int how) {
    while (flock(fd, how | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(errno, "lock the cache");
        if (report_gone(b->report))
            return err_new(ERR_CANCELLED, "the client is gone");
        usleep(LOCK_POLL_MS * 1000);
    }
    return OK;
}

/* One volume of the cache; *ret_fd -1: somebody has it. */
static struct err take(struct build *b, const struct step_mount *s, const char *id,
                       const char *name, int *ret_fd) {
    struct api_volume volume = {0};
    CLEAN_FD
    int fd = -1;
    TRY(volume_make(b, id, name, &volume));
    fd = open(volume.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open the cache '%s'", volume.mountpoint);
    if (s->m.sharing == SHARING_PRIVATE) {
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            *ret_fd = -1;
            return OK;
        }
    } else {
        TRY(lock_wait(b, fd, s->m.sharing == SHARING_LOCKED ? LOCK_EX : LOCK_SH));
    }
    TRY(settle(b, s, fd));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err cache_mount(struct build *b, struct step_mounts *all, const struct step_mount *s,
                       struct api_mount *out) {
    struct digest d;
    char hex[65];
    const char *id = s->m.id && *s->m.id ? s->m.id : s->target;
    CLEAN_BUF struct buf whole = {0};
    buf_adds(&whole, id);
    if (s->image) /* another beginning is another cache */
        buf_addf(&whole, "\n%s\n%s", s->image, s->source);
    digest_of(buf_str(&whole), &d);
    digest_hex(&d, hex);
    for (unsigned n = 0; n < INSTANCES_MAX; n++) {
        char *name = n ? arena_printf(b->arena, BUILD_CACHE_VOLUME "%.16s-%u", hex, n)
                       : arena_printf(b->arena, BUILD_CACHE_VOLUME "%.16s", hex);
        int fd;
        TRY(AWAIT(b, take(b, s, id, name, &fd)));
        if (fd < 0)
            continue;
        vec_push(&all->locks, fd);
        out->source = name;
        out->volume_options = arena_alloc(b->arena, sizeof(*out->volume_options));
        out->volume_options->no_copy = true;
        return OK;
    }
    return err_new(ERR_UNAVAILABLE, "all %u instances of the cache are in use", INSTANCES_MAX);
}
