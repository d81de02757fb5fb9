/* driver.c - log drivers and their options by name. */
#include "base/mem.h"
#include "logs/logs.h"

static const char *const known_drivers[] = {"json-file", "none"};

struct err logs_check_driver(const char *driver) {
    for (size_t i = 0; driver && i < ARRAY_LEN(known_drivers); i++)
        if (strcmp(driver, known_drivers[i]) == 0)
            return OK;
    return err_new(ERR_UNSUPPORTED, "log driver '%s' is not supported: use json-file or none",
                   driver ? driver : "");
}

/* Sizes as the peer's units package reads them: number, optional fraction, optional unit of 1,024
 * with an optional "b" or "ib", a blank in between allowed. */
struct err logs_parse_size(struct str text, int64_t *ret) {
    if (str_eqz(text, "-1")) {
        *ret = -1;
        return OK;
    }
    struct str digits = text;
    size_t n = 0;
    while (n < text.len && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    digits.len = n;
    struct str unit = str_from(text, n);
    if (unit.len > 0 && unit.p[0] == ' ')
        unit = str_from(unit, 1);
    int shift = 0;
    if (unit.len > 0) {
        static const char letters[] = "bkmgtp";
        const char *at = unit.p[0] ? strchr(letters, unit.p[0] | 0x20) : NULL;
        struct str rest = str_from(unit, 1);
        bool suffix = rest.len == 0 || str_eq_nocase(rest, STR("b")) ||
                      str_eq_nocase(rest, STR("ib"));
        if (at == NULL || !suffix || (at == letters && rest.len > 0))
            return err_new(ERR_INVALID, "invalid size: '%.*s'", STR_ARG(text));
        shift = (int)(at - letters) * 10;
    }
    uint64_t v;
    TRYF(str_to_u64(digits, (uint64_t)INT64_MAX >> shift, &v), "invalid size: '%.*s'",
         STR_ARG(text));
    if (v == 0)
        return err_new(ERR_INVALID, "max-size should be a positive number or -1, got '%.*s'",
                       STR_ARG(text));
    *ret = (int64_t)(v << shift);
    return OK;
}

struct err logs_parse_files(struct str text, int *ret) {
    uint64_t v;
    TRYF(str_to_u64(text, 1000, &v), "max-file");
    if (v < 1)
        return err_new(ERR_INVALID, "max-file cannot be less than 1");
    *ret = (int)v;
    return OK;
}
