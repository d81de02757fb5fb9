/* What registries and archives say about images: manifests, indexes, configs, manifest.json. */
#include "registry/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct platform p;
    err_free(platform_parse(STR("linux/arm64"), &p));
    struct platform said;
    err_free(platform_parse(str_n(data, MIN(size, 200)), &said));
    static const char *const types[] = {"", OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct oci_manifest manifest;
        struct oci_index index;
        bool is_index;
        struct err e = manifest_check(str_n(data, size), types[i], &a, &is_index, &manifest,
                                      &index);
        if (!err_failed(e) && is_index)
            oci_index_choose(&index, &p);
        err_free(e);
    }
    CLEAN_ARENA struct arena a = {0};
    struct oci_image_config config;
    struct objs items;
    err_free(oci_image_config_parse(str_n(data, size), &a, &config));
    err_free(oci_archive_parse(str_n(data, size), &a, &items));
    return 0;
}
