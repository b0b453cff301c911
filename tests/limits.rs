//! What a process without privileges, memory or io_uring is told. Each case runs in a thread of its own
//! that gave up what it lacks, so that the other tests keep it.

use zcrx_sys::recv::{Receiver, Source};
use zcrx_sys::ring::RingBuilder;
use zcrx_sys::zcrx::{Area, Device, Ifq};
use zcrx_sys::Errno;

use common::denial::{deny, in_a_thread, SETUP};

mod common;

#[test]
fn a_kernel_without_io_uring_is_named_as_such() {
    for (errno, text) in [
        (Errno::NOSYS, "built without io_uring"),
        (Errno::PERM, "kernel.io_uring_disabled"),
    ] {
        in_a_thread(move || {
            deny(SETUP, errno);
            let error = RingBuilder::new(8).build().unwrap_err();
            assert_eq!(error.errno(), Some(errno));
            assert!(error.to_string().contains(text), "{error}");
            // Every source needs a ring, so there is nothing to fall back to.
            let error = Receiver::builder().build().unwrap_err();
            assert_eq!(error.errno(), Some(errno));
        });
    }
}

#[test]
fn without_net_admin_the_remedy_is_named() {
    if common::kernel() < (6, 15) {
        return common::skip((6, 15), &"no zero-copy receive in this kernel");
    }
    in_a_thread(|| {
        if common::is_root() {
            common::drop_capability(common::CAP_NET_ADMIN);
        }
        let Some(ring) = common::ring(&RingBuilder::new(8)) else {
            return;
        };
        let lo = zcrx_sys::zcrx::interface_index("lo").unwrap();
        let builder = Ifq::builder(Device::Queue {
            interface: lo,
            queue: 0,
        });
        let error = builder
            .register(ring.as_ring_fd(), Area::new(4096).unwrap())
            .unwrap_err();
        assert_eq!(error.errno(), Some(Errno::PERM));
        assert!(
            error.to_string().contains("setcap cap_net_admin+ep"),
            "{error}"
        );
        // Provided buffers need no privilege, so a receiver falls back to them.
        let receiver = Receiver::builder().build().unwrap();
        assert_eq!(receiver.source(), Source::Buffers);
    });
}

#[test]
fn an_area_above_the_locked_memory_limit_is_named() {
    if !common::is_root() {
        return common::skip((u32::MAX, 0), &"needs CAP_NET_ADMIN");
    }
    if common::kernel() < (7, 1) {
        return common::skip((7, 1), &"no zero-copy receive without a device");
    }
    in_a_thread(|| {
        let limit = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: limit is a live local. It holds for threads without CAP_IPC_LOCK alone: this one.
        let set = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) };
        assert_eq!(set, 0);
        common::drop_capability(common::CAP_IPC_LOCK);
        let Some(ring) = common::ring(&RingBuilder::new(8)) else {
            return;
        };
        let register =
            |len| Ifq::builder(Device::None).register(ring.as_ring_fd(), Area::new(len).unwrap());
        let error = register(4 << 20).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::NOMEM));
        let text = error.to_string();
        assert!(
            text.contains("ulimit -l") && text.contains("area bytes 4194304"),
            "{text}"
        );
        // Nothing of it is left behind: the next one has the whole limit.
        register(512 << 10).unwrap();
    });
}
