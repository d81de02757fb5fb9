#include "spec/api_container.h"
#include "spec/api_stats.h"
#include "test.h"

/* What the stock CLI 28 sends for: run -it --rm -e A=b -p 8080:80 -v data:/data --memory 64m web sh
 */
static const char create[] =
    "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":true,\"AttachStdout\":"
    "true,"
    "\"AttachStderr\":true,\"ExposedPorts\":{\"80/tcp\":{}},\"Tty\":true,\"OpenStdin\":true,"
    "\"StdinOnce\":true,\"Env\":[\"A=b\"],\"Cmd\":[\"sh\"],\"Image\":\"web\",\"Volumes\":{},"
    "\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":{},\"HostConfig\":{"
    "\"Binds\":[\"data:/"
    "data\"],\"ContainerIDFile\":\"\",\"LogConfig\":{\"Type\":\"\",\"Config\":{}},"
    "\"NetworkMode\":\"default\",\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":"
    "\"8080\"}]},\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0},\"AutoRemove\":true,"
    "\"VolumeDriver\":\"\",\"VolumesFrom\":null,\"ConsoleSize\":[24,80],\"CapAdd\":null,"
    "\"CapDrop\":null,"
    "\"CgroupnsMode\":\"\",\"Dns\":[],\"DnsOptions\":[],\"DnsSearch\":[],\"ExtraHosts\":null,"
    "\"GroupAdd\":null,\"IpcMode\":\"\",\"Cgroup\":\"\",\"Links\":null,\"OomScoreAdj\":0,"
    "\"PidMode\":"
    "\"\",\"Privileged\":false,\"PublishAllPorts\":false,\"ReadonlyRootfs\":false,\"SecurityOpt\":"
    "null,"
    "\"UTSMode\":\"\",\"UsernsMode\":\"\",\"ShmSize\":0,\"Isolation\":\"\",\"CpuShares\":0,"
    "\"Memory\":"
    "67108864,\"NanoCpus\":0,\"CgroupParent\":\"\",\"BlkioWeight\":0,\"BlkioWeightDevice\":[],"
    "\"BlkioDeviceReadBps\":[],\"BlkioDeviceWriteBps\":[],\"BlkioDeviceReadIOps\":[],"
    "\"BlkioDeviceWriteIOps\":[],\"CpuPeriod\":0,\"CpuQuota\":0,\"CpuRealtimePeriod\":0,"
    "\"CpuRealtimeRuntime\":0,\"CpusetCpus\":\"\",\"CpusetMems\":\"\",\"Devices\":[],"
    "\"DeviceCgroupRules\":null,\"DeviceRequests\":null,\"MemoryReservation\":0,\"MemorySwap\":0,"
    "\"MemorySwappiness\":-1,\"OomKillDisable\":false,\"PidsLimit\":0,\"Ulimits\":[],\"CpuCount\":"
    "0,"
    "\"CpuPercent\":0,\"IOMaximumIOps\":0,\"IOMaximumBandwidth\":0,\"MaskedPaths\":null,"
    "\"ReadonlyPaths\":null},\"NetworkingConfig\":{\"EndpointsConfig\":{\"default\":{"
    "\"IPAMConfig\":null,"
    "\"Links\":null,\"Aliases\":null,\"MacAddress\":\"\",\"DriverOpts\":null,\"GwPriority\":0,"
    "\"NetworkID\":\"\",\"EndpointID\":\"\",\"Gateway\":\"\",\"IPAddress\":\"\",\"IPPrefixLen\":0,"
    "\"IPv6Gateway\":\"\",\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,\"DNSNames\":null}}}"
    "}";

TEST(the_stock_cli_create_body_round_trips_byte_for_byte) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_container_create c;
    assert_ok(fields_decode_strict(&api_container_create_fields, str_of(create), &a, &c));
    assert_true(c.config.tty);
    assert_string_equal(c.config.env.items[0], "A=b");
    assert_false(c.config.entrypoint.present);
    assert_int_equal(c.host->resources.memory, 67108864);
    assert_int_equal(*c.host->resources.memory_swappiness, -1);
    assert_int_equal(c.host->console_size[1], 80);
    struct objs *b = objmap_get(&c.host->port_bindings, "80/tcp");
    assert_string_equal(((struct api_port_binding *)b->items)->host_port, "8080");
    assert_non_null(objmap_get(&c.networking->endpoints, "default"));
    fields_print(&api_container_create_fields, &c, &out);
    assert_string_equal(buf_cstr(&out), create);
}

