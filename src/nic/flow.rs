//! [`Flow`]: which packets are to come to a claimed queue.

use core::fmt;

/// The version of IP that a flow comes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Packets that are to come to a claimed queue: TCP to one port, over one version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    family: Family,
    port: u16,
}

impl Flow {
    /// TCP to `port` over `family`.
    pub const fn new(family: Family, port: u16) -> Self {
        Self { family, port }
    }

    /// TCP to `port`, over IPv4 and IPv6.
    ///
    /// ```
    /// use zcrx_sys::nic::{Family, Flow};
    /// assert_eq!(Flow::both(443)[1], Flow::new(Family::V6, 443));
    /// ```
    pub const fn both(port: u16) -> [Self; 2] {
        [Self::new(Family::V4, port), Self::new(Family::V6, port)]
    }

    /// The version of IP.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The destination port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Flow {
    /// As ethtool writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "tcp4",
            Family::V6 => "tcp6",
        };
        write!(f, "flow-type {family} dst-port {}", self.port)
    }
}
