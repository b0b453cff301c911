//! [`ClaimError`]: which step of a claim failed, and what could not be taken back.

use core::fmt;

use std::vec::Vec;

use super::change::Change;
use crate::errno::Errno;
use crate::error::Error;

/// A claim that failed, or could not be taken back: the step, and why.
///
/// What a claim changed before it failed was taken back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClaimError {
    /// The step that failed, and why.
    pub error: Error,
    /// What was changed and could not be taken back; empty as a rule.
    pub left: Vec<Change>,
}

impl ClaimError {
    pub(super) fn new(error: Error, left: Vec<(Change, Errno)>) -> Self {
        let left = left.into_iter().map(|(change, _)| change).collect();
        Self { error, left }
    }
}

impl From<Error> for ClaimError {
    fn from(error: Error) -> Self {
        let left = Vec::new();
        Self { error, left }
    }
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        for (i, change) in self.left.iter().enumerate() {
            let before = if i == 0 { "; left: " } else { ", " };
            write!(f, "{before}{change}")?;
        }
        Ok(())
    }
}

impl core::error::Error for ClaimError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<ClaimError> for std::io::Error {
    fn from(error: ClaimError) -> Self {
        let kind = Self::from(error.error.clone()).kind();
        Self::new(kind, error)
    }
}
