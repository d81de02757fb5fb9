/* spec: a config.json to start from. */
#include "base/file.h"
#include "runtime/commands.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void list(struct json_out *o, const char *key, const char *const *items) {
    jo_key(o, key);
    jo_arr(o);
    for (; *items; items++)
        jo_strz(o, *items);
    jo_arr_end(o);
}

static void write_process(struct json_out *o) {
    static const char *const args[] = {"sh", NULL};
    static const char *const env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL};
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    jo_key(o, "process");
    jo_obj(o);
    jo_kbool(o, "terminal", true);
    jo_key(o, "user");
    jo_raw(o, STR("{\"uid\":0,\"gid\":0}"));
    list(o, "args", args);
    list(o, "env", env);
    jo_kstr(o, "cwd", "/");
    jo_key(o, "capabilities");
    jo_obj(o);
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        list(o, sets[i], runtime_default_capabilities);
    jo_obj_end(o);
    jo_key(o, "rlimits");
    jo_raw(o, STR("[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}]"));
    jo_kbool(o, "noNewPrivileges", true);
    jo_obj_end(o);
}

struct place {
    const char *destination, *type, *source;
    const char *options[10];
};

static void write_mounts(struct json_out *o, bool rootless) {
    const struct place places[] = {
        {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
        {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
        {"/dev/pts",
         "devpts",
         "devpts",
         {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620",
          rootless ? NULL : "gid=5"}}, /* a group that is not mapped */
        {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
        {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
        {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
        {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
    };
    jo_key(o, "mounts");
    jo_arr(o);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        jo_obj(o);
        jo_kstr(o, "destination", places[i].destination);
        jo_kstr(o, "type", places[i].type);
        jo_kstr(o, "source", places[i].source);
        list(o, "options", places[i].options);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}

static void write_namespaces(struct json_out *o, bool rootless) {
    static const char *const types[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};
    jo_key(o, "namespaces");
    jo_arr(o);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (rootless && strcmp(types[i], "network") == 0)
            continue;
        jo_obj(o);
        jo_kstr(o, "type", types[i]);
        jo_obj_end(o);
    }
    if (rootless)
        jo_raw(o, STR("{\"type\":\"user\"}"));
    jo_arr_end(o);
}

static void write_mapping(struct json_out *o, const char *key, unsigned host) {
    jo_key(o, key);
    jo_arr(o);
    jo_obj(o);
    jo_ki64(o, "containerID", 0);
    jo_ki64(o, "hostID", host);
    jo_ki64(o, "size", 1);
    jo_obj_end(o);
    jo_arr_end(o);
}

static void write_linux(struct json_out *o, bool rootless) {
    jo_key(o, "linux");
    jo_obj(o);
    if (rootless) {
        write_mapping(o, "uidMappings", geteuid());
        write_mapping(o, "gidMappings", getegid());
    } else {
        jo_key(o, "resources");
        jo_raw(o, STR("{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}"));
    }
    write_namespaces(o, rootless);
    list(o, "maskedPaths", runtime_masked_paths);
    list(o, "readonlyPaths", runtime_readonly_paths);
    jo_obj_end(o);
}

static void compose(struct buf *text, bool rootless) {
    struct json_out o = {.out = text};
    jo_obj(&o);
    jo_kstr(&o, "ociVersion", "1.2.0");
    write_process(&o);
    jo_key(&o, "root");
    jo_raw(&o, STR("{\"path\":\"rootfs\",\"readonly\":true}"));
    jo_kstr(&o, "hostname", "corten");
    write_mounts(&o, rootless);
    write_linux(&o, rootless);
    jo_obj_end(&o);
    buf_addc(text, '\n');
}

struct err command_spec(struct call *c) {
    static const struct option options[] = {OPTION_TEXT("bundle", 'b'),
                                            OPTION_FLAG("rootless", 'r'), OPTIONS_END};
    bool rootless = false;
    const char *bundle = ".";
    for (int option;;) {
        TRY(call_option(c, ":b:", options, &option));
        if (option < 0)
            break;
        if (option == 'b')
            bundle = optarg;
        else
            rootless = true;
    }
    CLEAN_FREE char *path = mem_printf("%s/config.json", bundle);
    if (access(path, F_OK) == 0)
        return err_new(ERR_CONFLICT, "'%s' exists already", path);
    CLEAN_BUF struct buf text = {0};
    compose(&text, rootless);
    return file_replace(path, buf_str(&text), 0644, false);
}
