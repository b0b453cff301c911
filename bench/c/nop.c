/* nop SUBJECT BATCH: nanoseconds per NOP with liburing, in a pipeline of batches; as src/bin/nop.rs. */
#include "nop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double run(struct io_uring *ring, unsigned batch, double span) {
    unsigned rounds = (256 + batch - 1) / batch;
    double start = seconds();
    unsigned long ops = 0;
    while (seconds() - start < span) {
        for (unsigned n = 0; n < rounds; n++)
            if (measured_nop(ring, batch) != batch)
                abort();
        ops += rounds * batch;
    }
    return (seconds() - start) * 1e9 / ops;
}

int main(int argc, char **argv) {
    struct io_uring ring;
    unsigned batch = argc == 3 ? atoi(argv[2]) : 0;
    if (batch == 0 || batch > 256 || nop_ring(&ring) < 0) {
        fprintf(stderr, "usage: nop liburing|liburing-registered BATCH, on a kernel with io_uring\n");
        return 2;
    }
    if (strcmp(argv[1], "liburing-registered") == 0 && io_uring_register_ring_fd(&ring) < 0)
        return 1;
    run(&ring, batch, 0.15 / 8); /* to get warm */
    printf("%f\n", run(&ring, batch, 0.15));
    return 0;
}
