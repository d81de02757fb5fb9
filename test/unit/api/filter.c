#include "api/filter.h"
#include "api/events.h"
#include "api/host.h"
#include "base/time.h"
#include "test.h"

#define WORDS(...) \
    (&(struct strs){.items = (char *[]){__VA_ARGS__}, .n = sizeof((char *[]){__VA_ARGS__}) / 8})

static struct api_filters one(const char *name, struct strs values) {
    static struct api_filter f;
    f = (struct api_filter){.name = (char *)(uintptr_t)name, .values = values};
    return (struct api_filters){.items = &f, .n = 1};
}

TEST(names_match_anywhere_or_at_anchors) {
    char w[] = "we", start[] = "^we", end[] = "eb$", both[] = "^web$", none[] = "x";
    assert_true(api_filter_match(NULL, "anything"));
    assert_true(api_filter_match(WORDS(none, w), "aweb"));
    assert_false(api_filter_match(WORDS(start), "aweb"));
    assert_true(api_filter_match(WORDS(start), "web"));
    assert_true(api_filter_match(WORDS(end), "aweb"));
    assert_false(api_filter_match(WORDS(both), "aweb"));
    assert_true(api_filter_match(WORDS(both), "web"));
}

TEST(booleans_are_checked) {
    char yes[] = "1", no[] = "false", bad[] = "maybe";
    struct api_filters f = one("dangling", *WORDS(yes));
    assert_ok(api_filter_check_bool(&f, "dangling"));
    assert_ok(api_filter_check_bool(&f, "absent"));
    assert_true(api_filter_bool(api_filter(&f, "dangling")));
    assert_false(api_filter_bool(WORDS(no)));
    assert_false(api_filter_bool(NULL));
    f = one("dangling", *WORDS(bad));
    struct err e = api_filter_check_bool(&f, "dangling");
    assert_string_equal(err_msg(e), "invalid filter 'dangling=[maybe]'");
    err_free(e);
    f = one("dangling", *WORDS(yes, no));
    assert_err(api_filter_check_bool(&f, "dangling"), ERR_INVALID);
}

TEST(references_match_shell_patterns) {
    struct reference ref;
    char star[] = "busy*", tag[] = "busybox:1.*", other[] = "*/busybox", whole[] = "busybox";
    assert_ok(reference_parse(STR("busybox:1.36"), &ref));
    assert_true(api_filter_reference(WORDS(star), &ref));
    assert_true(api_filter_reference(WORDS(tag), &ref));
    assert_true(api_filter_reference(WORDS(whole), &ref));
    assert_false(api_filter_reference(WORDS(other), &ref));
    assert_ok(reference_parse(STR("localhost:5000/a/busybox:1"), &ref));
    assert_false(api_filter_reference(WORDS(star), &ref)); /* '*' stops at a slash */
}

TEST(until_takes_times_and_durations) {
    char at[] = "1700000000", ago[] = "10m", bad[] = "soon";
    int64_t until = 7;
    struct api_filters f = {0};
    assert_ok(api_filter_until(&f, &until));
    assert_int_equal(until, 7);
    f = one("until", *WORDS(at));
    assert_ok(api_filter_until(&f, &until));
    assert_int_equal(until, 1700000000 * NSEC_PER_SEC);
    f = one("until", *WORDS(ago));
    assert_ok(api_filter_until(&f, &until));
    int64_t off = time_now() - 600 * NSEC_PER_SEC - until;
    assert_true(off >= 0 && off < NSEC_PER_SEC);
    f = one("until", *WORDS(bad));
    assert_err(api_filter_until(&f, &until), ERR_INVALID);
    f = one("until", *WORDS(at, ago));
    assert_err(api_filter_until(&f, &until), ERR_INVALID);
}

TEST(any_label_is_enough_for_the_negated_filter) {
    struct strpair pairs[] = {{(char *)"a", (char *)"1"}};
    struct strmap labels = {.items = pairs, .n = 1};
    char a[] = "a", a2[] = "a=2", b[] = "b";
    assert_true(api_filter_any_label(WORDS(b, a), &labels));
    assert_false(api_filter_any_label(WORDS(b, a2), &labels));
    assert_false(api_filter_any_label(NULL, &labels));
}

/* --- events -------------------------------------------------------------------------------- */

static struct api_event started(struct arena *a) {
    struct api_event e = {.type = (char *)"container",
                          .action = (char *)"start",
                          .scope = (char *)"local",
                          .actor.id = (char *)"0123456789abcdef"};
    strmap_set(&e.actor.attributes, a, "name", "web");
    strmap_set(&e.actor.attributes, a, "image", "nginx:1.25");
    return e;
}

static bool wanted(const struct api_event *e, const char *name, const char *value) {
    struct strs values = {.items = (char *[]){(char *)(uintptr_t)value}, .n = 1};
    struct api_filters f = one(name, values);
    return events_match(e, &f);
}

TEST(events_are_chosen_by_type_actor_and_label) {
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = started(&a);
    struct api_filters none = {0};
    assert_true(events_match(&e, &none));
    assert_true(wanted(&e, "type", "container"));
    assert_false(wanted(&e, "type", "image"));
    assert_true(wanted(&e, "container", "0123"));
    assert_true(wanted(&e, "container", "web"));
    assert_false(wanted(&e, "container", "db"));
    assert_false(wanted(&e, "network", "bridge"));
    assert_true(wanted(&e, "label", "name=web"));
    assert_false(wanted(&e, "label", "name=db"));
    assert_true(wanted(&e, "scope", "local"));
    assert_false(wanted(&e, "scope", "swarm"));
}

TEST(events_of_containers_count_for_their_image) {
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = started(&a);
    assert_true(wanted(&e, "image", "nginx:1.25"));
    assert_true(wanted(&e, "image", "nginx"));
    assert_false(wanted(&e, "image", "ngin"));
}

TEST(actions_with_a_colon_are_asked_for_without) {
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = started(&a);
    assert_true(wanted(&e, "event", "start"));
    assert_false(wanted(&e, "event", "star"));
    e.action = (char *)"exec_create: sh -c true";
    assert_true(wanted(&e, "event", "exec_create"));
    assert_false(wanted(&e, "event", "start"));
}

/* --- host ---------------------------------------------------------------------------------- */

TEST(os_release_values) {
    CLEAN_ARENA struct arena a = {0};
    struct str text = STR("# comment\nNAME=plain\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
                          "VERSION_ID='12'\nNAMESAKE=no\nEMPTY=\n");
    assert_string_equal(host_release_value(text, "PRETTY_NAME", &a),
                        "Debian GNU/Linux 12 (bookworm)");
    assert_string_equal(host_release_value(text, "VERSION_ID", &a), "12");
    assert_string_equal(host_release_value(text, "NAME", &a), "plain");
    assert_string_equal(host_release_value(text, "EMPTY", &a), "");
    assert_string_equal(host_release_value(text, "MISSING", &a), "");
}
