/* build/plan.c - stages. */
#include "build/plan.h"
#include "base/file.h"
#include "base/vec.h"
#include "build/expand.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

struct instrs VEC_BODY(struct instr);
struct stages VEC_BODY(struct stage);
struct planner {
    const struct dockerfile *file;
    struct request *request;
    struct arena *arena;
    struct plan *plan;
};

/* uname's name, ours, variant, and how qemu's interpreters are called. */
static const char *const machines[][4] = {{"x86_64", "amd64", "", "x86_64"},
                                          {"aarch64", "arm64", "", "aarch64"},
                                          {"armv7l", "arm", "v7", "arm"},
                                          {"i686", "386", "", "i386"},
                                          {"ppc64le", "ppc64le", "", "ppc64le"},
                                          {"s390x", "s390x", "", "s390x"},
                                          {"riscv64", "riscv64", "", "riscv64"},
                                          {"mips64", "mips64le", "", "mips64el"},
                                          {"loongarch64", "loong64", "", "loongarch64"}};

struct platform platform_here(void) {
    struct utsname u;
    uname(&u);
    for (size_t i = 0; i < ARRAY_LEN(machines); i++)
        if (strcmp(u.machine, machines[i][0]) == 0)
            return (struct platform){"linux", machines[i][1], machines[i][2]};
    return (struct platform){"linux", "unknown", ""};
}

bool platform_is_here(const struct platform *p) {
    struct platform here = platform_here();
    return strcmp(p->os, here.os) == 0 && strcmp(p->arch, here.arch) == 0;
}

bool platform_runs(const struct platform *p) {
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        char path[64];
        CLEAN_BUF struct buf text = {0};
        snprintf(path, sizeof(path), "/proc/sys/fs/binfmt_misc/qemu-%s", machines[i][3]);
        if (strcmp(p->arch, machines[i][1]) != 0 || access(path, F_OK) != 0)
            continue;
        struct err e = file_read(path, 4096, &text);
        bool enabled = !err_failed(e) && str_starts(buf_str(&text), STR("enabled"));
        err_ignore(e); /* it went in this moment */
        return enabled;
    }
    return platform_is_here(p);
}

static const char *global(void *arg, struct str name) {
    const struct plan *p = arg;
    for (size_t i = 0; i < p->global_args.n; i++)
        if (str_eqz(name, p->global_args.items[i].key))
            return p->global_args.items[i].value;
    return NULL;
}

static struct err expand_global(struct planner *p, const struct instr *in, const char *text,
                                struct strv *unset, char **ret) {
    struct expand x = {.get = global, .arg = p->plan, .escape = p->file->escape, .unset = unset};
    CLEAN_BUF struct buf b = {0};
    TRY(dockerfile_locate(p->file, in->node, expand_word(&x, str_of(text), &b)));
    *ret = arena_str(p->arena, buf_str(&b));
    return OK;
}

/* The platform's arguments are global (Dockerfile reference, "Automatic platform ARGs"). */
static void platform_args(struct planner *p) {
    struct platform here = platform_here();
    const char *full = arena_printf(p->arena, *here.variant ? "%s/%s/%s" : "%s/%s", here.os,
                                    here.arch, here.variant);
    const struct platform *to = &p->plan->platform;
    const char *wanted = arena_printf(p->arena, *to->variant ? "%s/%s/%s" : "%s/%s", to->os,
                                      to->arch, to->variant);
    const char *target = p->request->target;
    const char *const args[][2] = {{"BUILDPLATFORM", full},
                                   {"BUILDOS", here.os},
                                   {"BUILDOSVERSION", ""},
                                   {"BUILDARCH", here.arch},
                                   {"BUILDVARIANT", here.variant},
                                   {"TARGETPLATFORM", wanted},
                                   {"TARGETOS", to->os},
                                   {"TARGETOSVERSION", ""},
                                   {"TARGETARCH", to->arch},
                                   {"TARGETVARIANT", to->variant},
                                   {"TARGETSTAGE", target && *target ? target : "default"}};
    for (size_t i = 0; i < ARRAY_LEN(args); i++) {
        struct build_arg *given = request_arg(p->request, args[i][0]);
        strmap_set(&p->plan->global_args, p->arena, args[i][0],
                   given && given->value ? given->value : args[i][1]);
    }
}

static struct err global_arg(struct planner *p, const struct instr *in) {
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct pair *pair = &in->pairs.items[i];
        struct build_arg *given = request_arg(p->request, pair->key);
        char *value = given ? given->value : NULL;
        if (!value && pair->value)
            TRY(expand_global(p, in, pair->value, NULL, &value));
        if (value)
            strmap_set(&p->plan->global_args, p->arena, pair->key, value);
    }
    return OK;
}

