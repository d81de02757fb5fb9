#include "kernel/seccomp.h"
#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AT_NR offsetof(struct seccomp_data, nr)
#define AT_ARCH offsetof(struct seccomp_data, arch)
#define JUMP_MAX 255 /* a conditional jump's reach */

/* Numbers from `from` up to the next range's `from` have the same fate. */
struct range {
    uint32_t from;
    uint32_t action;
    const struct seccomp_rule *rules; /* NULL: the action alone; else n rules of one number */
    size_t n;
};
struct ranges VEC_BODY(struct range);

static void emit(struct seccomp_program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k) {
    vec_push(p, (struct sock_filter){code, jt, jf, k});
}

static void emit_return(struct seccomp_program *p, uint32_t action) {
    emit(p, BPF_RET | BPF_K, 0, 0, action);
}

/* --- one rule with arguments ---------------------------------------------------------------------
 */

/* Jump targets that are not known yet; patched when the rule's end is. */
enum { NEXT = 0, PASS = 254, FAIL = 255 };

static void emit_test(struct seccomp_program *p, const struct seccomp_test *t, bool wide) {
    uint32_t low = offsetof(struct seccomp_data, args) + 8 * t->arg, high = low + 4;
    uint32_t v_low = (uint32_t)t->value, v_high = (uint32_t)(t->value >> 32);
    enum seccomp_op op = t->op;
    if (wide) {
        emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, high);
        if (op == SECCOMP_MASKED_EQ)
            emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)(t->mask >> 32));
        if (op == SECCOMP_EQ || op == SECCOMP_MASKED_EQ)
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, NEXT, FAIL, v_high);
        else if (op == SECCOMP_NE)
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, NEXT, PASS, v_high);
        else {
            bool greater = op == SECCOMP_GT || op == SECCOMP_GE;
            emit(p, BPF_JMP | BPF_JGT | BPF_K, greater ? PASS : FAIL, NEXT, v_high);
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, NEXT, greater ? FAIL : PASS, v_high);
        }
    }
    emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, low);
    if (op == SECCOMP_MASKED_EQ)
        emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)t->mask);
    switch (op) {
    case SECCOMP_EQ:
    case SECCOMP_MASKED_EQ:
        return emit(p, BPF_JMP | BPF_JEQ | BPF_K, NEXT, FAIL, v_low);
    case SECCOMP_NE:
        return emit(p, BPF_JMP | BPF_JEQ | BPF_K, FAIL, NEXT, v_low);
    case SECCOMP_GT:
        return emit(p, BPF_JMP | BPF_JGT | BPF_K, NEXT, FAIL, v_low);
    case SECCOMP_LE:
        return emit(p, BPF_JMP | BPF_JGT | BPF_K, FAIL, NEXT, v_low);
    case SECCOMP_GE:
        return emit(p, BPF_JMP | BPF_JGE | BPF_K, NEXT, FAIL, v_low);
    case SECCOMP_LT:
        return emit(p, BPF_JMP | BPF_JGE | BPF_K, FAIL, NEXT, v_low);
    }
}

static uint8_t target(uint8_t mark, size_t at, size_t pass, size_t fail) {
    size_t to = mark == PASS ? pass : mark == FAIL ? fail : at + 1;
    return (uint8_t)(to - at - 1);
}

/* Every test falls through when it holds; a failed one jumps behind the rule. At most 5
 * instructions a test and 6 tests a rule: all jumps are within reach. */
static void emit_rule(struct seccomp_program *p, const struct seccomp_rule *r, bool wide) {
    size_t starts[SECCOMP_TESTS_MAX + 1];
    for (size_t i = 0; i < r->tests_n; i++) {
        starts[i] = p->n;
        emit_test(p, &r->tests[i], wide);
    }
    starts[r->tests_n] = p->n;
    emit_return(p, r->action);
    for (size_t i = 0; i < r->tests_n; i++) {
        for (size_t at = starts[i]; at < starts[i + 1]; at++) {
            struct sock_filter *f = &p->items[at];
            if (BPF_CLASS(f->code) != BPF_JMP)
                continue;
            f->jt = target(f->jt, at, starts[i + 1], p->n);
            f->jf = target(f->jf, at, starts[i + 1], p->n);
        }
    }
}

static void emit_leaf(struct seccomp_program *p, const struct range *r, bool wide) {
    for (size_t i = 0; i < r->n; i++)
        emit_rule(p, &r->rules[i], wide);
    emit_return(p, r->action);
}

/* --- the tree
 * -------------------------------------------------------------------------------------- */

