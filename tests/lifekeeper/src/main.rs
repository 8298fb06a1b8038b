//! The program that is called under the names of LifeKeeper's commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    lifekeeper_standin::run()
}
