/* loop/worker_wire.h - inside of loop/: what daemon and worker say to each other. Append-only. */
#pragma once
#include "loop/msg.h"

#define WORKER_FD 3 /* the worker's message socket */

enum worker_type {
    WORKER_START = 1,  /* → worker: job, args, descriptors */
    WORKER_RESULT = 2, /* ← worker: text or error */
    WORKER_ANSWER = 3, /* → worker: to the question with that number */
    WORKER_TYPE_FREE = 100,
};
enum worker_tag { WORKER_TAG_JOB = 1, WORKER_TAG_TEXT = 2, WORKER_TAG_ERROR = 10 /* to 12 */ };
