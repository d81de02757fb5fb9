/* What confines a container: capabilities, --security-opt, the seccomp filter. */
#include "base/file.h"
#include "container/private.h"
#include "kernel/caps.h"
#include "runtime/runtime.h"
#include "spec/seccomp_profile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/utsname.h>

/* --- capabilities
 * ---------------------------------------------------------------------------------- */

static bool named(const struct strs *list, const char *cap) {
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->items[i];
        if (!strcasecmp(name, cap) || !strcasecmp(name, cap + 4))
            return true;
    }
    return false;
}

static bool names_all(const struct strs *list) {
    for (size_t i = 0; i < list->n; i++)
        if (!strcasecmp(list->items[i], "ALL"))
            return true;
    return false;
}

/* The default set, plus what is added, minus what is dropped; "ALL" first, single names win over
 * it. "ALL" is what this daemon can give away. */
struct strs container_capabilities(const struct container *c, bool privileged, struct arena *a) {
    struct strs caps = {.present = true};
    const struct strs *add = &c->host->cap_add, *drop = &c->host->cap_drop;
    bool drop_all = names_all(drop), add_all = names_all(add) || privileged;
    uint64_t possible = UINT64_MAX;
    err_ignore(caps_possible(&possible)); /* the start will tell */
    for (int i = 0; i < CAPS_COUNT; i++) {
        const char *cap = caps_name(i);
        bool is_default = false;
        for (size_t k = 0; runtime_default_capabilities[k]; k++)
            is_default |= !strcmp(cap, runtime_default_capabilities[k]);
        bool wanted = (is_default && !drop_all) || (add_all && (possible >> i & 1));
        if (named(drop, cap) && !privileged)
            wanted = false;
        if (named(add, cap))
            wanted = true;
        if (wanted)
            strs_add(&caps, a, cap);
    }
    return caps;
}

/* --- --security-opt
 * -------------------------------------------------------------------------------- */

/* "key=value", in old clients "key:value"; a word alone has no value. */
static void split(const char *opt, struct str *key, struct str *value) {
    if (!str_cut(str_of(opt), '=', key, value))
        str_cut(str_of(opt), ':', key, value);
}

static bool find(const struct strs *opts, const char *name, struct str *ret_value) {
    bool found = false;
    for (size_t i = 0; i < opts->n; i++) {
        struct str key, value;
        split(opts->items[i], &key, &value);
        if (!str_eqz(key, name))
            continue;
        *ret_value = value; /* the last one counts */
        found = true;
    }
    return found;
}

bool container_no_new_privileges(const struct container *c) {
    struct str value;
    return find(&c->host->security_opt, "no-new-privileges", &value) &&
           (value.len == 0 || str_eqz(value, "true"));
}

bool container_bare_system_paths(const struct container *c) {
    struct str value;
    return c->host->privileged ||
           (find(&c->host->security_opt, "systempaths", &value) && str_eqz(value, "unconfined"));
}

const char *container_apparmor(const struct container *c, struct arena *a) {
    struct str value;
    if (c->host->privileged || !find(&c->host->security_opt, "apparmor", &value) ||
        str_eqz(value, "unconfined"))
        return NULL;
    return arena_str(a, value);
}

static struct err check_seccomp(struct str value) {
    CLEAN_ARENA struct arena a = {0};
    struct seccomp_profile p;
    struct oci_seccomp s;
    struct strs none = {0};
    if (str_eqz(value, "unconfined") || str_eqz(value, "builtin"))
        return OK;
    if (!str_starts(value, STR("{")))
        return err_new(ERR_INVALID,
                       "seccomp=%.*s: expected unconfined, builtin or the profile itself (the CLI "
                       "reads the file)",
                       (int)MIN(value.len, 80), value.p);
    TRYF(fields_decode_strict(&seccomp_profile_fields, value, &a, &p),
         "Decoding seccomp profile failed");
    return seccomp_profile_resolve(&p, &none, "0.0", &a, &s);
}

