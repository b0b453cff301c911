/* The NOP pipeline of src/nop.rs, with liburing. */
#include <liburing.h>

static inline int nop_ring(struct io_uring *ring) {
    return io_uring_queue_init(256, ring,
                               IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                   IORING_SETUP_TASKRUN_FLAG);
}

/* A batch; answers how many completions came. */
static __attribute__((noinline, noclone)) unsigned measured_nop(struct io_uring *ring, unsigned batch) {
    for (unsigned n = 0; n < batch; n++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
        if (!sqe)
            return 0;
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data64(sqe, n);
    }
    if (io_uring_submit_and_wait(ring, batch) < 0)
        return 0;
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0, done = 0;
    io_uring_for_each_cqe(ring, head, cqe) {
        done += cqe->res == 0;
        seen++;
    }
    io_uring_cq_advance(ring, seen);
    return done;
}
