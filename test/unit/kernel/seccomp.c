#include "test.h"

#include "kernel/seccomp.h"
#include <linux/audit.h>

/* Classic BPF as the kernel runs it for seccomp; every step checked. */
static uint32_t run(const struct seccomp_program *p, const struct seccomp_data *d, size_t *steps) {
    uint32_t a = 0;
    for (size_t pc = 0;;) {
        assert_true(pc < p->n);
        const struct sock_filter *f = &p->items[pc++];
        ++*steps;
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(f->k % 4 == 0 && f->k + 4 <= sizeof(*d));
            memcpy(&a, (const char *)d + f->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > f->k ? f->jt : f->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= f->k ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_K:
            return f->k;
        default:
            fail_msg("instruction 0x%x", f->code);
        }
    }
}

#define ARCH "SCMP_ARCH_X86_64"
#define DENY (SECCOMP_RET_ERRNO | 1)

static void add(struct seccomp_filter *f, uint32_t nr, uint32_t action,
                const struct seccomp_test *t, size_t n) {
    struct seccomp_rule r = {.nr = nr, .action = action, .tests_n = n};
    if (n)
        memcpy(r.tests, t, n * sizeof(*t));
    vec_push(&seccomp_filter_arch(f, ARCH)->rules, r);
}

static uint32_t ask(struct seccomp_filter *f, uint32_t nr, uint64_t arg0, uint64_t arg1) {
    struct seccomp_program p;
    size_t steps = 0;
    assert_ok(seccomp_compile(f, &p));
    struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .args = {arg0, arg1}};
    uint32_t r = run(&p, &d, &steps);
    vec_done(&p);
    return r;
}

TEST(every_number_has_its_action) {
    struct seccomp_filter f = {.default_action = DENY, .other_action = SECCOMP_RET_KILL_PROCESS};
    bool allowed[1200] = {0};
    srand(7);
    for (int i = 0; i < 500; i++)
        allowed[rand() % 1200] = true;
    for (uint32_t nr = 1200; nr-- > 0;)
        if (allowed[nr])
            add(&f, nr, SECCOMP_RET_ALLOW, NULL, 0);
    struct seccomp_program p;
    assert_ok(seccomp_compile(&f, &p));
    size_t most = 0;
    for (uint32_t nr = 0; nr < 1300; nr++) {
        size_t steps = 0;
        struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64};
        uint32_t want = nr < 1200 && allowed[nr] ? SECCOMP_RET_ALLOW : DENY;
        assert_int_equal(run(&p, &d, &steps), want);
        most = steps > most ? steps : most;
    }
    assert_true(most < 32); /* a tree, not a list */
    size_t steps = 0;
    struct seccomp_data d = {.nr = -1, .arch = AUDIT_ARCH_X86_64};
    assert_int_equal(run(&p, &d, &steps), DENY);
    d.arch = AUDIT_ARCH_I386;
    assert_int_equal(run(&p, &d, &steps), SECCOMP_RET_KILL_PROCESS);
    vec_done(&p);
    seccomp_filter_done(&f);
}

TEST(numbers_at_both_ends) {
    struct seccomp_filter f = {.default_action = DENY};
    add(&f, 0, SECCOMP_RET_ALLOW, NULL, 0);
    add(&f, UINT32_MAX, SECCOMP_RET_LOG, NULL, 0);
    assert_int_equal(ask(&f, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, 1, 0, 0), DENY);
    assert_int_equal(ask(&f, UINT32_MAX - 1, 0, 0), DENY);
    assert_int_equal(ask(&f, UINT32_MAX, 0, 0), SECCOMP_RET_LOG);
    seccomp_filter_done(&f);
}

/* The operators against C's own, on values around every boundary of the two halves. */
TEST(arguments_are_compared_in_64_bits) {
    static const uint64_t values[] = {0,
                                      1,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      0x100000001,
                                      0x1ffffffff,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      UINT64_MAX - 1,
                                      UINT64_MAX};
    for (enum seccomp_op op = SECCOMP_EQ; op <= SECCOMP_MASKED_EQ; op++)
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            struct seccomp_filter f = {.default_action = DENY};
            struct seccomp_test t = {0, op, values[i], 0x8000000100000003};
            if (op == SECCOMP_MASKED_EQ)
                t.value &= t.mask;
            add(&f, 5, SECCOMP_RET_ALLOW, &t, 1);
            for (size_t k = 0; k < ARRAY_LEN(values); k++) {
                uint64_t a = values[k], v = t.value;
                bool want = op == SECCOMP_EQ   ? a == v
                            : op == SECCOMP_NE ? a != v
                            : op == SECCOMP_LT ? a < v
                            : op == SECCOMP_LE ? a <= v
                            : op == SECCOMP_GT ? a > v
                            : op == SECCOMP_GE ? a >= v
                                               : (a & t.mask) == v;
                assert_int_equal(ask(&f, 5, a, 0), want ? SECCOMP_RET_ALLOW : DENY);
            }
            seccomp_filter_done(&f);
        }
}

