//! tokio: a task for each connection, all on one thread.

use std::net::TcpStream;

use tokio::io::AsyncReadExt;

use crate::BUFFER;

pub fn receive(streams: Vec<TcpStream>) -> Result<u64, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let bytes = runtime.block_on(async {
        let mut tasks = Vec::new();
        for stream in streams {
            stream.set_nonblocking(true)?;
            let stream = tokio::net::TcpStream::from_std(stream)?;
            tasks.push(tokio::spawn(read(stream)));
        }
        let mut bytes = 0;
        for task in tasks {
            bytes += task.await.expect("reading does not panic")?;
        }
        Ok::<_, std::io::Error>(bytes)
    })?;
    Ok(bytes)
}

async fn read(mut stream: tokio::net::TcpStream) -> std::io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(bytes),
            len => bytes += len as u64,
        }
    }
}
