/* build/run_mounts.c - what the mounts of a step are, and their trees. */
#include "build/run_mounts.h"
#include "archive/extract.h"
#include "base/file.h"
#include "base/path.h"
#include "build/lane.h"
#include "build/named.h"
#include "build/trees.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void step_mounts_done(struct step_mounts *m) {
    for (size_t i = 0; i < m->locks.n; i++)
        fd_close(m->locks.items[i]);
    vec_done(&m->locks);
}

struct err step_mounts_end(struct build *b, struct step_mounts *m) {
    for (size_t i = 0; i < m->secrets.n; i++)
        TRY(AWAIT(b, daemon_secret_remove(b->client, b->job->id, m->secrets.items[i])));
    m->secrets.n = 0;
    return OK;
}

/* --- what they are ------------------------------------------------------------------------------
 */
struct expander {
    struct state *state;
    const struct instr *instr;
};

static struct err expand(void *arg, const char *text, char **ret) {
    struct expander *x = arg;
    return state_expand(x->state, x->instr, text, ret);
}

/* Context trees count by content. */
static struct err key_context(struct build *b, const struct step_mount *s, struct key *k) {
    const char *source = s->source;
    CLEAN_SOURCES struct source_items items = {0};
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    struct digest d;
    TRY(AWAIT(b, source_find(s->root, source, b->arena, &items)));
    for (size_t i = 0; i < items.n; i++)
        TRY(AWAIT(b, source_hash(&items.items[i], h)));
    sha256_end(h, d.bytes);
    key_part(k, arena_printf(b->arena, "the files of --mount source=%s", source));
    key_add(k, str_n(d.bytes, sizeof(d.bytes)));
    return OK;
}

static struct err key_mount(struct build *b, const struct step_mount *s, struct key *k) {
    const struct run_mount *m = &s->m;
    bool tree = m->kind == MOUNT_BIND || (m->kind == MOUNT_CACHE && m->from);
    char numbers[80];
    snprintf(numbers, sizeof(numbers), "%d %d %d %o %u %u %lld", m->kind, m->sharing, m->read_only,
             m->mode_given ? m->mode : 07777, m->uid, m->gid, (long long)m->size);
    key_part(k, arena_printf(b->arena, "the mount on %s", s->target ? s->target : "a variable"));
    key_addz(k, numbers);
    key_addz(k, s->target);
    key_addz(k, m->id);
    key_addz(k, m->env);
    if (!tree)
        return OK;
    key_addz(k, s->source);
    key_addz(k, s->image);
    return s->image ? OK : key_context(b, s, k);
}

static struct err find_one(struct build *b, struct stage *stage, const struct instr *in,
                           const char *text, struct step_mount *ret) {
    struct state *s = &stage->state;
    struct expander x = {s, in};
    struct run_mount *m = &ret->m;
    TRY(mount_read(text, expand, &x, b->arena, m));
    if (m->target && *m->target) {
        ret->target = state_workdir(s, m->target);
        if (strcmp(ret->target, "/") == 0)
            return err_new(ERR_INVALID, "invalid mount target \"%s\"", m->target);
    }
    CLEAN_FREE
    char *joined = path_join("/", m->source ? m->source : "");
    CLEAN_FREE
    char *clean = path_clean(str_of(joined));
    ret->source = arena_strz(b->arena, clean);
    ret->root = &b->context->root;
    const char *named = m->from ? plan_context(b->plan, m->from) : NULL;
    if (named && context_is_dir(named) && m->kind == MOUNT_BIND) {
        TRY(named_root(b, named, &ret->root));
        return OK;
    }
    if (named && context_is_dir(named) && m->kind == MOUNT_CACHE)
        return err_new(ERR_UNSUPPORTED, "a cache cannot begin with the directory context '%s'",
                       m->from);
    if (m->from && *m->from && (m->kind == MOUNT_BIND || m->kind == MOUNT_CACHE))
        return stage_or_image(b, stage, in, m->from, &ret->image);
    m->from = NULL;
    return OK;
}

struct err step_mounts_find(struct build *b, struct stage *stage, const struct instr *in,
                            struct key *k, struct step_mounts *ret) {
    const struct run_spec *run = &in->run;
    const struct dockerfile *f = stage->state.file;
    ret->n = run->mounts.n;
    ret->items = arena_array(b->arena, ret->n + 1, sizeof(struct step_mount));
    for (size_t i = 0; i < ret->n; i++) {
        struct err e = find_one(b, stage, in, run->mounts.items[i], &ret->items[i]);
        if (!err_failed(e))
            e = key_mount(b, &ret->items[i], k);
        TRY(dockerfile_locate(f, in->node, err_wrap(e, "--mount=%s", run->mounts.items[i])));
    }
    return OK;
}

/* --- trees --------------------------------------------------------------------------------------
 */
static struct api_mount *add(struct build *b, struct api_host_config *host, const char *type,
                             const struct step_mount *s) {
    struct api_mount *m = objs_add(&host->mounts, b->arena, sizeof(*m));
    m->type = arena_strz(b->arena, type);
    m->target = s->target;
    m->read_only = s->m.read_only;
    return m;
}

/* Where the kernel says that an open path is. */
static struct err real_path(int fd, struct arena *a, char **ret) {
    char link[40], text[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, text, sizeof(text));
    if (n <= 0 || n == sizeof(text))
        return err_errno(n < 0 ? errno : ENAMETOOLONG, "find a path of the context");
    *ret = arena_str(a, str_n(text, (size_t)n));
    return OK;
}

