#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n) {
    char *at = p;
    while (n) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* an identifier that can be guessed or repeated is worse than no process */
        at += got;
        n -= (size_t)got;
    }
}

void random_id(char out[65]) {
    static const char digits[] = "0123456789abcdef";
    bool decimal;
    do {
        unsigned char bytes[32];
        random_bytes(bytes, sizeof(bytes));
        decimal = true;
        for (size_t i = 0; i < sizeof(bytes); i++) {
            out[2 * i] = digits[bytes[i] >> 4];
            out[2 * i + 1] = digits[bytes[i] & 15];
        }
        out[64] = '\0';
        for (size_t i = 0; i < 12; i++)
            decimal = decimal && out[i] <= '9';
    } while (decimal);
}

uint64_t random_u64(void) {
    uint64_t v;
    random_bytes(&v, sizeof(v));
    return v;
}
