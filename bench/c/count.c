/* The same work with liburing: its inline helpers, over a completion queue in plain memory that holds the entries
 * of src/memory_ring.rs. liburing has no helper for the refill ring, so that part is what its users write. Run by
 * bench/callgrind. */
#include "counting.h"
#include "nop.h"

#include <liburing.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, SLOTS = 256 };
enum pattern { NARROW, WIDE, ALTERNATING, RANDOM };

struct queue {
    struct io_uring ring;
    unsigned head, tail, random;
};

static void *zeroed(size_t size) {
    void *memory = aligned_alloc(64, size);
    if (!memory)
        abort();
    return memset(memory, 0, size);
}

static struct queue *queue_of(unsigned flags) {
    struct queue *queue = zeroed((sizeof *queue + 63) / 64 * 64);
    struct io_uring_cq *cq = &queue->ring.cq;
    queue->ring.flags = flags;
    queue->random = 1;
    cq->khead = &queue->head;
    cq->ktail = &queue->tail;
    cq->ring_mask = SLOTS - 1;
    cq->ring_entries = SLOTS;
    cq->cqes = zeroed(2 * SLOTS * sizeof(struct io_uring_cqe));
    return queue;
}

static bool is_wide(struct queue *queue, enum pattern pattern, unsigned n) {
    if (pattern != RANDOM)
        return pattern == WIDE || (pattern == ALTERNATING && n % 2 == 1);
    queue->random ^= queue->random << 13; /* xorshift32 */
    queue->random ^= queue->random >> 17;
    queue->random ^= queue->random << 5;
    return queue->random & 0x8000;
}

static void post(struct queue *queue, enum pattern pattern) {
    bool mixed = queue->ring.flags & IORING_SETUP_CQE_MIXED;
    unsigned shift = io_uring_cqe_shift(&queue->ring);
    struct io_uring_cqe *cqes = queue->ring.cq.cqes;
    for (unsigned n = 0; n < BATCH; n++) {
        bool wide = is_wide(queue, pattern, n);
        if (mixed && wide && queue->tail % SLOTS == SLOTS - 1)
            cqes[queue->tail++ % SLOTS] = (struct io_uring_cqe){.flags = IORING_CQE_F_SKIP};
        struct io_uring_cqe *cqe = &cqes[(queue->tail++ % SLOTS) << shift];
        *cqe = (struct io_uring_cqe){.user_data = 7, .res = 4096, .flags = IORING_CQE_F_MORE};
        if (wide) {
            cqe->big_cqe[0] = (__u64)n << 12;
            cqe->big_cqe[1] = 0;
        }
        if (wide && mixed) {
            cqe->flags |= IORING_CQE_F_32;
            queue->tail++;
        }
    }
}

static NOINLINE __u64 measured_drain_narrow(struct io_uring *ring) {
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    __u64 sum = 0;
    io_uring_for_each_cqe(ring, head, cqe) {
        sum += cqe->user_data;
        seen++;
    }
    io_uring_cq_advance(ring, seen);
    return sum;
}

static NOINLINE __u64 measured_drain_wide(struct io_uring *ring) {
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    __u64 sum = 0;
    io_uring_for_each_cqe(ring, head, cqe) {
        sum += cqe->user_data + cqe->big_cqe[0];
        seen++;
    }
    io_uring_cq_advance(ring, seen);
    return sum;
}

static NOINLINE __u64 measured_drain_mixed(struct io_uring *ring) {
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    __u64 sum = 0;
    io_uring_for_each_cqe(ring, head, cqe) {
        seen += io_uring_cqe_nr(cqe);
        if (cqe->flags & IORING_CQE_F_SKIP)
            continue;
        sum += cqe->user_data;
        if (cqe->flags & IORING_CQE_F_32)
            sum += cqe->big_cqe[0];
    }
    io_uring_cq_advance(ring, seen);
    return sum;
}

