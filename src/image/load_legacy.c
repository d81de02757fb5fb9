/* load_legacy.c - archives of the first generation: no manifest.json, but `repositories` (names and
 * tags → layer) and a directory for each layer with `json` and `layer.tar`, the layers linked by
 * "parent". The config is put together of the top layer's json as the peer does it.
 * Source: docker image specification v1 ("Combined Image JSON + Filesystem Changeset Format"). */
#include "archive/inflate.h"
#include "image/compose.h"
#include "image/load_job.h"
#include <stdlib.h>
#include <string.h>

struct legacy_layer {
    struct json *json;
    struct member *tar;
    struct digest diff_id;
};
struct legacy {
    struct legacy_layer items[IMAGE_LAYERS_MAX]; /* top first */
    size_t n;
};

static void legacy_free(struct legacy **l) {
    for (size_t i = 0; *l && i < (*l)->n; i++)
        json_free((*l)->items[i].json);
    free(*l);
}

static bool is_layer_id(struct str id) {
    for (size_t i = 0; i < id.len; i++)
        if (!strchr("0123456789abcdef", id.p[i]))
            return false;
    return id.len == 64;
}

/* What it is unpacked: known when that was done on the way, else its own digest, or read again. */
static struct err diff_id_of(const struct spool *s, struct member *m, struct digest *ret) {
    CLEAN_FD int fd = -1;
    CLEAN_STREAM struct stream *plain = NULL;
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    enum compression kind;
    if (m->unpacked) {
        *ret = m->layer.diff_id;
        return OK;
    }
    TRY(spool_open(s, m, &fd));
    TRY(inflate_open(stream_fd(fd), 0, &plain, &kind));
    CLEAN_STREAM struct stream *hashed = stream_tee(stream_borrow(plain), h, NULL);
    TRY(stream_drain(hashed));
    sha256_end(h, ret->bytes);
    return OK;
}

static struct err read_layer(const struct spool *s, struct str id, struct legacy_layer *ret) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_FREE char *json = mem_printf("%.*s/json", STR_ARG(id));
    CLEAN_FREE char *tar = mem_printf("%.*s/layer.tar", STR_ARG(id));
    struct member *m = spool_find(s, json);
    ret->tar = spool_find(s, tar);
    if (!m || !ret->tar)
        return err_new(ERR_INVALID, "the archive has no %s", m ? tar : json);
    TRY(spool_text(s, m, IMAGE_CONFIG_MAX, &text));
    TRYF(oci_check_unique(buf_str(&text)), "%s", json);
    TRYF(json_parse(buf_str(&text), &ret->json), "%s", json);
    if (json_type(ret->json) != JSON_OBJECT)
        return err_new(ERR_INVALID, "%s is no object", json);
    TRYF(member_check(ret->tar), "%s", tar);
    return diff_id_of(s, ret->tar, &ret->diff_id);
}

static struct err read_chain(const struct spool *s, struct str id, struct legacy *ret) {
    while (id.len) {
        if (!is_layer_id(id))
            return err_new(ERR_INVALID, "'%.*s' is not the id of a layer", (int)MIN(id.len, 80u),
                           id.p);
        if (ret->n == IMAGE_LAYERS_MAX)
            return err_new(ERR_INVALID, "image has more than %d layers", IMAGE_LAYERS_MAX);
        struct legacy_layer *l = &ret->items[ret->n++];
        TRY(read_layer(s, id, l));
        id = json_str(json_get(l->json, "parent"));
    }
    return OK;
}

/* --- the config --------------------------------------------------------------------------------
 */

static void put_value(struct json_out *o, const struct json *v) {
    CLEAN_BUF struct buf text = {0};
    json_print(v, &text);
    jo_raw(o, buf_str(&text));
}

static void put_text(struct json_out *o, const char *key, struct str value) {
    if (!value.len)
        return;
    jo_key(o, key);
    jo_str(o, value);
}

