#include "spec/platform.h"
#include "base/arena.h"
#include "spec/oci_image.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define OTHER_FAMILY 32 /* distance of a machine's older relative */
#define NOT_SAID 16     /* of a config without the variant that was asked for */

/* Other names of machines, with the variant that they mean. */
static const struct {
    const char *name, *architecture, *variant;
} machines[] = {{"x86_64", "amd64", ""}, {"x86-64", "amd64", ""}, {"aarch64", "arm64", ""},
                {"armhf", "arm", "v7"},  {"armel", "arm", "v6"},  {"i386", "386", ""}};

static const char *const architectures[] = {
    "386",    "amd64",    "arm",   "arm64",   "loong64", "mips",  "mipsle",
    "mips64", "mips64le", "ppc64", "ppc64le", "riscv64", "s390x", "wasm",
};

static void copy(char *out, size_t n, struct str text) {
    snprintf(out, n, "%.*s", STR_ARG(text));
    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
}

/* One spelling for each machine; the variant that goes without saying is left out. */
static void normalise(struct platform *p) {
    for (size_t i = 0; i < ARRAY_LEN(machines); i++)
        if (strcmp(p->architecture, machines[i].name) == 0) {
            copy(p->architecture, sizeof(p->architecture), str_of(machines[i].architecture));
            if (!p->variant[0])
                copy(p->variant, sizeof(p->variant), str_of(machines[i].variant));
        }
    bool is_arm = strcmp(p->architecture, "arm") == 0;
    if (is_arm && !p->variant[0])
        copy(p->variant, sizeof(p->variant), STR("v7"));
    if (is_arm && p->variant[0] >= '5' && p->variant[0] <= '8' && !p->variant[1]) {
        p->variant[1] = p->variant[0];
        p->variant[0] = 'v';
        p->variant[2] = '\0';
    }
    if ((strcmp(p->architecture, "arm64") == 0 &&
         (strcmp(p->variant, "v8") == 0 || strcmp(p->variant, "8") == 0)) ||
        (strcmp(p->architecture, "amd64") == 0 && strcmp(p->variant, "v1") == 0))
        p->variant[0] = '\0';
}

static bool is_architecture(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(architectures); i++)
        if (strcmp(name, architectures[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(machines); i++)
        if (strcmp(name, machines[i].name) == 0)
            return true;
    return false;
}

static bool is_word(struct str s, size_t max) {
    if (s.len == 0 || s.len >= max)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' ||
              c == '-' || c == '.'))
            return false;
    }
    return true;
}

static struct err invalid(struct str text) {
    return err_new(ERR_INVALID, "\"%.*s\" is an invalid platform", STR_ARG(text));
}

static struct err parse_json(struct str text, struct platform *ret) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_platform p = {0};
    TRYF(fields_decode(&oci_platform_fields, text, &a, &p), "platform");
    struct str os = str_of(p.os ? p.os : ""),
               machine = str_of(p.architecture ? p.architecture : "");
    struct str variant = str_of(p.variant ? p.variant : "");
    if (os.len == 0 || machine.len == 0)
        return err_new(ERR_INVALID, "platform: both OS and Architecture must be provided");
    if (!is_word(os, sizeof(ret->os)) || !is_word(machine, sizeof(ret->architecture)) ||
        (variant.len && !is_word(variant, sizeof(ret->variant))))
        return invalid(text);
    copy(ret->os, sizeof(ret->os), os);
    copy(ret->architecture, sizeof(ret->architecture), machine);
    copy(ret->variant, sizeof(ret->variant), variant);
    normalise(ret);
    return OK;
}

struct err platform_parse(struct str text, struct platform *ret) {
    struct str os, rest, architecture, variant;
    struct platform p = {0};
    if (text.len == 0) {
        platform_host(ret);
        return OK;
    }
    if (text.p[0] == '{')
        return parse_json(text, ret);
    bool more = str_cut(text, '/', &os, &rest);
    bool has_variant = str_cut(rest, '/', &architecture, &variant);
    if (!is_word(os, sizeof(p.os)) || (more && !is_word(architecture, sizeof(p.architecture))) ||
        (has_variant && !is_word(variant, sizeof(p.variant))))
        return invalid(text);
    copy(p.os, sizeof(p.os), os);
    if (more) {
        copy(p.architecture, sizeof(p.architecture), architecture);
        copy(p.variant, sizeof(p.variant), variant);
    } else if (is_architecture(p.os)) {
        memcpy(p.architecture, p.os, sizeof(p.os));
        copy(p.os, sizeof(p.os), STR("linux"));
    } else {
        copy(p.architecture, sizeof(p.architecture), STR(PLATFORM_ARCHITECTURE));
    }
    normalise(&p);
    *ret = p;
    return OK;
}

