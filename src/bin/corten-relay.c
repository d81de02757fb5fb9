/* corten-relay: published ports on ::1 and of IPv6 (network/network.h, "the relay"). Started by the
 * daemon. */
#include "network/network.h"

int main(void) {
    return relay_main();
}
