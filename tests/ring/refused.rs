//! What a ring refuses, and how it says so.

use std::os::fd::AsRawFd;
use std::time::Duration;

use zcrx_sys::ring::{BusyPoll, NapiTracking};
use zcrx_sys::ring::{DisabledRing, RingBuilder, Sqe};
use zcrx_sys::uapi;
use zcrx_sys::Errno;

use super::{common, complete};

#[test]
fn bad_arguments_are_refused_by_name() {
    let cases = [
        (
            RingBuilder::new(0),
            "submission entries must be from 1 to 32768",
        ),
        (
            RingBuilder::new(32769),
            "submission entries must be from 1 to 32768",
        ),
        (
            RingBuilder::new(u32::MAX),
            "submission entries must be from 1 to 32768",
        ),
        (
            RingBuilder::new(4).completion_entries(0),
            "completion entries must be from 1 to 65536",
        ),
        (
            RingBuilder::new(4).completion_entries(65537),
            "completion entries must be from 1 to",
        ),
        (
            RingBuilder::new(4).completion_entries(3),
            "not be fewer than the submission entries",
        ),
    ];
    for (builder, text) in cases {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert!(
            error.starts_with("cannot set up a ring (submission entries "),
            "{error}"
        );
    }
    let Some(ring) = common::ring(&RingBuilder::new(1).completion_entries(1)) else {
        return;
    };
    assert_eq!(ring.entries(), 1);
    assert!(ring.completion_entries() <= 2);
}

/// Has a ring that is not enabled yet allow nothing but to be enabled, and no-ops.
fn restrict(disabled: &DisabledRing) {
    let allow = |kind: u32, what: u32| {
        let mut restriction = uapi::io_uring_restriction {
            opcode: kind as u16,
            ..Default::default()
        };
        restriction.__bindgen_anon_1.sqe_op = what as u8;
        restriction
    };
    let mut restrictions = [
        allow(
            uapi::IORING_RESTRICTION_REGISTER_OP,
            uapi::IORING_REGISTER_ENABLE_RINGS,
        ),
        allow(uapi::IORING_RESTRICTION_SQE_OP, uapi::IORING_OP_NOP),
    ];
    // SAFETY: the restrictions are as many as said, and copied by the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_io_uring_register,
            disabled.as_raw_fd(),
            uapi::IORING_REGISTER_RESTRICTIONS,
            restrictions.as_mut_ptr(),
            restrictions.len(),
        )
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_ring_can_be_restricted_and_what_it_refuses_says_so() {
    let Some(_) = common::ring(&RingBuilder::new(1)) else {
        return;
    };
    let disabled = RingBuilder::new(8).build_disabled().unwrap();
    restrict(&disabled);
    let mut ring = disabled.enable().unwrap();
    let mut refused = vec![
        ring.register_eventfd(0),
        ring.register_eventfd_async(0),
        ring.unregister_eventfd(),
        ring.register_descriptor(),
    ];
    // Kernels that know the call at all look at the restrictions first.
    if common::kernel() >= (6, 9) {
        let how = BusyPoll {
            timeout: Duration::ZERO,
            prefer: false,
            tracking: NapiTracking::Dynamic,
        };
        refused.extend([
            ring.busy_poll(how).map(drop),
            ring.stop_busy_poll(),
            ring.add_napi_id(u32::MAX),
            ring.remove_napi_id(u32::MAX),
        ]);
    }
    for result in refused {
        let error = result.unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ACCES), "{error}");
        let text = error.to_string();
        assert!(text.contains("among its restrictions"), "{text}");
    }
    for (sqe, result) in [(Sqe::cancel_all(), Err(Errno::ACCES)), (Sqe::nop(), Ok(0))] {
        ring.push(sqe).unwrap();
        assert_eq!(complete(&mut ring, 1)[0].result(), result);
    }
}
