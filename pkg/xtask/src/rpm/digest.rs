//! Sums, by the programs that every machine has for them.

use std::io::Write;
use std::process::{Command, Stdio};

use lab::{Error, Result};

/// Sums bytes up with `md5sum`, `sha1sum` or `sha256sum`, as hexadecimal digits.
pub(super) fn sum(program: &str, bytes: &[u8]) -> Result<String> {
    let doing = format!("running {program}");
    let mut command = Command::new(program);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(Error::io(&doing))?;
    // It reads all bytes before it writes.
    let fed = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(bytes));
    let output = child.wait_with_output().map_err(Error::io(&doing))?;
    fed.map_err(Error::io(&doing))?;
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
        for (program, digits) in
            [("md5sum", "90015098"), ("sha1sum", "a9993e36"), ("sha256sum", "ba7816bf8f01cfea")]
        {
            assert!(sum(program, b"abc").expect(program).starts_with(digits), "{program}");
        }
    }
}
