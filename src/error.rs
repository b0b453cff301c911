//! [`Error`]: what was tried, with which arguments, why it failed and what to do about it.

use core::fmt;

pub(crate) use crate::cause::Cause;
use crate::cause::{CauseKind, Diagnosis, Fact, Known};
use crate::errno::Errno;

/// Something that this crate tries on the caller's behalf, and the names of its arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried, as it reads after "cannot", such as `"set up a ring"`.
    pub what: &'static str,
    /// Names of the arguments that the error reports, in order; at most four.
    pub arguments: &'static [&'static str],
}

/// Why an [`Attempt`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// An argument was refused before the kernel was asked.
    Argument {
        /// The argument's name, one of [`Attempt::arguments`].
        name: &'static str,
        /// What it has to be, as it reads after "must".
        must: &'static str,
    },
    /// The kernel refused.
    Kernel(Errno),
    /// This kernel, ring or build does not have what was asked for; the text says what is missing.
    Unsupported(&'static str),
    /// The kernel's answer breaks its own interface and was not used; the text says how.
    Answer(&'static str),
}

/// An operation that failed: what was tried, with which arguments, why, and what to do.
///
/// `Display` gives one or two sentences for a person; a program reads the parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    attempt: &'static Attempt,
    arguments: [u64; 4],
    why: Why,
}

/// Reason and diagnosis, which only a refusal by the kernel has to itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Possible(Reason, &'static [Cause]),
    /// The kernel refused, and this is the cause, with the value of its fact.
    Found(Errno, &'static Known, Option<u64>),
}

// It travels in the `Result` of every call, with an area beside it in one: 128 bytes are too many for a result
// (clippy's `result_large_err`).
const _: () = assert!(size_of::<Error>() <= 96);

impl Error {
    /// An attempt with `arguments` that failed for `reason`; `causes` most likely first.
    pub(crate) fn new<const N: usize>(
        attempt: &'static Attempt,
        arguments: [u64; N],
        reason: Reason,
        causes: &'static [Cause],
    ) -> Self {
        Self::diagnosed(attempt, arguments, reason, Diagnosis::Possible(causes))
    }

    /// As [`new`](Self::new), where more may have been found out than what is possible.
    pub(crate) fn diagnosed<const N: usize>(
        attempt: &'static Attempt,
        arguments: [u64; N],
        reason: Reason,
        diagnosis: Diagnosis,
    ) -> Self {
        let why = match (reason, diagnosis) {
            (Reason::Kernel(errno), Diagnosis::Certain(known, value)) => {
                Why::Found(errno, known, value)
            }
            _ => Why::Possible(reason, diagnosis.causes()),
        };
        debug_assert_eq!(attempt.arguments.len(), N);
        let mut all = [0; 4];
        all[..N].copy_from_slice(&arguments);
        Self {
            attempt,
            arguments: all,
            why,
        }
    }

    /// What was tried.
    pub fn attempt(&self) -> &'static Attempt {
        self.attempt
    }

    /// The arguments with their names, in the units that their names say (bytes, entries).
    pub fn arguments(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.attempt.arguments.iter().copied().zip(self.arguments)
    }

    /// Why it failed.
    pub fn reason(&self) -> Reason {
        match self.why {
            Why::Possible(reason, _) => reason,
            Why::Found(errno, ..) => Reason::Kernel(errno),
        }
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self.reason() {
            Reason::Kernel(errno) => Some(errno),
            _ => None,
        }
    }

    /// What may be behind it, most likely first, each with its remedy. May be empty. If it was found out
    /// ([`kind`](Self::kind)), that one alone.
    pub fn causes(&self) -> &'static [Cause] {
        match self.why {
            Why::Possible(_, causes) => causes,
            Why::Found(_, known, _) => core::slice::from_ref(&known.cause),
        }
    }

    /// Which cause it was, if that could be found out.
    ///
    /// The kernel's errno stands for several causes, and the message that says which stays in the kernel. So
    /// after it has refused, the state of the interface, the ring and the process is read, which takes no
    /// privilege.
    ///
    /// ```
    /// use zcrx_sys::recv::{Receiver, Source};
    /// use zcrx_sys::{zcrx, CauseKind};
    ///
    /// // Loopback has no queue that could be had.
    /// let loopback = Source::Queue { interface: zcrx::interface_index("lo").unwrap(), queue: 0 };
    /// let error = Receiver::builder().source(loopback).build().unwrap_err();
    /// match error.kind() {
    ///     Some(CauseKind::Privilege) => println!("run it as root"),
    ///     Some(CauseKind::OldKernel | CauseKind::NotBuiltIn) => println!("not with this kernel"),
    ///     Some(CauseKind::NoDmaDevice) => println!("not a NIC"),
    ///     _ => println!("{error}"), // what was tried, why it failed, what to do
    /// }
    /// ```
    pub fn kind(&self) -> Option<CauseKind> {
        match self.why {
            Why::Possible(..) => None,
            Why::Found(_, known, _) => Some(known.kind),
        }
    }

    /// The number that bears out the cause that was found, if one does.
    ///
    /// ```
    /// use zcrx_sys::{CauseKind, Error};
    /// fn advise(error: &Error) -> Option<String> {
    ///     let fact = error.found()?;
    ///     (error.kind()? == CauseKind::NoQueue).then(|| format!("use one of {} queues", fact.value))
    /// }
    /// ```
    pub fn found(&self) -> Option<Fact> {
        match self.why {
            Why::Found(_, Known { fact, .. }, value) => {
                let (name, value) = (*fact).zip(value)?;
                Some(Fact { name, value })
            }
            Why::Possible(..) => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { name, must } => write!(f, "{name} must {must}"),
            Self::Kernel(errno) => errno.fmt(f),
            Self::Unsupported(what) => f.write_str(what),
            Self::Answer(how) => write!(f, "the kernel's answer cannot be used: {how}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.attempt.what)?;
        for (i, (name, value)) in self.arguments().enumerate() {
            write!(f, "{}{name} {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.attempt.arguments.is_empty() {
            f.write_str(")")?;
        }
        write!(f, ": {}", self.reason())?;
        for (i, Cause { cause, remedy }) in self.causes().iter().enumerate() {
            write!(f, "{}{cause}", if i == 0 { "; " } else { ", or " })?;
            if let Some(Fact { name, value }) = self.found() {
                write!(f, " ({name} {value})")?;
            }
            write!(f, ": {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    /// Keeps the kernel's error number as the kind where there is one.
    fn from(error: Error) -> Self {
        let kind = match error.errno() {
            Some(errno) => Self::from(errno).kind(),
            None => match error.reason() {
                Reason::Argument { .. } => std::io::ErrorKind::InvalidInput,
                Reason::Answer(_) => std::io::ErrorKind::InvalidData,
                _ => std::io::ErrorKind::Unsupported,
            },
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
