//! Days and seconds as exports write them. Just enough calendar for made-up contracts.

/// A civil date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    /// Days since 1970-01-01, never negative here.
    pub(crate) days: i32,
}

impl Date {
    /// Year, month and day.
    fn civil(self) -> (i32, i32, i32) {
        // eras of 400 years that start on the first of March, so that the leap day ends a year
        let shifted = self.days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        (year_of_era + era * 400 + i32::from(month <= 2), month, day)
    }

    /// `2026-01-31`.
    pub(crate) fn iso(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `31/01/2026`.
    pub(crate) fn slashes(self) -> String {
        let (year, month, day) = self.civil();
        format!("{day:02}/{month:02}/{year:04}")
    }

    /// `31.01.2026`.
    pub(crate) fn dots(self) -> String {
        let (year, month, day) = self.civil();
        format!("{day:02}.{month:02}.{year:04}")
    }
}

/// Seconds since 1970 as `2026-01-31T08:15:00Z`.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let days = i32::try_from(seconds / 86_400).unwrap_or(0);
    let rest = seconds % 86_400;
    format!(
        "{}T{:02}:{:02}:{:02}Z",
        Date { days }.iso(),
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_the_dates_that_a_calendar_shows() {
        for (days, iso) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_484, "2026-01-31"),
        ] {
            assert_eq!(Date { days }.iso(), iso);
        }
        assert_eq!(Date { days: 20_484 }.slashes(), "31/01/2026");
        assert_eq!(Date { days: 20_484 }.dots(), "31.01.2026");
        assert_eq!(rfc3339(20_484 * 86_400 + 29_700), "2026-01-31T08:15:00Z");
    }
}