TEST(rules_of_one_call_are_tried_in_order) {
    struct seccomp_filter f = {.default_action = DENY};
    struct seccomp_test both[] = {{0, SECCOMP_EQ, 1, 0}, {1, SECCOMP_GT, 10, 0}};
    struct seccomp_test one = {0, SECCOMP_EQ, 1, 0};
    add(&f, 9, SECCOMP_RET_ALLOW, both, 2);
    add(&f, 9, SECCOMP_RET_LOG, &one, 1);
    assert_int_equal(ask(&f, 9, 1, 11), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, 9, 1, 10), SECCOMP_RET_LOG);
    assert_int_equal(ask(&f, 9, 2, 11), DENY);
    add(&f, 9, SECCOMP_RET_TRAP, NULL, 0); /* what no earlier rule took */
    assert_int_equal(ask(&f, 9, 2, 11), SECCOMP_RET_TRAP);
    assert_int_equal(ask(&f, 9, 1, 11), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(&f, 8, 1, 11), DENY);
    assert_int_equal(ask(&f, 10, 1, 11), DENY);
    seccomp_filter_done(&f);
}

TEST(names_are_known) {
    assert_int_equal(seccomp_number("SCMP_ARCH_X86_64", "read"), 0);
    assert_int_equal(seccomp_number("SCMP_ARCH_X86", "read"), 3);
    assert_int_equal(seccomp_number("SCMP_ARCH_X32", "read"), 0x40000000);
    assert_int_equal(seccomp_number("SCMP_ARCH_X86_64", "no_such_call"), -1);
    assert_int_equal(seccomp_number("SCMP_ARCH_VAX", "read"), -1);
    struct seccomp_filter f = {0};
    assert_ptr_equal(seccomp_filter_arch(&f, "SCMP_ARCH_X86_64"),
                     seccomp_filter_arch(&f, "SCMP_ARCH_X32"));
    assert_null(seccomp_filter_arch(&f, "SCMP_ARCH_VAX"));
    seccomp_filter_done(&f);
}

TEST(too_long_a_program_is_refused) {
    struct seccomp_filter f = {.default_action = DENY};
    struct seccomp_test t = {0, SECCOMP_LT, UINT64_MAX, 0};
    for (uint32_t nr = 0; nr < 1000; nr++)
        add(&f, nr, SECCOMP_RET_ALLOW, &t, 1);
    struct seccomp_program p;
    assert_err(seccomp_compile(&f, &p), ERR_INVALID);
    seccomp_filter_done(&f);
}

/* What is compiled again for every process that is started has no return twice, or the same nearly
 * that: every second call allowed, and all of them within a few jumps' reach. */
TEST(returns_are_shared) {
    struct seccomp_filter f = {.default_action = DENY, .other_action = SECCOMP_RET_KILL_PROCESS};
    struct seccomp_program p;
    size_t returns = 0;
    for (uint32_t nr = 0; nr < 800; nr += 2)
        add(&f, nr, SECCOMP_RET_ALLOW, NULL, 0);
    assert_ok(seccomp_compile(&f, &p));
    for (size_t i = 0; i < p.n; i++)
        returns += BPF_CLASS(p.items[i].code) == BPF_RET;
    assert_true(p.n < 900);
    assert_true(returns < 20);
    for (uint32_t nr = 0; nr < 900; nr++) {
        struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64};
        size_t steps = 0;
        assert_int_equal(run(&p, &d, &steps), nr % 2 || nr >= 800 ? DENY : SECCOMP_RET_ALLOW);
        d.arch = AUDIT_ARCH_I386;
        assert_int_equal(run(&p, &d, &steps), SECCOMP_RET_KILL_PROCESS);
    }
    vec_done(&p);
    seccomp_filter_done(&f);
}

