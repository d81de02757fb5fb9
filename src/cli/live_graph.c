/* The live view's graphs: bars of an eighth of a cell each where the terminal has such characters.
 */
#include "cli/live_view.h"
#include <langinfo.h>

static bool has_blocks(void) {
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static void bar(int eighths, bool blocks, struct buf *out) {
    if (blocks)
        buf_addf(out, "\xe2\x96%c", (char)(0x80 + eighths));
    else
        buf_addf(out, "%d", eighths);
}

void live_bars(const float *track, size_t n, float least, struct buf *out) {
    bool blocks = has_blocks();
    float most = least;
    for (size_t i = SAMPLE_ROUNDS - n; i < SAMPLE_ROUNDS; i++)
        most = MAX(most, track[i]);
    for (size_t i = SAMPLE_ROUNDS - n; i < SAMPLE_ROUNDS; i++) {
        int eighths = (int)(track[i] / most * 8 + 0.5F);
        if (eighths == 0)
            buf_addc(out, '.');
        else
            bar(eighths, blocks, out);
    }
}

/* height lines; the highest bar reaches the top. What is more than nothing is seen. */
static void graph(const float *track, size_t n, float most, unsigned height, struct buf *out) {
    bool blocks = has_blocks();
    for (unsigned line = height; line-- > 0;) {
        for (size_t i = SAMPLE_ROUNDS - n; i < SAMPLE_ROUNDS; i++) {
            int whole = most > 0 ? (int)(track[i] / most * (float)height * 8 + 0.5F) : 0;
            int here = MIN(whole - (int)line * 8, 8);
            if (line == 0 && track[i] > 0 && here < 1)
                here = 1;
            if (here > 0)
                bar(here, blocks, out);
            else
                buf_addc(out, line ? ' ' : '.');
        }
        buf_addc(out, '\n');
    }
}

static float most_of(const float *track) {
    float most = 0;
    for (size_t i = 0; i < SAMPLE_ROUNDS; i++)
        most = MAX(most, track[i]);
    return most;
}

static void percent(double v, struct buf *out) {
    buf_addf(out, "%.1f%%", v);
}

static void bytes(double v, struct buf *out) {
    human_bytes_binary(v, 3, out);
}

static void rate(double v, struct buf *out) {
    human_bytes(v, 3, out);
    buf_adds(out, "/s");
}

static void pressure_words(const struct sample *x, struct buf *out) {
    static const char *const names[] = {"cpu", "memory", "io"};
    for (size_t i = 0; i < PRESSURES; i++)
        if (x->pressure[i] >= 0)
            buf_addf(out, "%s%s %.1f%%", out->len ? ", " : "", names[i], x->pressure[i]);
    if (!out->len)
        buf_adds(out, "this kernel does not tell (psi=1)");
}

static const struct {
    const char *title;
    void (*print)(double v, struct buf *out);
    float least; /* what fills the graph at least */
} tracks[TRACKS] = {
    [TRACK_CPU] = {"CPU", percent, 1},
    [TRACK_MEMORY] = {"MEMORY", bytes, 1},
    [TRACK_NET] = {"NET", rate, 1},
    [TRACK_DISK] = {"DISK", rate, 1},
    [TRACK_PRESSURE] = {"PRESSURE", percent, 1},
};

void live_graphs(const struct sample *x, unsigned rows, unsigned columns, struct buf *out) {
    unsigned height = MAX((MAX(rows, (unsigned)2 * TRACKS) - TRACKS) / TRACKS, 1u);
    size_t n = MIN((size_t)MAX(columns, 11u) - 1, (size_t)SAMPLE_ROUNDS);
    for (size_t t = 0; t < TRACKS; t++) {
        CLEAN_BUF struct buf words = {0};
        float most = most_of(x->track[t]);
        if (t == TRACK_PRESSURE) {
            pressure_words(x, &words);
        } else {
            tracks[t].print((double)x->track[t][SAMPLE_ROUNDS - 1], &words);
            buf_adds(&words, ", most ");
            tracks[t].print((double)most, &words);
        }
        if (t == TRACK_MEMORY && x->limit) {
            buf_adds(&words, ", limit ");
            bytes((double)x->limit, &words);
        }
        buf_addf(out, "%s %s\n", tracks[t].title, buf_cstr(&words));
        graph(x->track[t], n, MAX(most, tracks[t].least), height, out);
    }
}
