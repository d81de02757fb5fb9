/* Driver options of an endpoint: another name of its interface, and settings of it. */
#include "base/file.h"
#include "network/private.h"
#include <fcntl.h>

#define OPTION "com.docker.network.endpoint."
#define SYSCTLS_MAX 64

/* "net.ipv4.conf.IFNAME.forwarding=0" as its parts. */
struct sysctl {
    struct str family, kind, name, value;
};

static bool is_word(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
              s.p[i] == '_'))
            return false;
    return s.len > 0;
}

static bool sysctl_read(struct str text, struct sysctl *ret) {
    struct str net, interface, rest;
    return str_cut(text, '.', &net, &rest) && str_cut(rest, '.', &ret->family, &rest) &&
           str_cut(rest, '.', &ret->kind, &rest) && str_cut(rest, '.', &interface, &rest) &&
           str_cut(rest, '=', &ret->name, &ret->value) && str_eqz(net, "net") &&
           str_eq_nocase(interface, STR("IFNAME")) &&
           /* the stock client writes it small */ is_word(ret->family) && is_word(ret->kind) &&
           is_word(ret->name) && ret->value.len;
}

static struct err check_sysctls(const char *key, const char *value) {
    struct str rest = str_of(value), one;
    size_t n = 0;
    while (str_next(&rest, ',', &one)) {
        struct sysctl s;
        if (!sysctl_read(one, &s))
            return err_new(ERR_INVALID,
                           "option %s: '%.*s' is not net.FAMILY.KIND.IFNAME.NAME=VALUE", key,
                           STR_ARG(one));
        if (++n > SYSCTLS_MAX)
            return err_new(ERR_INVALID, "option %s: more than %d settings", key, SYSCTLS_MAX);
    }
    return OK;
}

struct err endpoint_options_check(const struct strmap *options, struct endpoint_options *ret) {
    struct endpoint_options o = {0};
    for (size_t i = 0; i < options->n; i++) {
        const struct strpair *p = &options->items[i];
        if (strcmp(p->key, OPTION "sysctls") == 0) {
            TRY(check_sysctls(p->key, p->value));
            o.sysctls = p->value;
            continue;
        }
        if (strcmp(p->key, OPTION "ifname") != 0)
            return err_new(ERR_UNSUPPORTED, "endpoint option %s is not supported", p->key);
        if (!is_interface_name(p->value) || strcmp(p->value, "lo") == 0)
            return err_new(ERR_INVALID, "option %s: '%s' is no interface name", p->key, p->value);
        o.interface = p->value;
    }
    *ret = o;
    return OK;
}

struct err endpoint_sysctls_set(const char *sysctls, const char *interface) {
    struct str rest = str_of(sysctls ? sysctls : ""), one;
    while (str_next(&rest, ',', &one)) {
        struct sysctl s;
        if (!sysctl_read(one, &s))
            continue; /* checked before */
        CLEAN_FREE char *path = mem_printf("/proc/sys/net/%.*s/%.*s/%s/%.*s", STR_ARG(s.family),
                                           STR_ARG(s.kind), interface, STR_ARG(s.name));
        struct err e = file_write_at(AT_FDCWD, path, s.value);
        if (err_kind(e) == ERR_NOT_FOUND)
            e = err_as(e, ERR_INVALID);
        TRYF(e, "set %.*s", STR_ARG(one));
    }
    return OK;
}
