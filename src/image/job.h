/* job.h - jobs in the worker, the daemon's side. Private to image/. Loop thread only. */
#pragma once
#include "image/facts.h"

struct image_job {
    struct list link;
    struct images *images; /* NULL once they are closed */
    struct worker *worker;
    char name[24]; /* of its ingest directory */
    int client;    /* duplicate of the client's socket, -1: none */
    bool body, resumable, lazy;
    struct watch *watch;
    bool head_sent;
    VEC(struct layer_fact *) pending; /* rows of this job; owned until committed */
    VEC(struct layer_fact *) pinned;
    VEC(struct blob *) blobs;       /* pinned */
    VEC(struct image_fact *) reads; /* pinned */
    unsigned asking;                /* questions that are being answered: they use the job */
    bool ended;                     /* the worker is gone; the job goes with its last question */
    struct err result;              /* of the ended worker */
    bool committed;
    struct digest image; /* the last one that was committed */
    image_done *done;
    void (*committed_fn)(void *arg, struct image *image, struct err e);
    void *arg;
};

struct image_job_new {
    const char *job;
    struct str args;           /* inside of a JSON object */
    struct http_taken *client; /* consumed */
    bool body, resumable;
    bool lazy;                   /* a step of a build: made again when a power cut takes it */
    struct image *const *images; /* described in args.images, pinned while the job runs */
    size_t images_n;
    const int *fds; /* borrowed */
    size_t fds_n;
    image_done *done;
    void (*committed_fn)(void *arg, struct image *image, struct err e);
    void *arg;
};
void job_start(struct images *im, const struct image_job_new *n);
/* A question was answered. */
void job_asked(struct image_job *j);
/* The questions (question.c). */
void job_question(struct image_job *j, struct worker *w, struct msg *m);
