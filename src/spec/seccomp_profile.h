/* spec/seccomp_profile.h - a seccomp profile as users of the Engine API write it: the OCI
 * specification's linux.seccomp with conditions (capabilities, architectures, kernel version) and
 * names of architectures mapped. Source: the profile format documented for the Engine's
 * --security-opt seccomp=FILE. Decoded strictly: a key that is not understood could be a
 * restriction. Tests: test/unit/spec/seccomp_profile.c. */
#pragma once
#include "spec/runtime_config.h"

struct seccomp_condition {
    struct strs caps, arches;
    char *min_kernel; /* "4.8" */
};
struct seccomp_profile_rule {
    char *name; /* of one call, in old profiles */
    struct strs names;
    char *action;
    int64_t *errno_ret;
    struct objs args; /* struct oci_seccomp_arg */
    char *comment;
    struct seccomp_condition *includes, *excludes;
};
struct seccomp_arch_map {
    char *architecture;
    struct strs sub_architectures;
};
struct seccomp_profile {
    char *default_action;
    int64_t *default_errno_ret;
    struct strs architectures, flags;
    struct objs arch_map; /* struct seccomp_arch_map */
    struct objs syscalls; /* struct seccomp_profile_rule */
    char *listener_path, *listener_metadata;
};
extern const struct fields seccomp_profile_fields;

/* What holds for these capabilities ("CAP_…"), this machine and this kernel ("6.1.0-x"). The result
 * borrows from p. ERR_INVALID. */
struct err seccomp_profile_resolve(const struct seccomp_profile *p, const struct strs *capabilities,
                                   const char *kernel, struct arena *a, struct oci_seccomp *ret);
