#include "spec/samples.h"
#include "test.h"

static void reads(const char *in, const char *out) {
    CLEAN_BUF struct buf b = {0};
    samples_read(str_of(in), &b);
    assert_string_equal(buf_cstr(&b), out);
}

TEST(prometheus_text) {
    reads("# HELP a b\n# TYPE a counter\na 1\nb{x=\"1\",y=\"a\\\"b\\\\c\\n\"} 2.5 1700000000\n"
          "c{} 3\nnan NaN\nbad{x=1} 2\n{x=\"1\"} 2\nd{x=\"unfinished} 1\n",
          "a 1\nb{x=\"1\",y=\"a\\\"b\\\\c\\n\"} 2.5\nc 3\n");
}

TEST(statsd_lines) {
    reads("queries:10|c\ntemp.cpu:3.5|g|#core:1,host:a\nsampled:2|c|@0.5\nset:x|s\n",
          "queries 10\ntemp_cpu{core=\"1\",host=\"a\"} 3.5\nsampled 4\n");
}

TEST(graphite_lines) {
    reads("servers.web-1.load 0.25 1700000000\n1up 2\n", "servers_web_1_load 0.25\n_1up 2\n");
}

TEST(json_numbers) {
    reads("{\"a\":1,\"up\":true,\"s\":\"x\",\"n\":{\"in\":2.5,\"deep\":{\"er\":3}},\"l\":[1]}",
          "a 1\nup 1\nn_in 2.5\nn_deep_er 3\n");
}

TEST(control_bytes_and_floods_do_not_come_through) {
    CLEAN_BUF struct buf in = {0}, out = {0};
    reads("a{x=\"\x1b[31m\"} 1\n", "a{x=\"_[31m\"} 1\n");
    for (int i = 0; i < 5000; i++)
        buf_addf(&in, "metric_%d 1\n", i);
    samples_read(buf_str(&in), &out);
    size_t lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert_int_equal(lines, SAMPLES_MAX);
    assert_true(out.len <= SAMPLES_TEXT);
}

TEST(the_containers_labels_win) {
    CLEAN_BUF struct buf out = {0};
    samples_label(STR("a 1\nb{x=\"1\",container=\"lie\"} 2\n"), "m_", "container=\"web\"", &out);
    assert_string_equal(buf_cstr(&out),
                        "m_a{container=\"web\"} 1\nm_b{container=\"web\",x=\"1\"} 2\n");
}
