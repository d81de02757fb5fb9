/* build/unpack.c - ADD of archives; unpacking in general. */
#include "build/unpack.h"
#include "archive/extract.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static struct err temp_dir(int temp_fd, unsigned *serial, int *ret_fd) {
    char name[16];
    snprintf(name, sizeof(name), "%u", __atomic_fetch_add(serial, 1, __ATOMIC_RELAXED));
    if (mkdirat(temp_fd, name, 0755) != 0)
        return err_errno(errno, "make a temporary directory");
    int fd = openat(temp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open a temporary directory");
    *ret_fd = fd;
    return OK;
}

struct err unpack_stream(struct stream *in, int temp_fd, unsigned *serial, int *ret_fd) {
    CLEAN_STREAM struct stream *plain = NULL;
    CLEAN_FD
    int fd = -1;
    struct extracted done;
    TRY(decode_open(in, &plain));
    TRY(temp_dir(temp_fd, serial, &fd));
    TRY(extract(plain, fd, 0, &extract_default_limits, &done));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* Does it begin as a tar archive, whatever it is compressed with? Takes the stream over. */
static struct err begins_as_tar(struct stream *in, bool *ret) {
    CLEAN_STREAM struct stream *plain = NULL;
    *ret = false;
    struct err e = decode_open(in, &plain);
    if (!err_failed(e)) {
        CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(plain);
        const struct tar_entry *entry = NULL;
        e = tar_next(t, &entry);
        *ret = !err_failed(e) && entry;
    }
    err_free(e); /* not an archive */
    return OK;
}

struct err unpack_is_archive(int dir, const char *name, bool *ret) {
    CLEAN_FD
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open '%s'", name);
    return begins_as_tar(stream_fd(fd), ret);
}

static struct err is_archive(const struct source_item *item, bool *ret) {
    CLEAN_SOURCE_DATA struct source_data d = {.fd = -1};
    TRY(source_open(item->root, item->files.items[0], &d));
    return begins_as_tar(source_stream(&d), ret);
}

static struct err unpack_item(struct copy *c, struct source_item *item) {
    CLEAN_SOURCE_DATA struct source_data d = {.fd = -1};
    TRY(source_open(item->root, item->files.items[0], &d));
    struct source_root *root = arena_alloc(c->arena, sizeof(*root));
    struct packed *tree = NULL;
    TRYF(packed_receive(source_stream(&d), c->temp_fd, c->temp_serial, &extract_default_limits,
                        &tree),
         "unpack '%s'", item->name);
    vec_push(&c->packed, tree);
    *root = (struct source_root){.fd = -1, .packed = tree, .owners = true};
    struct source_items found = {0};
    struct err e = source_find(root, "/", c->arena, &found);
    if (!err_failed(e)) {
        struct source_item old = *item;
        *item = found.items[0];
        item->unpacked = true;
        found.items[0] = old;
    }
    source_items_done(&found);
    return e;
}

struct err unpack_archives(struct copy *c) {
    for (size_t i = 0; i < c->items.n; i++) {
        struct source_item *item = &c->items.items[i];
        bool archive = false;
        if (item->dir || !item->root || !item->archive)
            continue;
        TRYF(is_archive(item, &archive), "'%s'", item->name);
        if (archive)
            TRY(unpack_item(c, item));
    }
    return OK;
}