/* The path of the tree below an open directory, links in it followed inside it. */
static struct err tree_path(struct build *b, int root, const char *source, char **ret) {
    CLEAN_FD
    int fd = -1;
    TRY(beneath_open(root, source, O_PATH, 0, &fd));
    return real_path(fd, b->arena, ret);
}

static struct err bind_source(struct build *b, const struct step_mount *s, char **ret) {
    const struct source_root *context = s->root;
    CLEAN_FD
    int root = -1;
    const char *path;
    if (s->image) {
        TRY(image_tree(b, s->image, s->source, &root, &path));
        return tree_path(b, root, path, ret);
    }
    if (s->m.read_only && !context->ignore && !context->packed)
        return tree_path(b, context->fd, s->source, ret);
    TRY(context_tree(b, s->root, s->source, s->m.read_only, &root, &path));
    return tree_path(b, root, path, ret);
}

static struct err make_bind(struct build *b, const struct step_mount *s,
                            struct api_host_config *host) {
    char *path = NULL;
    TRY(bind_source(b, s, &path));
    add(b, host, "bind", s)->source = path;
    return OK;
}

static struct err make_tmpfs(struct build *b, const struct step_mount *s,
                             struct api_host_config *host) {
    struct api_mount *m = add(b, host, "tmpfs", s);
    m->tmpfs_options = arena_alloc(b->arena, sizeof(*m->tmpfs_options));
    m->tmpfs_options->size_bytes = s->m.size;
    return OK;
}

/* --- secrets ------------------------------------------------------------------------------------
 */
/* The daemon keeps it in memory, and only while this build is connected. */
static struct err secret_file(struct build *b, struct step_mounts *all, const struct step_mount *s,
                              struct str value, char **ret) {
    struct daemon_secret what = {.id = b->job->id,
                                 .name = arena_printf(b->arena, "%u", context_serial(b->context)),
                                 .uid = s->m.uid,
                                 .gid = s->m.gid,
                                 .mode = s->m.mode_given ? s->m.mode & 07777 : 0400};
    TRY(AWAIT(b, daemon_secret(b->client, &what, value, b->arena, ret)));
    strs_add(&all->secrets, b->arena, what.name);
    return OK;
}

static struct err make_secret(struct build *b, struct step_mounts *all, struct step_mount *s,
                              struct api_host_config *host, struct strs *env) {
    CLEAN_BUF struct buf value = {0};
    struct run_mount *m = &s->m;
    const char *base = s->target ? strrchr(s->target, '/') + 1 : NULL;
    const char *id = m->id ? m->id : m->source ? m->source : base;
    struct err e = secret_read(b->job, id, &value);
    if (err_kind(e) == ERR_NOT_FOUND && !m->required) {
        err_free(e); /* the step runs without it */
        return OK;
    }
    TRY(e);
    if (m->env) {
        if (str_has_nul(buf_str(&value)))
            return err_new(ERR_INVALID, "secret '%s' has a NUL byte and cannot be a variable", id);
        strs_add(env, b->arena, arena_printf(b->arena, "%s=%s", m->env, buf_cstr(&value)));
        if (!s->target)
            return OK;
    }
    if (!s->target)
        s->target = arena_printf(b->arena, "/run/secrets/%.*s", STR_ARG(path_base(str_of(id))));
    char *path = NULL;
    TRY(secret_file(b, all, s, buf_str(&value), &path));
    m->read_only = true;
    add(b, host, "bind", s)->source = path;
    return OK;
}

static struct err make_ssh(struct build *b, struct step_mount *s, size_t number,
                           struct api_host_config *host, struct strs *env) {
    const char *id = s->m.id && *s->m.id ? s->m.id : "default";
    const char *socket = strmap_get(&b->job->ssh, id);
    if (!socket && s->m.required)
        return err_new(ERR_NOT_FOUND, "no SSH agent '%s' was given to the build (--ssh)", id);
    if (!socket)
        return OK;
    if (s->m.uid || s->m.gid || (s->m.mode_given && s->m.mode != 0600))
        return err_new(ERR_UNSUPPORTED, "uid, gid and mode of an ssh mount are not supported: the "
                                        "socket is the agent's own");
    bool named = s->target;
    if (!named)
        s->target = arena_printf(b->arena, "/run/buildkit/ssh_agent.%zu", number);
    s->m.read_only = false;
    add(b, host, "bind", s)->source = arena_strz(b->arena, socket);
    strs_add(env, b->arena, arena_printf(b->arena, "SSH_AUTH_SOCK=%s", s->target));
    return OK;
}

struct err step_mounts_make(struct build *b, const struct instr *in, struct step_mounts *all,
                            struct api_host_config *host, struct strs *env) {
    for (size_t i = 0; i < all->n; i++) {
        struct step_mount *s = &all->items[i];
        struct err e = OK;
        switch (s->m.kind) {
        case MOUNT_BIND:
            e = make_bind(b, s, host);
            break;
        case MOUNT_CACHE:
            e = cache_mount(b, all, s, add(b, host, "volume", s));
            break;
        case MOUNT_TMPFS:
            e = make_tmpfs(b, s, host);
            break;
        case MOUNT_SECRET:
            e = make_secret(b, all, s, host, env);
            break;
        case MOUNT_SSH:
            e = make_ssh(b, s, i, host, env);
            break;
        }
        TRY(err_wrap(e, "--mount=%s", in->run.mounts.items[i]));
    }
    return OK;
}
