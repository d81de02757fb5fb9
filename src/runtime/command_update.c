/* update and events: a container's limits and what it uses. */
#include "base/file.h"
#include "base/time.h"
#include "runtime/commands.h"
#include "runtime/systemd.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- update ----------------------------------------------------------------------------------- */

struct update {
    struct arena arena;
    struct oci_resources r;
    const char *file;
};

static void update_done(struct update *u) {
    arena_done(&u->arena);
}

enum {
    MEMORY = 256,
    SWAP,
    RESERVATION,
    QUOTA,
    PERIOD,
    SHARES,
    CPUS,
    MEMS,
    PIDS,
    WEIGHT,
    BURST,
    IDLE,
};

static struct err take_number(struct update *u, const char *name, int64_t **ret) {
    int64_t n;
    TRYF(str_to_i64(str_of(optarg), -1, INT64_MAX, &n), "update: --%s", name);
    *ret = arena_alloc(&u->arena, sizeof(n));
    **ret = n;
    return OK;
}

#define PART(u, member)                            \
    ((u)->r.member = (u)->r.member ? (u)->r.member \
                                   : arena_alloc(&(u)->arena, sizeof(*(u)->r.member)))

static struct err set_limit(struct update *u, int option) {
    switch (option) {
    case 'r':
        u->file = optarg;
        return OK;
    case MEMORY:
        return take_number(u, "memory", &PART(u, memory)->limit);
    case SWAP:
        return take_number(u, "memory-swap", &PART(u, memory)->swap);
    case RESERVATION:
        return take_number(u, "memory-reservation", &PART(u, memory)->reservation);
    case QUOTA:
        return take_number(u, "cpu-quota", &PART(u, cpu)->quota);
    case PERIOD:
        return take_number(u, "cpu-period", &PART(u, cpu)->period);
    case SHARES:
        return take_number(u, "cpu-share", &PART(u, cpu)->shares);
    case BURST:
        return take_number(u, "cpu-burst", &PART(u, cpu)->burst);
    case IDLE:
        return take_number(u, "cpu-idle", &PART(u, cpu)->idle);
    case CPUS:
        PART(u, cpu)->cpus = optarg;
        return OK;
    case MEMS:
        PART(u, cpu)->mems = optarg;
        return OK;
    case PIDS:
        return take_number(u, "pids-limit", &PART(u, pids)->limit);
    default:
        return take_number(u, "blkio-weight", &PART(u, block_io)->weight);
    }
}

static struct err read_update(struct call *c, struct update *u, const char **ret_id) {
    static const struct option options[] = {
        OPTION_TEXT("resources", 'r'),
        OPTION_TEXT("memory", MEMORY),
        OPTION_TEXT("memory-swap", SWAP),
        OPTION_TEXT("memory-reservation", RESERVATION),
        OPTION_TEXT("cpu-quota", QUOTA),
        OPTION_TEXT("cpu-period", PERIOD),
        OPTION_TEXT("cpu-share", SHARES),
        OPTION_TEXT("cpu-shares", SHARES),
        OPTION_TEXT("cpu-burst", BURST),
        OPTION_TEXT("cpu-idle", IDLE),
        OPTION_TEXT("cpuset-cpus", CPUS),
        OPTION_TEXT("cpuset-mems", MEMS),
        OPTION_TEXT("pids-limit", PIDS),
        OPTION_TEXT("blkio-weight", WEIGHT),
        OPTIONS_END,
    };
    for (int option;;) {
        TRY(call_option(c, ":r:", options, &option));
        if (option < 0)
            return call_id(c, ret_id);
        TRY(set_limit(u, option));
    }
}

static struct err read_resources(struct update *u) {
    CLEAN_BUF struct buf text = {.max = OCI_CONFIG_MAX};
    if (strcmp(u->file, "-") == 0) {
        int r = fd_read_buf(0, &text);
        if (r < 0 || text.overflow)
            return err_errno(r < 0 ? r : EFBIG, "read the standard input");
    } else {
        TRY(file_read(u->file, OCI_CONFIG_MAX, &text));
    }
    return fields_decode(&oci_resources_fields, buf_str(&text), &u->arena, &u->r);
}

static struct err open_running(struct call *c, const char *id, struct record *r) {
    TRY(record_open(c->root, id, r));
    enum record_status s = record_status(r);
    if (s == RECORD_STOPPED || s == RECORD_CREATING)
        return err_new(ERR_CONFLICT, "container '%s' is not running", id);
    if (!r->kept.cgroup_path || !r->kept.cgroup_path[0])
        return err_new(ERR_UNSUPPORTED, "container '%s' has no cgroup", id);
    return OK;
}

