//! Times as people read them: formatted here, in the organisation's zone, because the browser has no zone database.

use crate::domain::{page::Day, view::DisplayTime};
use jiff::{Timestamp, tz::TimeZone};
use time::OffsetDateTime;

/// The zone of an IANA name; UTC when it is unknown.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// `at` in UTC and in `zone`.
pub fn display_time(at: OffsetDateTime, zone: &TimeZone) -> DisplayTime {
    let local = zoned(at, zone);
    DisplayTime {
        utc: utc(at),
        text: local.strftime("%-d %b %Y, %H:%M:%S %Z").to_string(),
        date: local.strftime("%-d %b %Y").to_string(),
        time: local.strftime("%H:%M:%S").to_string(),
    }
}

/// RFC 3339 in UTC, whole seconds.
pub fn utc(at: OffsetDateTime) -> String {
    zoned(at, &TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// RFC 3339 with the offset of the zone, as exports have it: `2026-11-20T18:13:00+05:30`.
pub fn with_offset(at: OffsetDateTime, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Midnight that began the day of `at` in the zone.
pub fn day_start(at: OffsetDateTime, zone: &TimeZone) -> OffsetDateTime {
    let start = zoned(at, zone).start_of_day().map(|day| day.timestamp().as_second());
    start.ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()).unwrap_or(at)
}

/// The day of `at` in the zone, `2026-11-21`.
pub fn day_text(at: OffsetDateTime, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%Y-%m-%d").to_string()
}

/// Midnight that begins a day in the zone, and the one that ends it. A day whose clocks are changed has 23 or 25 hours.
pub fn day(day: &Day, zone: &TimeZone) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let date: jiff::civil::Date = day.text().parse().ok()?;
    let begin = |date: jiff::civil::Date| {
        let second = date.to_zoned(zone.clone()).ok()?.timestamp().as_second();
        OffsetDateTime::from_unix_timestamp(second).ok()
    };
    Some((begin(date)?, begin(date.tomorrow().ok()?)?))
}

/// `20 Nov 2026`.
pub fn day_label(day: &Day) -> String {
    let date = day.text().parse::<jiff::civil::Date>();
    date.map_or_else(|_| day.text().to_owned(), |date| date.strftime("%-d %b %Y").to_string())
}

/// The last time that it was `hour` o'clock in the zone, at `at` or before.
pub fn last_time_of_day(at: OffsetDateTime, zone: &TimeZone, hour: i8) -> OffsetDateTime {
    let local = zoned(at, zone);
    let on = |day: jiff::civil::Date| day.at(hour, 0, 0, 0).to_zoned(zone.clone()).ok().map(|day| day.timestamp());
    let today = on(local.date()).filter(|today| *today <= local.timestamp());
    let last = today.or_else(|| local.date().yesterday().ok().and_then(on));
    last.and_then(|last| OffsetDateTime::from_unix_timestamp(last.as_second()).ok()).unwrap_or(at)
}

fn zoned(at: OffsetDateTime, zone: &TimeZone) -> jiff::Zoned {
    Timestamp::from_second(at.unix_timestamp()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_moment_is_shown_in_the_zone_of_the_organisation() {
        let at = datetime!(2026-11-20 12:43:00 UTC);
        let shown = display_time(at, &zone("Asia/Kolkata"));
        assert_eq!(shown.utc, "2026-11-20T12:43:00Z");
        assert_eq!(shown.text, "20 Nov 2026, 18:13:00 IST");
        assert_eq!(with_offset(at, &zone("Asia/Kolkata")), "2026-11-20T18:13:00+05:30");
        let two = |at| last_time_of_day(at, &zone("Asia/Kolkata"), 2);
        assert_eq!(two(at), datetime!(2026-11-19 20:30:00 UTC));
        assert_eq!(two(datetime!(2026-11-19 20:30:00 UTC)), datetime!(2026-11-19 20:30:00 UTC));
        assert_eq!(two(datetime!(2026-11-19 20:29:59 UTC)), datetime!(2026-11-18 20:30:00 UTC));
        // A night in which there is no two o'clock.
        let berlin = last_time_of_day(datetime!(2026-03-29 06:00:00 UTC), &zone("Europe/Berlin"), 2);
        assert_eq!(berlin, datetime!(2026-03-29 01:00:00 UTC));
        assert_eq!(day_start(at, &zone("Asia/Kolkata")), datetime!(2026-11-19 18:30:00 UTC));
        assert_eq!(day_text(datetime!(2026-11-20 18:29:59 UTC), &zone("Asia/Kolkata")), "2026-11-20");
        assert_eq!(day_text(datetime!(2026-11-20 18:30:00 UTC), &zone("Asia/Kolkata")), "2026-11-21");
    }

    #[test]
    fn a_day_is_that_of_the_organisation() {
        let between = |text: &str, name: &str| day(&text.parse().unwrap(), &zone(name));
        let kolkata = (datetime!(2026-11-19 18:30:00 UTC), datetime!(2026-11-20 18:30:00 UTC));
        assert_eq!(between("2026-11-20", "Asia/Kolkata"), Some(kolkata));
        let short = (datetime!(2026-03-28 23:00:00 UTC), datetime!(2026-03-29 22:00:00 UTC));
        assert_eq!(between("2026-03-29", "Europe/Berlin"), Some(short));
        assert_eq!(between("9999-12-31", "UTC"), None, "there is no day after it");
    }
}
