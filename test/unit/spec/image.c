#include "spec/api_image.h"
#include "spec/oci_image.h"
#include "test.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define CONFIG "\"config\":{\"mediaType\":\"" OCI_CONFIG "\",\"digest\":\"" D1 "\",\"size\":1234}"
#define LAYER "{\"mediaType\":\"" OCI_LAYER_GZIP "\",\"digest\":\"" D2 "\",\"size\":9}"

static void manifest_refused(const char *text, enum err_kind kind, const char *message) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_manifest m;
    struct err e = oci_manifest_parse(str_of(text), &a, &m);
    assert_int_equal(err_kind(e), kind);
    assert_non_null(strstr(err_msg(e), message));
    err_free(e);
}

TEST(manifest_round_trips) {
    static const char text[] = "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\"," CONFIG
                               ",\"layers\":[" LAYER "],\"annotations\":{\"a\":\"b\"}}";
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct oci_manifest m;
    assert_ok(oci_manifest_parse(str_of(text), &a, &m));
    assert_int_equal(m.layers.n, 1);
    fields_print(&oci_manifest_fields, &m, &out);
    assert_string_equal(buf_cstr(&out), text);
    assert_string_equal(oci_media_type_of(str_of(text)), OCI_MANIFEST);
}

TEST(bad_manifests_are_refused_by_name) {
    manifest_refused("{\"schemaVersion\":1}", ERR_UNSUPPORTED, "schemaVersion 1");
    manifest_refused("{" CONFIG ",\"layers\":[]}", ERR_INVALID, "schemaVersion");
    manifest_refused("{\"schemaVersion\":2," CONFIG "}", ERR_INVALID, "layers: is required");
    manifest_refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}", ERR_INVALID,
                     "manifests: must not be in a manifest");
    manifest_refused("{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\"," CONFIG
                     ",\"layers\":[]}",
                     ERR_INVALID, "is not one of a manifest");
    manifest_refused("{\"schemaVersion\":2,\"mediaType\":\"text/html\"," CONFIG ",\"layers\":[]}",
                     ERR_UNSUPPORTED, "text/html");
    manifest_refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\","
                     "\"digest\":\"../../etc/passwd\",\"size\":1}]}",
                     ERR_INVALID, "layers[0]: digest");
    manifest_refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"x\","
                     "\"digest\":\"" D1 "\",\"size\":-1}]}",
                     ERR_INVALID, "layers[0]: size");
    manifest_refused("{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"" D1 "\"}]}",
                     ERR_INVALID, "layers[0]: mediaType");
    manifest_refused("[]", ERR_INVALID, "manifest");
}

