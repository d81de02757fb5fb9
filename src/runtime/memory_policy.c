/* linux.memoryPolicy: set_mempolicy(2), of the process itself and what it starts. */
#include "runtime/launch.h"
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WEIGHTED_INTERLEAVE 6 /* Linux 6.9: MPOL_WEIGHTED_INTERLEAVE */
#define PREFERRED_MANY 5      /* Linux 5.15 */

struct word {
    const char *name;
    int value;
};

static bool find(const struct word *list, size_t n, const char *name, int *ret) {
    for (size_t i = 0; i < n; i++)
        if (name && strcmp(list[i].name, name) == 0) {
            *ret = list[i].value;
            return true;
        }
    return false;
}

static struct err add_nodes(struct str text, struct memory_policy *p) {
    struct str from, to;
    uint64_t first, last;
    bool range = str_cut(text, '-', &from, &to);
    TRY(str_to_u64(str_trim(from), MEMORY_NODES_MAX - 1, &first));
    last = first;
    if (range)
        TRY(str_to_u64(str_trim(to), MEMORY_NODES_MAX - 1, &last));
    if (last < first)
        return err_new(ERR_INVALID, "'%.*s' runs backwards", STR_ARG(text));
    for (uint64_t i = first; i <= last; i++)
        p->nodes[i / 64] |= UINT64_C(1) << (i % 64);
    return OK;
}

struct err memory_policy_read(const struct oci_memory_policy *m, struct memory_policy *ret) {
    static const struct word modes[] = {
        {"MPOL_DEFAULT", MPOL_DEFAULT},
        {"MPOL_PREFERRED", MPOL_PREFERRED},
        {"MPOL_BIND", MPOL_BIND},
        {"MPOL_INTERLEAVE", MPOL_INTERLEAVE},
        {"MPOL_LOCAL", MPOL_LOCAL},
        {"MPOL_PREFERRED_MANY", PREFERRED_MANY},
        {"MPOL_WEIGHTED_INTERLEAVE", WEIGHTED_INTERLEAVE},
    };
    static const struct word flags[] = {{"MPOL_F_STATIC_NODES", 1 << 15},
                                        {"MPOL_F_RELATIVE_NODES", 1 << 14},
                                        {"MPOL_F_NUMA_BALANCING", 1 << 13}};
    struct memory_policy p = {0};
    if (!m || !m->mode || !m->mode[0])
        return m ? err_new(ERR_INVALID, "linux.memoryPolicy.mode is missing") : OK;
    if (!find(modes, ARRAY_LEN(modes), m->mode, &p.mode))
        return err_new(ERR_INVALID, "linux.memoryPolicy.mode: unknown '%s'", m->mode);
    for (size_t i = 0; i < m->flags.n; i++) {
        int flag;
        if (!find(flags, ARRAY_LEN(flags), m->flags.items[i], &flag))
            return err_new(ERR_INVALID, "linux.memoryPolicy.flags: unknown '%s'",
                           m->flags.items[i]);
        p.mode |= flag;
    }
    struct str rest = str_of(m->nodes), part;
    while (str_next(&rest, ',', &part))
        TRYF(add_nodes(part, &p), "linux.memoryPolicy.nodes '%s'", m->nodes);
    p.set = true;
    *ret = p;
    return OK;
}

struct err memory_policy_apply(const struct memory_policy *p) {
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(p->nodes); i++)
        any |= p->nodes[i] != 0;
    /* The kernel wants the number of bits and one more. */
    if (p->set && syscall(SYS_set_mempolicy, p->mode, any ? p->nodes : NULL,
                          any ? MEMORY_NODES_MAX + 1 : 0) < 0)
        return err_errno(errno, "linux.memoryPolicy: set_mempolicy");
    return OK;
}
