/* Seccomp filters: linux.seccomp to a program, programs as descriptors, the cache. */
#include "runtime/filter.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtime/box.h"
#include "runtime/listener.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void filter_add(struct seccomp_filter *f, const char *arch, const char *name, uint32_t action,
                const struct seccomp_test *tests, size_t tests_n) {
    struct seccomp_arch *a = seccomp_filter_arch(f, arch);
    int64_t nr = seccomp_number(arch, name);
    if (!a || nr < 0)
        return;
    struct seccomp_rule r = {.nr = (uint32_t)nr, .action = action, .tests_n = tests_n};
    if (tests_n)
        memcpy(r.tests, tests, tests_n * sizeof(*tests));
    vec_push(&a->rules, r);
}

#define WAIT_KILLABLE_RECV (1u << 5) /* Linux 5.19; headers of Debian 12 have it not */

/* --- linux.seccomp
 * ------------------------------------------------------------------------------------------- */

static struct err action_of(const char *name, const int64_t *errno_ret, uint32_t *ret) {
    static const struct {
        const char *name;
        uint32_t action;
        bool takes_data;
    } actions[] = {
        {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW, false},
        {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO, true},
        {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD, false},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD, false},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS, false},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP, false},
        {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE, true},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG, false},
        {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (!name || strcmp(actions[i].name, name) != 0)
            continue;
        int64_t data = errno_ret ? *errno_ret : EPERM;
        if (actions[i].takes_data && (data < 0 || data > 4095))
            return err_new(ERR_INVALID, "linux.seccomp: errnoRet is out of range");
        *ret = actions[i].action | (actions[i].takes_data ? (uint32_t)data : 0);
        return OK;
    }
    return err_new(ERR_INVALID, "linux.seccomp: unknown action '%s'", name ? name : "");
}

static struct err test_of(const struct oci_seccomp_arg *a, struct seccomp_test *ret) {
    static const struct {
        const char *name;
        enum seccomp_op op;
    } ops[] = {
        {"SCMP_CMP_EQ", SECCOMP_EQ},
        {"SCMP_CMP_NE", SECCOMP_NE},
        {"SCMP_CMP_LT", SECCOMP_LT},
        {"SCMP_CMP_LE", SECCOMP_LE},
        {"SCMP_CMP_GT", SECCOMP_GT},
        {"SCMP_CMP_GE", SECCOMP_GE},
        {"SCMP_CMP_MASKED_EQ", SECCOMP_MASKED_EQ},
    };
    if (a->index > 5)
        return err_new(ERR_INVALID, "linux.seccomp: argument index %u is not in 0..5", a->index);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (strcmp(ops[i].name, a->op) != 0)
            continue;
        bool masked = ops[i].op == SECCOMP_MASKED_EQ; /* value is the mask, valueTwo the value */
        *ret = (struct seccomp_test){a->index, ops[i].op, masked ? a->value_two : a->value,
                                     masked ? a->value : 0};
        return OK;
    }
    return err_new(ERR_INVALID, "linux.seccomp: unknown operator '%s'", a->op);
}

static struct err add_rule(struct seccomp_filter *f, const char *arch,
                           const struct oci_seccomp_rule *r) {
    uint32_t action;
    struct seccomp_test tests[SECCOMP_TESTS_MAX];
    TRY(action_of(r->action, r->errno_ret, &action));
    if (r->args.n > SECCOMP_TESTS_MAX)
        return err_new(ERR_INVALID, "linux.seccomp: more than %d arguments", SECCOMP_TESTS_MAX);
    const struct oci_seccomp_arg *a = r->args.items;
    for (size_t i = 0; i < r->args.n; i++)
        TRY(test_of(&a[i], &tests[i]));
    for (size_t i = 0; i < r->names.n; i++)
        filter_add(f, arch, r->names.items[i], action, tests, r->args.n);
    return OK;
}

