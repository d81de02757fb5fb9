#include "base/time.h"

#include <time.h>

static const char zero_time[] = "0001-01-01T00:00:00Z"; /* Go's time.Time{}: "never" */

static int64_t clock_ns(clockid_t clock) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

int64_t time_now(void) {
    return clock_ns(CLOCK_REALTIME);
}

int64_t time_monotonic(void) {
    return clock_ns(CLOCK_BOOTTIME);
}

/* Writes "YYYY-MM-DDTHH:MM:SS" of t, returns its nanoseconds. */
static int64_t format_seconds(int64_t t, char out[TIME_TEXT_MAX]) {
    int64_t sec = t / NSEC_PER_SEC, nsec = t % NSEC_PER_SEC;
    if (nsec < 0) {
        nsec += NSEC_PER_SEC;
        sec--;
    }
    time_t when = (time_t)sec;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    return nsec;
}

static void add_fraction(char *out, int64_t nsec, size_t digits) {
    size_t at = strlen(out);
    out[at++] = '.';
    for (int64_t unit = NSEC_PER_SEC / 10; digits > 0; digits--, unit /= 10)
        out[at++] = (char)('0' + nsec / unit % 10);
    out[at] = '\0';
}

static char *add_z(char *out) {
    size_t at = strlen(out);
    out[at] = 'Z';
    out[at + 1] = '\0';
    return out;
}

char *time_format(int64_t t, char out[TIME_TEXT_MAX]) {
    if (t == 0)
        return memcpy(out, zero_time, sizeof(zero_time));
    int64_t nsec = format_seconds(t, out), rest = nsec;
    size_t digits = 9;
    for (; digits > 0 && rest % 10 == 0; rest /= 10)
        digits--;
    if (digits)
        add_fraction(out, nsec, digits);
    return add_z(out);
}

char *time_format_fixed(int64_t t, char out[TIME_TEXT_MAX]) {
    int64_t nsec = 0;
    if (t == 0) {
        memcpy(out, zero_time, sizeof(zero_time));
        out[sizeof(zero_time) - 2] = '\0';
    } else
        nsec = format_seconds(t, out);
    add_fraction(out, nsec, 9);
    return add_z(out);
}

/* Takes exactly n digits from the front of s. */
static bool take_digits(struct str *s, size_t n, int *ret) {
    int v = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_from(*s, n);
    *ret = v;
    return true;
}

