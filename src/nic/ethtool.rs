//! The ethtool ioctl, for the settings that it knows on every kernel: driver, channels, RSS, features. Flow rules
//! have no other interface (7.3).

use core::ffi::c_void;
use core::mem::MaybeUninit;

use std::string::String;
use std::vec::Vec;

use crate::errno::Errno;
use crate::fd::Fd;

const GET_DRIVER: u32 = 0x03; // ETHTOOL_GDRVINFO
const GET_FLAGS: u32 = 0x25; // ETHTOOL_GFLAGS
const SET_FLAGS: u32 = 0x26; // ETHTOOL_SFLAGS
const GET_RSS: u32 = 0x38; // ETHTOOL_GRXFHINDIR
const SET_RSS: u32 = 0x39; // ETHTOOL_SRXFHINDIR
const GET_CHANNELS: u32 = 0x3c; // ETHTOOL_GCHANNELS
const SET_CHANNELS: u32 = 0x3d; // ETHTOOL_SCHANNELS
const NTUPLE: u32 = 1 << 27; // ETH_FLAG_NTUPLE

/// The longest RSS table that is read; those of NICs have 128 to 4096 entries.
const MOST_RSS_ENTRIES: usize = 1 << 16;

/// `struct ethtool_channels`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Channels {
    command: u32,
    max_rx: u32,
    max_tx: u32,
    max_other: u32,
    pub(super) max_combined: u32,
    rx: u32,
    tx: u32,
    other: u32,
    pub(super) combined: u32,
}

impl Channels {
    pub(super) fn receive_queues(&self) -> u32 {
        self.rx.saturating_add(self.combined)
    }
}

/// `struct ethtool_drvinfo`: of it, the name alone.
#[repr(C)]
struct Driver {
    command: u32,
    name: [u8; 32],
    rest: [u8; 160],
}

const _: () = assert!(size_of::<Channels>() == 36 && size_of::<Driver>() == 196);

/// An interface's settings, in the network namespace that the thread was in when this was opened.
#[derive(Debug)]
pub(super) struct Ethtool {
    socket: Fd,
    interface: u32,
}

impl Ethtool {
    pub(super) fn open(interface: u32) -> Result<Self, Errno> {
        // SAFETY: takes no pointers.
        let raw = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if raw < 0 {
            return Err(Errno::last());
        }
        // SAFETY: the kernel just created this descriptor for us; nobody else knows of it.
        let socket = unsafe { Fd::from_raw(raw) };
        Ok(Self { socket, interface })
    }

    /// A request about the interface by the name that it has now: it can be given another at any time. (The
    /// ioctl takes names alone, so one that is renamed just between these two calls is missed, as by ethtool.)
    fn request(&self) -> Result<libc::ifreq, Errno> {
        // SAFETY: for ifreq, a name and a union of numbers, pointers and addresses, all zeros are a value.
        let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
        request.ifr_ifru.ifru_ifindex = self.interface as i32;
        // SAFETY: request is an exclusively borrowed local; the command reads its index and writes its name.
        let got =
            unsafe { libc::ioctl(self.socket.as_raw(), libc::SIOCGIFNAME as _, &mut request) };
        if got < 0 {
            return Err(Errno::last());
        }
        Ok(request)
    }

    /// Has the kernel carry out the command that `data` starts with.
    ///
    /// # Safety
    ///
    /// `data` must point to what the command takes, readable and writable as far as the command reads and writes,
    /// and not otherwise borrowed.
    pub(super) unsafe fn call(&self, data: *mut c_void) -> Result<(), Errno> {
        let mut request = self.request()?;
        request.ifr_ifru.ifru_data = data.cast();
        // SAFETY: request is a live local with a name; the caller vouches for what its data points to.
        let done =
            unsafe { libc::ioctl(self.socket.as_raw(), libc::SIOCETHTOOL as _, &mut request) };
        if done < 0 {
            return Err(Errno::last());
        }
        Ok(())
    }

    /// The driver's name.
    pub(super) fn driver(&self) -> Result<String, Errno> {
        let mut driver = Driver {
            command: GET_DRIVER,
            name: [0; 32],
            rest: [0; 160],
        };
        // SAFETY: the command writes one ethtool_drvinfo, which an exclusively borrowed local is.
        unsafe { self.call(core::ptr::from_mut(&mut driver).cast()) }?;
        let end = driver.name.iter().position(|&byte| byte == 0);
        let name = &driver.name[..end.unwrap_or(driver.name.len())];
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    pub(super) fn channels(&self) -> Result<Channels, Errno> {
        let mut channels = Channels {
            command: GET_CHANNELS,
            ..Channels::default()
        };
        // SAFETY: the command writes one ethtool_channels, which an exclusively borrowed local is.
        unsafe { self.call(core::ptr::from_mut(&mut channels).cast()) }?;
        Ok(channels)
    }

    pub(super) fn set_combined_channels(&self, combined: u32) -> Result<(), Errno> {
        let mut channels = Channels {
            command: SET_CHANNELS,
            combined,
            ..self.channels()?
        };
        // SAFETY: the command reads one ethtool_channels, which an exclusively borrowed local is.
        unsafe { self.call(core::ptr::from_mut(&mut channels).cast()) }
    }

    /// Whether flow rules are switched on (`ntuple-filters`).
    pub(super) fn ntuple(&self) -> Result<bool, Errno> {
        Ok(self.flags()? & NTUPLE != 0)
    }

    pub(super) fn set_ntuple(&self, on: bool) -> Result<(), Errno> {
        let others = self.flags()? & !NTUPLE;
        let mut message = [SET_FLAGS, others | if on { NTUPLE } else { 0 }];
        // SAFETY: the command reads one ethtool_value, two words, which an exclusively borrowed local has.
        unsafe { self.call(message.as_mut_ptr().cast()) }?;
        // A driver that does not follow is not an error to the kernel.
        match self.ntuple()? == on {
            true => Ok(()),
            false => Err(Errno::OPNOTSUPP),
        }
    }

    fn flags(&self) -> Result<u32, Errno> {
        let mut message = [GET_FLAGS, 0];
        // SAFETY: the command writes one ethtool_value, two words, which an exclusively borrowed local has.
        unsafe { self.call(message.as_mut_ptr().cast()) }?;
        Ok(message[1])
    }

    /// The RSS table: which queue each value of a packet's hash stands for.
    pub(super) fn rss(&self) -> Result<Vec<u32>, Errno> {
        let mut query = [GET_RSS, 0];
        // SAFETY: for a size of 0 the command writes the size alone, the second of two exclusively borrowed words.
        unsafe { self.call(query.as_mut_ptr().cast()) }?;
        let len = query[1] as usize;
        if !(1..=MOST_RSS_ENTRIES).contains(&len) {
            return Err(Errno::OPNOTSUPP);
        }
        let mut message = std::vec![0; 2 + len];
        message[..2].copy_from_slice(&[GET_RSS, query[1]]);
        // SAFETY: the message has the words of which it says how many the table is; the command writes no more
        // than the size that it says, and refuses if the table is longer.
        unsafe { self.call(message.as_mut_ptr().cast()) }?;
        message.drain(..2);
        Ok(message)
    }

    /// Sets the RSS table; an empty one stands for the driver's default.
    pub(super) fn set_rss(&self, table: &[u32]) -> Result<(), Errno> {
        let mut message = std::vec![SET_RSS, table.len() as u32];
        message.extend(table);
        // SAFETY: the command reads as many words after the second as that says, which the message has.
        unsafe { self.call(message.as_mut_ptr().cast()) }
    }
}
