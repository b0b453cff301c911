//! The way in to what a completion makes of a socket, for the fuzz targets.

use super::request::{End, Next, Pause};
use super::table;

/// Where a socket's request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In the kernel.
    Active,
    /// Waits to be submitted again.
    Paused(Pause),
    /// In the kernel, cancelled for good.
    Cancelling,
    /// In the kernel, cancelled in order to be submitted again.
    Restarting,
    /// In the kernel, cancelled because it cannot go on.
    Ending(End),
}

/// What a completion makes of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// It is to be submitted again.
    Pause(Pause),
    /// It is to be cancelled, and then ends like this.
    CancelAndEnd(End),
    /// It has ended.
    End(End),
}

/// What follows a completion that means `next` in a phase; `more` if the kernel will post others.
pub fn after(phase: Phase, next: Next, more: bool) -> Action {
    let phase = match phase {
        Phase::Active => table::Phase::Active,
        Phase::Paused(pause) => table::Phase::Paused(pause),
        Phase::Cancelling => table::Phase::Cancelling,
        Phase::Restarting => table::Phase::Restarting,
        Phase::Ending(end) => table::Phase::Ending(end),
    };
    match phase.after(next, more) {
        table::Action::Nothing => Action::Nothing,
        table::Action::Pause(pause) => Action::Pause(pause),
        table::Action::CancelAndEnd(end) => Action::CancelAndEnd(end),
        table::Action::End(end) => Action::End(end),
    }
}
