/* Zero-copy receive over liburing, by its own helpers: what `lab_receive zcrx` is measured against.
 *
 * Usage: zcrx IFINDEX QUEUE CONNECTIONS CHUNK AREA REFILL COMPLETIONS (bytes, bytes, entries, entries)
 *
 * It speaks the words that bench/src/bin/lab expects of a receiver: `listening`, `ready` once all connections were
 * accepted and armed, and at the end the bytes received, the CPU seconds of the process since `ready`, the
 * completions that carried bytes, and the waits. */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 9999, SUBMISSIONS = 256, PAGE = 4096 };

static struct io_uring ring;
static struct io_uring_zcrx_rq refill;
static __u32 zcrx_id;
static __u64 area_token;
static unsigned char *area;
static unsigned long long bytes, chunks, waits, sum;

static void die(const char *what, int error)
{
	fprintf(stderr, "zcrx: %s: %s\n", what, strerror(error));
	exit(2);
}

static double process_cpu(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void *map(size_t len, int flags)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | flags, -1, 0);

	if (at == MAP_FAILED)
		die("mmap", errno);
	return at;
}

static void set_up_ring(unsigned completions)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQE32 | IORING_SETUP_CQSIZE,
		.cq_entries = completions,
	};
	int ret = io_uring_queue_init_params(SUBMISSIONS, &ring, &params);

	if (ret < 0)
		die("io_uring_queue_init_params", -ret);
	ret = io_uring_register_ring_fd(&ring);
	if (ret < 0)
		die("io_uring_register_ring_fd", -ret);
}

static void register_queue(unsigned interface, unsigned queue, unsigned chunk, size_t len, unsigned entries)
{
	size_t region_len = (PAGE + entries * sizeof(struct io_uring_zcrx_rqe) + PAGE - 1) & -(size_t)PAGE;
	struct io_uring_zcrx_area_reg area_reg = { .len = len };
	struct io_uring_region_desc region = { .size = region_len, .flags = IORING_MEM_REGION_TYPE_USER };
	struct io_uring_zcrx_ifq_reg reg = {
		.if_idx = interface, .if_rxq = queue, .rq_entries = entries,
		.area_ptr = uring_ptr_to_u64(&area_reg), .region_ptr = uring_ptr_to_u64(&region),
		.rx_buf_len = chunk == PAGE ? 0 : chunk,
	};
	int ret;

	/* Buffers larger than a page have to be contiguous. */
	area = map(len, chunk == PAGE ? 0 : MAP_HUGETLB);
	area_reg.addr = uring_ptr_to_u64(area);
	region.user_addr = uring_ptr_to_u64(map(region_len, 0));
	for (int attempt = 0; (ret = io_uring_register_ifq(&ring, &reg)) == -EEXIST && attempt < 100; attempt++)
		usleep(20000); /* still another process's, which has ended */
	if (ret < 0)
		die("io_uring_register_ifq", -ret);
	refill.ring_ptr = (void *)(unsigned long)region.user_addr;
	refill.khead = (__u32 *)((char *)refill.ring_ptr + reg.offsets.head);
	refill.ktail = (__u32 *)((char *)refill.ring_ptr + reg.offsets.tail);
	refill.rqes = (struct io_uring_zcrx_rqe *)((char *)refill.ring_ptr + reg.offsets.rqes);
	refill.ring_entries = reg.rq_entries;
	zcrx_id = reg.zcrx_id;
	area_token = area_reg.rq_area_token;
}

static void arm(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	io_uring_prep_rw(IORING_OP_RECV_ZC, sqe, fd, NULL, 0, 0);
	sqe->ioprio |= IORING_RECV_MULTISHOT;
	sqe->zcrx_ifq_idx = zcrx_id;
	io_uring_sqe_set_data64(sqe, fd);
}

/* One store for all that were returned: the line of the tail is the kernel's too. */
static void publish(void)
{
	io_uring_smp_store_release(refill.ktail, refill.rq_tail);
}

static void recycle(const struct io_uring_cqe *cqe, const struct io_uring_zcrx_cqe *extra)
{
	struct io_uring_zcrx_rqe *rqe;

	if (refill.rq_tail - io_uring_smp_load_acquire(refill.khead) == refill.ring_entries) {
		struct zcrx_ctrl flush = { .zcrx_id = zcrx_id, .op = ZCRX_CTRL_FLUSH_RQ };
		int ret;

		publish();
		ret = io_uring_register_zcrx_ctrl(&ring, &flush);
		if (ret < 0)
			die("io_uring_register_zcrx_ctrl", -ret);
	}
	rqe = &refill.rqes[refill.rq_tail++ & (refill.ring_entries - 1)];
	rqe->off = (extra->off & ~IORING_ZCRX_AREA_MASK) | area_token;
	rqe->len = cqe->res;
}

/* Whether the connection goes on. */
static bool on_completion(const struct io_uring_cqe *cqe)
{
	const struct io_uring_zcrx_cqe *extra = (const void *)(cqe + 1);
	int fd = cqe->user_data;

	if (cqe->flags & IORING_CQE_F_MORE) {
		sum += area[extra->off & ~IORING_ZCRX_AREA_MASK];
		bytes += cqe->res;
		chunks++;
		recycle(cqe, extra);
		return true;
	}
	if (cqe->res == -ENOSPC || cqe->res == -ENOMEM) {
		arm(fd);
		return true;
	}
	if (cqe->res != 0)
		die("receive", -cqe->res);
	close(fd);
	return false;
}

static void receive(unsigned open)
{
	while (open) {
		struct io_uring_cqe *cqe;
		unsigned head, n = 0;
		int ret = io_uring_submit_and_wait(&ring, 1);

		if (ret < 0 && ret != -EINTR)
			die("io_uring_submit_and_wait", -ret);
		waits++;
		io_uring_for_each_cqe(&ring, head, cqe) {
			n++;
			open -= !on_completion(cqe);
		}
		io_uring_cq_advance(&ring, n);
		publish();
	}
}

static int listen_on_port(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int one = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096))
		die("listen", errno);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned long long argument[8] = { 0 };
	unsigned connections;
	int listener;
	double cpu;

	if (argc != 8) {
		fputs("Usage: zcrx IFINDEX QUEUE CONNECTIONS CHUNK AREA REFILL COMPLETIONS\n", stderr);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		argument[i] = strtoull(argv[i], NULL, 0);
	connections = argument[3];
	set_up_ring(argument[7]);
	register_queue(argument[1], argument[2], argument[4], argument[5], argument[6]);
	listener = listen_on_port();
	puts("listening");
	fflush(stdout);
	for (unsigned i = 0; i < connections; i++) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			die("accept", errno);
		arm(fd);
	}
	io_uring_submit(&ring);
	puts("ready");
	fflush(stdout);
	cpu = process_cpu();
	receive(connections);
	printf("%llu %.9f %llu %llu\n", bytes, process_cpu() - cpu, chunks, waits);
	return sum == 1; /* which keeps the compiler from leaving it out */
}
