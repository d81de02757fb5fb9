/* build/cache_label.c - the label of a cache image, written and read. */
#include "build/cache.h"
#include "build/key.h"

void cache_layers_print(const struct cache_layers *l, struct buf *out) {
    for (size_t i = 0; i < l->n; i++) {
        size_t last = i;
        while (last + 1 < l->n && l->numbers[last + 1] == l->numbers[last] + 1)
            last++;
        buf_addf(out, "%s%u", i ? "," : "", l->numbers[i]);
        if (last > i)
            buf_addf(out, "-%u", l->numbers[last]);
        i = last;
    }
}

struct err cache_layers_parse(struct str text, size_t n, struct cache_layers *ret) {
    struct str one, from, to;
    *ret = (struct cache_layers){0};
    while (str_next(&text, ',', &one)) {
        uint64_t first, last;
        bool range = str_cut(one, '-', &from, &to);
        if (n == 0)
            return err_new(ERR_INVALID, "the image has no layers");
        TRY(str_to_u64(from, n - 1, &first));
        last = first;
        if (range)
            TRY(str_to_u64(to, n - 1, &last));
        if (last < first || last - first >= CACHE_LAYERS_MAX - ret->n)
            return err_new(ERR_INVALID, "layers '%.*s'", STR_ARG(one));
        for (uint64_t i = first; i <= last; i++)
            ret->numbers[ret->n++] = (uint32_t)i;
    }
    return ret->n ? OK : err_new(ERR_INVALID, "a step without layers");
}

struct err cache_next(struct str *rest, size_t n, struct str *ret_key, struct cache_layers *ret,
                      bool *ret_more) {
    struct str one = STR_NONE, layers;
    while (one.len == 0)
        if (!(*ret_more = str_next(rest, ' ', &one)))
            return OK;
    bool whole = str_cut(one, ':', ret_key, &layers);
    if (!whole || ret_key->len != KEY_TEXT - 1)
        return err_new(ERR_INVALID, "a step without a key");
    for (size_t i = 0; i < ret_key->len; i++)
        if (!strchr("0123456789abcdef", ret_key->p[i]))
            return err_new(ERR_INVALID, "a step's key is none");
    return cache_layers_parse(layers, n, ret);
}
