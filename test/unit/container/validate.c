/* What a create call may ask for: refused by name, judged, or honoured. */
#include "container/private.h"
#include "test.h"

static struct err judge(const char *host, const char *rest) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct api_container_create doc;
    struct strs warnings = {0};
    buf_addf(&text, "{\"Image\":\"x\"%s%s,\"HostConfig\":{%s}}", *rest ? "," : "", rest, host);
    TRY(fields_decode(&api_container_create_fields, buf_str(&text), &a, &doc));
    return container_validate(&doc, &a, &warnings);
}

static void refused(const char *host, enum err_kind kind, const char *word) {
    struct err e = judge(host, "");
    if (err_kind(e) != kind || !strstr(err_msg(e), word))
        fail_msg("%s: got %s: %s", host, err_kind_name(err_kind(e)), err_msg(e));
    err_free(e);
}

TEST(ordinary_requests_pass) {
    assert_ok(judge("", ""));
    assert_ok(judge("\"Memory\":67108864,\"NanoCpus\":500000000,\"ReadonlyRootfs\":true,"
                    "\"NetworkMode\":\"none\"",
                    ""));
    assert_ok(judge(
        "\"CapAdd\":[\"NET_ADMIN\"],\"CapDrop\":[\"ALL\"],\"SecurityOpt\":[\"no-new-privileges\"]",
        ""));
    assert_ok(judge("\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10m\",\"max-"
                    "file\":\"3\"}}",
                    ""));
    assert_ok(judge("\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}", ""));
}

TEST(what_is_not_supported_is_refused_by_name) {
    refused("\"DeviceRequests\":[{\"Count\":-1}]", ERR_UNSUPPORTED, "DeviceRequests");
    refused("\"Runtime\":\"kata\"", ERR_INVALID, "unknown or invalid runtime name");
    refused("\"UsernsMode\":\"private\"", ERR_UNSUPPORTED, "UsernsMode");
    refused("\"LogConfig\":{\"Type\":\"syslog\"}", ERR_UNSUPPORTED, "syslog");
}

TEST(what_is_wrong_is_named) {
    refused("\"CpuRealtimePeriod\":1000,\"CpuRealtimeRuntime\":2000", ERR_INVALID, "real-time");
    refused("\"BlkioWeightDevice\":[{\"Path\":\"/dev/sda\",\"Weight\":5}]", ERR_INVALID,
            "weight device");
    refused("\"DeviceRequests\":[{\"Driver\":\"cdi\",\"DeviceIDs\":[\"gpu\"]}]", ERR_INVALID,
            "CDI");
    refused("\"LogConfig\":{\"Config\":{\"compress\":\"true\",\"max-file\":\"1\"}}", ERR_INVALID,
            "compress");
    refused("\"Memory\":1000", ERR_INVALID, "6MB");
    refused("\"MemorySwap\":100000000", ERR_INVALID, "Memory limit");
    refused("\"NanoCpus\":99000000000000", ERR_INVALID, "range of CPUs");
    refused("\"RestartPolicy\":{\"Name\":\"sometimes\"}", ERR_INVALID, "sometimes");
    refused("\"RestartPolicy\":{\"Name\":\"always\"},\"AutoRemove\":true", ERR_INVALID,
            "AutoRemove");
    refused("\"CapAdd\":[\"NOPE\"]", ERR_INVALID, "NOPE");
    refused("\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":10,\"Hard\":5}]", ERR_INVALID, "ulimit");
    refused("\"OomScoreAdj\":2000", ERR_INVALID, "oom score");
    refused("\"LogConfig\":{\"Config\":{\"max-size\":\"ten\"}}", ERR_INVALID, "max-size");
    refused("\"Memory\":\"64m\"", ERR_INVALID, "HostConfig.Memory");
    struct err e = judge("", "\"WorkingDir\":\"relative\"");
    assert_int_equal(err_kind(e), ERR_INVALID);
    err_free(e);
    e = judge("", "\"StopSignal\":\"SIGNOPE\"");
    assert_int_equal(err_kind(e), ERR_INVALID);
    err_free(e);
}
