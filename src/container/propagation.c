/* Mounts that are to be passed on between host and container: the host's side has to do its part.
 * Source: mount_namespaces(7), proc(5) "/proc/pid/mountinfo"; the peer's words. Pool. */
#include "base/file.h"
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOUNTINFO_MAX (16u << 20)
#define FIELD_POINT 5 /* of a line, from one */
#define FIELD_TAGS 7  /* the first; they end with "-" */

struct place {
    struct str point;
    bool shared, slave;
};

static struct err mount_id(const char *path, uint64_t *ret) {
    struct statx st;
    if (syscall(SYS_statx, AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0)
        return err_errno(errno, "bind source '%s'", path);
    *ret = st.stx_mnt_id;
    return OK;
}

static bool read_line(struct str line, uint64_t wanted, struct place *ret) {
    struct str word;
    uint64_t id = 0;
    for (int field = 1; str_next(&line, ' ', &word); field++) {
        if (field == 1) {
            struct err e = str_to_u64(word, UINT64_MAX, &id);
            bool other = err_failed(e) || id != wanted;
            err_free(e);
            if (other)
                return false;
        }
        if (field == FIELD_POINT)
            ret->point = word;
        if (field >= FIELD_TAGS && str_eqz(word, "-"))
            return true;
        ret->shared |= field >= FIELD_TAGS && str_starts(word, STR("shared:"));
        ret->slave |= field >= FIELD_TAGS && str_starts(word, STR("master:"));
    }
    return false;
}

static struct err check(const struct container_mount *m, struct str table) {
    bool shared = !strcmp(m->propagation, "shared") || !strcmp(m->propagation, "rshared");
    uint64_t id = 0;
    TRY(mount_id(m->source, &id));
    struct str line;
    while (str_next(&table, '\n', &line)) {
        struct place p = {0};
        if (!read_line(line, id, &p))
            continue;
        if (p.shared || (!shared && p.slave))
            return OK;
        return err_new(ERR_SYSTEM, "path %s is mounted on %.*s but it is not a shared%s mount",
                       m->source, STR_ARG(p.point), shared ? "" : " or slave");
    }
    return OK; /* unmounted at this moment: the mount itself will say so */
}

struct err container_check_propagation(const struct container *c) {
    CLEAN_BUF struct buf table = {0};
    for (size_t i = 0; i < c->mounts_n; i++) {
        const struct container_mount *m = &c->mounts[i];
        if (strcmp(m->type, "bind") != 0 || !m->propagation || !*m->propagation ||
            !strcmp(m->propagation, "private") || !strcmp(m->propagation, "rprivate"))
            continue;
        if (!table.len)
            TRY(file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &table));
        TRY(check(m, buf_str(&table)));
    }
    return OK;
}
