//! Numbers that look like chance and are the same in each run.

/// A row of numbers, made from its first state, which must not be 0.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Begins the row that has this number.
    pub(crate) fn row(number: u32) -> Self {
        Self(u64::from(number) + 1)
    }

    /// Returns the next number below a limit above 0; rows of close numbers have little in common.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}
