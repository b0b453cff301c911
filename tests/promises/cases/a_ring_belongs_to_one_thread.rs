//! The kernel takes calls from the thread that enabled a ring alone. A ring that nobody owns yet can be sent.

use zcrx_sys::recv::Receiver;
use zcrx_sys::ring::{Completions, DisabledRing, Ring};

fn sent<T: Send>() {}
fn shared<T: Sync>() {}

pub fn promise() {
    sent::<DisabledRing>();
    shared::<DisabledRing>(); //~ E0277
    sent::<Ring>(); //~ E0277
    shared::<Ring>(); //~ E0277
    sent::<&mut Ring>(); //~ E0277
    sent::<Completions<'_>>(); //~ E0277
    sent::<Receiver>(); //~ E0277
    shared::<Receiver>(); //~ E0277
}

pub fn used_by_another_thread(mut ring: Ring) {
    std::thread::scope(|scope| {
        let _ = ring.submit();
        scope.spawn(|| ring.submit()); //~ E0277
    });
}
