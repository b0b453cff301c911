//! Names of network interfaces.

use core::ffi::c_char;

use crate::errno::Errno;
use crate::error::{Attempt, Cause, Error, Reason};

static FIND: Attempt = Attempt {
    what: "find the interface by its name",
    arguments: &[],
};

/// The index of the network interface called `name`, as [`Device::Queue`](crate::zcrx::Device::Queue)
/// takes it.
///
/// # Errors
///
/// There is no such interface in this network namespace.
///
/// ```
/// assert!(zcrx_sys::zcrx::interface_index("lo").unwrap() > 0);
/// let error = zcrx_sys::zcrx::interface_index("nosuchif0").unwrap_err();
/// assert!(error.to_string().contains("ip link"));
/// ```
#[inline]
pub fn interface_index(name: &str) -> Result<u32, Error> {
    let missing = |errno| {
        let causes = &[Cause {
            cause: "no interface of this network namespace has that name",
            remedy: "list them with ip link",
        }];
        Error::new(&FIND, [], Reason::Kernel(errno), causes)
    };
    // One byte more than a name may have stays zero and ends the string.
    let mut buffer = [0; libc::IFNAMSIZ];
    if name.len() >= buffer.len() || name.bytes().any(|byte| byte == 0) {
        return Err(missing(Errno::NODEV));
    }
    for (to, from) in buffer.iter_mut().zip(name.bytes()) {
        *to = from as c_char;
    }
    // SAFETY: buffer is a string that ends with a zero byte, and lives during the call.
    match unsafe { libc::if_nametoindex(buffer.as_ptr()) } {
        0 => Err(missing(Errno::last())),
        index => Ok(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_name_finds_an_interface() {
        assert_eq!(interface_index("lo").unwrap(), 1, "loopback is the first");
        // Cut short, each of these would be loopback's; the second is as long as a name can be, and the last two
        // longer.
        for name in [
            "lo\0",
            "lo\0xxxxxxxxxxxx",
            "lo\0xxxxxxxxxxxxx",
            "lo\0xxxxxxxxxxxxxx",
        ] {
            assert_eq!(
                interface_index(name).unwrap_err().errno(),
                Some(Errno::NODEV)
            );
        }
        for len in [1, 15, 16, 17, 300] {
            let error = interface_index(&"x".repeat(len)).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::NODEV), "{len}");
        }
        assert!(interface_index("").is_err());
    }
}
