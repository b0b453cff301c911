//! The software NIC in its default state, and all that a claim changes of it.

use std::process::Command;

use zcrx_sys::nic;

use crate::common::nic::Nic;

pub(crate) const SNIC: &str = "snic0";

/// The software NIC as a driver brings it up, and its settings then.
pub(crate) struct Default {
    pub(crate) nic: Nic,
    pub(crate) before: String,
}

impl Default {
    /// With `channels` queues; everything is as after loading the driver.
    pub(crate) fn with_channels(channels: u32) -> Option<Self> {
        let nic = Nic::claim()?;
        nic.ethtool("-G snic0 tcp-data-split off");
        nic.ethtool("-X snic0 default");
        nic.ethtool(&format!("-L snic0 combined {channels}"));
        nic.ethtool("-K snic0 ntuple off");
        let before = settings(&nic);
        Some(Self { nic, before })
    }

    pub(crate) fn assert_as_before(&self) {
        assert_eq!(settings(&self.nic), self.before);
    }
}

impl Drop for Default {
    /// For the next test, which finds flow rules on.
    fn drop(&mut self) {
        let mut ethtool = Command::new("/usr/sbin/ethtool");
        let _ = ethtool.args(["-K", SNIC, "ntuple", "on"]).status();
    }
}

/// All that ethtool and sysfs tell of its settings, those that a claim changes and others.
pub(crate) fn settings(nic: &Nic) -> String {
    let all = ["-g", "-l", "-x", "-k", "-n"].map(|what| nic.ethtool(&format!("{what} {SNIC}")));
    let threshold = nic::inspect(SNIC).unwrap().header_split_threshold;
    let others = [
        "flags",
        "mtu",
        "tx_queue_len",
        "threaded",
        "gro_flush_timeout",
    ]
    .map(|file| std::fs::read_to_string(format!("/sys/class/net/{SNIC}/{file}")).unwrap());
    format!(
        "{}hds-thresh: {threshold:?}\n{}",
        all.concat(),
        others.concat()
    )
}
