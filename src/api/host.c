#include "api/host.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#define RELEASE_MAX 65536

static const char *arch_of(const char *machine) {
    static const struct {
        const char *machine, *arch;
    } names[] = {{"x86_64", "amd64"},    {"aarch64", "arm64"}, {"riscv64", "riscv64"},
                 {"ppc64le", "ppc64le"}, {"s390x", "s390x"},   {"armv7l", "arm"},
                 {"i686", "386"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i].machine, machine) == 0)
            return names[i].arch;
    return machine;
}

const char *host_release_value(struct str text, const char *key, struct arena *a) {
    struct str line, name, value;
    while (str_next(&text, '\n', &line)) {
        if (!str_cut(str_trim(line), '=', &name, &value) || !str_eqz(name, key))
            continue;
        bool quoted = value.len >= 2 && (value.p[0] == '"' || value.p[0] == '\'') &&
                      value.p[value.len - 1] == value.p[0];
        return arena_str(a, quoted ? str_sub(value, 1, value.len - 1) : value);
    }
    return "";
}

static void read_release(struct arena *a, struct host *ret) {
    static const char *const paths[] = {"/etc/os-release", "/usr/lib/os-release"};
    CLEAN_BUF struct buf text = {0};
    for (size_t i = 0; i < ARRAY_LEN(paths) && text.len == 0; i++)
        err_ignore(
            file_read(paths[i], RELEASE_MAX, &text)); /* many systems have only one of them */
    ret->system = host_release_value(buf_str(&text), "PRETTY_NAME", a);
    ret->system_version = host_release_value(buf_str(&text), "VERSION_ID", a);
    if (!*ret->system)
        ret->system = "Linux";
}

bool host_forwards_ipv4(void) {
    CLEAN_BUF struct buf text = {0};
    err_ignore(file_read("/proc/sys/net/ipv4/ip_forward", 16, &text)); /* then it counts as off */
    return str_eqz(str_trim(buf_str(&text)), "1");
}

struct host *host_new(void) {
    struct host *h = NEW(struct host);
    struct utsname u = {0};
    struct sysinfo s = {0};
    (void)uname(&u); /* both fail for a bad address only */
    (void)sysinfo(&s);
    h->kernel = arena_strz(&h->arena, u.release);
    h->machine = arena_strz(&h->arena, u.machine);
    h->name = arena_strz(&h->arena, u.nodename);
    h->arch = arch_of(h->machine);
    h->cpus = sysconf(_SC_NPROCESSORS_ONLN);
    h->memory = (int64_t)((uint64_t)s.totalram * s.mem_unit);
    read_release(&h->arena, h);
    struct err e = runtime_detect(&h->features);
    h->features_known = !err_failed(e);
    log_err(LOG_WARN, e, "detect what this kernel offers");
    return h;
}

struct host *host_free(struct host *h) {
    if (h) {
        arena_done(&h->arena);
        free(h);
    }
    return NULL;
}
