#include "runtime/systemd.h"
#include "base/file.h"
#include "base/mem.h"
#include "kernel/cgroup.h"
#include "kernel/pidfd.h"
#include "runtime/dbus.h"
#include "runtime/launch.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MANAGER "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define CGROUP_TEXT_MAX 65536

/* --- names ------------------------------------------------------------------------------------ */

static bool is_unit_name(struct str s, const char *suffix) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.-@";
    bool fine = s.len > strlen(suffix) && s.len < SYSTEMD_NAME_MAX &&
                str_eqz(str_from(s, s.len - strlen(suffix)), suffix);
    for (size_t i = 0; i < s.len; i++)
        fine &= strchr(allowed, s.p[i]) && s.p[i];
    return fine;
}

struct err systemd_unit_parse(const char *text, const char *id, struct systemd_unit *ret) {
    struct str slice = STR_NONE, prefix = STR("corten"), name = str_of(id), rest;
    if (text && text[0] &&
        (!str_cut(str_of(text), ':', &slice, &rest) || !str_cut(rest, ':', &prefix, &name)))
        return err_new(ERR_INVALID,
                       "linux.cgroupsPath '%s' is not \"slice:prefix:name\", as systemd's are",
                       text);
    if (!slice.len)
        slice = geteuid() == 0 ? STR("system.slice") : STR("user.slice");
    snprintf(ret->slice, sizeof(ret->slice), "%.*s", STR_ARG(slice));
    int n = snprintf(ret->name, sizeof(ret->name), "%.*s%s%.*s.scope", STR_ARG(prefix),
                     prefix.len ? "-" : "", STR_ARG(name));
    if (!name.len || n >= (int)sizeof(ret->name) || !is_unit_name(slice, ".slice") ||
        !is_unit_name(str_of(ret->name), ".scope"))
        return err_new(ERR_INVALID, "linux.cgroupsPath '%s' has no names of units",
                       text ? text : id);
    return OK;
}

/* --- the manager ------------------------------------------------------------------------------ */

static struct err from_address(const char *address, struct dbus *ret) {
    static const char prefix[] = "unix:path=";
    if (strncmp(address, prefix, strlen(prefix)) != 0)
        return err_new(ERR_UNSUPPORTED, "bus address '%s' is not of the form unix:path=…", address);
    CLEAN_FREE char *path =
        str_dup(str_n(address + strlen(prefix), strcspn(address + strlen(prefix), ",;")));
    return err_wrap(dbus_open(path, false, ret), "%s", path);
}

