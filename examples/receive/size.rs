//! Sizes on a command line.

/// A number of bytes with an optional K, M or G (powers of 1024).
pub fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a number, with K, M or G behind it if need be")?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large".into())
}
