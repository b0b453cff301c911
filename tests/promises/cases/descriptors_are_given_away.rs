//! Who gives a socket to a receiver, or a descriptor to be closed, has it no more: a number that is closed twice is
//! somebody else's the second time.

use std::net::{TcpListener, TcpStream};

use zcrx_sys::recv::Receiver;
use zcrx_sys::ring::Sqe;
use zcrx_sys::Fd;

pub fn to_a_receiver(receiver: &mut Receiver, socket: TcpStream, listener: TcpListener) {
    let _ = receiver.add(socket);
    let _ = receiver.add(socket); //~ E0382
    let _ = receiver.listen(listener);
    println!("{listener:?}"); //~ E0382
}

pub fn to_be_closed(fd: Fd) {
    let _ = Sqe::close(fd);
    let _ = Sqe::close(fd); //~ E0382
}
