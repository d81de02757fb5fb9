/* Platforms: how they are asked for, which of them fits. */
#include "spec/platform.h"
#include "spec/oci_image.h"
#include "test.h"

static const char *read_text(const char *text) {
    static _Thread_local char out[PLATFORM_TEXT_MAX];
    struct platform p;
    assert_ok(platform_parse(str_of(text), &p));
    return platform_text(&p, out);
}

TEST(spellings) {
    struct platform p;
    assert_string_equal(read_text("linux"), "linux/" PLATFORM_ARCHITECTURE);
    assert_string_equal(read_text("linux/x86_64"), "linux/amd64");
    assert_string_equal(read_text("Linux/aarch64"), "linux/arm64");
    assert_string_equal(read_text("linux/arm64/v8"), "linux/arm64");
    assert_string_equal(read_text("linux/armhf"), "linux/arm/v7");
    assert_string_equal(read_text("linux/arm"), "linux/arm/v7");
    assert_string_equal(read_text("linux/arm/6"), "linux/arm/v6");
    assert_string_equal(read_text("linux/arm/v6"), "linux/arm/v6");
    assert_string_equal(read_text("arm64"), "linux/arm64");
    assert_string_equal(read_text("s390x"), "linux/s390x");
    assert_string_equal(read_text("windows/amd64"), "windows/amd64");
    assert_string_equal(read_text("{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v5\"}"),
                        "linux/arm/v5");
    static const char *const wrong[] = {
        "linux/a/b/c",        "/", "linux/",      "linux/arm/", "/amd64", "linux/a b", "li nux",
        "{\"os\":\"linux\"}", "{", "linux/\n/v8", "linux//"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_err(platform_parse(str_of(wrong[i]), &p), ERR_INVALID);
    assert_ok(platform_parse(STR("windows/amd64"), &p));
    assert_err(platform_check_os(&p), ERR_UNSUPPORTED);
    assert_ok(platform_parse(STR(""), &p));
    assert_string_equal(p.architecture, PLATFORM_ARCHITECTURE);
    assert_ok(platform_check_os(&p));
}

static int distance(const char *wanted, const char *architecture, const char *variant) {
    struct platform p;
    assert_ok(platform_parse(str_of(wanted), &p));
    return platform_distance(&p, "linux", architecture, variant);
}

TEST(distances) {
    assert_int_equal(distance("linux/amd64", "amd64", NULL), 0);
    assert_int_equal(distance("linux/amd64", "x86_64", "v1"), 0);
    assert_int_equal(distance("linux/amd64", "arm64", NULL), -1);
    assert_int_equal(distance("linux/amd64", "amd64", "v2"), -1);
    assert_true(distance("linux/amd64/v3", "amd64", "v2") == 1);
    assert_true(distance("linux/amd64/v3", "amd64", "") == 2);
    assert_true(distance("linux/amd64/v3", "amd64", "v4") == -1);
    assert_true(distance("linux/amd64", "386", NULL) > distance("linux/amd64/v4", "amd64", NULL));
    assert_int_equal(distance("linux/386", "amd64", NULL), -1);
    assert_int_equal(distance("linux/arm64", "arm64", "v8"), 0);
    assert_int_equal(distance("linux/arm64/v8", "arm64", NULL), 0);
    assert_true(distance("linux/arm64", "arm", "v7") > 0);
    assert_true(distance("linux/arm64", "arm", "v6") > distance("linux/arm64", "arm", "v7"));
    assert_int_equal(distance("linux/arm", "arm", "v7"), 0);
    assert_true(distance("linux/arm/v7", "arm", "v6") == 1);
    assert_int_equal(distance("linux/arm/v6", "arm", "v7"), -1);
    assert_int_equal(distance("linux/arm/v7", "arm64", NULL), -1);
    /* Configs often leave the variant out. */
    assert_true(distance("linux/arm/v6", "arm", NULL) > 0);
    assert_int_equal(distance("linux/ppc64le", "ppc64le", NULL), 0);
    assert_true(distance("linux/riscv64/rva22", "riscv64", NULL) > 0);
    assert_int_equal(distance("linux/riscv64", "riscv64", "rva22"), -1);
    struct platform p;
    assert_ok(platform_parse(STR("linux/amd64"), &p));
    assert_int_equal(platform_distance(&p, "windows", "amd64", NULL), -1);
    assert_int_equal(platform_distance(&p, NULL, "amd64", NULL), 0);
    assert_true(platform_distance(&p, NULL, NULL, NULL) > 0);
    /* Whatever it runs on, this machine runs the plainest. */
    platform_host(&p);
    assert_true(platform_distance(&p, "linux", PLATFORM_ARCHITECTURE, NULL) >= 0);
}

static struct oci_descriptor entry(char *architecture, char *variant, char *digest,
                                   struct oci_platform *p) {
    *p = (struct oci_platform){
        .os = (char *)"linux", .architecture = architecture, .variant = variant};
    return (struct oci_descriptor){
        .media_type = (char *)OCI_MANIFEST, .digest = digest, .platform = p};
}

/* The nearest of those that run there, wherever it stands. */
TEST(choice) {
    struct oci_platform p[4];
    struct oci_descriptor d[] = {entry((char *)"386", NULL, (char *)"a", &p[0]),
                                 entry((char *)"amd64", (char *)"v3", (char *)"b", &p[1]),
                                 entry((char *)"amd64", NULL, (char *)"c", &p[2]),
                                 entry((char *)"arm", (char *)"v6", (char *)"d", &p[3])};
    struct oci_index index = {.manifests = {.items = d, .n = ARRAY_LEN(d)}};
    static const char *const wanted[][2] = {{"linux/amd64", "c"},    {"linux/amd64/v3", "b"},
                                            {"linux/amd64/v4", "b"}, {"linux/386", "a"},
                                            {"linux/arm/v7", "d"},   {"linux/arm64", "d"}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        struct platform w;
        assert_ok(platform_parse(str_of(wanted[i][0]), &w));
        assert_string_equal(oci_index_choose(&index, &w)->digest, wanted[i][1]);
    }
    struct platform w;
    assert_ok(platform_parse(STR("linux/s390x"), &w));
    assert_null(oci_index_choose(&index, &w));
    index.manifests.n = 2;
    assert_ok(platform_parse(STR("linux/amd64"), &w));
    assert_string_equal(oci_index_choose(&index, &w)->digest, "a");
}
