/* runtime/criu.h - the program criu(8), which writes processes to files and makes them again from
 * there. Private to runtime/; corten-runtime's checkpoint and restore alone use it.
 *
 * It is found in $PATH and started as "criu swrk", which takes one request over a SOCK_SEQPACKET
 * socket (protocol buffers; criu's own rpc.proto, 3.15 and later), asks back while it works
 * (notifications) and answers. Nothing of it is linked. With restore, the first process becomes a
 * child of ours. What it has to say in detail is in its log, dump.log or restore.log of the work
 * directory; the last error there becomes a part of ours. Only these options are asked for; there
 * is no configuration of criu's that we write. Messages are bounded by CRIU_MESSAGE_MAX, and by the
 * names' lengths that config.json can have. Tests: test/e2e/t8105-checkpoint.sh (by a
 * criu of the test's own), test/vm/criu.sh (the real one, on a kernel that it knows).
 */
#pragma once
#include "base/vec.h"
#include <sys/types.h>

#define CRIU_MESSAGE_MAX (1u << 20)
#define CRIU_INHERIT_MAX 8

enum criu_type { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 13 };
enum criu_cgroups {
    CRIU_CGROUPS_IGNORE = 0,
    CRIU_CGROUPS_SOFT = 3,
    CRIU_CGROUPS_FULL = 4,
    CRIU_CGROUPS_STRICT = 5
};

struct criu_inherit {
    const char *key;
    int fd; /* borrowed */
};
struct criu_request {
    enum criu_type type;
    int images, work;        /* directories, borrowed */
    pid_t pid;               /* dump */
    const char *root;        /* restore: where the container's root is mounted */
    const char *parent;      /* images of an earlier pre-dump, relative to `images`; NULL: none */
    const char *freezer;     /* dump: the cgroup's directory that can be frozen; NULL */
    const char *cgroup;      /* restore: path below every hierarchy; NULL: as it was */
    const char *lsm_profile; /* restore: "TYPE:NAME"; NULL: as it was */
    const char *lsm_mount_context;
    bool leave_running, ext_unix_sk, tcp_established, shell_job, file_locks, auto_dedup;
    bool track_memory;     /* so that a later dump can build on this one */
    unsigned network_lock; /* 0: criu's default; 1 iptables, 2 nftables */
    enum criu_cgroups cgroups;
    struct strv external;
    struct criu_inherit inherit[CRIU_INHERIT_MAX];
    size_t inherit_n;
};
/* Called while criu works; an error ends its work. NULL: not of interest. */
struct criu_events {
    void *arg;
    /* restore: namespaces are there, nothing is in them yet. pid: of the first process. */
    struct err (*namespaces_made)(void *arg, pid_t pid);
    /* restore: the master of the container's terminal, owned by the callee. */
    struct err (*terminal)(void *arg, int master);
};

/* *ret_pid: of a restore's first process, whose parent we are; may be NULL. Blocks for as long as
 * it takes. */
struct err criu_run(const char *program, const struct criu_request *r,
                    const struct criu_events *events, pid_t *ret_pid);
