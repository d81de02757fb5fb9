/* attest.c - statements about an image (in-toto) that the store keeps as its documents: the
 * builder's own, and those of attestations that came with a pull. */
#include "base/file.h"
#include "image/job.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATEMENT "https://in-toto.io/Statement/"

void image_attest(struct images *im, struct image *i, const struct image_attestation *a,
                  image_done *done, void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct json_out o = {.out = &args};
    struct str statement = a->statement;
    struct err e = OK;
    if (i->artifact)
        e = err_new(ERR_INVALID, "%s is no image", i->id_text);
    else if (statement.len > IMAGE_STATEMENT_MAX)
        e = err_new(ERR_INVALID, "the statement is larger than %u bytes", IMAGE_STATEMENT_MAX);
    else if (str_find_str(statement, STR(STATEMENT)) < 0 || !str_is_utf8(statement))
        e = err_new(ERR_INVALID, "the document is no in-toto statement");
    if (err_failed(e)) {
        done(arg, e);
        return;
    }
    jo_key(&o, "statement");
    jo_str(&o, statement);
    jo_kbool(&o, "travels", a->travels);
    jo_key(&o, "annotations");
    jo_str(&o, a->annotations);
    struct image_job_new n = {.job = "image-attest",
                              .args = buf_str(&args),
                              .images = &i,
                              .images_n = 1,
                              .lazy = !a->travels,
                              .done = done,
                              .arg = arg};
    job_start(im, &n);
}

/* --- read ---------------------------------------------------------------------------------------
 */
struct reading {
    struct images *images;
    struct image_fact *image; /* pinned */
    int blob_fd;
    VEC(struct digest) digests; /* newest first */
    struct buf text;            /* a JSON array */
    void (*done)(void *arg, struct str statements, struct err e);
    void *arg;
};

/* Documents that are none, or that a check has taken away meanwhile, are passed over. */
static struct err read_work(void *arg) {
    struct reading *r = arg;
    buf_addc(&r->text, '[');
    for (size_t i = 0; i < r->digests.n; i++) {
        CLEAN_BUF struct buf one = {.max = IMAGE_STATEMENT_MAX};
        char hex[65], path[80];
        struct digest got;
        digest_hex(&r->digests.items[i], hex);
        snprintf(path, sizeof(path), "%.2s/%s", hex, hex);
        CLEAN_FD int fd = openat(r->blob_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fd_read_buf(fd, &one) < 0 || one.overflow)
            continue;
        digest_of(buf_str(&one), &got);
        if (!digest_eq(&got, &r->digests.items[i]) ||
            str_find_str(buf_str(&one), STR(STATEMENT)) < 0)
            continue;
        CLEAN_JSON struct json *j = NULL;
        struct err e = json_parse(buf_str(&one), &j);
        bool whole = !err_failed(e) && json_type(j) == JSON_OBJECT;
        err_ignore(e); /* a stranger's */
        if (!whole)
            continue;
        buf_adds(&r->text, r->text.len > 1 ? "," : "");
        json_print(j, &r->text);
    }
    buf_addc(&r->text, ']');
    return OK;
}

static void read_done(void *arg, struct err e) {
    struct reading *r = arg;
    if (--r->image->pins == 0 && r->image->image.removed && r->image->image.holds_n == 0)
        image_forget(r->image);
    r->done(r->arg, buf_str(&r->text), e);
    fd_close(r->blob_fd);
    vec_done(&r->digests);
    buf_done(&r->text);
    free(r);
}

void image_statements(struct images *im, struct image *i,
                      void (*done)(void *arg, struct str statements, struct err e), void *arg) {
    struct image_fact *f = fact_of(i);
    struct reading *r = NEW(struct reading);
    *r = (struct reading){.images = im, .image = f, .done = done, .arg = arg};
    for (size_t n = f->documents.n; n > 0; n--) {
        const struct document *d = &f->documents.items[n - 1];
        if (d->kind == DOCUMENT_BLOB && d->blob->size <= IMAGE_STATEMENT_MAX)
            vec_push(&r->digests, d->blob->digest);
    }
    r->blob_fd = fcntl(im->blob_fd, F_DUPFD_CLOEXEC, 0);
    f->pins++;
    job_submit(im->loop, read_work, read_done, r);
}
