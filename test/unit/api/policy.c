/* What a listener lets through. */
#include "api/api.h"
#include "test.h"

static bool lets(const struct api_policy *p, const char *method, const char *path) {
    struct err e = api_policy_check(p, str_of(method), str_of(path));
    bool ok = !err_failed(e);
    if (!ok)
        assert_int_equal(err_kind(e), ERR_FORBIDDEN);
    err_free(e);
    return ok;
}

TEST(no_policy_lets_everything_through) {
    assert_true(lets(NULL, "DELETE", "/containers/x"));
}

TEST(read_only_looks_and_touches_nothing) {
    const struct api_policy p = {.read_only = true};
    assert_true(lets(&p, "GET", "/containers/json"));
    assert_true(lets(&p, "HEAD", "/_ping"));
    assert_true(lets(&p, "GET", "/events"));
    assert_false(lets(&p, "POST", "/containers/create"));
    assert_false(lets(&p, "DELETE", "/images/x"));
    assert_false(lets(&p, "GET", "/containers/x/attach/ws"));
    assert_false(lets(&p, "GET", "/containers/x/archive"));
    assert_false(lets(&p, "HEAD", "/containers/x/archive"));
    assert_false(lets(&p, "GET", "/containers/x/export"));
    assert_false(lets(&p, "GET", "/images/library/x/get"));
}

TEST(allow_lists_method_and_path) {
    static const char *const allow[] = {"GET /containers/*", "POST /containers/*/restart",
                                        "* /networks", NULL};
    const struct api_policy p = {.allow = allow};
    assert_true(lets(&p, "GET", "/_ping"));
    assert_true(lets(&p, "GET", "/containers/json"));
    assert_true(lets(&p, "POST", "/containers/x/restart"));
    assert_true(lets(&p, "PUT", "/networks"));
    assert_false(lets(&p, "POST", "/containers/x/stop"));
    assert_false(lets(&p, "GET", "/networks/x"));
    assert_false(lets(&p, "GET", "/images/json"));
    const struct api_policy both = {.allow = allow, .read_only = true};
    assert_false(lets(&both, "POST", "/containers/x/restart"));
}