/* seccomp(2). A process that is about to exec has one thread: TSYNC changes nothing for it. */
static struct err filter_flags(const struct oci_seccomp *s, unsigned *ret) {
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = {
        {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
        {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
        {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
        {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE_RECV},
    };
    unsigned flags = 0;
    for (size_t i = 0; i < s->flags.n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(known) && strcmp(known[k].name, s->flags.items[i]) != 0)
            k++;
        if (k == ARRAY_LEN(known))
            return err_new(ERR_UNSUPPORTED, "linux.seccomp.flags: '%s' is not supported",
                           s->flags.items[i]);
        flags |= known[k].flag;
    }
    if (flags & WAIT_KILLABLE_RECV && !listener_wanted(s))
        return err_new(ERR_INVALID, "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV "
                                    "needs a rule of action SCMP_ACT_NOTIFY");
    *ret = flags;
    return OK;
}

static struct err check_seccomp(const struct oci_seccomp *s) {
    unsigned flags;
    TRY(filter_flags(s, &flags));
    if (s->syscalls.n > OCI_SECCOMP_RULES_MAX)
        return err_new(ERR_INVALID, "linux.seccomp.syscalls has more than %d entries",
                       OCI_SECCOMP_RULES_MAX);
    return OK;
}

static struct err fill(const struct oci_seccomp *s, struct seccomp_filter *f) {
    const char *native = seccomp_native_arch();
    const struct oci_seccomp_rule *r = s->syscalls.items;
    size_t n = s->architectures.n ? s->architectures.n : 1;
    for (size_t k = 0; k < n; k++) {
        const char *arch = s->architectures.n ? s->architectures.items[k] : native;
        /* Those of other machines: such calls cannot be made here. */
        if (!seccomp_filter_arch(f, arch))
            continue;
        for (size_t i = 0; i < s->syscalls.n; i++)
            TRY(add_rule(f, arch, &r[i]));
    }
    if (!f->archs.n)
        return err_new(ERR_INVALID, "linux.seccomp.architectures has none of this machine");
    return OK;
}

struct err filter_compile(const struct oci_seccomp *s, struct seccomp_program *ret) {
    TRY(check_seccomp(s));
    struct seccomp_filter f = {.other_action = SECCOMP_RET_KILL_PROCESS};
    struct err e = action_of(s->default_action, s->default_errno_ret, &f.default_action);
    if (!err_failed(e))
        e = fill(s, &f);
    if (!err_failed(e))
        e = seccomp_compile(&f, ret);
    seccomp_filter_done(&f);
    return e;
}

/* --- programs as descriptors
 * ---------------------------------------------------------------------------------- */

static struct err read_program(int fd, struct seccomp_program *ret) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(errno, "seccomp filter: stat");
    size_t size = (size_t)st.st_size;
    if (st.st_size <= 0 || size % sizeof(struct sock_filter) ||
        size > BPF_MAXINSNS * sizeof(struct sock_filter))
        return err_new(ERR_INVALID, "seccomp filter: %zu bytes are no program", size);
    struct sock_filter *items = mem_alloc(size);
    if (pread(fd, items, size, 0) != (ssize_t)size) {
        free(items);
        return err_errno(errno, "seccomp filter: read");
    }
    *ret = (struct seccomp_program){.items = items, .n = size / sizeof(*items)};
    return OK;
}

struct err filter_load(const struct runtime_create_options *o, struct runtime_box *b) {
    if (o->seccomp_fd >= 0)
        TRY(read_program(o->seccomp_fd, &b->seccomp));
    else if (o->config->linux_->seccomp)
        TRY(filter_compile(o->config->linux_->seccomp, &b->seccomp));
    else
        return OK;
    if (o->config->linux_->seccomp)
        TRY(filter_flags(o->config->linux_->seccomp, &b->seccomp_flags));
    TRY(listener_new(o, &b->listener));
    b->has_seccomp = true;
    return OK;
}

static struct err sealed(const struct seccomp_program *p, int *ret_fd) {
    CLEAN_FD int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_errno(errno, "memfd_create");
    int r = fd_write_all(fd, p->items, p->n * sizeof(*p->items));
    if (r < 0)
        return err_errno(r, "write seccomp filter");
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return err_errno(errno, "seal seccomp filter");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* The cached file is as good as a sealed memory file: it is replaced, never written. */
static bool open_cached(const char *path, int *ret_fd) {
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0 ||
        st.st_size % (off_t)sizeof(struct sock_filter) ||
        st.st_size > (off_t)(BPF_MAXINSNS * sizeof(struct sock_filter)))
        return false;
    *ret_fd = TAKE_FD(fd);
    return true;
}

struct err runtime_seccomp_default(const char *cache_dir, const struct strs *capabilities,
                                   int *ret_fd) {
    CLEAN_FREE char *path =
        cache_dir ? mem_printf("%s/%016llx.bpf", cache_dir,
                               (unsigned long long)filter_default_digest(capabilities))
                  : NULL;
    if (path && open_cached(path, ret_fd))
        return OK;
    struct seccomp_program p = {0};
    struct err e = filter_default(capabilities, &p);
    if (!err_failed(e) && path)
        e = file_replace(path, str_n(p.items, p.n * sizeof(*p.items)), 0600, false);
    if (!err_failed(e))
        e = sealed(&p, ret_fd);
    vec_done(&p);
    return e;
}

struct err runtime_seccomp_compile(const struct oci_seccomp *s, int *ret_fd) {
    struct seccomp_program p = {0};
    if (listener_wanted(s))
        return err_new(ERR_UNSUPPORTED, "seccomp: action SCMP_ACT_NOTIFY is not supported");
    struct err e = filter_compile(s, &p);
    if (!err_failed(e))
        e = sealed(&p, ret_fd);
    vec_done(&p);
    return e;
}
