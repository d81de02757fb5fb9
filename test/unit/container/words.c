/* Signal names, container names, states, durations. */
#include "base/time.h"
#include "container/private.h"
#include "kernel/signal.h"
#include "test.h"

static int signo(const char *text) {
    int n = -1;
    return signal_parse(text, &n) ? n : -1;
}

TEST(signals_by_number_and_name) {
    assert_int_equal(signo("9"), 9);
    assert_int_equal(signo("KILL"), 9);
    assert_int_equal(signo("sigterm"), 15);
    assert_int_equal(signo("SIGUSR1"), 10);
    assert_int_equal(signo("RTMIN"), 34);
    assert_int_equal(signo("SIGRTMIN+3"), 37);
    assert_int_equal(signo("RTMAX-1"), 63);
    const char *bad[] = {"",    "0",        "65",      "-9", "NOPE",
                         "SIG", "RTMIN+99", "RTMAX+1", "9x", "4294967305"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(signo(bad[i]), -1);
}

TEST(names_are_what_the_peer_allows) {
    const char *good[] = {"web", "a1", "Web_1.x-y"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_ok(container_check_name(good[i]));
    const char *bad[] = {"", "a", "_a", "-a", ".a", "a b", "a/b", "a\n", "\xc3\xa4\xc3\xb6"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(container_check_name(bad[i]), ERR_INVALID);
}

TEST(every_state_has_a_name_that_comes_back) {
    for (unsigned i = 0; i < CONTAINER_STATE_COUNT; i++) {
        enum container_state s;
        assert_true(container_state_from_name(container_state_name(i), &s));
        assert_int_equal(s, i);
    }
    enum container_state s;
    assert_false(container_state_from_name("sleeping", &s));
    assert_false(container_state_from_name(NULL, &s));
}

static void duration(int64_t seconds, const char *want) {
    CLEAN_BUF struct buf out = {0};
    container_duration_text(seconds * NSEC_PER_SEC, &out);
    assert_string_equal(buf_cstr(&out), want);
}

TEST(durations_in_the_words_of_the_peer) {
    duration(0, "Less than a second");
    duration(1, "1 second");
    duration(59, "59 seconds");
    duration(60, "About a minute");
    duration(119, "About a minute");
    duration(120, "2 minutes");
    duration(3599, "59 minutes");
    duration(3600, "About an hour");
    duration(5400, "2 hours");
    duration(47 * 3600, "47 hours");
    duration(48 * 3600, "2 days");
    duration(14 * 86400, "2 weeks");
    duration(60 * 86400, "2 months");
    duration(800 * 86400, "2 years");
}
