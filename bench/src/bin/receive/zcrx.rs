//! `zcrx-sys` over provided buffers.

use std::net::TcpStream;
use std::time::Duration;

use zcrx_sys::recv::{End, Event, Receiver, ReceiverBuilder, Source};

use crate::{BUFFER, BUFFERS};

pub fn receive(streams: Vec<TcpStream>) -> Result<u64, Box<dyn std::error::Error>> {
    serve(streams, Receiver::builder())
}

/// Looks for work for a while before it sleeps.
pub fn receive_with_spin(streams: Vec<TcpStream>) -> Result<u64, Box<dyn std::error::Error>> {
    serve(streams, Receiver::builder().spin(Duration::from_micros(20)))
}

fn serve(
    streams: Vec<TcpStream>,
    builder: ReceiverBuilder,
) -> Result<u64, Box<dyn std::error::Error>> {
    let mut receiver = builder
        .source(Source::Buffers)
        .chunk_len(BUFFER as u32)
        .area_len(BUFFER * usize::from(BUFFERS))
        .build()?;
    let mut open = streams.len();
    for stream in streams {
        receiver.add(stream)?;
    }
    let mut bytes = 0;
    while open > 0 {
        let _ = receiver.wait(None)?;
        while let Some(event) = receiver.next_event() {
            match event {
                Event::Data { chunk, .. } => {
                    bytes += receiver.bytes(&chunk).len() as u64;
                    receiver.recycle(chunk)?;
                }
                Event::Ended { end: End::Eof, .. } => open -= 1,
                Event::Ended { end, .. } => return Err(end.to_string().into()),
                _ => {}
            }
        }
    }
    Ok(bytes)
}
