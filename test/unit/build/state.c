/* What the config-only instructions do to config, variables and history. */
#include "build/plan.h"
#include "test.h"

struct run {
    struct arena arena;
    struct request request;
    struct dockerfile *file;
    struct strmap globals;
    struct state state;
};

static struct err apply(struct run *r, const char *text, const char *query, const char *base) {
    struct arena *a = &r->arena;
    strmap_set(&r->globals, a, "G", "global");
    TRY(request_parse(str_of(query), a, &r->request));
    TRY(dockerfile_parse(str_of(text), "Dockerfile", a, &r->file));
    r->state =
        (struct state){.arena = a, .file = r->file, .request = &r->request, .globals = &r->globals};
    if (base)
        TRY(state_base(&r->state, str_of(base)));
    else
        state_scratch(&r->state, "linux", "amd64");
    for (size_t i = 0; i < r->file->n; i++) {
        struct instr in;
        TRY(instruction_parse(r->file, r->file->nodes[i], a, &in));
        TRY(state_apply(&r->state, &in));
    }
    return OK;
}
static void history_is(struct run *r, size_t i, const char *want) {
    assert_true(i < r->state.image.history.n);
    const struct oci_history *h = &((struct oci_history *)r->state.image.history.items)[i];
    assert_string_equal(h->created_by, want);
    assert_true(h->empty_layer);
    assert_string_equal(h->comment, "buildkit.dockerfile.v0");
}
static void config_is(struct run *r, const char *want) {
    CLEAN_BUF struct buf b = {0};
    fields_print(&oci_run_fields, &r->state.image.config, &b);
    assert_string_equal(buf_cstr(&b), want);
}
static void refused(const char *text, const char *words) {
    struct run r = {0};
    struct err e = apply(&r, text, "", NULL);
    if (!err_failed(e) || !strstr(err_msg(e), words))
        fail_msg("'%s' says '%s', not '%s'", text, err_msg(e), words);
    err_free(e);
    arena_done(&r.arena);
}

TEST(env_and_labels) {
    struct run r = {0};
    assert_ok(
        apply(&r, "ENV a=1 b=$a\nENV a=2 b=\"$a x\"\nENV c d  e\nLABEL l=$b 'm n'=o\n", "", NULL));
    config_is(&r, "{\"Env\":[\"PATH=" BUILD_PATH
                  "\",\"a=2\",\"b=1 x\",\"c=d  e\"],\"WorkingDir\":\"/\","
                  "\"Labels\":{\"l\":\"1 x\",\"m n\":\"o\"}}");
    history_is(&r, 0, "ENV a=1 b=");
    history_is(&r, 3, "LABEL l=1 x m n=o");
    arena_done(&r.arena);
}

TEST(args) {
    struct run r = {0};
    assert_ok(apply(&r, "ARG A=x\nARG B=$A-y C G\nENV A=e\nENV V=$A$B${C-none}$G\n",
                    "buildargs=%7B%22B%22%3A%22arg%22%7D", NULL));
    config_is(&r, "{\"Env\":[\"PATH=" BUILD_PATH
                  "\",\"A=e\",\"V=eargnoneglobal\"],\"WorkingDir\":\"/\"}");
    history_is(&r, 1, "ARG B=arg C G=global");
    arena_done(&r.arena);
}

TEST(commands) {
    struct run r = {0};
    assert_ok(apply(&r, "CMD a b\nENTRYPOINT [\"x\"]\nSHELL [\"/bin/bash\", \"-c\"]\nCMD c \"d\"\n",
                    "", NULL));
    history_is(&r, 0, "CMD [\"/bin/sh\" \"-c\" \"a b\"]");
    history_is(&r, 1, "ENTRYPOINT [\"x\"]");
    history_is(&r, 2, "SHELL [/bin/bash -c]");
    history_is(&r, 3, "CMD [\"/bin/bash\" \"-c\" \"c \\\"d\\\"\"]");
    arena_done(&r.arena);
}

