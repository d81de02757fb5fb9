/* clamp.h - no file below dir keeps a later mtime than `latest` (wall ns). The directory is ours
 * alone meanwhile; links are not followed. Private to image/. Tests:
 * test/e2e/t6008-corten-build.sh. */
#pragma once
#include "base/err.h"

struct err clamp_times(int dir, int64_t latest);
