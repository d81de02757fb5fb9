/* df_owner.c - `system df --by`: what would come back with each project, image or container.
 *
 * An owner's total is what belongs to it alone: the files of its containers, the volumes that only
 * these use, the part of its images that no other image shares and no other container uses. So the
 * totals add up to less than the whole; what is shared has no owner. A project is the label
 * com.docker.compose.project. */
#include "cli/df_owner.h"
#include <stdlib.h>
#include <string.h>

#define PROJECT "com.docker.compose.project"

struct owner_row {
    const char *name;
    int64_t containers, images, volumes; /* bytes */
    size_t count;                        /* containers */
};
struct owner_rows VEC_BODY(struct owner_row);

static struct template_value size_of(int64_t bytes, struct arena *a) {
    struct buf out = {0};
    human_bytes((double)bytes, 4, &out);
    return view_take(a, &out);
}

static int64_t total(const struct owner_row *r) {
    return r->containers + r->images + r->volumes;
}

VIEW(v_owner, struct owner_row, template_strz(r->name))
VIEW(v_count, struct owner_row, template_strz(arena_printf(a, "%zu", r->count)))
VIEW(v_containers, struct owner_row, size_of(r->containers, a))
VIEW(v_images, struct owner_row, size_of(r->images, a))
VIEW(v_volumes, struct owner_row, size_of(r->volumes, a))
VIEW(v_total, struct owner_row, size_of(total(r), a))
static const struct template_member owner_members[] = {
    {"Owner", v_owner, 0, 0, "OWNER"},
    {"Containers", v_count, 0, 0, "CONTAINERS"},
    {"ContainerFiles", v_containers, 0, 0, "CONTAINER FILES"},
    {"Images", v_images, 0, 0, "IMAGES"},
    {"Volumes", v_volumes, 0, 0, "VOLUMES"},
    {"Total", v_total, 0, 0, "TOTAL"},
};
TYPE_OF(owner_type, "*formatter.ownerContext", owner_members);

static struct owner_row *row_of(struct owner_rows *all, const char *name) {
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->items[i].name, name))
            return &all->items[i];
    vec_push(all, ((struct owner_row){.name = name}));
    return &all->items[all->n - 1];
}

static const struct api_image_summary *image_of(const struct api_disk_usage *d, const char *id) {
    const struct api_image_summary *i = d->images.items;
    for (size_t k = 0; k < d->images.n; k++)
        if (id && !strcmp(i[k].id, id))
            return &i[k];
    return NULL;
}

static const char *image_name(const struct api_image_summary *i, struct arena *a) {
    return i->repo_tags.n ? i->repo_tags.items[0] : arena_str(a, view_id(i->id, true).s);
}

/* NULL: nobody's. */
static const char *owner_of(const struct api_disk_usage *d, const struct api_container_summary *k,
                            const char *by, struct arena *a) {
    const struct api_image_summary *i = image_of(d, k->image_id);
    if (!strcmp(by, "container"))
        return k->names.n ? k->names.items[0] + 1 : k->id;
    if (!strcmp(by, "image"))
        return i ? image_name(i, a) : k->image;
    return strmap_get(&k->labels, PROJECT);
}

static bool mounts(const struct api_container_summary *k, const char *volume) {
    const struct api_mount_point *m = k->mounts.items;
    for (size_t i = 0; i < k->mounts.n; i++)
        if (m[i].name && !strcmp(m[i].name, volume))
            return true;
    return false;
}

/* Who alone has it? NULL: nobody, or several. */
static const char *sole_owner(const struct api_disk_usage *d, const char *by, struct arena *a,
                              const char *volume, const char *image_id) {
    const struct api_container_summary *k = d->containers.items;
    const char *sole = NULL;
    for (size_t i = 0; i < d->containers.n; i++) {
        bool uses = volume ? mounts(&k[i], volume)
                           : k[i].image_id && !strcmp(k[i].image_id, image_id);
        const char *owner = uses ? owner_of(d, &k[i], by, a) : NULL;
        if (uses && (!owner || (sole && strcmp(sole, owner) != 0)))
            return NULL;
        sole = uses ? owner : sole;
    }
    return sole;
}

static void add_volumes(const struct api_disk_usage *d, const char *by, struct arena *a,
                        struct owner_rows *all) {
    const struct api_volume *v = d->volumes.items;
    for (size_t i = 0; i < d->volumes.n; i++) {
        const char *owner = sole_owner(d, by, a, v[i].name, NULL);
        if (!owner && !strcmp(by, "project") && v[i].usage && v[i].usage->ref_count == 0)
            owner = strmap_get(&v[i].labels, PROJECT);
        if (owner && v[i].usage && v[i].usage->size > 0)
            row_of(all, owner)->volumes += v[i].usage->size;
    }
}

static void add_images(const struct api_disk_usage *d, const char *by, struct arena *a,
                       struct owner_rows *all) {
    const struct api_image_summary *i = d->images.items;
    for (size_t k = 0; k < d->images.n; k++) {
        int64_t own = i[k].size - MAX(i[k].shared_size, INT64_C(0));
        const char *owner = !strcmp(by, "image") ? image_name(&i[k], a)
                                                 : sole_owner(d, by, a, NULL, i[k].id);
        if (owner && own > 0)
            row_of(all, owner)->images += own;
    }
}

static int compare_rows(const void *a, const void *b) {
    const struct owner_row *x = a, *y = b;
    int64_t m = total(x), n = total(y);
    return m < n ? 1 : m > n ? -1 : strcmp(x->name, y->name);
}

int df_by_owner(struct invocation *in, const struct api_disk_usage *d, const char *by,
                const char *format) {
    const struct api_container_summary *k = d->containers.items;
    struct owner_rows all = {0};
    struct listing l = {0};
    for (size_t i = 0; i < d->containers.n; i++) {
        const char *owner = owner_of(d, &k[i], by, &in->arena);
        if (!owner)
            continue;
        struct owner_row *r = row_of(&all, owner);
        r->count++;
        r->containers += k[i].size_rw;
    }
    add_volumes(d, by, &in->arena, &all);
    add_images(d, by, &in->arena, &all);
    if (all.n)
        qsort(all.items, all.n, sizeof *all.items, compare_rows);
    struct err e = listing_begin(&l, format, NULL,
                                 "{{.Owner}}\t{{.Containers}}\t{{.ContainerFiles}}\t{{.Images}}\t"
                                 "{{.Volumes}}\t{{.Total}}",
                                 &owner_type);
    for (size_t i = 0; i < all.n && !err_failed(e); i++)
        e = listing_row(&l, &all.items[i]);
    vec_done(&all);
    return listing_end(&l, e);
}
