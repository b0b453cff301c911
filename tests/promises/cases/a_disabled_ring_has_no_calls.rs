//! Until a thread owns a ring, nothing can be done with it but to enable it, which takes it.

use zcrx_sys::ring::{DisabledRing, Ring, Sqe};
use zcrx_sys::zcrx::{Area, Device, Ifq};

pub fn is_not_used(mut ring: DisabledRing, area: Area) {
    let _ = ring.push(Sqe::nop()); //~ E0599
    let _ = ring.submit(); //~ E0599
    let _ = ring.submit_and_wait(1); //~ E0599
    let _ = ring.completions(); //~ E0599
    let _ = ring.next_completion(); //~ E0599
    let _ = Ifq::builder(Device::None).register(ring.as_ring_fd(), area); //~ E0599
    let _: Ring = ring.0; //~ E0616
    let _: &mut Ring = &mut ring; //~ E0308
    let _ = ring.enable();
}
