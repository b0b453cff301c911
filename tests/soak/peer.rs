//! The thread at the other end: it connects, sends, and ends its connections as they are planned.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvError, TryRecvError};
use std::sync::Arc;

use super::board::{Board, Sent};
use super::common;
use super::plan::{Close, StreamPlan};

/// A stream to send.
pub struct Order {
    pub board: Arc<Board>,
    pub index: usize,
    pub to: SocketAddr,
}

struct Connection {
    board: Arc<Board>,
    index: usize,
    seed: u64,
    plan: StreamPlan,
    position: u64,
    socket: TcpStream,
    /// What has come of the answer, once all is sent that is to be answered.
    answer: Option<Vec<u8>>,
}

/// Carries orders out, until nobody can give any.
pub fn run(orders: &Receiver<Order>) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let order = if connections.is_empty() {
            orders
                .recv()
                .map_err(|RecvError| TryRecvError::Disconnected)
        } else {
            orders.try_recv()
        };
        match order {
            Ok(order) => connections.extend(connect(order)),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                wait_for_some(&connections);
                let done = |connection: Connection| connection.go_on();
                connections = connections.into_iter().filter_map(done).collect();
            }
        }
    }
}

/// `None` if nobody listens any more.
fn connect(Order { board, index, to }: Order) -> Option<Connection> {
    let plan = board.plan.streams[index];
    let socket = match TcpStream::connect(to) {
        Ok(socket) => socket,
        Err(error) => {
            *board.streams[index].outcome.lock().unwrap() = Some(Sent::Broken(error.to_string()));
            return None;
        }
    };
    board.introduce(socket.local_addr().unwrap().port(), index);
    board.moves.fetch_add(1, Ordering::Relaxed);
    socket.set_nodelay(plan.no_delay).unwrap();
    socket.set_nonblocking(true).unwrap();
    Some(Connection {
        seed: board.plan.stream_seed(index),
        board,
        index,
        plan,
        position: 0,
        socket,
        answer: None,
    })
}

/// Waits until one of them may go on, or for a moment: there may be new orders.
fn wait_for_some(connections: &[Connection]) {
    let wanted = |connection: &Connection| libc::pollfd {
        fd: connection.socket.as_raw_fd(),
        events: match connection.answer {
            Some(_) => libc::POLLIN,
            None if connection.position < connection.plan.len => libc::POLLOUT,
            None => 0, // it waits to be accepted
        },
        revents: 0,
    };
    let mut polled: Vec<_> = connections.iter().map(wanted).collect();
    // SAFETY: the array is live and as long as its length says.
    unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, 2) };
}

impl Connection {
    /// Does one thing; `None` if that was the last.
    fn go_on(mut self) -> Option<Self> {
        match self.attempt() {
            Ok(None) => self.board.moves.fetch_add(1, Ordering::Relaxed),
            Ok(Some(outcome)) => return self.end(outcome),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.board.is_over.load(Ordering::Relaxed) {
                    return self.end(Sent::Broken("no answer".into()));
                }
                0
            }
            Err(error) => return self.end(Sent::Broken(error.to_string())),
        };
        Some(self)
    }

    fn attempt(&mut self) -> std::io::Result<Option<Sent>> {
        let progress = &self.board.streams[self.index];
        if let Some(answer) = &mut self.answer {
            let mut bytes = [0; 16];
            let len = self.socket.read(&mut bytes)?;
            answer.extend_from_slice(&bytes[..len]);
            let whole = |answer: &mut Vec<u8>| match answer[..].try_into() {
                Ok(count) => Sent::Answered(u64::from_le_bytes(count)),
                Err(_) => Sent::Broken(format!("an answer of {} bytes", answer.len())),
            };
            return Ok((len == 0).then(|| whole(answer)));
        }
        if self.position < self.plan.len {
            let len = self.plan.piece.min(self.plan.len - self.position) as usize;
            let written = self
                .socket
                .write(common::piece(self.seed, self.position, len))?;
            self.position += written as u64;
            progress.sent.store(self.position, Ordering::Relaxed);
            return Ok(None);
        }
        match self.plan.close {
            Close::Whole => Ok(Some(Sent::Whole)),
            Close::Half => {
                self.socket.shutdown(Shutdown::Write)?;
                self.answer = Some(Vec::new());
                Ok(None)
            }
            // Nobody could tell from which port a connection came that was reset. It may be closed first.
            Close::Reset if !progress.accepted.load(Ordering::Acquire) => {
                let len = self.socket.read(&mut [0])?;
                Ok(Some(Sent::Broken(format!(
                    "{len} bytes before it was accepted"
                ))))
            }
            Close::Reset => Ok(Some(Sent::Reset)),
        }
    }

    fn end(self, outcome: Sent) -> Option<Self> {
        if outcome == Sent::Reset {
            common::reset(self.socket);
        } else {
            drop(self.socket);
        }
        // After it was closed: who sees that it has ended may count descriptors.
        *self.board.streams[self.index].outcome.lock().unwrap() = Some(outcome);
        self.board.moves.fetch_add(1, Ordering::Relaxed);
        None
    }
}
