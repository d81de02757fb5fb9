/* The label of a cache image: what is written is read, what is malformed is an error. */
#include "build/cache.h"
#include "test.h"

static void prints(const char *text, const char *wanted) {
    CLEAN_BUF struct buf out = {0};
    struct cache_layers l;
    assert_ok(cache_layers_parse(str_of(text), 127, &l));
    cache_layers_print(&l, &out);
    assert_string_equal(buf_cstr(&out), wanted);
}

static void refused(const char *text, size_t n) {
    struct cache_layers l;
    assert_err(cache_layers_parse(str_of(text), n, &l), ERR_INVALID);
}

TEST(layers) {
    prints("0", "0");
    prints("0-3", "0-3");
    prints("0,1,2,5", "0-2,5");
    prints("3,2,1", "3,2,1");
    prints("0-126", "0-126");
    refused("", 3);
    refused("0", 0);
    refused("3", 3);
    refused("2-1", 3);
    refused("0-126,0", 127);
    refused("0-", 3);
    refused("-1", 3);
    refused("x", 3);
    refused("0,,1", 3);
}

TEST(records) {
    char key[65];
    memset(key, 'a', 64);
    key[64] = '\0';
    CLEAN_BUF struct buf text = {0};
    struct cache_layers l;
    struct str k, rest;
    bool more;
    buf_addf(&text, " %s:0-1  %s:2", key, key);
    rest = buf_str(&text);
    assert_ok(cache_next(&rest, 3, &k, &l, &more));
    assert_true(more && str_eqz(k, key) && l.n == 2 && l.numbers[1] == 1);
    assert_ok(cache_next(&rest, 3, &k, &l, &more));
    assert_true(more && l.n == 1 && l.numbers[0] == 2);
    assert_ok(cache_next(&rest, 3, &k, &l, &more));
    assert_false(more);
    rest = STR("abc:0");
    assert_err(cache_next(&rest, 3, &k, &l, &more), ERR_INVALID);
    key[5] = 'G';
    buf_clear(&text);
    buf_addf(&text, "%s:0", key);
    rest = buf_str(&text);
    assert_err(cache_next(&rest, 3, &k, &l, &more), ERR_INVALID);
    rest = str_of(key);
    assert_err(cache_next(&rest, 3, &k, &l, &more), ERR_INVALID);
}
