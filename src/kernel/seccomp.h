/* kernel/seccomp.h - system call filters: seccomp(2), classic BPF.
 *
 * A filter is a default action and, per architecture, rules for system calls by number. It is
 * compiled to a binary tree over ranges of numbers: neighbours with the same action are one range,
 * so about 360 allowed calls become some 250 instructions, of which about nine run per call. That
 * matters twice: the kernel runs the filter once for every number when it is loaded (a linear list
 * of the same rules costs one millisecond more per container start), and afterwards at each call
 * with arguments.
 *
 * Numbers come from libseccomp's tables (seccomp_number); nothing else of that library is used.
 * Compiling happens in the daemon, once; loading happens in the container's first process.
 * Tests: test/unit/kernel/seccomp.c (interpreted), test/kernel/runtime-filtered.c (in the kernel).
 */
#pragma once
#include "base/str.h"
#include "base/vec.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

enum seccomp_op {
    SECCOMP_EQ,
    SECCOMP_NE,
    SECCOMP_LT,
    SECCOMP_LE,
    SECCOMP_GT,
    SECCOMP_GE,
    SECCOMP_MASKED_EQ, /* (argument & mask) == value */
};
struct seccomp_test {
    unsigned arg; /* 0..5 */
    enum seccomp_op op;
    uint64_t value, mask;
};
#define SECCOMP_TESTS_MAX 6
struct seccomp_rule {
    uint32_t nr;
    uint32_t action;                              /* SECCOMP_RET_… with data */
    struct seccomp_test tests[SECCOMP_TESTS_MAX]; /* all must hold */
    size_t tests_n;
};
/* One architecture's table. Several rules for one number are tried in the order they were added. */
struct seccomp_arch {
    uint32_t audit; /* AUDIT_ARCH_… */
    bool bits64;    /* arguments are compared in full width */
    struct seccomp_rules VEC_BODY(struct seccomp_rule) rules;
};
struct seccomp_filter {
    uint32_t default_action;
    uint32_t other_action; /* for an architecture that is not listed */
    struct seccomp_archs VEC_BODY(struct seccomp_arch) archs;
};
void seccomp_filter_done(struct seccomp_filter *f);
/* The table for an OCI architecture name, made when it is not there yet; x32 shares the table of
 * x86_64 (same audit value, other numbers). NULL: unknown architecture. Valid until the next call.
 */
struct seccomp_arch *seccomp_filter_arch(struct seccomp_filter *f, const char *arch);

struct seccomp_program VEC_BODY(struct sock_filter); /* vec_done() frees */
/* ERR_INVALID when the result is longer than the kernel takes (BPF_MAXINSNS, 4096). Sorts f's
 * rules. */
struct err seccomp_compile(struct seccomp_filter *f, struct seccomp_program *ret);

/* The number of a system call on an architecture as an OCI name ("SCMP_ARCH_X86_64"); -1: the
 * architecture does not have it (or nobody does). */
int64_t seccomp_number(const char *arch, const char *name);
/* The architecture that this program runs on, as an OCI name. */
const char *seccomp_native_arch(void);

/* Loads for the calling thread; needs no_new_privs or CAP_SYS_ADMIN. 0 or -errno. */
int seccomp_install(const struct sock_filter *program, size_t n, unsigned flags);
/* The same, and gives the descriptor on which SECCOMP_RET_USER_NOTIF is asked (seccomp_unotify(2)),
 * CLOEXEC; -errno. SECCOMP_FILTER_FLAG_TSYNC, which the kernel does not combine with it, is left
 * out: for a process of one thread it means nothing. */
int seccomp_install_listener(const struct sock_filter *program, size_t n, unsigned flags);
