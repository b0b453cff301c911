//! Whether a socket's packets come to the claimed queue.

use std::io;
use std::net::{TcpListener, TcpStream};

use zcrx_sys::nic::{self, ArrivalError, Flow};
use zcrx_sys::Errno;

use crate::common::nic::{at_peer, V4};
use crate::common::{self, streams::PORT};
use crate::default::{Default, SNIC};

/// A connection from the other end of the cable to port `port` here: the socket there, and the one here.
fn connect(port: u16) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((V4, port)).unwrap();
    let there = at_peer(move || TcpStream::connect((V4, port)).unwrap());
    let (here, _) = listener.accept().unwrap();
    (there.join().unwrap(), here)
}

#[test]
fn setup_tells_where_a_socket_arrives() {
    let Some(default) = Default::with_channels(4) else {
        return;
    };
    let mut claim = nic::claim(SNIC, &Flow::both(PORT)).unwrap();
    let (there, here) = connect(PORT);
    claim.check_arrival(&here).unwrap();
    let elsewhere = claim.check_arrival(&there).unwrap_err();
    assert!(
        matches!(
            elsewhere,
            ArrivalError::OtherInterface {
                claimed: 3,
                napi_id: 1..
            }
        ),
        "{elsewhere}"
    );
    // RSS picks a queue for a flow that has no rule, and never the claimed one.
    let (_there, stray) = connect(PORT + 1);
    let error = claim.check_arrival(&stray).unwrap_err();
    assert!(
        matches!(
            error,
            ArrivalError::OtherQueue {
                claimed: 3,
                queue: 0..=2
            }
        ),
        "{error}"
    );
    let (_client, loopback) = common::pair();
    assert_eq!(claim.check_arrival(&loopback), Err(ArrivalError::None));
    let no_socket = claim.check_arrival(io::stdout()).unwrap_err();
    let errno = Errno::from_raw(libc::ENOTSOCK);
    assert_eq!(no_socket, ArrivalError::Untold(errno));
    drop(claim);
    default.assert_as_before();
}
