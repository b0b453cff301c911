//! Receives uploads over HTTP/1.1 and hands their bodies on without a copy. See `upload --help`.
#![allow(unreachable_pub, missing_docs, reason = "a program, not a library")]

mod body;
mod incoming;
mod request;
mod serve;

use std::cell::RefCell;
use std::error::Error;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::{spawn_local, LocalSet};
use tokio::time::sleep;
use zcrx_sys::recv::tokio::{Driver, Handle};
use zcrx_sys::recv::{Receiver, Source};
use zcrx_sys::zcrx::interface_index;

use serve::Total;

/// Receives uploads over HTTP/1.1, and answers each with its size and SHA-256.
///
/// Any path takes them, by POST or PUT, with a Content-Length or chunked:
///
///     curl --data-binary @FILE http://127.0.0.1:8080/
///
/// It runs until Ctrl-C. Exit status: 0 then, 2 if it could not be set up.
#[derive(Parser, Debug)]
#[command(version, verbatim_doc_comment)]
struct Options {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The interface and queue to receive from, if zero-copy receive can be had there
    #[arg(long, value_name = "IF:QUEUE", value_parser = queue)]
    nic: Option<Source>,

    /// Bytes in one buffer (default: what the source has)
    #[arg(long, value_name = "BYTES")]
    chunk: Option<u32>,
}

fn queue(text: &str) -> Result<Source, String> {
    let parsed = text.rsplit_once(':');
    let (name, queue) = parsed.ok_or("IF:QUEUE, eth0:1 for instance")?;
    Ok(Source::Queue {
        interface: interface_index(name).map_err(|error| error.to_string())?,
        queue: queue.parse().map_err(|_| "the queue is a number")?,
    })
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(total) => {
            println!("{} uploads, {} bytes", total.uploads, total.bytes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("upload: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Total, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Connections end when this is dropped.
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let interrupted = interrupted()?;
        let listener = TcpListener::bind(options.listen).await;
        let listener =
            listener.map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
        let mut receiver = Receiver::builder().auto(options.nic);
        if let Some(bytes) = options.chunk {
            // As many as there would be of the usual ones, or less.
            let area = (bytes as usize).saturating_mul(4096).min(64 << 20);
            receiver = receiver.chunk_len(bytes).area_len(area);
        }
        let receiver = receiver.build()?;
        eprintln!("receiving from {}", receiver.source());
        let driver = Driver::new(receiver)?;
        let total = Rc::new(RefCell::new(Total::default()));
        spawn_local(accept(driver.handle(), listener, Rc::clone(&total)));
        let driver = spawn_local(driver.run());
        let stop = driver.abort_handle();
        spawn_local(async move {
            interrupted.await;
            stop.abort();
        });
        match driver.await {
            Err(stopped) if stopped.is_cancelled() => {}
            ended => ended??,
        }
        let total = *total.borrow();
        Ok(total)
    })
}

/// Each connection that comes gets a task.
async fn accept(handle: Handle, listener: TcpListener, total: Rc<RefCell<Total>>) {
    match listener.local_addr() {
        Ok(address) => eprintln!("listening on {address}"),
        Err(error) => eprintln!("listening: {error}"),
    }
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                spawn_local(serve::serve(
                    handle.clone(),
                    socket,
                    peer,
                    Rc::clone(&total),
                ));
            }
            Err(error) => {
                // No descriptor is left, for instance: until a connection is done.
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Ready at the first Ctrl-C. The second ends the program at once.
fn interrupted() -> Result<impl Future<Output = ()>, Box<dyn Error>> {
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    theirs.set_nonblocking(true)?;
    let theirs = UnixStream::from_std(theirs)?;
    let mut before = false;
    ctrlc::set_handler(move || {
        if std::mem::replace(&mut before, true) || ours.write_all(b"x").is_err() {
            std::process::exit(130);
        }
    })?;
    Ok(async move { theirs.readable().await.unwrap_or(()) })
}
