//! Size, alignment and every offset of the structs that this crate hands to the kernel, asserted at
//! compile time.
//!
//! Written by hand from the kernel's headers (7.3) and not generated, so that a mistake in the
//! generator, or bindings made from other headers, stop the build here.

use core::mem::{align_of, offset_of, size_of};

use static_assertions::assert_impl_all;

use super::*;

/// `layout!(Struct, size, as u64; field offset, ...)`: aligned as `u64` is on this target.
macro_rules! layout {
    ($type:ident, $size:literal, as $align:ident; $($field:ident $offset:literal),+ $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size, concat!("size of ", stringify!($type)));
            assert!(
                // bindgen aligns what holds a union of arrays to 8 on every target.
                align_of::<$type>() >= align_of::<$align>() && align_of::<$type>() <= 8,
                concat!("alignment of ", stringify!($type))
            );
            $(assert!(
                offset_of!($type, $field) == $offset,
                concat!("offset of ", stringify!($type), "::", stringify!($field))
            );)+
        };
        // What is passed to the kernel by address must have a zero value to start from.
        assert_impl_all!($type: Default, Send, Sync);
    };
}

// linux/io_uring.h: rings
layout!(io_uring_sqe, 64, as u64;
    opcode 0, flags 1, ioprio 2, fd 4, __bindgen_anon_1 8, __bindgen_anon_2 16, len 24,
    __bindgen_anon_3 28, user_data 32, __bindgen_anon_4 40, personality 42, __bindgen_anon_5 44,
    __bindgen_anon_6 48);
layout!(io_uring_cqe, 16, as u64; user_data 0, res 8, flags 12, big_cqe 16);
layout!(io_sqring_offsets, 40, as u64;
    head 0, tail 4, ring_mask 8, ring_entries 12, flags 16, dropped 20, array 24, resv1 28,
    user_addr 32);
layout!(io_cqring_offsets, 40, as u64;
    head 0, tail 4, ring_mask 8, ring_entries 12, overflow 16, cqes 20, flags 24, resv1 28,
    user_addr 32);
layout!(io_uring_params, 120, as u64;
    sq_entries 0, cq_entries 4, flags 8, sq_thread_cpu 12, sq_thread_idle 16, features 20, wq_fd 24,
    resv 28, sq_off 40, cq_off 80);
layout!(io_uring_getevents_arg, 24, as u64; sigmask 0, sigmask_sz 8, min_wait_usec 12, ts 16);
layout!(__kernel_timespec, 16, as u64; tv_sec 0, tv_nsec 8);

// linux/io_uring.h: registration
layout!(io_uring_region_desc, 64, as u64;
    user_addr 0, size 8, flags 16, id 20, mmap_offset 24, __resv 32);
layout!(io_uring_buf, 16, as u64; addr 0, len 8, bid 12, resv 14);
layout!(io_uring_buf_reg, 40, as u64;
    ring_addr 0, ring_entries 8, bgid 12, flags 14, min_left 16, resv 20);

// linux/io_uring/zcrx.h
layout!(io_uring_zcrx_rqe, 16, as u64; off 0, len 8, __pad 12);
layout!(io_uring_zcrx_cqe, 16, as u64; off 0, __pad 8);
layout!(io_uring_zcrx_offsets, 32, as u64; head 0, tail 4, rqes 8, __resv2 12, __resv 16);
layout!(io_uring_zcrx_area_reg, 48, as u64;
    addr 0, len 8, rq_area_token 16, flags 24, dmabuf_fd 28, __resv2 32);
layout!(io_uring_zcrx_ifq_reg, 96, as u64;
    if_idx 0, if_rxq 4, rq_entries 8, flags 12, area_ptr 16, region_ptr 24, offsets 32, zcrx_id 64,
    rx_buf_len 68, event_desc 72, __resv 80);
layout!(zcrx_event_desc, 96, as u64; user_data 0, type_mask 8, flags 12, stats_offset 16, __resv2 24);
layout!(zcrx_stats, 16, as u64; copy_count 0, copy_bytes 8);
layout!(zcrx_ctrl, 72, as u64; zcrx_id 0, op 4, __resv 8, __bindgen_anon_1 24);
layout!(zcrx_ctrl_flush_rq, 48, as u64; __resv 0);
layout!(zcrx_ctrl_export, 48, as u32; zcrx_fd 0, __resv1 4);
layout!(zcrx_ctrl_arm_event, 48, as u32; event_type 0, __resv 4);
layout!(zcrx_ctrl_add_area, 48, as u64; area_ptr 0, __resv 8);

// linux/io_uring/query.h
layout!(io_uring_query_hdr, 40, as u64;
    next_entry 0, query_data 8, query_op 16, size 20, result 24, __resv 28);
layout!(io_uring_query_opcode, 48, as u64;
    nr_request_opcodes 0, nr_register_opcodes 4, feature_flags 8, ring_setup_flags 16,
    enter_flags 24, sqe_flags 32, nr_query_opcodes 40, __pad 44);
layout!(io_uring_query_zcrx, 40, as u64;
    register_flags 0, area_flags 8, nr_ctrl_opcodes 16, features 20, rq_hdr_size 24,
    rq_hdr_alignment 28, __resv2 32);
layout!(io_uring_query_zcrx_event, 48, as u64;
    event_flags 0, stats_size 4, stats_off_alignment 8, __resv1 12, __resv2 16);

// Values that the decoders lean on.
const _: () = {
    assert!(IORING_ZCRX_AREA_SHIFT == 48);
    assert!(IORING_ZCRX_AREA_MASK == 0xffff_0000_0000_0000);
    assert!(IORING_CQE_F_MORE == 1 << 1);
    assert!(IORING_CQE_F_SKIP == 1 << 5);
    assert!(IORING_CQE_F_32 == 1 << 15);
    assert!(IORING_CQE_BUFFER_SHIFT == 16);
    assert!(IOSQE_BUFFER_SELECT == 1 << 5);
    assert!(IORING_OP_RECV_ZC == 58);
    assert!(IORING_REGISTER_ZCRX_IFQ == 32);
    assert!(IORING_REGISTER_QUERY == 35);
    assert!(IORING_REGISTER_ZCRX_CTRL == 36);
};
