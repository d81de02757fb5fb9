/* corten-monitor - parent of one container; started by the daemon. See monitor/monitor.h. */
#include "monitor/monitor.h"

int main(int argc, char **argv) {
    return monitor_main(argc, argv);
}
