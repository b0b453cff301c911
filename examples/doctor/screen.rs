//! The screen for a person.

use std::fmt::Write;

use zcrx_sys::recv::Source;

use crate::faults::Fault;
use crate::interface::{Interface, Verdict};
use crate::machine::{Limits, Machine};

/// Text that moves no cursor and changes no colour: a name may hold any byte.
pub fn printable(text: &str) -> String {
    let escaped = |c: char| match c {
        '\n' => "\n".to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

pub fn draw(machine: &Machine, interfaces: &[Interface]) -> String {
    let mut text = String::new();
    kernel(&mut text, machine);
    faults(&mut text, &machine.faults);
    process(&mut text, &machine.limits, machine);
    text += "\ninterfaces\n";
    for interface in interfaces {
        one(&mut text, interface);
    }
    text += "\n";
    text += &summary(machine, interfaces);
    printable(&text)
}

fn kernel(text: &mut String, machine: &Machine) {
    line(text, format_args!("kernel {}", machine.kernel));
    for feature in &machine.features {
        let there = match feature.there {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        let (what, since) = (feature.what, feature.since);
        line(text, format_args!("  {there:<4} {what} (since {since})"));
    }
}

/// Those that nothing here makes up for one by one, with where they are mended.
fn faults(text: &mut String, faults: &[Fault]) {
    if faults.is_empty() {
        return;
    }
    let what = "known faults of kernels of this version (its vendor may have mended them)";
    line(text, format_args!("  {what}"));
    let (harmless, open): (Vec<_>, Vec<_>) =
        faults.iter().partition(|fault| fault.is_worked_around);
    for fault in open {
        let Fault { name, what, .. } = fault;
        line(
            text,
            format_args!("    {name}: {what} (mended in {})", fault.remedy()),
        );
    }
    if !harmless.is_empty() {
        let what: Vec<_> = harmless.iter().map(|fault| fault.what).collect();
        line(text, format_args!("    worked around: {}", what.join("; ")));
    }
}

fn process(text: &mut String, limits: &Limits, machine: &Machine) {
    line(text, format_args!("\nthis process"));
    let net_admin = match limits.net_admin {
        Some(true) => "yes",
        Some(false) => "no",
        None => "?",
    };
    line(
        text,
        format_args!("  {net_admin:<4} CAP_NET_ADMIN, which zero-copy receive takes"),
    );
    let locked = match (limits.ipc_lock, limits.locked_memory) {
        (Some(true), _) | (_, Some(u64::MAX)) => "any amount of".to_string(),
        (_, Some(bytes)) => format!("{} KiB of", bytes >> 10),
        (_, None) => "an unknown amount of".to_string(),
    };
    line(
        text,
        format_args!("  may lock {locked} memory (ulimit -l), which areas are made of since 6.17"),
    );
    if let Some(error) = &machine.obstacle {
        line(text, format_args!("  no queue of any NIC: {error}"));
    }
}

fn one(text: &mut String, interface: &Interface) {
    let seen = &interface.inspection;
    let mut facts = Vec::new();
    facts.extend(seen.driver.clone());
    facts.extend(seen.up.map(|up| if up { "up" } else { "down" }.to_string()));
    facts.extend(seen.mtu.map(|mtu| format!("MTU {mtu}")));
    facts.extend(
        seen.receive_queues
            .map(|count| format!("receive queues {count}")),
    );
    facts.extend(
        seen.ring_entries
            .map(|entries| format!("of {entries} buffers")),
    );
    line(text, format_args!("  {}: {}", seen.name, facts.join(", ")));
    let (name, queue) = (&seen.name, interface.queue);
    match interface.verdict {
        Verdict::Ready => line(
            text,
            format_args!(
                "    ready: steer flows to queue {queue} and receive there\n      \
                 ethtool -N {name} flow-type tcp4 dst-port PORT action {queue}\n      \
                 receive --listen ADDR:PORT --nic {name}:{queue}"
            ),
        ),
        Verdict::Mendable => {
            line(
                text,
                format_args!("    not yet: queue {queue} takes these commands, or receive --claim"),
            );
            for obstacle in &interface.obstacles {
                let command = obstacle.command.as_deref().unwrap_or(&obstacle.remedy);
                line(
                    text,
                    format_args!("      {command}\n        {}", obstacle.cause),
                );
            }
        }
        Verdict::Taken | Verdict::Impossible => {
            let hopeless = interface
                .obstacles
                .iter()
                .filter(|obstacle| obstacle.command.is_none());
            for obstacle in hopeless {
                let verdict = match interface.verdict {
                    Verdict::Taken => "not now",
                    _ => "cannot",
                };
                line(
                    text,
                    format_args!("    {verdict}, on queue {queue}: {obstacle}"),
                );
            }
        }
    }
}

fn summary(machine: &Machine, interfaces: &[Interface]) -> String {
    let count = |verdict| {
        interfaces
            .iter()
            .filter(|interface| interface.verdict == verdict)
            .count()
    };
    let (ready, mendable) = (count(Verdict::Ready), count(Verdict::Mendable));
    let mut text = match (&machine.obstacle, ready, mendable) {
        (Some(_), _, _) => "This process cannot receive without a copy.".to_string(),
        (None, 0, 0) => "No interface here can receive without a copy.".to_string(),
        (None, 0, _) => "Zero-copy receive is some commands away.".to_string(),
        (None, _, _) => "Zero-copy receive is ready.".to_string(),
    };
    text += match &machine.best {
        Ok(Source::NoDevice) => {
            " Without a NIC: zero-copy receive without a device, with one copy.\n"
        }
        Ok(_) => " Without a NIC: provided buffers, with one copy.\n",
        Err(_) => "\n",
    };
    if let Err(error) = &machine.best {
        line(
            &mut text,
            format_args!("Without a NIC, nothing either: {error}"),
        );
    }
    text
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{what}"); // Writing to a string does not fail.
}
