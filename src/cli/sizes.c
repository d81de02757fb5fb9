/* sizes.c - sizes and numbers of CPUs as options have them. Source: the peer's documentation and
 * what it does: "6.5m", "64 MiB"; CPUs as a decimal number or a fraction. */
#include "cli/command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NANO 1000000000.0
#define CPUS_MAX 1000000.0

/* Digits and at most one point; the number behind them. */
static bool decimal(struct str s, double *ret) {
    char text[64], *end;
    if (s.len == 0 || s.len >= sizeof text || strspn(s.p, "0123456789.") < s.len)
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = 0;
    *ret = strtod(text, &end);
    return end != text && !*end;
}

/* "", b, k, kb, kib … in either case; the power of 1024, or -1. */
static int unit_power(struct str s) {
    static const char units[] = "bkmgtp";
    char small[4] = "";
    if (s.len == 0)
        return 0;
    if (s.len > 3)
        return -1;
    for (size_t i = 0; i < s.len; i++)
        small[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 32 : s.p[i]);
    const char *at = strchr(units, small[0]);
    bool known = !small[1] ||
                 (small[0] != 'b' && (!strcmp(small + 1, "b") || !strcmp(small + 1, "ib")));
    return at && known ? (int)(at - units) : -1;
}

struct err size_option(const char *text, int64_t *ret) {
    size_t n = strlen(text);
    while (n > 0 && !strchr("0123456789. ", text[n - 1]))
        n--;
    struct str number = {text, n}, unit = str_of(text + n);
    if (n > 0 && text[n - 1] == ' ')
        number.len--;
    double value;
    int power = unit_power(unit);
    if (!decimal(number, &value) || power < 0)
        return err_new(ERR_INVALID, "invalid size: '%s'", text);
    for (; power > 0; power--)
        value *= 1024;
    if (value >= 0x1p63)
        return err_new(ERR_INVALID, "invalid size: '%s' is too much", text);
    *ret = (int64_t)value;
    return OK;
}

struct err cpus_option(const char *text, int64_t *ret_nano) {
    char *end;
    double value = 0, below = 1;
    bool known = *text && strspn(text, "+-0123456789.eE/") == strlen(text);
    if (known) {
        value = strtod(text, &end);
        known = end != text;
        if (known && *end == '/') {
            const char *second = end + 1;
            below = strtod(second, &end);
            known = end != second && below > 0;
        }
        known &= *end == 0;
    }
    if (!known || fabs(value) / below > CPUS_MAX)
        return err_new(ERR_INVALID, "corten: invalid number of CPUs '%s'", text);
    double nano = value / below * NANO;
    /* A double has 15 digits; what it adds to a number that fits is far below this. */
    int64_t whole = (int64_t)(nano < 0 ? nano - 0.5 : nano + 0.5); /* within range: CPUS_MAX */
    if (fabs(nano - (double)whole) > 0.0001)
        return err_new(ERR_INVALID, "corten: value is too precise: '%s'", text);
    *ret_nano = whole;
    return OK;
}
