//! One connection: requests and their answers.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use zcrx_sys::recv::tokio::Handle;

use crate::body::Body;
use crate::incoming::{Failure, Incoming};
use crate::request::Refusal;

/// How long a client that was refused may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(2);

/// What was received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    pub uploads: u64,
    pub bytes: u64,
}

/// Who bodies are for. Pieces could be kept, or sent to any thread: what they lie in is returned when they are dropped.
struct Consumer {
    bytes: u64,
    hash: Sha256,
}

impl Consumer {
    fn take(&mut self, piece: Bytes) {
        self.bytes += piece.len() as u64;
        self.hash.update(&piece);
    }
}

/// Serves the connection until one side is done with it.
pub async fn serve(handle: Handle, socket: TcpStream, peer: SocketAddr, total: Rc<RefCell<Total>>) {
    let halves = split(&handle, socket);
    let (mut incoming, answers) = match halves {
        Ok(halves) => halves,
        Err(error) => return eprintln!("{peer}: {error}"),
    };
    match requests(&mut incoming, &answers, &total).await {
        Ok(()) => {}
        Err(Failure::Gone(why)) => eprintln!("{peer}: {why}"),
        Err(Failure::Refused(refusal)) => {
            eprintln!("{peer}: refused: {}", refusal.why);
            if refuse(&answers, refusal).await.is_ok() {
                incoming.discard(LINGER).await;
            }
        }
    }
}

/// Receives from the socket, and keeps it for answers.
fn split(
    handle: &Handle,
    socket: TcpStream,
) -> Result<(Incoming, TcpStream), Box<dyn std::error::Error>> {
    socket.set_nodelay(true)?;
    let socket = socket.into_std()?;
    let answers = TcpStream::from_std(socket.try_clone()?)?;
    Ok((Incoming::new(handle.add(socket)?), answers))
}

async fn requests(
    incoming: &mut Incoming,
    answers: &TcpStream,
    total: &RefCell<Total>,
) -> Result<(), Failure> {
    while let Some(request) = incoming.head().await? {
        if request.expects_continue && incoming.is_empty() {
            say(answers, "HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut consumer = Consumer {
            bytes: 0,
            hash: Sha256::new(),
        };
        let mut body = Body::new(request.framing);
        while let Some(piece) = body.next(incoming).await? {
            consumer.take(piece);
        }
        let Consumer { bytes, hash } = consumer;
        let text = format!("{bytes} {:x}\n", hash.finalize());
        say(answers, &answer("200 OK", &text, request.keep_alive)).await?;
        let mut total = total.borrow_mut();
        total.uploads += 1;
        total.bytes += bytes;
        if !request.keep_alive {
            break;
        }
    }
    Ok(())
}

/// Tells the client why, and that nothing follows. What it sends meanwhile is to be read: closing a socket with unread
/// bytes resets the connection, and the answer might never be seen.
async fn refuse(answers: &TcpStream, Refusal { status, why }: Refusal) -> Result<(), Failure> {
    say(answers, &answer(status, &format!("{why}\n"), false)).await?;
    use std::os::fd::AsFd;
    let end = answers.as_fd().try_clone_to_owned();
    let end = end.and_then(|end| std::net::TcpStream::from(end).shutdown(Shutdown::Write));
    end.map_err(|error| Failure::Gone(error.to_string()))
}

fn answer(status: &str, text: &str, keep_alive: bool) -> String {
    let allow = match status {
        "405 Method Not Allowed" => "Allow: POST, PUT\r\n",
        _ => "",
    };
    let connection = if keep_alive { "keep-alive" } else { "close" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{allow}Connection: {connection}\r\n\r\n{text}",
        text.len()
    )
}

async fn say(answers: &TcpStream, text: &str) -> Result<(), Failure> {
    let said = write_all(answers, text.as_bytes()).await;
    said.map_err(|error| Failure::Gone(error.to_string()))
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
