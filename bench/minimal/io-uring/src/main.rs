use io_uring::{opcode, IoUring};

fn main() {
    let mut ring = IoUring::new(8).unwrap();
    let nop = opcode::Nop::new().build().user_data(42);
    // SAFETY: a NOP names no memory.
    unsafe { ring.submission().push(&nop).unwrap() };
    ring.submit_and_wait(1).unwrap();
    let cqe = ring.completion().next().unwrap();
    assert_eq!(cqe.user_data(), 42);
}
