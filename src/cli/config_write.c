/* config_write.c - config.json anew: everything stays as it was, but for one member. */
#include "base/file.h"
#include "base/path.h"
#include "cli/helper.h"
#include <string.h>

static void add_raw(struct json_out *jo, struct str key, struct json *value) {
    CLEAN_BUF struct buf text = {0};
    json_print(value, &text);
    jo_keys(jo, key);
    jo_raw(jo, value ? buf_str(&text) : STR("null"));
}

/* An object with key set, or taken away. */
static void changed(struct json_out *jo, struct json *object, const char *key, const char *json) {
    struct json_iter it = {0};
    jo_obj(jo);
    while (object && json_each(object, &it))
        if (!str_eqz(it.key, key))
            add_raw(jo, it.key, it.value);
    if (json) {
        jo_key(jo, key);
        jo_raw(jo, str_of(json));
    }
    jo_obj_end(jo);
}

struct err config_write(const struct config *c, const char *key, const char *sub,
                        const char *json) {
    CLEAN_BUF struct buf inner = {0}, text = {0}, pretty = {0};
    struct json_out in = {.out = &inner}, out = {.out = &text};
    CLEAN_FREE char *path = path_join(c->dir, "config.json");
    if (sub)
        changed(&in, json_get(c->root, key), sub, json);
    changed(&out, c->root, key, sub ? buf_cstr(&inner) : json);
    json_pretty(buf_str(&text), 0, 4, &pretty);
    buf_addc(&pretty, '\n');
    TRYF(dir_make(c->dir, 0700), "corten: make %s", c->dir);
    return err_wrap(file_replace(path, buf_str(&pretty), 0600, false), "corten: write %s", path);
}
