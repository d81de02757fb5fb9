#include "api/filter.h"
#include "base/time.h"
#include "spec/platform.h"
#include <fnmatch.h>
#include <string.h>

static bool match_one(struct str pattern, struct str text) {
    bool start = str_starts(pattern, STR("^")), end = str_ends(pattern, STR("$"));
    pattern = str_sub(pattern, start, pattern.len - end);
    if (start && end)
        return str_eq(text, pattern);
    if (start)
        return str_starts(text, pattern);
    return end ? str_ends(text, pattern) : str_find_str(text, pattern) >= 0;
}

bool api_filter_match(const struct strs *wanted, const char *text) {
    for (size_t i = 0; wanted && i < wanted->n; i++)
        if (match_one(str_of(wanted->items[i]), str_of(text)))
            return true;
    return !wanted;
}

static bool is_true(const char *z) {
    return strcmp(z, "true") == 0 || strcmp(z, "1") == 0;
}

static bool is_false(const char *z) {
    return strcmp(z, "false") == 0 || strcmp(z, "0") == 0;
}

struct err api_filter_check_bool(const struct api_filters *f, const char *name) {
    const struct strs *v = api_filter(f, name);
    if (!v || (v->n == 1 && (is_true(v->items[0]) || is_false(v->items[0]))))
        return OK;
    return err_new(ERR_INVALID, "invalid filter '%s=[%s%s]'", name, v->items[0],
                   v->n > 1 ? " ..." : "");
}

bool api_filter_bool(const struct strs *value) {
    return value && is_true(value->items[0]);
}

bool api_filter_any_label(const struct strs *wanted, const struct strmap *labels) {
    for (size_t i = 0; wanted && i < wanted->n; i++) {
        struct strs one = {.items = &wanted->items[i], .n = 1};
        if (api_filter_labels(&one, labels))
            return true;
    }
    return false;
}

/* Every bracket is closed, and a backslash has something to quote. */
struct err api_filter_check_patterns(const struct strs *wanted) {
    for (size_t i = 0; wanted && i < wanted->n; i++) {
        bool inside = false, begun = false;
        for (const char *p = wanted->items[i]; *p; p++) {
            if (*p == '\\' && *++p == '\0')
                return err_new(ERR_INVALID, "syntax error in pattern");
            if (inside) {
                inside = *p != ']' || !begun;
                begun |= *p != '^' || p[-1] != '[';
            } else if (*p == '[') {
                inside = true;
                begun = false;
            }
        }
        if (inside)
            return err_new(ERR_INVALID, "syntax error in pattern");
    }
    return OK;
}

bool api_filter_reference(const struct strs *wanted, const struct reference *ref) {
    char whole[REFERENCE_TEXT_MAX], name[REFERENCE_TEXT_MAX];
    reference_familiar(ref, whole);
    reference_familiar_name(ref, name);
    for (size_t i = 0; wanted && i < wanted->n; i++)
        if (fnmatch(wanted->items[i], whole, FNM_PATHNAME) == 0 ||
            fnmatch(wanted->items[i], name, FNM_PATHNAME) == 0)
            return true;
    return !wanted;
}

struct err api_filter_until(const struct api_filters *f, int64_t *ret) {
    return api_filter_time(f, "until", ret);
}

struct err api_filter_time(const struct api_filters *f, const char *name, int64_t *ret) {
    const struct strs *v = api_filter(f, name);
    int64_t ago;
    if (!v)
        return OK;
    if (v->n > 1)
        return err_new(ERR_INVALID, "invalid filter '%s': more than one value", name);
    CLEAN_ERR struct err not_a_duration = duration_parse(str_of(v->items[0]), &ago);
    if (err_failed(not_a_duration))
        return err_wrap(time_parse_api(str_of(v->items[0]), ret), "invalid filter '%s'", name);
    *ret = time_now() - ago;
    return OK;
}

struct err api_platform(struct api_call *c, struct platform **ret) {
    const char *text = api_query(c, "platform");
    struct platform p;
    if (!text || !*text) {
        *ret = NULL;
        return OK;
    }
    TRY(platform_parse(str_of(text), &p));
    *ret = arena_alloc(&c->arena, sizeof(p));
    **ret = p;
    return OK;
}

struct err api_platform_fits(struct api_call *c, struct image *i, const char *shown) {
    struct platform *p;
    TRY(api_platform(c, &p));
    return image_platform_check(i, p, shown);
}
