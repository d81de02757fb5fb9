/* Foreign bytes through every table that decodes requests, images or registry answers. What decodes
 * must print, and its print must decode again to the same print. */
#include "spec/api_container.h"
#include "spec/api_stats.h"
#include "spec/api_system.h"
#include "spec/distribution.h"
#include "spec/oci_image.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fields *const tables[] = {
    &api_container_create_fields,
    &api_host_config_fields,
    &api_container_fields,
    &api_update_fields,
    &api_exec_create_fields,
    &api_exec_start_fields,
    &api_network_create_fields,
    &api_network_fields,
    &api_network_connect_fields,
    &api_volume_create_fields,
    &api_volume_list_fields,
    &api_image_fields,
    &api_image_summary_fields,
    &api_message_fields,
    &api_info_fields,
    &api_version_fields,
    &api_event_fields,
    &api_disk_usage_fields,
    &api_auth_fields,
    &api_stats_fields,
    &api_top_fields,
    &oci_manifest_fields,
    &oci_index_fields,
    &oci_image_config_fields,
    &oci_archive_item_fields,
    &oci_layout_fields,
    &dist_token_fields,
    &dist_errors_fields,
    &dist_tags_fields,
    &dist_catalog_fields,
};

static void round_trip(const struct fields *t, struct str text) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf once = {0}, twice = {0};
    void *obj = arena_alloc(&a, t->size);
    struct err e = fields_decode(t, text, &a, obj);
    if (err_failed(e)) {
        err_free(e);
        return;
    }
    fields_print(t, obj, &once);
    e = fields_decode(t, buf_str(&once), &a, obj);
    if (err_failed(e))
        abort();
    fields_print(t, obj, &twice);
    if (!str_eq(buf_str(&once), buf_str(&twice)))
        abort();
}

static void parse(struct str text) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_manifest m;
    struct oci_index x;
    struct oci_image_config c;
    struct objs v;
    err_ignore(oci_manifest_parse(text, &a, &m));
    err_ignore(oci_index_parse(text, &a, &x));
    err_ignore(oci_image_config_parse(text, &a, &c));
    err_ignore(oci_archive_parse(text, &a, &v));
    (void)oci_media_type_of(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_n(data, size);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        round_trip(tables[i], text);
    parse(text);
    return 0;
}
