/* Options of driver `local`: what may be said, and what the words of `o` mean to the kernel.
 * Source: mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; the documentation of `docker volume
 * create`. */
#include "volume/private.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS_LEN_MAX 4096

static const char *const known[] = {"type", "device", "o", "size", "uid", "gid", "mode"};

static const struct {
    const char *option, *needs;
} needed[] = {{"device", "type"}, {"type", "device"}, {"o", "device"}, {"o", "type"}};

static const struct {
    const char *word;
    uint64_t set, clear;
} attributes[] = {
    {"defaults", 0, 0},
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
    {"relatime", 0, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"private", 0, 0},
    {"rprivate", 0, 0},
    {"async", 0, 0},
};

#define ID_MAX (UINT32_MAX - 1)
#define MODE_MAX 07777

static struct err read_mode(const char *text, int64_t *ret) {
    int64_t mode = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '7' && mode <= MODE_MAX; p++)
        mode = mode * 8 + (*p - '0');
    if (p == text || *p || mode > MODE_MAX)
        return err_new(ERR_INVALID, "'%s' is no octal mode", text);
    *ret = mode;
    return OK;
}

static struct err read_owner(const struct strmap *o, struct volume_owner *ret) {
    const char *uid = strmap_get(o, "uid"), *gid = strmap_get(o, "gid");
    const char *mode = strmap_get(o, "mode");
    const char *size = strmap_get(o, "size");
    *ret = (struct volume_owner){.uid = -1, .gid = -1, .mode = -1};
    if (size && strmap_get(o, "type"))
        return err_new(ERR_INVALID, "option size is for volumes that are directories; a file "
                                    "system is told by o");
    if (size)
        TRY(volume_size_parse(size, &ret->size));
    if ((uid || gid || mode) && strmap_get(o, "type"))
        return err_new(ERR_INVALID, "options uid, gid and mode are for volumes that are "
                                    "directories; a file system is told by o");
    if (uid)
        TRYF(str_to_i64(str_of(uid), 0, ID_MAX, &ret->uid), "option uid");
    if (gid)
        TRYF(str_to_i64(str_of(gid), 0, ID_MAX, &ret->gid), "option gid");
    return mode ? err_wrap(read_mode(mode, &ret->mode), "option mode") : OK;
}

struct volume_owner volume_options_owner(const struct strmap *o) {
    struct volume_owner owner;
    err_ignore(read_owner(o, &owner)); /* it was checked when it was made */
    return owner;
}

struct volume_owner volume_owner_of(const struct volume *x) {
    return volume_options_owner(&x->options);
}

struct err volume_give(int dir_fd, const struct volume_owner *to) {
    if ((to->uid >= 0 || to->gid >= 0) && fchown(dir_fd, (uid_t)to->uid, (gid_t)to->gid) < 0)
        return err_errno(errno, "give the volume to %lld:%lld", (long long)to->uid,
                         (long long)to->gid);
    if (to->mode >= 0 && fchmod(dir_fd, (mode_t)to->mode) < 0)
        return err_errno(errno, "set the volume's mode");
    return OK;
}

struct err volume_options_check(const struct strmap *o) {
    for (size_t i = 0; i < o->n; i++) {
        bool good = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            good |= !strcmp(o->items[i].key, known[k]);
        if (!good)
            return err_new(ERR_INVALID, "invalid option: \"%s\"", o->items[i].key);
        if (strlen(o->items[i].value) > OPTIONS_LEN_MAX)
            return err_new(ERR_INVALID, "option %s is longer than %d bytes", o->items[i].key,
                           OPTIONS_LEN_MAX);
    }
    for (size_t k = 0; k < ARRAY_LEN(needed); k++)
        if (strmap_get(o, needed[k].option) && !strmap_get(o, needed[k].needs))
            return err_new(ERR_INVALID, "missing required option: \"%s\"", needed[k].needs);
    struct volume_owner owner;
    TRY(read_owner(o, &owner));
    CLEAN_ARENA struct arena a = {0};
    struct volume_words words;
    return volume_options_words(strmap_get(o, "o"), &a, &words);
}

static bool add_attribute(struct str word, struct volume_words *w) {
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
        if (str_eqz(word, attributes[i].word)) {
            w->attrs = (w->attrs & ~attributes[i].clear) | attributes[i].set;
            return true;
        }
    return false;
}

struct err volume_options_words(const char *o, struct arena *a, struct volume_words *ret) {
    struct str rest = str_of(o ? o : ""), word, key, value;
    struct volume_words w = {0};
    size_t room = 1;
    for (const char *p = o; p && *p; p++)
        room += *p == ',';
    w.items = arena_array(a, room, sizeof(*w.items));
    while (str_next(&rest, ',', &word)) {
        if (!word.len || add_attribute(word, &w))
            continue;
        if (str_eqz(word, "bind") || str_eqz(word, "rbind")) {
            w.bind = true;
            w.recursive |= str_eqz(word, "rbind");
            continue;
        }
        if (str_eqz(word, "remount") || str_eqz(word, "shared") || str_eqz(word, "rshared") ||
            str_eqz(word, "slave") || str_eqz(word, "rslave") || str_eqz(word, "unbindable") ||
            str_eqz(word, "runbindable") || str_eqz(word, "move"))
            return err_new(ERR_UNSUPPORTED, "mount option '%.*s' of a volume is not supported",
                           STR_ARG(word));
        bool valued = str_cut(word, '=', &key, &value);
        w.items[w.n++] = (struct mount_option){arena_str(a, key),
                                               valued ? arena_str(a, value) : NULL};
    }
    *ret = w;
    return OK;
}
