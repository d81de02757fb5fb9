#include "image/compose.h"
#include "base/time.h"
#include "image/image.h"

static bool is_set(const char *z) {
    return z && z[0];
}

static void put_optional(struct json_out *o, const char *key, const char *z) {
    if (is_set(z))
        jo_kstr(o, key, z);
}

static void put_raw_items(struct json_out *o, const struct json *array) {
    for (size_t i = 0; i < json_len(array); i++) {
        CLEAN_BUF struct buf text = {0};
        json_print(json_at(array, i), &text);
        jo_raw(o, buf_str(&text));
    }
}

static void put_history(struct json_out *o, const struct compose *c, const struct json *parent,
                        const char *created) {
    jo_key(o, "history");
    jo_arr(o);
    put_raw_items(o, json_get(parent, "history"));
    jo_obj(o);
    jo_kstr(o, "created", created);
    put_optional(o, "created_by", c->created_by);
    put_optional(o, "author", c->author);
    put_optional(o, "comment", c->comment);
    if (c->layers_n == 0)
        jo_kbool(o, "empty_layer", true);
    jo_obj_end(o);
    jo_arr_end(o);
}

void compose_rootfs(struct json_out *o, const struct json *below, size_t below_n,
                    const struct digest *above, size_t above_n) {
    char text[DIGEST_TEXT_MAX];
    jo_key(o, "rootfs");
    jo_obj(o);
    jo_kstr(o, "type", "layers");
    jo_key(o, "diff_ids");
    jo_arr(o);
    for (size_t i = 0; i < MIN(below_n, json_len(below)); i++)
        jo_str(o, json_str(json_at(below, i)));
    for (size_t i = 0; i < above_n; i++)
        jo_strz(o, digest_text(&above[i], text));
    jo_arr_end(o);
    jo_obj_end(o);
}

static void put_rootfs(struct json_out *o, const struct compose *c, const struct json *parent) {
    compose_rootfs(o, json_get(json_get(parent, "rootfs"), "diff_ids"), SIZE_MAX, c->layers,
                   c->layers_n);
}

static void put_text(struct json_out *o, const char *key, const char *wanted,
                     const struct json *parent, const char *otherwise) {
    struct str inherited = json_str(json_get(parent, key));
    if (is_set(wanted))
        jo_kstr(o, key, wanted);
    else if (inherited.len) {
        jo_key(o, key);
        jo_str(o, inherited);
    } else {
        put_optional(o, key, otherwise);
    }
}

/* Entries of the history that made a layer must be as many as there are layers. */
static struct err check_history(const struct json *document, const struct json *parent) {
    const struct json *history = json_get(document, "history");
    size_t layers = json_len(json_get(json_get(parent, "rootfs"), "diff_ids")), n = 0;
    for (size_t i = 0; i < json_len(history); i++)
        n += !json_bool(json_get(json_at(history, i), "empty_layer"), false);
    if (json_len(history) > 0 && n != layers)
        return err_new(ERR_INVALID, "image config: history has %zu layers, the image %zu", n,
                       layers);
    return OK;
}

/* The members as they are, but for rootfs; what the specification demands is added. */
static struct err compose_document(const struct compose *c, const struct json *parent,
                                   struct buf *ret) {
    CLEAN_JSON struct json *document = NULL;
    struct json_out o = {.out = ret};
    TRYF(json_parse(c->document, &document), "image config");
    if (json_type(document) != JSON_OBJECT)
        return err_new(ERR_INVALID, "image config: expected object, got %s",
                       json_type_name(json_type(document)));
    TRY(check_history(document, parent));
    jo_obj(&o);
    struct json_iter it = {0};
    while (json_each(document, &it)) {
        CLEAN_BUF struct buf value = {0};
        if (str_eqz(it.key, "rootfs"))
            continue;
        json_print(it.value, &value);
        jo_keys(&o, it.key);
        jo_raw(&o, buf_str(&value));
    }
    if (!json_get(document, "architecture"))
        jo_kstr(&o, "architecture", PLATFORM_ARCHITECTURE);
    if (!json_get(document, "os"))
        jo_kstr(&o, "os", "linux");
    if (!json_get(document, "config")) /* else it would be a step */
        jo_key(&o, "config"), jo_raw(&o, STR("{}"));
    put_rootfs(&o, c, parent);
    jo_obj_end(&o);
    return ret->len > IMAGE_CONFIG_MAX
               ? err_new(ERR_INVALID, "image config is larger than %u bytes", IMAGE_CONFIG_MAX)
               : OK;
}

struct err compose_config(const struct compose *c, struct buf *ret) {
    CLEAN_JSON struct json *parent = NULL;
    struct json_out o = {.out = ret};
    char created[TIME_TEXT_MAX];
    if (c->parent.len)
        TRYF(json_parse(c->parent, &parent), "config of the parent image");
    time_format(c->created, created);
    if (c->document.len && !c->step)
        return compose_document(c, parent, ret);
    jo_obj(&o);
    put_text(&o, "architecture", c->architecture, parent, PLATFORM_ARCHITECTURE);
    if (c->step) {
        put_text(&o, "os", NULL, parent, "linux");
        put_rootfs(&o, c, parent);
        jo_obj_end(&o);
        return OK;
    }
    put_text(&o, "variant", c->variant, is_set(c->architecture) ? NULL : parent, NULL);
    put_optional(&o, "author", c->author);
    put_optional(&o, "comment", c->comment);
    jo_key(&o, "config");
    jo_raw(&o, c->config.len ? c->config : STR("{}"));
    jo_kstr(&o, "created", created);
    put_history(&o, c, parent, created);
    put_text(&o, "os", NULL, parent, "linux");
    put_rootfs(&o, c, parent);
    jo_obj_end(&o);
    if (ret->len > IMAGE_CONFIG_MAX)
        return err_new(ERR_INVALID, "image config is larger than %u bytes", IMAGE_CONFIG_MAX);
    return OK;
}
