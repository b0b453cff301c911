/* Marks for bench/callgrind, as src/counting.rs: what is counted is what functions measured_* do between two. */
#include <stdio.h>

#define NOINLINE __attribute__((noinline, noclone))
/* Rounds to get warm, and rounds that are counted. */
#define WARM 20
#define ROUNDS 200

static NOINLINE void counting_begins(void) { __asm__ volatile("" ::: "memory"); }
static NOINLINE void counting_ends(void) { __asm__ volatile("nop" ::: "memory"); }

#define COUNT(group, name, unit, units, round)                                                     \
    do {                                                                                           \
        for (int i_ = 0; i_ < WARM; i_++) { round; }                                               \
        counting_begins();                                                                         \
        for (int i_ = 0; i_ < ROUNDS; i_++) { round; }                                             \
        counting_ends();                                                                           \
        printf("%s\t%s\tinstructions per %s\t%u\n", group, name, unit, (unsigned)(units) * ROUNDS); \
    } while (0)
