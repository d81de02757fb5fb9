/* lifecycle: provenance and ancestry from labels, and the document that tells all of it. */
#include "base/time.h"
#include "spec/lifecycle.h"
#include "spec/method_result.h"
#include "spec/oci_annotations.h"
#include <stdio.h>

#define F(m, json, kind, ...) FIELD(struct lifecycle_ancestor, m, json, kind, ##__VA_ARGS__)
FIELDS(lifecycle_ancestor_fields, struct lifecycle_ancestor, F(name, "name", F_STR),
       F(id, "id", F_STR, .flags = OMIT_EMPTY), F(digest, "digest", F_STR, .flags = OMIT_EMPTY),
       F(created, "created", F_STR, .flags = OMIT_EMPTY), F(by, "by", F_STR, .flags = OMIT_EMPTY),
       F(labels, "labels", F_STRMAP, .flags = OMIT_EMPTY), );
#undef F

#define F(m, json, kind, ...) FIELD(struct lifecycle_method_view, m, json, kind, ##__VA_ARGS__)
FIELDS(lifecycle_method_view_fields, struct lifecycle_method_view, F(command, "command", F_STR),
       F(user, "user", F_STR), F(timeout, "timeout", F_STR), F(interval, "interval", F_STR),
       F(on_failure, "on_failure", F_STR), F(result, "result", F_STR), );
#undef F

#define F(m, json, kind, ...) FIELD(struct lifecycle_container, m, json, kind, ##__VA_ARGS__)
FIELDS(lifecycle_container_fields, struct lifecycle_container, F(id, "id", F_STR),
       F(name, "name", F_STR), F(state, "state", F_STR), F(ready, "ready", F_BOOL),
       F(created, "deployed_time", F_TIME), F(deployed_by, "deployed_by", F_STR),
       F(cause, "deployed_cause", F_STR), F(first_started, "first_started", F_TIME),
       F(started, "started", F_TIME), F(image, "image", F_STR), F(image_id, "image_id", F_STR),
       F(image_digest, "image_digest", F_STR), F(node, "node", F_STR),
       F(restarts, "restarts", F_I64),
       F(results, "results", F_ARRAY, .sub = &method_result_fields), );
#undef F

#define F(m, json, kind, ...) FIELD(struct lifecycle_metadata, m, json, kind, ##__VA_ARGS__)
#define METHOD(i, word) \
    F(has[i], word, F_BOOL), F(method[i], word "_method", F_STR, .flags = OMIT_EMPTY)
FIELDS(lifecycle_metadata_fields, struct lifecycle_metadata, F(project, "project", F_STR),
       F(image_name, "image_name", F_STR), F(image_tag_names, "image_tag_names", F_STRS),
       F(image_id, "image_id", F_STR), F(image_digest, "image_digest", F_STR),
       F(build_time, "build_time", F_STR), F(build_time_stamp, "build_time_stamp", F_STR),
       F(build_host, "build_host", F_STR), F(build_version, "build_version", F_STR),
       F(build_cause, "build_cause", F_STR), F(build_tag, "build_tag", F_STR), F(ci, "ci", F_BOOL),
       F(dockerfile, "dockerfile", F_STR), F(git_remote, "git_remote", F_STR),
       F(gitref, "gitref", F_STR), F(git_branch, "git_branch", F_STR),
       F(git_dirty, "git_dirty", F_BOOL), F(base_name, "base_name", F_STR),
       F(base_id, "base_id", F_STR), F(base_digest, "base_digest", F_STR), METHOD(0, "start"),
       METHOD(1, "validate"), METHOD(2, "update"), METHOD(3, "monitor"), METHOD(4, "metrics"),
       METHOD(5, "backup"), METHOD(6, "quiesce"),
       F(methods, "methods", F_OBJMAP, .sub = &lifecycle_method_view_fields),
       F(metadata, "metadata", F_RAW, .flags = OMIT_EMPTY),
       F(annotations, "annotations", F_STRMAP, .flags = OMIT_EMPTY),
       F(by, "by", F_STR, .flags = OMIT_EMPTY),
       F(ancestors, "ancestors", F_ARRAY, .flags = OMIT_EMPTY, .sub = &lifecycle_metadata_fields),
       F(problems, "problems", F_STRS, .flags = OMIT_EMPTY),
       F(container, "container", F_OBJPTR, .flags = OMIT_EMPTY,
         .sub = &lifecycle_container_fields), );
