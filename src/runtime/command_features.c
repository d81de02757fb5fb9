/* features: what this program offers on this host (runtime specification, features.md). */
#include "kernel/caps.h"
#include "runtime/commands.h"
#include "runtime/mounts.h"
#include <stdio.h>
#include <unistd.h>

static void list(struct json_out *o, const char *key, const char *const *items) {
    jo_key(o, key);
    jo_arr(o);
    for (; *items; items++)
        jo_strz(o, *items);
    jo_arr_end(o);
}

static void enabled(struct json_out *o, const char *key, bool yes) {
    jo_key(o, key);
    jo_obj(o);
    jo_kbool(o, "enabled", yes);
    jo_obj_end(o);
}

static void write_capabilities(struct json_out *o) {
    jo_key(o, "capabilities");
    jo_arr(o);
    for (int i = 0; i < CAPS_COUNT; i++)
        jo_strz(o, caps_name(i));
    jo_arr_end(o);
}

static void write_seccomp(struct json_out *o, bool offered) {
    static const char *const actions[] = {"SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO",
                                          "SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
                                          "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
                                          "SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
                                          "SCMP_ACT_TRAP",        NULL};
    static const char *const operators[] = {"SCMP_CMP_EQ",        "SCMP_CMP_GE", "SCMP_CMP_GT",
                                            "SCMP_CMP_LE",        "SCMP_CMP_LT", "SCMP_CMP_NE",
                                            "SCMP_CMP_MASKED_EQ", NULL};
    jo_key(o, "seccomp");
    jo_obj(o);
    jo_kbool(o, "enabled", offered);
    list(o, "actions", actions);
    list(o, "operators", operators);
    jo_obj_end(o);
}

static void write_linux(struct json_out *o, const struct runtime_features *f) {
    static const char *const namespaces[] = {"cgroup", "ipc",  "mount", "network", "pid",
                                             "time",   "user", "uts",   NULL};
    jo_key(o, "linux");
    jo_obj(o);
    list(o, "namespaces", namespaces);
    write_capabilities(o);
    jo_key(o, "cgroup");
    jo_obj(o);
    jo_kbool(o, "v1", true);
    jo_kbool(o, "v2", true);
    jo_kbool(o, "systemd", true);
    jo_kbool(o, "systemdUser", true);
    jo_kbool(o, "rdma", true);
    jo_obj_end(o);
    write_seccomp(o, f->seccomp);
    enabled(o, "apparmor", f->apparmor);
    enabled(o, "selinux", access("/sys/fs/selinux/enforce", F_OK) == 0);
    enabled(o, "intelRdt", false);
    jo_key(o, "mountExtensions");
    jo_obj(o);
    enabled(o, "idmap", true);
    jo_obj_end(o);
    enabled(o, "netDevices", true);
    jo_obj_end(o);
}

struct err command_features(struct call *c) {
    static const char *const hooks[] = {
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
        NULL};
    if (c->argc != 1)
        return err_new(ERR_INVALID, "features takes no argument");
    struct runtime_features f;
    TRY(runtime_detect(&f));
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    jo_obj(&o);
    jo_kstr(&o, "ociVersionMin", "1.0.0");
    jo_kstr(&o, "ociVersionMax", "1.2.0");
    list(&o, "hooks", hooks);
    jo_key(&o, "mountOptions");
    jo_arr(&o);
    for (size_t i = 0; mount_option_name(i); i++)
        jo_strz(&o, mount_option_name(i));
    jo_arr_end(&o);
    write_linux(&o, &f);
    jo_obj_end(&o);
    printf("%s\n", buf_cstr(&text));
    return OK;
}
