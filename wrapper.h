/* What bindgen reads: the kernel's io_uring headers, and typed restatements of what it would drop. */

#if defined(__has_include)
#if !__has_include(<linux/io_uring/zcrx.h>)
#error "zcrx-sys: kernel headers of 7.3 or newer are needed (linux/io_uring/zcrx.h is missing)"
#endif
#endif

#include <linux/io_uring.h>
#include <linux/io_uring/query.h>
#include <linux/io_uring/zcrx.h>

/*
 * bindgen skips a macro whose value is a cast expression. The macro is kept under another name as a
 * typed constant; build.rs gives it its own name back.
 */
static const __u64 zcrx_sys_typed_IORING_ZCRX_AREA_MASK = IORING_ZCRX_AREA_MASK;
static const __u32 zcrx_sys_typed_IORING_CQE_F_TSTAMP_HW = IORING_CQE_F_TSTAMP_HW;
static const __u32 zcrx_sys_typed_IORING_FILE_INDEX_ALLOC = IORING_FILE_INDEX_ALLOC;

/* The IOSQE_* bits shift by an enumerator, which bindgen's macro reader cannot evaluate. */
static const __u8 zcrx_sys_typed_IOSQE_FIXED_FILE = IOSQE_FIXED_FILE;
static const __u8 zcrx_sys_typed_IOSQE_IO_DRAIN = IOSQE_IO_DRAIN;
static const __u8 zcrx_sys_typed_IOSQE_IO_LINK = IOSQE_IO_LINK;
static const __u8 zcrx_sys_typed_IOSQE_IO_HARDLINK = IOSQE_IO_HARDLINK;
static const __u8 zcrx_sys_typed_IOSQE_ASYNC = IOSQE_ASYNC;
static const __u8 zcrx_sys_typed_IOSQE_BUFFER_SELECT = IOSQE_BUFFER_SELECT;
static const __u8 zcrx_sys_typed_IOSQE_CQE_SKIP_SUCCESS = IOSQE_CQE_SKIP_SUCCESS;

/* ULL-suffixed macros: the same width on every target, where bindgen would choose the narrowest. */
static const __u64 zcrx_sys_typed_IORING_OFF_SQ_RING = IORING_OFF_SQ_RING;
static const __u64 zcrx_sys_typed_IORING_OFF_CQ_RING = IORING_OFF_CQ_RING;
static const __u64 zcrx_sys_typed_IORING_OFF_SQES = IORING_OFF_SQES;
static const __u64 zcrx_sys_typed_IORING_OFF_PBUF_RING = IORING_OFF_PBUF_RING;
static const __u64 zcrx_sys_typed_IORING_OFF_MMAP_MASK = IORING_OFF_MMAP_MASK;
