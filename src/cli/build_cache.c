/* build: --cache-from and --cache-to. */
#include "cli/build_job.h"
#include <stdlib.h>
#include <string.h>

struct attributes {
    struct str type, name, mode;
    bool has_type;
};

/* "IMAGE" alone, or "type=…,key=value…". path: the name of a directory's key. */
static struct err attributes_read(const char *option, const char *text, const char *path,
                                  struct attributes *ret) {
    struct str rest = str_of(text), one, k, v;
    *ret = (struct attributes){.type = STR("registry")};
    if (str_find(rest, '=') < 0) {
        ret->name = rest;
        return OK;
    }
    while (str_next(&rest, ',', &one)) {
        bool has_value = str_cut(one, '=', &k, &v);
        if (has_value && str_eqz(k, "type"))
            ret->type = v;
        else if (has_value && (str_eqz(k, "ref") || str_eqz(k, path)))
            ret->name = v;
        else if (has_value && str_eqz(k, "mode"))
            ret->mode = v;
        else
            return err_new(ERR_UNSUPPORTED, "corten: %s '%s': '%.*s' is not supported", option,
                           text, STR_ARG(one));
    }
    return OK;
}

static struct err cache_option(const char *option, const char *text, bool to, struct arena *a,
                               struct build_cache *ret) {
    struct attributes x;
    TRY(attributes_read(option, text, to ? "dest" : "src", &x));
    bool local = str_eqz(x.type, "local"), is_inline = to && str_eqz(x.type, "inline");
    if (!local && !is_inline && !str_eqz(x.type, "registry"))
        return err_new(ERR_UNSUPPORTED, "corten: %s '%s': type '%.*s' is not supported", option,
                       text, STR_ARG(x.type));
    if (x.mode.len && (!to || is_inline || (!str_eqz(x.mode, "min") && !str_eqz(x.mode, "max"))))
        return err_new(ERR_INVALID, "corten: %s '%s': mode '%.*s'", option, text, STR_ARG(x.mode));
    if (x.name.len == 0 && !is_inline)
        return err_new(ERR_INVALID, "corten: %s '%s': %s is missing", option, text,
                       !local ? "ref"
                       : to   ? "dest"
                              : "src");
    *ret = (struct build_cache){.type = arena_str(a, x.type),
                                .name = arena_str(a, x.name),
                                .all_stages = str_eqz(x.mode, "max")};
    return local ? build_path(a, ret->name, &ret->name) : OK;
}

struct err build_cache_options(const struct build_options *o, struct arena *a,
                               struct build_job *job) {
    for (size_t i = 0; i < o->cache_from.n; i++)
        TRY(cache_option("--cache-from", o->cache_from.items[i], false, a,
                         objs_add(&job->cache_from, a, sizeof(struct build_cache))));
    for (size_t i = 0; i < o->cache_to.n; i++)
        TRY(cache_option("--cache-to", o->cache_to.items[i], true, a,
                         objs_add(&job->cache_to, a, sizeof(struct build_cache))));
    return OK;
}
