//! An index wraps: which of two comes first is no question, and distances are asked for by name.

use zcrx_sys::Index;

pub fn promise(mut one: Index, other: Index) {
    let _ = one < other; //~ E0369
    let _ = one.max(other); //~ E0599
    let _ = one - other; //~ E0369
    one += 1; //~ E0368
    let _ = one == other;
    one = one.advanced(other.distance_from(one));
    println!("{one:?}");
}