struct err command_update(struct call *c) {
    OWN(update_done) struct update u = {0};
    CLEAN_RECORD struct record r = RECORD_NONE;
    const char *id;
    TRY(read_update(c, &u, &id));
    if (u.file)
        TRYF(read_resources(&u), "update: --resources '%s'", u.file);
    TRY(open_running(c, id, &r));
    if (r.kept.systemd_unit && r.kept.systemd_unit[0])
        TRY(systemd_scope_update(r.kept.systemd_unit, &u.r));
    return runtime_cgroup_update(r.kept.cgroup_path, &u.r);
}

/* --- events ----------------------------------------------------------------------------------- */

static void number(struct json_out *o, const char *key, uint64_t v) {
    jo_key(o, key);
    jo_u64(o, v);
}

static void open_object(struct json_out *o, const char *key) {
    jo_key(o, key);
    jo_obj(o);
}

static void print_cpu(struct json_out *o, const struct runtime_usage *u) {
    open_object(o, "cpu");
    open_object(o, "usage");
    number(o, "total", u->cpu_ns);
    number(o, "kernel", u->cpu_system_ns);
    number(o, "user", u->cpu_user_ns);
    jo_obj_end(o);
    open_object(o, "throttling");
    number(o, "periods", u->periods);
    number(o, "throttledPeriods", u->throttled_periods);
    number(o, "throttledTime", u->throttled_ns);
    jo_obj_end(o);
    jo_obj_end(o);
}

static void print_memory(struct json_out *o, const struct runtime_usage *u) {
    open_object(o, "memory");
    open_object(o, "usage");
    number(o, "limit", u->memory_limit_bytes);
    number(o, "usage", u->memory_bytes);
    number(o, "max", u->memory_peak_bytes);
    number(o, "failcnt", u->oom_kills);
    jo_obj_end(o);
    open_object(o, "raw");
    number(o, "inactive_file", u->memory_inactive_file_bytes);
    jo_obj_end(o);
    jo_obj_end(o);
}

/* As runc prints it. */
static void print_stats(const struct record *r, const struct runtime_usage *u) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    jo_obj(&o);
    jo_kstr(&o, "type", "stats");
    jo_kstr(&o, "id", r->id);
    open_object(&o, "data");
    print_cpu(&o, u);
    print_memory(&o, u);
    open_object(&o, "pids");
    number(&o, "current", u->pids);
    number(&o, "limit", u->pids_limit == UINT64_MAX ? 0 : u->pids_limit);
    jo_obj_end(&o);
    jo_obj_end(&o);
    jo_obj_end(&o);
    printf("%s\n", buf_cstr(&text));
    fflush(stdout);
}

static void print_oom(const struct record *r) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    jo_obj(&o);
    jo_kstr(&o, "type", "oom");
    jo_kstr(&o, "id", r->id);
    jo_obj_end(&o);
    printf("%s\n", buf_cstr(&text));
    fflush(stdout);
}

static struct err read_events(struct call *c, bool *ret_stats, int64_t *ret_interval,
                              const char **ret_id) {
    static const struct option options[] = {OPTION_FLAG("stats", 's'), OPTION_TEXT("interval", 'i'),
                                            OPTIONS_END};
    for (int option;;) {
        TRY(call_option(c, ":", options, &option));
        if (option < 0)
            return call_id(c, ret_id);
        if (option == 's')
            *ret_stats = true;
        else
            TRYF(duration_parse(str_of(optarg), ret_interval), "events: --interval");
    }
}

struct err command_events(struct call *c) {
    bool once = false;
    int64_t interval = 5 * NSEC_PER_SEC;
    const char *id;
    CLEAN_RECORD struct record r = RECORD_NONE;
    struct runtime_usage u;
    TRY(read_events(c, &once, &interval, &id));
    if (interval < NSEC_PER_MSEC || interval > 86400 * NSEC_PER_SEC)
        return err_new(ERR_INVALID, "events: --interval is not in 1ms..24h");
    TRY(open_running(c, id, &r));
    TRY(runtime_cgroup_usage(r.kept.cgroup_path, &u));
    print_stats(&r, &u);
    while (!once && poll(NULL, 0, (int)(interval / NSEC_PER_MSEC)) == 0 &&
           record_status(&r) != RECORD_STOPPED) {
        uint64_t kills = u.oom_kills;
        TRY(runtime_cgroup_usage(r.kept.cgroup_path, &u));
        if (u.oom_kills > kills)
            print_oom(&r);
        print_stats(&r, &u);
    }
    return OK;
}
