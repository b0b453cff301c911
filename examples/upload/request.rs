//! The head of a request: what it says about the body that follows.

use httparse::{Error, Status};

/// The longest head.
pub const HEAD_LIMIT: usize = 16 << 10;
/// The most headers in one.
const HEADERS: usize = 64;

/// Why a request is not served, and with what status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: &'static str,
    pub why: &'static str,
}

const fn refusal(status: &'static str, why: &'static str) -> Refusal {
    Refusal { status, why }
}
pub const fn bad(why: &'static str) -> Refusal {
    refusal("400 Bad Request", why)
}
pub const TOO_LONG: Refusal = refusal(
    "431 Request Header Fields Too Large",
    "the head is longer than 16 KiB",
);
const TOO_MANY: Refusal = refusal(
    "431 Request Header Fields Too Large",
    "there are more than 64 headers",
);
pub const TOO_SLOW: Refusal = refusal("408 Request Timeout", "nothing came for a minute");

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub framing: Framing,
    pub keep_alive: bool,
    /// Whether the client waits for a word before it sends the body.
    pub expects_continue: bool,
}

/// A request, and the length of its head; `None` if `bytes` do not hold all of it.
pub fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(Status::Complete(len)) if len <= HEAD_LIMIT => len,
        Ok(Status::Partial) if bytes.len() < HEAD_LIMIT => return Ok(None),
        Ok(_) => return Err(TOO_LONG),
        Err(Error::TooManyHeaders) => return Err(TOO_MANY),
        Err(Error::Version) => {
            return Err(refusal(
                "505 HTTP Version Not Supported",
                "it is not HTTP/1.1",
            ))
        }
        Err(_) => return Err(bad("this is not a request of HTTP/1.1")),
    };
    Ok(Some((understand(&request)?, len)))
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<Request, Refusal> {
    let is_1_1 = request.version == Some(1);
    let (mut length, mut chunked, mut host) = (None, false, 0);
    let (mut keep_alive, mut expects_continue) = (is_1_1, false);
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let value = header.value.trim_ascii();
        if is("content-length") {
            let this = number(value).ok_or(bad("Content-Length is not a number"))?;
            if length.replace(this).is_some_and(|before| before != this) {
                return Err(bad("there are two lengths"));
            }
        } else if is("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") || chunked || !is_1_1 {
                return Err(refusal("501 Not Implemented", "only chunked is understood"));
            }
            chunked = true;
        } else if is("connection") {
            for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                match token.to_ascii_lowercase().as_slice() {
                    b"close" => keep_alive = false,
                    b"keep-alive" => keep_alive = true,
                    _ => {}
                }
            }
        } else if is("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(refusal("417 Expectation Failed", "only 100-continue is"));
            }
            expects_continue = is_1_1;
        } else if is("host") {
            host += 1;
        }
    }
    if host > 1 || (is_1_1 && host == 0) {
        return Err(bad("there is not one Host"));
    }
    if !matches!(request.method, Some("POST" | "PUT")) {
        return Err(refusal("405 Method Not Allowed", "POST or PUT something"));
    }
    let framing = match (length, chunked) {
        // A proxy in front may take the other.
        (Some(_), true) => return Err(bad("there are a length and chunks")),
        (Some(length), false) => Framing::Length(length),
        (None, true) => Framing::Chunked,
        (None, false) => return Err(refusal("411 Length Required", "how long is it?")),
    };
    Ok(Request {
        framing,
        keep_alive,
        expects_continue,
    })
}

/// Digits and nothing else.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
