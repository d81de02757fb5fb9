#include "spec/fields.h"
#include "test.h"

struct leaf {
    char *name;
    int32_t small;
};
#define F(m, n, k, ...) FIELD(struct leaf, m, n, k, ##__VA_ARGS__)
FIELDS(leaf_fields, struct leaf, F(name, "Name", F_STR, .flags = F_REQUIRED),
       F(small, "Small", F_I32, .flags = OMIT_EMPTY));
#undef F

struct inner {
    int64_t memory;
    bool on;
};
#define F(m, n, k, ...) FIELD(struct inner, m, n, k, ##__VA_ARGS__)
FIELDS(inner_fields, struct inner, F(memory, "Memory", F_I64), F(on, "On", F_BOOL));
#undef F

struct all {
    char *s;
    bool b, *bp;
    int32_t i32;
    int64_t i64, *i64p, t;
    uint32_t u32, pair[2];
    uint64_t u64;
    uint16_t u16;
    double d;
    struct strs strs, set, cmd;
    struct strmap map;
    struct leaf obj, *objp;
    struct objs array, strss;
    struct objmap objmap, arrmap, strsmap;
    struct str raw;
    struct u64s u64s;
    struct u64map u64map;
    struct inner inner;
    char *old, *new, *read_only, *write_only;
};
#define F(m, n, k, ...) FIELD(struct all, m, n, k, ##__VA_ARGS__)
FIELDS(all_fields, struct all, F(s, "S", F_STR), F(b, "B", F_BOOL), F(bp, "Bp", F_BOOLPTR),
       F(i32, "I32", F_I32), F(i64, "I64", F_I64), F(i64p, "I64p", F_I64PTR), F(t, "T", F_TIME),
       F(u32, "U32", F_U32), F(pair, "Pair", F_PAIR), F(u64, "U64", F_U64), F(u16, "U16", F_U16),
       F(d, "D", F_DOUBLE), F(strs, "Strs", F_STRS, .flags = F_NULLABLE),
       F(set, "Set", F_SET, .flags = F_NULLABLE),
       F(cmd, "Cmd", F_STRS, .flags = OMIT_EMPTY | F_STR_TOO), F(map, "Map", F_STRMAP),
       F(obj, "Obj", F_OBJ, .sub = &leaf_fields, .flags = OMIT_EMPTY),
       F(objp, "Objp", F_OBJPTR, .sub = &leaf_fields),
       F(array, "Array", F_ARRAY, .sub = &leaf_fields), F(strss, "Strss", F_STRSS),
       F(objmap, "Objmap", F_OBJMAP, .sub = &leaf_fields),
       F(arrmap, "Arrmap", F_ARRMAP, .sub = &leaf_fields), F(strsmap, "Strsmap", F_STRSMAP),
       F(raw, "Raw", F_RAW, .flags = OMIT_EMPTY), F(u64s, "U64s", F_U64S, .flags = OMIT_EMPTY),
       F(u64map, "U64map", F_U64MAP, .flags = OMIT_EMPTY),
       F(inner, "", F_EMBED, .sub = &inner_fields),
       F(old, "Old", F_STR, UNTIL(43), .flags = OMIT_EMPTY),
       F(new, "New", F_STR, SINCE(44), .flags = OMIT_EMPTY),
       F(read_only, "ReadOnly", F_STR, .flags = F_READONLY | OMIT_EMPTY),
       F(write_only, "WriteOnly", F_STR, .flags = F_WRITEONLY));
#undef F

/* Decodes text and fails the test unless it is refused with exactly this message. */
static void refused(const char *text, const char *message) {
    CLEAN_ARENA struct arena a = {0};
    struct all x;
    struct err e = fields_decode(&all_fields, str_of(text), &a, &x);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_string_equal(err_msg(e), message);
    err_free(e);
}

