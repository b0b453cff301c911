//! Buffers as devices share them, made of memory.

use std::os::fd::{AsRawFd, OwnedFd};

use zcrx_sys::Fd;

/// A dmabuf of memory: a sealed memfd handed to /dev/udmabuf.
pub fn udmabuf(len: usize) -> Fd {
    #[repr(C)]
    struct Create {
        memfd: u32,
        flags: u32,
        offset: u64,
        size: u64,
    }
    const UDMABUF_CREATE: libc::Ioctl = 0x4018_7542;
    // SAFETY: a name that ends with zero; the flags take no memory.
    let raw = unsafe { libc::memfd_create(c"area".as_ptr(), libc::MFD_ALLOW_SEALING) };
    assert!(raw >= 0);
    // SAFETY: a new descriptor that nothing else owns.
    let memfd = unsafe { Fd::from_raw(raw) };
    let file = std::fs::File::from(OwnedFd::from(memfd));
    file.set_len(len as u64).unwrap();
    // SAFETY: takes no pointers.
    let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) };
    assert_eq!(sealed, 0);
    let maker = std::fs::File::options()
        .write(true)
        .open("/dev/udmabuf")
        .unwrap();
    let create = Create {
        memfd: file.as_raw_fd() as u32,
        flags: 1,
        offset: 0,
        size: len as u64,
    };
    // SAFETY: the call reads one Create, a live local of the layout that linux/udmabuf.h gives it.
    let made = unsafe { libc::ioctl(maker.as_raw_fd(), UDMABUF_CREATE, &create) };
    assert!(made >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nothing else owns.
    unsafe { Fd::from_raw(made) }
}
