/* build/auth.c - credentials for one registry out of many. */
#include "build/auth.h"
#include "base/base64.h"
#include "base/json.h"

/* The registry of an image name: what stands before the first '/' when it looks like a host. */
static struct str registry_of(struct str image) {
    struct str host, rest;
    if (str_cut(image, '/', &host, &rest) &&
        (str_find(host, '.') >= 0 || str_find(host, ':') >= 0 || str_eqz(host, "localhost")))
        return host;
    return STR("docker.io");
}

/* Keys are hosts, or addresses as old clients write them ("https://index.docker.io/v1/"). */
static bool key_is(struct str key, struct str registry) {
    struct str host, path;
    ssize_t scheme = str_find_str(key, STR("://"));
    if (scheme >= 0)
        key = str_from(key, (size_t)scheme + 3);
    str_cut(key, '/', &host, &path);
    if (str_eqz(registry, "docker.io") && str_eqz(host, "index.docker.io"))
        return true;
    return str_eq_nocase(host, registry);
}

struct err auth_for_image(const char *config, const char *image, struct arena *a, char **ret) {
    CLEAN_BUF struct buf text = {.max = AUTH_CONFIG_MAX};
    CLEAN_JSON struct json *root = NULL;
    struct json_iter it = {0};
    struct str registry = registry_of(str_of(image));
    *ret = NULL;
    if (!config || !*config)
        return OK;
    if (*config == '{') /* `corten build` need not encode it */
        buf_adds(&text, config);
    else
        TRYF(base64_decode(str_of(config), &text), "X-Registry-Config");
    if (text.overflow)
        return err_new(ERR_INVALID, "X-Registry-Config is larger than %u bytes", AUTH_CONFIG_MAX);
    struct err e = json_parse(buf_str(&text), &root);
    if (err_failed(e) || (json_type(root) != JSON_OBJECT && json_type(root) != JSON_NULL)) {
        err_free(e); /* its words could quote a secret */
        return err_new(ERR_INVALID, "X-Registry-Config is not a JSON object");
    }
    while (json_each(root, &it)) {
        CLEAN_BUF struct buf one = {0};
        CLEAN_BUF struct buf coded = {0};
        if (!key_is(it.key, registry) || json_type(it.value) != JSON_OBJECT)
            continue;
        json_print(it.value, &one);
        base64url_encode(buf_str(&one), &coded);
        *ret = arena_str(a, buf_str(&coded));
        return OK;
    }
    return OK;
}
