/* build/heredoc.h - reading the bodies of an instruction's heredocs. Private to build/dockerfile.c.
 */
#pragma once
#include "build/lines.h"

/* Fills n->heredocs with the bodies that follow in the file. */
struct err heredocs_read(struct lines *l, struct node *n);
