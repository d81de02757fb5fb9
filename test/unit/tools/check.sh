#!/bin/sh
# Plants each violation that tools/check knows into a small tree and expects it to be found, and
# what looks like one but is none to pass. Prints TAP.
set -u
check=$(cd "$(dirname "$0")/../../.." && pwd)/tools/check
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
n=0
failed=0

fresh() {
    rm -rf "$tree/src" "$tree/test" "$tree/tools"
    mkdir -p "$tree/src/base" "$tree/src/loop" "$tree/src/image" "$tree/src/store" \
        "$tree/src/container" "$tree/src/cli" "$tree/src/kernel" "$tree/src/runtime" \
        "$tree/src/bin" "$tree/test/unit" "$tree/tools"
}

# result NAME WANTED-RULE|none
result() {
    n=$((n + 1))
    out=$("$check" "$tree")
    status=$?
    if [ "$2" = none ]; then
        if [ $status -eq 0 ]; then echo "ok $n - $1"; return; fi
    elif [ $status -eq 1 ] && echo "$out" | grep -q ": $2: "; then
        echo "ok $n - $1"
        return
    fi
    echo "not ok $n - $1"
    echo "$out" | sed 's/^/# /'
    failed=1
}

# plant NAME RULE FILE: the text on stdin
plant() {
    fresh
    cat >"$tree/$3"
    result "$1" "$2"
}

fresh
result "an empty tree passes" none

plant "include points right on its line" include-right src/store/a.c <<'E2'
#include "image/image.h"
E2
plant "shared includes a server folder" include-right src/base/a.c <<'E2'
#include "store/store.h"
E2
plant "client includes server" include-right src/cli/a.c <<'E2'
#include "image/image.h"
E2
plant "private header of another folder" include-private src/container/a.c <<'E2'
#include "image/blob.h"
E2
plant "include without its folder" include-spelling src/image/a.c <<'E2'
#include "image.h"
E2
plant "include with dots" include-spelling src/image/a.c <<'E2'
#include "../store/store.h"
E2
plant "left, own and shared includes pass" none src/image/a.c <<'E2'
#include "image/blob.h"
#include "store/store.h"
#include "kernel/beneath.h"
E2
plant "programs may include any door" none src/bin/cortend.c <<'E2'
#include "daemon/daemon.h"
#include "image/image.h"
E2
mkdir -p "$tree/src/misc"
fresh
mkdir -p "$tree/src/misc"
echo '#include "base/str.h"' >"$tree/src/misc/a.c"
result "a folder on no line" folder
rm -rf "$tree/src/misc"

fresh
yes 'int a(void);' | head -1001 >"$tree/src/image/a.h"
result "a file over 1,000 lines" file-lines
fresh
yes 'int a(void);' | head -1000 >"$tree/src/image/a.h"
result "a file of 1,000 lines passes" none
fresh
yes '/* main */' | head -151 >"$tree/src/bin/corten.c"
result "a main over 150 lines" main-lines

body() { # LINES of a function
    echo 'static struct err work(const char *name,'
    echo '                       int n) {'
    yes '    n++; /* } */' | head -$(($1 - 2))
    echo '}'
}
fresh
body 81 >"$tree/src/image/a.c"
result "a function of 81 lines" function-lines
fresh
body 80 >"$tree/src/image/a.c"
result "a function of 80 lines passes" none
fresh
{
    echo 'static const struct row rows[] = {'
    yes '    {"a", 1},' | head -200
    echo '};'
} >"$tree/src/image/a.c"
result "a long constant table is no function" none

plant "a mutex" lock src/image/a.c <<'E2'
void f(void) { pthread_mutex_lock(m); }
E2
plant "a condition of libuv" lock src/image/a.c <<'E2'
void f(void) { uv_cond_wait(c, m); }
E2
plant "a mutex in the loop passes" none src/loop/a.c <<'E2'
void f(void) { uv_mutex_lock(m); }
E2
for call in 'fork()' 'vfork()' 'clone(f, s, 0, a)' 'posix_spawn(&p, a, b, c, d, e)' 'uv_spawn(l, p, o)' \
    'syscall(SYS_clone3, a, n)' 'syscall(__NR_clone, a)'; do
    plant "outside spawn.c: $call" spawn src/image/a.c <<E2