TEST(every_kind_round_trips) {
    static const char text[] =
        "{\"S\":\"a\\\"b\",\"B\":true,\"Bp\":false,\"I32\":-2147483648,\"I64\":-"
        "9223372036854775808,"
        "\"I64p\":0,\"T\":\"2026-11-21T08:02:36.5Z\",\"U32\":4294967295,\"Pair\":[24,80],"
        "\"U64\":18446744073709551615,\"U16\":65535,\"D\":1.5,\"Strs\":[\"x\",\"\"],"
        "\"Set\":{\"80/tcp\":{}},\"Cmd\":[\"sh\"],\"Map\":{\"k\":\"v\"},"
        "\"Obj\":{\"Name\":\"n\",\"Small\":3},\"Objp\":{\"Name\":\"p\"},"
        "\"Array\":[{\"Name\":\"1\"},{\"Name\":\"2\"}],\"Strss\":[[\"a\",\"b\"],[]],"
        "\"Objmap\":{\"k\":{\"Name\":\"m\"},\"none\":null},"
        "\"Arrmap\":{\"80/tcp\":[{\"Name\":\"h\"}],\"81/tcp\":null,\"82/tcp\":[]},"
        "\"Strsmap\":{\"f\":[\"1\"]},\"Raw\":{\"any\":[1,null]},\"U64s\":[1,18446744073709551615],"
        "\"U64map\":{\"cache\":7},\"Memory\":1024,\"On\":true,\"New\":\"n\"}";
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct all x;
    assert_ok(fields_decode(&all_fields, str_of(text), &a, &x));
    assert_string_equal(x.s, "a\"b");
    assert_true(x.bp && !*x.bp);
    assert_int_equal(x.inner.memory, 1024);
    assert_int_equal(x.array.n, 2);
    assert_string_equal(((struct leaf *)x.array.items)[1].name, "2");
    assert_null(objmap_get(&x.objmap, "none"));
    assert_non_null(objmap_get(&x.arrmap, "81/tcp"));
    fields_print(&all_fields, &x, &out);
    assert_string_equal(buf_cstr(&out), text);
}

TEST(empty_and_null_print_as_flags_say) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct all x;
    assert_ok(fields_decode(&all_fields, STR("{}"), &a, &x));
    fields_print(&all_fields, &x, &out);
    assert_string_equal(
        buf_cstr(&out),
        "{\"S\":\"\",\"B\":false,\"Bp\":null,\"I32\":0,\"I64\":0,\"I64p\":null,"
        "\"T\":\"0001-01-01T00:00:00Z\",\"U32\":0,\"Pair\":[0,0],\"U64\":0,\"U16\":0,\"D\":0,"
        "\"Strs\":null,\"Set\":null,\"Map\":{},\"Objp\":null,\"Array\":[],\"Strss\":[],"
        "\"Objmap\":{},\"Arrmap\":{},\"Strsmap\":{},\"Memory\":0,\"On\":false}");
    buf_clear(&out);
    assert_ok(fields_decode(&all_fields, STR("{\"Strs\":[],\"Set\":{},\"Cmd\":[]}"), &a, &x));
    fields_print(&all_fields, &x, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"Strs\":[],\"Set\":{}"));
    assert_null(strstr(buf_cstr(&out), "\"Cmd\""));
}

/* What is left out in a sparse text is found again as it was. */
TEST(sparse_says_the_same) {
    static const char *const texts[] = {
        "{}", "{\"Strs\":[],\"Set\":{},\"Cmd\":[],\"S\":\"\",\"T\":\"0001-01-01T00:00:00Z\"}",
        "{\"Bp\":false,\"I64p\":0,\"Objp\":{\"Name\":\"\"},\"Obj\":{\"Name\":\"x\"},\"Map\":{},\"B\":true}",
        "{\"Array\":[{\"Name\":\"y\"}],\"Objmap\":{\"k\":{\"Name\":\"z\"},\"n\":null},\"Pair\":[0,1],\"D\":0.5,\"On\":true}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_BUF struct buf full = {0}, sparse = {0}, again = {0}, raw = {0};
        struct all x, y;
        assert_ok(fields_decode(&all_fields, str_of(texts[i]), &a, &x));
        fields_print(&all_fields, &x, &full);
        fields_print_sparse(&all_fields, &x, &raw);
        /* A text that has been through the tables once, as every record has. */
        assert_ok(fields_decode(&all_fields, buf_str(&full), &a, &x));
        fields_print_sparse(&all_fields, &x, &sparse);
        assert_true(sparse.len < full.len);
        assert_null(strstr(buf_cstr(&sparse), "null,"));
        assert_ok(fields_decode(&all_fields, buf_str(&sparse), &a, &y));
        fields_print(&all_fields, &y, &again);
        assert_string_equal(buf_cstr(&again), buf_cstr(&full));
        assert_int_equal(x.strs.present, y.strs.present);
        assert_int_equal(x.map.present, y.map.present);
        assert_int_equal(x.s == NULL, y.s == NULL);
        assert_int_equal(x.bp == NULL, y.bp == NULL);
    }
}

