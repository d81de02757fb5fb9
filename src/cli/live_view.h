/* live_view.h - what the live view shows. Private to cli/live*.c. */
#pragma once
#include "cli/sampler.h"

enum live_column {
    BY_CPU,
    BY_MEMORY,
    BY_NET,
    BY_DISK,
    BY_PIDS,
    BY_PRESSURE,
    BY_HEALTH,
    BY_NAME,
};
#define LIVE_FILTER_MAX 40
struct live {
    struct sampler sampler;
    struct invocation *in;
    enum live_column by;
    bool reverse, filtering, ends;
    bool one; /* graphs of the chosen one instead of the list */
    char filter[LIVE_FILTER_MAX + 1];
    size_t chosen;
    char chosen_id[65];
    struct sample **shown;
    size_t shown_n;
};

/* The samples that the filter lets through (name, image, health), sorted: the largest, the sickest,
 * the first of the alphabet come first. The chosen one stays chosen. */
void live_choose(struct live *v);
void live_headings(bool wide, struct buf *out);
/* A row of cells between tabs. */
void live_row(const struct sample *x, bool wide, struct buf *out);
/* The same as a JSON object. */
void live_json(const struct sample *x, struct buf *out);
/* "3 containers, CPU 1.0%, …"; says when the kernel does not tell of pressure. */
void live_title(const struct live *v, struct buf *out);
/* The highest of the three shares, -1 when the kernel does not tell. */
double live_pressure(const struct sample *x, const char **ret_of);
/* Graphs of one container, `rows` lines of at most `columns` cells, ended by \n. */
void live_graphs(const struct sample *x, unsigned rows, unsigned columns, struct buf *out);
/* The newest n of a track as one line of bars as high as the highest of them (at least `least`). */
void live_bars(const float *track, size_t n, float least, struct buf *out);
