/* Which documents are manifests, and which credentials are read. */
#include "registry/manifest.h"
#include "base/base64.h"
#include "test.h"

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG "\"config\":{\"mediaType\":\"" OCI_CONFIG "\",\"digest\":\"" D "\",\"size\":2}"

static enum err_kind check(const char *text, const char *type, bool *ret_index) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_manifest m;
    struct oci_index i;
    struct err e = manifest_check(str_of(text), type, &a, ret_index, &m, &i);
    enum err_kind k = err_kind(e);
    err_free(e);
    return k;
}

TEST(one_document_one_meaning) {
    bool index;
    const char *manifest = "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\"," CONFIG
                           ",\"layers\":[]}";
    assert_int_equal(check(manifest, OCI_MANIFEST, &index), ERR_OK);
    assert_false(index);
    assert_int_equal(check(manifest, OCI_MANIFEST "; charset=utf-8", &index), ERR_OK);
    assert_int_equal(check(manifest, "", &index), ERR_OK);
    assert_int_equal(check(manifest, OCI_INDEX, &index), ERR_INVALID);
    assert_int_equal(check(manifest, DOCKER_MANIFEST, &index), ERR_INVALID);
    assert_int_not_equal(check("{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\"," CONFIG
                               ",\"layers\":[],\"manifests\":[]}",
                               OCI_MANIFEST, &index),
                         ERR_OK);
    assert_int_equal(check("{\"schemaVersion\":1}", DOCKER_SCHEMA1_SIGNED, &index),
                     ERR_UNSUPPORTED);
    assert_int_not_equal(check("null", "", &index), ERR_OK);
    assert_int_not_equal(check("<html>", "text/html", &index), ERR_OK);
}

static struct err read_auth(const char *json, struct registry_credentials *ret) {
    CLEAN_BUF struct buf b = {0};
    base64_encode(str_of(json), &b);
    return registry_read_auth(buf_str(&b), ret);
}

TEST(credentials) {
    struct registry_credentials c = {0};
    assert_ok(registry_read_auth(STR_NONE, &c));
    assert_null(c.username);
    assert_ok(read_auth("{\"username\":\"u\",\"password\":\"p\"}", &c));
    assert_string_equal(c.username, "u");
    assert_string_equal(c.password, "p");
    registry_credentials_done(&c);
    assert_ok(read_auth("{\"auth\":\"dTpw\"}", &c));
    assert_string_equal(c.password, "p");
    registry_credentials_done(&c);
    assert_ok(read_auth("{}", &c));
    registry_credentials_done(&c);
    assert_ok(read_auth("{\"identitytoken\":\"t\"}", &c));
    assert_string_equal(c.identity, "t");
    registry_credentials_done(&c);
    assert_err(read_auth("[", &c), ERR_INVALID);
    assert_err(registry_read_auth(STR("!!"), &c), ERR_INVALID);
}
