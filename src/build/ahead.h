/* build/ahead.h - copies made before their turn: while a COPY or ADD is carried out, those that
 * follow it directly are made beside it, on the same parent. Private to build/.
 *
 * What a copy's layer is depends on its files and on what the image says about its destination,
 * not on the layers below (build/copy.c, layer_key). When its turn comes, the step works out that
 * key on its real parent as ever: only if it is the one that was made ahead, the layer is taken.
 * So nothing here has to be right; what fails is forgotten, and the step itself says why.
 *
 * Not made ahead: --from, URLs and repositories, and destinations whose directories a copy before
 * it may make. A thread each, AHEAD_MAX at once, which takes turns like a lane (build/lane.h).
 * With the turn. Test: test/e2e/t6027-copies-ahead.sh. */
#pragma once
#include "build/execute.h"

#define AHEAD_MAX 3

struct ahead;
struct aheads VEC_BODY(struct ahead *);
/* Begins those that follow `in`, which is about to be made. */
void ahead_begin(struct build *b, struct stage *stage, const struct instr *in);
/* What was made of this step; *ret_made NULL: nothing. Waits until it is. */
struct made {
    char same[KEY_TEXT]; /* key of the layer */
    const char *image;   /* whose topmost layer it is */
};
const struct made *ahead_wait(struct build *b, const struct instr *in);
/* Waits for the rest. */
void ahead_end(struct build *b);

/* build/steps.c: a copy on this parent, none of whose directories are among `others`. */
struct err step_copy_ahead(struct build *b, struct stage *stage, const struct instr *in,
                           const char *parent, const struct strs *others, struct made *ret);
/* Where it copies to; NULL: it is not to be made ahead. */
const char *step_copy_dest(struct build *b, struct stage *stage, const struct instr *in);
