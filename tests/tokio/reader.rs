//! A connection as a buffered reader.

use std::io::ErrorKind;

use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use zcrx_sys::recv::tokio::Reader;

use super::*;

/// Lines of 0 to 1499 bytes, many of which lie in two chunks, and one in several.
pub(crate) fn lines_are_read_across_chunks(source: Source) {
    with(source, small(), 4, |handle| async move {
        let line = |number: usize| match number {
            77 => "long ".repeat(PAGE),
            _ => "x".repeat(number * 7 % 1500),
        };
        let (mut out, incoming) = common::pair();
        let sender = std::thread::spawn(move || {
            let text: String = (0..1000).map(|number| line(number) + "\r\n").collect();
            for piece in text.as_bytes().chunks(7001) {
                out.write_all(piece).unwrap();
            }
        });
        let mut lines = Reader::new(handle.add(incoming).unwrap()).lines();
        for number in 0..1000 {
            let read = lines.next_line().await.unwrap();
            assert_eq!(read, Some(line(number)), "line {number}");
        }
        assert_eq!(lines.next_line().await.unwrap(), None);
        assert_eq!(lines.next_line().await.unwrap(), None);
        sender.join().unwrap();
    });
}

pub(crate) fn bytes_are_lent_where_they_are(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (connection, sender) = sent(&handle, 2, 100_000);
        let mut reader = Reader::new(connection);
        let lent = reader.fill_buf().await.unwrap().as_ptr_range();
        reader.consume(10);
        let rest = reader.fill_buf().await.unwrap().as_ptr_range();
        assert_eq!(
            (rest.start, rest.end),
            (lent.start.wrapping_add(10), lent.end)
        );
        let (connection, begun) = reader.into_parts();
        let (chunk, consumed) = begun.unwrap();
        assert_eq!((chunk.as_ptr_range(), consumed), (lent, 10));
        assert!(common::is_piece(2, 0, &chunk));

        // What it holds goes back when it is consumed: there are 16 chunks, and this takes more.
        let (mut reader, mut position) = (Reader::new(connection), chunk.len() as u64);
        drop(chunk);
        loop {
            let len = {
                let bytes = reader.fill_buf().await.unwrap();
                assert!(common::is_piece(2, position, bytes), "at {position}");
                bytes.len()
            };
            if len == 0 {
                break;
            }
            position += len as u64;
            reader.consume(len);
        }
        assert_eq!(position, 100_000);
        assert!(reader.into_parts().1.is_none());
        sender.join().unwrap();
    });
}

/// Into buffers of any length, also of none.
pub(crate) fn bytes_are_read_into_buffers(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (connection, sender) = sent(&handle, 3, 100_000);
        let (mut reader, mut position) = (Reader::new(connection), 0);
        for len in [0, 1, 4095, 4096, 4097, 50_000, 0] {
            let mut bytes = vec![0; len];
            reader.read_exact(&mut bytes).await.unwrap();
            assert!(common::is_piece(3, position, &bytes), "at {position}");
            position += len as u64;
        }
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert!(common::is_piece(3, position, &rest));
        assert_eq!(position + rest.len() as u64, 100_000);
        sender.join().unwrap();
    });
}

pub(crate) fn readers_are_told_how_it_ended(source: Source) {
    with(source, small(), 4, |handle| async move {
        let (out, incoming) = common::pair();
        let mut reader = Reader::new(handle.add(incoming).unwrap());
        common::reset(out);
        let error = reader.fill_buf().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        assert_eq!(reader.fill_buf().await.unwrap(), b"");
        reader.consume(1); // of nothing
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
    });
}
