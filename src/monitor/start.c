/* start.c - from a START message to a running program. Blocks: nothing else is going on yet. */
#include "base/file.h"
#include "base/time.h"
#include "kernel/caps.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/pty.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory of the container's writable layer. */
static struct err layer_dir(int data, const char *name, int *ret_fd) {
    if (mkdirat(data, name, strcmp(name, "upper") == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
        return err_errno(errno, "make directory '%s'", name);
    *ret_fd = openat(data, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open directory '%s'", name) : OK;
}

/* A driver that gives every container a whole tree of its own (image/rootfs.h) left it here. What
 * the host's mount forbids does not count inside, and nothing that is mounted below it is seen
 * outside. */
static struct err whole_rootfs(int root, int *ret_fd) {
    CLEAN_FD int tree = -1;
    TRY(mount_clone(root, "", false, &tree));
    TRY(mount_set(tree, 0,
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                  MS_PRIVATE, false));
    *ret_fd = TAKE_FD(tree);
    return OK;
}

/* What a container writes is written in the name of who mounted its overlay. With CAP_SYS_RESOURCE
 * that would be bound by no limit of size (ext4's project quota) and use up the blocks that are
 * kept for root. */
static struct err mount_without_reserve(const struct mount_overlay *o, int *ret_fd) {
    struct caps c;
    TRY(caps_get(&c));
    const uint64_t reserve = UINT64_C(1) << CAP_SYS_RESOURCE;
    bool has = c.effective & reserve;
    if (has && caps_set(c.effective & ~reserve, c.permitted, c.inheritable) < 0)
        return err_new(ERR_SYSTEM, "lay down CAP_SYS_RESOURCE");
    struct err e = mount_overlay_detached(o, ret_fd);
    if (has && caps_set(c.effective, c.permitted, c.inheritable) < 0 && !err_failed(e)) {
        *ret_fd = fd_close(*ret_fd);
        e = err_new(ERR_SYSTEM, "take up CAP_SYS_RESOURCE again");
    }
    return e;
}

static struct err make_rootfs(struct protocol_start *s, int *ret_fd) {
    CLEAN_FD int root = openat(s->fds[START_DATA_DIR], "root",
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root >= 0) {
        s->flags &= ~(unsigned)START_HOLD_MOUNTS; /* a subvolume that is in use cannot go */
        return whole_rootfs(root, ret_fd);
    }
    CLEAN_FD
    int upper = -1;
    CLEAN_FD
    int work = -1;
    TRY(layer_dir(s->fds[START_DATA_DIR], "upper", &upper));
    TRY(layer_dir(s->fds[START_DATA_DIR], "work", &work));
    struct mount_overlay o = {
        .layers_fd = s->fds[START_LAYERS_DIR],
        .layers = s->layers,
        .layers_n = s->layers_n,
        .upper_fd = upper,
        .work_fd = work,
        /* What is removed at its end need not be synced then. */
        .volatile_ = s->flags & START_AUTO_REMOVE,
    };
    return mount_without_reserve(&o, ret_fd);
}

static struct err open_log(struct keeper *k, const struct protocol_start *s) {
    struct logs_writer_options o = {
        .driver = s->log_driver,
        .dir_fd = s->fds[START_LOG_DIR],
        .name = s->log_name,
        .max_size = s->log_max_size,
        .max_file = s->log_max_file,
        .attrs = s->log_attrs,
        .max_buffer = s->log_max_buffer,
        .compress = s->log_packer != NULL,
    };
    if (s->log_packer)
        k->log_packer = mem_strdup(s->log_packer);
    return logs_writer_new(&o, &k->log);
}

static struct err decode_config(const struct protocol_start *s, struct arena *a, int64_t *no_score,
                                struct oci_config *ret) {
    TRY(fields_decode_strict(&oci_config_fields, s->config, a, ret));
    if (ret->process == NULL)
        return err_new(ERR_INVALID, "config: no process");
    ret->process->terminal = s->flags & START_TERMINAL;
    if (ret->process->oom_score_adj == NULL)
        ret->process->oom_score_adj = no_score; /* never the monitor's own, which protects it */
    return OK;
}

static struct err set_streams(struct keeper *k, struct pipes *p) {
    session_init(&k->session, k, k->flags & START_TERMINAL, k->flags & START_STDIN_ONCE);
    k->session.logged = true;
    if (k->flags & START_TERMINAL) {
        int in = fcntl(k->init.pty_master, F_DUPFD_CLOEXEC, 3); /* one watch per descriptor */
        if (in < 0)
            return err_errno(errno, "duplicate the terminal");
        /* A program may close its terminal and open it again: until its end it has not ended. */
        TRY(pty_peer(in, &k->terminal_fd));
        session_set(&k->session, in, TAKE_FD(k->init.pty_master), -1);
    } else {
        session_set(&k->session, TAKE_FD(p->ours[0]), TAKE_FD(p->ours[1]), TAKE_FD(p->ours[2]));
    }
    return OK;
}

/* What a start with START_NETWORK_FOLLOWS left out. */
struct awaited {
    struct keeper *keeper;
    struct protocol_start *start;
};

static struct err await_network(void *arg, int *ret_fd) {
    struct awaited *w = arg;
    for (;;) {
        CLEAN_MSG struct msg m = {0};
        TRY(msg_recv(DAEMON_FD, -1, &m));
        if (m.type == PROTOCOL_HELD) {
            TRY(ports_add(w->keeper->ports, &m));
            continue;
        }
        if (m.type != PROTOCOL_NETWORK)
            return err_new(ERR_INVALID, "message %u before the network", m.type);
        TRY(protocol_get_network(&m, w->start));
        *ret_fd = w->start->fds[START_NETNS];
        return OK;
    }
}

struct trees { /* "fd:0" and on, borrowed */
    const int *items;
    size_t n;
};

static struct err create(struct keeper *k, struct protocol_start *s, struct oci_config *config,
                         struct arena *a, const struct trees *trees, struct pipes *p) {
    CLEAN_FD
    int rootfs = -1;
    TRYF(make_rootfs(s, &rootfs), "mount rootfs");
    TRY(user_resolve(rootfs, s->user, s->groups, s->groups_n, config->process, a));
    if (!(k->flags & START_TERMINAL))
        TRY(pipes_make(p, k->flags & START_OPEN_STDIN ? 7 : 6));
    struct runtime_create_options o = {
        .id = k->id,
        .config = config,
        .rootfs_fd = rootfs,
        .netns_fd = s->fds[START_NETNS],
        .seccomp_fd = s->fds[START_SECCOMP],
        .init_fd = s->fds[START_INIT],
        .mount_fds = trees->items,
        .mount_fds_n = trees->n,
        .stdio = {p->theirs[0], p->theirs[1], p->theirs[2]},
        .cgroup_host = k->cgroups,
        .die_with_caller = true, /* nobody else could tell how it ended */
    };
    struct awaited awaited = {k, s};
    if (s->flags & START_NETWORK_FOLLOWS) {
        o.await_netns = await_network;
        o.await_arg = &awaited;
    }
    return runtime_create(&o, &k->box, &k->init);
}

struct err start_container(struct keeper *k, struct protocol_start *s, const int *trees,
                           size_t trees_n) {
    CLEAN_ARENA struct arena a = {0};
    int *all = arena_array(&a, trees_n + 1, sizeof(*all));
    all[0] = s->fds[START_SHM]; /* "fd:0" */
    for (size_t i = 0; i < trees_n; i++)
        all[i + 1] = trees[i];
    struct trees given = {all, trees_n + 1};
    struct oci_config config;
    int64_t no_score = 0;
    OWN(pipes_done) struct pipes p = PIPES_NONE;
    TRY(decode_config(s, &a, &no_score, &config));
    TRY(open_log(k, s));
    TRY(create(k, s, &config, &a, &given, &p));
    if (s->flags & START_HOLD_MOUNTS) /* without it the end only takes longer */
        err_ignore(ns_open(k->init.pid, "mnt", &k->mounts_fd));
    return set_streams(k, &p);
}