/* Depth is the logarithm of the number of ranges, of which there are at most 2 * rules + 1. */
static void emit_tree(struct seccomp_program *p, const struct range *r, size_t n, bool wide) {
    if (n == 1)
        return emit_leaf(p, r, wide);
    size_t half = n / 2;
    struct seccomp_program left = {0};
    emit_tree(&left, r, half, wide);
    if (left.n <= JUMP_MAX) {
        emit(p, BPF_JMP | BPF_JGE | BPF_K, (uint8_t)left.n, 0, r[half].from);
    } else {
        emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, r[half].from);
        emit(p, BPF_JMP | BPF_JA, 0, 0, (uint32_t)left.n);
    }
    for (size_t i = 0; i < left.n; i++)
        vec_push(p, left.items[i]);
    vec_done(&left);
    emit_tree(p, r + half, n - half, wide);
}

static void add_range(struct ranges *v, struct range r) {
    struct range *last = v->n ? &v->items[v->n - 1] : NULL;
    if (last && last->from == r.from)
        *last = r; /* nothing lies between the two */
    else
        vec_push(v, r);
    /* Same fate as the one before: one range. */
    if (v->n >= 2) {
        struct range *a = &v->items[v->n - 2], *b = &v->items[v->n - 1];
        if (!a->n && !b->n && a->action == b->action)
            v->n--;
    }
}

/* Stable: the order of rules for one number is their meaning, and qsort does not keep it. */
static void sort_rules(struct seccomp_rules *v) {
    if (v->n < 2)
        return;
    struct seccomp_rule *sorted = mem_array(v->n, sizeof(*sorted));
    struct numbers {
        uint32_t nr;
        size_t index;
    } *order = mem_array(v->n, sizeof(*order));
    for (size_t i = 0; i < v->n; i++)
        order[i] = (struct numbers){v->items[i].nr, i};
    for (size_t i = 1; i < v->n;
         i++) { /* insertion: rules arrive nearly sorted, some 400 of them */
        struct numbers x = order[i];
        size_t j = i;
        for (; j > 0 && order[j - 1].nr > x.nr; j--)
            order[j] = order[j - 1];
        order[j] = x;
    }
    for (size_t i = 0; i < v->n; i++)
        sorted[i] = v->items[order[i].index];
    memcpy(v->items, sorted, v->n * sizeof(*sorted));
    free(sorted);
    free(order);
}

static void make_ranges(struct seccomp_arch *a, uint32_t default_action, struct ranges *v) {
    sort_rules(&a->rules);
    add_range(v, (struct range){.from = 0, .action = default_action});
    for (size_t i = 0, n; i < a->rules.n; i += n) {
        const struct seccomp_rule *r = &a->rules.items[i];
        size_t tested = 0;
        for (n = 0; i + n < a->rules.n && r[n].nr == r->nr; n++)
            ;
        while (tested < n && r[tested].tests_n)
            tested++; /* a rule without tests ends the list: what follows cannot be reached */
        add_range(v, (struct range){
                         .from = r->nr,
                         .action = tested < n ? r[tested].action : default_action,
                         .rules = tested ? r : NULL,
                         .n = tested,
                     });
        if (r->nr != UINT32_MAX)
            add_range(v, (struct range){.from = r->nr + 1, .action = default_action});
    }
}

static void emit_arch(struct seccomp_program *p, struct seccomp_arch *a, uint32_t default_action) {
    struct ranges v = {0};
    make_ranges(a, default_action, &v);
    struct seccomp_program body = {0};
    emit(&body, BPF_LD | BPF_W | BPF_ABS, 0, 0, AT_NR);
    emit_tree(&body, v.items, v.n, a->bits64);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, a->audit);
    emit(p, BPF_JMP | BPF_JA, 0, 0, (uint32_t)body.n);
    for (size_t i = 0; i < body.n; i++)
        vec_push(p, body.items[i]);
    vec_done(&body);
    vec_done(&v);
}

/* --- fewer instructions ------------------------------------------------------------------------
 * Nearly half of what the tree gives are returns. The kernel translates and compiles the filter
 * anew for every process that loads it, so the same return serves all jumps that reach it. */

enum { NOT_PLACED = UINT32_MAX };

/* The program is made again from its end, so that everything a jump may go to has its place. */
struct backward {
    const struct sock_filter *from;
    struct seccomp_program out; /* the last instruction first */
    uint32_t *places;           /* of each instruction of from, in out */
    struct seccomp_program returns;
    VEC(uint32_t) return_places; /* the nearest of each */
    bool too_far;
};

static bool is_return(const struct sock_filter *f) {
    return BPF_CLASS(f->code) == BPF_RET;
}

/* Where in out the instruction `to` is, or one that does the same and is within reach of what is
 * emitted within the next three. */
static uint32_t place_of(struct backward *b, size_t to) {
    const struct sock_filter *f = &b->from[to];
    if (!is_return(f))
        return b->places[to];
    size_t i = 0;
    while (i < b->returns.n && b->returns.items[i].k != f->k)
        i++;
    if (i == b->returns.n) {
        vec_push(&b->returns, *f);
        vec_push(&b->return_places, (uint32_t)NOT_PLACED);
    }
    uint32_t *place = &b->return_places.items[i];
    if (*place == NOT_PLACED || b->out.n - *place > JUMP_MAX - 2) {
        *place = (uint32_t)b->out.n;
        vec_push(&b->out, *f);
    }
    return *place;
}

