/* manifests.c - image_manifests: what jobs need to know of many images, in one memory file. */
#include "image/job.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void put_optional(struct json_out *o, const char *key, const char *z) {
    if (z && *z)
        jo_kstr(o, key, z);
}

static void put_item(struct json_out *o, const struct image_manifests_item *item) {
    const struct image *i = item->image;
    const struct oci_image_config *config = image_config(item->image);
    jo_obj(o);
    jo_kstr(o, "id", i->id_text);
    jo_ki64(o, "layers", (int64_t)i->layers_n);
    jo_ki64(o, "size", (int64_t)i->size);
    if (i->artifact) {
        jo_kstr(o, "artifact", i->artifact);
        jo_kstr(o, "media_type", oci_media_type_of(i->config_text));
        jo_ki64(o, "manifest_size", (int64_t)i->config_text.len);
    }
    put_optional(o, "architecture", config->architecture);
    put_optional(o, "os", config->os);
    put_optional(o, "variant", config->variant);
    jo_key(o, "containers");
    jo_arr(o);
    LIST_FOR ((struct list *)(uintptr_t)&i->holds, l)
        jo_strz(o, CONTAINER_OF(l, struct image_hold, link)->container_id);
    jo_arr_end(o);
    jo_key(o, "documents");
    documents_describe(o, fact_of_const(i));
    jo_key(o, "document");
    jo_raw(o, item->document);
    jo_obj_end(o);
}

void image_manifests(struct images *im, struct http_taken *client,
                     const struct image_manifests_item *items, size_t n, bool array,
                     image_done *done, void *arg) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    jo_arr(&o);
    for (size_t i = 0; i < n; i++)
        put_item(&o, &items[i]);
    jo_arr_end(&o);
    CLEAN_FD int fd = memfd_create("corten-images", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, text.data, text.len, 0) != (ssize_t)text.len) {
        image_job_refuse(im, client, done, arg, err_errno(errno, "describe images to a worker"));
        return;
    }
    struct image_job_new j = {.job = "image-manifests",
                              .args = array ? STR("\"array\":true") : STR("\"array\":false"),
                              .client = client,
                              .fds = &fd,
                              .fds_n = 1,
                              .done = done,
                              .arg = arg};
    job_start(im, &j);
}
