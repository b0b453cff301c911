//! A refill ring's end can be given to another thread, but not be used by two.

use zcrx_sys::zcrx::{Chunk, Export, Ifq, Recycler, RefillRing};

fn sent<T: Send>() {}
fn shared<T: Sync>() {}

pub fn promise() {
    sent::<RefillRing>();
    shared::<RefillRing>(); //~ E0277
    sent::<Ifq>();
    shared::<Ifq>(); //~ E0277
    sent::<Recycler>();
    shared::<Recycler>(); //~ E0277
    sent::<Export>();
    shared::<Export>();
}

pub fn through_a_shared_reference(ring: &RefillRing, ifq: &Ifq, one: Chunk, other: Chunk) {
    let _ = ring.push(one); //~ E0596
    let _ = ifq.recycle(other); //~ E0596
    println!("{ring:?} {ifq:?}");
}