static struct err dial(struct dbus *ret) {
    bool root = geteuid() == 0;
    const char *address = getenv(root ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS");
    const char *dir = getenv("XDG_RUNTIME_DIR");
    if (root && address && address[0])
        return from_address(address, ret);
    CLEAN_FREE char *own = mem_printf("%s/systemd/private", root                   ? "/run"
                                                            : dir && dir[0] == '/' ? dir
                                                                                   : "/run");
    if (access(own, F_OK) == 0)
        return err_wrap(dbus_open(own, true, ret), "%s", own);
    if (!root && address && address[0])
        return from_address(address, ret);
    return err_wrap(dbus_open("/run/dbus/system_bus_socket", false, ret),
                    "/run/dbus/system_bus_socket");
}

static struct err connect_manager(struct dbus *ret) {
    return err_wrap(dial(ret), "systemd");
}

static struct err call(struct dbus *d, const char *member, const char *signature,
                       const struct buf *body, char *ret, size_t size) {
    const struct dbus_call c = {.destination = MANAGER,
                                .path = MANAGER_PATH,
                                .interface = MANAGER ".Manager",
                                .member = member,
                                .signature = signature,
                                .body = body};
    return err_wrap(dbus_call(d, &c, ret, size), "systemd");
}

/* Signals come over a bus only to those who want them; the manager's own socket tells all. */
static struct err subscribe(struct dbus *d) {
    if (d->peer)
        return OK;
    CLEAN_BUF struct buf rule = {0};
    dbus_text(&rule, "type='signal',interface='" MANAGER ".Manager',member='JobRemoved'");
    const struct dbus_call match = {.destination = "org.freedesktop.DBus",
                                    .path = "/org/freedesktop/DBus",
                                    .interface = "org.freedesktop.DBus",
                                    .member = "AddMatch",
                                    .signature = "s",
                                    .body = &rule};
    TRY(dbus_call(d, &match, NULL, 0));
    return call(d, "Subscribe", NULL, NULL, NULL, 0);
}

/* JobRemoved(u id, o job, s unit, s result). */
static struct err await_job(struct dbus *d, const char *job, const char *unit) {
    for (;;) {
        struct dbus_message m;
        struct str path, name, result;
        uint32_t id;
        size_t at = 0;
        TRYF(dbus_await_signal(d, "JobRemoved", &m), "systemd: unit '%s'", unit);
        if (!dbus_read_u32(m.body, &at, &id) || !dbus_read_text(m.body, &at, &path) ||
            !dbus_read_text(m.body, &at, &name) || !dbus_read_text(m.body, &at, &result))
            return err_new(ERR_SYSTEM, "systemd: a malformed JobRemoved");
        if (!str_eqz(path, job))
            continue;
        return str_eqz(result, "done")
                   ? OK
                   : err_new(ERR_SYSTEM, "systemd: unit '%s': %.*s", unit, STR_ARG(result));
    }
}

/* --- properties ------------------------------------------------------------------------------- */

static void begin(struct buf *b, const char *name, const char *type) {
    dbus_align(b, 8);
    dbus_text(b, name);
    dbus_signature(b, type);
}

static void put_text(struct buf *b, const char *name, const char *value) {
    begin(b, name, "s");
    dbus_text(b, value);
}

static void put_bool(struct buf *b, const char *name, bool value) {
    begin(b, name, "b");
    dbus_u32(b, value);
}

static void put_u64(struct buf *b, const char *name, uint64_t value) {
    begin(b, name, "t");
    dbus_u64(b, value);
}

/* -1 is "infinity", 0 nothing said. */
static void put_limit(struct buf *b, const char *name, const int64_t *v) {
    if (v && *v != 0)
        put_u64(b, name, *v < 0 ? UINT64_MAX : (uint64_t)*v);
}

static bool pure_v2(void) {
    struct cgroup_host h;
    struct err e = cgroup_detect(&h);
    bool yes = !err_failed(e) && cgroup_is_v2(&h, CGROUP_MEMORY);
    err_ignore(e); /* told by whoever makes the cgroup */
    return yes;
}

static void put_memory(struct buf *b, const struct oci_memory *m, bool v2) {
    put_limit(b, v2 ? "MemoryMax" : "MemoryLimit", m->limit);
    if (v2)
        put_limit(b, "MemoryLow", m->reservation);
    if (v2 && m->swap && *m->swap > 0 && m->limit && *m->limit > 0 && *m->swap >= *m->limit)
        put_u64(b, "MemorySwapMax", (uint64_t)(*m->swap - *m->limit));
}

static void put_cpu(struct buf *b, const struct oci_cpu *c, bool v2) {
    if (c->shares && *c->shares > 0) {
        int64_t shares = MIN(MAX(*c->shares, 2), 262144);
        put_u64(b, v2 ? "CPUWeight" : "CPUShares",
                (uint64_t)(v2 ? 1 + (shares - 2) * 9999 / 262142 : shares));
    }
    if (!c->quota || *c->quota == 0)
        return;
    uint64_t period = c->period && *c->period > 0 ? (uint64_t)*c->period : 100000;
    put_u64(b, "CPUQuotaPeriodUSec", period);
    /* A quota of a second, which systemd keeps in steps of 10 ms. */
    uint64_t second = *c->quota < 0
                          ? UINT64_MAX
                          : ((uint64_t)*c->quota * 1000000 / period + 9999) / 10000 * 10000;
    put_u64(b, "CPUQuotaPerSecUSec", second);
}

static void put_resources(struct buf *b, const struct oci_resources *r) {
    bool v2 = pure_v2();
    if (r && r->memory)
        put_memory(b, r->memory, v2);
    if (r && r->cpu)
        put_cpu(b, r->cpu, v2);
    if (r && r->pids)
        put_limit(b, "TasksMax", r->pids->limit);
}

static void put_pids(struct buf *b, pid_t pid) {
    begin(b, "PIDs", "au");
    struct dbus_array a = dbus_array(b, 4);
    dbus_u32(b, (uint32_t)pid);
    dbus_array_end(b, a);
}

/* --- the stand-in ----------------------------------------------------------------------------- */

static struct err standin_make(struct standin *ret) {
    pid_t parent = getpid();
    bool in_core;
    TRY(launch_clone(0, -1, &ret->pid, &ret->pidfd, &in_core));
    if (ret->pid)
        return OK;
    launch_reset_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(1);
    for (;;)
        pause();
}

void standin_done(struct standin *s) {
    struct pidfd_exit x;
    if (s->pidfd < 0)
        return;
    err_ignore(pidfd_signal(s->pidfd, SIGKILL)); /* gone is what we want */
    err_ignore(pidfd_reap(s->pidfd, &x));
    s->pidfd = fd_close(s->pidfd);
}

/* Where systemd has put it: "0::PATH", or on older hosts "N:name=systemd:PATH". */
static struct err cgroup_of(pid_t pid, char **ret) {
    char file[40];
    CLEAN_BUF struct buf text = {0};
    snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
    TRY(file_read(file, CGROUP_TEXT_MAX, &text));
    struct str rest = buf_str(&text), line, found = STR_NONE;
    while (str_next(&rest, '\n', &line)) {
        ssize_t named = str_find_str(line, STR(":name=systemd:"));
        if (named >= 0) {
            found = str_from(line, (size_t)named + 14);
            break;
        }
        if (str_starts(line, STR("0::")))
            found = str_from(line, 3);
    }
    if (!str_starts(found, STR("/")))
        return err_new(ERR_SYSTEM, "the scope's cgroup is not to be found");
    *ret = str_dup(found);
    return OK;
}

/* --- scopes ----------------------------------------------------------------------------------- */

static void compose(const struct systemd_unit *u, const char *id, const struct oci_resources *r,
                    pid_t pid, struct buf *b) {
    CLEAN_FREE char *description = mem_printf("corten-runtime container %s", id);
    dbus_text(b, u->name);
    dbus_text(b, "fail");
    struct dbus_array properties = dbus_array(b, 8);
    put_text(b, "Description", description);
    put_text(b, "Slice", u->slice);
    put_text(b, "CollectMode", "inactive-or-failed");
    put_bool(b, "DefaultDependencies", false);
    put_bool(b, "Delegate", true);
    put_bool(b, "MemoryAccounting", true);
    put_bool(b, "CPUAccounting", true);
    put_bool(b, "TasksAccounting", true);
    put_pids(b, pid);
    put_resources(b, r);
    dbus_array_end(b, properties);
    dbus_array_end(b, dbus_array(b, 8)); /* no auxiliary units */
}

static struct err start(const struct systemd_unit *u, const char *id, const struct oci_resources *r,
                        pid_t pid) {
    CLEAN_DBUS struct dbus d = DBUS_NONE;
    CLEAN_BUF struct buf body = {0};
    char job[256];
    TRY(connect_manager(&d));
    TRY(subscribe(&d));
    compose(u, id, r, pid, &body);
    TRY(call(&d, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body, job, sizeof(job)));
    return await_job(&d, job, u->name);
}

struct err systemd_scope_start(const struct systemd_unit *u, const char *id,
                               const struct oci_resources *r, struct standin *ret,
                               char **ret_path) {
    TRY(standin_make(ret));
    struct err e = start(u, id, r, ret->pid);
    if (!err_failed(e))
        e = cgroup_of(ret->pid, ret_path);
    if (err_failed(e))
        standin_done(ret);
    return e;
}

struct err systemd_scope_stop(const char *name) {
    CLEAN_DBUS struct dbus d = DBUS_NONE;
    CLEAN_BUF struct buf body = {0};
    char job[256];
    TRY(connect_manager(&d));
    TRY(subscribe(&d));
    dbus_text(&body, name);
    dbus_text(&body, "replace");
    struct err e = call(&d, "StopUnit", "ss", &body, job, sizeof(job));
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    return await_job(&d, job, name);
}

struct err systemd_scope_update(const char *name, const struct oci_resources *r) {
    CLEAN_DBUS struct dbus d = DBUS_NONE;
    CLEAN_BUF struct buf body = {0};
    TRY(connect_manager(&d));
    dbus_text(&body, name);
    dbus_u32(&body, true); /* until the next boot, as the unit itself */
    struct dbus_array properties = dbus_array(&body, 8);
    put_resources(&body, r);
    dbus_array_end(&body, properties);
    return call(&d, "SetUnitProperties", "sba(sv)", &body, NULL, 0);
}