void f(void) { if ($call < 0) return; }
E2
done
plant "fork in kernel/spawn.c passes" none src/kernel/spawn.c <<'E2'
void f(void) { fork(); syscall(SYS_clone3, a, n); }
E2
plant "clone3 in runtime passes" none src/runtime/a.c <<'E2'
void f(void) { syscall(SYS_clone3, a, n); }
E2

for variable in 'int counter;' 'static int counter = 1;' 'static const char *name = "x";' \
    'static const char *names[] = {"a"};' 'static struct { int x; } state;' \
    'static struct { int x; } state = {1};' 'struct map table = {0};' \
    'static void (*hook)(int);' 'static _Thread_local int n;' \
    'static char buffer[100] __attribute__((aligned(16)));' \
    'void f(void) { static int calls; calls++; }' \
    'void f(void) { static const char *last = 0; }'; do
    plant "can change: $variable" mutable-global src/image/a.c <<E2
$variable
E2
done
plant "constants and declarations pass" none src/image/a.c <<'E2'
#define PAIR(a, b)                                                                                 \
    static int a;                                                                                  \
    static int b
static const char *const names[] = {"a", "b;"};
static const struct row { int x; } rows[] = {{1}, {2}};
static const int limit = 4, other = 5;
static void (*const hook)(int) = f;
enum kind { ONE, TWO };
enum { SIZE = 10 };
struct thing;
struct thing { int x; void (*fn)(void *arg); };
typedef struct { int x; } pair;
extern const struct driver driver_file;
_Static_assert(sizeof(int) == 4, "int");
static int work(int n, void (*fn)(void *arg), struct x *ret);
struct [[nodiscard]] err { struct info *info; };
int work(int n, void (*fn)(void *arg)) {
    static const char *const local[] = {"x"};
    int counter = 0;
    const struct x y = {.fn = fn};
    return counter + n;
}
TEST(push) { assert(1); }
E2

for call in 'strcpy(a, b)' 'strcat(a, b)' 'strncpy(a, b, n)' 'sprintf(a, "%d", n)' \
    'vsprintf(a, f, ap)' 'system(a)' 'popen(a, b)' 'gets(a)' 'strtok(a, b)' 'atoi(a)' 'atol(a)' \
    'alloca(n)' 'tmpnam(a)' 'mktemp(a)'; do
    plant "banned: $call" banned src/image/a.c <<E2
void f(void) { $call; }
E2
done
plant "banned in tests too" banned test/unit/a.c <<'E2'
void f(void) { strcpy(a, b); }
E2
plant "comments, strings, members and longer names pass" none src/image/a.c <<'E2'
/* strcpy(a, b); fork(); pthread_mutex_lock(m); */
void f(void) {
    x->system(y); /* system(y) */
    x.fork(1);
    snprintf(a, n, "strcpy(%s) \" system(", b);
    mkostemp(t, 0); // popen(x)
    char c = '"'; my_atoi(c);
}
E2
plant "unfinished work" unfinished src/image/a.c <<'E2'
/* TODO later */
E2
plant "a test that does not exist" no-test src/image/a.c <<'E2'
/* Tests: test/unit/image/nowhere.c. */
E2

violation='static int counter;'
fresh
echo "$violation" >"$tree/src/image/a.c"
echo "mutable-global src/image/a.c counter -- a reason" >"$tree/tools/check.allow"
result "an allowed exception passes" none
echo "mutable-global src/image/a.c counter" >"$tree/tools/check.allow"
result "an exception needs a reason" allow
echo "mutable-global src/image/a.c other -- a reason" >"$tree/tools/check.allow"
result "an exception that excepts nothing" allow

echo "1..$n"
exit $failed
