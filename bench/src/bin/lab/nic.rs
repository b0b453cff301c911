//! The software NIC (tests/lab/nic): `snic0` here, its other end `snic1` in network namespace `peer`.

use std::fs;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

/// The queue that `bench/lab/guest` steers the port to.
pub const QUEUE: u32 = 1;

/// Sets the MTU of both ends.
pub fn set_mtu(bytes: u32) -> Result<(), String> {
    run("/usr/sbin/ip", &format!("link set snic0 mtu {bytes}"))?;
    run(
        "/usr/sbin/ip",
        &format!("-n peer link set snic1 mtu {bytes}"),
    )?;
    Ok(())
}

/// What the queue put where.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placed {
    /// Into an application's memory.
    pub provider: u64,
    /// Where the kernel has to copy it from.
    pub elsewhere: u64,
}

/// What the queue has put where so far.
pub fn placed() -> Result<Placed, String> {
    let listing = run("/usr/sbin/ethtool", "-S snic0")?;
    let counter = |name: &str| -> u64 {
        let prefix = format!("rx{QUEUE}_{name}: ");
        let value = listing
            .lines()
            .find_map(|line| line.trim().strip_prefix(&prefix));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    Ok(Placed {
        provider: counter("provider_bytes"),
        elsewhere: counter("copied_bytes") + counter("page_bytes"),
    })
}

/// Waits until no application has the queue, nor its huge pages: the kernel takes both back in its own time.
pub fn wait_until_free() -> Result<(), String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let queues = read("/sys/kernel/debug/softnic/snic0/queues")?;
        let memory = read("/proc/meminfo")?;
        let pages = |name: &str| {
            let line = memory.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim)
        };
        if !queues.contains("provider=1") && pages("HugePages_Total:") == pages("HugePages_Free:") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err("the queue, or its memory, is still taken".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Moves the calling thread to the other end of the cable.
pub fn enter_peer() -> std::io::Result<()> {
    let namespace = fs::File::open("/run/netns/peer")?;
    // SAFETY: takes no pointers; the descriptor is a namespace's, and open.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn run(program: &str, words: &str) -> Result<String, String> {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{program} {words}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
