/* build/flags.c - instruction flags, and the word that was meant. */
#include "build/instruction.h"

#define SUGGEST_WORD_MAX 32
#define FLAGS_MAX 16

/* Edit distance with exchanged neighbours as one edit (optimal string alignment), ASCII case
 * ignored. */
static size_t distance(struct str a, struct str b) {
    size_t rows[3][SUGGEST_WORD_MAX + 1];
    for (size_t i = 0; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            if (i == 0) {
                row[j] = j;
                continue;
            }
            bool same = str_eq_nocase(str_sub(a, i - 1, i), str_sub(b, j - 1, j));
            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && str_eq_nocase(str_sub(a, i - 1, i), str_sub(b, j - 2, j - 1)) &&
                str_eq_nocase(str_sub(a, i - 2, i - 1), str_sub(b, j - 1, j)))
                row[j] = MIN(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

const char *suggest(struct str word, const char *const *candidates, size_t n) {
    if (word.len == 0 || word.len > SUGGEST_WORD_MAX)
        return NULL;
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        struct str c = str_of(candidates[i]);
        if (c.len > SUGGEST_WORD_MAX)
            continue;
        size_t d = distance(word, c);
        if (d < best_distance && d <= MAX(word.len, c.len) / 3) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

static struct err unknown(const struct dockerfile *f, const struct node *node, size_t at,
                          struct str name, const struct flag *flags, size_t n) {
    const char *names[FLAGS_MAX];
    n = MIN(n, (size_t)FLAGS_MAX);
    for (size_t i = 0; i < n; i++)
        names[i] = flags[i].name;
    const char *meant = suggest(name, names, n);
    if (meant)
        return dockerfile_error(f, node, at, "unknown flag: --%.*s (did you mean --%s?)",
                                STR_ARG(name), meant);
    return dockerfile_error(f, node, at, "unknown flag: --%.*s", STR_ARG(name));
}

static struct err flag_bool(const struct dockerfile *f, const struct node *node, size_t at,
                            struct flag *flag, bool has_value, struct str value) {
    if (!has_value || str_eq_nocase(value, STR("true")))
        *flag->on = true;
    else if (str_eq_nocase(value, STR("false")))
        *flag->on = false;
    else
        return dockerfile_error(f, node, at, "expecting boolean value for flag --%s, not: %.*s",
                                flag->name, STR_ARG(value));
    return OK;
}

static struct err flag_read(const struct dockerfile *f, const struct node *node,
                            const struct word *w, struct arena *a, struct flag *flags, size_t n) {
    struct str name, value;
    bool has_value = str_cut(str_from(str_of(w->text), 2), '=', &name, &value);
    struct flag *flag = NULL;
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, flags[i].name))
            flag = &flags[i];
    if (!flag)
        return unknown(f, node, w->at, name, flags, n);
    if (flag->kind == FLAG_REFUSED)
        return err_as(dockerfile_error(f, node, w->at, "%s --%s is not supported by this builder",
                                       instruction_name(node->kind), flag->name),
                      ERR_UNSUPPORTED);
    if (flag->used && flag->kind != FLAG_LIST)
        return dockerfile_error(f, node, w->at, "duplicate flag specified: --%s", flag->name);
    flag->used = true;
    if (flag->kind == FLAG_BOOL)
        return flag_bool(f, node, w->at, flag, has_value, value);
    if (!has_value)
        return dockerfile_error(f, node, w->at, "missing a value on flag: --%s", flag->name);
    char *text = w->text + (value.p - w->text);
    if (flag->kind == FLAG_LIST)
        strs_add(flag->list, a, text);
    else
        *flag->text = text;
    return OK;
}

struct err flags_read(const struct dockerfile *f, const struct node *node, struct arena *a,
                      struct flag *flags, size_t n) {
    for (size_t i = 0; i < node->flags.n; i++)
        TRY(flag_read(f, node, &node->flags.items[i], a, flags, n));
    return OK;
}