void platform_host(struct platform *ret) {
    *ret = (struct platform){.os = "linux", .architecture = PLATFORM_ARCHITECTURE};
#ifdef __x86_64__
    /* x86-64 psABI "Micro-Architecture Levels", by the features that came last with each. */
    __builtin_cpu_init();
    bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl");
    if (v2)
        snprintf(ret->variant, sizeof(ret->variant), "v%d", 2 + v3 + v4);
#endif
}

struct err platform_check_os(const struct platform *p) {
    if (strcmp(p->os, "linux") == 0)
        return OK;
    return err_new(ERR_UNSUPPORTED, "image operating system \"%s\" cannot be used on this platform",
                   p->os);
}

const char *platform_format(const char *os, const char *architecture, const char *variant,
                            char out[PLATFORM_TEXT_MAX]) {
    bool more = variant && *variant;
    snprintf(out, PLATFORM_TEXT_MAX, "%.32s/%.32s%s%.32s", os && *os ? os : "linux",
             architecture && *architecture ? architecture : "unknown", more ? "/" : "",
             more ? variant : "");
    return out;
}

const char *platform_text(const struct platform *p, char out[PLATFORM_TEXT_MAX]) {
    return platform_format(p->os, p->architecture, p->variant, out);
}

/* The number in "v7"; of a machine whose variants have an order. 0: none such. */
static int level(const struct platform *p) {
    if (!p->variant[0])
        return strcmp(p->architecture, "arm64") == 0 ? 8 : 1;
    bool number = p->variant[0] == 'v' && p->variant[1] >= '1' && p->variant[1] <= '9';
    return number && !p->variant[2] ? p->variant[1] - '0' : 0;
}

static bool is(const struct platform *p, const char *architecture) {
    return strcmp(p->architecture, architecture) == 0;
}

int platform_distance(const struct platform *wanted, const char *os, const char *architecture,
                      const char *variant) {
    struct platform w = *wanted, has = {0};
    copy(has.os, sizeof(has.os), str_of(os && *os ? os : "linux"));
    copy(has.architecture, sizeof(has.architecture), str_of(architecture ? architecture : ""));
    copy(has.variant, sizeof(has.variant), str_of(variant ? variant : ""));
    normalise(&w);
    normalise(&has);
    if (strcmp(w.os, has.os) != 0)
        return -1;
    if (!has.architecture[0])
        return NOT_SAID;
    bool ordered = is(&w, "amd64") || is(&w, "arm") || is(&w, "arm64");
    if (is(&w, has.architecture)) {
        if (strcmp(w.variant, has.variant) == 0)
            return 0;
        if (ordered && level(&w) && level(&has) && level(&has) <= level(&w))
            return level(&w) - level(&has);
        return variant && *variant ? -1 : NOT_SAID;
    }
    if (is(&w, "amd64") && is(&has, "386"))
        return OTHER_FAMILY;
    if (is(&w, "arm64") && is(&has, "arm") && level(&has))
        return OTHER_FAMILY + 9 - level(&has);
    return -1;
}

const struct oci_descriptor *oci_index_choose(const struct oci_index *index,
                                              const struct platform *p) {
    const struct oci_descriptor *d = index->manifests.items, *best = NULL;
    int nearest = INT_MAX;
    for (size_t i = 0; i < index->manifests.n; i++) {
        const struct oci_platform *has = d[i].platform;
        if (!oci_is_manifest(d[i].media_type) || !has || !has->os || !has->architecture)
            continue;
        int distance = platform_distance(p, has->os, has->architecture, has->variant);
        if (distance < 0 || distance >= nearest)
            continue;
        nearest = distance;
        best = &d[i];
    }
    return best;
}
