//! Waits for what is sure to come, and says what did not.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Waits until something is so, and looks at it again after each pause.
///
/// # Errors
///
/// [`Error::Late`] when it is not so after `limit`, with what was done; and that of a look.
pub fn until(
    doing: &str,
    limit: Duration,
    pause: Duration,
    mut is_so: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > limit {
            return Err(Error::Late { doing: doing.to_owned(), limit });
        }
        thread::sleep(pause);
    }
    Ok(())
}