/* "linux/amd64" and the like; "linux" alone is this machine's. */
static struct err platform_read(struct planner *p, const char *text, struct platform *ret) {
    struct platform here = platform_here();
    struct str os, arch, variant = STR("");
    str_cut(str_of(text), '/', &os, &arch);
    str_cut(arch, '/', &arch, &variant);
    if (!str_eqz(os, here.os))
        return err_new(ERR_UNSUPPORTED, "platform %s is not supported: only linux", text);
    if (arch.len == 0) {
        *ret = here;
        return OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        if (!str_eqz(arch, machines[i][0]) && !str_eqz(arch, machines[i][1]))
            continue;
        bool v8 = str_eqz(variant, "v8") && strcmp(machines[i][1], "arm64") == 0;
        *ret = (struct platform){here.os, machines[i][1],
                                 v8 || !variant.len ? machines[i][2]
                                                    : arena_str(p->arena, variant)};
        return OK;
    }
    return err_new(ERR_UNSUPPORTED, "platform %s is not supported: unknown architecture '%.*s'",
                   text, STR_ARG(arch));
}

static struct stage *stage_named(const struct plan *p, size_t before, const char *name) {
    for (size_t i = before; i > 0; i--)
        if (p->stages[i - 1].name && str_eq_nocase(str_of(p->stages[i - 1].name), str_of(name)))
            return &p->stages[i - 1];
    return NULL;
}

static struct err stage_base(struct planner *p, struct stage *s) {
    CLEAN_STRV struct strv unset = {0};
    TRY(expand_global(p, &s->from, s->from.from.image, &unset, &s->base));
    if (!*s->base)
        return dockerfile_error(p->file, s->from.node, 0, "base name (%s) should not be blank%s%s",
                                s->from.from.image, unset.n ? ": not set: " : "",
                                unset.n ? unset.items[0] : "");
    s->context = plan_context(p->plan, s->base);
    s->parent = s->context ? NULL : stage_named(p->plan, s->index, s->base);
    s->platform = s->parent ? s->parent->platform : p->plan->platform;
    if (!s->from.from.platform)
        return OK;
    char *platform;
    TRY(expand_global(p, &s->from, s->from.from.platform, NULL, &platform));
    if (!*platform)
        return dockerfile_error(p->file, s->from.node, 0, "empty platform value from expression %s",
                                s->from.from.platform);
    return dockerfile_locate(p->file, s->from.node, platform_read(p, platform, &s->platform));
}

static struct err number_stage(const struct plan *p, const struct stage *from, const char *name,
                               bool *ret_number, struct stage **ret) {
    uint64_t n;
    struct err e = str_to_u64(str_of(name), UINT32_MAX, &n);
    *ret_number = !err_failed(e);
    err_free(e); /* a name, then */
    if (!*ret_number)
        return OK;
    if (n >= from->index)
        return err_new(ERR_INVALID, "invalid stage index %s: it must be of a stage before this one",
                       name);
    *ret = &p->stages[n];
    return OK;
}

const char *plan_context(const struct plan *p, const char *name) {
    return p->contexts ? strmap_get(p->contexts, name) : NULL;
}

struct err plan_stage(const struct plan *p, const struct stage *from, const struct instr *in,
                      const char *name, const struct dockerfile *f, struct stage **ret) {
    bool number;
    *ret = NULL;
    if (plan_context(p, name))
        return OK;
    TRY(dockerfile_locate(f, in->node, number_stage(p, from, name, &number, ret)));
    if (number)
        return OK;
    *ret = stage_named(p, from->index, name);
    if (!*ret && stage_named(p, p->stages_n, name))
        return dockerfile_error(f, in->node, 0,
                                "cannot %s from stage \"%s\", it needs to be defined before "
                                "current stage",
                                in->kind == I_RUN ? "mount" : "copy", name);
    return OK;
}

static struct err need(struct planner *p, struct stage *s) {
    /* Stages only refer to earlier ones: the depth is bounded by STAGES_MAX. */
    if (s->needed)
        return OK;
    s->needed = true;
    p->plan->steps_n += 1 + s->steps_n;
    if (s->parent)
        TRY(need(p, s->parent));
    for (size_t i = 0; i < s->steps_n; i++) {
        const struct instr *in = &s->steps[i];
        char *const *names;
        size_t n = instr_sources(in, &names);
        for (size_t j = 0; j < n; j++) {
            struct stage *other = NULL;
            TRY(plan_stage(p->plan, s, in, names[j], p->file, &other));
            if (other)
                TRY(need(p, other));
        }
    }
    return OK;
}

/* A stage of the whole file, by name or number. what: for the error. */
static struct err stage_wanted(const struct plan *plan, const char *name, const char *what,
                               struct arena *a, struct stage **ret) {
    uint64_t number;
    *ret = stage_named(plan, plan->stages_n, name);
    struct err e = str_to_u64(str_of(name), plan->stages_n - 1, &number);
    if (!*ret && !err_failed(e))
        *ret = &plan->stages[number];
    err_free(e); /* a name, then */
    if (*ret)
        return OK;
    const char **names = arena_array(a, plan->stages_n, sizeof(char *));
    size_t n = 0;
    for (size_t i = 0; i < plan->stages_n; i++)
        if (plan->stages[i].name)
            names[n++] = plan->stages[i].name;
    const char *meant = suggest(str_of(name), names, n);
    return err_new(ERR_INVALID, "%s \"%s\" could not be found%s%s%s", what, name,
                   meant ? " (did you mean " : "", meant ? meant : "", meant ? "?)" : "");
}

