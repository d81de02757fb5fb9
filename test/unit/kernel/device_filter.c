#include "test.h"

#include "kernel/device_filter.h"

enum { B = BPF_DEVCG_DEV_BLOCK, C = BPF_DEVCG_DEV_CHAR };
enum { R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE, M = BPF_DEVCG_ACC_MKNOD };

/* The few instructions that the compiler emits, as the kernel runs them. */
static int run(const struct device_program *p, uint32_t type, uint32_t access, uint32_t major,
               uint32_t minor) {
    uint64_t r[6] = {0};
    uint32_t context[3] = {access << 16 | type, major, minor};
    for (size_t pc = 0;;) {
        assert_true(pc < p->n);
        const struct bpf_insn *i = &p->items[pc++];
        uint64_t *dst = &r[i->dst_reg];
        switch (i->code) {
        case BPF_LDX | BPF_MEM | BPF_W:
            *dst = context[i->off / 4];
            break;
        case BPF_ALU | BPF_MOV | BPF_X:
            *dst = (uint32_t)r[i->src_reg];
            break;
        case BPF_ALU64 | BPF_MOV | BPF_K:
            *dst = (uint64_t)(int64_t)i->imm;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            *dst = (uint32_t)*dst & (uint32_t)i->imm;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            *dst = (uint32_t)*dst >> i->imm;
            break;
        case BPF_JMP | BPF_JNE | BPF_K:
            pc += *dst != (uint64_t)(int64_t)i->imm ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += *dst == (uint64_t)(int64_t)i->imm ? (size_t)i->off : 0;
            break;
        case BPF_JMP | BPF_EXIT:
            return (int)r[0];
        default:
            fail_msg("instruction 0x%x", i->code);
        }
    }
}

static int asked(const struct device_rule *rules, size_t n, uint32_t type, uint32_t access,
                 uint32_t major, uint32_t minor) {
    struct device_program p = {0};
    device_filter_compile(rules, n, &p);
    int r = run(&p, type, access, major, minor);
    vec_done(&p);
    return r;
}

TEST(nothing_is_allowed_by_nothing) {
    assert_int_equal(asked(NULL, 0, C, R, 1, 3), 0);
}

TEST(the_last_match_decides) {
    static const struct device_rule rules[] = {
        {true, 'a', -1, -1, DEVICE_ALL},
        {false, 'b', 8, -1, DEVICE_ALL},
        {true, 'b', 8, 1, DEVICE_READ},
        {false, 'c', 1, -1, DEVICE_WRITE},
    };
    size_t n = ARRAY_LEN(rules);
    assert_int_equal(asked(rules, n, C, R | W | M, 5, 5), 1);
    assert_int_equal(asked(rules, n, B, R, 8, 0), 0);
    assert_int_equal(asked(rules, n, B, R, 8, 1), 1);
    assert_int_equal(asked(rules, n, B, R | W, 8, 1), 0);
    assert_int_equal(asked(rules, n, C, R, 1, 3), 1);
    assert_int_equal(asked(rules, n, C, R | W, 1, 3), 0); /* any denied bit denies */
    assert_int_equal(asked(rules, n, B, R, 9, 1), 1);
}

TEST(rules_before_a_rule_for_everything_are_left_out) {
    static const struct device_rule rules[] = {{true, 'c', 1, 3, DEVICE_ALL},
                                               {false, 'a', -1, -1, DEVICE_ALL},
                                               {true, 'c', 1, 5, DEVICE_ALL}};
    assert_int_equal(asked(rules, 3, C, R, 1, 3), 0);
    assert_int_equal(asked(rules, 3, C, R, 1, 5), 1);
}

static size_t flat(const struct device_rule *rules, size_t n, struct device_rule *ret) {
    struct device_rules v = {0};
    assert_ok(device_filter_flatten(rules, n, &v));
    size_t count = v.n;
    for (size_t i = 0; i < count; i++)
        ret[i] = v.items[i];
    vec_done(&v);
    return count;
}

TEST(the_v1_list_is_never_wider) { /* GHSA-g54h-m393-cpwq */
    struct device_rule out[8];
    static const struct device_rule usual[] = {{false, 'a', -1, -1, DEVICE_ALL},
                                               {true, 'c', 1, 3, DEVICE_ALL},
                                               {true, 'c', 1, 3, DEVICE_READ}};
    assert_int_equal(flat(usual, 3, out), 1);
    static const struct device_rule reset[] = {{true, 'c', 1, 3, DEVICE_ALL},
                                               {false, 'a', -1, -1, DEVICE_ALL}};
    assert_int_equal(flat(reset, 2, out), 0);
    static const struct device_rule part[] = {{true, 'c', 1, 3, DEVICE_ALL},
                                              {false, 'c', 1, -1, DEVICE_WRITE}};
    assert_int_equal(flat(part, 2, out), 1);
    assert_int_equal(out[0].access, DEVICE_READ | DEVICE_MKNOD);
    static const struct device_rule hole[] = {{true, 'c', 1, -1, DEVICE_ALL},
                                              {false, 'c', 1, 1, DEVICE_ALL}};
    struct device_rules v = {0};
    assert_err(device_filter_flatten(hole, 2, &v), ERR_UNSUPPORTED);
    vec_done(&v);
    static const struct device_rule apart[] = {{true, 'c', 1, 3, DEVICE_READ},
                                               {false, 'c', 1, -1, DEVICE_WRITE}};
    assert_int_equal(flat(apart, 2, out), 1);
}
