/* Annotations of manifests: what is nearest wins, limits, what is no word about the image. */
#include "base/mem.h"
#include "spec/oci_annotations.h"
#include "test.h"

static char *repeat(struct arena *a, char c, size_t n) {
    char *z = arena_alloc(a, n + 1);
    memset(z, c, n);
    return z;
}

TEST(the_first_one_wins) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_annotations all = {0};
    struct strmap near = {0}, far = {0};
    strmap_set(&near, &a, "org.opencontainers.image.title", "near");
    strmap_set(&far, &a, "org.opencontainers.image.title", "far");
    strmap_set(&far, &a, "vendor", "v");
    oci_annotations_add(&all, &a, &near);
    oci_annotations_add(&all, &a, &far);
    assert_int_equal(all.all.n, 2);
    assert_string_equal(strmap_get(&all.all, "org.opencontainers.image.title"), "near");
    assert_string_equal(strmap_get(&all.all, "vendor"), "v");
}

TEST(names_and_attestations_stay_out) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_annotations all = {0};
    struct strmap m = {0};
    strmap_set(&m, &a, "io.containerd.image.name", "x");
    strmap_set(&m, &a, "org.opencontainers.image.ref.name", "x");
    strmap_set(&m, &a, "vnd.docker.reference.digest", "x");
    strmap_set(&m, &a, "", "x");
    oci_annotations_add(&all, &a, &m);
    assert_int_equal(all.all.n, 0);
}

TEST(what_is_too_large_is_left_out) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_annotations all = {0};
    struct strmap m = {0};
    strmap_set(&m, &a, "value", repeat(&a, 'v', OCI_ANNOTATION_VALUE_MAX + 1));
    strmap_set(&m, &a, repeat(&a, 'k', OCI_ANNOTATION_KEY_MAX + 1), "v");
    strmap_set(&m, &a, "fits", repeat(&a, 'v', OCI_ANNOTATION_VALUE_MAX));
    oci_annotations_add(&all, &a, &m);
    assert_int_equal(all.all.n, 1);
    assert_string_equal(all.all.items[0].key, "fits");
    for (int i = 0; i < 100; i++)
        strmap_set(&m, &a, arena_printf(&a, "k%d", i), "");
    oci_annotations_add(&all, &a, &m);
    assert_int_equal(all.all.n, OCI_ANNOTATIONS_MAX);
    struct oci_annotations large = {0};
    struct strmap many = {0};
    for (int i = 0; i < 40; i++)
        strmap_set(&many, &a, arena_printf(&a, "k%d", i), repeat(&a, 'v', 4000));
    oci_annotations_add(&large, &a, &many);
    assert_true(large.bytes <= OCI_ANNOTATIONS_BYTES && large.all.n == 16);
}

TEST(what_was_written_is_read_and_nothing_else) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct oci_annotations all = {0}, read = {0};
    struct strmap m = {0};
    strmap_set(&m, &a, "esc", "\x1b[31m\"\n");
    strmap_set(&m, &a, "n", "");
    oci_annotations_add(&all, &a, &m);
    fields_print(&oci_annotations_fields, &all, &text);
    assert_ok(oci_annotations_parse(buf_str(&text), &a, &read));
    assert_int_equal(read.all.n, 2);
    assert_string_equal(strmap_get(&read.all, "esc"), "\x1b[31m\"\n");
    static const char *const bad[] = {"", "[]", "{\"annotations\":{\"a\":1}}",
                                      "{\"annotations\":{\"\":\"x\"}}", "{\"annotations\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = oci_annotations_parse(str_of(bad[i]), &a, &read);
        assert_true(err_failed(e));
        err_free(e);
    }
    CLEAN_BUF struct buf big = {0};
    buf_addf(&big, "{\"annotations\":{\"a\":\"%s\"}}", repeat(&a, 'x', 5000));
    struct err e = oci_annotations_parse(buf_str(&big), &a, &read);
    assert_int_equal(err_kind(e), ERR_INVALID);
    err_free(e);
}
