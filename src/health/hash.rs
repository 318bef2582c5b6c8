//! Hashes that are the same in every process and on every machine: the same call makes the same choice everywhere.

/// A call's draw: the same call draws the same in every process.
pub fn draw_of(call_id: &str) -> u64 {
    stable_hash(call_id)
}

/// FNV-1a, finished with [`mix`] so that short texts differ in all bits.
pub(super) fn stable_hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

/// The finishing step of splitmix64: every bit of the input changes half the bits of the output.
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number from 0 (included) to 1 (excluded) for a call's draw, one carrier and one purpose.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
pub(super) fn fraction(draw: u64, carrier: &str, purpose: u64) -> f64 {
    (mix(draw ^ stable_hash(carrier) ^ purpose) >> 11) as f64 / (1_u64 << 53) as f64
}
