#include "api/filter.h"
#include "base/time.h"
#include "spec/oci_image.h"
#include <fnmatch.h>
#include <string.h>

#ifdef __x86_64__
#define ARCHITECTURE "amd64"
#elif defined __aarch64__
#define ARCHITECTURE "arm64"
#endif

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

struct err api_platform_check(struct api_call *c) {
    const char *text = api_query(c, "platform");
    struct oci_platform p = {0};
    if (!text || !*text)
        return OK;
    if (*text == '{') {
        TRYF(fields_decode(&oci_platform_fields, str_of(text), &c->arena, &p), "platform");
        text = arena_printf(&c->arena, "%s/%s", p.os ? p.os : "",
                            p.architecture ? p.architecture : "");
    }
    if (strcmp(text, "linux") == 0 || strcmp(text, "linux/" ARCHITECTURE) == 0)
        return OK;
    return err_new(ERR_UNSUPPORTED,
                   "platform '%s' is not supported: this host is linux/" ARCHITECTURE, text);
}

/* "os/architecture[/variant]", or JSON of the same. */
static struct err read_platform(struct api_call *c, const char *text, struct oci_platform *ret) {
    struct str os, rest, architecture, variant;
    *ret = (struct oci_platform){0};
    if (*text == '{')
        return err_wrap(fields_decode(&oci_platform_fields, str_of(text), &c->arena, ret),
                        "platform");
    str_cut(str_of(text), '/', &os, &rest);
    str_cut(rest, '/', &architecture, &variant);
    ret->os = arena_str(&c->arena, os);
    ret->architecture = arena_str(&c->arena, architecture);
    ret->variant = arena_str(&c->arena, variant);
    return OK;
}

/* Nothing said is nothing wanted. */
static bool is_wanted(const char *wanted, const char *has) {
    return !wanted || !*wanted || strcmp(wanted, has ? has : "") == 0;
}

struct err api_platform_fits(struct api_call *c, struct image *i, const char *shown) {
    const char *text = api_query(c, "platform");
    const struct oci_image_config *has = image_config(i);
    struct oci_platform p;
    if (!text || !*text)
        return OK;
    TRY(read_platform(c, text, &p));
    if (is_wanted(p.os, has->os) && is_wanted(p.architecture, has->architecture) &&
        is_wanted(p.variant, has->variant))
        return OK;
    return err_new(ERR_NOT_FOUND,
                   "image with reference %s was found but does not match the specified platform: "
                   "wanted %s/%s%s%s, actual: %s/%s%s%s",
                   shown, p.os ? p.os : "", p.architecture ? p.architecture : "",
                   p.variant && *p.variant ? "/" : "", p.variant ? p.variant : "",
                   has->os ? has->os : "", has->architecture ? has->architecture : "",
                   has->variant && *has->variant ? "/" : "", has->variant ? has->variant : "");
}
