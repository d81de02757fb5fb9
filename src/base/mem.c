#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static NORETURN void out_of_memory(void) {
    static const char text[] = "corten: out of memory\n";
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        abort();
    abort();
}

void *mem_alloc(size_t size) {
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_zero(size_t size) {
    void *p = calloc(1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_array(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *mem_resize(void *p, size_t n, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        out_of_memory();
    void *q = realloc(p, total ? total : 1);
    if (!q)
        out_of_memory();
    return q;
}

void *mem_dup(const void *p, size_t size) {
    void *q = mem_alloc(size);
    if (size)
        memcpy(q, p, size);
    return q;
}

char *mem_strdup(const char *s) {
    return mem_dup(s, strlen(s) + 1);
}

char *mem_strdup_opt(const char *s) {
    return s ? mem_strdup(s) : NULL;
}

char *mem_printf(const char *fmt, ...) {
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    return text;
}
