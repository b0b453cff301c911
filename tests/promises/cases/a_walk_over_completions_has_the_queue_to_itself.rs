//! While completions are walked over, nothing else is done with their ring, and the ring stays.

use zcrx_sys::ring::{Ring, RingFd};

pub fn nothing_else_is_done(ring: &mut Ring) {
    let walk = ring.completions();
    let _other = ring.completions(); //~ E0499
    let _ = ring.submit(); //~ E0499
    let _ = ring.refresh_completions(); //~ E0499
    let _ = ring.has_completions(); //~ E0502
    drop(walk);
}

pub fn the_ring_stays(mut ring: Ring) {
    let walk = ring.completions();
    drop(ring); //~ E0505
    drop(walk);
}

pub fn so_it_does_for_its_descriptor(ring: Ring) {
    let fd = ring.as_ring_fd();
    let _fd: RingFd<'static> = ring.as_ring_fd(); //~ E0597
    drop(ring); //~ E0505
    println!("{fd:?}");
}
