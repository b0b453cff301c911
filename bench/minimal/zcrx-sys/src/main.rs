use zcrx_sys::ring::{RingBuilder, Sqe};

fn main() {
    let mut ring = RingBuilder::new(8).build().unwrap();
    ring.push(Sqe::nop().user_data(42)).unwrap();
    let _ = ring.submit_and_wait(1).unwrap();
    let cqe = ring.completions().next().unwrap().unwrap();
    assert_eq!(cqe.user_data(), 42);
}
