/* Networks that hold settings for others, and the daemon's defaults. Nothing here reaches the
 * kernel. */
#include "test.h"

#include "network/private.h"
#include <stdlib.h>

struct house {
    struct networks n;
    struct network *items[2];
};

static void house_done(struct house *h) {
    for (size_t i = 0; i < h->n.items_n; i++) {
        arena_done(&h->items[i]->arena);
        free(h->items[i]);
    }
    map_done(&h->n.by_name);
    arena_done(&h->n.arena);
}

static struct network *add(struct house *h, const char *name) {
    struct network *w = h->items[h->n.items_n] = NEW(struct network);
    w->name = arena_strz(&w->arena, name);
    map_set(&h->n.by_name, str_of(name), w);
    h->n.items = h->items;
    h->n.items_n++;
    return w;
}

TEST(what_a_configuration_network_cannot_say) {
    OWN(house_done) struct house h = {0};
    struct network *w = add(&h, "base");
    assert_err(settings_make(w, &(struct network_request){.config_from = "x"}), ERR_INVALID);
    assert_err(settings_make(w, &(struct network_request){.driver = "macvlan"}), ERR_INVALID);
    assert_err(settings_make(w, &(struct network_request){.internal = true}), ERR_INVALID);
    assert_err(settings_make(w, &(struct network_request){.attachable = true}), ERR_INVALID);
    assert_err(settings_make(w, &(struct network_request){.subnet = "10.0.0.0"}), ERR_INVALID);
    assert_err(settings_make(w, &(struct network_request){.subnet6 = "fd00::"}), ERR_INVALID);
    assert_false(w->config_only);
    assert_ok(settings_make(w, &(struct network_request){.driver = "bridge", .subnet = ""}));
    assert_true(w->config_only && w->driver == NETWORK_NONE && !w->settings->subnet);
}

TEST(settings_are_taken_over_and_labels_are_added) {
    OWN(house_done) struct house h = {0};
    CLEAN_ARENA struct arena a = {0};
    struct network *base = add(&h, "base"), *w = add(&h, "user");
    struct network_request r = {.subnet = "10.1.0.0/24",
                                .gateway = "10.1.0.9",
                                .ip_range = "10.1.0.128/25",
                                .subnet6 = "fd01::/64",
                                .six = true};
    strmap_set(&r.labels, &a, "a", "1");
    strmap_set(&r.labels, &a, "b", "1");
    strmap_set(&r.options, &a, "com.docker.network.driver.mtu", "1400");
    strmap_set(&r.aux, &a, "printer", "10.1.0.7");
    assert_ok(settings_make(base, &r));
    struct network_request user = {.name = "user", .config_from = "base"}, got;
    strmap_set(&user.labels, &a, "b", "2");
    assert_ok(settings_apply(&h.n, &user, w, &got));
    assert_string_equal(got.name, "user");
    assert_string_equal(got.subnet, "10.1.0.0/24");
    assert_string_equal(got.gateway, "10.1.0.9");
    assert_string_equal(got.ip_range, "10.1.0.128/25");
    assert_string_equal(got.subnet6, "fd01::/64");
    assert_null(got.gateway6);
    assert_true(got.six && !got.no_four);
    assert_string_equal(strmap_get(&got.aux, "printer"), "10.1.0.7");
    assert_string_equal(strmap_get(&got.options, "com.docker.network.driver.mtu"), "1400");
    assert_string_equal(strmap_get(&got.labels, "a"), "1");
    assert_string_equal(strmap_get(&got.labels, "b"), "2");
    assert_string_equal(w->config_from, "base");
    assert_string_equal(strmap_get(&base->labels, "b"), "1");
    assert_true(settings_used(&h.n, base) && !settings_used(&h.n, w));
}

TEST(who_takes_settings_says_none_of_his_own) {
    OWN(house_done) struct house h = {0};
    CLEAN_ARENA struct arena a = {0};
    struct network *base = add(&h, "base"), *w = add(&h, "plain");
    struct network_request got;
    assert_ok(settings_make(base, &(struct network_request){.subnet = "10.1.0.0/24"}));
    const struct network_request own[] = {
        {.config_from = "base", .subnet = "10.2.0.0/24"},
        {.config_from = "base", .subnet6 = "fd01::/64"},
        {.config_from = "base", .gateway = "10.1.0.1"},
        {.config_from = "base", .gateway6 = "fd01::1"},
        {.config_from = "base", .six = true},
        {.config_from = "base", .ip_range = "10.1.0.0/25"},
        {.config_from = "base", .ip_range6 = "fd01::/80"},
        {.config_from = "base", .no_four = true, .six = true},
        {.config_from = "plain"},
    };
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        assert_err(settings_apply(&h.n, &own[i], w, &got), ERR_FORBIDDEN);
    struct network_request r = {.config_from = "base"};
    strmap_set(&r.options, &a, "com.docker.network.driver.mtu", "1400");
    assert_err(settings_apply(&h.n, &r, w, &got), ERR_FORBIDDEN);
    assert_err(settings_apply(&h.n, &(struct network_request){.config_from = "none"}, w, &got),
               ERR_NOT_FOUND);
    base->removing = true;
    assert_err(settings_apply(&h.n, &(struct network_request){.config_from = "base"}, w, &got),
               ERR_FORBIDDEN);
    assert_null(w->config_from);
}

TEST(defaults_of_the_daemon_fill_what_is_not_said) {
    OWN(house_done) struct house h = {0};
    struct network *w = add(&h, "w");
    assert_ok(settings_defaults(
        &h.n,
        (const char *const[2]){"[\"bridge=com.docker.network.driver.mtu=1400\"]",
                               "{\"bridge\":{\"a\":\"b=c\"},\"macvlan\":{\"parent\":\"eth7\"}}"}));
    w->driver = NETWORK_BRIDGE;
    strmap_set(&w->options, &w->arena, "a", "own");
    settings_complete(&h.n, w);
    assert_int_equal(w->options.n, 2);
    assert_string_equal(strmap_get(&w->options, "a"), "own");
    assert_string_equal(strmap_get(&w->options, "com.docker.network.driver.mtu"), "1400");
    static const char *const bad[][2] = {
        {"[\"bridge=mtu\"]", NULL},
        {"[\"overlay=a=b\"]", NULL},
        {"[\"bridge==x\"]", NULL},
        {"[\"", NULL},
        {NULL, "[]"},
        {NULL, "{\"bridge\":5}"},
        {NULL, "{\"bridge\":{\"a\":1}}"},
        {NULL, "{\"host\":{\"a\":\"b\"}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(settings_defaults(&h.n, bad[i]), ERR_INVALID);
}
