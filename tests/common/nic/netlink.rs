//! Generic netlink, for the few requests that the tools of the lab's Debian tree cannot make yet.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Payload of a request: attributes, one after the other.
#[derive(Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, format!("{value}\0").as_bytes())
    }

    pub fn nest(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | libc::NLA_F_NESTED as u16, &inner.0)
    }

    fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let len = (4 + value.len()) as u16;
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// The value of the first attribute of this kind.
fn find(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    while let [a, b, c, d, ..] = *attributes {
        let len = usize::from(u16::from_ne_bytes([a, b]));
        if u16::from_ne_bytes([c, d]) == kind {
            return attributes.get(4..len);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

const HEADER: usize = size_of::<libc::nlmsghdr>();
const GENERIC_HEADER: usize = 4;

/// A number that the kernel wrote at `at`.
fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Sends `command` to `family` and answers the attributes of the reply, if there is one; or the error number.
fn exchange(family: u16, command: u8, attributes: &Attributes) -> Result<Vec<u8>, i32> {
    // SAFETY: takes no pointers.
    let raw = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC) };
    assert!(raw >= 0);
    // SAFETY: a new descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let mut request = Vec::new();
    let len = (HEADER + GENERIC_HEADER + attributes.0.len()) as u32;
    request.extend(len.to_ne_bytes());
    request.extend(family.to_ne_bytes());
    request.extend(((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    request.extend([0; 8]); // sequence, port
    request.extend([command, 1, 0, 0]); // version 1
    request.extend(&attributes.0);
    // SAFETY: request is live and as long as said.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    assert_eq!(sent, request.len() as isize);

    let mut reply = Vec::new();
    let mut buffer = [0_u8; 16 << 10];
    loop {
        let at = buffer.as_mut_ptr().cast();
        // SAFETY: buffer is exclusively borrowed and as long as said.
        let got = unsafe { libc::recv(socket.as_raw_fd(), at, buffer.len(), 0) };
        let mut messages = &buffer[..usize::try_from(got).unwrap()];
        while messages.len() >= HEADER {
            let len = number(messages, 0) as usize;
            let kind = u16::from_ne_bytes([messages[4], messages[5]]);
            if i32::from(kind) == libc::NLMSG_ERROR {
                return match number(messages, HEADER) {
                    0 => Ok(reply),
                    negative => Err(-negative),
                };
            }
            reply = messages[HEADER + GENERIC_HEADER..len].to_vec();
            messages = &messages[len.next_multiple_of(4).min(messages.len())..];
        }
    }
}

/// Sends `command` to the family called `name`; answers the error number if it is refused.
pub fn request(name: &str, command: u8, attributes: &Attributes) -> Result<(), i32> {
    const CTRL_CMD_GETFAMILY: u8 = 3;
    const CTRL_ATTR_FAMILY_ID: u16 = 1;
    const CTRL_ATTR_FAMILY_NAME: u16 = 2;
    let by_name = Attributes::default().text(CTRL_ATTR_FAMILY_NAME, name);
    let reply = exchange(libc::GENL_ID_CTRL as u16, CTRL_CMD_GETFAMILY, &by_name)?;
    let id = find(&reply, CTRL_ATTR_FAMILY_ID).expect("a family has an id");
    let id = u16::from_ne_bytes(id.try_into().unwrap());
    exchange(id, command, attributes).map(drop)
}
