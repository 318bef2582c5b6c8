//! Asterisk's timestamps.

use std::fmt;

use serde::Deserialize;

/// A time as Asterisk writes it: `2026-11-21T00:09:24.868+0000`. The offset has no colon, so it is not RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(Box<str>);

impl Timestamp {
    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Milliseconds since 1970-01-01 UTC; `None` when the text is not a timestamp. Finer digits are cut off.
    pub fn epoch_milliseconds(&self) -> Option<i64> {
        let (date, time) = self.0.split_once('T')?;
        let (year, month, day) = three(date, '-')?;
        let offset_at = time.find(['+', '-', 'Z'])?;
        let (clock, offset) = time.split_at(offset_at);
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let (hour, minute, second) = three(whole, ':')?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some((seconds - offset_seconds(offset)?) * 1_000 + milliseconds(fraction)?)
    }
}

impl From<&str> for Timestamp {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number of one to four decimal digits: no sign, no blank.
fn number(digits: &str) -> Option<i64> {
    let sound = (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if sound { digits.parse().ok() } else { None }
}

fn three(text: &str, separator: char) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(separator).map(number);
    let found = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(found)
}

fn milliseconds(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(
        fraction
            .bytes()
            .chain(*b"000")
            .take(3)
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')),
    )
}

/// `+0100`, `+01:00`, `-0330`, `Z`, in seconds east of UTC.
fn offset_seconds(offset: &str) -> Option<i64> {
    let (sign, digits) = match offset.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(pair) => pair,
        None => digits.split_at_checked(2)?,
    };
    Some(sign * (number(hours)? * 3_600 + number(minutes)? * 60))
}

/// Days from 1970-01-01 in the Gregorian calendar, counted with the year starting in March so that a leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds_of(text: &str) -> Option<i64> {
        Timestamp::from(text).epoch_milliseconds()
    }

    #[test]
    fn known_times() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000+0000", 0),
            ("2026-11-21T00:09:24.868+0000", 1_795_219_764_868),
            ("2026-11-21T01:09:24.868+0100", 1_795_219_764_868),
            ("2026-11-20T20:39:24.868-0330", 1_795_219_764_868),
            ("2026-11-21T00:09:24.868+00:00", 1_795_219_764_868),
            ("2026-11-21T00:09:24.868Z", 1_795_219_764_868),
            ("2026-11-21T00:09:24+0000", 1_795_219_764_000),
            ("2026-11-21T00:09:24.8681+0000", 1_795_219_764_868),
            ("2024-02-29T12:00:00.5+0000", 1_709_208_000_500),
            ("2000-03-01T00:00:00.000+0000", 951_868_800_000),
            ("1969-12-31T23:59:59.999+0000", -1),
        ] {
            assert_eq!(milliseconds_of(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp() {
        for text in [
            "",
            "T",
            "2026-11-21",
            "2026-13-01T00:00:00+0000",
            "2026-11-21T00:00:00.x+0000",
            "+1-1-1T0:0:0Z",
        ] {
            assert_eq!(milliseconds_of(text), None, "{text}");
        }
        assert_eq!(
            milliseconds_of("2026-11-21T00:09:24.868"),
            None,
            "a time without an offset is not a point in time"
        );
    }
}
