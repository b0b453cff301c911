/* receive CONNECTIONS: as src/bin/receive, with liburing: multishot receives into a ring of provided buffers. */
#include <arpa/inet.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BUFFER = 64 << 10, BUFFERS = 128, MOST = 1024 };

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int listener(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        fail("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void arm(struct io_uring *ring, int fd, unsigned index) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (!sqe)
        fail("submission queue");
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    io_uring_sqe_set_data64(sqe, index);
}

static unsigned long receive(const int *sockets, int open) {
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_TASKRUN_FLAG,
                                     .cq_entries = 1024};
    struct io_uring ring;
    int error = 0;
    if (io_uring_queue_init_params(256, &ring, &params) < 0)
        fail("ring");
    struct io_uring_buf_ring *buffers = io_uring_setup_buf_ring(&ring, BUFFERS, 0, 0, &error);
    char *memory = aligned_alloc(4096, (size_t)BUFFERS * BUFFER);
    if (!buffers || !memory)
        fail("buffers");
    memset(memory, 0, (size_t)BUFFERS * BUFFER);
    for (unsigned id = 0; id < BUFFERS; id++)
        io_uring_buf_ring_add(buffers, memory + (size_t)id * BUFFER, BUFFER, id, BUFFERS - 1, id);
    io_uring_buf_ring_advance(buffers, BUFFERS);
    for (int index = 0; index < open; index++)
        arm(&ring, sockets[index], index);

    unsigned long bytes = 0;
    while (open > 0) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0, back = 0;
        if (io_uring_submit_and_wait(&ring, 1) < 0)
            fail("wait");
        io_uring_for_each_cqe(&ring, head, cqe) {
            seen++;
            if (cqe->res > 0)
                bytes += cqe->res;
            else if (cqe->res == 0)
                open--;
            else if (cqe->res != -ENOBUFS)
                fail("receive");
            if (cqe->flags & IORING_CQE_F_BUFFER) {
                unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
                io_uring_buf_ring_add(buffers, memory + (size_t)id * BUFFER, BUFFER, id, BUFFERS - 1, back++);
            }
            if (cqe->res != 0 && !(cqe->flags & IORING_CQE_F_MORE))
                arm(&ring, sockets[cqe->user_data], cqe->user_data);
        }
        io_uring_buf_ring_advance(buffers, back);
        io_uring_cq_advance(&ring, seen);
    }
    return bytes;
}

int main(int argc, char **argv) {
    static int sockets[MOST];
    int connections = argc == 2 ? atoi(argv[1]) : 0;
    if (connections < 1 || connections > MOST) {
        fprintf(stderr, "usage: receive CONNECTIONS\n");
        return 2;
    }
    int fd = listener();
    for (int n = 0; n < connections; n++)
        if ((sockets[n] = accept(fd, NULL, NULL)) < 0)
            fail("accept");
    double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    unsigned long bytes = receive(sockets, connections);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%lu %f %f\n", bytes, seconds(CLOCK_MONOTONIC) - start, cpu);
    return 0;
}
