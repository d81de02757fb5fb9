#include "test.h"

#include <errno.h>

TEST(success_costs_nothing) {
    assert_false(err_failed(OK));
    assert_int_equal(err_kind(OK), ERR_OK);
    assert_string_equal(err_msg(OK), "");
    assert_int_equal(err_errnum(OK), 0);
    err_free(OK);
}

TEST(message_grows_outward) {
    struct err e = err_errno(ENOSPC, "mount rootfs");
    e = err_wrap(e, "start container '%s'", "web");
    assert_string_equal(err_msg(e), "start container 'web': mount rootfs: No space left on device");
    assert_int_equal(err_errnum(e), ENOSPC);
    assert_int_equal(err_kind(e), ERR_SYSTEM);
    err_free(e);
}

TEST(negative_errno_is_taken) {
    struct err e = err_kind_errno(ERR_NOT_FOUND, -ENOENT, "open '%s'", "x");
    assert_string_equal(err_msg(e), "open 'x': No such file or directory");
    assert_int_equal(err_errnum(e), ENOENT);
    assert_int_equal(err_kind(e), ERR_NOT_FOUND);
    err_free(e);
}

TEST(kind_changes_and_success_passes) {
    struct err e = err_as(err_new(ERR_INVALID, "no"), ERR_CONFLICT);
    assert_int_equal(err_kind(e), ERR_CONFLICT);
    err_free(e);
    assert_false(err_failed(err_as(OK, ERR_CONFLICT)));
    assert_false(err_failed(err_wrap(OK, "words")));
}

TEST(kind_names_round_trip) {
    for (int k = ERR_OK; k < ERR_KIND_COUNT; k++)
        assert_int_equal(err_kind_from_name(err_kind_name((enum err_kind)k)), k);
    assert_int_equal(err_kind_from_name("nonsense"), ERR_SYSTEM);
    assert_int_equal(err_kind_from_name(NULL), ERR_SYSTEM);
}

static struct err fails(void) {
    return err_new(ERR_TIMEOUT, "inner");
}
static struct err tries(void) {
    TRYF(fails(), "outer %d", 1);
    return OK;
}
static struct err tries_plain(bool fail) {
    TRY(fail ? fails() : OK);
    return err_new(ERR_CONFLICT, "went on");
}

TEST(try_returns_early) {
    CLEAN_ERR struct err e = tries();
    assert_string_equal(err_msg(e), "outer 1: inner");
    assert_err(tries_plain(true), ERR_TIMEOUT);
    assert_err(tries_plain(false), ERR_CONFLICT);
}

TEST(error_from_another_process_keeps_its_parts) {
    struct err e = err_restore(ERR_CONFLICT, EBUSY, "name taken...", 10);
    assert_int_equal(err_kind(e), ERR_CONFLICT);
    assert_int_equal(err_errnum(e), EBUSY);
    assert_string_equal(err_msg(e), "name taken");
    err_free(e);
    e = err_restore(ERR_OK, 0, NULL, 0);
    assert_int_equal(err_kind(e), ERR_SYSTEM);
    assert_string_equal(err_msg(e), "");
    err_free(e);
}
