//! Netlink messages as bytes: requests written, answers taken apart. Pure and total: no call, no allocation,
//! and whatever arrives is read as far as it makes sense and never further.
//!
//! A message is a header (length, type, flags, sequence, port) and a payload; a payload is a fixed part that
//! its family defines, and attributes, each a length, a type and a value that may be attributes again.
//! Everything starts at a multiple of four bytes and is in the machine's own byte order.

use crate::errno::Errno;

const HEADER: usize = 16; // struct nlmsghdr
const ATTRIBUTE_HEADER: usize = 4; // struct nlattr
const REQUEST: u16 = 1; // NLM_F_REQUEST
#[cfg(feature = "nic")]
const ACKNOWLEDGE: u16 = 4; // NLM_F_ACK
const NOOP: u16 = 1; // NLMSG_NOOP
/// A refusal, or without an errno an acknowledgement.
pub(super) const ERROR: u16 = 2; // NLMSG_ERROR
const OVERRUN: u16 = 4; // NLMSG_OVERRUN
const NESTED: u16 = 0x8000; // NLA_F_NESTED, which younger families insist on in requests
const TYPE: u16 = 0x3fff; // NLA_TYPE_MASK: without NESTED, and NLA_F_NET_BYTEORDER

/// A request for one object.
pub(super) struct Request {
    bytes: [u8; Self::ROOM],
    len: usize,
}

impl Request {
    /// The longest, for a queue, takes 44 bytes.
    const ROOM: usize = 64;

    /// A request of type `kind`, with the fixed part of its family.
    #[inline]
    pub(super) fn new(kind: u16, fixed: &[u8]) -> Self {
        let mut request = Self {
            bytes: [0; Self::ROOM],
            len: HEADER,
        };
        request.bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        request.bytes[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
        request.append(fixed);
        request
    }

    /// Adds an attribute.
    #[inline]
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.append(&attribute_header(kind, value.len()));
        self.append(value);
        self
    }

    /// Adds an attribute whose value is the attribute `inner` with `value`.
    #[inline]
    pub(super) fn with_nested(mut self, kind: u16, inner: u16, value: &[u8]) -> Self {
        self.append(&attribute_header(
            kind | NESTED,
            ATTRIBUTE_HEADER + value.len(),
        ));
        self.with(inner, value)
    }

    /// Has the kernel acknowledge it, as what sets something and has no other answer needs.
    #[cfg(feature = "nic")]
    #[inline]
    pub(super) fn acknowledged(mut self) -> Self {
        self.bytes[6..8].copy_from_slice(&(REQUEST | ACKNOWLEDGE).to_ne_bytes());
        self
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end.next_multiple_of(4);
    }

    /// The message, with the number that its answer will carry.
    #[inline]
    pub(super) fn numbered(&mut self, sequence: u32) -> &[u8] {
        self.bytes[..4].copy_from_slice(&(self.len as u32).to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        &self.bytes[..self.len]
    }
}

#[inline]
fn attribute_header(kind: u16, value_len: usize) -> [u8; ATTRIBUTE_HEADER] {
    let len = (ATTRIBUTE_HEADER + value_len) as u16;
    let ([a, b], [c, d]) = (len.to_ne_bytes(), kind.to_ne_bytes());
    [a, b, c, d]
}

/// What a datagram says to the request that has a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// The object that was asked for: the payload of its message.
    Object(&'a [u8]),
    /// The kernel refused.
    Refused(Errno),
    /// The end of a list, without an object.
    End,
    /// Nothing to this request.
    Nothing,
}

/// The answer to request `sequence` in `datagram`, which holds one message or several. Objects come in
/// messages of type `kind`; others are passed over. With [`ERROR`] for it, an acknowledgement is the object.
#[inline]
pub(super) fn answer(mut datagram: &[u8], sequence: u32, kind: u16) -> Answer<'_> {
    while let Some(header) = datagram.first_chunk::<HEADER>() {
        let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|i| header[at + i]));
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        // A length that leaves the datagram, or does not hold the header, makes the rest meaningless.
        let Some(message) = usize::try_from(word(0))
            .ok()
            .and_then(|len| datagram.get(..len))
        else {
            break;
        };
        let Some(payload) = message.get(HEADER..) else {
            break;
        };
        if word(8) == sequence {
            match half(4) {
                ERROR => match u32_of_start(payload).map(|code| Errno::from_result(code as i32)) {
                    Some(Some(errno)) => return Answer::Refused(errno),
                    Some(None) if kind == ERROR => return Answer::Object(payload),
                    Some(None) => {}
                    None => break,
                },
                NOOP | OVERRUN => {}
                other if other == kind => return Answer::Object(payload),
                // NLMSG_DONE, and types of the kernel's own below 16.
                other if other < 16 => return Answer::End,
                _ => {}
            }
        }
        // At least the header's length: the loop ends. The last message may lack its padding.
        datagram = datagram
            .get(message.len().next_multiple_of(4)..)
            .unwrap_or(&[]);
    }
    Answer::Nothing
}

#[inline]
fn u32_of_start(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// The attributes in a payload after a fixed part, or in the value of a nested attribute: type and value of
/// each. It ends before the first that is not whole.
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Those after the first `fixed` bytes.
    #[inline]
    pub(super) fn after(fixed: usize, payload: &'a [u8]) -> Self {
        Self(payload.get(fixed..).unwrap_or(&[]))
    }

    #[inline]
    pub(super) fn nested(value: &'a [u8]) -> Self {
        Self(value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let &[a, b, c, d] = self.0.first_chunk::<ATTRIBUTE_HEADER>()?;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = self.0.get(ATTRIBUTE_HEADER..len)?;
        // At least the header's length: the iterator ends.
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((u16::from_ne_bytes([c, d]) & TYPE, value))
    }
}

/// The value of an attribute that is a 32-bit number.
#[inline]
pub(super) fn u32_value(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}

/// The value of an attribute that is a 16-bit number.
#[inline]
pub(super) fn u16_value(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_ne_bytes)
}