TEST(entrypoint_resets_an_inherited_cmd) {
    const char *base = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2020-01-01T00:"
                       "00:00Z\",\"config\":"
                       "{\"Env\":[\"PATH=/p\",\"X=y\"],\"Cmd\":[\"c\"],\"OnBuild\":[\"RUN "
                       "t\"]},\"rootfs\":{\"type\":"
                       "\"layers\",\"diff_ids\":[\"sha256:"
                       "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865\"]},"
                       "\"history\":[{\"created_by\":\"base\"}]}";
    struct run r = {0};
    assert_ok(apply(&r, "ENV Z=$X\nENTRYPOINT e\n", "", base));
    config_is(&r,
              "{\"Env\":[\"PATH=/p\",\"X=y\",\"Z=y\"],\"Entrypoint\":[\"/bin/sh\",\"-c\",\"e\"]}");
    assert_int_equal(r.state.onbuild_n, 1);
    assert_string_equal(r.state.onbuild[0], "RUN t");
    assert_int_equal(r.state.history_from, 1);
    history_is(&r, 1, "ENV Z=y");
    arena_done(&r.arena);
}

TEST(ports_volumes_user_signal) {
    struct run r = {0};
    assert_ok(apply(&r,
                    "ARG P=9-10/udp\nEXPOSE 80 $P 80/tcp\nVOLUME /a [x\nVOLUME [\"/b c\"]\nUSER "
                    "u:g\nSTOPSIGNAL "
                    "SIGQUIT\nMAINTAINER me $P\n",
                    "", NULL));
    assert_string_equal(r.state.image.config.exposed_ports.items[0], "9/udp");
    assert_string_equal(r.state.image.config.exposed_ports.items[1], "10/udp");
    assert_string_equal(r.state.image.config.exposed_ports.items[2], "80/tcp");
    assert_int_equal(r.state.image.config.exposed_ports.n, 3);
    assert_string_equal(r.state.image.config.volumes.items[2], "/b c");
    assert_string_equal(r.state.image.config.user, "u:g");
    assert_string_equal(r.state.image.config.stop_signal, "SIGQUIT");
    history_is(&r, 2, "VOLUME [/a [x]");
    history_is(&r, 4, "USER u:g");
    history_is(&r, 6, "MAINTAINER me $P");
    assert_string_equal(r.state.image.author, "me $P");
    arena_done(&r.arena);
}

TEST(health) {
    struct run r = {0};
    assert_ok(apply(&r, "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl x\n", "",
                    NULL));
    history_is(&r, 0,
               "HEALTHCHECK {Test:[CMD-SHELL curl x] Interval:1m30s Timeout:500ms StartPeriod:0s "
               "StartInterval:0s Retries:3}");
    const struct api_health_config *h = r.state.image.config.healthcheck;
    assert_int_equal(h->interval, 90000000000);
    arena_done(&r.arena);
}

TEST(refusals) {
    refused("STOPSIGNAL SIGNOPE", "Dockerfile:1:1: invalid signal: SIGNOPE");
    refused("EXPOSE 80/foo", "invalid proto: foo");
    refused("EXPOSE 70000", "invalid containerPort: 70000");
    refused("EXPOSE 9-8", "invalid containerPort");
    refused("ENV a=${b:?needed}", "b: needed");
    refused("ENV $X=y", "can not be blank");
    refused("ENV a=\"b", "double-quote");
}

TEST(signals) {
    assert_true(signal_known("9") && signal_known("SIGTERM") && signal_known("term"));
    assert_true(signal_known("SIGRTMIN") && signal_known("RTMIN+3") && signal_known("RTMAX-2"));
    assert_false(signal_known("0") || signal_known("65") || signal_known("RTMIN+99"));
    assert_false(signal_known("") || signal_known("SIG") || signal_known("RTMIN-1"));
}

TEST(times_come_at_the_end) {
    struct run r = {0};
    assert_ok(apply(&r, "ENV a=b\n", "labels=%7B%22x%22%3A%22y%22%7D", NULL));
    state_labels(&r.state);
    state_times(&r.state, INT64_C(1700000000000000000));
    const struct oci_history *h = r.state.image.history.items;
    assert_string_equal(h->created, "2023-11-14T22:13:20Z");
    assert_string_equal(r.state.image.created, "2023-11-14T22:13:20Z");
    assert_string_equal(strmap_get(&r.state.image.config.labels, "x"), "y");
    arena_done(&r.arena);
}

TEST(workdir_is_absolute_and_clean) {
    struct run r = {0};
    assert_ok(apply(&r, "ENV a=b\n", "", NULL));
    assert_string_equal(state_workdir(&r.state, "x/../y"), "/y");
    r.state.image.config.working_dir = state_workdir(&r.state, "/a");
    assert_string_equal(state_workdir(&r.state, "b//c/"), "/a/b/c");
    assert_string_equal(state_workdir(&r.state, "../../.."), "/");
    assert_string_equal(state_workdir(&r.state, "/z"), "/z");
    arena_done(&r.arena);
}
