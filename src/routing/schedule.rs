//! When a route holds: `mon-fri 08:00-20:00, sat 10:00-14:00 Europe/Berlin`.
//!
//! Windows, separated by commas, then the time zone in which they are meant: its name as tz database has it, or `UTC`. A window
//! is a day or a span of days, a span of times, or both. Times are those of the clock on the wall there: in an hour that is
//! left out or repeated, what the clock shows counts. A span of times that ends before it begins goes on past midnight and
//! belongs to the day on which it begins.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

/// When a route holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    windows: Vec<Window>,
    zone_name: String,
    zone: TimeZone,
}

/// Days of the week and times of day, both as they are at the place of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// First and last; the first may come after the last.
    days: Option<(Weekday, Weekday)>,
    /// From and until, minutes since midnight; `until` itself is out.
    times: Option<(u16, u16)>,
}

/// Why a schedule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// There is nothing in front of the time zone, or nothing in a window.
    #[error("{text:?} names no time: write for example mon-fri 08:00-20:00 Europe/Berlin")]
    Empty {
        /// The schedule.
        text: String,
    },
    /// The last word is no time zone.
    #[error("{word:?} is no time zone: end the schedule with one, such as Europe/Berlin, America/New_York or UTC")]
    Zone {
        /// The last word.
        word: String,
    },
    /// A word is neither days nor times.
    #[error("{word:?} is neither days (mon-fri, sat) nor times (08:00-20:00); windows are separated by commas")]
    Word {
        /// The word.
        word: String,
    },
    /// Times between which there is nothing, or everything.
    #[error("{word:?} begins and ends at the same time: leave the times out where all day is meant")]
    NoTime {
        /// The times.
        word: String,
    },
}

impl ScheduleError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "schedule_empty",
            Self::Zone { .. } => "schedule_zone",
            Self::Word { .. } => "schedule_word",
            Self::NoTime { .. } => "schedule_no_time",
        }
    }
}

const MIDNIGHT: u16 = 24 * 60;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Schedule {
    /// Whether a moment, milliseconds since 1970, falls into the schedule.
    pub fn contains(&self, at_ms: i64) -> bool {
        // What no calendar holds is in no schedule.
        let Ok(moment) = Timestamp::from_millisecond(at_ms) else {
            return false;
        };
        let there = self.zone.to_datetime(moment);
        let minute = u16::from(there.hour().unsigned_abs()) * 60 + u16::from(there.minute().unsigned_abs());
        let mut windows = self.windows.iter();
        windows.any(|window| window.contains(there.weekday(), minute))
    }
}

impl Window {
    fn contains(&self, day: Weekday, minute: u16) -> bool {
        match self.times {
            None => self.has_day(day),
            Some((from, until)) if from < until => self.has_day(day) && (from..until).contains(&minute),
            Some((from, until)) => {
                self.has_day(day) && minute >= from || self.has_day(day.previous()) && minute < until
            }
        }
    }

    fn has_day(&self, day: Weekday) -> bool {
        self.days
            .is_none_or(|(first, last)| first.until(day) <= first.until(last))
    }

    fn parse(text: &str) -> Result<Self, ScheduleError> {
        let mut words = text.split_whitespace().peekable();
        let days = words.peek().copied().and_then(days);
        if days.is_some() {
            words.next();
        }
        let times = words.next().map(times).transpose()?;
        match words.next() {
            Some(word) => Err(ScheduleError::Word { word: word.to_owned() }),
            None if days.is_none() && times.is_none() => Err(ScheduleError::Empty { text: text.to_owned() }),
            None => Ok(Self { days, times }),
        }
    }
}

fn days(word: &str) -> Option<(Weekday, Weekday)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some((day(first)?, day(last)?))
}

fn day(word: &str) -> Option<Weekday> {
    let known = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    known.map(|(_, day)| *day)
}

