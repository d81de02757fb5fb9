/* linux.sysctl: only what belongs to a namespace of the container's own, only through a procfs
 * instance that nobody else has (rows 6, 22, 23 of the security reference). */
#include "kernel/beneath.h"
#include "kernel/mount.h"
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <unistd.h>

/* By prefix when it ends with a dot. */
static const struct {
    const char *name, *ns;
} separate[] = {
    {"kernel.msgmax", "ipc"},      {"kernel.msgmnb", "ipc"},
    {"kernel.msgmni", "ipc"},      {"kernel.sem", "ipc"},
    {"kernel.shmall", "ipc"},      {"kernel.shmmax", "ipc"},
    {"kernel.shmmni", "ipc"},      {"kernel.shm_rmid_forced", "ipc"},
    {"kernel.msg_next_id", "ipc"}, {"kernel.sem_next_id", "ipc"},
    {"kernel.shm_next_id", "ipc"}, {"fs.mqueue.", "ipc"},
    {"kernel.domainname", "uts"},  {"net.", "network"},
};

/* As sysctl(8): the first separator decides which one it is; the other one stands for itself turned
 * round ("net.ipv4.conf.eth0/1.forwarding"). */
static void to_path(const char *key, char *ret, size_t size) {
    size_t first = strcspn(key, "./"), n = strlen(key);
    bool dots = key[first] != '/';
    size_t i = 0;
    for (; i < n && i + 1 < size; i++)
        ret[i] = !dots ? key[i] : key[i] == '.' ? '/' : key[i] == '/' ? '.' : key[i];
    ret[i] = '\0';
}

static const char *namespace_of(const char *path) {
    char dotted[256];
    size_t n = 0;
    for (; path[n] && n + 1 < sizeof(dotted); n++)
        dotted[n] = path[n] == '/' ? '.' : path[n];
    dotted[n] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(separate); i++) {
        size_t len = strlen(separate[i].name);
        bool prefix = separate[i].name[len - 1] == '.';
        if (prefix ? strncmp(dotted, separate[i].name, len) == 0
                   : strcmp(dotted, separate[i].name) == 0)
            return separate[i].ns;
    }
    return NULL;
}

struct err sysctl_check(const struct runtime_create_options *o) {
    const struct strmap *v = &o->config->linux_->sysctl;
    for (size_t i = 0; i < v->n; i++) {
        char path[256];
        to_path(v->items[i].key, path, sizeof(path));
        const char *ns = namespace_of(path);
        if (!ns)
            return err_new(ERR_INVALID, "sysctl '%s' is not in a separate kernel namespace",
                           v->items[i].key);
        bool own = oci_namespace(o->config, ns, NULL) ||
                   ((o->netns_fd >= 0 || o->await_netns) && strcmp(ns, "network") == 0);
        if (!own)
            return err_new(ERR_INVALID, "sysctl '%s' is not allowed in the host's %s namespace",
                           v->items[i].key, ns);
    }
    return OK;
}

static struct err write_one(int proc, const struct strpair *p) {
    char path[256 + 4] = "sys/";
    to_path(p->key, path + 4, sizeof(path) - 4);
    CLEAN_FD int fd = -1;
    TRY(beneath_open(proc, path, O_WRONLY | O_NOFOLLOW, 0, &fd));
    TRY(mount_check_type(fd, PROC_SUPER_MAGIC, "sysctl"));
    size_t len = strlen(p->value);
    if (write(fd, p->value, len) != (ssize_t)len)
        return err_errno(errno, "write '%s'", p->value);
    return OK;
}

struct err sysctl_apply(const struct oci_config *c, int proc) {
    const struct strmap *v = &c->linux_->sysctl;
    for (size_t i = 0; i < v->n; i++)
        TRYF(write_one(proc, &v->items[i]), "sysctl '%s'", v->items[i].key);
    return OK;
}
