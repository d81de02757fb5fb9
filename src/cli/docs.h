/* docs.h - documentation from the table of commands. Private to cli/. */
#pragma once
#include "cli/command.h"

void docs_markdown(struct buf *out); /* docs/cli.md */
void docs_man(const struct command *c, struct buf *out);
