//! Plans as they are told when they fail: a line for the receiver, each stream and each step.

use std::fmt::{Display, Formatter, Result};

use super::plan::{Options, Plan, StreamPlan};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "seed {} over {:?}\n  receiver {}",
            self.seed, self.over, self.options
        )?;
        for (index, stream) in self.streams.iter().enumerate() {
            write!(f, "\n  stream {index} {stream}")?;
        }
        for step in &self.steps {
            write!(f, "\n  at {} {:?}", step.at, step.action)?;
        }
        Ok(())
    }
}

impl Display for StreamPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self {
            at,
            len,
            piece,
            close,
            ..
        } = self;
        write!(f, "at {at}: {len} by {piece} {close:?}")?;
        if self.no_delay {
            write!(f, " at once")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit {limit}")?;
        }
        self.partner
            .map_or(Ok(()), |partner| write!(f, ", partner {partner}"))
    }
}

impl Display for Options {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self {
            chunk,
            chunks,
            grow,
            kept,
            owned,
            most_kept,
            ..
        } = self;
        write!(f, "of {chunks} chunks of {chunk}, up to {grow} times; ")?;
        write!(
            f,
            "keeps {kept} % but no more than {most_kept}, owns {owned} %"
        )?;
        for (what, entries) in [
            ("completion entries", self.completion_entries),
            ("refill entries", self.refill_entries),
            ("gathers", self.batch),
        ] {
            if let Some(entries) = entries {
                write!(f, ", {what} {entries}")?;
            }
        }
        if let Some(layout) = self.layout {
            write!(f, ", {layout:?}")?;
        }
        for (what, is_so) in [
            ("kernel's refill region", self.kernels_refill_region),
            ("spins", self.spin),
            ("large chunks", self.large),
        ] {
            if is_so {
                write!(f, ", {what}")?;
            }
        }
        Ok(())
    }
}