fn times(word: &str) -> Result<(u16, u16), ScheduleError> {
    let spelt = word
        .split_once('-')
        .and_then(|(from, until)| Some((time(from)?, time(until)?)));
    match spelt.filter(|(from, _)| *from < MIDNIGHT) {
        Some((from, until)) if from == until => Err(ScheduleError::NoTime { word: word.to_owned() }),
        Some(span) => Ok(span),
        None => Err(ScheduleError::Word { word: word.to_owned() }),
    }
}

/// `HH:MM` as minutes since midnight; `24:00` is the end of the day.
fn time(word: &str) -> Option<u16> {
    let (hours, minutes) = word.split_once(':')?;
    let number = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= MIDNIGHT).then_some(minute)
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        let empty = || ScheduleError::Empty { text: text.to_owned() };
        let word = text.split_whitespace().next_back().ok_or_else(empty)?;
        let zone = TimeZone::get(word).map_err(|_| ScheduleError::Zone { word: word.to_owned() })?;
        let windows = text.strip_suffix(word).unwrap_or_default().trim();
        if windows.is_empty() {
            return Err(empty());
        }
        Ok(Self {
            windows: windows.split(',').map(Window::parse).collect::<Result<_, _>>()?,
            zone_name: zone.iana_name().unwrap_or(word).to_owned(),
            zone,
        })
    }
}