static bool take_char(struct str *s, char c) {
    if (s->len == 0 || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

/* One or more digits as nanoseconds of a second; digits after the ninth are dropped. */
static bool take_fraction(struct str *s, int64_t *ret) {
    int64_t v = 0, unit = NSEC_PER_SEC / 10;
    size_t n = 0;
    for (; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++, unit /= 10)
        v += (s->p[n] - '0') * unit;
    *s = str_from(*s, n);
    *ret = v;
    return n > 0;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date_is_valid(int year, int month, int day) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap);
}

/* "Z" or "+HH:MM", as seconds east of UTC; nothing may follow. */
static bool take_zone(struct str *s, int64_t *ret) {
    int hours, minutes;
    *ret = 0;
    if (take_char(s, 'Z'))
        return s->len == 0;
    bool west = take_char(s, '-');
    if (!west && !take_char(s, '+'))
        return false;
    if (!take_digits(s, 2, &hours) || !take_char(s, ':') || !take_digits(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return s->len == 0;
}

static struct err time_invalid(struct str s) {
    return err_new(ERR_INVALID, "'%.*s' is not an RFC 3339 time", (int)MIN(s.len, (size_t)64),
                   s.p ? s.p : "");
}

struct err time_parse(struct str s, int64_t *ret) {
    struct str rest = s;
    int year, month, day, hour, minute, second;
    int64_t nsec = 0, east, t;
    if (str_eqz(s, zero_time)) {
        *ret = 0;
        return OK;
    }
    if (!take_digits(&rest, 4, &year) || !take_char(&rest, '-') || !take_digits(&rest, 2, &month) ||
        !take_char(&rest, '-') || !take_digits(&rest, 2, &day) || !take_char(&rest, 'T') ||
        !take_digits(&rest, 2, &hour) || !take_char(&rest, ':') ||
        !take_digits(&rest, 2, &minute) || !take_char(&rest, ':') ||
        !take_digits(&rest, 2, &second) || !date_is_valid(year, month, day) || hour > 23 ||
        minute > 59 || second > 59)
        return time_invalid(s);
    if (take_char(&rest, '.') && !take_fraction(&rest, &nsec))
        return time_invalid(s);
    if (!take_zone(&rest, &east))
        return time_invalid(s);
    int64_t sec = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east;
    if (__builtin_mul_overflow(sec, NSEC_PER_SEC, &t) || __builtin_add_overflow(t, nsec, &t))
        return err_new(ERR_INVALID, "time '%.*s' is out of range", STR_ARG(s));
    *ret = t;
    return OK;
}

struct err time_parse_api(struct str s, int64_t *ret) {
    struct str seconds, fraction;
    int64_t sec, nsec = 0, t;
    if (str_find(s, 'T') >= 0)
        return time_parse(s, ret);
    bool dot = str_cut(s, '.', &seconds, &fraction);
    struct err e = str_to_i64(seconds, INT64_MIN, INT64_MAX, &sec);
    if (err_failed(e) || (dot && (!take_fraction(&fraction, &nsec) || fraction.len))) {
        err_free(e);
        return err_new(ERR_INVALID, "'%.*s' is neither unix seconds nor an RFC 3339 time",
                       (int)MIN(s.len, (size_t)64), s.p ? s.p : "");
    }
    bool negative = str_starts(seconds, STR("-"));
    if (__builtin_mul_overflow(sec, NSEC_PER_SEC, &t) ||
        __builtin_add_overflow(t, negative ? -nsec : nsec, &t))
        return err_new(ERR_INVALID, "time '%.*s' is out of range", STR_ARG(s));
    *ret = t;
    return OK;
}

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000}, /* U+00B5 micro sign */
    {"\xce\xbcs", 1000}, /* U+03BC Greek mu */
    {"ms", NSEC_PER_MSEC},
    {"s", NSEC_PER_SEC},
    {"m", 60 * NSEC_PER_SEC},
    {"h", 3600 * NSEC_PER_SEC},
};

/* The unit at the front of s: what stands before the next digit, dot or end. */
static bool take_unit(struct str *s, int64_t *ret) {
    size_t n = 0;
    while (n < s->len && s->p[n] != '.' && (s->p[n] < '0' || s->p[n] > '9'))
        n++;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_eqz(str_sub(*s, 0, n), units[i].name)) {
            *s = str_from(*s, n);
            *ret = units[i].ns;
            return true;
        }
    return false;
}

/* One "<digits>[.<digits>]<unit>" added to *total; false when malformed or out of range. */
static bool take_term(struct str *s, int64_t *total) {
    size_t whole = 0, part = 0;
    int64_t v = 0, unit, scaled;
    while (whole < s->len && s->p[whole] >= '0' && s->p[whole] <= '9')
        whole++;
    struct str digits = str_sub(*s, 0, whole), decimals = STR_NONE;
    *s = str_from(*s, whole);
    if (take_char(s, '.')) {
        while (part < s->len && s->p[part] >= '0' && s->p[part] <= '9')
            part++;
        decimals = str_sub(*s, 0, part);
        *s = str_from(*s, part);
    }
    if (whole + part == 0 || !take_unit(s, &unit))
        return false;
    for (size_t i = 0; i < digits.len; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digits.p[i] - '0', &v))
            return false;
    if (__builtin_mul_overflow(v, unit, &scaled))
        return false;
    int64_t numerator = 0, denominator = 1, fraction;
    for (size_t i = 0; i < decimals.len && i < 18; i++) {
        numerator = numerator * 10 + (decimals.p[i] - '0');
        denominator *= 10;
    }
    fraction = (int64_t)((__int128)numerator * unit / denominator);
    return !__builtin_add_overflow(scaled, fraction, &scaled) &&
           !__builtin_add_overflow(*total, scaled, total);
}

struct err duration_parse(struct str s, int64_t *ret) {
    struct str rest = s;
    int64_t total = 0;
    bool negative = take_char(&rest, '-');
    if (!negative)
        take_char(&rest, '+');
    bool zero = str_eq(rest, STR("0"));
    bool valid = rest.len > 0;
    while (valid && !zero && rest.len)
        valid = take_term(&rest, &total);
    if (!valid)
        return err_new(ERR_INVALID, "'%.*s' is not a duration", (int)MIN(s.len, (size_t)64),
                       s.p ? s.p : "");
    *ret = negative ? -total : total;
    return OK;
}
