/* What a C program makes of completions and offsets, with the macros and structs of the kernel's own header. */
#include <stddef.h>
#include <stdint.h>
#include <linux/io_uring.h>
#include <linux/io_uring/zcrx.h>

struct decoded {
    uint64_t user_data, offset, within;
    int32_t res;
    uint32_t area_id, buffer_id, more, has_buffer, socket_nonempty;
};

void c_decode(const uint64_t *words, struct decoded *out)
{
    const struct io_uring_cqe *cqe = (const void *)words;
    const struct io_uring_zcrx_cqe *zcrx = (const void *)cqe->big_cqe;

    out->user_data = cqe->user_data;
    out->res = cqe->res;
    out->offset = zcrx->off;
    out->within = zcrx->off & ~IORING_ZCRX_AREA_MASK;
    out->area_id = (zcrx->off & IORING_ZCRX_AREA_MASK) >> IORING_ZCRX_AREA_SHIFT;
    out->more = !!(cqe->flags & IORING_CQE_F_MORE);
    out->has_buffer = !!(cqe->flags & IORING_CQE_F_BUFFER);
    out->buffer_id = out->has_buffer ? cqe->flags >> IORING_CQE_BUFFER_SHIFT : 0;
    out->socket_nonempty = !!(cqe->flags & IORING_CQE_F_SOCK_NONEMPTY);
}

int c_is_token(uint64_t token)
{
    return (token & ~IORING_ZCRX_AREA_MASK) == 0;
}

int c_fits(uint64_t offset, uint32_t len, uint64_t area_len)
{
    uint64_t within = offset & ~IORING_ZCRX_AREA_MASK;

    return within <= area_len && len <= area_len - within;
}

uint32_t c_slot(uint32_t index, uint32_t entries)
{
    return index & (entries - 1);
}

uint32_t c_distance(uint32_t tail, uint32_t head)
{
    return tail - head;
}

void c_refill_entry(void *at, uint64_t offset, uint32_t len)
{
    struct io_uring_zcrx_rqe *rqe = at;

    *rqe = (struct io_uring_zcrx_rqe){
        .off = (offset & IORING_ZCRX_AREA_MASK) | (offset & ~IORING_ZCRX_AREA_MASK),
        .len = len,
    };
}
