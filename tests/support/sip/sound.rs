//! What a carrier's media sounds like: G.711 mu-law at 8 kHz, in packets of 20 ms that begin again when they are over.
//!
//! Speech is made, not recorded: a voice's harmonics at 120 Hz through the three resonances of a vowel, louder and softer with
//! each syllable. It is always the same.

use std::f64::consts::{PI, TAU};
use std::sync::LazyLock;

/// Samples of one packet.
pub(super) const SAMPLES_PER_PACKET: usize = 160;
const SAMPLES_PER_MILLISECOND: usize = 8;
/// The two samples of the tone: loud in both G.711 laws, the top bit being the sign. Silence has neither of them.
const TONE_HIGH: u8 = 0x9f;
pub(super) const TONE_LOW: u8 = 0x1f;
const SILENCE: u8 = 0xff;

/// What is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// A steady tone.
    Tone,
    /// Somebody says hello, and waits for an answer before saying it again.
    Hello,
    /// Somebody talks and talks: an answering machine.
    Announcement,
}

static TONE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    // A 400 Hz square wave: 10 samples up, 10 samples down.
    let samples = (0..SAMPLES_PER_PACKET).map(|sample| if (sample / 10) % 2 == 0 { TONE_HIGH } else { TONE_LOW });
    samples.collect()
});
// Whoever begins to listen anywhere in it hears silence for less than 2 s before a word, and for more than 1 s after it.
static HELLO: LazyLock<Vec<u8>> =
    LazyLock::new(|| [voice(600), vec![SILENCE; 1_400 * SAMPLES_PER_MILLISECOND]].concat());
static ANNOUNCEMENT: LazyLock<Vec<u8>> = LazyLock::new(|| voice(4_000));

impl Sound {
    /// The payload of a packet by its number.
    pub(super) fn packet(self, number: usize) -> &'static [u8] {
        let samples: &'static [u8] = match self {
            Self::Tone => &TONE,
            Self::Hello => &HELLO,
            Self::Announcement => &ANNOUNCEMENT,
        };
        let begin = number * SAMPLES_PER_PACKET % samples.len();
        &samples[begin..begin + SAMPLES_PER_PACKET]
    }
}

/// Syllables without a pause between them.
fn voice(milliseconds: usize) -> Vec<u8> {
    const PITCH_HZ: f64 = 120.0;
    const SYLLABLE_SECONDS: f64 = 0.2;
    const LOUDEST: f64 = 8_000.0;
    let harmonics: Vec<(f64, f64)> = (1..30_u32)
        .map(|number| f64::from(number) * PITCH_HZ)
        .map(|frequency| (frequency, resonance(frequency)))
        .collect();
    let all: f64 = harmonics.iter().map(|(_, loudness)| loudness).sum();
    let samples = u32::try_from(milliseconds * SAMPLES_PER_MILLISECOND).unwrap_or(u32::MAX);
    (0..samples)
        .map(|sample| f64::from(sample) / 8_000.0)
        .map(|time| {
            let syllable = 0.4 + 0.6 * (PI * time / SYLLABLE_SECONDS).sin().abs();
            let tones = harmonics
                .iter()
                .map(|(hertz, loudness)| loudness * (TAU * hertz * time).sin());
            mu_law(LOUDEST * syllable * tones.sum::<f64>() / all)
        })
        .collect()
}

/// How loud an open vowel is at a frequency.
fn resonance(hertz: f64) -> f64 {
    const FORMANTS: [(f64, f64, f64); 3] = [(700.0, 130.0, 1.0), (1_200.0, 150.0, 0.5), (2_600.0, 200.0, 0.2)];
    let near = |(centre, width, loudness): (f64, f64, f64)| loudness * (-((hertz - centre) / width).powi(2)).exp();
    0.05 + FORMANTS.into_iter().map(near).sum::<f64>()
}

/// A sample of 16 bits as ITU-T G.711 has it in mu-law: sign, segment and step, all bits turned.
fn mu_law(sample: f64) -> u8 {
    const BIAS: u32 = 0x84;
    const CLIP: f64 = 32_635.0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clipped")]
    let magnitude = sample.abs().min(CLIP) as u32 + BIAS;
    let segment = magnitude.ilog2() - 7;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    let sign = if sample < 0.0 { 0x80 } else { 0 };
    let bits = sign | (segment << 4) | step;
    !u8::try_from(bits).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_is_that_of_g711() {
        for (sample, law) in [
            (0.0, 0xff),
            (-0.1, 0x7f),
            (3.9, 0xff),
            (4.0, 0xfe),
            (1_000.0, 0xce),
            (-1_000.0, 0x4e),
            (40_000.0, 0x80),
            (-40_000.0, 0x00),
        ] {
            assert_eq!(mu_law(sample), law, "{sample}");
        }
    }

    #[test]
    fn sounds_are_whole_packets_and_begin_again() {
        for (sound, packets) in [(Sound::Tone, 1), (Sound::Hello, 100), (Sound::Announcement, 200)] {
            assert_eq!(sound.packet(packets), sound.packet(0), "{sound:?}");
            assert_eq!(sound.packet(packets - 1).len(), SAMPLES_PER_PACKET, "{sound:?}");
        }
        assert!(Sound::Hello.packet(99).iter().all(|sample| *sample == SILENCE));
        assert!(Sound::Announcement.packet(199).iter().any(|sample| *sample != SILENCE));
    }
}
