//! A claim that was released, or dropped, says nothing of a queue any more.

use zcrx_sys::nic::Claim;

pub fn promise(claim: Claim) {
    let _ = claim.release();
    println!("{}", claim.queue()); //~ E0382
    drop(claim); //~ E0382
}
