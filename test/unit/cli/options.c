/* The option parser, port texts, sizes. */
#include "cli/command.h"
#include "test.h"

struct opts {
    bool all, it, tty;
    const char *name;
    struct strv env;
    int64_t n;
};
static const struct option_row rows[] = {
    FLAG(struct opts, all, 'a', "all", ""),      FLAG(struct opts, it, 'i', "interactive", ""),
    FLAG(struct opts, tty, 't', "tty", ""),      TEXT(struct opts, name, 0, "name", "N", ""),
    LIST(struct opts, env, 'e', "env", "E", ""), INT(struct opts, n, 'n', "last", "N", ""),
};
static const struct command plain = {
    .name = "x", .usage = "x", .summary = "", OPTIONS_OF(rows, struct opts), .args_max = -1};
static const struct command stops = {.name = "x",
                                     .usage = "x",
                                     .summary = "",
                                     OPTIONS_OF(rows, struct opts),
                                     .args_max = -1,
                                     .stop_at_args = true};

static struct err parse(const struct command *c, struct invocation *in, const char *const *argv) {
    bool help;
    *in = (struct invocation){0};
    return options_parse(c, (char **)argv, in, &help);
}
#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(all_ways_to_write_an_option) {
    struct invocation in;
    assert_ok(parse(&plain, &in,
                    ARGV("-it", "--name=web", "-e", "A=1", "-eB=2", "--env", "C=3", "pos", "--last",
                         "5", "-a")));
    struct opts *o = in.options;
    assert_true(o->it && o->tty && o->all);
    assert_string_equal(o->name, "web");
    assert_int_equal(o->env.n, 3);
    assert_string_equal(o->env.items[1], "B=2");
    assert_int_equal(o->n, 5);
    assert_int_equal(in.args_n, 1);
    assert_string_equal(in.args[0], "pos");
    options_done(&plain, &in);
}

TEST(options_end_at_the_first_argument_of_run) {
    struct invocation in;
    assert_ok(parse(&stops, &in, ARGV("-t", "image", "-a", "--name", "x")));
    struct opts *o = in.options;
    assert_true(o->tty);
    assert_false(o->all);
    assert_int_equal(in.args_n, 4);
    options_done(&stops, &in);
    assert_ok(parse(&plain, &in, ARGV("--", "-a")));
    assert_string_equal(in.args[0], "-a");
    options_done(&plain, &in);
}

static void refused(const char *const *argv, const char *text) {
    struct invocation in;
    struct err e = parse(&plain, &in, argv);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_string_equal(err_msg(e), text);
    err_free(e);
    options_done(&plain, &in);
}

TEST(bad_options_are_named) {
    refused(ARGV("--nme", "x"), "unknown flag: --nme");
    refused(ARGV("-ix"), "unknown shorthand flag: 'x' in -x");
    refused(ARGV("--name"), "flag needs an argument: --name");
    refused(ARGV("-e"), "flag needs an argument: 'e' in -e");
    refused(
        ARGV("--all=maybe"),
        "invalid argument \"maybe\" for \"-a, --all\" flag: expected true or false, got \"maybe\"");
}

static const char *binding(struct objmap *m, const char *key, size_t i) {
    struct objs *list = objmap_get(m, key);
    assert_non_null(list);
    assert_true(i < list->n);
    return ((struct api_port_binding *)list->items)[i].host_port;
}

TEST(published_ports) {
    CLEAN_ARENA struct arena a = {0};
    struct objmap m = {0};
    struct strs exposed = {0};
    assert_ok(port_option("8080:80", &m, &exposed, &a));
    assert_ok(port_option("127.0.0.1:9000-9002:90-92/udp", &m, &exposed, &a));
    assert_ok(port_option("443", &m, &exposed, &a));
    assert_ok(port_option("8000-8010:81", &m, &exposed, &a));
    assert_string_equal(binding(&m, "80/tcp", 0), "8080");
    assert_string_equal(binding(&m, "91/udp", 0), "9001");
    assert_string_equal(binding(&m, "443/tcp", 0), "");
    assert_string_equal(binding(&m, "81/tcp", 0), "8000-8010");
    assert_int_equal(exposed.n, 6);
    assert_err(port_option("1-5:1-3", &m, &exposed, &a), ERR_INVALID);
    assert_err(port_option("80/icmp", &m, &exposed, &a), ERR_INVALID);
    assert_err(port_option("70000:80", &m, &exposed, &a), ERR_INVALID);
    assert_err(port_option("a.b:1:2", &m, &exposed, &a), ERR_INVALID);
    assert_err(port_option("published=1,nope=2", &m, &exposed, &a), ERR_INVALID);
    assert_err(port_option("published=1", &m, &exposed, &a), ERR_INVALID);
    assert_ok(port_option("target=70,published=7000,protocol=UDP,mode=host", &m, &exposed, &a));
    assert_string_equal(binding(&m, "70/udp", 0), "7000");
    assert_err(port_option("", &m, &exposed, &a), ERR_INVALID);
}

TEST(sizes_and_cpus) {
    int64_t n;
    assert_ok(size_option("64m", &n));
    assert_int_equal(n, 64 << 20);
    assert_ok(size_option("2GB", &n));
    assert_int_equal(n, INT64_C(2) << 30);
    assert_err(size_option("99999999999t", &n), ERR_INVALID);
    assert_err(size_option("-1m", &n), ERR_INVALID);
    assert_ok(size_option("6.5 MiB", &n));
    assert_int_equal(n, 6815744);
    assert_ok(size_option("1.5", &n));
    assert_int_equal(n, 1);
    static const char *const bad[] = {"",      " ",     "m",   "1q",   "1bb", "1mm",
                                      "1mibb", "1.2.3", "1e3", "0x10", "inf"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(size_option(bad[i], &n), ERR_INVALID);
    assert_ok(cpus_option("1.5", &n));
    assert_int_equal(n, 1500000000);
    assert_ok(cpus_option(".25", &n));
    assert_int_equal(n, 250000000);
    assert_ok(cpus_option("1e-3", &n));
    assert_int_equal(n, 1000000);
    assert_ok(cpus_option("1/4", &n));
    assert_int_equal(n, 250000000);
    assert_ok(cpus_option("0.3", &n));
    assert_int_equal(n, 300000000);
    assert_ok(cpus_option("63.999999999", &n));
    assert_int_equal(n, INT64_C(63999999999));
    assert_err(cpus_option("1/0", &n), ERR_INVALID);
    assert_err(cpus_option("1e99", &n), ERR_INVALID);
    assert_err(cpus_option("1.0000000001", &n), ERR_INVALID);
    assert_err(cpus_option("x", &n), ERR_INVALID);
}
