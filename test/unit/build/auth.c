/* Credentials of one registry out of X-Registry-Config. */
#include "build/auth.h"
#include "test.h"

/* {"r.example:5000":{"username":"u?"},"https://index.docker.io/v1/":{"username":"hub"}} */
static const char config[] =
    "eyJyLmV4YW1wbGU6NTAwMCI6eyJ1c2VybmFtZSI6InU_In0sImh0dHBzOi8vaW5kZXguZG9ja2VyLm"
    "lvL3YxLyI6eyJ1c2VybmFtZSI6Imh1YiJ9fQ==";

static void is(const char *image, const char *want) {
    CLEAN_ARENA struct arena a = {0};
    char *got;
    assert_ok(auth_for_image(config, image, &a, &got));
    if (!want)
        assert_null(got);
    else
        assert_string_equal(got, want);
}

TEST(one_registry) {
    is("r.example:5000/a/b:1", "eyJ1c2VybmFtZSI6InU_In0=");
    is("debian:12", "eyJ1c2VybmFtZSI6Imh1YiJ9");
    is("user/app", "eyJ1c2VybmFtZSI6Imh1YiJ9");
    is("docker.io/user/app", "eyJ1c2VybmFtZSI6Imh1YiJ9");
    is("r.example/a", NULL);
    is("localhost/a", NULL);
}

TEST(nothing_and_nonsense) {
    CLEAN_ARENA struct arena a = {0};
    char *got;
    assert_ok(auth_for_image("", "a", &a, &got));
    assert_null(got);
    assert_ok(auth_for_image("e30=", "a", &a, &got));
    assert_null(got);
    assert_err(auth_for_image("!", "a", &a, &got), ERR_INVALID);
    assert_err(auth_for_image("e30", "a", &a, &got), ERR_OK);
    assert_err(auth_for_image("W10=", "a", &a, &got), ERR_INVALID);
    assert_err(auth_for_image("e3", "a", &a, &got), ERR_INVALID);
}
