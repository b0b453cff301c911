//! [`Error`]: what was tried, with which arguments, why it failed and what to do about it.

use core::fmt;

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

/// One possible cause of an error, with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The cause, as a clause.
    pub cause: &'static str,
    /// The remedy, as a clause in the imperative.
    pub remedy: &'static str,
}

/// An operation that failed: what was tried, with which arguments, why, and what to do.
///
/// `Display` gives one or two sentences for a person; a program reads the parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    attempt: &'static Attempt,
    arguments: [u64; 4],
    reason: Reason,
    causes: &'static [Cause],
}

impl Error {
    /// An attempt with `arguments` that failed for `reason`; `causes` most likely first.
    pub(crate) fn new<const N: usize>(
        attempt: &'static Attempt,
        arguments: [u64; N],
        reason: Reason,
        causes: &'static [Cause],
    ) -> Self {
        debug_assert_eq!(attempt.arguments.len(), N);
        let mut all = [0; 4];
        all[..N].copy_from_slice(&arguments);
        Self {
            attempt,
            arguments: all,
            reason,
            causes,
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
        self.reason
    }

    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<Errno> {
        match self.reason {
            Reason::Kernel(errno) => Some(errno),
            _ => None,
        }
    }

    /// What may be behind it, most likely first, each with its remedy. May be empty.
    pub fn causes(&self) -> &'static [Cause] {
        self.causes
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
        write!(f, ": {}", self.reason)?;
        for (i, Cause { cause, remedy }) in self.causes.iter().enumerate() {
            write!(
                f,
                "{}{cause}: {remedy}",
                if i == 0 { "; " } else { ", or " }
            )?;
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
            None => match error.reason {
                Reason::Argument { .. } => std::io::ErrorKind::InvalidInput,
                Reason::Answer(_) => std::io::ErrorKind::InvalidData,
                _ => std::io::ErrorKind::Unsupported,
            },
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TRY: Attempt = Attempt {
        what: "dig a well",
        arguments: &["depth", "width"],
    };

    #[test]
    fn display_says_what_why_and_what_to_do() {
        static CAUSES: [Cause; 2] = [
            Cause {
                cause: "the ground is frozen",
                remedy: "wait for spring",
            },
            Cause {
                cause: "no shovel",
                remedy: "buy one",
            },
        ];
        let error = Error::new(&TRY, [9, 2], Reason::Kernel(Errno::PERM), &CAUSES);
        assert_eq!(
            std::format!("{error}"),
            "cannot dig a well (depth 9, width 2): EPERM (operation not permitted); \
             the ground is frozen: wait for spring, or no shovel: buy one"
        );
        assert_eq!(error.errno(), Some(Errno::PERM));
        assert_eq!(
            error.arguments().collect::<std::vec::Vec<_>>(),
            [("depth", 9), ("width", 2)]
        );
    }

    #[test]
    fn a_refused_argument_is_named() {
        let must = Reason::Argument {
            name: "depth",
            must: "be above 0",
        };
        let error = Error::new(&TRY, [0, 2], must, &[]);
        assert_eq!(
            std::format!("{error}"),
            "cannot dig a well (depth 0, width 2): depth must be above 0"
        );
        assert_eq!(
            std::io::Error::from(error).kind(),
            std::io::ErrorKind::InvalidInput
        );
    }
}