static struct err target(struct planner *p) {
    const char *name = p->request->target;
    struct plan *plan = p->plan;
    plan->target = &plan->stages[plan->stages_n - 1];
    if (name && *name)
        TRY(stage_wanted(plan, name, "target stage", p->arena, &plan->target));
    return need(p, plan->target);
}

struct err plan_fresh(struct plan *p, const struct strs *names, struct arena *a) {
    for (size_t i = 0; i < names->n; i++) {
        struct stage *s;
        TRY(stage_wanted(p, names->items[i], "--no-cache-filter: stage", a, &s));
        s->fresh = true;
    }
    return OK;
}

static void instrs_free(struct instrs *v) {
    vec_done(v);
}
static void stages_free(struct stages *v) {
    vec_done(v);
}

static void steps_keep(struct planner *p, struct instrs *from, struct instr **ret, size_t *ret_n) {
    *ret_n = from->n;
    *ret = arena_array(p->arena, from->n, sizeof(struct instr));
    if (from->n)
        memcpy(*ret, from->items, from->n * sizeof(struct instr));
    from->n = 0;
}

/* Sorts the instructions into global ones and stages. */
static struct err collect(struct planner *p, struct instrs *steps, struct stages *stages) {
    for (size_t i = 0; i < p->file->n; i++) {
        struct instr in;
        TRY(instruction_parse(p->file, p->file->nodes[i], p->arena, &in));
        if (in.kind != I_FROM) {
            if (stages->n == 0 && in.kind != I_ARG)
                return dockerfile_error(p->file, in.node, 0, "no build stage in current context");
            vec_push(steps, in);
            continue;
        }
        if (stages->n == STAGES_MAX)
            return dockerfile_error(p->file, in.node, 0, "more than %d stages", STAGES_MAX);
        if (stages->n == 0) {
            steps_keep(p, steps, &p->plan->globals, &p->plan->globals_n);
        } else {
            struct stage *last = &stages->items[stages->n - 1];
            steps_keep(p, steps, &last->steps, &last->steps_n);
        }
        struct stage *s = vec_add(stages);
        s->index = (unsigned)stages->n - 1;
        s->from = in;
        s->name = in.from.stage;
    }
    if (stages->n == 0)
        return err_new(ERR_INVALID, "%s: no build stage: there is no FROM", p->file->name);
    struct stage *last = &stages->items[stages->n - 1];
    steps_keep(p, steps, &last->steps, &last->steps_n);
    return OK;
}

/* Numbers in the order in which a build step by step would come by. */
static struct err number_stage_steps(struct planner *p, struct stage *s, unsigned *n) {
    if (s->from.number)
        return OK;
    s->from.number = UINT_MAX; /* being numbered */
    if (s->parent)
        TRY(number_stage_steps(p, s->parent, n));
    s->from.number = ++*n;
    for (size_t i = 0; i < s->steps_n; i++) {
        struct instr *in = &s->steps[i];
        char *const *names;
        size_t names_n = instr_sources(in, &names);
        for (size_t j = 0; j < names_n; j++) {
            struct stage *other = NULL;
            TRY(plan_stage(p->plan, s, in, names[j], p->file, &other));
            if (other)
                TRY(number_stage_steps(p, other, n));
        }
        in->number = ++*n;
    }
    return OK;
}

static struct err number_steps(struct planner *p) {
    unsigned n = 0;
    for (size_t i = 0; i < p->plan->globals_n; i++)
        p->plan->globals[i].number = ++n;
    return number_stage_steps(p, p->plan->target, &n);
}

struct err plan_make(const struct dockerfile *f, struct request *r, struct arena *a,
                     struct plan **ret) {
    OWN(instrs_free) struct instrs steps = {0};
    OWN(stages_free) struct stages stages = {0};
    struct plan *plan = arena_alloc(a, sizeof(*plan));
    struct planner p = {f, r, a, plan};
    plan->contexts = r->contexts;
    TRY(collect(&p, &steps, &stages));
    plan->stages_n = stages.n;
    plan->stages = arena_array(a, stages.n, sizeof(struct stage));
    memcpy(plan->stages, stages.items, stages.n * sizeof(struct stage));
    plan->platform = platform_here();
    if (r->platform && *r->platform)
        TRY(platform_read(&p, r->platform, &plan->platform));
    platform_args(&p);
    for (size_t i = 0; i < plan->globals_n; i++)
        TRY(global_arg(&p, &plan->globals[i]));
    for (size_t i = 0; i < plan->stages_n; i++)
        TRY(stage_base(&p, &plan->stages[i]));
    TRY(target(&p));
    TRY(number_steps(&p));
    plan->steps_n += plan->globals_n;
    *ret = plan;
    return OK;
}