TEST(large_documents_and_long_lists_are_refused) {
    CLEAN_BUF struct buf text = {0};
    buf_adds(&text, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
    for (int i = 0; i <= OCI_LAYERS_MAX; i++)
        buf_adds(&text, i ? "," LAYER : LAYER);
    buf_adds(&text, "]}");
    manifest_refused(buf_cstr(&text), ERR_INVALID, "layers: more than 4096 entries");
    while (text.len <= OCI_MANIFEST_MAX)
        buf_addc(&text, ' ');
    manifest_refused(buf_cstr(&text), ERR_INVALID, "larger than");
}

TEST(index_and_docker_list) {
    static const char entry[] =
        "\"manifests\":[{\"mediaType\":\"" DOCKER_MANIFEST "\",\"digest\":\"" D1
        "\",\"size\":3,\"platform\":{"
        "\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}}]}";
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct oci_index x;
    buf_addf(&text, "{\"schemaVersion\":2,\"mediaType\":\"%s\",%s", DOCKER_LIST, entry);
    assert_ok(oci_index_parse(buf_str(&text), &a, &x));
    const struct oci_descriptor *d = x.manifests.items;
    assert_string_equal(d->platform->variant, "v8");
    assert_true(oci_is_index(DOCKER_LIST));
    buf_clear(&text);
    buf_addf(&text, "{\"schemaVersion\":2,\"layers\":[],%s", entry);
    assert_err(oci_index_parse(buf_str(&text), &a, &x), ERR_INVALID);
    assert_null(oci_media_type_of(buf_str(&text)));
    assert_null(oci_media_type_of(STR("garbage")));
}

TEST(image_config_with_dockers_members) {
    static const char text[] =
        "{\"created\":\"1970-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\","
        "\"config\":"
        "{\"User\":\"1\",\"ExposedPorts\":{\"80/tcp\":{}},\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"a\"],"
        "\"Labels\":{\"k\":\"v\"},\"StopSignal\":\"SIGQUIT\",\"Healthcheck\":{\"Test\":[\"CMD\","
        "\"x\"],"
        "\"Interval\":5000000000},\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/bash\",\"-c\"]},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]},\"history\":[{\"created_by\":"
        "\"ADD\"},{\"created_by\":\"CMD\",\"empty_layer\":true}]}";
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct oci_image_config c;
    assert_ok(oci_image_config_parse(str_of(text), &a, &c));
    assert_string_equal(c.created, "1970-01-01T00:00:00Z");
    assert_int_equal(c.config.healthcheck->interval, 5000000000);
    fields_print(&oci_image_config_fields, &c, &out);
    assert_string_equal(buf_cstr(&out), text);
    assert_err(oci_image_config_parse(
                   STR("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}"), &a, &c),
               ERR_INVALID);
    assert_err(oci_image_config_parse(STR("{}"), &a, &c), ERR_INVALID);
    assert_err(oci_image_config_parse(STR("{\"rootfs\":{\"type\":\"layers+base\"}}"), &a, &c),
               ERR_UNSUPPORTED);
}

TEST(docker_archive_manifest) {
    CLEAN_ARENA struct arena a = {0};
    struct objs v;
    assert_ok(oci_archive_parse(
        STR("[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"l/layer.tar\"]}]"), &a, &v));
    assert_string_equal(((struct oci_archive_item *)v.items)->layers.items[0], "l/layer.tar");
    assert_err(oci_archive_parse(STR("[{\"Layers\":[]}]"), &a, &v), ERR_INVALID);
    assert_err(oci_archive_parse(STR("{}"), &a, &v), ERR_INVALID);
}

TEST(layer_media_types) {
    enum oci_compression c = OCI_TAR;
    assert_true(oci_layer_compression(DOCKER_LAYER_GZIP, &c));
    assert_int_equal(c, OCI_GZIP);
    assert_true(oci_layer_compression(OCI_LAYER_ZSTD, &c));
    assert_int_equal(c, OCI_ZSTD);
    assert_false(oci_layer_compression(OCI_CONFIG, &c));
    assert_false(oci_layer_compression(NULL, &c));
}

TEST(image_inspect_by_version) {
    CLEAN_BUF struct buf out = {0};
    struct api_config config = {.hostname = (char *)"h"};
    struct api_image image = {.size = 7, .virtual_size = 7, .config = &config};
    fields_print(&api_image_fields, &image, &out);
    assert_null(strstr(buf_cstr(&out), "VirtualSize"));
    assert_null(strstr(buf_cstr(&out), "Hostname"));
    assert_non_null(strstr(buf_cstr(&out), "\"RepoTags\":[]"));
    assert_non_null(strstr(buf_cstr(&out), "\"Entrypoint\":null"));
    buf_clear(&out);
    struct json_out o = {.out = &out};
    fields_encode(&api_image_fields, &image, 43, &o);
    assert_non_null(strstr(buf_cstr(&out), "\"VirtualSize\":7"));
    assert_non_null(strstr(buf_cstr(&out), "\"Hostname\":\"h\""));
}

TEST(progress_messages) {
    CLEAN_BUF struct buf out = {0};
    struct api_progress_detail p = {.current = 1, .total = 2};
    struct api_message m = {
        .status = (char *)"Downloading", .id = (char *)"abc", .progress_detail = &p};
    fields_print(&api_message_fields, &m, &out);
    assert_string_equal(buf_cstr(&out),
                        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,"
                        "\"total\":2},\"id\":\"abc\"}");
}
