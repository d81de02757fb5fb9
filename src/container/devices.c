/* Devices: what --device, --device-cgroup-rule and --privileged ask for, as nodes and rules of the
 * OCI configuration. Source: Engine API 1.51 Resources.Devices, DeviceCgroupRules;
 * config-linux.md "Devices". */
#include "base/path.h"
#include "container/private.h"
#include "spec/runtime_config.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEPTH_MAX 16

static int64_t *box_i64(struct arena *a, int64_t value) {
    int64_t *p = arena_alloc(a, sizeof *p);
    *p = value;
    return p;
}

struct add {
    struct oci_linux *linux_;
    struct oci_resources *resources;
    struct arena *arena;
    const char *access; /* NULL: no rule */
};

static struct err add_device(const struct add *to, const struct stat *st, const char *path) {
    bool block = S_ISBLK(st->st_mode);
    if (to->linux_->devices.n >= OCI_DEVICES_MAX)
        return err_new(ERR_INVALID, "more than %d devices", OCI_DEVICES_MAX);
    struct oci_device *d = objs_add(&to->linux_->devices, to->arena, sizeof *d);
    d->path = arena_strz(to->arena, path);
    d->type = arena_strz(to->arena, block ? "b" : "c");
    d->major = major(st->st_rdev);
    d->minor = minor(st->st_rdev);
    d->file_mode = box_i64(to->arena, st->st_mode & 07777);
    d->uid = st->st_uid;
    d->gid = st->st_gid;
    if (!to->access)
        return OK;
    struct oci_device_rule *r = objs_add(&to->resources->devices, to->arena, sizeof *r);
    r->allow = true;
    r->type = d->type;
    r->major = box_i64(to->arena, d->major);
    r->minor = box_i64(to->arena, d->minor);
    r->access = arena_strz(to->arena, to->access);
    return OK;
}

/* What a container has of its own, or must not have from outside. */
static bool is_own(const char *name) {
    static const char *const names[] = {"ptmx", "pts",         "shm",     "fd",    "mqueue",
                                        ".lxc", ".lxd-mounts", "console", ".udev", NULL};
    for (size_t i = 0; names[i]; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

/* All devices below a directory, as `to_path` below the container. Links are not followed. */
static struct err add_tree(const struct add *to, int dir, const char *to_path, unsigned depth) {
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    struct err e = OK;
    if (!d)
        return err_errno(errno, "read '%s'", to_path);
    for (struct dirent *entry; !err_failed(e) && (entry = readdir(d));) {
        struct stat st;
        if (entry->d_name[0] == '.' || is_own(entry->d_name) ||
            fstatat(own, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        CLEAN_FREE char *path = path_join(to_path, entry->d_name);
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
            e = add_device(to, &st, path);
        } else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
            CLEAN_FD int sub = openat(own, entry->d_name,
                                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (sub >= 0)
                e = add_tree(to, sub, path, depth + 1);
        }
    }
    closedir(d);
    return e;
}

static struct err add_asked(const struct api_device *d, struct add *to) {
    const char *from = d->path_on_host ? d->path_on_host : "";
    const char *path = d->path_in_container && *d->path_in_container ? d->path_in_container : from;
    struct stat st;
    to->access = d->cgroup_permissions && *d->cgroup_permissions ? d->cgroup_permissions : "rwm";
    if (stat(from, &st) != 0)
        return err_kind_errno(ERR_INVALID, errno,
                              "error gathering device information while adding custom device "
                              "\"%s\"",
                              from);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        return add_device(to, &st, path);
    if (!S_ISDIR(st.st_mode))
        return err_new(
            ERR_INVALID,
            "error gathering device information while adding custom device \"%s\": not a "
            "device node",
            from);
    CLEAN_FD int dir = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? err_errno(errno, "open '%s'", from) : add_tree(to, dir, path, 0);
}

/* "c 10:200 rwm", "a *:* rwm" */
static struct err parse_rule(const char *text, struct arena *a, struct oci_device_rule *ret) {
    struct str type, rest, numbers, access, major, minor;
    bool ok = str_cut(str_of(text), ' ', &type, &rest) && str_cut(rest, ' ', &numbers, &access) &&
              str_cut(numbers, ':', &major, &minor);
    struct str both[] = {major, minor};
    int64_t **places[] = {&ret->major, &ret->minor};
    ok = ok && type.len == 1 && strchr("abc", type.p[0]) && access.len >= 1 && access.len <= 3;
    for (size_t i = 0; ok && i < access.len; i++)
        ok = strchr("rwm", access.p[i]) != NULL;
    for (size_t i = 0; ok && i < 2; i++) {
        int64_t n = -1;
        if (str_eqz(both[i], "*"))
            continue;
        CLEAN_ERR struct err bad = str_to_i64(both[i], 0, INT32_MAX, &n);
        ok = !err_failed(bad);
        *places[i] = box_i64(a, n);
    }
    if (!ok)
        return err_new(ERR_INVALID, "invalid device cgroup rule format: '%s'", text);
    ret->allow = true;
    ret->type = arena_str(a, type);
    ret->access = arena_str(a, access);
    return OK;
}

struct err container_device_rule_check(const char *text) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_device_rule r = {0};
    return parse_rule(text, &a, &r);
}

struct err container_devices(const struct container *c, struct arena *a, struct oci_linux *l) {
    const struct api_resources *r = &c->host->resources;
    struct add to = {.linux_ = l, .resources = l->resources, .arena = a};
    if (c->host->privileged) {
        struct oci_device_rule *all = objs_add(&l->resources->devices, a, sizeof *all);
        *all = (struct oci_device_rule){
            .allow = true, .type = arena_strz(a, "a"), .access = arena_strz(a, "rwm")};
        CLEAN_FD int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dev < 0)
            return err_errno(errno, "open /dev");
        return add_tree(&to, dev, "/dev", 0);
    }
    const struct api_device *d = r->devices.items;
    for (size_t i = 0; i < r->devices.n; i++)
        TRY(add_asked(&d[i], &to));
    for (size_t i = 0; i < r->device_cgroup_rules.n; i++) {
        struct oci_device_rule *rule = objs_add(&l->resources->devices, a, sizeof *rule);
        TRY(parse_rule(r->device_cgroup_rules.items[i], a, rule));
    }
    return OK;
}
