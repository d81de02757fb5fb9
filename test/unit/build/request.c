/* Parameters of POST /build: what is read, what is refused by which name. */
#include "build/request.h"
#include "test.h"

static void refused(const char *query, enum err_kind kind, const char *words) {
    CLEAN_ARENA struct arena a = {0};
    struct request r;
    struct err e = request_parse(str_of(query), &a, &r);
    assert_int_equal(err_kind(e), kind);
    if (!strstr(err_msg(e), words))
        fail_msg("'%s' says '%s', not '%s'", query, err_msg(e), words);
    err_free(e);
}

TEST(everything_the_stock_client_sends) {
    CLEAN_ARENA struct arena a = {0};
    struct request r;
    const char *q =
        "buildargs=%7B%22A%22%3A%22x+y%22%2C%22B%22%3Anull%7D&cachefrom=%5B%5D&cgroupparent=&"
        "cpuperiod=0&cpuquota=0"
        "&cpusetcpus=&cpusetmems=&cpushares=512&dockerfile=sub%2FDockerfile&labels=%7B%22l%22%3A%"
        "22v%22%7D&"
        "memory=1048576&memswap=-1&networkmode=none&rm=1&shmsize=65536&t=a%3A1&t=b&target=two&"
        "ulimits=%5B%7B%22Name%22%3A%22nofile%22%2C%22Hard%22%3A20%2C%22Soft%22%3A10%7D%5D&version="
        "1&q=1&nocache=1&"
        "extrahosts=h%3A1.2.3.4&extrahosts=i%3A%3A%3A1&unknown=x&"
        "dockerfile=FROM+x&target=three&nocache=0";
    assert_ok(request_parse(str_of(q), &a, &r));
    assert_int_equal(r.tags.n, 2);
    assert_string_equal(r.tags.items[0], "a:1");
    assert_string_equal(r.dockerfile, "sub/Dockerfile");
    assert_string_equal(r.target, "two");
    assert_true(r.quiet && r.no_cache && !r.pull);
    assert_string_equal(request_arg(&r, "A")->value, "x y");
    assert_null(request_arg(&r, "B")->value);
    assert_null(request_arg(&r, "C"));
    assert_string_equal(strmap_get(&r.labels, "l"), "v");
    assert_int_equal(r.host.resources.memory, 1048576);
    assert_int_equal(r.host.resources.memory_swap, -1);
    assert_int_equal(r.host.resources.cpu_shares, 512);
    assert_int_equal(r.host.shm_size, 65536);
    assert_string_equal(r.host.network_mode, "none");
    assert_int_equal(r.host.resources.ulimits.n, 1);
    assert_int_equal(((struct api_ulimit *)r.host.resources.ulimits.items)->soft, 10);
    assert_int_equal(r.host.extra_hosts.n, 2);
    assert_string_equal(r.host.extra_hosts.items[1], "i:::1");
}

TEST(defaults) {
    CLEAN_ARENA struct arena a = {0};
    struct request r;
    assert_ok(request_parse(STR("dockerfile=&t="), &a, &r));
    assert_string_equal(r.dockerfile, "Dockerfile");
    assert_int_equal(r.tags.n, 0);
}

TEST(refusals) {
    refused("version=2", ERR_UNSUPPORTED, "version=2");
    refused("cachefrom=%7B%7D", ERR_INVALID, "array of strings");
    refused("outputs=%5B%7B%7D%5D", ERR_UNSUPPORTED, "'outputs'");
    refused("isolation=hyperv", ERR_UNSUPPORTED, "'isolation'");
    refused("session=abc", ERR_UNSUPPORTED, "'session'");
    refused("buildargs=x", ERR_INVALID, "'buildargs'");
    refused("buildargs=%7B%22A%22%3A1%7D", ERR_INVALID, "A: expected a string or null");
    refused("labels=%5B%5D", ERR_INVALID, "'labels'");
    refused("memory=12x", ERR_INVALID, "'memory'");
    refused("t=%zz", ERR_INVALID, "bad escape");
    refused("t=%00", ERR_INVALID, "NUL");
}
