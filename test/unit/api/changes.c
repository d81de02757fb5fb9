#include "api/changes.h"
#include "test.h"

/* Applies the lines to an empty config and compares its JSON. */
static void gives(const char *lines, const char *json) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_config config = {0};
    assert_ok(changes_apply(str_of(lines), &a, &config));
    fields_print(&oci_run_fields, &config, &out);
    assert_string_equal(buf_cstr(&out), json);
}

static void refused(const char *lines, enum err_kind kind, const char *message) {
    CLEAN_ARENA struct arena a = {0};
    struct api_config config = {0};
    struct err e = changes_apply(str_of(lines), &a, &config);
    assert_int_equal(err_kind(e), kind);
    assert_non_null(strstr(err_msg(e), message));
    err_free(e);
}

TEST(commands_in_both_forms) {
    gives("CMD [\"sh\", \"-c\", \"true\"]", "{\"Cmd\":[\"sh\",\"-c\",\"true\"]}");
    gives("cmd echo \"a  b\" $HOME", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo \\\"a  b\\\" $HOME\"]}");
    gives("CMD [not json", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[not json\"]}");
    gives("CMD [\"x\"]\nENTRYPOINT [\"/init\"]", "{\"Entrypoint\":[\"/init\"],\"Cmd\":[\"x\"]}");
    gives("ENTRYPOINT [\"/init\"]", "{\"Entrypoint\":[\"/init\"]}");
}

TEST(environment_replaces_by_name) {
    gives("ENV A=1 B=\"two words\"\nENV A=3", "{\"Env\":[\"B=two words\",\"A=3\"]}");
    gives("ENV PATH /bin:/usr/bin now", "{\"Env\":[\"PATH=/bin:/usr/bin now\"]}");
    refused("ENV =1", ERR_INVALID, "ENV: '=1'");
    refused("ENV A=1 B", ERR_INVALID, "'B'");
    refused("ENV A", ERR_INVALID, "no value");
    refused("ENV A=\"b", ERR_INVALID, "quote");
}

TEST(labels_ports_volumes) {
    gives("LABEL a=b 'c d'=e\\ f", "{\"Labels\":{\"a\":\"b\",\"c d\":\"e f\"}}");
    gives("EXPOSE 80 53/udp 80/tcp", "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}}}");
    refused("EXPOSE many", ERR_INVALID, "EXPOSE");
    gives("VOLUME /a /b\nVOLUME [\"/a b\"]", "{\"Volumes\":{\"/a\":{},\"/b\":{},\"/a b\":{}}}");
}

TEST(single_words) {
    gives("USER 1000:1000", "{\"User\":\"1000:1000\"}");
    gives("STOPSIGNAL SIGQUIT", "{\"StopSignal\":\"SIGQUIT\"}");
    refused("STOPSIGNAL NOPE", ERR_INVALID, "invalid signal");
    refused("USER a b", ERR_INVALID, "one argument");
    gives("WORKDIR /a\nWORKDIR b/../c", "{\"WorkingDir\":\"/a/c\"}");
    gives("WORKDIR x", "{\"WorkingDir\":\"/x\"}");
    gives("ONBUILD RUN echo $X", "{\"OnBuild\":[\"RUN echo $X\"]}");
}

TEST(other_lines) {
    gives("\n# comment\n  \n", "{}");
    refused("RUN true", ERR_INVALID, "RUN is not a valid change command");
    refused("CMD", ERR_INVALID, "CMD needs an argument");
}

TEST(variables_are_those_of_the_config) {
    gives("ENV A=1\nENV B=$A${A}\\$A'$A' C=${A:-x} D=${N:-x} E=${A:+y} F=${N:+y} G=$",
          "{\"Env\":[\"A=1\",\"B=11$A$A\",\"C=1\",\"D=x\",\"E=y\",\"F=\",\"G=$\"]}");
    gives("ENV D=/w P=80\nWORKDIR $D/x\nEXPOSE ${P}/udp",
          "{\"ExposedPorts\":{\"80/udp\":{}},\"Env\":[\"D=/w\",\"P=80\"],\"WorkingDir\":\"/w/x\"}");
    refused("ENV A=${B?x}", ERR_INVALID, "substitution");
    refused("ENV A=${}", ERR_INVALID, "substitution");
}

TEST(health_checks) {
    gives("HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
    gives("HEALTHCHECK --interval=5s --retries=3 CMD curl $X",
          "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl $X\"],\"Interval\":5000000000,"
          "\"Retries\":3}}");
    gives("HEALTHCHECK CMD [\"a\",\"b\"]", "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\",\"b\"]}}");
    refused("HEALTHCHECK --color=1 CMD x", ERR_INVALID, "unknown flag");
    refused("HEALTHCHECK --retries=0 CMD x", ERR_INVALID, "--retries");
    refused("HEALTHCHECK CMD", ERR_INVALID, "no command");
    refused("HEALTHCHECK NONE x", ERR_INVALID, "no arguments");
    refused("HEALTHCHECK what", ERR_INVALID, "Unknown type");
}
