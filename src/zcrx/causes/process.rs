//! What a process may do: its capabilities and its limit of locked memory.

/// `None` where the kernel does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// Whether the thread has CAP_NET_ADMIN in its own user namespace, which need not be the initial one.
    pub(super) net_admin: Option<bool>,
    /// Whether it has CAP_IPC_LOCK, with which no limit applies.
    pub(super) ipc_lock: Option<bool>,
    /// The limit of locked memory in bytes (RLIMIT_MEMLOCK), `u64::MAX` if there is none.
    pub(super) locked_memory: Option<u64>,
}

impl Process {
    #[inline]
    pub(super) fn read() -> Self {
        const NET_ADMIN: u32 = 12; // CAP_NET_ADMIN
        const IPC_LOCK: u32 = 14; // CAP_IPC_LOCK
        let effective = effective_capabilities();
        let has = |capability: u32| effective.map(|set| set & (1 << capability) != 0);
        Self {
            net_admin: has(NET_ADMIN),
            ipc_lock: has(IPC_LOCK),
            locked_memory: locked_memory(),
        }
    }
}

/// The first 32 effective capabilities of the calling thread.
#[inline]
fn effective_capabilities() -> Option<u32> {
    const VERSION: u32 = 0x2008_0522; // _LINUX_CAPABILITY_VERSION_3
    let mut header = [VERSION, 0]; // 0: the calling thread
    let mut sets = [0_u32; 6];
    // SAFETY: version 3 reads and writes a header of two words, and writes two triples of words (effective,
    // permitted, inheritable; low words, then high words); both arrays are exclusively borrowed locals.
    let got = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    (got == 0).then_some(sets[0])
}

#[inline]
fn locked_memory() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: limit is an exclusively borrowed local of the type that the call fills.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
    #[allow(clippy::unnecessary_cast, reason = "it has 32 bits on some targets")]
    match limit.rlim_cur {
        _ if got != 0 => None,
        libc::RLIM_INFINITY => Some(u64::MAX),
        bytes => Some(bytes as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let process = Process::read();
        assert!(process.net_admin.is_some() && process.ipc_lock.is_some());
        assert!(process.locked_memory.is_some());
    }
}