#undef F

/* --- ancestry --------------------------------------------------------------------------------- */

/* Levels of brackets outside of strings, and entries of the array; a bad text is the parser's to
 * find. Before it is parsed: what is too much costs nothing. */
static void look_at(struct str s, size_t *ret_depth, size_t *ret_entries) {
    size_t depth = 0, most = 0, entries = 0;
    bool in = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (in && c == '\\')
            i++;
        else if (c == '"')
            in = !in;
        else if (!in && (c == '[' || c == '{'))
            depth++;
        else if (!in && (c == ']' || c == '}') && depth > 0)
            entries += --depth == 1;
        most = MAX(most, depth);
    }
    *ret_depth = most;
    *ret_entries = entries;
}

static void read_json(const char *text, struct arena *a, struct objs *ret, struct strs *problems) {
    struct str s = str_of(text);
    if (s.len > LIFECYCLE_ANCESTRY_MAX) {
        lifecycle_problem(problems, a, LIFECYCLE_ANCESTRY " is longer than 256 KiB");
        return;
    }
    size_t depth, entries;
    look_at(s, &depth, &entries);
    if (depth > LIFECYCLE_ANCESTRY_DEPTH || entries > LIFECYCLE_ANCESTORS_MAX) {
        lifecycle_problem(problems, a, LIFECYCLE_ANCESTRY " %s",
                          depth > LIFECYCLE_ANCESTRY_DEPTH ? "is deeper than 8 levels"
                                                           : "has more than 64 entries");
        return;
    }
    struct objs found = {0};
    CLEAN_ERR struct err e = fields_decode_objs(&lifecycle_ancestor_fields, s, a, &found);
    if (err_failed(e)) {
        lifecycle_problem(problems, a, LIFECYCLE_ANCESTRY ": %s", err_msg(e));
        return;
    }
    *ret = found;
}

static void read_names(const char *text, struct arena *a, struct objs *ret, struct strs *problems) {
    struct str rest = str_of(text), word;
    if (rest.len > LIFECYCLE_ANCESTRY_MAX) {
        lifecycle_problem(problems, a, "corten.build.ancestors is longer than 256 KiB");
        return;
    }
    while (ret->n < LIFECYCLE_ANCESTORS_MAX && str_next(&rest, ' ', &word)) {
        ssize_t at = str_rfind(word, '@');
        if (word.len == 0)
            continue;
        struct lifecycle_ancestor *x = objs_add(ret, a, sizeof *x);
        x->name = arena_str(a, at < 0 ? word : str_sub(word, 0, (size_t)at));
        x->id = arena_str(a, at < 0 ? STR("") : str_from(word, (size_t)at + 1));
    }
}

void lifecycle_ancestors(const struct strmap *labels, struct arena *a, struct objs *ret,
                         struct strs *problems) {
    const char *json = strmap_get(labels, LIFECYCLE_ANCESTRY);
    const char *names = strmap_get(labels, LIFECYCLE_BUILD "ancestors");
    *ret = (struct objs){.present = true};
    if (json && *json)
        read_json(json, a, ret, problems);
    if (ret->n == 0 && names)
        read_names(names, a, ret, problems);
}

/* --- provenance ------------------------------------------------------------------------------- */

struct reading {
    const struct strmap *labels;
    const struct strmap *annotations; /* what a label does not say */
    struct arena *a;
    struct strs *problems;
};

