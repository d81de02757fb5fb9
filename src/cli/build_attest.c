/* build: --attest, --provenance, --sbom and --annotation. */
#include "cli/build_job.h"
#include <stdlib.h>
#include <string.h>

struct wish {
    const char *option, *text; /* as given */
    struct str type, mode, builder, version;
    bool disabled;
};

static bool to_bool(struct str v, bool *ret) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"}, *const no[] = {
                                                                                  "0",     "f",
                                                                                  "F",     "false",
                                                                                  "FALSE", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (str_eqz(v, yes[i]) || str_eqz(v, no[i])) {
            *ret = str_eqz(v, yes[i]);
            return true;
        }
    return false;
}

static struct err refuse(const struct wish *w, struct str part) {
    return err_new(ERR_UNSUPPORTED, "corten: %s '%s': '%.*s' is not supported", w->option, w->text,
                   STR_ARG(part));
}

static struct err wish_part(struct wish *w, struct str one) {
    struct str k, v;
    if (str_eqz(one, "min") || str_eqz(one, "max")) {
        w->mode = one;
        return OK;
    }
    if (!str_cut(one, '=', &k, &v))
        return err_new(ERR_INVALID, "corten: %s '%s': KEY=VALUE is wanted", w->option, w->text);
    if (str_eqz(k, "type"))
        w->type = v;
    else if (str_eqz(k, "mode") && (str_eqz(v, "min") || str_eqz(v, "max")))
        w->mode = v;
    else if (str_eqz(k, "builder-id"))
        w->builder = v;
    else if (str_eqz(k, "version") && str_eqz(v, "v1"))
        w->version = v;
    else if (!str_eqz(k, "disabled") || !to_bool(v, &w->disabled))
        return refuse(w, one);
    return OK;
}

/* "true", "false", or what --attest says after its type. */
static struct err wish_read(struct wish *w) {
    struct str rest = str_of(w->text), one;
    bool on;
    if (w->type.len && to_bool(rest, &on)) {
        w->disabled = !on;
        return OK;
    }
    while (str_next(&rest, ',', &one))
        TRY(wish_part(w, one));
    return OK;
}

static struct err wish_take(const struct wish *w, struct arena *a, struct build_job *job,
                            bool *ret_labels) {
    if (str_eqz(w->type, "sbom")) {
        if (w->disabled)
            return OK;
        return err_new(ERR_UNSUPPORTED,
                       "corten: %s '%s': there is no SBOM generator (a Dockerfile can run one)",
                       w->option, w->text);
    }
    if (!str_eqz(w->type, "provenance"))
        return err_new(ERR_UNSUPPORTED,
                       "corten: %s '%s': want type=provenance; others are not supported", w->option,
                       w->text);
    *ret_labels = !w->disabled;
    job->attest = w->disabled ? NULL : arena_strz(a, str_eqz(w->mode, "max") ? "max" : "min");
    job->builder_id = w->builder.len ? arena_str(a, w->builder) : NULL;
    return OK;
}

static struct err annotation_option(struct arena *a, const char *text, struct build_job *job) {
    struct str key, value, rest = str_of(text), types = STR("manifest"), type;
    if (!str_cut(rest, '=', &key, &value) || key.len == 0)
        return err_new(ERR_INVALID, "corten: --annotation '%s': KEY=VALUE is wanted", text);
    ssize_t colon = str_find(key, ':');
    if (colon >= 0) {
        types = str_sub(key, 0, (size_t)colon);
        key = str_from(key, (size_t)colon + 1);
    }
    if (key.len == 0 || types.len == 0)
        return err_new(ERR_INVALID, "corten: --annotation '%s': KEY=VALUE is wanted", text);
    while (str_next(&types, ',', &type)) {
        bool index = str_eqz(type, "index");
        if (!index && !str_eqz(type, "manifest"))
            return err_new(ERR_UNSUPPORTED,
                           "corten: --annotation '%s': '%.*s' is not supported: only manifest and "
                           "index can be annotated",
                           text, STR_ARG(type));
        strmap_set(index ? &job->index_annotations : &job->annotations, a, arena_str(a, key),
                   arena_str(a, value));
    }
    return OK;
}

struct err build_attest_options(const struct build_options *o, struct arena *a,
                                struct build_job *job, bool *ret_labels) {
    bool labels = true;
    for (size_t i = 0; i < o->attest.n; i++) {
        struct wish w = {.option = "--attest", .text = o->attest.items[i]};
        TRY(wish_read(&w));
        TRY(wish_take(&w, a, job, &labels));
    }
    if (o->provenance) {
        struct wish w = {"--provenance", .text = o->provenance, .type = STR("provenance")};
        TRY(wish_read(&w));
        TRY(wish_take(&w, a, job, &labels));
    }
    if (o->sbom) {
        struct wish w = {"--sbom", .text = o->sbom, .type = STR("sbom")};
        TRY(wish_read(&w));
        TRY(wish_take(&w, a, job, &labels));
    }
    for (size_t i = 0; i < o->annotations.n; i++)
        TRY(annotation_option(a, o->annotations.items[i], job));
    if (job->index_annotations.n && !job->attest)
        return err_new(ERR_UNSUPPORTED, "corten: --annotation index:…: index annotations not "
                                        "supported for single platform export (with "
                                        "--provenance=true there is an index)");
    *ret_labels = labels;
    return OK;
}
