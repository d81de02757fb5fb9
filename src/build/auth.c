/* build/auth.c - credentials for one registry out of many. */
#include "build/auth.h"
#include "base/json.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* RFC 4648, 5; the alphabet of section 4 is read, too, and padding is optional. */
static struct err decode(struct str s, struct buf *out) {
    uint32_t bits = 0;
    unsigned n = 0;
    while (s.len && s.p[s.len - 1] == '=')
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i] == '+' ? '-' : s.p[i] == '/' ? '_' : s.p[i];
        const char *at = c ? strchr(alphabet, c) : NULL;
        if (!at)
            return err_new(ERR_INVALID, "X-Registry-Config is not base64");
        bits = bits << 6 | (uint32_t)(at - alphabet);
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_addc(out, (char)(bits >> n));
        }
    }
    return OK;
}

static void encode(struct str s, struct buf *out) {
    for (size_t i = 0; i < s.len; i += 3) {
        size_t n = MIN(s.len - i, (size_t)3);
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? (unsigned char)s.p[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            buf_addc(out, j <= n ? alphabet[bits >> (18 - 6 * j) & 63] : '=');
    }
}

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
    TRY(decode(str_of(config), &text));
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
        encode(buf_str(&one), &coded);
        *ret = arena_str(a, buf_str(&coded));
        return OK;
    }
    return OK;
}
