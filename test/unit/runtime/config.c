/* config.json: what is decoded, and that everything that is not honoured is refused by its name. */
#include "test.h"

#include "runtime/runtime.h"

#define PROCESS "\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"%s}"
#define LINUX "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]%s}"

static struct err parse(const char *process, const char *linux_, const char *top, struct arena *a,
                        struct oci_config *c) {
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"/r\"}," PROCESS "," LINUX "%s}",
             process, linux_, top);
    TRY(fields_decode_strict(&oci_config_fields, buf_str(&b), a, c));
    return oci_config_check(c);
}

TEST(a_small_config_is_fine) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_config c;
    assert_ok(parse("", "", "", &a, &c));
    assert_int_equal(c.process->args.n, 1);
    assert_string_equal(c.root->path, "/r");
    const char *path = "";
    assert_true(oci_namespace(&c, "mount", &path));
    assert_null(path);
    assert_false(oci_namespace(&c, "pid", NULL));
}

TEST(it_survives_a_round_trip) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_config c, again;
    assert_ok(parse(
        ",\"user\":{\"uid\":1,\"gid\":2,\"additionalGids\":[3,4]},\"terminal\":true,"
        "\"consoleSize\":{\"height\":1,\"width\":2},\"oomScoreAdj\":-5,"
        "\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},"
        "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,\"soft\":0}]",
        ",\"resources\":{\"memory\":{\"limit\":5,\"swap\":-1},\"cpu\":{\"shares\":2},\"pids\":{"
        "\"limit\":7},"
        "\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"unified\":{\"memory.high\":\"5\"}},"
        "\"sysctl\":{\"net.core.somaxconn\":\"5\"},\"maskedPaths\":[\"/proc/"
        "kcore\"],\"cgroupsPath\":\"/a/b\"",
        ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"ro\"]}],"
        "\"annotations\":{\"k\":\"v\"},\"hooks\":{}",
        &a, &c));
    CLEAN_BUF struct buf text = {0}, text2 = {0};
    fields_print(&oci_config_fields, &c, &text);
    assert_ok(fields_decode_strict(&oci_config_fields, buf_str(&text), &a, &again));
    fields_print(&oci_config_fields, &again, &text2);
    assert_string_equal(buf_cstr(&text), buf_cstr(&text2));
    assert_int_equal(((struct oci_rlimit *)again.process->rlimits.items)[0].hard, UINT64_MAX);
    uint32_t *gids;
    size_t n;
    assert_ok(oci_gids(&again.process->user, &a, &gids, &n));
    assert_int_equal(n, 2);
    assert_int_equal(gids[1], 4);
}

struct refused {
    const char *process, *linux_, *top;
    const char *word; /* the error names it */
};

