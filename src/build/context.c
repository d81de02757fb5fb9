/* build/context.c - temporary directory and context. */
#include "build/context.h"
#include "base/file.h"
#include "base/path.h"
#include "build/dockerfile.h"
#include "build/named.h"
#include "build/packed.h"
#include "build/trees.h"
#include "build/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void context_done(struct context *c) {
    c->root_fd = fd_close(c->root_fd);
    c->temp_fd = fd_close(c->temp_fd);
    if (c->temp_parent >= 0 && c->id)
        /* What stays behind is removed by the daemon. */
        err_ignore(dir_remove(c->temp_parent, c->id));
    c->temp_parent = fd_close(c->temp_parent);
    c->packed = packed_free(c->packed);
    bound_trees_done(&c->bound);
    ignore_done(&c->ignore);
    named_dirs_done(&c->named);
    if (c->digests)
        err_ignore(digests_save(c->digests)); /* the next build then reads the files again */
    c->digests = digests_free(c->digests);
    if (c->memory)
        err_ignore(memory_save(c->memory)); /* the next one then has less to say */
    c->memory = memory_free(c->memory);
    if (c->stacks)
        err_ignore(stacks_save(c->stacks)); /* the next build then sends its layers whole */
    c->stacks = stacks_free(c->stacks);
    free(c->temp_path);
    free(c->id);
}

struct err context_open(const struct build_job *job, struct context *ret) {
    CLEAN_CONTEXT struct context c = {.temp_parent = -1, .temp_fd = -1, .root_fd = -1};
    if (!path_is_name(str_of(job->id)))
        return err_new(ERR_INVALID, "job id '%s'", job->id);
    TRYF(dir_open(job->temp_dir, &c.temp_parent), "temporary directory '%s'", job->temp_dir);
    if (mkdirat(c.temp_parent, job->id, 0700) != 0)
        return err_errno(errno, "make '%s/%s'", job->temp_dir, job->id);
    c.id = mem_strdup(job->id);
    c.temp_path = path_join(job->temp_dir, job->id);
    c.temp_fd = openat(c.temp_parent, job->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c.temp_fd < 0)
        return err_errno(errno, "open '%s'", c.temp_path);
    if (job->context && *job->context) {
        err_ignore(sweep_left(c.temp_parent)); /* another build may do it */
        TRY(sweep_mark(&c));
    }
    *ret = c;
    c = (struct context){.temp_parent = -1, .temp_fd = -1, .root_fd = -1};
    return OK;
}

static struct err receive(struct context *c, struct stream *in) {
    return err_wrap(packed_receive(in, c->temp_fd, &c->serial, &extract_default_limits, &c->packed),
                    "build context");
}

struct err context_receive(struct context *c, struct http_body *body) {
    struct stream *in = http_body_stream(body, false);
    return receive(c, in);
}

static struct err dockerfile_alone(struct context *c, int dir, const char *name,
                                   const char *dockerfile) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_FREE
    char *path = mem_printf("%u", context_serial(c));
    if (!path_is_name(str_of(dockerfile)))
        return err_new(ERR_INVALID, "Dockerfile '%s' cannot be in a context of one file",
                       dockerfile);
    TRY(file_read_at(dir, name, DOCKERFILE_SIZE_MAX, &text));
    if (mkdirat(c->temp_fd, path, 0755) != 0)
        return err_errno(errno, "make the context's directory");
    c->root_fd = openat(c->temp_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->root_fd < 0)
        return err_errno(errno, "open the context's directory");
    return file_replace_at(c->root_fd, dockerfile, buf_str(&text), 0644, false);
}

struct err context_downloaded(struct context *c, int dir, const char *name,
                              const char *dockerfile) {
    bool archive;
    TRY(unpack_is_archive(dir, name, &archive));
    if (!archive)
        return dockerfile_alone(c, dir, name, dockerfile);
    CLEAN_FD
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open the context's archive");
    return receive(c, stream_fd(fd));
}

struct err context_local(struct context *c, const char *path) {
    c->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->root_fd < 0)
        return err_kind_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                              "build context '%s'", path);
    return OK;
}

struct err context_read(struct context *c, const char *dockerfile, struct buf *ret_text) {
    struct source_root root = {.fd = c->root_fd, .packed = c->packed};
    struct err e = source_text(&root, dockerfile, DOCKERFILE_SIZE_MAX, ret_text);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return err_new(ERR_INVALID, "Cannot locate specified Dockerfile: %s", dockerfile);
    }
    TRYF(e, "%s", dockerfile);
    if (str_trim(buf_str(ret_text)).len == 0)
        return err_new(ERR_INVALID, "the Dockerfile (%s) cannot be empty", dockerfile);
    return context_rules(c, dockerfile);
}

struct err context_stdin(struct context *c, const char *dockerfile) {
    static const char name[] = "stdin";
    CLEAN_FD
    int fd = openat(c->temp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CLEAN_STREAM struct stream *in = stream_fd(STDIN_FILENO);
    uint64_t size;
    if (fd < 0)
        return err_errno(errno, "make a file for the context");
    TRYF(stream_copy_fd(in, fd, &size), "build context");
    return context_downloaded(c, c->temp_fd, name, dockerfile);
}

struct err context_rules(struct context *c, const char *dockerfile) {
    c->root = (struct source_root){.fd = c->root_fd, .packed = c->packed, .digests = c->digests};
    TRY(source_rules(&c->root, dockerfile, &c->ignore));
    c->root.ignore = c->ignore.n ? &c->ignore : NULL;
    return OK;
}