impl fmt::Display for Schedule {
    /// Reads back as the same schedule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, window) in self.windows.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            window.fmt(f)?;
        }
        write!(f, " {}", self.zone_name)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |day: Weekday| {
            let known = DAYS.iter().find(|(_, other)| *other == day);
            known.map_or("", |(name, _)| *name)
        };
        match self.days {
            Some((first, last)) if first == last => f.write_str(name(first))?,
            Some((first, last)) => write!(f, "{}-{}", name(first), name(last))?,
            None => {}
        }
        if let Some((from, until)) = self.times {
            let space = if self.days.is_some() { " " } else { "" };
            let [(from, past_from), (until, past_until)] = [from, until].map(|minute| (minute / 60, minute % 60));
            write!(f, "{space}{from:02}:{past_from:02}-{until:02}:{past_until:02}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().expect(text)
    }

    fn at(moment: &str) -> i64 {
        moment.parse::<Timestamp>().expect(moment).as_millisecond()
    }

    /// Which of these moments the schedule holds.
    fn held<'a>(text: &str, moments: &[&'a str]) -> Vec<&'a str> {
        let schedule = schedule(text);
        let moments = moments.iter().copied();
        moments.filter(|moment| schedule.contains(at(moment))).collect()
    }

    #[test]
    fn a_span_has_its_first_minute_and_not_its_last() {
        // 2026-11-20 is a Friday.
        let moments = [
            "2026-11-20T07:59:59.999Z",
            "2026-11-20T08:00:00Z",
            "2026-11-20T19:59:59.999Z",
            "2026-11-20T20:00:00Z",
            "2026-11-21T12:00:00Z",
        ];
        assert_eq!(held("mon-fri 08:00-20:00 UTC", &moments), moments[1..3]);
    }

    #[test]
    fn a_span_past_midnight_belongs_to_the_day_on_which_it_begins() {
        let moments = [
            "2026-11-20T21:59:00Z", // Friday
            "2026-11-20T22:00:00Z",
            "2026-11-20T23:59:59Z",
            "2026-11-21T00:00:00Z", // Saturday
            "2026-11-21T05:59:59Z",
            "2026-11-21T06:00:00Z",
            "2026-11-21T22:00:00Z",
            "2026-11-20T03:00:00Z", // Friday, of Thursday's night
        ];
        assert_eq!(held("fri 22:00-06:00 UTC", &moments), moments[1..5]);
        assert_eq!(held("sun-thu 22:00-06:00 UTC", &moments), [moments[7]]);
        assert_eq!(held("22:00-24:00 UTC", &moments), [moments[1], moments[2], moments[6]]);
    }

    #[test]
    fn a_span_of_days_may_go_past_the_end_of_the_week() {
        let week = ["16", "17", "18", "19", "20", "21", "22"].map(|day| format!("2026-11-{day}T12:00:00Z"));
        let week: Vec<&str> = week.iter().map(String::as_str).collect();
        assert_eq!(held("sat-mon UTC", &week), [week[0], week[5], week[6]]);
        assert_eq!(held("sun UTC", &week), [week[6]]);
        assert_eq!(held("mon-sun UTC", &week), week);
        assert_eq!(held("tue-mon UTC", &week), week);
        assert_eq!(held("mon, wed 11:00-13:00 UTC", &week), [week[0], week[2]]);
    }

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        let winter_and_summer = [
            "2026-01-05T07:00:00Z",
            "2026-01-05T06:59:00Z",
            "2026-07-06T06:00:00Z",
            "2026-07-06T05:59:00Z",
        ];
        assert_eq!(
            held("mon 08:00-09:00 Europe/Berlin", &winter_and_summer),
            [winter_and_summer[0], winter_and_summer[2]]
        );
        // 29 March 2026, Berlin: 01:59 is followed by 03:00.
        let left_out = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-03-29T01:29:59Z"];
        assert_eq!(held("02:00-03:00 Europe/Berlin", &left_out), [""; 0]);
        assert_eq!(held("02:30-03:30 Europe/Berlin", &left_out), left_out[1..]);
        // 25 October 2026: 02:00 to 03:00 comes twice.
        let repeated = [
            "2026-10-24T23:59:59Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T01:59:59Z",
            "2026-10-25T02:00:00Z",
        ];
        assert_eq!(held("02:00-03:00 Europe/Berlin", &repeated), repeated[1..3]);
    }

    #[test]
    fn a_moment_that_no_calendar_holds_is_in_no_schedule() {
        for at_ms in [i64::MIN, i64::MAX] {
            assert!(!schedule("mon-sun UTC").contains(at_ms));
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (text, canonical) in [
            ("mon-fri 08:00-20:00 Europe/Berlin", "mon-fri 08:00-20:00 Europe/Berlin"),
            (
                "  MON-Fri   08:00-20:00 ,sat   europe/berlin ",
                "mon-fri 08:00-20:00, sat Europe/Berlin",
            ),
            ("00:00-24:00 UTC", "00:00-24:00 UTC"),
            (
                "sun-sun 22:00-06:00 America/New_York",
                "sun 22:00-06:00 America/New_York",
            ),
        ] {
            let read = schedule(text);
            assert_eq!(read.to_string(), canonical);
            assert_eq!(schedule(canonical), read);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (text, code) in [
            ("", "schedule_empty"),
            ("UTC", "schedule_empty"),
            ("mon,, UTC", "schedule_empty"),
            ("mon-fri 08:00-20:00", "schedule_zone"),
            ("mon-fri 08:00-20:00 Europe/Brelin", "schedule_zone"),
            ("mon-fir UTC", "schedule_word"),
            ("08:00-20:00 mon UTC", "schedule_word"),
            ("mon 8:00-20:00 UTC", "schedule_word"),
            ("mon 08:00-20:60 UTC", "schedule_word"),
            ("mon 08:00-24:01 UTC", "schedule_word"),
            ("mon 24:00-08:00 UTC", "schedule_word"),
            ("mon +8:00-20:00 UTC", "schedule_word"),
            ("mon 08:00 UTC", "schedule_word"),
            ("mon wed UTC", "schedule_word"),
            ("mon 08:00-08:00 UTC", "schedule_no_time"),
            ("mon 08:00-09:00 10:00-11:00 UTC", "schedule_word"),
        ] {
            assert_eq!(text.parse::<Schedule>().expect_err(text).code(), code, "{text}");
        }
    }
}