TEST(cmd_may_be_a_string_but_env_may_not) {
    CLEAN_ARENA struct arena a = {0};
    struct api_container_create c;
    assert_ok(fields_decode(&api_container_create_fields,
                            STR("{\"Cmd\":\"true\",\"Entrypoint\":[]}"), &a, &c));
    assert_string_equal(c.config.cmd.items[0], "true");
    assert_true(c.config.entrypoint.present && c.config.entrypoint.n == 0);
    struct err e = fields_decode(&api_container_create_fields, STR("{\"Env\":\"A=b\"}"), &a, &c);
    assert_string_equal(err_msg(e), "Env: expected array, got string");
    err_free(e);
}

TEST(nested_host_config_errors_name_the_field) {
    CLEAN_ARENA struct arena a = {0};
    struct api_container_create c;
    struct err e = fields_decode(
        &api_container_create_fields,
        STR("{\"HostConfig\":{\"Mounts\":[{},{\"TmpfsOptions\":{\"SizeBytes\":\"1m\"}}]}}"), &a,
        &c);
    assert_string_equal(
        err_msg(e), "HostConfig.Mounts[1].TmpfsOptions.SizeBytes: expected integer, got string");
    err_free(e);
    e = fields_decode(&api_container_create_fields, STR("{\"HostConfig\":{\"BlkioWeight\":70000}}"),
                      &a, &c);
    assert_string_equal(err_msg(e), "HostConfig.BlkioWeight: number out of range");
    err_free(e);
}

TEST(update_shares_the_resources) {
    CLEAN_ARENA struct arena a = {0};
    struct api_update u;
    assert_ok(fields_decode(
        &api_update_fields,
        STR("{\"Memory\":5,\"PidsLimit\":7,\"RestartPolicy\":{\"Name\":\"always\"}}"), &a, &u));
    assert_int_equal(u.resources.memory, 5);
    assert_int_equal(*u.resources.pids_limit, 7);
    assert_null(u.resources.oom_kill_disable);
    assert_string_equal(u.restart_policy.name, "always");
}

TEST(inspect_has_the_peers_keys_in_the_peers_form) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_config config = {0};
    struct api_host_config host = {0};
    struct oci_descriptor image = {.media_type = (char *)OCI_MANIFEST};
    struct api_container c = {.config = &config, .host = &host, .image_descriptor = &image};
    objmap_add(&c.network.ports, &a, "80/tcp", sizeof(struct objs));
    fields_print(&api_container_fields, &c, &out);
    CLEAN_JSON struct json *j = NULL;
    assert_ok(json_parse(buf_str(&out), &j));
    assert_int_equal(json_len(json_get(json_get(j, "NetworkSettings"), "Ports")), 1);
    assert_non_null(strstr(buf_cstr(&out), "\"Ports\":{\"80/tcp\":null}"));
    assert_non_null(strstr(buf_cstr(&out), "\"StartedAt\":\"0001-01-01T00:00:00Z\""));
    assert_non_null(strstr(buf_cstr(&out), "\"ExecIDs\":null"));
    assert_non_null(strstr(buf_cstr(&out), "\"Args\":[]"));
    assert_non_null(strstr(buf_cstr(&out), "\"Mounts\":[]"));
    assert_non_null(strstr(buf_cstr(&out), "\"PidsLimit\":null"));
    assert_null(strstr(buf_cstr(&out), "SizeRw"));
    assert_null(strstr(buf_cstr(&out), "Health"));
    assert_non_null(strstr(buf_cstr(&out), "ImageManifestDescriptor"));
    buf_clear(&out);
    struct json_out o = {.out = &out};
    fields_encode(&api_container_fields, &c, 47, &o);
    assert_null(strstr(buf_cstr(&out), "ImageManifestDescriptor"));
}

TEST(wait_and_exec_inspect) {
    CLEAN_BUF struct buf out = {0};
    struct api_wait w = {.status_code = 137};
    fields_print(&api_wait_fields, &w, &out);
    assert_string_equal(buf_cstr(&out), "{\"StatusCode\":137}");
    buf_clear(&out);
    struct api_exec e = {.id = (char *)"x"};
    fields_print(&api_exec_fields, &e, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"ExitCode\":null"));
}

TEST(stats_keep_unsigned_64_bits) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_stats s = {.cpu.usage.total = UINT64_MAX, .memory.limit = 1};
    u64map_add(&s.memory.stats, &a, "inactive_file", 9);
    fields_print(&api_stats_fields, &s, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"total_usage\":18446744073709551615"));
    assert_non_null(strstr(buf_cstr(&out), "\"stats\":{\"inactive_file\":9}"));
    assert_non_null(strstr(buf_cstr(&out), "\"io_service_bytes_recursive\":null"));
    struct api_stats back;
    assert_ok(fields_decode_strict(&api_stats_fields, buf_str(&out), &a, &back));
    assert_true(back.cpu.usage.total == UINT64_MAX);
}