TEST(what_is_wrong_or_not_honoured_is_named) {
    static const struct refused cases[] = {
        {",\"scheduler\":{\"policy\":\"SCHED_X\"}", "", "", "process.scheduler"},
        {",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":8}", "", "",
         "process.ioPriority"},
        {",\"commandLine\":\"x\"", "", "", "process.commandLine"},
        {",\"user\":{\"uid\":4294967295,\"gid\":0}", "", "", "process.user.uid"},
        {",\"user\":{\"uid\":0,\"gid\":4294967295}", "", "", "process.user.gid"},
        {",\"user\":{\"uid\":4294967296,\"gid\":0}", "", "", "uid"},
        {",\"user\":{\"uid\":-1,\"gid\":0}", "", "", "uid"},
        {",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[4294967296]}", "", "",
         "additionalGids"},
        {",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[-1]}", "", "", "additionalGids"},
        {",\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":{\"0\":0}}", "", "", "additionalGids"},
        {",\"user\":{\"uid\":0,\"gid\":0,\"umask\":512}", "", "", "umask"},
        {",\"oomScoreAdj\":1001", "", "", "oomScoreAdj"},
        {",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":2,\"hard\":1}]", "", "", "RLIMIT_CORE"},
        {",\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CORE\","
         "\"soft\":1,\"hard\":1}]",
         "", "", "twice"},
        {",\"consoleSize\":{\"height\":65536,\"width\":1}", "", "", "consoleSize"},
        {",\"terminal\":1", "", "", "terminal"},
        {",\"flubber\":1", "", "", "flubber"},
        {"", ",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]", "",
         "linux.uidMappings"},
        {"", ",\"uidMappings\":[{\"containerID\":0,\"hostID\":4294967295,\"size\":1}]", "",
         "linux.uidMappings"},
        {"", ",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":0}]", "",
         "linux.uidMappings"},
        {"", ",\"gidMappings\":[1]", "", "linux.gidMappings"},
        {"", ",\"intelRdt\":{\"closID\":\"x\"}", "", "linux.intelRdt"},
        {"", ",\"personality\":{\"domain\":\"PLAN9\"}", "", "linux.personality"},
        {"", ",\"timeOffsets\":{\"boottime\":{\"secs\":1}}", "", "linux.timeOffsets"},
        {"", ",\"netDevices\":{\"eth0\":{}}", "", "linux.netDevices"},
        {"",
         ",\"netDevices\":{\"a/"
         "b\":{}},\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"}]",
         "", "linux.netDevices"},
        {"",
         ",\"netDevices\":{\"a\":{\"name\":\"x\"},\"b\":{\"name\":\"x\"}},\"namespaces\":[{"
         "\"type\":"
         "\"mount\"},{\"type\":\"network\"}]",
         "", "two are named"},
        {"", ",\"resources\":{\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}}",
         "", "network.priorities"},
        {"",
         ",\"resources\":{\"blockIO\":{\"weightDevice\":[{\"major\":1,\"minor\":1,\"weight\":1001}]"
         "}}",
         "", "blockIO.weightDevice"},
        {"", ",\"memoryPolicy\":{}", "", "mode"},
        {"", ",\"rootfsPropagation\":\"loud\"", "", "rootfsPropagation"},
        {"", ",\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"../x\",\"limit\":1}]}", "",
         "hugepageLimits"},
        {"", ",\"resources\":{\"network\":{\"classID\":-1}}", "", "resources.network"},
        {"", ",\"resources\":{\"memory\":{\"kernel\":5}}", "", "memory.kernel"},
        {"", ",\"resources\":{\"memory\":{\"limit\":-2}}", "", "memory.limit"},
        {"", ",\"resources\":{\"memory\":{\"swappiness\":101}}", "", "memory.swappiness"},
        {"", ",\"resources\":{\"cpu\":{\"quota\":-2}}", "", "cpu.quota"},
        {"", ",\"resources\":{\"pids\":{\"limit\":-2}}", "", "pids.limit"},
        {"", ",\"resources\":{\"unified\":{\"../x\":\"1\"}}", "", "unified"},
        {"", ",\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"x\"}]}", "", "devices"},
        {"", ",\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}", "", "access"},
        {"", ",\"resources\":{\"devices\":[{\"allow\":true,\"major\":-2}]}", "", "devices"},
        {"", ",\"devices\":[{\"path\":\"x\",\"type\":\"c\"}]", "", "linux.devices"},
        {"", ",\"devices\":[{\"path\":\"/x\",\"type\":\"z\"}]", "", "linux.devices"},
        {"", ",\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"major\":4096}]", "", "out of range"},
        {"", ",\"maskedPaths\":[\"proc\"]", "", "maskedPaths"},
        {"", ",\"readonlyPaths\":[\"\"]", "", "readonlyPaths"},
        {"", ",\"sysctl\":{\"a..b\":\"1\"}", "", "sysctl"},
        {"", ",\"sysctl\":{\"a\\nb\":\"1\"}", "", "sysctl"},
        {"", ",\"sysctl\":{\"a.b\":\"1\\n2\"}", "", "sysctl"},
        {"", "", ",\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}", "hooks"},
        {"", "", ",\"windows\":{\"layerFolders\":[]}", "windows"},
        {"", "", ",\"hostname\":\"h\"", "uts"},
        {"", "", ",\"mounts\":[{\"destination\":\"x\"}]", "destination"},
        {"", "", ",\"mounts\":[{\"type\":\"tmpfs\"}]", "destination"},
        {"", "", ",\"mounts\":[{\"destination\":\"/x\",\"uidMappings\":[1]}]", "uidMappings"},
        {"", "", ",\"mounts\":{}", "mounts"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct oci_config c;
        struct err e = parse(cases[i].process, cases[i].linux_, cases[i].top, &a, &c);
        enum err_kind k = err_kind(e);
        if ((k != ERR_INVALID && k != ERR_UNSUPPORTED) || !strstr(err_msg(e), cases[i].word))
            fail_msg("case %zu (%s): %s: %s", i, cases[i].word, err_kind_name(k), err_msg(e));
        err_free(e);
    }
}

TEST(namespaces_are_checked) {
    static const struct {
        const char *list;
        enum err_kind kind;
    } cases[] = {
        {"[]", ERR_INVALID},
        {"[{\"type\":\"mount\"},{\"type\":\"mount\"}]", ERR_INVALID},
        {"[{\"type\":\"mount\",\"path\":\"/proc/1/ns/mnt\"}]", ERR_UNSUPPORTED},
        {"[{\"type\":\"mount\"},{\"type\":\"user\"}]", ERR_INVALID},
        {"[{\"type\":\"mount\"},{\"type\":\"net\"}]", ERR_INVALID},
        {"[{\"type\":\"mount\"},{\"type\":\"pid\",\"path\":\"x\"}]", ERR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_BUF struct buf b = {0};
        struct oci_config c;
        buf_addf(&b,
                 "{\"ociVersion\":\"1.0.2\",\"root\":{},\"process\":{\"args\":[\"x\"],\"cwd\":\"/"
                 "\"},\"linux\":{\"namespaces\":%s}}",
                 cases[i].list);
        assert_ok(fields_decode_strict(&oci_config_fields, buf_str(&b), &a, &c));
        assert_err(oci_config_check(&c), cases[i].kind);
    }
}

TEST(parts_that_are_missing_are_named) {
    static const char *const cases[][2] = {
        {"{\"root\":{}}", "ociVersion"},
        {"{\"ociVersion\":\"2.0\"}", "ociVersion"},
        {"{\"ociVersion\":\"1.2.0\",\"root\":{},\"linux\":{}}", "process"},
        {"{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"},\"linux\":{}}",
         "root"},
        {"{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[],\"cwd\":\"/"
         "\"},\"root\":{},\"linux\":{}}",
         "process.args"},
        {"{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"]},\"root\":{},\"linux\":{}}",
         "process.cwd"},
        {"{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"},\"root\":{}}",
         "linux"},
        {"null", ""},
        {"[]", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct oci_config c;
        struct err e = fields_decode_strict(&oci_config_fields, str_of(cases[i][0]), &a, &c);
        if (!err_failed(e))
            e = oci_config_check(&c);
        if (!err_failed(e) || !strstr(err_msg(e), cases[i][1]))
            fail_msg("case %zu: %s", i, err_msg(e));
        err_free(e);
    }
}
