/* The ancestry of an image: oldest first, bounded, and deaf to nonsense. */
#include "build/provenance.h"
#include "spec/lifecycle.h"
#include "base/json.h"
#include "test.h"

static struct strmap labels(struct arena *a, const char *key, const char *value) {
    struct strmap m = {0};
    strmap_set(&m, a, key, value);
    return m;
}

TEST(appends_the_base) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap l = labels(&a, "corten.build.ancestry", "[{\"name\":\"old\"}]");
    strmap_set(&l, &a, "corten.build.project", "p");
    strmap_set(&l, &a, "other", "x");
    struct ancestor all[] = {{.name = "tools", .id = "sha256:1", .copied = true},
                             {.name = "base:1", .id = "sha256:2", .created = "t", .labels = &l}};
    assert_string_equal(
        ancestry_text(all, 2, &a),
        "[{\"name\":\"old\"},"
        "{\"name\":\"tools\",\"id\":\"sha256:1\",\"by\":\"copy\"},"
        "{\"name\":\"base:1\",\"id\":\"sha256:2\",\"created\":\"t\",\"by\":\"from\","
        "\"labels\":{\"corten.build.project\":\"p\"}}]");
}

TEST(another_stages_ancestors_come_along_once) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap tools = labels(&a, "corten.build.ancestry",
                                 "[{\"name\":\"os\",\"id\":\"sha256:0\"},"
                                 "{\"name\":\"compiler\",\"id\":\"sha256:9\"}]");
    struct strmap base = labels(&a, "corten.build.ancestry",
                                "[{\"name\":\"os\",\"id\":\"sha256:0\"}]");
    struct ancestor all[] = {{.name = "tools", .id = "sha256:1", .copied = true, .labels = &tools},
                             {.name = "base", .id = "sha256:2", .labels = &base}};
    assert_string_equal(ancestry_text(all, 2, &a),
                        "[{\"name\":\"os\",\"id\":\"sha256:0\"},"
                        "{\"name\":\"compiler\",\"id\":\"sha256:9\",\"by\":\"copy\"},"
                        "{\"name\":\"tools\",\"id\":\"sha256:1\",\"by\":\"copy\"},"
                        "{\"name\":\"base\",\"id\":\"sha256:2\",\"by\":\"from\"}]");
}

TEST(annotations_tell_what_labels_do_not) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap l = labels(&a, "org.opencontainers.image.title", "own");
    struct strmap n = labels(&a, "org.opencontainers.image.title", "other");
    strmap_set(&n, &a, "org.opencontainers.image.revision", "abc");
    strmap_set(&n, &a, "corten.method.validate", "true");
    struct ancestor base = {.name = "b", .id = "sha256:3", .labels = &l, .annotations = &n};
    assert_string_equal(ancestry_text(&base, 1, &a),
                        "[{\"name\":\"b\",\"id\":\"sha256:3\",\"by\":\"from\",\"labels\":"
                        "{\"org.opencontainers.image.title\":\"own\","
                        "\"org.opencontainers.image.revision\":\"abc\"}}]");
}

TEST(short_form_and_nonsense) {
    CLEAN_ARENA struct arena a = {0};
    struct strmap l = labels(&a, "corten.build.ancestors", "one@sha256:1 two:x@sha256:2");
    struct ancestor base = {.name = "b", .id = "sha256:3", .labels = &l};
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(str_of(ancestry_text(&base, 1, &a)), &j));
    assert_int_equal(json_len(j), 3);
    assert_true(str_eqz(json_str(json_get(json_at(j, 1), "name")), "two:x"));
    assert_string_equal(ancestors_text(&base, &a),
                        "one@sha256:1 two:x@sha256:2 b@sha256:3");
    l = labels(&a, "corten.build.ancestry", "[[[{");
    assert_string_equal(ancestry_text(&base, 1, &a),
                        "[{\"name\":\"b\",\"id\":\"sha256:3\",\"by\":\"from\"}]");
}

TEST(keeps_the_newest) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    buf_addc(&text, '[');
    for (int i = 0; i < LIFECYCLE_ANCESTORS_MAX; i++)
        buf_addf(&text, "%s{\"name\":\"n%d\"}", i ? "," : "", i);
    buf_addc(&text, ']');
    struct strmap l = labels(&a, "corten.build.ancestry", buf_cstr(&text));
    struct ancestor base = {.name = "b", .id = "sha256:3", .labels = &l};
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(str_of(ancestry_text(&base, 1, &a)), &j));
    assert_int_equal(json_len(j), LIFECYCLE_ANCESTORS_MAX);
    assert_true(str_eqz(json_str(json_get(json_at(j, 0), "name")), "n1"));
}