static char *text_of(const struct reading *r, const char *key) {
    const char *value = strmap_get(r->labels, key);
    if (value && strlen(value) > LIFECYCLE_VALUE_MAX) {
        lifecycle_problem(r->problems, r->a, "%s is longer than 4 KiB", key);
        value = NULL;
    } else if (!value && str_starts(str_of(key), STR(LIFECYCLE_OCI))) {
        value = strmap_get(r->annotations, key);
    }
    return arena_strz(r->a, value ? value : "");
}

static char *either(const struct reading *r, const char *key, const char *otherwise) {
    char *value = text_of(r, key);
    return *value ? value : arena_strz(r->a, otherwise ? otherwise : "");
}

static bool truth(const struct reading *r, const char *key) {
    return !strcmp(text_of(r, key), "true");
}

static char *stamp_of(const struct reading *r, const char *time) {
    int64_t t;
    char *given = text_of(r, LIFECYCLE_BUILD "stamp");
    if (*given || !*time)
        return given;
    CLEAN_ERR struct err e = time_parse(str_of(time), &t);
    if (err_failed(e) || t == 0)
        return given;
    char utc[TIME_TEXT_MAX], out[15];
    size_t n = 0;
    time_format(t, utc);
    for (const char *p = utc; *p && n < 14; p++)
        if (*p >= '0' && *p <= '9')
            out[n++] = *p;
    return arena_str(r->a, str_n(out, n));
}

static void read_tags(const struct reading *r, const struct lifecycle_facts *f, struct strs *ret) {
    struct str rest = str_of(text_of(r, LIFECYCLE_BUILD "tags")), word;
    ret->present = true;
    while (str_next(&rest, ' ', &word))
        if (word.len)
            strs_add(ret, r->a, arena_str(r->a, word));
    for (size_t i = 0; ret->n == 0 && f->tags && i < f->tags->n; i++)
        strs_add(ret, r->a, f->tags->items[i]);
}

static void read_provenance(const struct reading *r, const struct lifecycle_facts *f,
                            struct lifecycle_metadata *m) {
    m->project = text_of(r, LIFECYCLE_BUILD "project");
    if (!*m->project)
        m->project = text_of(r, LIFECYCLE_OCI "title");
    m->image_name = either(r, LIFECYCLE_BUILD "name", f->name);
    read_tags(r, f, &m->image_tag_names);
    m->image_id = arena_strz(r->a, f->id ? f->id : "");
    m->image_digest = arena_strz(r->a, f->digest ? f->digest : "");
    m->build_time = text_of(r, LIFECYCLE_BUILD "time");
    if (!*m->build_time)
        m->build_time = either(r, LIFECYCLE_OCI "created", f->created);
    m->build_time_stamp = stamp_of(r, m->build_time);
    m->build_host = text_of(r, LIFECYCLE_BUILD "host");
    m->build_version = text_of(r, LIFECYCLE_BUILD "version");
    m->build_cause = text_of(r, LIFECYCLE_BUILD "cause");
    m->build_tag = text_of(r, LIFECYCLE_BUILD "tag");
    m->ci = truth(r, LIFECYCLE_BUILD "ci");
    m->dockerfile = text_of(r, LIFECYCLE_BUILD "dockerfile");
    m->git_remote = text_of(r, LIFECYCLE_OCI "source");
    m->gitref = text_of(r, LIFECYCLE_OCI "revision");
    m->git_branch = text_of(r, LIFECYCLE_BUILD "branch");
    m->git_dirty = truth(r, LIFECYCLE_BUILD "dirty");
    m->base_name = text_of(r, LIFECYCLE_OCI "base.name");
    m->base_id = text_of(r, LIFECYCLE_BUILD "base.id");
    m->base_digest = text_of(r, LIFECYCLE_OCI "base.digest");
}

