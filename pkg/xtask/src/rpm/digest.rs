//! Sums, by the programs that every machine has for them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lab::{Error, Result};

use super::read;

/// Sums bytes up with MD5, which rpm 4.11 asks for and nobody trusts.
///
/// # Errors
///
/// When `md5sum` is not there or does not answer.
pub(super) fn md5(bytes: &[u8]) -> Result<[u8; 16]> {
    let sum = summed("md5sum", bytes)?;
    let byte = |at: usize| u8::from_str_radix(sum.get(2 * at..2 * at + 2)?, 16).ok();
    let mut digits = [0; 16];
    for (at, digit) in digits.iter_mut().enumerate() {
        *digit = byte(at).ok_or_else(|| Error::failed("running md5sum", sum.clone()))?;
    }
    Ok(digits)
}

/// Sums bytes up with SHA-1, which rpm 4.11 reads, as hexadecimal digits.
///
/// # Errors
///
/// When `sha1sum` is not there or does not answer.
pub(super) fn sha1(bytes: &[u8]) -> Result<String> {
    summed("sha1sum", bytes)
}

/// Sums bytes up with SHA-256, as hexadecimal digits.
///
/// # Errors
///
/// When `sha256sum` is not there or does not answer.
pub(super) fn sha256(bytes: &[u8]) -> Result<String> {
    summed("sha256sum", bytes)
}

/// Sums a file up with SHA-256, as hexadecimal digits.
///
/// # Errors
///
/// When the file cannot be read, or `sha256sum` is not there or does not answer.
pub(super) fn sha256_of(path: &Path) -> Result<String> {
    sha256(&read(path)?)
}

/// Feeds bytes to a summing program, which reads all of them before it writes.
fn summed(program: &str, bytes: &[u8]) -> Result<String> {
    let doing = format!("running {program}");
    let mut command = Command::new(program);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(Error::io(doing.clone()))?;
    let fed = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(bytes));
    let output = child.wait_with_output().map_err(Error::io(doing.clone()))?;
    fed.map_err(Error::io(doing.clone()))?;
    if !output.status.success() {
        return Err(Error::failed(doing, output.status.to_string()));
    }
    let words = String::from_utf8_lossy(&output.stdout);
    Ok(words.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_the_bytes() {
        let sum = md5(b"abc").expect("md5sum");
        assert_eq!(sum[..4], [0x90, 0x01, 0x50, 0x98]);
        assert!(summed("sha256sum", b"abc").expect("sha256sum").starts_with("ba7816bf8f01cfea"));
    }
}
