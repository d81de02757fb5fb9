/* Any bytes as the kernel's list of a set's elements: what is read lies within each message, and an
 * element's parts fit. */
#include "base/mem.h"
#include "kernel/netlink.h"
#include "kernel/nft.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct nft_elements out = {0};
    int rest = (int)size;             /* NLMSG_NEXT may take it below 0 */
    char *copy = mem_alloc(size + 1); /* aligned, and of the very size */
    memcpy(copy, data, size);
    for (const struct nlmsghdr *h = (const void *)copy; NLMSG_OK(h, rest);
         h = NLMSG_NEXT(h, rest)) {
        CLEAN_ERR struct err e = nft_read_elements(&out, h);
        assert(!err_failed(e));
    }
    for (size_t i = 0; i < out.n; i++)
        assert(out.items[i].key_len <= sizeof(out.items[i].key) &&
               out.items[i].end_len <= sizeof(out.items[i].end) &&
               out.items[i].value_len <= sizeof(out.items[i].value));
    vec_done(&out);
    free(copy);
    return 0;
}
