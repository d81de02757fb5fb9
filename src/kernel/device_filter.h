/* kernel/device_filter.h - which devices a cgroup may use: the v1 devices controller, or on v2 a
 * BPF program of type BPF_PROG_TYPE_CGROUP_DEVICE (bpf(2)).
 *
 * Rules are read in order and the last one that matches decides; what no rule matches is denied.
 * The v2 program says exactly that. The v1 controller knows only a list of permissions, so an order
 * that it cannot express (a denial inside a wider permission) is ERR_UNSUPPORTED there, never
 * silently wider (GHSA-g54h-m393-cpwq). Any thread. Tests: test/unit/kernel/device_filter.c,
 * test/kernel/runtime-isolation.c.
 */
#pragma once
#include "base/vec.h"
#include "kernel/cgroup.h"
#include <linux/bpf.h>

#define DEVICE_READ 1u
#define DEVICE_WRITE 2u
#define DEVICE_MKNOD 4u
#define DEVICE_ALL 7u
#define DEVICE_RULES_MAX 1024

struct device_rule {
    bool allow;
    char type;            /* 'a' (both), 'b', 'c' */
    int64_t major, minor; /* -1: all */
    unsigned access;      /* DEVICE_… */
};
struct device_rules VEC_BODY(struct device_rule);

/* Applies the rules to a cgroup that has no processes yet. */
struct err device_filter_apply(const struct cgroup *g, const struct device_rule *rules, size_t n);

/* The parts, for tests. The v1 list: only permissions, none implied by another. */
struct err device_filter_flatten(const struct device_rule *rules, size_t n,
                                 struct device_rules *ret);
struct device_program VEC_BODY(struct bpf_insn);
void device_filter_compile(const struct device_rule *rules, size_t n, struct device_program *ret);
