//! One listener for each thread: on ports of their own, which rules steer to queues, or all on one.

use std::io;
use std::mem::size_of_val;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `count` listeners, on the port of `first` and those that follow.
pub fn consecutive(first: SocketAddr, count: u16) -> io::Result<Vec<TcpListener>> {
    let listen = |port| TcpListener::bind(SocketAddr::new(first.ip(), port));
    ports(first, count)?.map(listen).collect()
}

/// The port of `first` and those that follow, `count` in all.
pub fn ports(first: SocketAddr, count: u16) -> io::Result<impl Iterator<Item = u16>> {
    let first = first.port();
    match first.checked_add(count) {
        Some(end) if first > 0 => Ok(first..end),
        _ => {
            let what = "a port above 0 is needed, and as many after it as there are queues";
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
    }
}

/// `count` listeners on one address, among which the kernel spreads connections.
pub fn sharing(address: SocketAddr, count: u16) -> io::Result<Vec<TcpListener>> {
    let first = reuse_port(address)?;
    let address = first.local_addr()?; // Now with a port, if it was 0.
    let others = (1..count).map(|_| reuse_port(address));
    std::iter::once(Ok(first)).chain(others).collect()
}

/// The standard library binds before it can be told of SO_REUSEPORT.
fn reuse_port(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(domain, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: a new descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    for option in [libc::SO_REUSEADDR, libc::SO_REUSEPORT] {
        let on = 1_i32;
        let (at, len) = (std::ptr::from_ref(&on).cast(), size_of_val(&on) as u32);
        // SAFETY: `on` is a live local of that length.
        check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, at, len) })?;
    }
    match address {
        SocketAddr::V4(v4) => bind(
            &socket,
            &libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            },
        )?,
        SocketAddr::V6(v6) => bind(
            &socket,
            &libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            },
        )?,
    }
    // SAFETY: takes no pointers.
    check(unsafe { libc::listen(fd, 128) })?;
    Ok(TcpListener::from(socket))
}

fn bind<A>(socket: &OwnedFd, address: &A) -> io::Result<()> {
    let at = std::ptr::from_ref(address).cast();
    // SAFETY: `address` is a live socket address of that length, and says itself of which kind.
    check(unsafe { libc::bind(socket.as_raw_fd(), at, size_of_val(address) as u32) }).map(drop)
}

fn check(result: i32) -> io::Result<i32> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        done => Ok(done),
    }
}
