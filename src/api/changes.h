/* changes.h - `changes` of POST /images/create and /commit: Dockerfile lines that alter a config.
 * Private to api/.
 *
 * CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR, any case, as
 * in the Dockerfile reference: JSON or shell form where that exists, words with quotes and
 * backslashes. $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word} mean the environment of the config
 * as the line finds it, outside of CMD, ENTRYPOINT, HEALTHCHECK and ONBUILD and outside of single
 * quotes. Tests: test/unit/api/changes.c. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "spec/api_config.h"

/* Applies one value of the parameter (one or more lines). Errors are ERR_INVALID or ERR_UNSUPPORTED
 * and name the instruction; config may have changed in part then. */
struct err changes_apply(struct str lines, struct arena *a, struct api_config *config);
/* All `changes` of a request, as one text: they know of each other. */
struct api_call;
struct err changes_read(struct api_call *c, struct api_config *config);
