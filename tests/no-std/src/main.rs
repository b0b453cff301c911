//! Receives a stream over loopback into provided buffers, and checks every byte: without the standard library,
//! without an allocator, with a panic handler of its own. Ends with status 0 if all is right.
#![no_std]
#![no_main]

use core::ffi::{c_int, c_void};

use zcrx_sys::recv::{BufferRing, Completion, End, Next, Operation, Request};
use zcrx_sys::ring::{CqeLayout, Ring, RingBuilder, Sqe};
use zcrx_sys::zcrx::Area;
use zcrx_sys::{Error, Fd};

const PIECE: [u8; 4096] = [0x5a; 4096];
const PIECES: u64 = 100;
const GROUP: u16 = 3;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: ends the process; takes no pointers.
    unsafe { libc::abort() }
}

/// What `core`, which was compiled for programs that unwind, refers to. This one aborts, so nobody calls it.
#[no_mangle]
extern "C" fn rust_eh_personality() {}

#[no_mangle]
extern "C" fn main() -> c_int {
    let Some((out, incoming)) = connection() else {
        return 2;
    };
    match receive(&out, &incoming) {
        Ok(received) if received == PIECES * PIECE.len() as u64 => 0,
        Ok(_) => 1,
        Err(_) => 3,
    }
}

/// Sends all pieces through `out`, one by one, and receives them; answers how many bytes were right.
fn receive(out: &Fd, incoming: &Fd) -> Result<u64, Error> {
    let mut ring: Ring = RingBuilder::new(8).layout(CqeLayout::Narrow).build()?;
    let area = Area::new(16 * PIECE.len())?;
    let mut buffers = BufferRing::register(ring.as_ring_fd(), GROUP, area, PIECE.len() as u32)?;
    let mut request = Request::new(Operation::Provided, None);
    let arm = |request: &mut Request| {
        request.arm();
        Sqe::recv_multishot(incoming.as_raw(), GROUP)
    };
    let _ = ring.push(arm(&mut request));
    for _ in 0..PIECES {
        // SAFETY: PIECE is readable for its length.
        unsafe { libc::write(out.as_raw(), PIECE.as_ptr().cast::<c_void>(), PIECE.len()) };
        let _ = ring.submit_and_wait(0)?;
    }
    // SAFETY: takes no pointers.
    unsafe { libc::shutdown(out.as_raw(), libc::SHUT_WR) };
    loop {
        ring.refresh_completions();
        while let Some(Ok(cqe)) = ring.next_completion() {
            let outcome = request.on_completion(Completion {
                res: cqe.res(),
                more: cqe.more(),
                buffer: cqe.buffer_id().is_some(),
            });
            if outcome.buffer.is_some() {
                // SAFETY: the completion is that of the only request, which receives from this group; taken once.
                if let Ok(chunk) = unsafe { buffers.take(&cqe) } {
                    assert!(buffers.bytes(&chunk).iter().all(|&byte| byte == PIECE[0]));
                    let _ = buffers.push(chunk);
                }
            }
            match outcome.next {
                Next::Active => {}
                Next::Rearm(_) => {
                    buffers.publish();
                    let _ = ring.push(arm(&mut request));
                }
                Next::Ended(End::Eof) => return Ok(request.received()),
                Next::Ended(_) => return Ok(0),
            }
        }
        buffers.publish();
        let _ = ring.submit_and_wait(1)?;
    }
}

/// Two connected TCP sockets.
fn connection() -> Option<(Fd, Fd)> {
    let listener = socket()?;
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
        },
        sin_zero: [0; 8],
    };
    let mut len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let at = core::ptr::from_mut(&mut address).cast::<libc::sockaddr>();
    let out = socket()?;
    // SAFETY: the address is a live sockaddr_in of that length, exclusively borrowed; getsockname fills it in.
    let connected = unsafe {
        libc::bind(listener.as_raw(), at, len) == 0
            && libc::listen(listener.as_raw(), 1) == 0
            && libc::getsockname(listener.as_raw(), at, &mut len) == 0
            && libc::connect(out.as_raw(), at, len) == 0
    };
    if !connected {
        return None;
    }
    let (no_address, no_len) = (core::ptr::null_mut(), core::ptr::null_mut());
    // SAFETY: the peer's address is not asked for.
    let incoming = unsafe { libc::accept(listener.as_raw(), no_address, no_len) };
    // SAFETY: a descriptor that is not negative is new, and nobody else's.
    (incoming >= 0).then(|| (out, unsafe { Fd::from_raw(incoming) }))
}

fn socket() -> Option<Fd> {
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    // SAFETY: a descriptor that is not negative is new, and nobody else's.
    (raw >= 0).then(|| unsafe { Fd::from_raw(raw) })
}
