/* build/explain.h - why a step has to be made: the builder's side of build/memory.h. Private to
 * build/. */
#pragma once
#include "build/execute.h"
#include "build/key.h"

/* A step was looked up. k: its parts; items: its files, or NULL; hit: the cache had it. Remembers
 * what it is made of, and says why it was missed when the job wants to know. */
struct err explain_step(struct build *b, const struct stage *s, const struct instr *in,
                        const struct key *k, const struct source_items *items, bool hit);