static void drain(const char *name, unsigned flags, enum pattern pattern) {
    struct queue *queue = queue_of(flags);
    __u64 sum = 1;
    COUNT("drain", name, "entry", BATCH, {
        post(queue, pattern);
        if (flags & IORING_SETUP_CQE_MIXED)
            sum &= measured_drain_mixed(&queue->ring) != 0;
        else if (flags & IORING_SETUP_CQE32)
            sum &= measured_drain_wide(&queue->ring) != 0;
        else
            sum &= measured_drain_narrow(&queue->ring) != 0;
    });
    if (!sum || queue->head != queue->tail)
        abort();
}

static struct io_uring_zcrx_rq *refill_ring(void) {
    struct io_uring_zcrx_rq *rq = zeroed(64);
    rq->khead = zeroed(64);
    rq->ktail = zeroed(64);
    rq->ring_entries = SLOTS;
    rq->rqes = zeroed(SLOTS * sizeof *rq->rqes);
    return rq;
}

static inline void refill_write(struct io_uring_zcrx_rq *rq, __u64 offset, __u32 len) {
    struct io_uring_zcrx_rqe *rqe = &rq->rqes[rq->rq_tail++ & (rq->ring_entries - 1)];
    rqe->off = offset;
    rqe->len = len;
}

/* As in liburing's example: asks for room and publishes for each buffer. */
static NOINLINE int measured_refill_one_by_one(struct io_uring_zcrx_rq *rq, const __u64 *offsets, __u32 len) {
    for (unsigned n = 0; n < BATCH; n++) {
        if (rq->rq_tail - io_uring_smp_load_acquire(rq->khead) == rq->ring_entries)
            return -1;
        refill_write(rq, offsets[n], len);
        io_uring_smp_store_release(rq->ktail, rq->rq_tail);
    }
    return 0;
}

/* The best that can be done: both once for a batch. */
static NOINLINE int measured_refill(struct io_uring_zcrx_rq *rq, const __u64 *offsets, __u32 len, unsigned batch) {
    for (unsigned n = 0; n < BATCH; n += batch) {
        if (rq->rq_tail - io_uring_smp_load_acquire(rq->khead) + batch > rq->ring_entries)
            return -1;
        for (unsigned i = n; i < n + batch; i++)
            refill_write(rq, offsets[i], len);
        io_uring_smp_store_release(rq->ktail, rq->rq_tail);
    }
    return 0;
}

static void refill(unsigned batch) {
    struct io_uring_zcrx_rq *rq = refill_ring();
    __u64 offsets[BATCH];
    char name[16];
    int failed = 0;
    for (unsigned n = 0; n < BATCH; n++)
        offsets[n] = (__u64)n << 12;
    snprintf(name, sizeof name, "batch %u", batch);
    COUNT("refill", name, "buffer", BATCH, {
        failed |= batch == 1 ? measured_refill_one_by_one(rq, offsets, 4096) : measured_refill(rq, offsets, 4096, batch);
        *rq->khead = *rq->ktail;
    });
    if (failed)
        abort();
}

static NOINLINE void measured_drain_and_refill(struct io_uring *ring, struct io_uring_zcrx_rq *rq) {
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(ring, head, cqe) {
        refill_write(rq, cqe->big_cqe[0], cqe->res);
        seen++;
    }
    io_uring_smp_store_release(rq->ktail, rq->rq_tail);
    io_uring_cq_advance(ring, seen);
}

int main(void) {
    drain("narrow", 0, NARROW);
    drain("wide", IORING_SETUP_CQE32, WIDE);
    drain("mixed, all 16", IORING_SETUP_CQE_MIXED, NARROW);
    drain("mixed, all 32", IORING_SETUP_CQE_MIXED, WIDE);
    drain("mixed, alternating", IORING_SETUP_CQE_MIXED, ALTERNATING);
    drain("mixed, random", IORING_SETUP_CQE_MIXED, RANDOM);
    refill(1);
    refill(8);
    refill(64);

    struct queue *queue = queue_of(IORING_SETUP_CQE32);
    struct io_uring_zcrx_rq *rq = refill_ring();
    COUNT("drain and refill", "wide", "chunk", BATCH, {
        post(queue, WIDE);
        measured_drain_and_refill(&queue->ring, rq);
    });

    struct io_uring ring;
    if (nop_ring(&ring) == 0)
        COUNT("nop", "batch 32", "op", 32, {
            if (measured_nop(&ring, 32) != 32)
                abort();
        });
    return 0;
}
