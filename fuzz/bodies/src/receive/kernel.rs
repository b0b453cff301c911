//! The kernel's side of one receive request.

use zcrx_sys::recv::{Completion, Operation};
use zcrx_sys::Errno;

use crate::input::Input;

/// What the kernel knows of one socket's request.
pub(super) struct Kernel {
    pub(super) operation: Operation,
    /// Keeps to the interface.
    pub(super) honest: bool,
    /// The request is in flight; bytes that it may still deliver, if limited.
    pub(super) flight: Option<Option<u64>>,
    /// All that the last submission asked for was delivered.
    pub(super) satisfied: bool,
    /// Bytes that it has put into buffers, and buffers that it gave out.
    pub(super) delivered: u64,
    pub(super) buffers: u64,
}

/// Errors that mean something, and one that does not.
const ERRORS: [Errno; 10] = [
    Errno::NOSPC,
    Errno::NOMEM,
    Errno::NOBUFS,
    Errno::INTR,
    Errno::AGAIN,
    Errno::FAULT,
    Errno::PROTONOSUPPORT,
    Errno::CANCELED,
    Errno::CONNRESET,
    Errno::from_raw(i32::MAX),
];

impl Kernel {
    pub(super) fn submit(&mut self, len: u32) {
        assert!(self.flight.is_none(), "one request of a socket at a time");
        self.flight = Some((len > 0).then_some(len.into()));
    }

    /// The next completion of the request that is in flight.
    pub(super) fn complete(&mut self, input: &mut Input) -> Completion {
        self.satisfied = self.flight == Some(Some(0));
        let completion = if self.honest {
            self.honest(input)
        } else {
            Self::any(input)
        };
        if !completion.more {
            self.flight = None;
        }
        let carries = match self.operation {
            // The rule of RECV_ZC: a buffer comes with F_MORE and with bytes.
            Operation::ZeroCopy => completion.buffer && completion.more && completion.res > 0,
            Operation::Provided => completion.buffer,
        };
        self.buffers += u64::from(carries);
        if carries {
            self.delivered += completion.res.max(0) as u64;
        }
        completion
    }

    fn any(input: &mut Input) -> Completion {
        let flags = input.u8();
        Completion {
            res: if flags & 4 == 0 {
                input.u32() as i32
            } else {
                input.u8() as i8 as i32
            },
            more: flags & 1 == 0,
            buffer: flags & 2 == 0,
        }
    }

    fn honest(&mut self, input: &mut Input) -> Completion {
        let (kind, left) = (input.u8(), self.flight.expect("in flight"));
        let zero_copy = self.operation == Operation::ZeroCopy;
        let most = left.unwrap_or(u64::MAX).min(i32::MAX as u64);
        match kind {
            _ if most == 0 => Completion {
                res: 0,
                more: false,
                buffer: false,
            },
            0..=159 => {
                let wanted = if kind & 1 == 0 {
                    u64::from(input.u16()) + 1
                } else {
                    u64::from(input.edge())
                };
                let len = wanted.clamp(1, most);
                self.flight = Some(left.map(|left| left - len));
                // The last piece of a provided receive may end it.
                let more = zero_copy || kind & 2 == 0;
                Completion {
                    res: len as i32,
                    more,
                    buffer: true,
                }
            }
            160..=175 => Completion {
                res: 0,
                more: false,
                buffer: !zero_copy && kind & 1 == 0,
            },
            _ => {
                let errno = ERRORS[usize::from(kind) % ERRORS.len()];
                Completion {
                    res: errno.raw().wrapping_neg(),
                    more: false,
                    buffer: false,
                }
            }
        }
    }
}
