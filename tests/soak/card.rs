//! What befalls the software NIC during a round, in a thread of its own: some of it takes a while.

use std::process::Command;
use std::sync::mpsc::{channel, Receiver, Sender};

use super::common::nic::{at_peer, Nic};
use super::common::streams::{PORT, QUEUE};
use super::random::Random;

/// What is done to the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardAction {
    /// Every so many times; 0: no more.
    Fault(&'static str, u64),
    /// The cable is pulled out, or put back.
    Link(bool),
    /// The queue's memory is taken away and given again.
    Restart,
    /// The interface is brought down and up.
    Bounce,
    Ring(u64),
    Channels(u64),
    Mtu(u64),
    /// Whether flows are steered to the receiver's queue.
    Steer(bool),
    /// Whether packets share chunks.
    Share(bool),
    /// How many packets' chunks the card holds in advance.
    Prefill(u64),
    /// The card is pulled out. It is put back when the round has ended, which nothing else can be then.
    PullOut,
}

impl CardAction {
    /// Something to do, and what ends it later.
    pub fn some(random: &mut Random) -> Vec<(bool, Self)> {
        let fault = |name, first, last, random: &mut Random| {
            let every = random.between(first, last);
            vec![
                (false, Self::Fault(name, every)),
                (true, Self::Fault(name, 0)),
            ]
        };
        match random.below(16) {
            0 => fault("lose", 20, 200, random),
            1 => fault("duplicate", 2, 50, random),
            2 => fault("reorder", 5, 50, random),
            3 => fault("linear", 1, 10, random),
            4 => fault("alloc_fail", 10, 100, random),
            5 => fault("foreign", 2, 30, random),
            6 => vec![(false, Self::Link(false)), (true, Self::Link(true))],
            7 | 8 => vec![(false, Self::Restart), (true, Self::Restart)],
            9 => vec![(false, Self::Bounce)],
            10 => vec![
                (false, Self::Ring(random.between(16, 8192))),
                (true, Self::Restart),
            ],
            11 => vec![(false, Self::Channels(random.between(3, 4)))],
            12 => vec![(false, Self::Mtu(random.pick(&[1400, 1500, 4096, 9000])))],
            13 => vec![(false, Self::Steer(false)), (true, Self::Steer(true))],
            14 => vec![
                (false, Self::Prefill(random.between(16, 32))),
                (true, Self::Prefill(0)),
            ],
            _ => vec![(false, Self::Share(false)), (true, Self::Share(true))],
        }
    }

    /// Whether the kernel has to copy some packets because of it, or the card keeps chunks.
    pub fn means_copies(self) -> bool {
        matches!(
            self,
            Self::Fault("linear" | "foreign", _) | Self::Steer(false) | Self::Prefill(_)
        )
    }
}

/// The card, and what is not quickly found out of it: programs take their time in the lab.
struct Hold {
    nic: Nic,
    is_steered: bool,
    is_out: bool,
}

impl Hold {
    fn carry_out(&mut self, action: CardAction) {
        let nic = &self.nic;
        match action {
            CardAction::Fault(name, 0) => nic.fault(name, "off"),
            CardAction::Fault(name, n) => nic.fault(name, &format!("every {n}")),
            CardAction::Link(up) => nic.fault("link", if up { "up" } else { "down" }),
            CardAction::Restart => nic.fault("restart", &QUEUE.to_string()),
            CardAction::Bounce => {
                nic.ip("link set snic0 down");
                nic.ip("link set snic0 up");
            }
            CardAction::Ring(n) => drop(nic.ethtool(&format!("-G snic0 rx {n}"))),
            CardAction::Channels(n) => drop(nic.ethtool(&format!("-L snic0 combined {n}"))),
            CardAction::Mtu(n) => nic.mtu(n as u32),
            CardAction::Steer(steer) => {
                match (self.is_steered, steer) {
                    (false, true) => nic.steer(PORT, QUEUE),
                    (true, false) => nic.delete_rules(),
                    _ => {}
                }
                self.is_steered = steer;
            }
            CardAction::Prefill(n) => {
                nic.fault("prefill", if n > 0 { "1" } else { "0" });
                if n > 0 {
                    nic.ethtool(&format!("-G snic0 rx {n}"));
                }
                self.carry_out(CardAction::Restart); // queues that are built hold a ring
            }
            CardAction::PullOut => {
                nic.control("remove", "snic0");
                self.is_out = true;
            }
            CardAction::Share(share) => nic.fault("share", if share { "1" } else { "0" }),
        }
    }

