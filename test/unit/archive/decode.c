/* Archives in xz and bzip2 beside what inflate.h reads: members in a row, what is cut or damaged.
 */
#include "archive/decode.h"
#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

/* Two members each: "first ", and "second\n" fifty times. */
static const char xz[] =
    "\375\067\172\130\132\000\000\004\346\326\264\106\002\000\041\001\026\000\000\000"
    "\164\057\345\243\001\000\005\146\151\162\163\164\040\000\000\000\346\365\033\121"
    "\044\171\020\162\000\001\036\006\301\057\244\035\037\266\363\175\001\000\000\000"
    "\000\004\131\132\375\067\172\130\132\000\000\004\346\326\264\106\002\000\041\001"
    "\026\000\000\000\164\057\345\243\340\001\135\000\017\135\000\071\231\110\221\261"
    "\151\225\176\246\331\122\246\323\300\000\000\000\172\364\321\163\050\065\301\033"
    "\000\001\053\336\002\000\000\000\233\050\362\062\261\304\147\373\002\000\000\000"
    "\000\004\131\132";
static const char bz[] =
    "\102\132\150\071\061\101\131\046\123\131\244\143\235\273\000\000\000\221\200\100"
    "\000\001\040\034\000\040\000\041\200\014\003\047\056\342\356\110\247\012\022\024"
    "\214\163\267\140\102\132\150\071\061\101\131\046\123\131\122\376\377\266\000\000"
    "\256\301\200\000\020\016\001\210\000\040\000\040\245\100\320\206\003\150\270\213"
    "\250\261\026\042\304\130\213\342\356\110\247\012\022\012\137\337\366\300";
static const struct str all[] = {{xz, sizeof(xz) - 1}, {bz, sizeof(bz) - 1}};

static struct err decode(struct str in, struct buf *out) {
    CLEAN_STREAM struct stream *s = NULL;
    char part[7];
    size_t n;
    TRY(decode_open(stream_mem(in), &s));
    do {
        TRY(stream_read(s, part, sizeof(part), &n));
        buf_add(out, part, n);
    } while (n > 0);
    return OK;
}

TEST(members_in_a_row) {
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CLEAN_BUF struct buf out = {0};
        assert_ok(decode(all[i], &out));
        assert_int_equal(out.len, 6 + 7 * 50);
        assert_memory_equal(out.data, "first second\nsecond\n", 20);
        assert_memory_equal(out.data + out.len - 14, "second\nsecond\n", 14);
    }
}

TEST(what_is_cut_is_an_error_at_every_byte) {
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        size_t whole = 0;
        for (size_t n = 6; n < all[i].len; n++) {
            CLEAN_BUF struct buf out = {0};
            CLEAN_ERR struct err e = decode(str_sub(all[i], 0, n), &out);
            if (err_failed(e))
                assert_int_equal(err_kind(e), ERR_INVALID);
            else
                whole++;
        }
        /* Between the two members it is a whole stream, and so with xz's padding behind it. */
        assert_in_range(whole, 1, 4);
    }
}

TEST(what_is_damaged_is_an_error) {
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (size_t at = 6; at < all[i].len; at += 3) {
            CLEAN_BUF struct buf out = {0};
            CLEAN_FREE
            char *copy = mem_dup(all[i].p, all[i].len);
            copy[at] ^= 0x55;
            CLEAN_ERR struct err e = decode(str_n(copy, all[i].len), &out);
            assert_true(err_failed(e));
        }
    }
}

TEST(plain_bytes_pass) {
    static const char *const rows[] = {"",
                                       "B",
                                       "BZ",
                                       "BZx1",
                                       "\375"
                                       "7zXY and more",
                                       "plain text"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_BUF struct buf out = {0};
        assert_ok(decode(str_of(rows[i]), &out));
        assert_true(str_eqz(buf_str(&out), rows[i]));
    }
}
