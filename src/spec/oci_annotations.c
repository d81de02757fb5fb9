#include "spec/oci_annotations.h"

#define F(m, json, kind, ...) FIELD(struct oci_annotations, m, json, kind, ##__VA_ARGS__)
FIELDS(oci_annotations_fields, struct oci_annotations, F(all, "annotations", F_STRMAP), );
#undef F

/* Of the descriptor, not of the image: a name that it had elsewhere, what an attestation is about.
 */
static bool is_of_descriptor(struct str key) {
    return str_eqz(key, "io.containerd.image.name") ||
           str_eqz(key, "org.opencontainers.image.ref.name") ||
           str_starts(key, STR("vnd.docker.reference."));
}

void oci_annotations_add(struct oci_annotations *to, struct arena *a, const struct strmap *from) {
    for (size_t i = 0; i < from->n && to->all.n < OCI_ANNOTATIONS_MAX; i++) {
        struct str key = str_of(from->items[i].key);
        const char *value = from->items[i].value ? from->items[i].value : "";
        size_t len = strlen(value);
        bool fits = key.len > 0 && key.len <= OCI_ANNOTATION_KEY_MAX &&
                    len <= OCI_ANNOTATION_VALUE_MAX &&
                    to->bytes + key.len + len <= OCI_ANNOTATIONS_BYTES;
        if (!fits || is_of_descriptor(key) || strmap_get(&to->all, from->items[i].key))
            continue;
        to->bytes += key.len + len;
        strmap_set(&to->all, a, from->items[i].key, value);
    }
}

void oci_annotations_put(struct json_out *o, const struct oci_annotations *x) {
    if (x->all.n == 0)
        return;
    jo_key(o, "annotations");
    jo_obj(o);
    for (size_t i = 0; i < x->all.n; i++)
        jo_kstr(o, x->all.items[i].key, x->all.items[i].value);
    jo_obj_end(o);
}

struct err oci_annotations_parse(struct str text, struct arena *a, struct oci_annotations *ret) {
    struct oci_annotations read = {0}, checked = {0};
    if (text.len > OCI_ANNOTATIONS_TEXT)
        return err_new(ERR_INVALID, "annotations are larger than %u bytes", OCI_ANNOTATIONS_TEXT);
    TRYF(fields_decode(&oci_annotations_fields, text, a, &read), "annotations");
    oci_annotations_add(&checked, a, &read.all);
    if (checked.all.n != read.all.n)
        return err_new(ERR_INVALID, "annotations are beyond their limits");
    *ret = checked;
    return OK;
}
