//! The program `dovecot-ark`; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    dovecot_ark::run()
}
