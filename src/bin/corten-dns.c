/* corten-dns: answers names for containers (network/network.h, "names"). Started by the daemon. */
#include "network/network.h"

int main(void) {
    return dns_main();
}
