//! Swapped with those of another ring, queues would outlive the memory that they point into.

use core::mem::swap;

use zcrx_sys::ring::{CompletionQueue, Ring};
use zcrx_sys::zcrx::Ifq;

pub fn of_rings(one: &mut Ring, other: &mut Ring) {
    swap(&mut one.completions, &mut other.completions); //~ E0616
    swap(&mut one.submissions, &mut other.submissions); //~ E0616
    let _: &mut CompletionQueue = one.completions().queue; //~ E0616
    swap(one, other);
}

pub fn of_interface_queues(one: &mut Ifq, other: &mut Ifq) {
    swap(&mut one.producer, &mut other.producer); //~ E0616
    swap(&mut one.instance, &mut other.instance); //~ E0616
    swap(one, other);
}
