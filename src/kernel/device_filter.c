#include "kernel/device_filter.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- v1: a list of permissions
 * ---------------------------------------------------------------------------- */

static bool number_covers(int64_t a, int64_t b) {
    return a < 0 || a == b;
}
static bool number_meets(int64_t a, int64_t b) {
    return a < 0 || b < 0 || a == b;
}
/* Everything that b names, a names too (access aside). */
static bool covers(const struct device_rule *a, const struct device_rule *b) {
    return (a->type == 'a' || a->type == b->type) && number_covers(a->major, b->major) &&
           number_covers(a->minor, b->minor);
}
static bool meets(const struct device_rule *a, const struct device_rule *b) {
    return (a->type == 'a' || b->type == 'a' || a->type == b->type) &&
           number_meets(a->major, b->major) && number_meets(a->minor, b->minor) &&
           (a->access & b->access);
}

static struct err deny(struct device_rules *list, const struct device_rule *d) {
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct device_rule p = list->items[i];
        if (covers(d, &p))
            p.access &= ~d->access;
        else if (meets(d, &p))
            return err_new(ERR_UNSUPPORTED,
                           "linux.resources.devices: a denial inside a wider permission cannot be "
                           "expressed in cgroup v1");
        if (p.access)
            list->items[kept++] = p;
    }
    list->n = kept;
    return OK;
}

struct err device_filter_flatten(const struct device_rule *rules, size_t n,
                                 struct device_rules *ret) {
    for (size_t i = 0; i < n; i++) {
        if (!rules[i].allow) {
            TRY(deny(ret, &rules[i]));
            continue;
        }
        bool implied = false;
        for (size_t k = 0; k < ret->n && !implied; k++)
            implied = covers(&ret->items[k], &rules[i]) &&
                      !(rules[i].access & ~ret->items[k].access);
        if (!implied)
            vec_push(ret, rules[i]);
    }
    return OK;
}

static struct err write_rule(const struct cgroup *g, const struct device_rule *r, char type) {
    char text[96], major[24] = "*", minor[24] = "*";
    if (r->major >= 0)
        snprintf(major, sizeof(major), "%lld", (long long)r->major);
    if (r->minor >= 0)
        snprintf(minor, sizeof(minor), "%lld", (long long)r->minor);
    snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
             r->access & DEVICE_READ ? "r" : "", r->access & DEVICE_WRITE ? "w" : "",
             r->access & DEVICE_MKNOD ? "m" : "");
    return cgroup_write(g, CGROUP_DEVICES, "devices.allow", text);
}

static struct err apply_v1(const struct cgroup *g, const struct device_rules *list) {
    static const struct device_rule all = {true, 'a', -1, -1, DEVICE_ALL};
    for (size_t i = 0; i < list->n; i++)
        if (covers(&list->items[i], &all) && list->items[i].access == DEVICE_ALL)
            return cgroup_write(g, CGROUP_DEVICES, "devices.allow", "a");
    TRY(cgroup_write(g, CGROUP_DEVICES, "devices.deny", "a"));
    for (size_t i = 0; i < list->n; i++) {
        const struct device_rule *r = &list->items[i];
        /* The controller takes 'a' only for everything there is. */
        if (r->type == 'a' || r->type == 'b')
            TRY(write_rule(g, r, 'b'));
        if (r->type == 'a' || r->type == 'c')
            TRY(write_rule(g, r, 'c'));
    }
    return OK;
}

/* --- v2: a program
 * ------------------------------------------------------------------------------------------- */

enum { R0, R1, R2, R3, R4, R5 };

static void add(struct device_program *p, uint8_t code, uint8_t dst, uint8_t src, int16_t off,
                int32_t imm) {
    vec_push(p, (struct bpf_insn){code, dst, src, off, imm});
}
static void load(struct device_program *p, uint8_t dst, size_t offset) {
    add(p, BPF_LDX | BPF_MEM | BPF_W, dst, R1, (int16_t)offset, 0);
}

static unsigned kernel_access(unsigned access) {
    return (access & DEVICE_READ ? BPF_DEVCG_ACC_READ : 0u) |
           (access & DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0u) |
           (access & DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0u);
}

/* One rule: jumps behind itself when it does not match. A permission matches when it covers all of
 * the access asked for, a denial when it touches any of it. */