static void read_metadata(const struct reading *r, struct lifecycle_metadata *m) {
    const char *text = strmap_get(r->labels, LIFECYCLE_METADATA);
    if (!text || !*text)
        return;
    if (strlen(text) > LIFECYCLE_METADATA_MAX) {
        lifecycle_problem(r->problems, r->a, LIFECYCLE_METADATA " is longer than 64 KiB");
        return;
    }
    CLEAN_BUF struct buf out = {0};
    CLEAN_JSON struct json *j = NULL;
    CLEAN_ERR struct err e = json_parse(str_of(text), &j);
    if (err_failed(e))
        json_quote(&out, str_of(text)); /* a text, then */
    else
        json_print(j, &out);
    m->metadata = str_n(arena_str(r->a, buf_str(&out)), out.len);
}

static void read_annotations(const struct reading *r, struct lifecycle_metadata *m) {
    struct oci_annotations all = {0};
    struct strmap labels = {0};
    for (size_t i = 0; i < r->labels->n; i++)
        if (r->labels->items[i].value &&
            str_starts(str_of(r->labels->items[i].key), STR(LIFECYCLE_OCI)))
            strmap_set(&labels, r->a, r->labels->items[i].key, r->labels->items[i].value);
    oci_annotations_add(&all, r->a, &labels);
    oci_annotations_add(&all, r->a, r->annotations);
    m->annotations = all.all;
}

static void view_methods(const struct lifecycle *l, struct arena *a, struct lifecycle_metadata *m) {
    const struct lifecycle_method *items = l->methods.items;
    m->methods.present = true;
    for (size_t i = 0; i < l->methods.n; i++) {
        const struct lifecycle_method *x = &items[i];
        struct lifecycle_method_view *v = objmap_add(&m->methods, a, x->name, sizeof *v);
        *v = (struct lifecycle_method_view){
            .command = x->text,
            .user = x->user,
            .timeout = lifecycle_duration(x->timeout, a),
            .interval = lifecycle_duration(x->interval, a),
            .on_failure = arena_strz(a, lifecycle_failure_name(x->on_failure)),
            .result = arena_strz(a, lifecycle_reading_name(x->reading)),
        };
    }
    for (size_t i = 0; lifecycle_known[i]; i++) {
        const struct lifecycle_method *x = lifecycle_method(l, lifecycle_known[i]);
        m->has[i] = x != NULL;
        m->method[i] = x ? x->text : NULL;
    }
}

static void describe_one(const struct strmap *labels, const struct lifecycle_facts *f,
                         struct arena *a, struct strs *problems, struct lifecycle_metadata *ret) {
    static const struct strmap none;
    const struct reading r = {labels, f->annotations ? f->annotations : &none, a, problems};
    struct lifecycle l;
    read_provenance(&r, f, ret);
    read_metadata(&r, ret);
    read_annotations(&r, ret);
    lifecycle_methods(labels, a, &l);
    view_methods(&l, a, ret);
    for (size_t i = 0; i < l.problems.n && problems->n < LIFECYCLE_PROBLEMS_MAX; i++)
        strs_add(problems, a, l.problems.items[i]);
}

void lifecycle_describe(const struct strmap *labels, const struct lifecycle_facts *f,
                        struct arena *a, struct lifecycle_metadata *ret) {
    struct objs found;
    *ret = (struct lifecycle_metadata){.problems.present = true, .ancestors.present = true};
    lifecycle_ancestors(labels, a, &found, &ret->problems);
    describe_one(labels, f, a, &ret->problems, ret);
    const struct lifecycle_ancestor *items = found.items;
    for (size_t i = 0; i < found.n; i++) {
        struct strs own = {0}; /* an old image's problems are not this one's */
        const struct lifecycle_facts one = {.name = items[i].name,
                                            .id = items[i].id,
                                            .digest = items[i].digest,
                                            .created = items[i].created};
        struct lifecycle_metadata m = {0};
        describe_one(&items[i].labels, &one, a, &own, &m);
        if (items[i].name && *items[i].name) /* what it was called where it was taken */
            m.image_name = items[i].name;
        m.by = arena_strz(a, items[i].by && !strcmp(items[i].by, "copy") ? "copy" : "from");
        *(struct lifecycle_metadata *)objs_add(&ret->ancestors, a, sizeof m) = m;
    }
}
