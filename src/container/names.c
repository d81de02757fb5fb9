/* Made-up names: two words that are easy to say, a number when they are taken. */
#include "base/random.h"
#include "container/private.h"
#include <stdlib.h>

static const char *const first[] = {
    "amber",  "ample",  "azure",  "brave",  "brisk",  "bright", "calm",   "candid",
    "clear",  "clever", "cosy",   "crisp",  "daring", "deft",   "eager",  "early",
    "fair",   "fleet",  "fond",   "frank",  "fresh",  "gentle", "glad",   "golden",
    "grand",  "hardy",  "honest", "jolly",  "keen",   "kind",   "lively", "lucid",
    "lucky",  "merry",  "mild",   "modest", "neat",   "nimble", "noble",  "patient",
    "plain",  "polite", "prime",  "proud",  "quick",  "quiet",  "ready",  "robust",
    "rosy",   "sharp",  "silver", "smart",  "snug",   "solid",  "sound",  "spry",
    "steady", "sunny",  "swift",  "tidy",   "trusty", "vivid",  "warm",   "wise",
};
static const char *const second[] = {
    "alder",   "anchor", "badger",  "beacon", "birch",   "bison",   "brook",   "canyon",
    "cedar",   "comet",  "copper",  "coral",  "crane",   "delta",   "dune",    "ember",
    "falcon",  "fern",   "finch",   "fjord",  "forge",   "garnet",  "glade",   "harbor",
    "hazel",   "heron",  "iris",    "ivory",  "jasper",  "juniper", "kestrel", "lagoon",
    "lark",    "laurel", "linden",  "lynx",   "maple",   "marten",  "meadow",  "mesa",
    "nectar",  "oak",    "onyx",    "orchid", "osprey",  "otter",   "pebble",  "pine",
    "plover",  "quartz", "raven",   "reef",   "ridge",   "robin",   "rowan",   "sable",
    "sequoia", "slate",  "sparrow", "summit", "thicket", "tundra",  "willow",  "wren",
};

char *container_make_name(struct containers *cs) {
    for (unsigned attempt = 0;; attempt++) {
        uint64_t r = random_u64();
        const char *a = first[r % ARRAY_LEN(first)];
        const char *b = second[(r >> 16) % ARRAY_LEN(second)];
        char *name = attempt < 4 ? mem_printf("%s_%s", a, b)
                                 : mem_printf("%s_%s%u", a, b, (unsigned)(r >> 32) % 100000);
        if (!map_getz(&cs->by_name, name))
            return name;
        free(name);
    }
}
