//! Times as people write and read them.

use std::time::Duration;

use jiff::{Timestamp, Zoned};

/// Reads `30s`, `10m`, `2h`, `1d`.
///
/// # Errors
/// What to write instead, when it is none of that form.
pub fn parse_span(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "write a number and s, m, h or d, for example 10m";
    let unit = text.chars().last().ok_or(WRONG)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(WRONG),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| WRONG)?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or(WRONG)
}

/// A span of time in its two largest units: `850 ms`, `12 s`, `3 m 5 s`, `2 h 4 m`, `3 d 2 h`.
pub(super) fn span(milliseconds: i64) -> String {
    let milliseconds = milliseconds.max(0);
    let seconds = milliseconds / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{milliseconds} ms"),
        (0, 0, 0, _) => format!("{seconds} s"),
        (0, 0, _, _) => format!("{minutes} m {} s", seconds % 60),
        (0, _, _, _) => format!("{hours} h {minutes} m"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A moment in UTC, to the second: `2026-11-21 03:04:05`.
pub(super) fn utc(epoch_ms: i64) -> String {
    match Timestamp::from_millisecond(epoch_ms) {
        Ok(moment) => moment.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        // No calendar holds it.
        Err(_) => format!("{epoch_ms} ms after 1970"),
    }
}

/// Reads a moment with its time zone, in milliseconds since 1970: `2026-11-21T18:00[Europe/Berlin]`, `2026-11-21T17:00Z`.
pub(super) fn parse_moment(text: &str) -> Result<i64, &'static str> {
    let moment = match text.ends_with(']') {
        true => text.parse::<Zoned>().map(|zoned| zoned.timestamp()),
        false => text.parse::<Timestamp>(),
    };
    moment.map(Timestamp::as_millisecond).map_err(
        |_| "write a date, a time and its zone, for example 2026-11-21T18:00[Europe/Berlin] or 2026-11-21T17:00Z",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("0s", 0)] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "10",
            "m",
            "-1m",
            "1.5h",
            "10 m",
            "10ü",
            "99999999999999999999d",
            "999999999999999999d",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        for (milliseconds, text) in [
            (-5, "0 ms"),
            (850, "850 ms"),
            (12_999, "12 s"),
            (185_000, "3 m 5 s"),
            (7_440_000, "2 h 4 m"),
            (266_400_000, "3 d 2 h"),
        ] {
            assert_eq!(span(milliseconds), text);
        }
    }

    #[test]
    fn moments_are_written_in_utc() {
        for (epoch_ms, text) in [
            (0, "1970-01-01 00:00:00"),
            (-1, "1969-12-31 23:59:59"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (951_868_800_000, "2000-03-01 00:00:00"),
            (1_709_251_199_999, "2024-02-29 23:59:59"),
            (1_795_226_151_500, "2026-11-21 01:55:51"),
            (4_107_542_400_000, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(epoch_ms), text, "{epoch_ms}");
        }
    }

    #[test]
    fn a_moment_needs_its_zone() {
        for (text, epoch_ms) in [
            ("1970-01-01T00:00Z", 0),
            ("2026-11-21T01:55:51.5Z", 1_795_226_151_500),
            ("2026-11-21 02:55:51+01:00", 1_795_226_151_000),
            ("2026-11-21T02:55:51[Europe/Berlin]", 1_795_226_151_000),
        ] {
            assert_eq!(parse_moment(text), Ok(epoch_ms), "{text}");
        }
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T18:00",
            "18:00Z",
            "2026-11-21T18:00[Europe/Brelin]",
        ] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }
}
