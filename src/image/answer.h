/* answer.h - error answers of the image routes. Private to image/. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

int answer_status(enum err_kind kind);
/* A whole HTTP answer {"message": …} with Connection: close. */
void answer_error(struct err e, struct buf *out); /* does not consume e */