TEST(null_leaves_the_zero_value) {
    CLEAN_ARENA struct arena a = {0};
    struct all x;
    assert_ok(fields_decode(&all_fields,
                            STR("{\"S\":null,\"I64\":null,\"Strs\":null,\"Obj\":null,\"Map\":null,"
                                "\"Pair\":null,\"Raw\":null,\"T\":null,\"Array\":[null]}"),
                            &a, &x));
    assert_null(x.s);
    assert_false(x.strs.present);
    assert_int_equal(x.raw.len, 0);
    assert_int_equal(x.array.n, 1);
    assert_null(((struct leaf *)x.array.items)[0].name);
}

TEST(wrong_types_are_named_by_path) {
    refused("{\"I64\":\"1\"}", "I64: expected integer, got string");
    refused("{\"Obj\":{\"Name\":\"n\",\"Small\":{}}}", "Obj.Small: expected integer, got object");
    refused("{\"Array\":[{\"Name\":\"n\"},{\"Name\":[]}]}",
            "Array[1].Name: expected string, got array");
    refused("{\"Arrmap\":{\"80/tcp\":[{\"Name\":1}]}}",
            "Arrmap[\"80/tcp\"][0].Name: expected string, got integer");
    refused("{\"Strs\":[\"a\",1]}", "Strs[1]: expected string, got integer");
    refused("{\"Set\":{\"80/tcp\":true}}", "Set[\"80/tcp\"]: expected object, got boolean");
    refused("{\"I64\":1.0}", "I64: expected integer, got number");
    refused("{\"T\":\"yesterday\"}", "T: expected a time as in RFC 3339");
    refused("{\"Memory\":true}", "Memory: expected integer, got boolean");
    refused("[]", "expected object, got array");
}

TEST(numbers_are_range_checked) {
    refused("{\"I32\":2147483648}", "I32: number out of range");
    refused("{\"U16\":65536}", "U16: number out of range");
    refused("{\"U32\":-1}", "U32: number out of range");
    refused("{\"U64\":-1}", "U64: number out of range");
    refused("{\"I64\":9223372036854775808}", "I64: number out of range");
    refused("{\"Pair\":[4294967296]}", "Pair[0]: number out of range");
}

TEST(numbers_that_no_c_type_holds) {
    CLEAN_ARENA struct arena a = {0};
    struct all x;
    /* Raw JSON keeps the text; a double it would not be. */
    assert_ok(fields_decode(&all_fields, STR("{\"Raw\":[1e999,1.50]}"), &a, &x));
    assert_true(str_eqz(x.raw, "[1e999,1.50]"));
    refused("{\"D\":1e999}", "D: number out of range");
    assert_err(fields_decode(&all_fields, STR("{\"U64\":18446744073709551616}"), &a, &x),
               ERR_INVALID);
    assert_err(fields_decode(&all_fields, STR("{\"I64\":-9223372036854775809}"), &a, &x),
               ERR_INVALID);
}

TEST(nul_is_refused_in_strings_and_keys) {
    refused("{\"S\":\"a\\u0000b\"}", "S: must not contain NUL");
    refused("{\"Strs\":[\"\\u0000\"]}", "Strs[0]: must not contain NUL");
    refused("{\"Map\":{\"k\":\"\\u0000\"}}", "Map[\"k\"]: must not contain NUL");
    CLEAN_ARENA struct arena a = {0};
    struct all x;
    assert_err(fields_decode(&all_fields, STR("{\"Map\":{\"a\\u0000b\":\"\"}}"), &a, &x),
               ERR_INVALID);
}

TEST(keys_fold_only_when_there_is_no_exact_match) {
    CLEAN_ARENA struct arena a = {0};
    struct all x;
    assert_ok(fields_decode(
        &all_fields, STR("{\"i32\":5,\"MEMORY\":6,\"objp\":{\"name\":\"x\",\"Name\":\"y\"}}"), &a,
        &x));
    assert_int_equal(x.i32, 5);
    assert_int_equal(x.inner.memory, 6);
    assert_string_equal(x.objp->name, "y");
}

TEST(required_and_strict) {
    refused("{\"Objp\":{}}", "Objp.Name: is required");
    refused("{\"Objmap\":{\"k\":{\"Name\":null}}}", "Objmap[\"k\"].Name: is required");
    CLEAN_ARENA struct arena a = {0};
    struct all x;
    assert_ok(fields_decode(&all_fields, STR("{\"Unknown\":1}"), &a, &x));
    struct err e = fields_decode_strict(&all_fields, STR("{\"Obj\":{\"Name\":\"\",\"Nope\":1}}"),
                                        &a, &x);
    assert_string_equal(err_msg(e), "Obj.Nope: unknown field");
    err_free(e);
}

