#include "spec/seccomp_profile.h"
#include <string.h>

#if defined(__x86_64__)
#define ARCH "amd64"
#define SCMP_ARCH "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#define SCMP_ARCH "SCMP_ARCH_AARCH64"
#else
#error "name this machine's architecture"
#endif

#define F(member, name, kind, ...) FIELD(struct oci_seccomp_arg, member, name, kind, ##__VA_ARGS__)
static const struct field arg_rows[] = {F(index, "index", F_U32), F(value, "value", F_U64),
                                        F(value_two, "valueTwo", F_U64), F(op, "op", F_STR)};
#undef F
static const struct fields arg_fields = {"arg", sizeof(struct oci_seccomp_arg), arg_rows,
                                         ARRAY_LEN(arg_rows)};

#define F(member, name, kind, ...) \
    FIELD(struct seccomp_condition, member, name, kind, ##__VA_ARGS__)
static const struct field condition_rows[] = {F(caps, "caps", F_STRS), F(arches, "arches", F_STRS),
                                              F(min_kernel, "minKernel", F_STR)};
#undef F
static const struct fields condition_fields = {"condition", sizeof(struct seccomp_condition),
                                               condition_rows, ARRAY_LEN(condition_rows)};

#define F(member, name, kind, ...) \
    FIELD(struct seccomp_profile_rule, member, name, kind, ##__VA_ARGS__)
static const struct field rule_rows[] = {
    F(name, "name", F_STR),
    F(names, "names", F_STRS),
    F(action, "action", F_STR),
    F(errno_ret, "errnoRet", F_I64PTR),
    F(args, "args", F_ARRAY, .sub = &arg_fields),
    F(comment, "comment", F_STR),
    F(includes, "includes", F_OBJPTR, .sub = &condition_fields),
    F(excludes, "excludes", F_OBJPTR, .sub = &condition_fields)};
#undef F
static const struct fields rule_fields = {"rule", sizeof(struct seccomp_profile_rule), rule_rows,
                                          ARRAY_LEN(rule_rows)};

#define F(member, name, kind, ...) FIELD(struct seccomp_arch_map, member, name, kind, ##__VA_ARGS__)
static const struct field map_rows[] = {F(architecture, "architecture", F_STR),
                                        F(sub_architectures, "subArchitectures", F_STRS)};
#undef F
static const struct fields map_fields = {"archMap", sizeof(struct seccomp_arch_map), map_rows,
                                         ARRAY_LEN(map_rows)};

#define F(member, name, kind, ...) FIELD(struct seccomp_profile, member, name, kind, ##__VA_ARGS__)
FIELDS(seccomp_profile_fields, struct seccomp_profile,
       F(default_action, "defaultAction", F_STR, .flags = F_REQUIRED),
       F(default_errno_ret, "defaultErrnoRet", F_I64PTR), F(architectures, "architectures", F_STRS),
       F(flags, "flags", F_STRS), F(arch_map, "archMap", F_ARRAY, .sub = &map_fields),
       F(syscalls, "syscalls", F_ARRAY, .sub = &rule_fields),
       F(listener_path, "listenerPath", F_STR), F(listener_metadata, "listenerMetadata", F_STR));
#undef F

/* "4.8" against "6.1.0-18-amd64". */
static struct err kernel_at_least(const char *kernel, const char *wanted, bool *ret) {
    struct str have = str_of(kernel), want = str_of(wanted), a, b;
    uint64_t numbers[2][2] = {{0}};
    for (int i = 0; i < 2; i++) {
        str_cut(have, '.', &a, &have);
        str_cut(want, '.', &b, &want);
        size_t digits = 0;
        while (digits < a.len && a.p[digits] >= '0' && a.p[digits] <= '9')
            digits++;
        err_ignore(str_to_u64(str_sub(a, 0, digits), 100000, &numbers[0][i]));
        TRYF(str_to_u64(b, 100000, &numbers[1][i]), "minKernel '%s'", wanted);
    }
    *ret = numbers[0][0] != numbers[1][0] ? numbers[0][0] > numbers[1][0]
                                          : numbers[0][1] >= numbers[1][1];
    return OK;
}

static struct err applies(const struct seccomp_profile_rule *r, const struct strs *caps,
                          const char *kernel, bool *ret) {
    const struct seccomp_condition *in = r->includes, *out = r->excludes;
    bool new_enough = true;
    *ret = true;
    if (in && in->arches.n && !strs_has(&in->arches, ARCH))
        *ret = false;
    for (size_t i = 0; in && i < in->caps.n; i++)
        *ret &= strs_has(caps, in->caps.items[i]);
    if (in && in->min_kernel && *in->min_kernel)
        TRY(kernel_at_least(kernel, in->min_kernel, &new_enough));
    *ret &= new_enough;
    if (out && strs_has(&out->arches, ARCH))
        *ret = false;
    for (size_t i = 0; out && i < out->caps.n; i++)
        *ret &= !strs_has(caps, out->caps.items[i]);
    if (out && out->min_kernel && *out->min_kernel) {
        TRY(kernel_at_least(kernel, out->min_kernel, &new_enough));
        *ret &= !new_enough;
    }
    return OK;
}

static void choose_architectures(const struct seccomp_profile *p, struct arena *a,
                                 struct oci_seccomp *ret) {
    const struct seccomp_arch_map *m = p->arch_map.items;
    ret->architectures = p->architectures;
    for (size_t i = 0; i < p->arch_map.n; i++) {
        if (!m[i].architecture || strcmp(m[i].architecture, SCMP_ARCH) != 0)
            continue;
        ret->architectures = (struct strs){.present = true};
        strs_add(&ret->architectures, a, m[i].architecture);
        for (size_t k = 0; k < m[i].sub_architectures.n; k++)
            strs_add(&ret->architectures, a, m[i].sub_architectures.items[k]);
    }
}

struct err seccomp_profile_resolve(const struct seccomp_profile *p, const struct strs *capabilities,
                                   const char *kernel, struct arena *a, struct oci_seccomp *ret) {
    const struct seccomp_profile_rule *r = p->syscalls.items;
    if (p->architectures.n && p->arch_map.n)
        return err_new(ERR_INVALID,
                       "both 'architectures' and 'archMap' are specified in the seccomp profile");
    *ret = (struct oci_seccomp){
        .default_action = p->default_action,
        .default_errno_ret = p->default_errno_ret,
        .flags = p->flags,
        .listener_path = p->listener_path,
        .listener_metadata = p->listener_metadata,
    };
    choose_architectures(p, a, ret);
    for (size_t i = 0; i < p->syscalls.n; i++) {
        bool wanted;
        if (r[i].name && *r[i].name && r[i].names.n)
            return err_new(ERR_INVALID, "both 'name' and 'names' are specified in the seccomp "
                                        "profile");
        TRY(applies(&r[i], capabilities, kernel, &wanted));
        if (!wanted)
            continue;
        struct oci_seccomp_rule *o = objs_add(&ret->syscalls, a, sizeof *o);
        o->names = r[i].names;
        if (r[i].name && *r[i].name)
            strs_add(&o->names, a, r[i].name);
        o->action = r[i].action;
        o->errno_ret = r[i].errno_ret;
        o->args = r[i].args;
    }
    return OK;
}
