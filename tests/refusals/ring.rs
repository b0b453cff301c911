//! Refusals that lie in the ring, the thread or the process that registers.

use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use zcrx_sys::ring::{CqeLayout, RingBuilder, RingFd};
use zcrx_sys::uapi;
use zcrx_sys::zcrx::Area;
use zcrx_sys::Errno;

use crate::common::nic::Nic;
use crate::common::streams::MIB;
use crate::common::{drop_capability, kernel, ring, skip, CAP_NET_ADMIN};
use crate::raw::RawRing;
use crate::{
    assert_contains, assert_names, assert_receives, new_ring, on_loopback, on_queue, refusal,
};

#[test]
fn a_thread_that_does_not_own_the_ring() {
    let Some(nic) = Nic::claim() else { return };
    let ring = new_ring();
    let (fd, flags, builder) = (ring.as_raw_fd(), ring.setup_flags(), on_queue(&nic));
    let elsewhere = std::thread::spawn(move || {
        // SAFETY: the descriptor is that of a ring set up with these flags; it outlives the thread.
        let foreign = unsafe { RingFd::from_raw(fd, flags) };
        builder.register(foreign, Area::new(MIB).unwrap())
    });
    let error = elsewhere.join().unwrap().expect_err("it was to be refused");
    assert_names(&error, Errno::EXIST, &["the thread that enabled the ring"]);
    // On the owner's thread the same ring will do.
    drop(
        on_queue(&nic)
            .register(ring.as_ring_fd(), Area::new(MIB).unwrap())
            .unwrap(),
    );
    drop(ring);
    nic.wait_for_queues();
    assert_receives(&nic);
}

#[test]
fn restrictions_of_the_ring() {
    if kernel() < (6, 15) {
        return skip((6, 15), &"no zero-copy receive in this kernel");
    }
    let forbids = RawRing::restricted_to(&[uapi::IORING_REGISTER_ENABLE_RINGS]);
    let error = on_loopback().register(forbids.as_ring_fd(), Area::new(MIB).unwrap());
    assert_names(
        &error.expect_err("it was to be refused"),
        Errno::ACCES,
        &["restrictions", "operations 32 and 36"],
    );
    // The remedy.
    let Some(nic) = Nic::claim() else { return };
    let allowed = [
        uapi::IORING_REGISTER_ZCRX_IFQ,
        uapi::IORING_REGISTER_ZCRX_CTRL,
    ];
    let allows = RawRing::restricted_to(&allowed);
    let ifq = on_queue(&nic)
        .register(allows.as_ring_fd(), Area::new(MIB).unwrap())
        .unwrap();
    ifq.flush().unwrap();
    drop((ifq, allows));
    nic.wait_for_queues();
    assert_receives(&nic);
}

#[test]
fn a_kernel_without_it() {
    let Some(ring) = ring(&RingBuilder::new(8)) else {
        return;
    };
    let registered = on_loopback().register(ring.as_ring_fd(), Area::new(MIB).unwrap());
    let error = registered.expect_err("it was to be refused");
    if kernel() < (6, 15) {
        if error.errno().is_some() {
            assert_names(&error, Errno::INVAL, &["older than 6.15", "newer kernel"]);
        } else {
            // Before 6.1 the ring itself is not fit for it.
            assert_contains(&error, &["DEFER_TASKRUN"]);
        }
    } else {
        assert_ne!(
            error.errno(),
            Some(Errno::INVAL),
            "this kernel has it: {error}"
        );
    }
}

#[test]
fn a_process_without_net_admin() {
    let Some(nic) = Nic::claim() else { return };
    let builder = on_queue(&nic);
    let error = std::thread::spawn(move || {
        drop_capability(CAP_NET_ADMIN);
        refusal(builder)
    });
    assert_names(
        &error.join().unwrap(),
        Errno::PERM,
        &["CAP_NET_ADMIN", "setcap cap_net_admin+ep"],
    );
    assert_receives(&nic);
}

/// Root in a user namespace of its own, as in a container without privileges.
#[test]
fn a_process_of_another_user_namespace() {
    const CHILD: &str = "ZCRX_TEST_CHILD";
    if kernel() < (6, 15) {
        return skip((6, 15), &"no zero-copy receive in this kernel");
    }
    if std::env::var_os(CHILD).is_some() {
        let parts = ["CAP_NET_ADMIN", "initial user namespace"];
        return assert_names(&refusal(on_loopback()), Errno::PERM, &parts);
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "ring::a_process_of_another_user_namespace"]);
    // SAFETY: between fork and exec this makes one system call, which takes no pointers.
    unsafe {
        again.pre_exec(|| match libc::unshare(libc::CLONE_NEWUSER) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    };
    match again.env(CHILD, "1").output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => skip((u32::MAX, 0), &format!("no user namespaces: {error}")),
    }
}

/// Refused before the kernel is asked, whose EINVAL would not say what is wrong.
#[test]
fn a_ring_that_cannot_carry_it() {
    let Some(nic) = Nic::claim() else { return };
    let area = || Area::new(MIB).unwrap();
    let narrow = RingBuilder::new(8)
        .layout(CqeLayout::Narrow)
        .build()
        .unwrap();
    let error = on_queue(&nic)
        .register(narrow.as_ring_fd(), area())
        .unwrap_err();
    assert_eq!(error.errno(), None);
    assert_contains(&error, &["narrow", "mixed or the wide layout"]);
    let shared = RawRing::new(uapi::IORING_SETUP_CQE32);
    let error = on_queue(&nic)
        .register(shared.as_ring_fd(), area())
        .unwrap_err();
    assert_eq!(error.errno(), None);
    assert_contains(&error, &["DEFER_TASKRUN"]);
    assert_receives(&nic);
}
