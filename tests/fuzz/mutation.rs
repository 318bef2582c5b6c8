//! New inputs from old ones.

/// The longest input of all.
pub const LONGEST_INPUT_BYTES: usize = 65_536;

/// A splitmix64 generator: the same seed draws the same.
pub struct Draws(u64);

impl Draws {
    /// Of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c908)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next())
            .unwrap_or(usize::MAX)
            .checked_rem(end)
            .unwrap_or(0)
    }
}

/// A mutation of `input`, with words of the target's own and parts of `other`, at most `longest` bytes.
pub fn mutate(input: &[u8], other: &[u8], words: &[&str], longest: usize, draws: &mut Draws) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=draws.below(6) {
        let at = draws.below(bytes.len() + 1);
        let end = at + draws.below((bytes.len() - at).min(64) + 1);
        match draws.below(12) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << draws.below(8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(draws.below(256)).unwrap_or(0);
                }
            }
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            5 => {
                let from = draws.below(other.len() + 1);
                let to = from + draws.below(other.len() - from + 1);
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            6 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[draws.below(other.len() + 1)..]);
            }
            7 => {
                let number = [0, 1, 255, 65_536, i64::MAX as u64, u64::MAX][draws.below(6)].to_string();
                bytes.splice(at..end, number.bytes());
            }
            8 if draws.below(40) == 0 => {
                // Long: nesting and repetition are where time is lost.
                let piece = bytes[at..end].to_vec();
                let times = 1 + draws.below(longest / piece.len().max(16));
                bytes.splice(at..at, piece.repeat(times));
            }
            _ => {
                let word = words[draws.below(words.len())];
                let replaced = if draws.below(2) == 0 { at..at } else { at..end };
                bytes.splice(replaced, word.bytes());
            }
        }
        bytes.truncate(longest);
    }
    bytes
}
