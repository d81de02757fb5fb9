/* df_owner.h - disk use by who has it. Private to cli/. */
#pragma once
#include "cli/command.h"
#include "spec/api_volume.h"

/* by: "project", "image" or "container". Prints; the exit status. */
int df_by_owner(struct invocation *in, const struct api_disk_usage *d, const char *by,
                const char *format);