    /// Ends all faults.
    fn calm(&mut self) {
        if std::mem::take(&mut self.is_out) {
            self.nic.set_up();
            self.is_steered = false;
        }
        for fault in [
            "lose",
            "duplicate",
            "reorder",
            "linear",
            "alloc_fail",
            "foreign",
        ] {
            self.carry_out(CardAction::Fault(fault, 0));
        }
        for what in [
            CardAction::Link(true),
            CardAction::Share(true),
            CardAction::Steer(true),
        ] {
            self.carry_out(what);
        }
        self.nic.fault("prefill", "0");
        // Pages of a queue that no application has.
        self.nic.fault("foreign_from", "0");
    }
}

/// What card and connections look like, at both ends, for whoever has to find out what went wrong.
pub fn state() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
    let connections = move || read("/proc/thread-self/net/tcp");
    let peers = at_peer(connections).join().unwrap();
    let counters = Command::new("/usr/sbin/ethtool")
        .args(["-S", "snic0"])
        .output()
        .map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        );
    let counters: Vec<_> = counters
        .split_terminator('\n')
        .map(str::trim)
        .filter(|line| !line.ends_with(": 0"))
        .collect();
    let queues = read("/sys/kernel/debug/softnic/snic0/queues");
    let here = connections();
    format!("\n{queues}{}\nhere {here}peer {peers}", counters.join(", "))
}

enum Order {
    Do(CardAction),
    /// Everything is as at the start again, and all has been done.
    Calm(Sender<()>),
    /// As that, and waits until the driver has all its buffers back.
    Empty(Sender<()>),
    PutBack(Sender<()>),
}

/// The thread that has the card.
pub struct Card(Sender<Order>);

/// Retransmissions come soon, or a round would do little but wait for them.
const ROUTE: &str = "10.0.0.0/24 dev snic1 proto kernel scope link src 10.0.0.2";

impl Card {
    pub fn start() -> Self {
        let (give, orders) = channel();
        std::thread::spawn(move || run(&orders));
        let card = Self(give);
        card.calm();
        card
    }

    pub fn order(&self, action: CardAction) {
        self.0.send(Order::Do(action)).unwrap();
    }

    pub fn calm(&self) {
        self.ask(Order::Calm);
    }

    /// Takes back what other tests do not expect.
    pub fn put_back(&self) {
        self.ask(Order::PutBack);
    }

    pub fn wait_until_empty(&self) {
        self.ask(Order::Empty);
    }

    fn ask(&self, order: impl FnOnce(Sender<()>) -> Order) {
        let (done, is_done) = channel();
        self.0.send(order(done)).unwrap();
        is_done.recv().expect("the card's thread has failed");
    }
}

fn run(orders: &Receiver<Order>) {
    let nic = Nic::claim().expect("there is a card");
    nic.ip(&format!("-n peer route replace {ROUTE} rto_min 10ms"));
    let mut hold = Hold {
        nic,
        is_steered: false,
        is_out: false,
    };
    while let Ok(order) = orders.recv() {
        match order {
            Order::Do(action) => hold.carry_out(action),
            Order::Calm(done) => {
                hold.calm();
                done.send(()).unwrap();
            }
            Order::PutBack(done) => {
                hold.nic.ip(&format!("-n peer route replace {ROUTE}"));
                done.send(()).unwrap();
            }
            Order::Empty(done) => {
                hold.nic.wait_for_buffers();
                hold.nic.wait_for_queues();
                done.send(()).unwrap();
            }
        }
    }
}