static void put_history(struct json_out *o, const struct json *layer) {
    const struct json *command = json_get(json_get(layer, "container_config"), "Cmd");
    CLEAN_BUF struct buf words = {0};
    for (size_t i = 0; i < json_len(command); i++) {
        if (i)
            buf_addc(&words, ' ');
        buf_add_str(&words, json_str(json_at(command, i)));
    }
    jo_obj(o);
    put_text(o, "created", json_str(json_get(layer, "created")));
    put_text(o, "author", json_str(json_get(layer, "author")));
    put_text(o, "created_by", buf_str(&words));
    put_text(o, "comment", json_str(json_get(layer, "comment")));
    jo_obj_end(o);
}

static bool is_dropped(struct str key) {
    static const char *const names[] = {"id",       "parent",    "Size",   "parent_id",
                                        "layer_id", "throwaway", "rootfs", "history"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eqz(key, names[i]))
            return true;
    return false;
}

static void compose(const struct legacy *l, struct buf *ret) {
    struct json_out o = {.out = ret};
    struct json_iter it = {0};
    const struct json *top = l->items[0].json;
    jo_obj(&o);
    while (json_each(top, &it))
        if (!is_dropped(it.key)) {
            jo_keys(&o, it.key);
            put_value(&o, it.value);
        }
    if (!json_get(top, "architecture"))
        jo_kstr(&o, "architecture", PLATFORM_ARCHITECTURE);
    if (!json_get(top, "os"))
        jo_kstr(&o, "os", "linux");
    if (!json_get(top, "config"))
        jo_key(&o, "config"), jo_raw(&o, STR("{}"));
    jo_key(&o, "history");
    jo_arr(&o);
    for (size_t i = l->n; i-- > 0;)
        put_history(&o, l->items[i].json);
    jo_arr_end(&o);
    struct digest ids[IMAGE_LAYERS_MAX];
    for (size_t i = 0; i < l->n; i++)
        ids[i] = l->items[l->n - 1 - i].diff_id;
    compose_rootfs(&o, NULL, 0, ids, l->n);
    jo_obj_end(&o);
}

/* --- images ------------------------------------------------------------------------------------
 */

static struct err load_chain(const struct spool *s, struct str id, struct loaded *ret) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_image_config config;
    struct legacy *l OWN(legacy_free) = NEW(struct legacy);
    char text[DIGEST_TEXT_MAX];
    TRY(read_chain(s, id, l));
    compose(l, &ret->config);
    digest_of(buf_str(&ret->config), &ret->id);
    TRYF(oci_image_config_parse(buf_str(&ret->config), &a, &config), "image config");
    if (config.os && config.os[0] && strcmp(config.os, "linux") != 0)
        return err_new(ERR_UNSUPPORTED, "cannot load %s image on linux", config.os);
    for (size_t i = l->n; i-- > 0;)
        TRY(loaded_layer_add(ret, digest_text(&l->items[i].diff_id, text), l->items[i].tar));
    return OK;
}

static struct err load_tag(const struct spool *s, struct str name, struct str tag, struct str id,
                           struct loads *ret) {
    struct reference r;
    TRYF(reference_parse_with_tag(name, tag, &r), "repositories: '%.*s'", STR_ARG(name));
    struct loaded one = {0};
    struct err e = load_chain(s, id, &one);
    struct loaded *l = NULL;
    for (size_t i = 0; i < ret->n && !err_failed(e); i++)
        if (digest_eq(&ret->items[i].id, &one.id))
            l = &ret->items[i];
    if (l || err_failed(e)) { /* another name of the same */
        buf_done(&one.config);
        vec_done(&one.layers);
        TRY(e);
    } else {
        vec_push(ret, one);
        l = &ret->items[ret->n - 1];
    }
    vec_push(&l->tags, r);
    return OK;
}

struct err load_legacy(const struct spool *s, struct member *repositories, struct loads *ret) {
    CLEAN_JSON struct json *names = NULL;
    CLEAN_BUF struct buf text = {0};
    struct json_iter name = {0};
    TRY(spool_text(s, repositories, OCI_MANIFEST_MAX, &text));
    TRYF(oci_check_unique(buf_str(&text)), "repositories");
    TRYF(json_parse(buf_str(&text), &names), "repositories");
    while (json_each(names, &name)) {
        struct json_iter tag = {0};
        while (json_each(name.value, &tag))
            TRY(load_tag(s, name.key, tag.key, json_str(tag.value), ret));
    }
    return OK;
}
