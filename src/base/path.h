/* path.h - path text, no system calls. */
#pragma once
#include "base/buf.h"

/* Joins with exactly one '/'; b absolute replaces nothing ("a" + "/b" = "a/b"). Owned. */
char *path_join(const char *a, const char *b);
/* Lexically cleaned path as Go's path.Clean: no "//", ".", "..", trailing '/'; "" → ".". Owned. */
char *path_clean(struct str path);
/* Last element as basename(1) ("a/b/" → "b"); borrowed. */
struct str path_base(struct str path);
/* Everything before the last '/', cleaned of trailing '/'; "." when none; "/" for "/x". Borrowed.
 */
struct str path_dir(struct str path);
bool path_is_abs(struct str path);
/* The program of that name on $PATH (a default one when it is unset), new; NULL: there is none. */
char *path_find_program(const char *name);
/* One path component that is safe as a file name: not empty, ".", "..", no '/', no NUL, <= 255. */
bool path_is_name(struct str name);
