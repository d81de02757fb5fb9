/* Mode idmap=uids=FROM-TO-COUNT[#…][;gids=…] of a volume or bind: what FROM owns there belongs to
 * TO in the container, and what TO makes there belongs to FROM. Without gids the groups are mapped
 * alike. */
#include "container/private.h"

#define RANGES_MAX 340 /* what the kernel takes (user_namespaces(7)) */
#define ID_MAX UINT32_MAX

static struct err wrong(struct str text) {
    return err_new(
        ERR_INVALID,
        "invalid mode: idmap=%.*s: it should be idmap=uids=FROM-TO-COUNT[#FROM-TO-COUNT…]"
        "[;gids=…]",
        STR_ARG(text));
}

static bool read_id(struct str *rest, char end, uint32_t *ret) {
    struct str part;
    uint64_t n = 0;
    if (!str_next(rest, end, &part))
        return false;
    struct err e = str_to_u64(part, ID_MAX, &n);
    bool right = !err_failed(e);
    err_free(e); /* the mode as a whole is what is wrong */
    *ret = (uint32_t)n;
    return right;
}

static bool read_range(struct str text, struct oci_id_mapping *ret) {
    return read_id(&text, '-', &ret->container_id) && read_id(&text, '-', &ret->host_id) &&
           read_id(&text, '-', &ret->size) && !text.len && ret->size &&
           ret->container_id + (uint64_t)ret->size <= ID_MAX &&
           ret->host_id + (uint64_t)ret->size <= ID_MAX;
}

static bool overlap(uint32_t a, uint32_t b, uint32_t a_size, uint32_t b_size) {
    return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

static bool read_ranges(struct str text, struct arena *a, struct objs *to) {
    struct str one;
    while (str_next(&text, '#', &one)) {
        struct oci_id_mapping r;
        if (to->n == RANGES_MAX || !read_range(one, &r))
            return false;
        const struct oci_id_mapping *had = to->items;
        for (size_t i = 0; i < to->n; i++)
            if (overlap(r.container_id, had[i].container_id, r.size, had[i].size) ||
                overlap(r.host_id, had[i].host_id, r.size, had[i].size))
                return false;
        *(struct oci_id_mapping *)objs_add(to, a, sizeof r) = r;
    }
    return to->n > 0;
}

struct err mount_idmap_parse(struct str text, struct arena *a, struct objs *ret_uids,
                             struct objs *ret_gids) {
    struct objs uids = {0}, gids = {0};
    struct str rest = text, part, key, value;
    while (str_next(&rest, ';', &part)) {
        bool cut = str_cut(part, '=', &key, &value);
        struct objs *to = cut && str_eqz(key, "uids")   ? &uids
                          : cut && str_eqz(key, "gids") ? &gids
                                                        : NULL;
        if (!to || to->n || !read_ranges(value, a, to))
            return wrong(text);
    }
    if (!uids.n)
        return wrong(text);
    *ret_uids = uids;
    *ret_gids = gids.n ? gids : uids;
    return OK;
}
