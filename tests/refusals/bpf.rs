//! bpf(2) by hand: a program that passes every packet, and a map of sockets.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Calls bpf(2); answers its result.
///
/// # Safety
///
/// What the attributes point to must be what the command takes.
unsafe fn bpf<T>(command: u32, attributes: &T) -> i64 {
    // SAFETY: attributes is live and as long as said; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    assert!(
        result >= 0,
        "bpf({command}): {}",
        std::io::Error::last_os_error()
    );
    result
}

/// The new descriptor that a command answered.
fn descriptor(result: i64) -> OwnedFd {
    // SAFETY: a new descriptor that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(result as i32) }
}

/// A program that does nothing, able to deal with packets in pieces: header split wants that of all programs.
fn xdp_pass() -> OwnedFd {
    const PROG_LOAD: u32 = 5;
    const PROG_TYPE_XDP: u32 = 6;
    const XDP_HAS_FRAGS: u32 = 1 << 5;
    const XDP_PASS: u64 = 2;
    // r0 = XDP_PASS; exit
    let program = [0xb7 | XDP_PASS << 32, 0x95];
    #[repr(C)]
    struct Load {
        kind: u32,
        instructions: u32,
        program: u64,
        license: u64,
        log: [u32; 4],
        kernel_version: u32,
        flags: u32,
    }
    let load = Load {
        kind: PROG_TYPE_XDP,
        instructions: 2,
        program: program.as_ptr() as usize as u64,
        license: c"GPL".as_ptr() as usize as u64,
        log: [0; 4],
        kernel_version: 0,
        flags: XDP_HAS_FRAGS,
    };
    // SAFETY: program and license live during the call, and are as said.
    descriptor(unsafe { bpf(PROG_LOAD, &load) })
}

/// Attaches a program to the interface, in generic mode, until the answer is dropped.
pub(crate) fn attach_xdp(interface: u32) -> OwnedFd {
    const LINK_CREATE: u32 = 28;
    const ATTACH_XDP: u32 = 37;
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    let program = xdp_pass();
    let link = [
        program.as_raw_fd() as u32,
        interface,
        ATTACH_XDP,
        XDP_FLAGS_SKB_MODE,
    ];
    // SAFETY: this command's attributes point to nothing.
    descriptor(unsafe { bpf(LINK_CREATE, &link) })
}

/// Puts a connected socket into a map of sockets (sockmap), until the answer is dropped.
pub(crate) fn in_a_sockmap(socket: &impl AsRawFd) -> OwnedFd {
    const MAP_CREATE: u32 = 0;
    const MAP_UPDATE_ELEM: u32 = 2;
    const MAP_TYPE_SOCKMAP: u32 = 15;
    let (key_size, value_size, entries) = (4_u32, 4_u32, 1_u32);
    // SAFETY: this command's attributes point to nothing.
    let map = unsafe {
        bpf(
            MAP_CREATE,
            &[MAP_TYPE_SOCKMAP, key_size, value_size, entries],
        )
    };
    let map = descriptor(map);
    let (key, value) = (0_u32, socket.as_raw_fd());
    let address = |at: *const u32| at as usize as u64;
    let update = [
        map.as_raw_fd() as u64,
        address(&key),
        address(std::ptr::from_ref(&value).cast()),
        0, // flags
    ];
    // SAFETY: key and value live during the call, with the sizes that the map was made with.
    unsafe { bpf(MAP_UPDATE_ELEM, &update) };
    map
}