static void compile_rule(struct device_program *p, const struct device_rule *r) {
    size_t jumps[4], n = 0;
    if (r->type != 'a') {
        jumps[n++] = p->n;
        add(p, BPF_JMP | BPF_JNE | BPF_K, R2, 0, 0,
            r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    }
    if (r->access != DEVICE_ALL) {
        unsigned bits = kernel_access(r->access);
        add(p, BPF_ALU | BPF_MOV | BPF_X, R0, R3, 0, 0);
        add(p, BPF_ALU | BPF_AND | BPF_K, R0, 0, 0, (int32_t)(r->allow ? ~bits & 7u : bits));
        jumps[n++] = p->n;
        add(p, BPF_JMP | (r->allow ? BPF_JNE : BPF_JEQ) | BPF_K, R0, 0, 0, 0);
    }
    if (r->major >= 0) {
        jumps[n++] = p->n;
        add(p, BPF_JMP | BPF_JNE | BPF_K, R4, 0, 0, (int32_t)r->major);
    }
    if (r->minor >= 0) {
        jumps[n++] = p->n;
        add(p, BPF_JMP | BPF_JNE | BPF_K, R5, 0, 0, (int32_t)r->minor);
    }
    add(p, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, r->allow);
    add(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
    for (size_t i = 0; i < n; i++)
        p->items[jumps[i]].off = (int16_t)(p->n - jumps[i] - 1);
}

static bool matches_everything(const struct device_rule *r) {
    return r->type == 'a' && r->major < 0 && r->minor < 0 && r->access == DEVICE_ALL;
}

void device_filter_compile(const struct device_rule *rules, size_t n, struct device_program *ret) {
    /* struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor */
    load(ret, R2, 0);
    add(ret, BPF_ALU | BPF_MOV | BPF_X, R3, R2, 0, 0);
    add(ret, BPF_ALU | BPF_AND | BPF_K, R2, 0, 0, 0xffff);
    add(ret, BPF_ALU | BPF_RSH | BPF_K, R3, 0, 0, 16);
    load(ret, R4, 4);
    load(ret, R5, 8);
    for (size_t i = n; i-- > 0;) { /* the last match decides: it is asked first */
        compile_rule(ret, &rules[i]);
        if (matches_everything(&rules[i]))
            return; /* what came before cannot be reached, and the verifier refuses dead code */
    }
    add(ret, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, 0);
    add(ret, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static struct err apply_v2(const struct cgroup *g, const struct device_rule *rules, size_t n) {
    struct device_program program = {0};
    device_filter_compile(rules, n, &program);
    union bpf_attr load_attr = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insn_cnt = (uint32_t)program.n,
        .insns = (uintptr_t)program.items,
        .license = (uintptr_t) "Apache-2.0",
    };
    int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load_attr, sizeof(load_attr));
    int errnum = errno;
    vec_done(&program);
    if (fd < 0)
        return err_errno(errnum, "load device filter");
    union bpf_attr attach = {
        .target_fd = (uint32_t)cgroup_dir(g, CGROUP_DEVICES),
        .attach_bpf_fd = (uint32_t)fd,
        .attach_type = BPF_CGROUP_DEVICE,
        .attach_flags = BPF_F_ALLOW_MULTI,
    };
    long r = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));
    errnum = errno;
    close(fd); /* the cgroup holds it from here on */
    return r < 0 ? err_errno(errnum, "attach device filter") : OK;
}

struct err device_filter_apply(const struct cgroup *g, const struct device_rule *rules, size_t n) {
    if (cgroup_dir(g, CGROUP_DEVICES) < 0)
        return err_new(ERR_UNSUPPORTED, "this host has no cgroup controller 'devices'");
    if (n > DEVICE_RULES_MAX)
        return err_new(ERR_INVALID, "linux.resources.devices: more than %d rules",
                       DEVICE_RULES_MAX);
    if (cgroup_is_v2(&g->host, CGROUP_DEVICES))
        return apply_v2(g, rules, n);
    struct device_rules list = {0};
    struct err e = device_filter_flatten(rules, n, &list);
    if (!err_failed(e))
        e = apply_v1(g, &list);
    vec_done(&list);
    return e;
}
