//! Dovecot under LifeKeeper.
fn main() {}
