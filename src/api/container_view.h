/* container_view.h - a container as the API shows it. Private to api/. All memory in the arena. */
#pragma once
#include "api/call.h"

void view_container(const struct container *c, int minor, struct arena *a,
                    struct api_container *ret);
void view_summary(const struct container *c, int minor, struct arena *a,
                  struct api_container_summary *ret);