static bool holds(const struct seccomp_test *t, uint64_t value) {
    switch (t->op) {
    case SECCOMP_EQ:
        return value == t->value;
    case SECCOMP_NE:
        return value != t->value;
    case SECCOMP_MASKED_EQ:
        return (value & t->mask) == t->value;
    case SECCOMP_GT:
        return value > t->value;
    case SECCOMP_GE:
        return value >= t->value;
    case SECCOMP_LT:
        return value < t->value;
    case SECCOMP_LE:
        return value <= t->value;
    }
    return false;
}

/* What the rules mean, in the order in which they were given. */
static uint32_t meant(const struct seccomp_rules *rules, uint32_t other,
                      const struct seccomp_data *d) {
    for (size_t i = 0; i < rules->n; i++) {
        const struct seccomp_rule *r = &rules->items[i];
        bool all = r->nr == (uint32_t)d->nr;
        for (size_t k = 0; k < r->tests_n; k++)
            all &= holds(&r->tests[k], d->args[r->tests[k].arg]);
        if (all)
            return r->action;
    }
    return other;
}

static uint32_t some_action(void) {
    static const uint32_t actions[] = {
        SECCOMP_RET_ALLOW,     SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_LOG, SECCOMP_RET_TRAP, DENY,
        SECCOMP_RET_ERRNO | 38};
    return actions[(size_t)rand() % ARRAY_LEN(actions)];
}

static uint64_t some_value(void) {
    static const uint64_t values[] = {0,         1, 5, UINT64_C(5) << 32, (UINT64_C(5) << 32) + 5,
                                      UINT64_MAX};
    return values[(size_t)rand() % ARRAY_LEN(values)];
}

/* From no rule at all to hundreds, a few numbers or many: the program does what the rules mean. */
TEST(any_filter_does_what_its_rules_mean) {
    srand(11);
    for (int round = 0; round < 400; round++) {
        struct seccomp_filter f = {.default_action = some_action(), .other_action = DENY};
        uint32_t span = 1 + (uint32_t)rand() % (round % 2 ? 4 : 600);
        size_t rules = round < 4 ? (size_t)round / 2 : (size_t)rand() % (round % 10 ? 30 : 400);
        struct seccomp_rules given = {0};
        if (round & 1) /* architectures without a rule, before and behind */
            seccomp_filter_arch(&f, "SCMP_ARCH_ARM");
        seccomp_filter_arch(&f, ARCH);
        if (round & 2)
            seccomp_filter_arch(&f, "SCMP_ARCH_AARCH64");
        for (size_t i = 0; i < rules; i++) {
            struct seccomp_test t[3];
            size_t n = (size_t)rand() % 4;
            for (size_t k = 0; k < n; k++) {
                uint64_t mask = some_value();
                enum seccomp_op op = (enum seccomp_op)(rand() % (SECCOMP_MASKED_EQ + 1));
                t[k] = (struct seccomp_test){.arg = (unsigned)rand() % 2, .op = op, .mask = mask};
                t[k].value = op == SECCOMP_MASKED_EQ ? some_value() & mask : some_value();
            }
            add(&f, (uint32_t)rand() % span, some_action(), t, n);
            const struct seccomp_rules *all = &seccomp_filter_arch(&f, ARCH)->rules;
            vec_push(&given, all->items[all->n - 1]);
        }
        struct seccomp_program p;
        assert_ok(seccomp_compile(&f, &p));
        for (int i = 0; i < 200; i++) {
            struct seccomp_data d = {.nr = (int)((uint32_t)rand() % (span + 2)),
                                     .arch = AUDIT_ARCH_X86_64,
                                     .args = {some_value(), some_value()}};
            size_t steps = 0;
            assert_int_equal(run(&p, &d, &steps), meant(&given, f.default_action, &d));
        }
        struct seccomp_data foreign = {.arch = AUDIT_ARCH_I386};
        size_t steps = 0;
        assert_int_equal(run(&p, &foreign, &steps), DENY);
        struct seccomp_data bare = {.arch = AUDIT_ARCH_ARM};
        uint32_t r = run(&p, &bare, &steps);
        assert_int_equal(r, round & 1 ? f.default_action : DENY);
        vec_done(&p);
        vec_done(&given);
        seccomp_filter_done(&f);
    }
}
