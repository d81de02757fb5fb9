#include "spec/api_system.h"
#include "spec/distribution.h"
#include "test.h"

static bool has(const void *obj, const struct fields *t, int minor, const char *text) {
    CLEAN_BUF struct buf out = {0};
    struct json_out o = {.out = &out};
    fields_encode(t, obj, minor, &o);
    return strstr(buf_cstr(&out), text) != NULL;
}

TEST(info_by_version) {
    struct api_firewall firewall = {.driver = (char *)"nftables"};
    struct api_info i = {.firewall_backend = &firewall, .runc_commit.id = (char *)"c"};
    assert_true(has(&i, &api_info_fields, 0, "\"FirewallBackend\":{\"Driver\":\"nftables\"}"));
    assert_false(has(&i, &api_info_fields, 48, "FirewallBackend"));
    assert_true(has(&i, &api_info_fields, 48, "\"Expected\""));
    assert_false(has(&i, &api_info_fields, 0, "\"Expected\""));
    assert_true(has(&i, &api_info_fields, 49, "\"BridgeNfIptables\":false"));
    assert_false(has(&i, &api_info_fields, 0, "BridgeNfIptables"));
    assert_true(has(&i, &api_info_fields, 46, "\"AllowNondistributableArtifactsCIDRs\":null"));
    assert_false(has(&i, &api_info_fields, 47, "AllowNondistributable"));
    assert_true(has(&i, &api_info_fields, 0, "\"GenericResources\":null"));
    assert_true(has(&i, &api_info_fields, 0, "\"Swarm\":{\"NodeID\":\"\""));
}

TEST(events_repeat_names_for_old_clients) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_event e = {.status = (char *)"start",
                          .id = (char *)"i",
                          .from = (char *)"web",
                          .type = (char *)"container",
                          .action = (char *)"start",
                          .actor.id = (char *)"i",
                          .scope = (char *)"local",
                          .time = 1,
                          .time_nano = 2};
    strmap_set(&e.actor.attributes, &a, "name", "n");
    fields_print(&api_event_fields, &e, &out);
    assert_string_equal(
        buf_cstr(&out),
        "{\"status\":\"start\",\"id\":\"i\",\"from\":\"web\",\"Type\":\"container\","
        "\"Action\":\"start\",\"Actor\":{\"ID\":\"i\",\"Attributes\":{\"name\":\"n\"}},"
        "\"scope\":\"local\",\"time\":1,\"timeNano\":2}");
    struct api_event back;
    assert_ok(fields_decode_strict(&api_event_fields, buf_str(&out), &a, &back));
    assert_string_equal(back.action, "start");
}

TEST(network_create_of_the_stock_cli) {
    static const char text[] = "{\"Name\":\"n\",\"Driver\":\"bridge\",\"Scope\":\"\","
                               "\"EnableIPv6\":false,\"IPAM\":{\"Driver\":"
                               "\"default\",\"Options\":{},\"Config\":[{\"Subnet\":\"10.9.0.0/"
                               "24\",\"Gateway\":\"10.9.0.1\"}]},"
                               "\"Internal\":false,\"Attachable\":false,\"Ingress\":false,"
                               "\"ConfigOnly\":false,\"ConfigFrom\":"
                               "null,\"Options\":{},\"Labels\":{}}";
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_network_create n;
    assert_ok(fields_decode_strict(&api_network_create_fields, str_of(text), &a, &n));
    assert_false(*n.enable_ipv6);
    assert_null(n.enable_ipv4);
    fields_print(&api_network_create_fields, &n, &out);
    assert_string_equal(buf_cstr(&out), text);
    struct api_network_connect c;
    assert_err(fields_decode(&api_network_connect_fields, STR("{}"), &a, &c), ERR_INVALID);
}

TEST(volume_documents) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct api_volume_list l = {0};
    struct api_volume *v = objs_add(&l.volumes, &a, sizeof *v);
    v->name = (char *)"data";
    fields_print(&api_volume_list_fields, &l, &out);
    assert_string_equal(
        buf_cstr(&out),
        "{\"Volumes\":[{\"Driver\":\"\",\"Labels\":null,\"Mountpoint\":\"\",\"Name\":"
        "\"data\",\"Options\":null,\"Scope\":\"\"}],\"Warnings\":null}");
}

TEST(registry_errors_and_auth) {
    CLEAN_ARENA struct arena a = {0};
    struct dist_errors e;
    assert_ok(fields_decode(
        &dist_errors_fields,
        STR("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\",\"detail\":[1]}]}"), &a, &e));
    assert_string_equal(((struct dist_error *)e.errors.items)->code, "DENIED");
    struct api_auth auth;
    assert_ok(fields_decode(&api_auth_fields,
                            STR("{\"username\":\"u\",\"ServerAddress\":\"r:5000\"}"), &a, &auth));
    assert_string_equal(auth.server_address, "r:5000");
}