TEST(paths_start_with_the_prefix_and_cut_long_keys) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_JSON struct json *j = NULL;
    struct all x;
    assert_ok(json_parse(STR("{\"I64\":\"\"}"), &j));
    struct err e = fields_decode_json(&all_fields, j, "HostConfig", &a, &x);
    assert_string_equal(err_msg(e), "HostConfig.I64: expected integer, got string");
    err_free(e);
    CLEAN_BUF struct buf text = {0};
    buf_adds(&text, "{\"Map\":{\"");
    for (int i = 0; i < 10000; i++)
        buf_addc(&text, 'k');
    buf_adds(&text, "\":1}}");
    e = fields_decode(&all_fields, buf_str(&text), &a, &x);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_true(strlen(err_msg(e)) < 200);
    err_free(e);
}

TEST(versions_select_rows) {
    CLEAN_BUF struct buf out = {0};
    struct all x = {.old = (char *)"o", .new = (char *)"n"};
    struct json_out o = {.out = &out};
    fields_encode(&all_fields, &x, 43, &o);
    assert_non_null(strstr(buf_cstr(&out), "\"Old\":\"o\""));
    assert_null(strstr(buf_cstr(&out), "\"New\""));
    buf_clear(&out);
    o = (struct json_out){.out = &out};
    fields_encode(&all_fields, &x, 44, &o);
    assert_non_null(strstr(buf_cstr(&out), "\"New\":\"n\""));
    assert_null(strstr(buf_cstr(&out), "\"Old\""));
}

TEST(read_only_and_write_only) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct all x;
    assert_ok(fields_decode(
        &all_fields, STR("{\"ReadOnly\":\"r\",\"WriteOnly\":\"w\",\"Cmd\":\"one\"}"), &a, &x));
    assert_null(x.read_only);
    assert_string_equal(x.write_only, "w");
    assert_int_equal(x.cmd.n, 1);
    x.read_only = (char *)"r";
    fields_print(&all_fields, &x, &out);
    assert_null(strstr(buf_cstr(&out), "WriteOnly"));
    assert_non_null(strstr(buf_cstr(&out), "\"ReadOnly\":\"r\""));
}

TEST(memory_is_bounded) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct objs v;
    /* 3 bytes of text, sizeof(struct all) bytes of struct each. */
    size_t n = FIELDS_MEMORY_MAX / sizeof(struct all) + 1;
    buf_addc(&text, '[');
    for (size_t i = 0; i < n; i++)
        buf_adds(&text, i ? ",{}" : "{}");
    buf_addc(&text, ']');
    struct err e = fields_decode_objs(&all_fields, buf_str(&text), &a, &v);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_string_equal(err_msg(e), "document is too large");
    err_free(e);
    assert_true(a.total < 4096);
}

TEST(adders_never_write_into_foreign_arrays) {
    CLEAN_ARENA struct arena a = {0};
    static char *fixed[] = {(char *)"a", (char *)"b"};
    struct strs v = {.items = fixed, .n = 2};
    for (int i = 0; i < 100; i++)
        strs_add(&v, &a, "c");
    assert_int_equal(v.n, 102);
    assert_string_equal(v.items[0], "a");
    assert_string_equal(v.items[101], "c");
    assert_true(strs_has(&v, "b"));
    assert_false(strs_has(&v, "d"));

    static struct strpair pairs[] = {{(char *)"k", (char *)"v"}};
    struct strmap m = {.items = pairs, .n = 1};
    strmap_set(&m, &a, "k", "w");
    assert_string_equal(strmap_get(&m, "k"), "w");
    assert_string_equal(pairs[0].value, "v");
    strmap_set(&m, &a, "l", "x");
    assert_int_equal(m.n, 2);
    assert_null(strmap_get(&m, "none"));
}

TEST(adders_build_documents) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct objs list = {0};
    for (int i = 0; i < 9; i++)
        ((struct leaf *)objs_add(&list, &a, sizeof(struct leaf)))->small = i;
    struct objmap m = {0};
    struct leaf *l = objmap_add(&m, &a, "x", sizeof *l);
    l->name = (char *)"n";
    assert_ptr_equal(objmap_get(&m, "x"), l);
    struct json_out o = {.out = &out};
    list.n = 2;
    fields_encode_objs(&leaf_fields, &list, 0, &o);
    assert_string_equal(buf_cstr(&out), "[{\"Name\":\"\"},{\"Name\":\"\",\"Small\":1}]");
}
