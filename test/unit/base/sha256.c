#include "base/sha256.h"
#include "test.h"

/* FIPS 180-2 appendix B. */
static const char abc_text[] =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char empty_hex[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(known_values) {
    struct digest d;
    char text[DIGEST_TEXT_MAX], hex[65];
    digest_of(STR("abc"), &d);
    assert_string_equal(digest_text(&d, text), abc_text);
    digest_of(STR_NONE, &d);
    assert_string_equal(digest_hex(&d, hex), empty_hex);
}

TEST(pieces_give_the_same_and_it_starts_over) {
    struct sha256 *h = sha256_new();
    struct digest d, want;
    digest_of(STR("abc"), &want);
    for (int round = 0; round < 2; round++) {
        sha256_add(h, "a", 1);
        sha256_add(h, NULL, 0);
        sha256_add(h, "bc", 2);
        sha256_end(h, d.bytes);
        assert_true(digest_eq(&d, &want));
    }
    sha256_clean(&h);
    assert_null(h);
    sha256_free(NULL);
}

TEST(digests_are_parsed_strictly) {
    struct digest d = {{1}}, same;
    assert_ok(digest_parse(str_of(abc_text), &d));
    digest_of(STR("abc"), &same);
    assert_true(digest_eq(&d, &same));
    static const char *const bad[] = {
        "",
        "sha256",
        ":",
        "sha256:",
        "sha256:abc",
        "sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "sha256:../../../../etc/passwd0000000000000000000000000000000000000000000",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(digest_parse(str_of(bad[i]), &d), ERR_INVALID);
    assert_err(digest_parse(STR("sha512:00"), &d), ERR_UNSUPPORTED);
    assert_true(digest_eq(&d, &same));
}