static struct err check_one(const char *opt) {
    struct str key, value;
    struct runtime_features features = {0};
    split(opt, &key, &value);
    if (str_eqz(key, "no-new-privileges")) {
        if (value.len == 0 || str_eqz(value, "true") || str_eqz(value, "false"))
            return OK;
        return err_new(ERR_INVALID, "invalid --security-opt 1: \"%s\"", opt);
    }
    if (str_eqz(key, "seccomp"))
        return check_seccomp(value);
    if (str_eqz(key, "systempaths") && str_eqz(value, "unconfined"))
        return OK;
    if (str_eqz(key, "label")) {
        if (str_eqz(value, "disable"))
            return OK;
        return err_new(ERR_UNSUPPORTED,
                       "security option '%s' needs SELinux, which is not supported", opt);
    }
    if (str_eqz(key, "apparmor")) {
        if (str_eqz(value, "unconfined"))
            return OK;
        err_ignore(runtime_detect(&features));
        if (!features.apparmor)
            return err_new(ERR_UNSUPPORTED,
                           "security option '%s': AppArmor is not enabled on this host", opt);
        return OK;
    }
    return err_new(ERR_INVALID, "invalid --security-opt 2: \"%s\"", opt);
}

struct err container_security_check(const struct strs *opts) {
    for (size_t i = 0; i < opts->n; i++)
        TRY(check_one(opts->items[i]));
    return OK;
}

/* --- seccomp
 * --------------------------------------------------------------------------------------- */

static char *seccomp_cache(const struct containers *cs) {
    return mem_printf("%s/seccomp", cs->config.data_root);
}

struct err container_seccomp_prepare(struct containers *cs) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_FREE char *cache = seccomp_cache(cs);
    struct strs caps = {.present = true};
    TRY(dir_make(cache, 0700));
    for (size_t i = 0; runtime_default_capabilities[i]; i++)
        strs_add(&caps, &a, runtime_default_capabilities[i]);
    return runtime_seccomp_default(cache, &caps, &cs->seccomp_fd);
}

static struct err compile_profile(const struct container *c, struct str text, int *ret_fd) {
    CLEAN_ARENA struct arena a = {0};
    struct seccomp_profile p;
    struct oci_seccomp s;
    struct utsname host = {0};
    struct strs caps = container_capabilities(c, c->host->privileged, &a);
    (void)uname(&host); /* fails for a bad address only */
    TRYF(fields_decode_strict(&seccomp_profile_fields, text, &a, &p),
         "Decoding seccomp profile failed");
    TRY(seccomp_profile_resolve(&p, &caps, host.release, &a, &s));
    return err_wrap(runtime_seccomp_compile(&s, ret_fd), "seccomp profile");
}

struct err container_seccomp_open(const struct container *c, int *ret_fd) {
    CLEAN_ARENA struct arena a = {0};
    struct str value;
    const struct container_defaults *d = c->all->config.defaults;
    bool said = find(&c->host->security_opt, "seccomp", &value);
    *ret_fd = -1;
    if (!said && !c->host->privileged && d && d->seccomp) {
        value = str_of(d->seccomp);
        said = true;
    }
    if (said ? str_eqz(value, "unconfined") : c->host->privileged)
        return OK;
    if (said && str_starts(value, STR("{")))
        return compile_profile(c, value, ret_fd);
    if (c->host->cap_add.n == 0 && c->host->cap_drop.n == 0 && !c->host->privileged) {
        *ret_fd = fcntl(c->all->seccomp_fd, F_DUPFD_CLOEXEC, 3);
        return *ret_fd < 0 ? err_errno(errno, "duplicate the seccomp filter") : OK;
    }
    CLEAN_FREE char *cache = seccomp_cache(c->all);
    struct strs caps = container_capabilities(c, c->host->privileged, &a);
    return runtime_seccomp_default(cache, &caps, ret_fd);
}