static uint32_t distance(const struct backward *b, uint32_t place) {
    return (uint32_t)b->out.n - 1 - place;
}

static void place(struct backward *b, size_t at) {
    struct sock_filter f = b->from[at];
    if (is_return(&f))
        return; /* where something goes to it */
    if (BPF_CLASS(f.code) != BPF_JMP) {
        if (is_return(&b->from[at + 1])) /* falls into it: it lies right behind */
            vec_push(&b->out, b->from[at + 1]);
    } else if (BPF_OP(f.code) == BPF_JA) {
        uint32_t to = place_of(b, at + 1 + f.k);
        f.k = distance(b, to);
    } else {
        uint32_t yes = place_of(b, at + 1 + f.jt), no = place_of(b, at + 1 + f.jf);
        b->too_far |= distance(b, yes) > JUMP_MAX || distance(b, no) > JUMP_MAX;
        f.jt = (uint8_t)distance(b, yes);
        f.jf = (uint8_t)distance(b, no);
    }
    b->places[at] = (uint32_t)b->out.n;
    vec_push(&b->out, f);
}

static void share_returns(struct seccomp_program *p) {
    struct backward b = {.from = p->items, .places = mem_array(p->n, sizeof(*b.places))};
    for (size_t i = p->n; i-- > 0;)
        place(&b, i);
    for (size_t i = 0; !b.too_far && i < b.out.n; i++)
        p->items[i] = b.out.items[b.out.n - 1 - i];
    if (!b.too_far)
        p->n = b.out.n;
    vec_done(&b.out);
    vec_done(&b.returns);
    vec_done(&b.return_places);
    free(b.places);
}

struct err seccomp_compile(struct seccomp_filter *f, struct seccomp_program *ret) {
    struct seccomp_program p = {0};
    emit(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, AT_ARCH);
    for (size_t i = 0; i < f->archs.n; i++)
        emit_arch(&p, &f->archs.items[i], f->default_action);
    emit_return(&p, f->other_action);
    share_returns(&p);
    if (p.n > BPF_MAXINSNS) {
        size_t n = p.n;
        vec_done(&p);
        return err_new(ERR_INVALID, "seccomp filter has %zu instructions, %d are possible", n,
                       BPF_MAXINSNS);
    }
    *ret = p;
    return OK;
}

void seccomp_filter_done(struct seccomp_filter *f) {
    for (size_t i = 0; i < f->archs.n; i++)
        vec_done(&f->archs.items[i].rules);
    vec_done(&f->archs);
}

/* --- names
 * ------------------------------------------------------------------------------------------- */

static const struct known_arch {
    const char *name;
    uint32_t token; /* libseccomp's */
    uint32_t audit;
    bool bits64;
} known_archs[] = {
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, true},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386, false},
    /* x32 shares the audit value of x86_64; its numbers have bit 30 set. */
    {"SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64, true},
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, true},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, false},
};

static const struct known_arch *find_arch(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(known_archs); i++)
        if (strcmp(known_archs[i].name, name) == 0)
            return &known_archs[i];
    return NULL;
}

int64_t seccomp_number(const char *arch, const char *name) {
    const struct known_arch *a = find_arch(arch);
    if (!a)
        return -1;
    int nr = seccomp_syscall_resolve_name_arch(a->token, name);
    /* Negative: not on this architecture (libseccomp numbers such calls below zero). */
    return nr < 0 ? -1 : nr;
}

struct seccomp_arch *seccomp_filter_arch(struct seccomp_filter *f, const char *arch) {
    const struct known_arch *a = find_arch(arch);
    if (!a)
        return NULL;
    for (size_t i = 0; i < f->archs.n; i++)
        if (f->archs.items[i].audit == a->audit)
            return &f->archs.items[i];
    vec_push(&f->archs, (struct seccomp_arch){.audit = a->audit, .bits64 = a->bits64});
    return &f->archs.items[f->archs.n - 1];
}

const char *seccomp_native_arch(void) {
#if defined(__x86_64__) && !defined(__ILP32__)
    return "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
    return "SCMP_ARCH_AARCH64";
#else
#error "corten runs on x86_64 and aarch64"
#endif
}

int seccomp_install(const struct sock_filter *program, size_t n, unsigned flags) {
    struct sock_fprog p = {.len = (unsigned short)n, .filter = (struct sock_filter *)program};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p) < 0 ? -errno : 0;
}

int seccomp_install_listener(const struct sock_filter *program, size_t n, unsigned flags) {
    struct sock_fprog p = {.len = (unsigned short)n, .filter = (struct sock_filter *)program};
    flags = (flags & ~SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
    return fd < 0 ? -errno : (int)fd;
}
