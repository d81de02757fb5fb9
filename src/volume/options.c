/* Options of driver `local`: what may be said, and what the words of `o` mean to the kernel.
 * Source: mount(8), "FILESYSTEM-INDEPENDENT MOUNT OPTIONS"; the documentation of `docker volume
 * create`. */
#include "volume/private.h"

#define OPTIONS_LEN_MAX 4096

static const char *const known[] = {"type", "device", "o", "size"};

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
    if (strmap_get(o, "size"))
        return err_new(ERR_INVALID, "quota size requested but no quota support");
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
